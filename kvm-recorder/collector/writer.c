/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/growing.h"
#include "common/error.h"
#include "writer.h"

#define FLUSH_NS 100000000

/* "T.pcap" -> "T.0001.pcap" */
static char *part_path(const struct writer *writer)
{
	const char *name = strrchr(writer->path, '/');
	const char *dot = strrchr(name ? name : writer->path, '.');
	int stem = dot ? dot - writer->path : (int)strlen(writer->path);
	char *path;

	if (!writer->rotate_bytes)
		return strdup(writer->path);
	return asprintf(&path, "%.*s.%04u%s", stem, writer->path, writer->part, dot ? dot : "") < 0
		       ? NULL
		       : path;
}

static int write_attributes(struct writer *writer, uint64_t time_ns)
{
	struct event event;

	for (size_t i = 0; i < writer->attributes->count; i++) {
		event_init(&event, EVENT_ATTRIBUTE);
		event.seq = ++*writer->seq;
		event.time_ns = time_ns;
		event.attribute = writer->attributes->at[i];
		if (sink_write(writer->sink, &event, 1))
			return -1;
	}
	return sink_flush(writer->sink);
}

int writer_begin(struct writer *writer, uint64_t time_ns)
{
	writer->part++;
	free(writer->part_path);
	writer->part_path = part_path(writer);
	if (!writer->part_path)
		return fail("out of memory for the name of the stream");
	writer->fd = open(writer->part_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (writer->fd < 0)
		return fail_errno(errno, "cannot write %s", writer->part_path);
	growing_announce(writer->fd);
	writer->sink = stream_create(writer->fd, writer->part_path);
	return writer->sink ? write_attributes(writer, time_ns) : -1;
}

static int commit(struct writer *writer)
{
	struct sink *sink = writer->sink;

	writer->sink = NULL;
	return sink_commit(sink);
}

static bool is_full(const struct writer *writer)
{
	struct stat st;

	return writer->rotate_bytes && !fstat(writer->fd, &st) &&
	       (uint64_t)st.st_size >= writer->rotate_bytes;
}

int writer_write(struct writer *writer, const struct event *events, size_t count)
{
	if (!count)
		return 0;
	writer->dirty = true;
	if (sink_write(writer->sink, events, count))
		return -1;
	if (!is_full(writer))
		return 0;
	return commit(writer) ? -1 : writer_begin(writer, events[count - 1].time_ns);
}

int writer_flush(struct writer *writer, uint64_t now_ns)
{
	if (!writer->dirty || now_ns - writer->flushed_ns < FLUSH_NS)
		return 0;
	writer->dirty = false;
	writer->flushed_ns = now_ns;
	return sink_flush(writer->sink);
}

int writer_end(struct writer *writer, bool failed)
{
	int rc = 0;

	if (writer->sink && failed)
		sink_abandon(writer->sink);
	else if (writer->sink)
		rc = commit(writer);
	writer->sink = NULL;
	free(writer->part_path);
	writer->part_path = NULL;
	return rc;
}
