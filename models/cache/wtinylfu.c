/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * w-tinylfu: new blocks come into a small lru window. Its oldest block contests with
 * the main cache's next victim: the one that was asked for more often of late
 * stays, the latter if they are equal. The main cache is an slru: blocks come
 * into its probation list, and those that are hit there into its protected one,
 * which gives its oldest back when it has more than its share.
 *
 * How often is estimated by a sketch of 4-bit counters, four a block, of which a
 * reference increments the least ones only (minimal increment). After `sample`
 * references a block of capacity all counters are halved, and the number of
 * references, too.
 *
 * Sections 3 and 4 of the paper, without the doorkeeper. The shares, the sample
 * and that all counters of a block lie in one cache line are those of Caffeine, the
 * authors' implementation. The paper counts every reference; with window_hits=0
 * those that hit in the window are not. Misses with REF_NO_ALLOCATE never are.
 *
 * libCacheSim's variant, which differs from this one on many traces, is nearly
 * window_hits=0,counters=2,sample=32: it counts no hits in the window either, and its
 * counters are too few for the references that it counts.
 */
#include "cache_hash.h"
#include "cache_slots.h"

enum wtinylfu_list { WINDOW, PROBATION, PROTECTED, LISTS };

#define ROWS	      4
#define COUNTER_MAX   15
#define COUNTER_BITS  4
#define ROW_BITS      5 /* of the number of a counter within its row of a line */
#define ROW_WORDS     2
#define HALVED_MASK   0x7777777777777777u
#define LINE_COUNTERS 128u

/* One cache line. */
struct sketch_line {
	uint64_t word[ROWS * ROW_WORDS];
};

struct wtinylfu {
	struct cache_slots slots;
	struct sketch_line *line; /* aligned, within: */
	void *lines;
	unsigned int line_bits;
	uint64_t counted, sample; /* references */
	uint64_t window_percent, protected_percent, sample_factor, counters, window_hits;
	uint32_t window_capacity, protected_capacity;
};

static inline struct sketch_line *sketch_line_of(const struct wtinylfu *w, uint64_t hash)
{
	return &w->line[hash >> (64 - w->line_bits)];
}

/* The counter of a row, as its word and the shift in it. */
static inline unsigned int counter_of(uint64_t hash, unsigned int row, unsigned int *shift)
{
	unsigned int counter = hash >> row * ROW_BITS & ((1u << ROW_BITS) - 1);

	*shift = counter % 16 * COUNTER_BITS;
	return row * ROW_WORDS + counter / 16;
}

static inline unsigned int least_of(const struct sketch_line *line, uint64_t hash)
{
	unsigned int least = COUNTER_MAX, shift;

	for (unsigned int row = 0; row < ROWS; row++) {
		unsigned int word = counter_of(hash, row, &shift);
		unsigned int count = line->word[word] >> shift & COUNTER_MAX;

		least = count < least ? count : least;
	}
	return least;
}

static inline unsigned int frequency_of(const struct wtinylfu *w, uint32_t slot)
{
	uint64_t hash = cache_hash(w->slots.slot[slot].block);

	return least_of(sketch_line_of(w, hash), hash);
}

static void halve(struct wtinylfu *w)
{
	for (size_t i = 0; i < (size_t)1 << w->line_bits; i++)
		for (unsigned int j = 0; j < ROWS * ROW_WORDS; j++)
			w->line[i].word[j] = w->line[i].word[j] >> 1 & HALVED_MASK;
	w->counted /= 2;
}

static inline void count_reference(struct wtinylfu *w, uint64_t block)
{
	uint64_t hash = cache_hash(block);
	struct sketch_line *line = sketch_line_of(w, hash);
	unsigned int least = least_of(line, hash), shift;

	for (unsigned int row = 0; least < COUNTER_MAX && row < ROWS; row++) {
		unsigned int word = counter_of(hash, row, &shift);

		if ((line->word[word] >> shift & COUNTER_MAX) == least)
			line->word[word] += 1ull << shift;
	}
	if (++w->counted >= w->sample)
		halve(w);
}

static inline void wtinylfu_hit(struct wtinylfu *w, uint32_t slot)
{
	struct cache_slots *s = &w->slots;

	if (w->window_hits || s->slot[slot].list != WINDOW)
		count_reference(w, s->slot[slot].block);
	if (s->slot[slot].list != PROBATION) {
		slots_refresh(s, slot);
		return;
	}
	slots_move_newest(s, PROTECTED, slot);
	if (slots_length(s, PROTECTED) > w->protected_capacity)
		slots_move_newest(s, PROBATION, slots_oldest(s, PROTECTED));
}

static inline void wtinylfu_forget(struct wtinylfu *w, uint32_t slot)
{
	slots_unlink(&w->slots, slot);
}

/* Its window's oldest block goes on, if it wins. */
static inline uint32_t contest(struct wtinylfu *w, uint32_t victim)
{
	struct cache_slots *s = &w->slots;
	uint32_t candidate = slots_oldest(s, WINDOW);

	if (frequency_of(w, candidate) <= frequency_of(w, victim))
		return candidate;
	slots_move_newest(s, PROBATION, candidate);
	return victim;
}

static inline uint32_t wtinylfu_make_room(struct wtinylfu *w)
{
	struct cache_slots *s = &w->slots;
	uint32_t list = slots_length(s, PROBATION) ? PROBATION : PROTECTED;
	uint32_t victim = slots_oldest(s, list);

	if (victim == list)
		victim = slots_oldest(s, WINDOW);
	else if (slots_length(s, WINDOW) && slots_length(s, WINDOW) >= w->window_capacity)
		victim = contest(w, victim);
	slots_unlink(s, victim);
	slots_release(s, victim);
	slots_expect(s, slots_oldest(s, WINDOW));
	slots_expect(s, slots_oldest(s, PROBATION));
	return victim;
}

static inline void wtinylfu_miss(struct wtinylfu *w, const struct block_ref *ref,
				 uint32_t remembered)
{
	struct cache_slots *s = &w->slots;

	count_reference(w, ref->block);
	if (s->used == s->capacity)
		wtinylfu_make_room(w);
	slots_link_newest(s, WINDOW, slots_take(s, ref));
	if (slots_length(s, WINDOW) > w->window_capacity)
		slots_move_newest(s, PROBATION, slots_oldest(s, WINDOW));
}

PREFETCHING void wtinylfu_fetch_ahead(const struct wtinylfu *w, const struct block_ref *ref,
				      size_t left)
{
	slots_fetch_ahead(&w->slots, ref, left);
	if (left > FETCH_BUCKET_AHEAD)
		__builtin_prefetch(sketch_line_of(w, cache_hash(ref[FETCH_BUCKET_AHEAD].block)));
}

CACHE_SLOTS_STEPS(wtinylfu)
CACHE_SLOTS_LOOP(wtinylfu, wtinylfu_fetch_ahead)

static void wtinylfu_fini(void *state)
{
	struct wtinylfu *w = state;

	free(w->lines);
	cache_slots_fini(w);
}

static unsigned int line_bits(const struct wtinylfu *w, uint32_t capacity)
{
	unsigned int bits = 1;

	while ((uint64_t)LINE_COUNTERS << bits < capacity * w->counters)
		bits++;
	return bits;
}

static int wtinylfu_init(void *state, uint32_t capacity)
{
	struct wtinylfu *w = state;
	uint64_t window = capacity * w->window_percent / 100;

	w->window_capacity = window ? window : 1;
	w->protected_capacity = (capacity - w->window_capacity) * w->protected_percent / 100;
	w->sample = capacity * w->sample_factor;
	w->line_bits = line_bits(w, capacity);
	w->lines = calloc(((size_t)1 << w->line_bits) + 1, sizeof(*w->line));
	if (!w->lines)
		return -ENOMEM;
	w->line = (void *)(((uintptr_t)w->lines + sizeof(*w->line) - 1) & -sizeof(*w->line));
	return cache_slots_init(&w->slots, capacity, LISTS);
}

static uint64_t wtinylfu_bytes(const void *state, uint32_t capacity)
{
	return cache_slots_bytes(capacity, 0, LISTS) +
	       (((size_t)1 << line_bits(state, capacity)) + 1) * sizeof(struct sketch_line);
}

static const struct parameter wtinylfu_parameters[] = {
	{"window", "percent of the cache for the window", 1, 99, 1,
	 offsetof(struct wtinylfu, window_percent)},
	{"protected", "percent of the main cache for blocks that were hit", 0, 100, 80,
	 offsetof(struct wtinylfu, protected_percent)},
	{"sample", "references a block of capacity after which counts are halved", 2, 1000, 10,
	 offsetof(struct wtinylfu, sample_factor)},
	{"counters", "of the sketch, a block of capacity", 1, 256, 16,
	 offsetof(struct wtinylfu, counters)},
	{"window_hits", "whether hits in the window are counted", 0, 1, 1,
	 offsetof(struct wtinylfu, window_hits)},
	{0}};

CACHE_MODEL(wtinylfu){
	.head =
		{
			.kind = "cache",
			.name = "wtinylfu",
			.summary = "an lru window before an slru, which admits by frequency",
			.source =
				"G. Einziger, R. Friedman, B. Manes, TinyLFU: a highly efficient "
				"cache admission policy, ACM Transactions on Storage 13(4), 2017, "
				"sections 3 and 4",
			.parameters = wtinylfu_parameters,
		},
	.state_bytes = sizeof(struct wtinylfu),
	.init = wtinylfu_init,
	.fini = wtinylfu_fini,
	.bytes = wtinylfu_bytes,
	CACHE_SLOTS_OPS(wtinylfu),
};
