/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lirs: what counts is how many other blocks were asked for between a block's
 * last two references. Blocks where these were few (LIR) stay, and the others
 * (HIR) share a small queue, out of whose end blocks leave.
 *
 * Stack S has all blocks in the order of their last references, down to
 * the least recent LIR block, also HIR blocks that have left: one of S that is asked for
 * becomes LIR, and the lowest LIR block HIR. Queue Q has the HIR blocks
 * that are cached; one that is asked for and no longer in S only becomes its newest.
 *
 * Section 3 of the paper: while there are fewer LIR blocks than their share (at
 * the beginning, or after discards), new blocks are LIR. S could grow without end;
 * here it has up to `stack` percent of the capacity, and beyond that the block that
 * left first is forgotten.
 *
 * S is the slots' own list. A block is in up to two of S, Q and the queue of
 * those that have left, but never in the latter two, which therefore share links.
 */
#include "cache_slots.h"

/* What a block is, by the number of its slot's list; the links of S begin at head 0. */
enum lirs_kind { LIR, HIR_IN_STACK, HIR, CACHED_KINDS, LEFT = CACHED_KINDS, KINDS };
#define STACK 0

/* Heads of the queues, as of slots: HIR blocks, and those that have left. */
#define QUEUE	   0
#define LEFT_QUEUE 1

struct queue_links {
	uint32_t newer, older;
};

struct lirs {
	struct cache_slots slots;
	struct queue_links *queue; /* of each slot */
	uint64_t hir_percent, stack_percent;
	uint64_t stack_capacity, stack_length;
	uint32_t lir_capacity, lir_blocks;
};

static inline void queue_remove(struct lirs *l, uint32_t slot)
{
	struct queue_links at = l->queue[slot];

	l->queue[at.newer].older = at.older;
	l->queue[at.older].newer = at.newer;
}

static inline void queue_add(struct lirs *l, uint32_t queue, uint32_t slot)
{
	uint32_t older = l->queue[queue].older;

	l->queue[slot] = (struct queue_links){.newer = queue, .older = older};
	l->queue[older].newer = slot;
	l->queue[queue].older = slot;
}

static inline uint32_t queue_oldest(const struct lirs *l, uint32_t queue)
{
	return l->queue[queue].newer;
}

static inline void stack_remove(struct lirs *l, uint32_t slot)
{
	slots_detach(&l->slots, slot);
	l->stack_length--;
}

static inline void stack_push(struct lirs *l, uint32_t slot)
{
	slots_attach(&l->slots, slot, STACK);
	l->stack_length++;
}

/* A block that has left and is remembered in S is not any more. */
static inline void lirs_forget_left(struct lirs *l, uint32_t slot)
{
	queue_remove(l, slot);
	stack_remove(l, slot);
	slots_release(&l->slots, slot);
}

/* HIR blocks at the bottom of S leave it: no LIR block was asked for before them. After each step. */
static inline void lirs_prune(struct lirs *l)
{
	struct cache_slot *slot = l->slots.slot;
	uint32_t bottom = slots_oldest(&l->slots, STACK);

	for (; bottom != STACK && slot[bottom].list != LIR;
	     bottom = slots_oldest(&l->slots, STACK)) {
		if (slot[bottom].list == LEFT) {
			lirs_forget_left(l, bottom);
			continue;
		}
		stack_remove(l, bottom);
		slot[bottom].list = HIR;
	}
}

/* The lowest LIR block becomes the newest of Q. */
static inline void lirs_demote(struct lirs *l)
{
	uint32_t bottom = slots_oldest(&l->slots, STACK);

	stack_remove(l, bottom);
	l->slots.slot[bottom].list = HIR;
	l->lir_blocks--;
	queue_add(l, QUEUE, bottom);
	lirs_prune(l);
}

static inline void lirs_promote(struct lirs *l, uint32_t slot)
{
	l->slots.slot[slot].list = LIR;
	if (++l->lir_blocks > l->lir_capacity)
		lirs_demote(l);
}

static inline void lirs_settle(struct lirs *l)
{
	lirs_prune(l);
	while (l->stack_length > l->stack_capacity)
		lirs_forget_left(l, queue_oldest(l, LEFT_QUEUE));
}

static inline void lirs_hit(struct lirs *l, uint32_t slot)
{
	struct cache_slot *s = &l->slots.slot[slot];

	if (s->list == HIR) {
		stack_push(l, slot);
	} else {
		slots_detach(&l->slots, slot);
		slots_attach(&l->slots, slot, STACK);
	}
	if (s->list != LIR)
		queue_remove(l, slot);
	if (s->list == HIR_IN_STACK) {
		lirs_promote(l, slot);
	} else if (s->list == HIR) {
		s->list = HIR_IN_STACK;
		queue_add(l, QUEUE, slot);
	}
	lirs_settle(l);
}

static inline uint32_t lirs_make_room(struct lirs *l)
{
	struct cache_slots *s = &l->slots;
	uint32_t victim;

	if (queue_oldest(l, QUEUE) == QUEUE)
		lirs_demote(l);
	victim = queue_oldest(l, QUEUE);
	queue_remove(l, victim);
	if (s->slot[victim].list == HIR_IN_STACK) {
		slots_count_out(s, victim);
		s->slot[victim].list = LEFT;
		queue_add(l, LEFT_QUEUE, victim);
	} else {
		slots_release(s, victim);
	}
	slots_expect(s, queue_oldest(l, QUEUE));
	return victim;
}

static inline void lirs_come_back(struct lirs *l, uint32_t slot, const struct block_ref *ref)
{
	queue_remove(l, slot);
	slots_count_in(&l->slots, slot, ref);
	slots_detach(&l->slots, slot);
	slots_attach(&l->slots, slot, STACK);
	lirs_promote(l, slot);
}

static inline void lirs_come_new(struct lirs *l, const struct block_ref *ref)
{
	uint32_t slot = slots_take(&l->slots, ref);

	stack_push(l, slot);
	if (l->lir_blocks < l->lir_capacity) {
		l->slots.slot[slot].list = LIR;
		l->lir_blocks++;
	} else {
		l->slots.slot[slot].list = HIR_IN_STACK;
		queue_add(l, QUEUE, slot);
	}
}

/* A full cache has a HIR block, so that making room leaves S alone. */
static inline void lirs_miss(struct lirs *l, const struct block_ref *ref, uint32_t remembered)
{
	if (l->slots.used == l->slots.capacity)
		lirs_make_room(l);
	if (remembered)
		lirs_come_back(l, remembered, ref);
	else
		lirs_come_new(l, ref);
	lirs_settle(l);
}

static inline void lirs_forget(struct lirs *l, uint32_t slot)
{
	uint8_t kind = l->slots.slot[slot].list;

	if (kind != LIR)
		queue_remove(l, slot);
	else
		l->lir_blocks--;
	if (kind != HIR)
		stack_remove(l, slot);
}
CACHE_SLOTS_POLICY(lirs)

static uint32_t lirs_remove_and_prune(void *state, uint64_t first, uint64_t count)
{
	uint32_t removed = lirs_remove(state, first, count);

	lirs_prune(state);
	return removed;
}

static void lirs_fini(void *state)
{
	struct lirs *l = state;

	free(l->queue);
	cache_slots_fini(l);
}

static uint32_t hir_capacity(const struct lirs *l, uint32_t capacity)
{
	uint64_t blocks = capacity * l->hir_percent / 100;

	return blocks ? blocks : 1;
}

/* S is one block too long for a moment; what is not in S, but cached, is HIR. */
static uint64_t lirs_remembered(const struct lirs *l, uint32_t capacity)
{
	return capacity * l->stack_percent / 100 + 1 + hir_capacity(l, capacity) - capacity;
}

static int lirs_init(void *state, uint32_t capacity)
{
	struct lirs *l = state;
	uint64_t remembered = lirs_remembered(l, capacity);

	l->stack_capacity = capacity * l->stack_percent / 100;
	l->lir_capacity = capacity - hir_capacity(l, capacity);
	l->queue = calloc(KINDS + capacity + remembered, sizeof(*l->queue));
	if (!l->queue)
		return -ENOMEM;
	l->queue[LEFT_QUEUE] = (struct queue_links){.newer = LEFT_QUEUE, .older = LEFT_QUEUE};
	return cache_slots_init_remembering(&l->slots, capacity, CACHED_KINDS, remembered, KINDS);
}

static uint64_t lirs_bytes(const void *state, uint32_t capacity)
{
	uint64_t remembered = lirs_remembered(state, capacity);

	return cache_slots_bytes(capacity, remembered, KINDS) +
	       (KINDS + capacity + remembered) * sizeof(struct queue_links);
}

static const struct parameter lirs_parameters[] = {
	{"hir", "percent of the cache for HIR blocks", 0, 99, 1,
	 offsetof(struct lirs, hir_percent)},
	{"stack", "most blocks in stack S, percent of the cache", 100, 1000, 200,
	 offsetof(struct lirs, stack_percent)},
	{0}};

CACHE_MODEL(lirs){
	.head =
		{
			.kind = "cache",
			.name = "lirs",
			.summary = "low inter-reference recency set",
			.source = "S. Jiang, X. Zhang, LIRS: an efficient low inter-reference "
				  "recency set replacement policy, SIGMETRICS 2002, section 3",
			.parameters = lirs_parameters,
		},
	.state_bytes = sizeof(struct lirs),
	.init = lirs_init,
	.fini = lirs_fini,
	.bytes = lirs_bytes,
	.access = lirs_access,
	.contains = cache_slots_contains,
	.remove = lirs_remove_and_prune,
	.set_class = cache_slots_set_class,
	.evict = lirs_evict,
	.contents = cache_slots_contents,
};
