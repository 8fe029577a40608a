/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What calls wrote and the disk has not seen yet (written.c), and what it is asked to write
 * (writing.c).
 */
#ifndef SKY_PIPELINE_WRITTEN_H
#define SKY_PIPELINE_WRITTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "sim/pipeline/sums.h"

/* What is said to be written, before it is known how far it went. */
struct announcement {
	uint64_t offset, requested; /* bytes */
	uint64_t size_before;	    /* of the file */
	uint64_t call;		    /* under this number */
	uint32_t file, chunks;
};

enum written_state {
	WRITTEN_LIVE,	  /* the disk has not seen it yet */
	WRITTEN_REPLACED, /* rewritten since, but may be on its way */
	WRITTEN_MATCHED,  /* the disk saw it, but the page may still be dirty */
	WRITTEN_DROPPED,  /* cut off or unlinked, but may be on its way */
	WRITTEN_TAKEN,	  /* by the request that is being decided */
};

/* A chunk that a call wrote. Chain: the same file's and chunk's, newest first. */
struct written {
	struct summed summed;
	uint64_t index; /* OFFSET_UNKNOWN where the file offset is */
	uint64_t time_ns, call;
	struct link chunk; /* previous: newer, next: older */
	struct link of_file, by_age;
	uint32_t file;
	uint8_t state, origin;
	uint8_t given;	/* the class that the application gave, or CLASS_UNDECIDED */
	bool rewritten; /* it replaced what the disk had not seen either */
	bool apart;	/* dropped: in no chain, not of its file's list, but it holds the file */
};

#define WRITTEN_AT(p, i) POOL_NODE(&(p)->written, struct written, i)

/* Where write requests ended, with which chunk of which file, written when: the newest few. */
#define TRAILS 1024

struct trail {
	uint64_t sector, written_ns, index;
	uint32_t disk, file; /* 0: the last chunk was no file's */
};

void written_add(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums,
		 uint64_t call);

/* Takes back what the call announced for chunks [from, until). */
void written_undo(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until, uint64_t call);

/* Takes back what was announced beyond the first `bytes` bytes. */
void written_shorten(struct pipeline *p, const struct announcement *announced, uint64_t bytes);

/* Chunks [from, until) of the file no longer go to the disk. */
void written_drop(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until);

/* The file holds this; if the file ends there and grows, the disk may get it once more. */
void written_may_return(struct pipeline *p, uint32_t file, uint64_t offset,
			const struct words *sums);

/* Dirty pages of a mapped file hold this; SUM_UNKNOWN: not looked at. */
void written_seen(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums);

/* What was written to the file before that time no longer goes to the disk. */
void written_drop_before(struct pipeline *p, uint32_t file, uint64_t time_ns);

/* One chunk changed otherwise than by a write: what it holds now nobody knows. */
void written_blur(struct pipeline *p, uint32_t file, uint64_t index);

/* Forgets what is too old. */
void written_expire(struct pipeline *p);

/* Gives up the oldest until no more than that are left. */
void written_make_room(struct pipeline *p, uint32_t entries);

/* The newest entry of the file's chunk, or 0. */
uint32_t written_find(struct pipeline *p, uint32_t file, uint64_t index);

/*
 * Takes an entry (0: none) out of the tables, so that nothing else does; it is still there for its
 * neighbours to see. Returns it.
 */
uint32_t written_take(struct pipeline *p, uint32_t node);

/* The disk has what was taken. */
void written_consume(struct pipeline *p, uint32_t node);

/* A write request is issued: decides all its chunks. */
void write_issued(struct pipeline *p, const struct event *block);

#endif
