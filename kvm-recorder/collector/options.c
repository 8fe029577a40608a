/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/size.h"
#include "kvm-recorder/kernel/sky_ioctl.h"
#include "options.h"

/* What a busy virtual CPU tells in the time that a disk may keep the stream waiting. */
#define RING_BYTES_PRESET (32u << 20)
#define ROTATE_BYTES_MIN  (64u << 10)

enum {
	OPTION_KVM = 256,
	OPTION_DISK,
	OPTION_PID,
	OPTION_EXEC,
	OPTION_ONLY,
	OPTION_ABI,
	OPTION_VSOCK,
	OPTION_STREAM,
	OPTION_ROTATE,
	OPTION_RING,
	OPTION_SECONDS,
	OPTION_JSON
};

static const struct argp_option option_table[] = {
	{"kvm", OPTION_KVM, "VM", 0,
	 "The virtual machine: the number of its process or QEMU's -name; none for disks only; "
	 "list "
	 "shows what there is",
	 1},
	{"disk", OPTION_DISK, "NAME,...", 0,
	 "Disks to record, by the names that their dm-sky targets have; the first is number 0", 1},
	{"output", 'o', "T.h5", 0, "Where the trace goes", 1},
	{"seconds", OPTION_SECONDS, "N", 0, "Record so long at most", 1},

	{"pid", OPTION_PID, "N", 0,
	 "Record the process that has this number in the guest, and its children, as if it had "
	 "asked by skyrun; more than one --pid may be given",
	 3},
	{"exec", OPTION_EXEC, "NAME", 0,
	 "Record who executes this program, and their children: a whole path as it is executed, "
	 "or its last part; more than one --exec may be given",
	 3},
	{"only", OPTION_ONLY, "PREFIX", 0,
	 "Record reads and writes of files below this full path only", 3},
	{"abi", OPTION_ABI, "ABI", 0,
	 "What the guest's system calls are: linux64 (default) or freebsd64", 3},
	{"vsock", OPTION_VSOCK, "PORT", 0,
	 "Record who asks for it at this vsock port by `skyrun --vsock`", 3},

	{"stream", OPTION_STREAM, "T.pcap", 0,
	 "Where the stream is written while recording, a file or a pipe, and left "
	 "(default: T.h5.stream, removed once T.h5 is complete)",
	 2},
	{"rotate", OPTION_ROTATE, "BYTES", 0,
	 "Begin a new stream after so many bytes: T.0001.pcap, T.0002.pcap and so on", 2},
	{"ring", OPTION_RING, "BYTES", 0,
	 "Room for events of each virtual CPU and disk, a power of two from 4K to 1G (default 32M)",
	 2},
	{"json", OPTION_JSON, NULL, 0, "Print the list as JSON", 2},
	{0},
};

static void set_disks(struct argp_state *state, struct kvm_options *options, const char *text)
{
	char *rest = NULL;

	if (options->words)
		argp_error(state, "--disk takes all disks at once: --disk A,B");
	options->words = strdup(text);
	if (!options->words)
		argp_failure(state, 1, 0, "out of memory");
	for (char *word = strtok_r(options->words, ",", &rest); word;
	     word = strtok_r(NULL, ",", &rest)) {
		if (options->disk_count == DISKS_MAX)
			argp_error(state, "%d disks at most", DISKS_MAX);
		options->disks[options->disk_count++] = word;
	}
}

static void set_ring(struct argp_state *state, struct kvm_options *options, const char *text)
{
	uint64_t bytes;

	if (size_parse(text, &bytes) || bytes < SKY_RING_PAGE_BYTES || bytes > SKY_RING_BYTES_MAX ||
	    bytes & (bytes - 1))
		argp_error(state, "--ring %s is not a power of two from 4K to 1G", text);
	options->ring_bytes = bytes;
}

static void set_rotate(struct argp_state *state, struct kvm_options *options, const char *text)
{
	if (size_parse(text, &options->rotate_bytes) || options->rotate_bytes < ROTATE_BYTES_MIN)
		argp_error(state, "--rotate %s is not a size of 64K or more", text);
}

static void set_seconds(struct argp_state *state, struct kvm_options *options, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds <= 1e9))
		argp_error(state, "--seconds %s is not a time", text);
	options->duration_ns = seconds * 1e9;
}

static uint32_t number(struct argp_state *state, const char *option, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !value || value >= UINT32_MAX)
		argp_error(state, "%s %s is not a number", option, text);
	return value;
}

static void add_pid(struct argp_state *state, struct kvm_options *options, const char *text)
{
	if (options->pid_count == SKY_SELECTS_MAX)
		argp_error(state, "--pid can be given %d times at most", SKY_SELECTS_MAX);
	options->pids[options->pid_count++] = number(state, "--pid", text);
}

static void add_program(struct argp_state *state, struct kvm_options *options, const char *text)
{
	if (options->program_count == SKY_SELECTS_MAX)
		argp_error(state, "--exec can be given %d times at most", SKY_SELECTS_MAX);
	if (!*text || text[strlen(text) - 1] == '/' || strlen(text) > SKY_EXEC_BYTES_MAX ||
	    (*text != '/' && strchr(text, '/')))
		argp_error(state, "--exec %s is neither a program's name nor its full path", text);
	options->programs[options->program_count++] = text;
}

/* A full path as the guest's kernel gives them; the root itself selects everything. */
static void set_only(struct argp_state *state, struct kvm_options *options, const char *text)
{
	char *rest = NULL, *parts = strdup(text), *path = calloc(1, strlen(text) + 2), *end = path;

	if (!parts || !path)
		argp_failure(state, 1, 0, "out of memory");
	if (options->only)
		argp_error(state, "--only can be given once");
	for (char *part = strtok_r(parts, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
		if (!strcmp(part, ".") || !strcmp(part, ".."))
			argp_error(state, "--only %s is not a path without . and ..", text);
		end += sprintf(end, "/%s", part);
	}
	if (*text != '/' || end - path >= SKY_SELECT_BYTES)
		argp_error(state, "--only %s is not a full path", text);
	free(parts);
	options->only = path;
}

static void set_abi(struct argp_state *state, struct kvm_options *options, const char *text)
{
	if (strcmp(text, "linux64") && strcmp(text, "freebsd64"))
		argp_error(state, "--abi %s is neither linux64 nor freebsd64", text);
	options->abi = *text == 'l' ? ABI_LINUX64 : ABI_FREEBSD64;
}

/* `--kvm --help` asks for help, not for a machine of that name. */
static void set_machine(struct argp_state *state, struct kvm_options *options, const char *text)
{
	if (!strcmp(text, "--help"))
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
	options->list = !strcmp(text, "list");
	options->machine = strcmp(text, "none") ? text : NULL;
}

static void check(struct argp_state *state, const struct kvm_options *options)
{
	size_t length = options->output ? strlen(options->output) : 0;

	bool chooses = options->pid_count || options->program_count || options->only ||
		       options->vsock_port || options->abi != ABI_LINUX64;

	if (options->list)
		return;
	if (!options->machine && chooses)
		argp_error(state, "--pid, --exec, --only, --abi and --vsock are about a virtual "
				  "machine; name one");
	if (!options->machine && !options->disk_count)
		argp_error(state, "without a virtual machine, name a disk with --disk");
	if (options->abi == ABI_FREEBSD64 && (options->program_count || options->only))
		argp_error(state, "--exec and --only need what a guest with FreeBSD's calls isn't "
				  "asked; choose by --pid, or from within");
	if (!options->output && !options->stream)
		argp_error(state, "name the trace with -o T.h5");
	if (options->output && (length < 4 || strcmp(options->output + length - 3, ".h5")))
		argp_error(state, "the trace's name must end in .h5, unlike %s", options->output);
	if (options->rotate_bytes && (options->output || !options->stream))
		argp_error(state,
			   "--rotate goes with --stream and without -o; `sky convert` makes an "
			   "archive of each part");
	if (options->as_json)
		argp_error(state, "--json is for --kvm list");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct kvm_options *options = state->input;

	switch (key) {
	case OPTION_KVM:
		set_machine(state, options, argument);
		break;
	case OPTION_DISK:
		set_disks(state, options, argument);
		break;
	case 'o':
		options->output = argument;
		break;
	case OPTION_SECONDS:
		set_seconds(state, options, argument);
		break;
	case OPTION_PID:
		add_pid(state, options, argument);
		break;
	case OPTION_EXEC:
		add_program(state, options, argument);
		break;
	case OPTION_ONLY:
		set_only(state, options, argument);
		break;
	case OPTION_ABI:
		set_abi(state, options, argument);
		break;
	case OPTION_VSOCK:
		options->vsock_port = number(state, "--vsock", argument);
		break;
	case OPTION_STREAM:
		options->stream = argument;
		break;
	case OPTION_ROTATE:
		set_rotate(state, options, argument);
		break;
	case OPTION_RING:
		set_ring(state, options, argument);
		break;
	case OPTION_JSON:
		options->as_json = true;
		break;
	case ARGP_KEY_ARGS:
		/* the vector ends with a NULL, as exec wants it */
		options->command = state->argv + state->next;
		break;
	case ARGP_KEY_END:
		check(state, options);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc =
		"--kvm VM --disk NAME,... -o T.h5 [-- CMD...]\n--kvm none --disk NAME,... -o T.h5 "
		"[-- CMD...]\n--kvm list",
	.doc = "Records what the processes of a virtual machine ask of its kernel, and what that "
	       "asks of its disks, without a change to the guest."
	       "\vThe host needs Sky's modules: sky, dm-sky below each disk, and the KVM that "
	       "comes "
	       "with them (see docs/kvm-recorder.md). Recording ends with SIGINT or SIGTERM, with "
	       "CMD, after --seconds, or when the virtual machine, or else the last disk, is gone. "
	       "The exit status is that of CMD, or 1 when the recording is not whole.",
};

int kvm_parse(int argc, char **argv, struct kvm_options *options)
{
	*options = (struct kvm_options){.ring_bytes = RING_BYTES_PRESET};
	/* in order: what follows CMD is CMD's */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, options);
	if (options->list || options->stream)
		return 0;
	if (asprintf(&options->stream_beside, "%s.stream", options->output) < 0)
		return fail("out of memory for the name of the stream");
	options->stream = options->stream_beside;
	return 0;
}

void kvm_options_free(struct kvm_options *options)
{
	free(options->only);
	free(options->stream_beside);
	free(options->words);
}
