/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/error.h"
#include "growing.h"
#include "stream.h"
#include "stream_guard.h"

#define BUFFER_BYTES (1u << 20)
#define PIPE_BYTES   (1u << 20)

struct stream_guard {
	struct input input;
	pthread_t thread;
	bool started, joined;
	int out_fd, stop_fd;
	_Atomic uint64_t taken_bytes, passed_bytes;
	/* the thread's findings, read after it was joined */
	int read_error;
	bool damaged, cut;
	uint64_t good_bytes, cut_bytes;
	char buffer[BUFFER_BYTES];
};

/* What record lengths may be: one frame, all of it captured. */
static bool possible(const struct stream_record_header *h)
{
	return h->captured_bytes == h->wire_bytes &&
	       h->captured_bytes > sizeof(struct stream_frame) &&
	       h->captured_bytes <= STREAM_FRAME_BYTES && h->nanoseconds < 1000000000;
}

/* pcap's time has no checksum; the frame's has. */
static bool times_agree(const struct stream_record_header *h, const char *frame)
{
	struct stream_frame f;

	memcpy(&f, frame, sizeof(f));
	return h->seconds == (uint32_t)(f.time_ns / 1000000000) &&
	       h->nanoseconds == f.time_ns % 1000000000;
}

/* At the end of the input: true if more has come, to a file that is still being written. */
static bool await_growth(struct stream_guard *g)
{
	enum growth growth = g->input.grows
				     ? growing_wait(g->input.fd, g->taken_bytes, g->stop_fd)
				     : GROWTH_NONE;

	g->cut = growth == GROWTH_CUT;
	return growth == GROWTH_MORE;
}

/* How many of the buffer's bytes are whole records. */
static size_t whole_records(struct stream_guard *g, size_t bytes)
{
	size_t at = 0;

	while (bytes - at >= sizeof(struct stream_record_header)) {
		struct stream_record_header h;

		memcpy(&h, g->buffer + at, sizeof(h));
		if (!possible(&h)) {
			g->damaged = true;
			break;
		}
		if (bytes - at < sizeof(h) + h.captured_bytes)
			break;
		if (!times_agree(&h, g->buffer + at + sizeof(h))) {
			g->damaged = true;
			break;
		}
		at += sizeof(h) + h.captured_bytes;
	}
	return at;
}

static bool pass_on(int fd, const char *at, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false; /* the reader went away */
		at += n;
		bytes -= n;
	}
	return true;
}

/* Waits for input; false when the reader is done with the stream. */
static bool await_input(struct stream_guard *g)
{
	struct pollfd fds[] = {
		{.fd = g->input.fd, .events = POLLIN},
		{.fd = g->stop_fd, .events = POLLIN},
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return true; /* the read will say what is wrong */
	return !fds[1].revents;
}

/*
 * libtrace looks ahead before it starts: if a record came together with the
 * header, it would wait for a second one before it gave out the first. So
 * the first record waits until the header was taken.
 */
static bool header_taken(struct stream_guard *g)
{
	struct pollfd stop = {.fd = g->stop_fd, .events = POLLIN};
	int waiting;

	while (!ioctl(g->out_fd, FIONREAD, &waiting) && waiting)
		if (poll(&stop, 1, 1) > 0)
			return false;
	return true;
}

static void *guard_main(void *argument)
{
	struct stream_guard *g = argument;
	size_t held = 0;

	if (!header_taken(g))
		goto out;
	while (!g->damaged && await_input(g)) {
		ssize_t got = input_read(&g->input, g->buffer + held, BUFFER_BYTES - held);
		size_t whole;

		if (!got && await_growth(g))
			continue;
		if (got <= 0) {
			g->read_error = got < 0 ? errno : 0;
			break;
		}
		g->taken_bytes += got;
		held += got;
		whole = whole_records(g, held);
		g->passed_bytes += whole;
		if (!pass_on(g->out_fd, g->buffer, whole))
			break;
		g->good_bytes += whole;
		held -= whole;
		memmove(g->buffer, g->buffer + whole, held);
	}
	g->cut_bytes = held;
out:
	close(g->out_fd);
	g->out_fd = -1;
	return NULL;
}

static int check_header(struct stream_guard *g)
{
	struct stream_pcap_header h;
	struct input *in = &g->input;

	if (in->head_bytes < sizeof(h))
		return fail("%s is too short to be a stream; nothing was recorded in it", in->name);
	memcpy(&h, in->head, sizeof(h));
	in->head_taken = sizeof(h);
	if (h.magic != STREAM_MAGIC || h.major != 2 || h.minor != 4 || h.zone || h.accuracy ||
	    h.snaplen != STREAM_SNAPLEN || h.linktype != 1)
		return fail("%s is no stream of Sky: its pcap header is another's; only what `sky "
			    "record --stream` and `sky convert` wrote can be read",
			    in->name);
	g->taken_bytes = g->passed_bytes = g->good_bytes = sizeof(h);
	return pass_on(g->out_fd, in->head, sizeof(h))
		       ? 0
		       : fail_errno(errno, "cannot read %s", in->name);
}

/* The thread inherits a mask without SIGPIPE: a reader that closes early is no reason to die. */
static int start_thread(struct stream_guard *g)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&g->thread, NULL, guard_main, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return fail_errno(rc, "cannot start a thread to read %s", g->input.name);
	g->started = true;
	return 0;
}

struct stream_guard *stream_guard_start(struct input *input, int *out_fd)
{
	struct stream_guard *g = malloc(sizeof(*g));
	int ends[2];

	if (!g || pipe2(ends, O_CLOEXEC)) {
		fail_errno(errno, "cannot make room to read %s", input->name);
		input_close(input);
		free(g);
		return NULL;
	}
	memset(g, 0, offsetof(struct stream_guard, buffer));
	g->input = *input;
	g->out_fd = ends[1];
	g->stop_fd = eventfd(0, EFD_CLOEXEC);
	/* a larger pipe is only faster */
	(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	if (g->stop_fd < 0)
		fail_errno(errno, "cannot make room to read %s", g->input.name);
	if (g->stop_fd < 0 || check_header(g) || start_thread(g)) {
		close(ends[0]);
		stream_guard_free(g);
		return NULL;
	}
	*out_fd = ends[0];
	return g;
}

uint64_t stream_guard_bytes(const struct stream_guard *guard)
{
	return guard->taken_bytes;
}

uint64_t stream_guard_passed(const struct stream_guard *guard)
{
	return guard->passed_bytes;
}

static void join(struct stream_guard *g)
{
	if (g->started && !g->joined)
		pthread_join(g->thread, NULL);
	g->joined = true;
}

int stream_guard_verdict(struct stream_guard *guard, uint64_t *cut_bytes)
{
	join(guard);
	*cut_bytes = guard->cut_bytes;
	if (guard->read_error)
		return fail_errno(guard->read_error, "cannot read %s after byte %" PRIu64,
				  guard->input.name, guard->taken_bytes);
	if (guard->cut)
		return fail("%s became shorter than the %" PRIu64
			    " bytes that were read of it: it was truncated, or is written anew; "
			    "read it again from its beginning",
			    guard->input.name, guard->taken_bytes);
	if (guard->damaged)
		return fail("%s is damaged at byte %" PRIu64
			    ": a record of impossible length or time; cut it "
			    "there (truncate -s %" PRIu64 ") to keep what comes before",
			    guard->input.name, guard->good_bytes, guard->good_bytes);
	return 0;
}

void stream_guard_free(struct stream_guard *guard)
{
	if (guard->started && !guard->joined)
		eventfd_write(guard->stop_fd, 1);
	join(guard);
	if (guard->stop_fd >= 0)
		close(guard->stop_fd);
	if (guard->out_fd >= 0)
		close(guard->out_fd);
	input_close(&guard->input);
	free(guard);
}
