/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of mapped files (mapped.c).
 */
#ifndef SKY_PIPELINE_MAPPED_H
#define SKY_PIPELINE_MAPPED_H

#include <stdint.h>

#include "capture/event.h"
#include "common/pool.h"

struct pipeline;

/* A host frame that is a page of a mapped file, or may become one. */
struct frame {
	uint64_t number, index; /* of the page in the file */
	uint64_t until_ns;	/* that no page table has: it may be written until then */
	uint64_t written_ns;	/* when the disk was given it last; 0: never */
	struct link by_age;
	uint32_t file;	/* 0: it is no page of a file, as far as is known */
	uint32_t chunk; /* that the disk put there and that waits; 0: none */
	uint32_t maps;	/* page tables that have it */
};

#define FRAME_AT(p, i) POOL_NODE(&(p)->frames, struct frame, i)

/* A page of a mapped file has another frame, or none. */
void mapping_changed(struct pipeline *p, const struct event *event);

/* Which frame a request has for a chunk; 0 where its pages don't hold one chunk each. */
static inline uint64_t frame_of_chunk(const struct words *frames, const struct words *sums,
				      uint32_t chunk)
{
	return frames->count == sums->count ? frames->at[chunk] : 0;
}

/* The frame of that number which is a page of a file and is written now, or 0. */
uint32_t frame_written(struct pipeline *p, uint64_t number);
/* ... and that is told; if nobody maps it any more, it has nothing more to write. */
void frame_hinted(struct pipeline *p, uint32_t frame);

/* The disk put a chunk, which waits from now on, into that frame; and it waits no more. */
void frame_filled(struct pipeline *p, uint64_t number, uint32_t chunk);
void frame_waits_no_more(struct pipeline *p, uint32_t chunk);

/* Insights: what pages of a mapping hold, and what of them is dirty. */
void pages_mapped(struct pipeline *p, const struct event *event);
void pages_dirty(struct pipeline *p, const struct event *event);

#endif
