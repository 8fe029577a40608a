/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky record`: the order of things.
 *
 * virtual disk -> loop device -> mkfs -> mount -> preparation -> remount, so that
 * the cache is cold -> recording on -> command -> remount and --then, as often
 * as there are any -> unmount -> allocation map -> archive. Whatever fails on
 * the way, end() takes down what is up and keeps what was recorded.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/convert.h"
#include "capture/growing.h"
#include "capture/host/collector.h"
#include "capture/host/recorder.h"
#include "capture/record_command.h"
#include "common/command.h"
#include "common/error.h"
#include "provenance.h"
#include "record.h"
#include "spawn.h"

#define CALL_RING_BYTES	 (32u << 20) /* a call may write 2 GiB: 4 MiB of checksums */
#define OTHER_RING_BYTES (16u << 20)
#define DISK_NUMBER	 0
#define DISK_VARIABLE	 "SKY_DISK" /* what tells programs where the raw disk is */

struct session {
	const struct record_options *options;
	char folder[STATE_PATH_BYTES];
	struct ring *calls, *requests, *pages, *truths;
	struct page_watch *watch;
	struct disk *disk;
	struct volume volume;
	bool formatted;
	struct sink *sink; /* until the collector has it */
	struct truth_probe *probe;
	const char *no_truth; /* why there is none */
	struct collector *collector;
	bool broke_off; /* the stream couldn't be written to its end */
	int status;	/* as wait(2) has it: of the command, or of the first --then that failed */
};

static volatile sig_atomic_t stop_signal, tracing;

/*
 * The terminal sends its signals to the command as well; the recorder only has
 * to outlive them. The others are the command's, too, and end the recording.
 */
static void on_signal(int signal)
{
	if (signal != SIGTERM && signal != SIGHUP)
		return;
	stop_signal = signal;
	if (tracing)
		tracer_forward_signal(signal);
	else
		spawn_forward_signal(signal);
}

static int check_stop(void)
{
	return stop_signal ? fail("ended by SIG%s", sigabbrev_np(stop_signal)) : 0;
}

static int check_folder(const char *path)
{
	char *copy = strdup(path);
	int rc = 0;

	if (!copy || access(dirname(copy), W_OK | X_OK))
		rc = fail_errno(errno, "cannot write %s", path);
	free(copy);
	return rc;
}

static int check_machine(const struct record_options *options)
{
	if (options->to_output && isatty(STDOUT_FILENO))
		return fail("a stream is nothing for a terminal; send it to a program, as in "
			    "`sky record -o - -- CMD | sky watch -`");
	if (geteuid())
		return fail("recording mounts a file system and needs root; try `sudo sky record`");
	if (access("/dev/fuse", R_OK | W_OK))
		return fail_errno(errno,
				  "cannot use /dev/fuse; load the module with `modprobe fuse`, "
				  "and give a container the device");
	if (access("/dev/loop-control", R_OK | W_OK))
		return fail_errno(errno, "cannot use /dev/loop-control; load the module with "
					 "`modprobe loop`, and give a container the device");
	if (!options->disk && file_system_check(options->fs))
		return -1;
	return options->output ? check_folder(options->output) : 0;
}

/* Standard output is the stream's from now on; what would print there prints as errors do. */
static int take_output(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (fd >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_stream(struct session *s)
{
	const struct record_options *o = s->options;
	int fd = o->to_output ? take_output()
			      : open(o->stream, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return fail_errno(errno, "cannot write %s", o->stream);
	if (o->output && !S_ISREG(st.st_mode)) {
		close(fd);
		return fail(
			"%s is no file, so nothing is left to make %s of; leave out -o, or give "
			"--stream a file",
			o->stream, o->output);
	}
	growing_announce(fd);
	s->sink = stream_create(fd, o->stream);
	return s->sink ? 0 : -1;
}

static int make_rings(struct session *s)
{
	s->calls = ring_new(CALL_RING_BYTES);
	s->requests = ring_new(OTHER_RING_BYTES);
	s->pages = ring_new(OTHER_RING_BYTES);
	s->truths = ring_new(OTHER_RING_BYTES);
	s->watch = s->pages ? page_watch_new(s->pages) : NULL;
	if (!s->calls || !s->requests || !s->watch || !s->truths)
		return fail_errno(errno, "cannot make the recorder's rings");
	return 0;
}

/* The stream is opened after the disk's process began, which must not hold a pipe open. */
static int start_disk(struct session *s)
{
	const struct record_options *o = s->options;
	struct disk_options options = {
		.image = o->disk ? o->disk : o->keep,
		.create = o->keep,
		.bytes = o->bytes,
		.number = DISK_NUMBER,
		.folder = s->folder,
	};

	if (state_create(s->folder) || make_rings(s))
		return -1;
	options.ring = s->requests;
	options.watch = s->watch;
	s->disk = disk_start(&options);
	if (!s->disk || state_set_daemon(s->folder, disk_process(s->disk)))
		return -1;
	return open_stream(s);
}

static int start_volume(struct session *s)
{
	const struct record_options *o = s->options;

	s->volume.fs = o->fs;
	s->volume.mkfs_options = o->mkfs_options;
	s->volume.mount_options = o->mount_options;
	if (volume_begin(&s->volume, s->folder) || volume_attach(&s->volume, s->disk))
		return -1;
	if (file_system_is_none(o->fs)) {
		if (setenv(DISK_VARIABLE, s->volume.loop.path, true))
			return fail_errno(errno, "cannot set %s", DISK_VARIABLE);
	} else if (!o->disk && volume_format(&s->volume)) {
		return -1;
	}
	s->formatted = true;
	return volume_mount(&s->volume, false);
}

/* Where programs begin. */
static const char *folder_of(const struct session *s)
{
	return file_system_is_none(s->volume.fs) ? "." : s->volume.root;
}

static int remount(struct session *s)
{
	if (volume_sync(&s->volume) || volume_unmount(&s->volume))
		return -1;
	return volume_mount(&s->volume, false);
}

static int prepare(struct session *s)
{
	const char *text = s->options->prepare;
	char *const argv[] = {"sh", "-c", (char *)text, NULL};
	char how[64];
	int status;

	if (!text)
		return 0;
	status = spawn_wait(argv, folder_of(s), false);
	if (status > 0)
		fail("the preparation %s; nothing was recorded", spawn_describe(status, how));
	return status || check_stop() ? -1 : 0;
}

static int start_recording(struct session *s)
{
	struct collector_options options = {
		.sink = s->sink,
		.calls = s->calls,
		.disk = s->requests,
		.pages = s->pages,
		.truth = s->truths,
	};
	struct attributes provenance;

	volume_read_layout(&s->volume); /* before the probe could see it */
	if (s->options->no_truth)
		s->no_truth = "--no-truth";
	else if (file_system_is_none(s->volume.fs))
		s->no_truth = "a raw disk has no file system that would know";
	else
		s->probe = truth_probe_start(s->volume.loop.device, DISK_NUMBER, s->truths,
					     &s->no_truth);
	if (!s->probe && !s->options->no_truth && !file_system_is_none(s->volume.fs))
		warn("there will be no ground truth: %s", s->no_truth);
	options.probe = s->probe;
	provenance_collect(&provenance, s->options, &s->volume, disk_bytes(s->disk),
			   s->probe ? NULL : s->no_truth);
	s->sink = NULL; /* the collector's now */
	s->collector = collector_start(&options, provenance.at, provenance.count);
	attributes_free(&provenance);
	return s->collector ? 0 : -1;
}

static int mark(struct session *s, const char *name)
{
	struct event event;
	int rc;

	event_init(&event, EVENT_MARK);
	event.time_ns = monotonic_ns();
	event.mark.name = (struct text){name, strlen(name)};
	rc = ring_push(s->calls, &event);
	return rc ? fail_errno(rc, "cannot record the mark \"%s\"", name) : 0;
}

/* Without the tracer, for comparison: only the disk is recorded. */
static int run_untraced(struct session *s, char **command, int *status)
{
	*status = spawn_wait(command, folder_of(s), false);
	return *status < 0 ? -1 : 0;
}

static int run_traced(struct session *s, char **command, int *status)
{
	const struct tracer_options options = {
		.command = command,
		.folder = folder_of(s),
		.mount_device = s->volume.mount_device,
		.mount_id = s->volume.mount_id,
		.raw_device = file_system_is_none(s->volume.fs) ? s->volume.loop.device : 0,
		.raw_bytes = disk_bytes(s->disk),
		.copy_offload = !s->options->refuse_offload,
		.skip_misaligned = s->options->skip_misaligned,
		.map_period_ns = s->options->map_period_ns,
		.ring = s->calls,
		.watch = s->watch,
	};
	int rc;

	tracing = 1;
	rc = trace_command(&options, status);
	tracing = 0;
	return rc;
}

static int run(struct session *s, char **command)
{
	int status = 0;
	int rc = s->options->no_calls ? run_untraced(s, command, &status) :
					run_traced(s, command, &status);

	if (!s->status)
		s->status = status;
	return rc;
}

static int run_then(struct session *s, const char *text)
{
	char *command[] = {"sh", "-c", (char *)text, NULL};

	if (mark(s, text) || remount(s))
		return -1;
	return run(s, command);
}

static int run_all(struct session *s)
{
	const struct record_options *o = s->options;
	int rc;

	disk_record(s->disk, true);
	rc = mark(s, "command");
	rc = rc ? rc : run(s, o->command);
	for (unsigned i = 0; !rc && i < o->then_count; i++)
		if (!stop_signal && !WIFSIGNALED(s->status))
			rc = run_then(s, o->then[i]);
	return rc ? rc : mark(s, "end");
}

static int begin(struct session *s)
{
	if (check_machine(s->options) || start_disk(s) || start_volume(s) || check_stop())
		return -1;
	if (prepare(s) || remount(s))
		return -1;
	return start_recording(s);
}

/* The map is read from a mount of its own, unrecorded, so that reading it leaves no trace. */
static int map_extents(struct session *s)
{
	int rc;

	if (!s->volume.fs->has_extents || volume_mount(&s->volume, true))
		return s->volume.fs->has_extents ? -1 : 0;
	rc = extents_emit(s->volume.root, DISK_NUMBER, s->calls);
	return volume_unmount(&s->volume) ? -1 : rc;
}

static int end_recording(struct session *s)
{
	int rc = 0;

	state_evict(s->folder, warn);
	if (s->volume.mounted && (volume_sync(&s->volume) || volume_unmount(&s->volume)))
		rc = -1;
	disk_record(s->disk, false);
	collector_end_truth(s->collector);
	if (s->probe)
		truth_probe_stop(s->probe);
	if (!rc)
		rc = map_extents(s);
	page_watch_free(s->watch);
	s->watch = NULL;
	s->broke_off = collector_stop(s->collector);
	return s->broke_off ? -1 : rc;
}

/* Takes down what is up, in the reverse order. */
static int take_down(struct session *s)
{
	int rc = 0;

	if (s->volume.mounted)
		state_evict(s->folder, warn);
	volume_end(&s->volume);
	if (s->disk)
		rc = disk_finish(s->disk);
	state_remove(s->folder);
	if (s->options->keep && !s->formatted && s->disk)
		unlink(s->options->keep);
	page_watch_free(s->watch);
	ring_free(s->calls);
	ring_free(s->requests);
	ring_free(s->pages);
	ring_free(s->truths);
	return rc;
}

static int make_archive(const struct session *s)
{
	const struct record_options *o = s->options;

	if (!o->output || s->broke_off)
		return 0; /* the user has been told where the stream is */
	if (convert_file(o->stream, o->output))
		return fail("what was recorded is in %s; see `sky convert --help`", o->stream);
	if (o->stream_beside)
		unlink(o->stream_beside);
	return 0;
}

/* Nothing was recorded: leaves no file. */
static void forget_stream(struct session *s)
{
	if (s->sink) {
		sink_abandon(s->sink);
		s->sink = NULL;
	}
	if (s->options->stream_beside)
		unlink(s->options->stream_beside);
}

static int record(const struct record_options *options)
{
	struct session s = {.options = options, .volume.loop.fd = -1};
	int rc;

	spawn_catch_signals((const int[]){SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, 0}, on_signal);
	rc = begin(&s);
	if (!rc)
		rc = run_all(&s);
	if (s.collector && end_recording(&s))
		rc = -1;
	if (take_down(&s))
		rc = -1;
	if (!s.collector)
		forget_stream(&s);
	else if (make_archive(&s))
		rc = -1;
	if (rc)
		return EXIT_FAILURE;
	return WIFSIGNALED(s.status) ? 128 + WTERMSIG(s.status) : WEXITSTATUS(s.status);
}

static int cleanup(void)
{
	int rc;

	if (geteuid())
		return fail("cleaning up needs root; try `sudo sky record --cleanup`");
	rc = state_cleanup();
	return command_finish() || rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int record_run(int argc, char **argv)
{
	struct record_options options;
	int rc;

	if (record_parse(argc, argv, &options))
		return EXIT_FAILURE;
	if (options.cleanup)
		return cleanup() ? EXIT_FAILURE : EXIT_SUCCESS;
	rc = record(&options);
	record_options_free(&options);
	return rc;
}

SKY_RECORDER(host, "host", "a command's system calls and its disk's requests, by ptrace and FUSE",
	     record_run);
