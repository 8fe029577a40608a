/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the disk delivered and no call has taken yet (reading.c).
 */
#ifndef SKY_PIPELINE_READING_H
#define SKY_PIPELINE_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "sim/pipeline/sums.h"

/* A chunk that the disk delivered and no call has taken yet, or its request's others. */
struct read_chunk {
	struct summed summed;
	uint64_t index; /* in file, once taken */
	struct link of_request;
	uint32_t request, chunk, file;
	uint32_t frame; /* that it lies in, while it waits; 0: not known */
	bool waiting;
};

/* A read request: in flight, then within the window, then as evidence for its neighbours. */
struct read_request {
	uint64_t id, sector, time_ns; /* of its issue, later of its completion */
	uint64_t issued_ns;
	uint64_t base;		     /* file chunk of its first chunk, if it were all one file */
	uint64_t taker_ns, taken_ns; /* when the first call that took of it began, and took it */
	struct list chunks;
	struct link queue;
	uint32_t disk, sectors;
	uint32_t waiting; /* chunks */
	uint32_t file;	  /* whose data it holds */
	bool zeros;	  /* and nothing else */
};

#define REQUEST_AT(p, i) POOL_NODE(&(p)->requests, struct read_request, i)
#define CHUNK_AT(p, i)	 POOL_NODE(&(p)->read_chunks, struct read_chunk, i)

void read_issued(struct pipeline *p, const struct event *block);
void read_completed(struct pipeline *p, const struct event *complete);

/* A call took these chunks of the file (0: unknown). */
void read_taken(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums);

/* The frame that a waiting chunk lies in is this page of the file. */
void read_mapped(struct pipeline *p, uint32_t chunk, uint32_t file, uint64_t index);

/* Decides all requests whose window closed by then. */
void read_expire(struct pipeline *p, uint64_t until_ns);
void read_finish(struct pipeline *p);

/* Gives up the oldest whose window is open, until no more chunks than that are left. */
void read_make_room(struct pipeline *p, uint32_t chunks);

#endif
