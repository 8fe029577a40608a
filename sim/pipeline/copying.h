/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where content comes from: copies and encryption (copying.c).
 */
#ifndef SKY_PIPELINE_COPYING_H
#define SKY_PIPELINE_COPYING_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "common/pool.h"

struct pipeline;
struct call_state;
struct written;

/* What a copying program read: at most so many, the newest (256 MiB of content). */
#define COPY_SUMS_MAX 65536u

struct copy_sum {
	uint64_t sum, time_ns;
	uint64_t reader_space; /* canonical */
	uint32_t reader_pid;
	struct link by_age;
};

/* Who moves data, while an event is handled. */
struct origin {
	uint32_t process;
	uint64_t since_ns; /* when the call was made; 0: it is none */
	bool in_kernel;	   /* from file to file */
	bool classed;	   /* by the application, as: */
	uint8_t io_class;
};

/* What is known of where written content came from. */
enum content_origin { ORIGIN_PROGRAM, ORIGIN_COPY, ORIGIN_ENCRYPTION };

/* The call moves data from now on, until the event is done with. */
void origin_set(struct pipeline *p, const struct call_state *call);

/* Of a chunk that is being written to the file. */
enum content_origin origin_of(struct pipeline *p, uint32_t file, uint64_t sum);

/* Many look-ups of what copying programs read follow. */
void copying_prefetch(struct pipeline *p, const struct words *sums);

/* What is being read may be copied. */
void copying_read(struct pipeline *p, const struct words *sums);
void copying_expire(struct pipeline *p);
enum dedup_hint dedup_of_written(struct pipeline *p, const struct written *written);

/* Of a chunk that is being taken. */
enum dedup_hint dedup_of_read(const struct pipeline *p);

#endif
