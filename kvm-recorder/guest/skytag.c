/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * skytag: runs a command under libskytag.so, with rules that were checked first.
 *
 * The rules' text travels in the environment, as LD_PRELOAD does: children and
 * later programs of the command get both or none of them, and what becomes of
 * the file of the rules is no matter.
 */
#include <argp.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "skytag_rules.h"
#include "skytag_summary.h"

#define STATUS_FAILED	   1
#define STATUS_WRONG_USAGE 2

/* argp's own variable, which it must be able to see. */
__attribute__((visibility("default"))) const char *argp_program_version = "skytag " SKYTAG_VERSION;

static const struct argp_option options[] = {
	{"rules", 'r', "FILE", 0, "The rules, one a line: conditions and class=N", 0},
	{"check", 'c', NULL, 0, "Check the rules and run nothing", 0},
	{"summary", 's', NULL, 0, "Tell at the end, on standard error, what was tagged", 0},
	{0},
};

static const char documentation[] =
	"Runs COMMAND so that its reads and writes carry the class that the rules give them, which "
	"a "
	"recording then takes instead of finding out one. The command is not changed; what "
	"it does through libc's read, write, pread, pwrite, readv and writev is seen."
	"\vA transfer gets the class of the first rule whose conditions all hold. Conditions:\n"
	"\n"
	"  path=GLOB            the file's whole path, or its last part if GLOB\n"
	"                       has no slash; ** also matches slashes\n"
	"  fd=N | fd=N-M        the descriptor's number\n"
	"  op=read | op=write\n"
	"  offset=FROM-UNTIL    bytes, multiples of 4K; K, M, G, T; FROM- is open\n"
	"  innodb=KIND          a page of InnoDB: index, clustered, secondary,\n"
	"                       undo, inode, ibuf-bitmap, header, extents, blob\n"
	"  type=N               a page of InnoDB with that type number\n"
	"  index-id=N | N-M     a page of one of these indices\n"
	"  page=SIZE            InnoDB's page size there (16K)\n"
	"\n"
	"For example, MariaDB's secondary indices below everything else:\n"
	"\n"
	"  path=*.ibd   innodb=secondary class=6\n"
	"  path=ibdata1 innodb=secondary class=6   # the doublewrite buffer\n";

struct arguments {
	const char *rules, **command;
	bool check, summary;
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list arguments;

	fputs("skytag: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -1;
}

static error_t take_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'r':
		arguments->rules = value;
		return 0;
	case 'c':
		arguments->check = true;
		return 0;
	case 's':
		arguments->summary = true;
		return 0;
	case ARGP_KEY_ARGS:
		arguments->command = (const char **)state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->rules)
			argp_error(state, "No rules; give them with --rules FILE");
		else if (!arguments->command && !arguments->check)
			argp_error(state,
				   "No command; put it behind --, or --check the rules only");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* The file as a string; NULL after a sentence. */
static char *read_text(const char *path)
{
	static char text[TAG_TEXT_BYTES + 2];
	FILE *file = fopen(path, "re");
	size_t bytes;

	if (!file) {
		fail("The rules %s can't be read: %s; check the path", path, strerror(errno));
		return NULL;
	}
	bytes = fread(text, 1, TAG_TEXT_BYTES + 1, file);
	if (ferror(file)) {
		fail("The rules %s can't be read: %s", path, strerror(errno));
		fclose(file);
		return NULL;
	}
	fclose(file);
	if (bytes > TAG_TEXT_BYTES)
		fail("%s: Larger than %d bytes; leave comments out", path, TAG_TEXT_BYTES);
	else if (memchr(text, '\0', bytes))
		fail("%s: Not a text, as it has a byte 0; write rules in an editor", path);
	else
		return text;
	return NULL;
}

static const char *check_rules(const char *path, struct tag_rules *rules)
{
	const char *text = read_text(path);
	struct tag_error error;

	if (!text || !tag_rules_parse(rules, text, strlen(text), &error))
		return text;
	if (error.line)
		fail("%s:%u: %s", path, error.line, error.what);
	else
		fail("%s: %s", path, error.what);
	return NULL;
}

/* Beside the program, as in a build folder, or where `make install` puts it. */
static int find_library(char *path)
{
	static const char *const places[] = {"libskytag.so", "../lib/libskytag.so"};
	char program[PATH_MAX], candidate[2 * PATH_MAX];
	ssize_t bytes = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (bytes < 0)
		return fail("/proc/self/exe can't be read: %s; mount /proc", strerror(errno));
	program[bytes] = '\0';
	dirname(program);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(candidate, sizeof(candidate), "%s/%s", program, places[i]);
		if (!realpath(candidate, path) || access(path, R_OK) < 0)
			continue;
		if (strpbrk(path, ": "))
			return fail(
				"%s can't be preloaded, because its path has a blank or a colon; "
				"put it elsewhere",
				path);
		return 0;
	}
	return fail("libskytag.so is neither in %s nor in its ../lib; run `make guest` or `make "
		    "install`",
		    program);
}

/* As execvp() looks for it, "" in PATH being "."; false if it isn't found, which execvp() then says. */
static bool find_command(const char *name, char *path)
{
	const char *folders = getenv("PATH"), *end;

	if (strchr(name, '/'))
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
	for (; folders; folders = *end ? end + 1 : NULL) {
		end = strchrnul(folders, ':');
		if (snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - folders), folders,
			     end > folders ? "/" : "./", name) < PATH_MAX &&
		    !access(path, X_OK))
			return true;
	}
	return false;
}

static bool has_interpreter(int fd, const Elf64_Ehdr *header)
{
	Elf64_Phdr program;

	for (unsigned i = 0; i < header->e_phnum; i++)
		if (pread(fd, &program, sizeof(program), header->e_phoff + i * sizeof(program)) ==
			    sizeof(program) &&
		    program.p_type == PT_INTERP)
			return true;
	return false;
}

/* The dynamic linker is what preloads: programs that it doesn't load wouldn't be tagged, silently. */
static int check_command(const char *name)
{
	char path[PATH_MAX];
	struct stat status;
	Elf64_Ehdr header;
	bool linked = true;
	int fd;

	if (!find_command(name, path) || stat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return 0;
	if (status.st_mode & (S_ISUID | S_ISGID) && geteuid())
		return fail(
			"%s is set-user-id: nothing can be preloaded into it; run what it starts "
			"under skytag",
			path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
	    !memcmp(header.e_ident, ELFMAG, SELFMAG))
		linked = header.e_ident[EI_CLASS] == ELFCLASS64 && has_interpreter(fd, &header);
	close(fd);
	return linked ? 0
		      : fail("%s is statically linked or of 32 bits: nothing can be preloaded into "
			     "it; "
			     "use a dynamic build of it",
			     path);
}

static int set_environment(const char *library, const char *text)
{
	const char *before = getenv("LD_PRELOAD");
	char *preload = NULL;
	int result;

	if (asprintf(&preload, "%s%s%s", library, before && *before ? ":" : "",
		     before ? before : "") < 0)
		return fail("Out of memory for the environment");
	result = setenv("LD_PRELOAD", preload, 1) || setenv(TAG_RULES_VARIABLE, text, 1);
	free(preload);
	return result ? fail("Out of memory for the environment") : 0;
}

static int run(const char **command)
{
	execvp(command[0], (char *const *)command);
	return fail("%s can't be run: %s; check that it runs without skytag", command[0],
		    strerror(errno));
}

static struct tag_summary *share_summary(void)
{
	struct tag_summary *summary;
	char path[64];
	int fd = memfd_create("skytag", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(*summary)) < 0) {
		fail("The summary has no memory: %s", strerror(errno));
		return NULL;
	}
	/* Open until skytag ends: the command's processes map it through this link. */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	summary = mmap(NULL, sizeof(*summary), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (summary == MAP_FAILED || setenv(TAG_SUMMARY_VARIABLE, path, 1) < 0) {
		fail("The summary has no memory: %s", strerror(errno));
		return NULL;
	}
	return summary;
}

static void print_summary(const struct tag_summary *summary)
{
	static const char *const directions[] = {[TAG_READ] = "read", [TAG_WRITE] = "written"};

	fprintf(stderr,
		"skytag: %" PRIu64 " calls on files of the rules: %" PRIu64
		" made part by part, %" PRIu64 " that can't bear a class\n",
		summary->calls, summary->split_calls, summary->plain_calls);
	for (unsigned i = 0; i < TAG_DIRECTIONS; i++) {
		for (unsigned j = 0; j < TAG_CLASSES; j++)
			if (summary->bytes[i][j])
				fprintf(stderr, "skytag: class %u: %" PRIu64 " bytes %s\n", j,
					summary->bytes[i][j], directions[i]);
		if (summary->untagged[i])
			fprintf(stderr, "skytag: no rule held: %" PRIu64 " bytes %s\n",
				summary->untagged[i], directions[i]);
	}
}

/* The terminal's signals reach the command, too: what it makes of them is what counts. */
static int run_and_sum_up(const char **command)
{
	struct tag_summary *summary = share_summary();
	int status;
	pid_t child;

	if (!summary)
		return STATUS_FAILED;
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	child = fork();
	if (child < 0) {
		fail("The command can't be started: %s", strerror(errno));
		return STATUS_FAILED;
	}
	if (!child) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		run(command);
		_exit(STATUS_FAILED);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_FAILED;
	print_summary(summary);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	static const struct argp parser = {
		options, take_option, "-- COMMAND [ARGUMENT...]", documentation, NULL, NULL, NULL};
	static struct tag_rules rules;
	struct arguments arguments = {0};
	char library[PATH_MAX];
	const char *text;

	argp_err_exit_status = STATUS_WRONG_USAGE;
	argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	text = check_rules(arguments.rules, &rules);
	if (!text)
		return STATUS_WRONG_USAGE;
	if (arguments.check) {
		printf("%s: %u rule%s, all well\n", arguments.rules, rules.count,
		       rules.count == 1 ? "" : "s");
		return fflush(stdout) ? STATUS_FAILED : 0;
	}
	if (check_command(arguments.command[0]) < 0 || find_library(library) < 0 ||
	    set_environment(library, text) < 0)
		return STATUS_FAILED;
	if (arguments.summary)
		return run_and_sum_up(arguments.command);
	run(arguments.command);
	return STATUS_FAILED;
}
