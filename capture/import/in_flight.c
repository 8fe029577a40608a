/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table knows the earliest request to a place; the later ones hang on it in
 * their order.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "in_flight.h"

struct waiting {
	struct place place;
	uint64_t id;
	uint32_t next, last; /* of the same place; last is the earliest's alone */
	bool requeued;
};

int in_flight_init(struct in_flight *f)
{
	pool_init(&f->pool, sizeof(struct waiting));
	f->pool.bound = REMEMBERED_MAX;
	return table_init(&f->table);
}

void in_flight_fini(struct in_flight *f)
{
	table_fini(&f->table);
	pool_fini(&f->pool);
}

static uint32_t hash_of(const struct place *place)
{
	return hash_words(place->sector, (uint64_t)place->disk << 8 | place->op);
}

static struct waiting *waiting_at(const struct in_flight *f, uint32_t node)
{
	return POOL_NODE(&f->pool, struct waiting, node);
}

static bool same(const struct place *a, const struct place *b)
{
	return a->sector == b->sector && a->disk == b->disk && a->op == b->op;
}

/* The earliest to a place, or 0. */
static uint32_t find(const struct in_flight *f, const struct place *place, uint32_t hash)
{
	uint32_t node;

	table_for_each(&f->table, hash, at,
		       node) if (same(&waiting_at(f, node)->place, place)) return node;
	return 0;
}

int in_flight_issue(struct in_flight *f, const struct place *place, uint64_t id)
{
	uint32_t hash = hash_of(place), earliest = find(f, place, hash), node;
	struct waiting *first = earliest ? waiting_at(f, earliest) : NULL;

	if (first && first->requeued) {
		first->requeued = false;
		return 0;
	}
	if (pool_refuses(&f->pool))
		return 1;
	node = pool_take(&f->pool);
	if (!node)
		return -ENOMEM;
	*waiting_at(f, node) = (struct waiting){.place = *place, .id = id, .last = node};
	if (!first)
		return table_add(&f->table, hash, node) ? -ENOMEM : 1;
	waiting_at(f, first->last)->next = node;
	first->last = node;
	return 1;
}

void in_flight_requeue(struct in_flight *f, const struct place *place)
{
	uint32_t earliest = find(f, place, hash_of(place));

	if (earliest)
		waiting_at(f, earliest)->requeued = true;
}

uint64_t in_flight_complete(struct in_flight *f, const struct place *place)
{
	uint32_t hash = hash_of(place), earliest = find(f, place, hash), next;
	uint64_t id;

	if (!earliest)
		return 0;
	id = waiting_at(f, earliest)->id;
	next = waiting_at(f, earliest)->next;
	if (next) {
		waiting_at(f, next)->last = waiting_at(f, earliest)->last;
		table_replace(&f->table, hash, earliest, next);
	} else {
		table_remove(&f->table, hash, earliest);
	}
	pool_give(&f->pool, earliest);
	return id;
}
