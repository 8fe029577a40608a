/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "future.h"
#include "models/cache/cache_model.h"

#define FIRST_BITS 12

static struct last_use *place_of(const struct future *f, uint64_t block)
{
	uint64_t i = future_home(f, block);

	while (f->last[i].reference && f->last[i].block != block)
		i = (i + 1) & (f->places - 1);
	return &f->last[i];
}

static int make_places(struct future *f, unsigned int bits)
{
	f->places = 1ull << bits;
	f->shift = 64 - bits;
	f->last = calloc(f->places, sizeof(*f->last));
	return f->last ? 0 : -ENOMEM;
}

int future_init(struct future *f)
{
	*f = (struct future){0};
	return make_places(f, FIRST_BITS);
}

void future_fini(struct future *f)
{
	free(f->next);
	free(f->last);
	*f = (struct future){0};
}

static int grow_places(struct future *f)
{
	struct last_use *old = f->last, *end = old + f->places;

	if (make_places(f, 64 - f->shift + 1)) {
		free(old);
		return -ENOMEM;
	}
	for (const struct last_use *u = old; u < end; u++)
		if (u->reference)
			*place_of(f, u->block) = *u;
	free(old);
	return 0;
}

static int grow_references(struct future *f)
{
	size_t room = f->room ? 2 * f->room : 65536;
	uint32_t *next = reallocarray(f->next, room, sizeof(*next));

	if (!next)
		return -ENOMEM;
	f->next = next;
	f->room = room;
	return 0;
}

int future_add(struct future *f, uint64_t block)
{
	struct last_use *last;

	if (f->count == FUTURE_MAX)
		return -EOVERFLOW;
	if (2 * f->blocks == f->places && grow_places(f))
		return -ENOMEM;
	if (f->count == f->room && grow_references(f))
		return -ENOMEM;
	last = place_of(f, block);
	if (last->reference)
		f->next[last->reference - 1] = f->count;
	else
		f->blocks++;
	f->next[f->count++] = FUTURE_NEVER;
	*last = (struct last_use){block, f->count};
	return 0;
}

void future_end(struct future *f)
{
	free(f->last);
	f->last = NULL;
}

void future_next_uses(const struct future *f, uint64_t first, size_t count, uint64_t *next)
{
	for (size_t i = 0; i < count; i++)
		next[i] = f->next[first + i] == FUTURE_NEVER ? NEVER : f->next[first + i];
}
