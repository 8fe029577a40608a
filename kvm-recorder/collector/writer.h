/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream, or streams one after the other, that a recording is written to.
 */
#ifndef SKY_WRITER_H
#define SKY_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/attributes.h"
#include "capture/source.h"

struct writer {
	const char *path;
	uint64_t rotate_bytes;		     /* 0: one stream */
	const struct attributes *attributes; /* each part begins with them */
	uint64_t *seq;			     /* of the last event that was numbered */

	struct sink *sink;
	char *part_path;
	unsigned part;
	int fd; /* the sink's */
	uint64_t flushed_ns;
	bool dirty;
};

/*
 * Opens the (first) stream and writes the attributes with that time; the caller
 * sets the first four. This and the others: 0, or -1 after saying what is wrong.
 */
int writer_begin(struct writer *writer, uint64_t time_ns);

/* Writes numbered events, and begins the next part after them where it is time for that. */
int writer_write(struct writer *writer, const struct event *events, size_t count);

/* Hands on what was written, if nothing was for a while. */
int writer_flush(struct writer *writer, uint64_t now_ns);

/* Completes the stream; or leaves it as it is after something failed. */
int writer_end(struct writer *writer, bool failed);

#endif
