/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tables of slots (models/cache/cache_slots.h), since a bounded table whose
 * oldest entry leaves is what they are: chunks by their name, and for each
 * block its newest chunk. A chunk that isn't the newest has no entry in the
 * second.
 */
#include <stdlib.h>

#include "models/cache/cache_slots.h"
#include "undecided.h"

#define BY_AGE 0

struct chunk_place {
	uint64_t block;
	uint32_t sectors;
	uint32_t newest; /* its slot in `newest`, or 0 */
	uint16_t tag;
};

struct undecided {
	struct cache_slots chunks, newest;
	struct chunk_place *place; /* of each slot of chunks */
	uint32_t *chunk_of;	   /* of each slot of newest: the slot in chunks */
	uint32_t peak;
	uint64_t dropped;
};

struct undecided *undecided_new(void)
{
	struct undecided *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->place = calloc(UNDECIDED_MAX + 1, sizeof(*u->place));
	u->chunk_of = calloc(UNDECIDED_MAX + 1, sizeof(*u->chunk_of));
	if (u->place && u->chunk_of && !cache_slots_init(&u->chunks, UNDECIDED_MAX, 1) &&
	    !cache_slots_init(&u->newest, UNDECIDED_MAX, 1))
		return u;
	undecided_free(u);
	return NULL;
}

void undecided_free(struct undecided *u)
{
	if (!u)
		return;
	cache_slots_fini(&u->chunks);
	cache_slots_fini(&u->newest);
	free(u->place);
	free(u->chunk_of);
	free(u);
}

/*
 * One number for a chunk's name: unambiguous for 4096 disks, 2^18 chunks a
 * request and 2^34 requests in succession.
 */
static uint64_t name_of_chunk(const struct undecided_chunk *chunk)
{
	return (uint64_t)chunk->disk << 52 ^ chunk->request << 18 ^ chunk->chunk;
}

static void drop_newest(struct undecided *u, uint32_t slot)
{
	u->place[u->chunk_of[slot]].newest = 0;
	slots_release(&u->newest, slot);
}

static void drop_chunk(struct undecided *u, uint32_t slot)
{
	if (u->place[slot].newest)
		drop_newest(u, u->place[slot].newest);
	slots_unlink(&u->chunks, slot);
	slots_release(&u->chunks, slot);
}

void undecided_supersede(struct undecided *u, uint64_t block)
{
	uint32_t slot = slots_find(&u->newest, block);

	if (slot)
		drop_newest(u, slot);
}

static void make_room(struct undecided *u, uint64_t name)
{
	uint32_t same = slots_find(&u->chunks, name);

	if (same)
		drop_chunk(u, same);
	if (u->chunks.used < u->chunks.capacity)
		return;
	drop_chunk(u, slots_oldest(&u->chunks, BY_AGE));
	u->dropped++;
}

uint32_t undecided_add(struct undecided *u, const struct undecided_chunk *chunk, uint64_t block,
		       uint32_t sectors, uint16_t tag)
{
	struct block_ref name = {.block = name_of_chunk(chunk), .io_class = CLASS_UNDECIDED};
	struct block_ref key = {.block = block, .io_class = CLASS_UNDECIDED};
	uint32_t slot, newest;

	make_room(u, name.block);
	undecided_supersede(u, block);
	slot = slots_take(&u->chunks, &name);
	slots_link_newest(&u->chunks, BY_AGE, slot);
	newest = slots_take(&u->newest, &key);
	u->chunk_of[newest] = slot;
	u->place[slot] = (struct chunk_place){
		.block = block, .sectors = sectors, .newest = newest, .tag = tag};
	if (u->chunks.used > u->peak)
		u->peak = u->chunks.used;
	return slot;
}

bool undecided_decide(struct undecided *u, const struct undecided_chunk *chunk,
		      struct decided *decided)
{
	uint32_t slot = slots_find(&u->chunks, name_of_chunk(chunk));
	const struct chunk_place *place = &u->place[slot];

	if (!slot)
		return false;
	*decided = (struct decided){
		.place = slot,
		.tag = place->tag,
		.sectors = place->sectors,
		.block = place->block,
		.newest = place->newest != 0,
	};
	drop_chunk(u, slot);
	return true;
}

uint32_t undecided_peak(const struct undecided *u)
{
	return u->peak;
}

uint64_t undecided_dropped(const struct undecided *u)
{
	return u->dropped;
}
