/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events out of a stream, through libtrace.
 *
 * guard thread (whole records only) -> pipe -> libtrace -> parts put together,
 * CRC and seq checked -> event_decode(). Works on files, growing files
 * and pipes alike; a batch ends early where a live stream has no more for now.
 */
#include <libtrace.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/component.h"
#include "common/error.h"
#include "frame.h"
#include "input.h"
#include "stream.h"
#include "stream_guard.h"

/* Payload bytes that a batch may hold; one event may be larger. */
#define BATCH_BYTES (1u << 20)

struct arena {
	char *at;
	size_t used, room;
};

struct stream_source {
	struct source source;
	struct stream_guard *guard;
	char *name;
	int pipe_fd;
	libtrace_t *trace;
	libtrace_packet_t *packet;
	struct arena payload; /* the batch's events, encoded */
	uint64_t *words;      /* room for payload.room / 8 */
	uint64_t last_seq, whole_bytes;
	bool ended, failed;
};

static int damaged(struct stream_source *s, const char *what)
{
	return fail("%s is damaged after event %" PRIu64 ": %s; what comes before can be had by "
		    "converting a copy that ends there",
		    s->name, s->last_seq, what);
}

static int make_room(struct stream_source *s, size_t bytes)
{
	size_t room = s->payload.room ? s->payload.room : BATCH_BYTES;
	char *larger;
	uint64_t *words;

	if (s->payload.used + bytes <= s->payload.room)
		return 0;
	while (room < s->payload.used + bytes)
		room *= 2;
	larger = realloc(s->payload.at, room);
	if (larger)
		s->payload.at = larger;
	words = realloc(s->words, room + 8);
	if (words)
		s->words = words;
	if (!larger || !words)
		return fail("out of memory while reading %s", s->name);
	s->payload.room = room;
	return 0;
}

static const char *check_frame(const uint8_t *data, size_t bytes)
{
	static const struct stream_frame expected = {
		.ethertype = {STREAM_ETHERTYPE >> 8, STREAM_ETHERTYPE & 0xff},
	};
	struct stream_frame f;
	uint32_t crc;

	memcpy(&f, data, sizeof(f));
	if (memcmp(f.to, stream_address, 6) || memcmp(f.from, stream_address, 6) ||
	    memcmp(f.ethertype, expected.ethertype, 2))
		return "a frame that is not Sky's";
	if (f.version != STREAM_VERSION)
		return "a frame of another version of Sky";
	crc = f.crc;
	f.crc = 0;
	if (crc !=
	    crc32(crc32(0, (const uint8_t *)&f, sizeof(f)), data + sizeof(f), bytes - sizeof(f)))
		return "a wrong checksum";
	return NULL;
}

/* 1 a frame was read, 0 the end, -1 an error. */
static int next_frame(struct stream_source *s, const uint8_t **data, size_t *bytes)
{
	libtrace_linktype_t linktype;
	const char *wrong;
	uint32_t left;
	int rc = trace_read_packet(s->trace, s->packet);

	if (rc < 0 && trace_is_err(s->trace)) {
		libtrace_err_t e = trace_get_err(s->trace);

		return fail("libtrace cannot read %s: %s", s->name, e.problem);
	}
	if (rc <= 0)
		return 0;
	*data = trace_get_packet_buffer(s->packet, &linktype, &left);
	*bytes = left;
	if (!*data || left <= sizeof(struct stream_frame))
		return damaged(s, "a frame that is too short");
	wrong = check_frame(*data, *bytes);
	return wrong ? damaged(s, wrong) : 1;
}

/* Appends one event's bytes to the payload; 1, 0 at the end, -1 on an error. */
static int next_encoded(struct stream_source *s, size_t *begin, struct stream_frame *first)
{
	size_t record_bytes = 0;
	uint32_t part = 0;
	bool more = true;

	*begin = s->payload.used;
	while (more) {
		const uint8_t *data = NULL;
		struct stream_frame f;
		size_t bytes = 0;
		int rc = next_frame(s, &data, &bytes);

		if (rc < 0)
			return -1;
		if (!rc) {
			/* an event whose last parts are missing was cut like a record is */
			s->source.cut_bytes += record_bytes;
			s->payload.used = *begin;
			return 0;
		}
		memcpy(&f, data, sizeof(f));
		if (!part)
			*first = f;
		if (f.part != part || f.seq != first->seq || f.time_ns != first->time_ns)
			return damaged(s, "an event whose parts don't belong together");
		bytes -= sizeof(f);
		if (s->payload.used + bytes - *begin > FRAME_BYTES_MAX)
			return damaged(s, "an event that is too long");
		if (make_room(s, bytes))
			return -1;
		memcpy(s->payload.at + s->payload.used, data + sizeof(f), bytes);
		s->payload.used += bytes;
		record_bytes += sizeof(struct stream_record_header) + sizeof(f) + bytes;
		more = f.flags & STREAM_MORE;
		part++;
	}
	s->whole_bytes += record_bytes;
	return 1;
}

static int finish(struct stream_source *s)
{
	uint64_t cut;

	if (s->ended)
		return 0;
	s->ended = true;
	if (stream_guard_verdict(s->guard, &cut))
		return -1;
	s->source.cut_bytes += cut;
	return 0;
}

static ssize_t decode_batch(struct stream_source *s, struct event *events, const size_t *begin,
			    size_t count)
{
	uint64_t *words = s->words;

	for (size_t i = 0; i < count; i++) {
		struct event *e = &events[i];
		uint64_t seq = e->seq, time_ns = e->time_ns;
		const char *wrong =
			event_decode(e, s->payload.at + begin[i], begin[i + 1] - begin[i], words);

		if (!wrong && (e->seq != seq || e->time_ns != time_ns))
			wrong = "a frame whose seq or time isn't its event's";
		if (!wrong &&
		    (event_kinds[e->kind].derived ? e->seq < s->last_seq : e->seq <= s->last_seq))
			wrong = "an event whose seq doesn't rise";
		if (wrong)
			return damaged(s, wrong);
		s->last_seq = e->seq;
		words += (begin[i + 1] - begin[i]) / 8;
	}
	return count;
}

/* Batches are small where frames come slowly: a live reader shall not wait for 256 of them. */
static ssize_t stream_read(struct source *source, struct event *events, size_t max)
{
	struct stream_source *s = container_of(source, struct stream_source, source);
	size_t begin[BATCH_EVENTS + 1];
	size_t count = 0;
	int rc = 1;

	if (s->failed)
		return -1;
	if (s->ended)
		return 0;
	if (max > BATCH_EVENTS)
		max = BATCH_EVENTS;
	s->payload.used = 0;
	while (count < max && s->payload.used < BATCH_BYTES) {
		struct stream_frame first = {0};

		if (count && !source->total_bytes &&
		    stream_guard_passed(s->guard) <= s->whole_bytes)
			break;
		rc = next_encoded(s, &begin[count], &first);
		if (rc <= 0)
			break;
		event_init(&events[count], EVENT_SWITCH);
		events[count].seq = first.seq;
		events[count].time_ns = first.time_ns;
		count++;
	}
	begin[count] = s->payload.used;
	source->read_bytes = stream_guard_bytes(s->guard);
	/* what was read before the damage is given out first */
	if (rc < 0 || (!rc && finish(s)))
		s->failed = true;
	if (s->failed && !count)
		return -1;
	return decode_batch(s, events, begin, count);
}

/* All that the guard passed on has been read: then there is more when its pipe has more. */
static bool stream_ready(struct source *source, int wait_ms)
{
	struct stream_source *s = container_of(source, struct stream_source, source);
	struct pollfd pipe = {.fd = s->pipe_fd, .events = POLLIN};

	if (s->failed || s->ended || stream_guard_passed(s->guard) > s->whole_bytes)
		return true;
	return poll(&pipe, 1, wait_ms) > 0;
}

static void stream_close(struct source *source)
{
	struct stream_source *s = container_of(source, struct stream_source, source);

	/* the guard may be waiting for room in the pipe: it ends when nobody reads */
	if (s->packet)
		trace_destroy_packet(s->packet);
	if (s->trace)
		trace_destroy(s->trace);
	if (s->pipe_fd >= 0)
		close(s->pipe_fd);
	if (s->guard)
		stream_guard_free(s->guard);
	free(s->payload.at);
	free(s->words);
	free(s->name);
	free(s);
}

static const struct source_ops stream_ops = {
	.form = "stream",
	.read = stream_read,
	.close = stream_close,
	.ready = stream_ready,
};

static int start_libtrace(struct stream_source *s)
{
	char uri[64];

	/* libtrace's own reading threads would hold a live stream back until 1 MB has come */
	setenv("LIBTRACEIO", "nothreads", 1);
	snprintf(uri, sizeof(uri), "pcapfile:/proc/self/fd/%d", s->pipe_fd);
	s->trace = trace_create(uri);
	s->packet = trace_create_packet();
	if (!s->packet || trace_is_err(s->trace) || trace_start(s->trace))
		return fail("libtrace cannot read %s: %s", s->name,
			    trace_get_err(s->trace).problem);
	return 0;
}

struct source *stream_open_input(struct input *input)
{
	struct stream_source *s = calloc(1, sizeof(*s));

	if (!s || !(s->name = strdup(input->name))) {
		fail("out of memory while opening %s", input->name);
		input_close(input);
		free(s);
		return NULL;
	}
	s->source.ops = &stream_ops;
	s->source.total_bytes = input->total_bytes;
	s->pipe_fd = -1;
	s->whole_bytes = sizeof(struct stream_pcap_header);
	s->guard = stream_guard_start(input, &s->pipe_fd);
	if (!s->guard || start_libtrace(s)) {
		stream_close(&s->source);
		return NULL;
	}
	return &s->source;
}

struct source *stream_open(int fd, const char *name)
{
	struct input input;

	return input_open(&input, fd, name) ? NULL : stream_open_input(&input);
}
