/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events into a stream, through libpcap.
 *
 * Append-only: what was flushed before a kill -9 is readable to the last whole
 * record. After a failed write nothing more is written, since a stream with a
 * hole could not be read past it.
 */
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/component.h"
#include "common/error.h"
#include "frame.h"
#include "source.h"
#include "stream.h"

const uint8_t stream_address[6] = {0x02, 'S', 'K', 'Y', 0, 0};

#define BUFFER_BYTES (256u << 10) /* a system call for so much */

#define PART_BYTES (STREAM_FRAME_BYTES - sizeof(struct stream_frame))

struct stream_sink {
	struct sink sink;
	char *name;
	pcap_t *pcap;
	pcap_dumper_t *dumper;
	bool failed;
	char *encoded; /* one event */
	size_t encoded_room;
	char frame[STREAM_FRAME_BYTES];
	char buffer[BUFFER_BYTES]; /* stdio's */
};

static int report(struct stream_sink *s)
{
	s->failed = true;
	return fail_errno(errno,
			  "cannot write the stream %s; what is in it so far can be converted",
			  s->name);
}

static int write_part(struct stream_sink *s, const struct event *event, uint32_t part, bool more,
		      const char *data, size_t bytes)
{
	struct pcap_pkthdr header = {
		.ts = {.tv_sec = event->time_ns / 1000000000,
		       .tv_usec = event->time_ns % 1000000000},
		.caplen = sizeof(struct stream_frame) + bytes,
		.len = sizeof(struct stream_frame) + bytes,
	};
	struct stream_frame *f = (struct stream_frame *)s->frame;

	f->flags = more ? STREAM_MORE : 0;
	f->crc = 0;
	f->part = part;
	f->seq = event->seq;
	f->time_ns = event->time_ns;
	memcpy(f + 1, data, bytes);
	f->crc = crc32(0, (const uint8_t *)s->frame, header.caplen);
	pcap_dump((u_char *)s->dumper, &header, (const u_char *)s->frame);
	return ferror(pcap_dump_file(s->dumper)) ? report(s) : 0;
}

static int write_event(struct stream_sink *s, const struct event *event)
{
	size_t bytes = event_encoded_bytes(event), done = 0;
	uint32_t part = 0;

	if (bytes > s->encoded_room) {
		char *larger = bytes <= FRAME_BYTES_MAX ? realloc(s->encoded, bytes) : NULL;

		if (!larger)
			return fail("an event of %zu bytes is too large for the stream %s", bytes,
				    s->name);
		s->encoded = larger;
		s->encoded_room = bytes;
	}
	event_encode(event, s->encoded);
	while (done < bytes) {
		size_t now = bytes - done < PART_BYTES ? bytes - done : PART_BYTES;

		if (write_part(s, event, part++, done + now < bytes, s->encoded + done, now))
			return -1;
		done += now;
	}
	return 0;
}

static int stream_write(struct sink *sink, const struct event *events, size_t count)
{
	struct stream_sink *s = container_of(sink, struct stream_sink, sink);

	if (s->failed)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (write_event(s, &events[i]))
			return -1;
	return 0;
}

static int stream_flush(struct sink *sink)
{
	struct stream_sink *s = container_of(sink, struct stream_sink, sink);

	if (s->failed)
		return -1;
	/* pcap_dump_flush() alone may call a full disk a success */
	if (pcap_dump_flush(s->dumper) || ferror(pcap_dump_file(s->dumper)))
		return report(s);
	return 0;
}

static void stream_free(struct stream_sink *s)
{
	if (s->dumper)
		pcap_dump_close(s->dumper);
	if (s->pcap)
		pcap_close(s->pcap);
	free(s->encoded);
	free(s->name);
	free(s);
}

static int stream_commit(struct sink *sink)
{
	struct stream_sink *s = container_of(sink, struct stream_sink, sink);
	int rc = stream_flush(sink);

	/* a pipe cannot be synced, and needn't be */
	if (!rc && fsync(fileno(pcap_dump_file(s->dumper))) && errno != EINVAL && errno != EROFS)
		rc = report(s);
	stream_free(s);
	return rc;
}

static void stream_abandon(struct sink *sink)
{
	stream_free(container_of(sink, struct stream_sink, sink));
}

static const struct sink_ops stream_ops = {
	.write = stream_write,
	.flush = stream_flush,
	.commit = stream_commit,
	.abandon = stream_abandon,
};

struct sink *stream_create(int fd, const char *name)
{
	struct stream_sink *s = calloc(1, sizeof(*s));
	struct stream_frame *f;
	FILE *file = fdopen(fd, "w");

	if (!s || !file || !(s->name = strdup(name)))
		goto no_memory;
	s->sink.ops = &stream_ops;
	setvbuf(file, s->buffer, _IOFBF, sizeof(s->buffer));
	s->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, STREAM_SNAPLEN,
						       PCAP_TSTAMP_PRECISION_NANO);
	s->dumper = s->pcap ? pcap_dump_fopen(s->pcap, file) : NULL;
	if (!s->dumper)
		goto no_memory;
	f = (struct stream_frame *)s->frame;
	memcpy(f->to, stream_address, sizeof(f->to));
	memcpy(f->from, stream_address, sizeof(f->from));
	f->ethertype[0] = STREAM_ETHERTYPE >> 8;
	f->ethertype[1] = STREAM_ETHERTYPE & 0xff;
	f->version = STREAM_VERSION;
	if (stream_flush(&s->sink)) {
		stream_free(s);
		return NULL;
	}
	return &s->sink;

no_memory:
	fail_errno(errno, "cannot begin the stream %s", name);
	if (file)
		fclose(file);
	else
		close(fd);
	if (s) {
		s->dumper = NULL;
		stream_free(s);
	}
	return NULL;
}
