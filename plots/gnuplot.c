/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs gnuplot on a figure's commands.
 *
 * Commands, picture and complaints pass through memory files, so neither side
 * ever waits for the other. No shell and no start-up file of the user's is
 * involved, and the terminals write neither dates nor paths: the same commands
 * give the same bytes.
 */
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "plot.h"

static const char *const terminals[] = {
	[IMAGE_SVG] = "svg size %u,%u noenhanced background \"#ffffff\" font \"sans-serif,14\"",
	[IMAGE_PNG] = "pngcairo size %u,%u noenhanced background \"#ffffff\" font "
		      "\"sans-serif,10.5\"",
};

static const char preamble[] = "set encoding utf8\n"
			       "set border 3 lc rgb \"#555555\"\n"
			       "set tics nomirror out scale 0.5\n"
			       "set grid y lc rgb \"#dddddd\" lt 1 lw 1\n"
			       "set style fill solid 1 noborder\n";

static int read_whole(int fd, char **text, size_t *bytes)
{
	struct stat st;
	size_t got = 0;
	char *at;

	if (fstat(fd, &st))
		return -errno;
	at = malloc(st.st_size + 1);
	if (!at)
		return -ENOMEM;
	while (got < (size_t)st.st_size) {
		ssize_t n = pread(fd, at + got, st.st_size - got, got);

		if (n <= 0) {
			free(at);
			return n ? -errno : -EIO;
		}
		got += n;
	}
	at[got] = '\0';
	*text = at;
	*bytes = got;
	return 0;
}

static int spawn_gnuplot(int in, int out, int err, pid_t *pid)
{
	static char *const argv[] = {"gnuplot", "-d", NULL};
	static char *const environment[] = {"LC_ALL=C.UTF-8", "HOME=/", NULL};
	posix_spawn_file_actions_t actions;
	int rc;

	rc = posix_spawn_file_actions_init(&actions);
	if (rc)
		return -rc;
	rc = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	if (!rc)
		rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return -rc;
}

/* The first line that says something, for the sentence. */
static void say_complaint(const char *name, int err)
{
	char *text = NULL, *line;
	size_t bytes;

	if (read_whole(err, &text, &bytes)) {
		fail("gnuplot failed on the figure %s", name);
		return;
	}
	line = strstr(text, "line ");
	if (!line)
		line = text;
	line[strcspn(line, "\n")] = '\0';
	fail("gnuplot failed on the figure %s: %s", name, *line ? line : "it gave no reason");
	free(text);
}

static int run_gnuplot(const char *name, int in, int out, int err)
{
	int status, rc;
	pid_t pid;

	rc = spawn_gnuplot(in, out, err, &pid);
	if (rc == -ENOENT)
		return fail("gnuplot is not installed, and figures need it: "
			    "apt-get install gnuplot-nox");
	if (rc)
		return fail_errno(rc, "gnuplot could not be started for the figure %s", name);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(errno, "gnuplot was lost while it drew %s", name);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		say_complaint(name, err);
		return -1;
	}
	return 0;
}

static int write_script(const struct figure *figure, struct results *results,
			enum image_format format, int fd)
{
	FILE *script;
	int copy, rc;

	copy = dup(fd);
	script = copy < 0 ? NULL : fdopen(copy, "w");
	if (!script) {
		rc = fail_errno(errno, "no room for the commands of the figure %s",
				figure->head.name);
		if (copy >= 0)
			close(copy);
		return rc;
	}
	fputs("set terminal ", script);
	fprintf(script, terminals[format], FIGURE_WIDTH_PIXELS, figure->height_pixels);
	fprintf(script, "\n%s", preamble);
	rc = figure->draw(results, script);
	if (fclose(script))
		return fail_errno(errno, "no room for the commands of the figure %s",
				  figure->head.name);
	if (lseek(fd, 0, SEEK_SET))
		return fail_errno(errno, "cannot rewind the commands of the figure %s",
				  figure->head.name);
	return rc;
}

int figure_render(const struct figure *figure, struct results *results, enum image_format format,
		  char **image, size_t *bytes)
{
	const char *name = figure->head.name;
	int in, out, err, rc;

	in = memfd_create("figure", MFD_CLOEXEC);
	out = memfd_create("image", MFD_CLOEXEC);
	err = memfd_create("complaint", MFD_CLOEXEC);
	if (in < 0 || out < 0 || err < 0)
		rc = fail_errno(errno, "no memory file for the figure %s", name);
	else
		rc = write_script(figure, results, format, in);
	if (!rc)
		rc = run_gnuplot(name, in, out, err);
	if (!rc) {
		rc = read_whole(out, image, bytes);
		if (rc)
			rc = fail_errno(rc, "the figure %s could not be read back", name);
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	if (err >= 0)
		close(err);
	return rc;
}
