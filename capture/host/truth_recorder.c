/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky record --truth`: the ground truth of a disk that somebody else records.
 *
 * Runs where the disk's file system is, inside a virtual machine that is recorded
 * from its host, say: the probe's truths -> ring -> collector -> stream. Its
 * other rings stay empty. `sky join` puts the truths into the other's trace.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/attributes.h"
#include "capture/host/collector.h"
#include "capture/host/recorder.h"
#include "capture/host/spawn.h"
#include "capture/record_command.h"
#include "common/error.h"

#define DISK_NUMBER	 0
#define TRUTH_RING_BYTES (16u << 20)
#define EMPTY_RING_BYTES 4096

struct truth_options {
	const char *device, *output;
	char **command;
};

struct session {
	const struct truth_options *options;
	dev_t device;
	struct ring *truths, *empty[3];
	struct truth_probe *probe;
	struct collector *collector;
};

enum { OPTION_TRUTH = 256 };

static const struct argp_option option_table[] = {
	{"truth", OPTION_TRUTH, "DEVICE", 0, "The disk, a block device", 0},
	{"output", 'o', "G.pcap", 0, "Where the stream goes", 0},
	{0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct truth_options *options = state->input;

	switch (key) {
	case OPTION_TRUTH:
		/* `--truth --help` asks for help, not for a device of that name. */
		if (!strcmp(argument, "--help"))
			argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		options->device = argument;
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	case ARGP_KEY_ARGS:
		options->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		if (!options->output)
			argp_error(state, "name the stream with -o G.pcap");
		if (!options->command)
			argp_error(state, "no command; name one that uses the disk");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "-o G.pcap -- CMD...",
	.doc = "Records whose data the requests to a disk are, and nothing else, while CMD runs."
	       "\vFor a disk whose requests are recorded elsewhere: run it inside the virtual "
	       "machine while `sky record --kvm` runs on its host, and let `sky join` put both "
	       "together. What CMD mounts, it should unmount. The exit status is CMD's, or 1 when "
	       "the recording is not whole. Needs root and BPF.",
};

/* The end of the command ends the recording. */
static void on_signal(int signal)
{
	if (signal != SIGINT) /* which the terminal sends to both */
		spawn_forward_signal(signal);
}

static int find_device(struct session *s)
{
	const char *path = s->options->device;
	struct stat st;

	if (stat(path, &st))
		return fail_errno(errno, "cannot find the disk %s", path);
	if (!S_ISBLK(st.st_mode))
		return fail("%s is no block device; name the one that holds the file system", path);
	s->device = st.st_rdev;
	return 0;
}

static int make_rings(struct session *s)
{
	s->truths = ring_new(TRUTH_RING_BYTES);
	for (size_t i = 0; i < sizeof(s->empty) / sizeof(s->empty[0]); i++) {
		s->empty[i] = ring_new(EMPTY_RING_BYTES);
		if (!s->empty[i])
			return fail_errno(errno, "cannot make the recorder's rings");
	}
	return s->truths ? 0 : fail_errno(errno, "cannot make the recorder's rings");
}

static int start_collector(struct session *s)
{
	const struct truth_options *o = s->options;
	struct collector_options options = {
		.calls = s->empty[0],
		.disk = s->empty[1],
		.pages = s->empty[2],
		.truth = s->truths,
		.probe = s->probe,
	};
	struct attributes attributes = {0};
	int fd = open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return fail_errno(errno, "cannot write %s", o->output);
	options.sink = stream_create(fd, o->output);
	if (!options.sink)
		return -1;
	attributes_add_machine(&attributes, "truth", "linux64");
	attributes_add(&attributes, "disk.0.name", "%s", o->device);
	attributes_add(&attributes, "calls", "none");
	attributes_add(&attributes, "truth", "bpf");
	attributes_add_command(&attributes, "command", o->command);
	s->collector = collector_start(&options, attributes.at, attributes.count);
	attributes_free(&attributes);
	return s->collector ? 0 : -1;
}

static int begin(struct session *s)
{
	const char *why;

	if (find_device(s) || make_rings(s))
		return -1;
	s->probe = truth_probe_start(s->device, DISK_NUMBER, s->truths, &why);
	if (!s->probe)
		return fail("there can be no ground truth here: %s", why);
	return start_collector(s);
}

/* What is still to be written, is. */
static int end(struct session *s)
{
	int rc = 0;

	if (s->collector) {
		sync();
		collector_end_truth(s->collector);
	}
	truth_probe_stop(s->probe);
	if (s->collector)
		rc = collector_stop(s->collector);
	ring_free(s->truths);
	for (size_t i = 0; i < sizeof(s->empty) / sizeof(s->empty[0]); i++)
		ring_free(s->empty[i]);
	return rc;
}

static int truth_run(int argc, char **argv)
{
	struct truth_options options = {0};
	struct session s = {.options = &options};
	int status = -1;

	/* in order: what follows CMD is CMD's */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &options);
	spawn_catch_signals((const int[]){SIGINT, SIGTERM, SIGHUP, 0}, on_signal);
	if (!begin(&s))
		status = spawn_wait(options.command, NULL, false);
	if (end(&s) || status < 0)
		return EXIT_FAILURE;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

SKY_RECORDER(truth, "truth",
	     "only whose data the requests to a disk are, by BPF, where its file "
	     "system is",
	     truth_run);
