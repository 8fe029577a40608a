/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the disk was given last at its newest places.
 *
 * A read that no call took anything of was for metadata, or it was read ahead.
 * Where the disk gives back, at the same place, what it was given as a file's
 * data, it was the latter. To know that of every place would take memory in
 * proportion to the disk; so each chunk has one slot of a table of fixed size,
 * and the newer of two chunks that share a slot has it.
 */
#include <stdlib.h>

#include "capture/event.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/stored.h"

/* Chunks that follow each other do so in the table, too; longer stretches lie anywhere. */
static struct stored *slot_of(const struct pipeline *p, uint32_t disk, uint64_t sector)
{
	uint64_t chunk = sector / SECTORS_PER_CHUNK;

	return &p->stored[(chunk ^ hash_words(chunk / STORED_MAX, disk)) % STORED_MAX];
}

static bool is_at(const struct stored *s, uint32_t disk, uint64_t sector)
{
	return s->sum != SUM_UNKNOWN && s->sector == sector && s->disk == disk;
}

static void forget(struct pipeline *p, struct stored *s)
{
	p->stored_count -= s->sum != SUM_UNKNOWN;
	s->sum = SUM_UNKNOWN;
}

void stored_note(struct pipeline *p, uint32_t disk, uint64_t sector, uint64_t sum, uint32_t file,
		 uint64_t index)
{
	const struct file *f = file ? FILE_AT(p, file) : NULL;
	struct stored *s = slot_of(p, disk, sector);

	if (is_at(s, disk, sector))
		forget(p, s);
	if (!f || !f->identified || sum == SUM_UNKNOWN || index == OFFSET_UNKNOWN)
		return;
	p->counters.stored_forgotten += s->sum != SUM_UNKNOWN;
	forget(p, s);
	*s = (struct stored){.sector = sector,
			     .sum = sum,
			     .device = f->device,
			     .inode = f->inode,
			     .index = index,
			     .disk = disk};
	if (++p->stored_count > p->stored_peak)
		p->stored_peak = p->stored_count;
}

const struct stored *stored_find(const struct pipeline *p, uint32_t disk, uint64_t sector,
				 uint64_t sum)
{
	const struct stored *s = slot_of(p, disk, sector);

	return sum != SUM_UNKNOWN && s->sum == sum && is_at(s, disk, sector) ? s : NULL;
}
