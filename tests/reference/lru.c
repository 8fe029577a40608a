/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

static void hit(struct reference *r, struct reference_block *b)
{
	b->moment = reference_now(r);
}

static uint64_t evict(struct reference *r)
{
	return reference_drop(r, reference_oldest(r, 0));
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	if (reference_is_full(r))
		evict(r);
	reference_add(r, ref, 0);
}

REFERENCE_POLICY(lru){.spec = "lru", .hit = hit, .miss = miss, .evict = evict};
