/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where events come from and where they go, whatever the form.
 *
 * A source hands out batches in seq order; a sink takes them. Archive, stream,
 * text and importers are sources; archive, stream and text are sinks. Programs
 * that read a trace use trace_open() and don't know which form it has.
 */
#ifndef SKY_SOURCE_H
#define SKY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "event.h"

#define BATCH_EVENTS 256

struct source;
struct sink;

struct source_ops {
	const char *form; /* "archive", "stream", "text", "vscsi" */
	/*
	 * Fills events[0..max); returns how many, 0 at the end, -1 after saying
	 * what is wrong. Arrays and strings are valid until the next call.
	 */
	ssize_t (*read)(struct source *source, struct event *events, size_t max);
	void (*close)(struct source *source);
	/* Will read() return at once? Waits for that at most so long. NULL: always. */
	bool (*ready)(struct source *source, int wait_ms);
};

struct source {
	const struct source_ops *ops;
	uint64_t total_bytes, read_bytes; /* progress; total 0 = not known (a pipe) */
	/*
	 * A stream may end in the middle of a record: what follows the last
	 * whole one, in bytes, set when the end is reached. Never an error:
	 * that is how a recorder's death looks.
	 */
	uint64_t cut_bytes;
};

struct sink_ops {
	/* 0, or -1 after saying what is wrong; the sink must then be abandoned. */
	int (*write)(struct sink *sink, const struct event *events, size_t count);
	/* Hands what is buffered to the kernel: a reader of a growing stream sees it. NULL: nothing to do. */
	int (*flush)(struct sink *sink);
	/* Completes the output and frees the sink, whatever it returns. */
	int (*commit)(struct sink *sink);
	/* Leaves no output behind (a stream: leaves it as it is) and frees the sink. */
	void (*abandon)(struct sink *sink);
};

struct sink {
	const struct sink_ops *ops;
};

static inline ssize_t source_read(struct source *source, struct event *events, size_t max)
{
	return source->ops->read(source, events, max);
}

static inline bool source_ready(struct source *source, int wait_ms)
{
	return !source->ops->ready || source->ops->ready(source, wait_ms);
}

static inline void source_close(struct source *source)
{
	if (source)
		source->ops->close(source);
}

static inline int sink_write(struct sink *sink, const struct event *events, size_t count)
{
	return sink->ops->write(sink, events, count);
}

static inline int sink_flush(struct sink *sink)
{
	return sink->ops->flush ? sink->ops->flush(sink) : 0;
}

static inline int sink_commit(struct sink *sink)
{
	return sink->ops->commit(sink);
}

static inline void sink_abandon(struct sink *sink)
{
	if (sink)
		sink->ops->abandon(sink);
}

/* Which events a reader wants; the archive does not decode the others. */
#define KINDS_ALL      UINT32_MAX
#define KIND_BIT(kind) (1u << (kind))

/*
 * Opens a trace of any form by what its first bytes say; "-" is standard
 * input (a stream or text). NULL after saying what is wrong.
 */
struct source *trace_open(const char *path, uint32_t kinds);

/* The same, but a stream that is still being written ends when its writer does. */
struct source *trace_follow(const char *path, uint32_t kinds);

/*
 * Creates a trace in the form that the path's ending says (.h5, .pcap,
 * .events), or that form names ("archive", "stream", "text"). The file appears
 * under its name when it is committed; "-" is standard output. NULL after
 * saying what is wrong.
 */
struct sink *trace_new(const char *path, const char *form);

struct source *archive_open(const char *path, uint32_t kinds);
struct source *stream_open(int fd, const char *name); /* takes over fd */
struct source *text_open(int fd, const char *name);   /* takes over fd */

/* Creates PATH.part, renamed on commit. */
struct sink *archive_create(const char *path);
/* These append to fd as events come. */
struct sink *stream_create(int fd, const char *name); /* takes over fd */
struct sink *text_create(int fd, const char *name);   /* takes over fd */

#endif
