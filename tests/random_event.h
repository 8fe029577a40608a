/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random but valid events of every kind, from a seed: made from the schema, so
 * that a new field is tested the day it is added.
 */
#ifndef SKY_TESTS_RANDOM_EVENT_H
#define SKY_TESTS_RANDOM_EVENT_H

#include <stdlib.h>
#include <string.h>

#include "capture/calls.h"
#include "capture/event.h"

#define RANDOM_WORDS 4096

struct random_events {
	uint64_t state; /* the seed, then xorshift64* (Vigna, 2016) */
	uint64_t seq, time_ns;
	uint32_t longest_words; /* of an array; at most RANDOM_WORDS */
	uint64_t words[16][RANDOM_WORDS];
	char texts[8][256];
};

static inline uint64_t random_next(struct random_events *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1du;
}

/* Small numbers, large numbers and edges alike. */
static inline uint64_t random_number(struct random_events *r)
{
	static const uint64_t edges[] = {0, 1, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 1};
	uint64_t dice = random_next(r);

	if (dice % 8 == 0)
		return edges[dice / 8 % 6];
	return random_next(r) >> dice % 64;
}

static inline uint32_t random_count(struct random_events *r)
{
	uint64_t dice = random_next(r);

	return dice % 2 ? 0 : random_next(r) % (dice % 64 == 0 ? r->longest_words : 9);
}

static inline void random_field(struct random_events *r, struct event *e, const struct field *f,
				int *words, int *texts)
{
	if (f->type == FIELD_TEXT) {
		char *at = r->texts[(*texts)++];
		uint32_t count = random_next(r) % 2 ? random_next(r) % sizeof(r->texts[0]) : 0;

		for (uint32_t i = 0; i < count; i++)
			at[i] = 1 + random_next(r) % 255;
		*(struct text *)((char *)e + f->offset) = (struct text){at, count};
	} else if (f->type == FIELD_WORDS) {
		uint64_t *at = r->words[(*words)++];
		uint32_t count = random_count(r);

		if (!strcmp(f->name, "records"))
			count -= count % RECORD_WORDS;
		for (uint32_t i = 0; i < count; i++)
			at[i] = random_number(r);
		*(struct words *)((char *)e + f->offset) = (struct words){at, count};
	} else if (f->style == STYLE_NAME || f->style == STYLE_ABI) {
		uint64_t names = 0;

		while (f->names[names])
			names++;
		field_set(e, f, random_next(r) % names);
	} else {
		field_set(e, f, random_number(r));
	}
}

/* A request's arrays fit its length, and it lies on a disk that can exist. */
static inline void random_request(struct random_events *r, struct event *e)
{
	uint32_t chunks = e->block.sums.count;

	e->block.sector >>= 12;
	e->block.sectors = chunks ? chunks * SECTORS_PER_CHUNK : e->block.sectors;
	if (e->block.markers.count)
		e->block.markers = (struct words){r->words[15], chunks};
}

static inline void random_event(struct random_events *r, struct event *e)
{
	int words = 0, texts = 0;

	event_init(e, random_next(r) % EVENT_KINDS);
	for (const struct field *f = event_header; f->name; f++)
		random_field(r, e, f, &words, &texts);
	for (const struct field *f = event_kinds[e->kind].fields; f->name; f++)
		random_field(r, e, f, &words, &texts);
	if (!event_kinds[e->kind].derived)
		r->seq += 1 + (random_next(r) % 16 == 0 ? random_next(r) % 1000 : 0);
	r->time_ns += random_next(r) % 1000000;
	e->seq = r->seq;
	e->time_ns = r->time_ns;
	if (e->kind == EVENT_BLOCK)
		random_request(r, e);
	if (e->kind == EVENT_TRUTH)
		e->truth.sector >>= 12;
	if (e->kind == EVENT_EXTENT)
		e->extent.sector >>= 12;
	if (e->kind == EVENT_HINT)
		e->hint.io_class %= CLASS_COUNT;
}

static inline struct random_events *random_events_new(uint64_t seed)
{
	struct random_events *r = calloc(1, sizeof(*r));

	r->state = seed * 2 + 1;
	r->seq = 1;
	r->longest_words = RANDOM_WORDS;
	return r;
}

static inline bool same_field(const struct event *a, const struct event *b, const struct field *f)
{
	const struct text *t = field_text(a, f), *u = field_text(b, f);
	const struct words *v = field_words(a, f), *w = field_words(b, f);

	if (f->type == FIELD_TEXT)
		return t->count == u->count && (!t->count || !memcmp(t->at, u->at, t->count));
	if (f->type == FIELD_WORDS)
		return v->count == w->count && (!v->count || !memcmp(v->at, w->at, 8 * v->count));
	return field_get(a, f) == field_get(b, f);
}

/* NULL, or the name of the first field in which they differ. */
static inline const char *event_difference(const struct event *a, const struct event *b)
{
	if (a->kind != b->kind)
		return "kind";
	for (const struct field *f = event_header; f->name; f++)
		if (!same_field(a, b, f))
			return f->name;
	for (const struct field *f = event_kinds[a->kind].fields; f->name; f++)
		if (!same_field(a, b, f))
			return f->name;
	return NULL;
}

#endif
