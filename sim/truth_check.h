/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the truth agree with evidence that it was not made from?
 *
 * Two witnesses: the block layer's REQ_META flag of every chunk, and the
 * allocation map at the end of the recording, which must hold each file's data
 * where the last write of its page went, and no metadata. `sky classify` shows
 * the counts, so that nobody has to believe the truth on its word.
 */
#ifndef SKY_TRUTH_CHECK_H
#define SKY_TRUTH_CHECK_H

#include <jansson.h>

#include "capture/event.h"
#include "sim/truth_join.h"

struct truth_check;

/* NULL if out of memory. */
struct truth_check *truth_check_new(void);
void truth_check_free(struct truth_check *check);

/*
 * Takes a block event with the truth of its chunks [0 .. sectors/8), as
 * truth_join_take() filled it; 0 or -ENOMEM.
 */
int truth_check_block(struct truth_check *check, const struct event *block,
		      const struct chunk_truth *chunk);

/*
 * A read into the page cache of the block device itself: what it holds is what was last
 * written there, which may be a file's data. When Nilfs2 is mounted, it reads so the whole segment
 * in which it looks for its last checkpoint (fs/nilfs2/recovery.c, nilfs_search_super_root).
 * Changes the truth of such chunks.
 */
void truth_check_settle(const struct truth_check *check, const struct event *block,
			struct chunk_truth *chunk);

/* Takes an extent event; they follow the last block event. */
void truth_check_extent(struct truth_check *check, const struct event *extent);

/*
 * The counts, a new reference; NULL if out of memory. "allocation_map" is null
 * where the trace has no extents (Btrfs), a percentage null where nothing was counted.
 */
json_t *truth_check_json(const struct truth_check *check);

#endif
