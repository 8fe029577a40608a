/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lru_stack.h"

#define FIRST_BITS   10
#define WORD_BITS    64u
#define LINE_WORDS   8u
#define LINE_BITS    (LINE_WORDS * WORD_BITS)
#define WINDOW_LEAST (16 * LINE_BITS)
/* Positions for each that is occupied: the more, the more rarely they are numbered anew. */
#define WINDOW_SPARE 4u
#define EXPECT_AHEAD 12

/* Counting bits is an instruction of all but the oldest processors. */
#if defined(__x86_64__) && !defined(__POPCNT__)
#define COUNTS_BITS __attribute__((target_clones("popcnt", "default")))
#else
#define COUNTS_BITS
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t home(const struct lru_stack *s, uint64_t block)
{
	return (block ^ block >> 32) * 0x9e3779b97f4a7c15u >> s->shift;
}

/* The block's place, or the empty one where it would be. */
INLINE struct stack_entry *place_of(const struct lru_stack *s, uint64_t block)
{
	uint64_t i = home(s, block);

	while (s->entry[i].position != STACK_EMPTY && s->entry[i].block != block)
		i = (i + 1) & (s->places - 1);
	return &s->entry[i];
}

static int make_places(struct lru_stack *s, unsigned int bits)
{
	struct stack_entry *entry = calloc(1ull << bits, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	s->entry = entry;
	s->places = 1ull << bits;
	s->shift = 64 - bits;
	return 0;
}

static int make_window(struct lru_stack *s, uint64_t window)
{
	uint64_t lines = (window + LINE_BITS - 1) / LINE_BITS;

	if (lines * LINE_BITS >= STACK_ABSENT)
		return -EOVERFLOW;
	free(s->bits);
	free(s->tree);
	s->window = lines * LINE_BITS;
	s->bits = aligned_alloc(LINE_BITS / 8, s->window / 8);
	s->tree = calloc(lines + 1, sizeof(*s->tree));
	if (!s->bits || !s->tree)
		return -ENOMEM;
	memset(s->bits, 0, s->window / 8);
	return 0;
}

INLINE void tree_add(struct lru_stack *s, uint32_t line, uint32_t count)
{
	for (uint32_t i = line + 1; i <= s->window / LINE_BITS; i += i & -i)
		s->tree[i] += count;
}

INLINE uint32_t tree_sum(const struct lru_stack *s, uint32_t lines)
{
	uint32_t sum = 0;

	for (uint32_t i = lines; i; i &= i - 1)
		sum += s->tree[i];
	return sum;
}

/* Bits of the position's line that are set before it. */
INLINE uint32_t count_in_line(const struct lru_stack *s, uint32_t position)
{
	const uint64_t *line = &s->bits[position / LINE_BITS * LINE_WORDS];
	uint32_t words = position / WORD_BITS % LINE_WORDS, sum = 0;

	for (uint32_t i = 0; i < words; i++)
		sum += __builtin_popcountll(line[i]);
	return sum + __builtin_popcountll(line[words] & ((1ull << position % WORD_BITS) - 1));
}

INLINE uint32_t depth_of(const struct lru_stack *s, uint32_t position)
{
	return s->occupied - tree_sum(s, position / LINE_BITS) - count_in_line(s, position);
}

INLINE void clear(struct lru_stack *s, uint32_t position)
{
	s->bits[position / WORD_BITS] &= ~(1ull << position % WORD_BITS);
	s->occupied--;
	if (position < s->next_line)
		tree_add(s, position / LINE_BITS, -1);
}

/* The line of `next` is full: the tree takes it. */
static void end_line(struct lru_stack *s)
{
	tree_add(s, s->next_line / LINE_BITS,
		 count_in_line(s, s->next - 1) +
			 (s->bits[(s->next - 1) / WORD_BITS] >> (WORD_BITS - 1)));
	s->next_line = s->next;
}

static void sift_down(struct lru_stack *s, uint32_t position)
{
	uint32_t at = 0, child;

	for (; (child = 2 * at + 1) < s->holes; at = child) {
		if (child + 1 < s->holes && s->hole[child + 1] > s->hole[child])
			child++;
		if (s->hole[child] <= position)
			break;
		s->hole[at] = s->hole[child];
	}
	s->hole[at] = position;
}

static int add_hole(struct lru_stack *s, uint32_t position)
{
	uint32_t at = s->holes;

	if (s->holes == s->holes_room) {
		uint32_t room = s->holes_room ? 2 * s->holes_room : 64;
		uint32_t *hole = reallocarray(s->hole, room, sizeof(*hole));

		if (!hole)
			return -ENOMEM;
		s->hole = hole;
		s->holes_room = room;
	}
	s->holes++;
	for (; at && s->hole[(at - 1) / 2] < position; at = (at - 1) / 2)
		s->hole[at] = s->hole[(at - 1) / 2];
	s->hole[at] = position;
	return 0;
}

/* A new block comes: the topmost hole, if any, is filled. */
static void fill_hole(struct lru_stack *s)
{
	clear(s, s->hole[0]);
	if (--s->holes)
		sift_down(s, s->hole[s->holes]);
}

/* A block leaves that position for the top. */
INLINE void leave(struct lru_stack *s, uint32_t position)
{
	if (__builtin_expect(!s->holes || s->hole[0] < position, 1)) {
		clear(s, position);
		return;
	}
	clear(s, s->hole[0]);
	sift_down(s, position);
}

/* Numbers of the bits before each line that is in use. */
static uint32_t *count_lines(const struct lru_stack *s)
{
	uint32_t lines = s->window / LINE_BITS, *before = calloc(lines + 1, sizeof(*before));

	for (uint32_t i = 0; before && i < lines; i++) {
		before[i + 1] = before[i];
		for (uint32_t w = 0; w < LINE_WORDS; w++)
			before[i + 1] += __builtin_popcountll(s->bits[i * LINE_WORDS + w]);
	}
	return before;
}

/* Position 0 is none, since it would read as an empty entry. */
INLINE uint32_t renumbered(const struct lru_stack *s, const uint32_t *before, uint32_t position)
{
	return 1 + before[position / LINE_BITS] + count_in_line(s, position);
}

COUNTS_BITS static void renumber(struct lru_stack *s, const uint32_t *before)
{
	for (uint64_t i = 0; i < s->places; i++) {
		struct stack_entry *e = &s->entry[i];

		if (e->position != STACK_EMPTY && e->position != STACK_ABSENT)
			e->position = renumbered(s, before, e->position);
	}
	/* the order stays, so the heap does */
	for (uint32_t i = 0; i < s->holes; i++)
		s->hole[i] = renumbered(s, before, s->hole[i]);
}

/* Sets the bits 1 .. occupied of a new window. */
static void fill_window(struct lru_stack *s)
{
	uint32_t end = s->occupied + 1;

	memset(s->bits, 0xff, end / WORD_BITS * sizeof(*s->bits));
	s->bits[end / WORD_BITS] |= (1ull << end % WORD_BITS) - 1;
	s->bits[0] &= ~1ull;
	s->next = end;
	s->next_line = end / LINE_BITS * LINE_BITS;
	for (uint32_t line = 0; line < s->next_line / LINE_BITS; line++)
		tree_add(s, line, LINE_BITS - !line);
}

static int compact(struct lru_stack *s)
{
	uint64_t window = (uint64_t)s->occupied * WINDOW_SPARE + 2;
	uint32_t *before = count_lines(s);
	int rc;

	if (!before)
		return -ENOMEM;
	renumber(s, before);
	free(before);
	rc = make_window(s, window < WINDOW_LEAST ? WINDOW_LEAST : window);
	if (!rc)
		fill_window(s);
	return rc;
}

int lru_stack_init(struct lru_stack *s)
{
	*s = (struct lru_stack){.next = 1};
	if (make_places(s, FIRST_BITS))
		return -ENOMEM;
	return make_window(s, WINDOW_LEAST);
}

void lru_stack_fini(struct lru_stack *s)
{
	free(s->entry);
	free(s->bits);
	free(s->tree);
	free(s->hole);
	*s = (struct lru_stack){0};
}

static int rebuild(struct lru_stack *s, unsigned int bits,
		   bool (*keep)(const void *context, uint64_t block), const void *context)
{
	struct stack_entry *old = s->entry, *end = old + s->places;

	if (make_places(s, bits))
		return -ENOMEM;
	for (const struct stack_entry *e = old; e < end; e++) {
		if (e->position == STACK_EMPTY)
			continue;
		if (!keep || keep(context, e->block)) {
			*place_of(s, e->block) = *e;
			continue;
		}
		s->distinct--;
		if (e->position != STACK_ABSENT)
			clear(s, e->position);
	}
	free(old);
	return 0;
}

INLINE int use(struct lru_stack *s, uint64_t block, uint32_t *depth)
{
	struct stack_entry *e = place_of(s, block);
	int rc = 0;

	*depth = 0;
	if (__builtin_expect(e->position != STACK_EMPTY && e->position != STACK_ABSENT, 1)) {
		*depth = depth_of(s, e->position);
		leave(s, e->position);
	} else {
		s->distinct += e->position == STACK_EMPTY;
		if (s->holes)
			fill_hole(s);
	}
	e->block = block;
	e->position = STACK_ABSENT; /* in no position while they are numbered */
	if (s->next == s->window)
		rc = compact(s);
	if (rc)
		return rc;
	e->position = s->next++;
	s->bits[e->position / WORD_BITS] |= 1ull << e->position % WORD_BITS;
	s->occupied++;
	if (s->next % LINE_BITS == 0)
		end_line(s);
	return 0;
}

COUNTS_BITS int lru_stack_use(struct lru_stack *s, const uint64_t *block, size_t count,
			      uint32_t *depth)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		if (i + EXPECT_AHEAD < count)
			__builtin_prefetch(&s->entry[home(s, block[i + EXPECT_AHEAD])]);
		if (2 * (s->distinct + 1) > s->places)
			rc = rebuild(s, 64 - s->shift + 1, NULL, NULL);
		if (!rc)
			rc = use(s, block[i], &depth[i]);
	}
	return rc;
}

static int remove_entry(struct lru_stack *s, struct stack_entry *e)
{
	if (e->position == STACK_EMPTY || e->position == STACK_ABSENT)
		return 0;
	if (add_hole(s, e->position))
		return -ENOMEM;
	e->position = STACK_ABSENT;
	return 0;
}

/* A short range is looked up block by block; a discard may name a whole disk. */
int lru_stack_remove(struct lru_stack *s, uint64_t first, uint64_t count)
{
	int rc = 0;

	for (uint64_t i = 0; count <= s->places && !rc && i < count; i++)
		rc = remove_entry(s, place_of(s, first + i));
	for (uint64_t i = 0; count > s->places && !rc && i < s->places; i++)
		if (s->entry[i].block - first < count)
			rc = remove_entry(s, &s->entry[i]);
	return rc;
}

int lru_stack_keep(struct lru_stack *s, bool (*keep)(const void *context, uint64_t block),
		   const void *context)
{
	return rebuild(s, 64 - s->shift, keep, context);
}

uint64_t lru_stack_bytes(const struct lru_stack *s)
{
	return s->places * sizeof(*s->entry) + s->window / 8 +
	       s->window / LINE_BITS * sizeof(*s->tree) + s->holes_room * sizeof(*s->hole);
}
