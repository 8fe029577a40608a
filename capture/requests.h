/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block requests of a trace and nothing else of it, as fast as they come.
 *
 * For programs that need no other events: an archive's columns are decoded
 * without making events of them, by all threads; files of other programs are
 * mapped and read where they lie.
 */
#ifndef SKY_REQUESTS_H
#define SKY_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/crew.h"

struct request {
	uint64_t time_ns;
	uint64_t sector; /* of objects: the object's number */
	uint32_t sectors;
	uint32_t disk;
	uint8_t op; /* enum block_op */
};

struct request_source;

struct request_source_ops {
	/*
	 * Points *requests at the next ones, which are valid until the next call; how
	 * many, 0 at the end, -1 after saying what is wrong. Each lies on a
	 * disk (not sectors_beyond_any_disk()) and has an op below BLOCK_OPS.
	 */
	ssize_t (*read)(struct request_source *source, const struct request **requests);
	void (*close)(struct request_source *source);
};

struct request_source {
	const struct request_source_ops *ops;
	uint64_t total_bytes, read_bytes; /* progress; total 0 = not known */
	uint64_t count;			  /* of all requests; 0 = not known */
	bool objects; /* requests are for objects, which have numbers but no places on a disk */
};

static inline ssize_t request_read(struct request_source *source, const struct request **requests)
{
	return source->ops->read(source, requests);
}

static inline void request_close(struct request_source *source)
{
	if (source)
		source->ops->close(source);
}

struct source;

/* Of a trace of any form, as trace_open() takes it; NULL after saying what is wrong. */
struct request_source *trace_requests(const char *path, struct crew *crew);

/* An archive's, by all threads of the crew. */
struct request_source *archive_requests(const char *path, struct crew *crew);

/* Those among the events of a source, which this takes over; NULL if that is. */
struct request_source *requests_of_events(struct source *events);

#endif
