/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The places are a heap with the lightest on top, and a table finds them by key.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/table.h"
#include "sim/watch/space_saving.h"

struct space_saving {
	struct table by_key;
	uint32_t count, places;
	uint32_t *heap;	    /* nodes */
	struct tracked *at; /* nodes from 1 on */
};

struct space_saving *space_saving_new(uint32_t places)
{
	struct space_saving *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->places = places;
	s->heap = calloc(places, sizeof(*s->heap));
	s->at = calloc(places + 1, sizeof(*s->at));
	if (s->heap && s->at && !table_init(&s->by_key))
		return s;
	free(s->heap);
	free(s->at);
	free(s);
	return NULL;
}

void space_saving_free(struct space_saving *s)
{
	if (!s)
		return;
	table_fini(&s->by_key);
	free(s->heap);
	free(s->at);
	free(s);
}

static uint32_t find(const struct space_saving *s, uint64_t key0, uint64_t key1)
{
	uint32_t node;

	table_for_each(&s->by_key, hash_words(key0, key1), at, node)
	{
		if (s->at[node].key[0] == key0 && s->at[node].key[1] == key1)
			return node;
	}
	return 0;
}

static void put(struct space_saving *s, uint32_t place, uint32_t node)
{
	s->heap[place] = node;
	s->at[node].place = place;
}

static uint64_t weight_at(const struct space_saving *s, uint32_t place)
{
	return s->at[s->heap[place]].weight;
}

/* A new one goes to the end with weight 0: it is the lightest. */
static void rise(struct space_saving *s, uint32_t node)
{
	uint32_t place = s->at[node].place;

	while (place && weight_at(s, (place - 1) / 2) > s->at[node].weight) {
		put(s, place, s->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(s, place, node);
}

/* It became heavier. */
static void sink(struct space_saving *s, uint32_t node)
{
	uint32_t place = s->at[node].place, child;

	while ((child = 2 * place + 1) < s->count) {
		if (child + 1 < s->count && weight_at(s, child + 1) < weight_at(s, child))
			child++;
		if (weight_at(s, child) >= s->at[node].weight)
			break;
		put(s, place, s->heap[child]);
		place = child;
	}
	put(s, place, node);
}

static uint32_t take_place(struct space_saving *s, uint64_t key0, uint64_t key1)
{
	bool full = s->count == s->places;
	uint32_t node = full ? s->heap[0] : s->count + 1;
	struct tracked *t = &s->at[node];
	uint64_t inherited = full ? t->weight : 0;
	uint32_t place = full ? t->place : s->count;

	if (full)
		table_remove(&s->by_key, hash_words(t->key[0], t->key[1]), node);
	if (table_add(&s->by_key, hash_words(key0, key1), node))
		return 0;
	*t = (struct tracked){.key = {key0, key1}, .weight = inherited, .missed = inherited};
	put(s, place, node);
	if (!full) {
		s->count++;
		rise(s, node);
	}
	return node;
}

int space_saving_add(struct space_saving *s, uint64_t key0, uint64_t key1, unsigned amount,
		     uint64_t bytes, uint64_t period)
{
	uint32_t node = find(s, key0, key1);
	struct tracked *t;

	if (!node)
		node = take_place(s, key0, key1);
	if (!node)
		return -ENOMEM;
	t = &s->at[node];
	if (t->recent[period & 1].period != period)
		memset(&t->recent[period & 1], 0, sizeof(t->recent[0]));
	t->recent[period & 1].period = period;
	t->recent[period & 1].amount[amount] += bytes;
	t->total[amount] += bytes;
	t->weight += bytes;
	sink(s, node);
	return 0;
}

static uint64_t amount_of(const struct tracked *t, unsigned amount, uint64_t period)
{
	if (period == UINT64_MAX)
		return t->total[amount];
	return space_saving_recent(t, amount, period);
}

/* Equal ones by key, so that the order never depends on places. */
static bool is_before(const struct tracked *a, const struct tracked *b, unsigned amount,
		      uint64_t period)
{
	uint64_t of_a = amount_of(a, amount, period), of_b = amount_of(b, amount, period);

	if (of_a != of_b)
		return of_a > of_b;
	if (a->key[0] != b->key[0])
		return a->key[0] < b->key[0];
	return a->key[1] < b->key[1];
}

size_t space_saving_top(const struct space_saving *s, unsigned amount, uint64_t period,
			const struct tracked **top, size_t max)
{
	size_t count = 0;

	for (uint32_t node = 1; max && node <= s->count; node++) {
		const struct tracked *t = &s->at[node];
		size_t at = count;

		if (!amount_of(t, amount, period))
			continue;
		if (count == max && !is_before(t, top[max - 1], amount, period))
			continue;
		at = count < max ? count++ : max - 1;
		for (; at && is_before(t, top[at - 1], amount, period); at--)
			top[at] = top[at - 1];
		top[at] = t;
	}
	return count;
}
