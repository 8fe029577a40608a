/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mq: multi-queue, the algorithm of the source's section "Multi-Queue Algorithm".
 *
 * A block that was asked for f times is in queue log2(f), or in the last one;
 * queues are in the order of recency. Time counts the references. A block that was not asked for
 * for `lifetime` goes to the next lower queue, and so on; after each reference this is
 * looked at for the oldest block of each queue. The oldest block of the lowest queue that has
 * any leaves; its f is remembered in Qout, which is first in, first out. As in the source,
 * room is made before a block is taken off Qout, so that it may be forgotten by that.
 *
 * The source finds the lifetime from the distances between references while it runs; here
 * it is a parameter, of the cache's size. Qout's preset is the source's.
 */
#include "cache_slots.h"

#define QUEUES_MAX 16 /* so that f, which matters up to 2^15, fits into a slot's mark */

struct mq {
	struct cache_slots slots; /* lists: the queues, then Qout */
	uint64_t queues, lifetime_percent, out_percent;
	uint64_t lifetime, out_capacity;
	uint64_t now;
	uint64_t *expires; /* of each slot: when its block goes to a lower queue */
	uint64_t earliest; /* no block of queue 1 or above expires before */
	uint32_t occupied; /* bit i: queue i may have blocks */
};

static inline unsigned int queue_of(uint32_t references)
{
	return 31 - __builtin_clz(references);
}

/* One more reference; f beyond what the last queue begins with makes no difference. */
static inline unsigned int count(struct mq *m, uint32_t slot)
{
	uint16_t *references = &m->slots.slot[slot].mark;

	if (*references < 1u << (m->queues - 1))
		++*references;
	return queue_of(*references);
}

static inline void note_newest(struct mq *m, unsigned int queue, uint32_t slot)
{
	m->expires[slot] = m->now + m->lifetime;
	m->occupied |= 1u << queue;
	if (queue && m->expires[slot] < m->earliest)
		m->earliest = m->expires[slot];
}

/* A step of the source's Adjust() for one queue, whose oldest block expires first. */
static void adjust_queue(struct mq *m, unsigned int queue)
{
	uint32_t oldest = slots_oldest(&m->slots, queue);

	if (m->expires[oldest] < m->now) {
		slots_move_newest(&m->slots, queue - 1, oldest);
		note_newest(m, queue - 1, oldest);
		oldest = slots_oldest(&m->slots, queue);
	}
	if (oldest != queue && m->expires[oldest] < m->earliest)
		m->earliest = m->expires[oldest];
}

static inline void adjust(struct mq *m)
{
	if (++m->now <= m->earliest)
		return;
	m->earliest = UINT64_MAX;
	for (unsigned int queue = 1; queue < m->queues; queue++)
		if (slots_length(&m->slots, queue))
			adjust_queue(m, queue);
}

static inline void mq_hit(struct mq *m, uint32_t slot)
{
	unsigned int queue = count(m, slot);

	slots_move_newest(&m->slots, queue, slot);
	note_newest(m, queue, slot);
	adjust(m);
}

static inline uint32_t mq_make_room(struct mq *m)
{
	struct cache_slots *s = &m->slots;
	unsigned int queue = __builtin_ctz(m->occupied);
	uint32_t victim;

	while (!slots_length(s, queue)) {
		m->occupied &= ~(1u << queue);
		queue = __builtin_ctz(m->occupied);
	}
	victim = slots_oldest(s, queue);
	if (slots_length(s, m->queues) == m->out_capacity) {
		if (!m->out_capacity) {
			slots_unlink(s, victim);
			slots_release(s, victim);
			return victim;
		}
		slots_release_oldest(s, m->queues);
	}
	slots_remember(s, m->queues, victim);
	slots_expect(s, slots_oldest(s, queue));
	return victim;
}

static inline void mq_miss(struct mq *m, const struct block_ref *ref, uint32_t remembered)
{
	struct cache_slots *s = &m->slots;
	unsigned int queue;

	if (s->used == s->capacity) {
		mq_make_room(m);
		if (remembered)
			remembered = slots_find(s, ref->block);
	}
	if (remembered) {
		queue = count(m, remembered);
		slots_return(s, queue, remembered, ref);
	} else {
		remembered = slots_take(s, ref);
		queue = count(m, remembered);
		slots_link_newest(s, queue, remembered);
	}
	note_newest(m, queue, remembered);
	adjust(m);
}

static inline void mq_forget(struct mq *m, uint32_t slot)
{
	slots_unlink(&m->slots, slot);
}
CACHE_SLOTS_POLICY(mq)

static void mq_fini(void *state)
{
	struct mq *m = state;

	free(m->expires);
	cache_slots_fini(m);
}

static uint64_t out_capacity(const struct mq *m, uint32_t capacity)
{
	return capacity * m->out_percent / 100;
}

static uint64_t slots_of(const struct mq *m, uint32_t capacity)
{
	return m->queues + 1 + capacity + out_capacity(m, capacity);
}

static int mq_init(void *state, uint32_t capacity)
{
	struct mq *m = state;

	m->lifetime = capacity * m->lifetime_percent / 100;
	m->out_capacity = out_capacity(m, capacity);
	m->earliest = UINT64_MAX;
	m->expires = calloc(slots_of(m, capacity), sizeof(*m->expires));
	if (!m->expires)
		return -ENOMEM;
	return cache_slots_init_remembering(&m->slots, capacity, m->queues, m->out_capacity,
					    m->queues + 1);
}

static uint64_t mq_bytes(const void *state, uint32_t capacity)
{
	const struct mq *m = state;

	return cache_slots_bytes(capacity, out_capacity(m, capacity), m->queues + 1) +
	       slots_of(m, capacity) * sizeof(uint64_t);
}

static const struct parameter mq_parameters[] = {
	{"queues", "how many", 1, QUEUES_MAX, 8, offsetof(struct mq, queues)},
	{"lifetime",
	 "references without one to a block until it is worth less, percent of the cache", 0,
	 100000, 100, offsetof(struct mq, lifetime_percent)},
	{"out", "how many blocks are remembered, percent of the cache", 0, 1000, 400,
	 offsetof(struct mq, out_percent)},
	{0}};

CACHE_MODEL(mq){
	.head =
		{
			.kind = "cache",
			.name = "mq",
			.summary = "lru queues by how often, which blocks fall through with time",
			.source = "Y. Zhou, J. F. Philbin, K. Li, The multi-queue replacement "
				  "algorithm for second level buffer caches, USENIX 2001",
			.parameters = mq_parameters,
		},
	.state_bytes = sizeof(struct mq),
	.init = mq_init,
	.fini = mq_fini,
	.bytes = mq_bytes,
	CACHE_SLOTS_OPS(mq),
};
