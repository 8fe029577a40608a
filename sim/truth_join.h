/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which truth belongs to which chunk of which disk request.
 *
 * The recorder sees truth where bios are submitted and requests where the
 * disk receives them, after merging and splitting. Both name sectors, and a
 * sector's submissions arrive in order, so each sector of a request takes the
 * oldest truth of its operation and place that no request has taken yet. A chunk's
 * sectors may be of several truths: where bios begin at any sector (XFS's log does)
 * and are split elsewhere, or where they are shorter than a chunk and merged. It has
 * a truth if each of its sectors has one, of the same owner.
 *
 * Few submissions never become requests (read-ahead that is given up). Their
 * truths are dropped when they are older than TRUTH_JOIN_AGE_NS or the oldest of
 * more than TRUTH_JOIN_CHUNKS_MAX, which also bounds the memory: 100 MiB. (Chunks that
 * don't begin at multiples of eight sectors count twice.)
 */
#ifndef SKY_TRUTH_JOIN_H
#define SKY_TRUTH_JOIN_H

#include "capture/event.h"

/* A request may wait that long between its submission and the disk. */
#define TRUTH_JOIN_AGE_NS     60000000000u
/* 4 GiB on their way: more than any queue holds. */
#define TRUTH_JOIN_CHUNKS_MAX (1u << 20)

struct truth_join;

/* What is known of one chunk; what = CHUNK_UNKNOWN where there is no truth. */
struct chunk_truth {
	uint8_t what, source;
	uint32_t flags;		/* BLOCK_FLAG_ of the bio; of several those that all have */
	uint64_t device, inode; /* of the file, as `index`: the page of the chunk's first sector */
	uint64_t index;
};

struct truth_join *truth_join_new(void);
void truth_join_free(struct truth_join *join);

/* Takes a truth event; 0 or -ENOMEM. */
int truth_join_add(struct truth_join *join, const struct event *truth);

/*
 * Fills chunk[0 .. sectors/8) of a block event; returns how many have a truth,
 * be it CHUNK_UNKNOWN because the kernel itself would not say whose they are.
 */
size_t truth_join_take(struct truth_join *join, const struct event *block,
		       struct chunk_truth *chunk);

#endif
