/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What blktrace's records and blkparse's lines have in common: requests are seen
 * at several places of Linux's block layer, and one of them counts.
 *
 * A request is what was issued to the driver (D), as it was merged, and where a
 * device has no driver's queue, as device-mapper and md have none, what was queued (Q).
 * Which devices have one is found out in a pass of its own. Completions
 * (C) are matched by disk, op and sector; a request that was requeued (R) is issued
 * again and counts once.
 */
#ifndef SKY_BLOCK_LAYER_H
#define SKY_BLOCK_LAYER_H

#include "foreign.h"

/* The disks that issue requests, a bit each. */
struct issuers {
	uint64_t bits[FOREIGN_DISKS_MAX / 64];
};

static inline void issuers_add(struct issuers *issuers, uint32_t disk)
{
	issuers->bits[disk / 64] |= 1ull << disk % 64;
}

/* Does an action (Q, D, C, R) at a disk count, and as what? */
static inline bool issuers_kind(const struct issuers *issuers, char action, uint32_t disk,
				uint8_t *kind)
{
	bool issues = issuers->bits[disk / 64] >> disk % 64 & 1;

	*kind = action == 'C' ? FOREIGN_COMPLETION
			      : (action == 'R' ? FOREIGN_REQUEUE : FOREIGN_REQUEST);
	return action == 'C' || issues == (action != 'Q');
}

#endif
