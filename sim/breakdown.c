/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "breakdown.h"
#include "common/component.h"
#include "common/error.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static int by_bytes(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What is as large as a class's bound is no longer of that class. */
void file_groups_init(struct file_groups *groups, const struct pipeline_options *options)
{
	const uint64_t *bound = options->size_bound_bytes;

	*groups = (struct file_groups){{
		4 * KIB,
		16 * KIB,
		64 * KIB,
		256 * KIB,
		MIB,
		bound[0] - 1,
		bound[1] - 1,
		bound[2] - 1,
		bound[3] - 1,
		64 * MIB,
		GIB,
		UINT64_MAX,
	}};
	qsort(groups->most_bytes, FILE_GROUPS, sizeof(*groups->most_bytes), by_bytes);
}

uint8_t group_of_chunk(const struct file_groups *groups, const struct chunk_truth *truth,
		       uint64_t bytes)
{
	uint8_t i = 0;

	if (truth->what == CHUNK_METADATA)
		return GROUP_METADATA;
	if (truth->what != CHUNK_DATA)
		return GROUP_UNKNOWN;
	while (bytes > groups->most_bytes[i])
		i++;
	return GROUP_FILES + i;
}

uint64_t breakdown_bytes(bool by_truth, bool by_disk)
{
	return ((by_truth ? GROUPS : 0) + (by_disk ? BREAKDOWN_DISKS : 0)) *
	       sizeof(struct breakdown_part);
}

int breakdown_init(struct breakdown *b, bool by_truth, bool by_disk)
{
	*b = (struct breakdown){0};
	if (by_truth)
		b->group = calloc(GROUPS, sizeof(*b->group));
	if (by_disk)
		b->disk = calloc(BREAKDOWN_DISKS, sizeof(*b->disk));
	if ((by_truth && !b->group) || (by_disk && !b->disk))
		return fail("out of memory for the results by truth and disk");
	return 0;
}

void breakdown_fini(struct breakdown *b)
{
	free(b->group);
	free(b->disk);
}

static struct breakdown_part *disk_of(const struct breakdown *b, const struct batch *batch,
				      size_t i)
{
	return &b->disk[batch->ref[i].block >> CACHE_DISK_SHIFT];
}

static void count(struct breakdown_part *part, unsigned int side, uint32_t sectors)
{
	part->side[side].references++;
	part->side[side].sectors += sectors;
}

static void count_reference(struct breakdown *b, const struct batch *batch, size_t i)
{
	unsigned int side = side_of_tag(batch->tag[i]);

	if (side & SIDE_WARM_UP)
		return;
	if (b->group)
		count(&b->group[batch->group[i]], side, batch->ref[i].sectors);
	if (b->disk)
		count(disk_of(b, batch, i), side, batch->ref[i].sectors);
}

void breakdown_take(struct breakdown *b, const struct batch *batch, size_t begin, size_t end,
		    const uint64_t *hits)
{
	for (size_t i = begin; i < end; i++)
		if (hits[(i - begin) / 64] >> (i - begin) % 64 & 1)
			count_reference(b, batch, i);
}

void breakdown_add_time(struct breakdown *b, const struct batch *batch, size_t i, uint64_t ns)
{
	if (side_of_tag(batch->tag[i]) & SIDE_WARM_UP)
		return;
	if (b->group)
		b->group[batch->group[i]].ns += ns;
	if (b->disk)
		disk_of(b, batch, i)->ns += ns;
}

static void take_all(struct consumer *consumer, const struct batch *batch)
{
	struct breakdown *b = container_of(consumer, struct breakdown, consumer);

	for (size_t i = 0; i < batch->refs; i++)
		count_reference(b, batch, i);
}

int breakdown_listen(struct breakdown *b, struct cache_feed *feed)
{
	return feed_add_consumer(feed, &b->consumer, take_all);
}
