/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * belady: the block leaves that will not be asked for for the longest time (MIN,
 * OPT). Every miss comes in, also where the block's own next use is the last of all.
 *
 * Blocks that are never asked for again are on a list and leave first, the one
 * that was asked for last before others. The rest is in a heap by their next uses.
 * A block that is hit gets a new entry there; its old one, whose time has come,
 * is behind all others and stays until the heap is full of such.
 */
#include "cache_slots.h"

#define UNUSED_AGAIN 0 /* the only list */
#define CHILDREN     4u

struct entry {
	uint64_t next_use;
	uint32_t slot;
};

struct belady {
	struct cache_slots slots;
	uint64_t *next_use;   /* of each slot; 0: not in the heap */
	struct entry *heap;   /* the latest first */
	size_t entries, room; /* room is twice the capacity */
	uint64_t upcoming;    /* next use of the reference under way */
};

static inline bool is_valid(const struct belady *b, const struct entry *e)
{
	return b->next_use[e->slot] == e->next_use;
}

static void sift_up(struct belady *b, size_t at, struct entry e)
{
	while (at && b->heap[(at - 1) / CHILDREN].next_use < e.next_use) {
		b->heap[at] = b->heap[(at - 1) / CHILDREN];
		at = (at - 1) / CHILDREN;
	}
	b->heap[at] = e;
}

static size_t latest_child(const struct belady *b, size_t first)
{
	size_t end = first + CHILDREN < b->entries ? first + CHILDREN : b->entries, latest = first;

	for (size_t i = first + 1; i < end; i++)
		if (b->heap[i].next_use > b->heap[latest].next_use)
			latest = i;
	return latest;
}

static void sift_down(struct belady *b, size_t at, struct entry e)
{
	for (size_t child; at * CHILDREN + 1 < b->entries; at = child) {
		child = latest_child(b, at * CHILDREN + 1);
		if (b->heap[child].next_use <= e.next_use)
			break;
		b->heap[at] = b->heap[child];
	}
	b->heap[at] = e;
}

/*
 * Half of the entries at least are not valid any more, or there twice: a block that went
 * and came back without a reference (icache moves blocks so) has the same next use.
 */
static void compact(struct belady *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->entries; i++) {
		if (!is_valid(b, &b->heap[i]))
			continue;
		b->heap[kept++] = b->heap[i];
		b->next_use[b->heap[i].slot] = 0;
	}
	for (size_t i = 0; i < kept; i++)
		b->next_use[b->heap[i].slot] = b->heap[i].next_use;
	b->entries = kept;
	for (size_t i = kept / CHILDREN + 1; i-- > 0;)
		if (i < kept)
			sift_down(b, i, b->heap[i]);
}

static inline void belady_forget(struct belady *b, uint32_t slot)
{
	if (!b->next_use[slot])
		slots_unlink(&b->slots, slot);
	b->next_use[slot] = 0;
}

/* The slot, in no list and without a valid entry, goes where its next use belongs. */
static inline void place(struct belady *b, uint32_t slot)
{
	if (b->upcoming == NEVER) {
		slots_link_newest(&b->slots, UNUSED_AGAIN, slot);
		return;
	}
	if (b->entries == b->room)
		compact(b);
	b->next_use[slot] = b->upcoming;
	sift_up(b, b->entries++, (struct entry){b->upcoming, slot});
}

static inline void belady_hit(struct belady *b, uint32_t slot)
{
	belady_forget(b, slot);
	place(b, slot);
}

static struct entry pop(struct belady *b)
{
	struct entry first = b->heap[0];

	b->entries--;
	sift_down(b, 0, b->heap[b->entries]);
	return first;
}

static inline uint32_t belady_make_room(struct belady *b)
{
	uint32_t victim = slots_newest(&b->slots, UNUSED_AGAIN);
	struct entry e;

	while (victim == UNUSED_AGAIN) {
		e = pop(b);
		if (is_valid(b, &e))
			victim = e.slot;
	}
	belady_forget(b, victim);
	slots_release(&b->slots, victim);
	return victim;
}

static inline void belady_miss(struct belady *b, const struct block_ref *ref, uint32_t remembered)
{
	if (b->slots.used == b->slots.capacity)
		belady_make_room(b);
	place(b, slots_take(&b->slots, ref));
}
CACHE_SLOTS_STEPS(belady)

static size_t belady_access(void *state, const struct cache_batch *batch, uint64_t *hits)
{
	struct belady *b = state;
	size_t sum = 0;

	for (size_t i = 0; i < batch->count; i++) {
		bool hit;

		slots_fetch_ahead(&b->slots, &batch->ref[i], batch->count - i);
		b->upcoming = batch->next_use[i];
		hit = belady_access_one(b, &batch->ref[i]);
		hits[i / 64] = (i % 64 ? hits[i / 64] : 0) | (uint64_t)hit << i % 64;
		sum += hit;
	}
	return sum;
}

static uint64_t belady_next_use(const void *state, uint64_t block)
{
	const struct belady *b = state;
	uint32_t slot = slots_find(&b->slots, block);

	return b->next_use[slot] ? b->next_use[slot] : NEVER;
}

static void belady_fini(void *state)
{
	struct belady *b = state;

	free(b->next_use);
	free(b->heap);
	cache_slots_fini(b);
}

static int belady_init(void *state, uint32_t capacity)
{
	struct belady *b = state;

	b->room = 2 * (size_t)capacity;
	b->heap = calloc(b->room, sizeof(*b->heap));
	b->next_use = calloc((size_t)capacity + 1, sizeof(*b->next_use));
	return b->heap && b->next_use ? cache_slots_init_one_list(b, capacity) : -ENOMEM;
}

static uint64_t belady_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes_one_list(state, capacity) +
	       capacity * (2 * sizeof(struct entry) + sizeof(uint64_t));
}

CACHE_MODEL(belady){
	.head =
		{
			.kind = "cache",
			.name = "belady",
			.summary = "the best there is: who is asked for last of all leaves",
			.source = "L. A. Belady, A study of replacement algorithms for a "
				  "virtual-storage computer, IBM Systems Journal 5(2), 1966",
		},
	.state_bytes = sizeof(struct belady),
	.needs = NEEDS_FUTURE,
	.init = belady_init,
	.fini = belady_fini,
	.bytes = belady_bytes,
	.next_use = belady_next_use,
	CACHE_SLOTS_OPS(belady),
};
