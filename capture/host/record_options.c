/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/event.h"
#include "common/error.h"
#include "common/size.h"
#include "record.h"

#define BYTES_PRESET (4ull << 30)
/* Well within the 4 s in which what the disk delivered waits for its reader. */
#define MAP_PERIOD_NS 1000000000ull
#define BYTES_MAX    (1ull << 40) /* the sectors of an event have 32 bits */

enum {
	OPTION_HOST = 256,
	OPTION_FS,
	OPTION_SIZE,
	OPTION_STREAM,
	OPTION_MKFS,
	OPTION_MOUNT,
	OPTION_PREPARE,
	OPTION_THEN,
	OPTION_DISK,
	OPTION_KEEP,
	OPTION_NO_COPY_OFFLOAD,
	OPTION_SKIP_MISALIGNED,
	OPTION_MAP_PERIOD,
	OPTION_NO_CALLS,
	OPTION_NO_TRUTH,
	OPTION_CLEANUP,
};

static const struct argp_option option_table[] = {
	{"host", OPTION_HOST, NULL, 0, "Record on this host, without a virtual machine (default)",
	 1},
	{"output", 'o', "T.h5", 0,
	 "Where the trace goes; - is standard output, for which it stays a stream, and where CMD "
	 "prints is standard error then",
	 1},
	{"stream", OPTION_STREAM, "T.pcap", 0,
	 "Where the stream is written while recording, a file or a pipe, and left "
	 "(default: T.h5.stream, removed once T.h5 is complete)",
	 1},

	{"fs", OPTION_FS, "NAME", 0,
	 "ext4 (default), ext3, ext2, xfs, btrfs; or none: a "
	 "raw disk, whose device is in the environment as SKY_DISK",
	 2},
	{"size", OPTION_SIZE, "BYTES", 0, "Size of the new disk (default 4G)", 2},
	{"mkfs-options", OPTION_MKFS, "WORDS", 0, "Passed to mkfs, split at blanks", 2},
	{"mount-options", OPTION_MOUNT, "LIST", 0, "As for mount -o", 2},
	{"disk", OPTION_DISK, "IMAGE", 0, "Use the file system in this file; it is not formatted",
	 2},
	{"keep", OPTION_KEEP, "IMAGE", 0, "Make the disk in this new file and leave it", 2},

	{"prepare", OPTION_PREPARE, "SHELL-COMMAND", 0,
	 "Run first, in the file system, not recorded; a sync and a remount follow", 3},
	{"then", OPTION_THEN, "SHELL-COMMAND", 0,
	 "Run afterwards, recorded, after a sync and a remount, unless a signal "
	 "ended the command; may be repeated",
	 3},

	{"no-copy-offload", OPTION_NO_COPY_OFFLOAD, NULL, 0,
	 "Let copies inside the kernel fail, so that programs read and write", 4},
	{"skip-misaligned", OPTION_SKIP_MISALIGNED, NULL, 0,
	 "Don't complete chunks that a misaligned write covers in part", 4},
	{"no-calls", OPTION_NO_CALLS, NULL, 0,
	 "Record the disk only: the command runs without ptrace, and nothing can be classified", 4},
	{"map-period", OPTION_MAP_PERIOD, "SECONDS", 0,
	 "How often to look at what mapped files hold (default 1; 0: only when they are written "
	 "back or unmapped)",
	 4},
	{"no-truth", OPTION_NO_TRUTH, NULL, 0, "Don't attach BPF for the ground truth", 4},

	{"cleanup", OPTION_CLEANUP, NULL, 0,
	 "Remove what recorders that were killed have left behind, and nothing else", 5},
	{0},
};

static void set_file_system(struct argp_state *state, struct record_options *options,
			    const char *name)
{
	options->fs = file_system_find(name);
	if (!options->fs)
		argp_error(state, "unknown file system %s; there are %s", name,
			   file_system_names());
}

static void set_size(struct argp_state *state, struct record_options *options, const char *text)
{
	if (size_parse(text, &options->bytes) || !options->bytes || options->bytes > BYTES_MAX ||
	    options->bytes % CHUNK_BYTES)
		argp_error(state, "--size %s is not a size like 4G, a multiple of 4096 bytes",
			   text);
}

static void set_map_period(struct argp_state *state, struct record_options *options,
			   const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds == 0 || (seconds >= 0.01 && seconds <= 3600)))
		argp_error(state, "--map-period %s is not 0 or a time from 0.01 to 3600 seconds",
			   text);
	options->map_period_ns = seconds * 1e9;
}

static void add_then(struct argp_state *state, struct record_options *options, const char *text)
{
	if (options->then_count == THEN_MAX)
		argp_error(state, "--then may be given %d times", THEN_MAX);
	options->then[options->then_count++] = text;
}

static void check(struct argp_state *state, const struct record_options *options)
{
	size_t length = options->output ? strlen(options->output) : 0;

	if (options->cleanup) {
		if (options->command || options->output)
			argp_error(state, "--cleanup stands alone");
		return;
	}
	if (!options->command)
		argp_error(state, "name the command to record, after --");
	if (options->to_output && options->stream)
		argp_error(state, "the stream goes to standard output or to %s, not to both",
			   options->stream);
	if (!options->output && !options->stream && !options->to_output)
		argp_error(state, "name the trace with -o T.h5");
	if (options->output && (length < 4 || strcmp(options->output + length - 3, ".h5")))
		argp_error(state, "the trace's name must end in .h5, unlike %s", options->output);
	if (options->disk && options->keep)
		argp_error(state, "--disk takes an image, --keep makes one: give one of them");
	if (options->disk && (options->bytes || options->mkfs_options))
		argp_error(state, "--size and --mkfs-options are for new disks, not for --disk");
	if (options->fs && file_system_is_none(options->fs) &&
	    (options->mkfs_options || options->mount_options))
		argp_error(state,
			   "--mkfs-options and --mount-options are for file systems, not for "
			   "--fs none");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct record_options *options = state->input;

	switch (key) {
	case OPTION_HOST:
		break;
	case 'o':
		options->to_output = !strcmp(argument, "-");
		options->output = options->to_output ? NULL : argument;
		break;
	case OPTION_STREAM:
		options->stream = argument;
		break;
	case OPTION_FS:
		set_file_system(state, options, argument);
		break;
	case OPTION_SIZE:
		set_size(state, options, argument);
		break;
	case OPTION_MKFS:
		options->mkfs_options = argument;
		break;
	case OPTION_MOUNT:
		options->mount_options = argument;
		break;
	case OPTION_PREPARE:
		options->prepare = argument;
		break;
	case OPTION_THEN:
		add_then(state, options, argument);
		break;
	case OPTION_DISK:
		options->disk = argument;
		break;
	case OPTION_KEEP:
		options->keep = argument;
		break;
	case OPTION_NO_COPY_OFFLOAD:
		options->refuse_offload = true;
		break;
	case OPTION_SKIP_MISALIGNED:
		options->skip_misaligned = true;
		break;
	case OPTION_NO_CALLS:
		options->no_calls = true;
		break;
	case OPTION_MAP_PERIOD:
		set_map_period(state, options, argument);
		break;
	case OPTION_NO_TRUTH:
		options->no_truth = true;
		break;
	case OPTION_CLEANUP:
		options->cleanup = true;
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
	.args_doc = "-o T.h5 -- CMD...\n--cleanup",
	.doc = "Records what a command asks of a file system and what that file system asks of its "
	       "disk."
	       "\vThe command runs in a new file system on a virtual disk, as root, with that file "
	       "system as its working folder (with --fs none: where you are), and with its own "
	       "standard input, output and error. "
	       "The exit status is that of the command (128 + N when signal N ended it), or of the "
	       "first --then that failed, or 1 when the recording is not whole. Needs root, "
	       "/dev/fuse and loop devices; where BPF is not allowed there is no ground truth."
	       "\n\nThis is the recorder that is taken unless the first word names another; `sky list "
	       "recorder` shows them, and each has a help of its own, as in `sky record --kvm --help`.",
};

/* An image says itself what it holds. */
static int take_file_system(struct record_options *options)
{
	const struct file_system *found;

	if (!options->disk)
		return 0;
	if (options->fs && file_system_is_none(options->fs))
		return file_system_none_of_image(options->disk);
	found = file_system_of_image(options->disk);
	if (!found)
		return -1;
	if (options->fs && options->fs != found)
		return fail("%s holds %s, not %s", options->disk, found->name, options->fs->name);
	options->fs = found;
	return 0;
}

int record_parse(int argc, char **argv, struct record_options *options)
{
	*options = (struct record_options){.map_period_ns = MAP_PERIOD_NS};
	/* in order: what follows CMD is CMD's */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, options);
	if (options->cleanup)
		return 0;
	if (options->to_output)
		options->stream = "standard output";
	if (!options->stream) {
		if (asprintf(&options->stream_beside, "%s.stream", options->output) < 0)
			return fail("out of memory for the name of the stream");
		options->stream = options->stream_beside;
	}
	if (take_file_system(options))
		return -1;
	if (!options->fs)
		options->fs = file_system_find("ext4");
	if (!options->bytes)
		options->bytes = BYTES_PRESET;
	return 0;
}

void record_options_free(struct record_options *options)
{
	free(options->stream_beside);
	options->stream_beside = NULL;
}
