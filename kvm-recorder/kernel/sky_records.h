/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rings carry: the kernel's side of the event model (capture/event.h),
 * which the collector turns into events. Fixed parts first, then the arrays
 * whose lengths they tell, one after the other.
 */
#ifndef SKY_RECORDS_H
#define SKY_RECORDS_H

#include "sky_ring.h"

enum sky_record_kind {
	SKY_RECORD_NONE,
	SKY_RECORD_BLOCK,    /* a request is submitted to a disk */
	SKY_RECORD_COMPLETE, /* ... and is done */
	SKY_RECORD_MARK,     /* a phase of the workload begins */
};

/* Operations and flags are enum block_op and BLOCK_FLAG_ of the event model. */
struct sky_block_record {
	struct sky_record record;
	__u64 id; /* rises; the completion bears the same */
	__u64 sector;
	__u32 sectors;
	__u32 flags;
	__u32 op;
	__u32 pid, tid; /* of who submitted it, on the host */
	__u32 sums, markers, frames;
	/* sums: a chunk each, 0 where it is covered in part; markers: a chunk each;
	 * frames: a page each, in the order of the data */
	__u64 words[];
};

struct sky_complete_record {
	struct sky_record record;
	__u64 id;
	__s32 error; /* 0 or -errno */
	__u32 sums, markers, frames;
	__u64 words[];
};

struct sky_mark_record {
	struct sky_record record;
	__u32 bytes;
	char name[];
};

#endif
