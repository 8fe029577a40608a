/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journals on disks (journal.c).
 */
#ifndef SKY_PIPELINE_JOURNAL_H
#define SKY_PIPELINE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"

struct pipeline;

/* How far a disk's journal is; the first few disks that have one. */
#define JOURNALS_MAX 16

struct journal {
	uint64_t head;	/* sector where it goes on */
	uint64_t first; /* sector where it begins, once its superblock was seen; 0 unknown */
	uint64_t left;	/* chunks of an XFS record to come */
	uint32_t disk;
	bool in_transaction; /* jbd2: between descriptor and commit */
	bool in_record;	     /* XFS: within the request that began it */
};

/* Which of a write request's chunks that nobody wrote are a journal's. */
void journal_find(struct pipeline *p, const struct block_event *block, const uint32_t *match,
		  bool *logged);

#endif
