/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layout: what a disk could know from the file system's fixed places: super
 * blocks, group descriptors, bitmaps, inode tables, the journal; XFS's
 * allocation group headers and log. Everything else is data, of files whose size nobody knows:
 * folders, indirect and extent blocks, B+trees are missed.
 *
 * The recorder reads the places when it mounts and leaves them in attributes
 * "layout.DISK.N", each a list of "first+count" in sectors, rising. Without
 * any (Btrfs has no fixed places) nothing is known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "common/error.h"
#include "sim/classifier.h"

#define PLACES_MAX (1u << 20)
#define PREFIX	   "layout."

struct place {
	uint64_t first, end; /* sectors */
	uint32_t disk;
};

struct layout {
	struct place *places; /* sorted by disk and sector once a request has come */
	size_t count, room;
	bool sorted;
	struct hint_batch hints;
};

static int layout_init(void *state, const struct classifier_setup *setup)
{
	struct layout *l = state;

	hint_batch_init(&l->hints, setup->sink, setup->context);
	return 0;
}

static void layout_fini(void *state)
{
	struct layout *l = state;

	free(l->places);
}

static int add_place(struct layout *l, struct place place)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct place *places = reallocarray(l->places, room, sizeof(*places));

		if (!places || room > PLACES_MAX) {
			free(places ? places : l->places);
			l->places = NULL;
			l->count = l->room = 0;
			return fail("the trace's layout of the disk has too many places");
		}
		l->places = places;
		l->room = room;
	}
	l->places[l->count++] = place;
	l->sorted = false;
	return 0;
}

/* "first+count first+count ..."; what is no such list ends it. */
static int take_places(struct layout *l, uint32_t disk, const char *text)
{
	for (;;) {
		uint64_t first, count;
		char *end;

		first = strtoull(text, &end, 10);
		if (end == text || *end != '+')
			return 0;
		text = end + 1;
		count = strtoull(text, &end, 10);
		if (end == text || first + count <= first)
			return 0;
		text = end;
		if (add_place(l, (struct place){first, first + count, disk}))
			return -1;
	}
}

static int take_attribute(struct layout *l, const struct attribute_event *attribute)
{
	char name[64], *value;
	uint32_t disk;
	int rc;

	if (attribute->name.count >= sizeof(name) || attribute->name.count < sizeof(PREFIX) ||
	    memcmp(attribute->name.at, PREFIX, sizeof(PREFIX) - 1))
		return 0;
	memcpy(name, attribute->name.at, attribute->name.count);
	name[attribute->name.count] = '\0';
	if (sscanf(name, PREFIX "%u", &disk) != 1)
		return 0;
	value = strndup(attribute->value.at, attribute->value.count);
	if (!value)
		return fail("out of memory for the layout of the disk");
	rc = take_places(l, disk, value);
	free(value);
	return rc;
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->disk != y->disk)
		return x->disk < y->disk ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

/* Sorted, and none reaches into the next. */
static void sort(struct layout *l)
{
	size_t kept = 0;

	qsort(l->places, l->count, sizeof(*l->places), by_place);
	for (size_t i = 1; i < l->count; i++) {
		struct place *last = &l->places[kept], *next = &l->places[i];

		if (next->disk == last->disk && next->first <= last->end)
			last->end = next->end > last->end ? next->end : last->end;
		else
			l->places[++kept] = *next;
	}
	l->count = l->count ? kept + 1 : 0;
	l->sorted = true;
}

/* Does a sector from first up to, not including, end lie in a fixed place? */
static bool is_fixed(const struct layout *l, uint32_t disk, uint64_t first, uint64_t end)
{
	size_t low = 0, high = l->count; /* the first place that ends behind first */

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct place *place = &l->places[middle];

		if (place->disk < disk || (place->disk == disk && place->end <= first))
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->count && l->places[low].disk == disk && l->places[low].first < end;
}

static void take_block(struct layout *l, const struct event *event)
{
	const struct block_event *block = &event->block;
	uint32_t chunks = block->sectors / SECTORS_PER_CHUNK;

	if (block->op > BLOCK_WRITE || !l->count || chunks > CLASSIFIER_CHUNKS_MAX)
		return;
	if (!l->sorted)
		sort(l);
	for (uint32_t i = 0; i < chunks; i++) {
		struct hint_event *hint = hint_at_issue(&l->hints, event, i);
		uint64_t first = block->sector + (uint64_t)i * SECTORS_PER_CHUNK;

		if (is_fixed(l, block->disk, first, first + SECTORS_PER_CHUNK))
			hint_is_metadata(hint, REASON_RULE);
		else
			hint_is_data(hint, REASON_RULE, CLASS_REST);
	}
}

static int layout_feed(void *state, const struct event *events, size_t count)
{
	struct layout *l = state;

	for (const struct event *e = events; e < events + count; e++) {
		if (e->kind == EVENT_BLOCK)
			take_block(l, e);
		else if (e->kind == EVENT_ATTRIBUTE && take_attribute(l, &e->attribute))
			return -1;
	}
	hint_batch_flush(&l->hints);
	return 0;
}

static bool layout_has_evidence(const void *state)
{
	const struct layout *l = state;

	return l->count;
}

CLASSIFIER(layout){
	.head =
		{
			.kind = "classifier",
			.name = "layout",
			.summary = "baseline: the file system's fixed places are metadata, "
				   "the rest data",
			.source = "Linux, Documentation/filesystems/ext4; XFS Algorithms & Data "
				  "Structures",
		},
	.state_bytes = sizeof(struct layout),
	.kinds = KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_ATTRIBUTE),
	.at_issue = true,
	.init = layout_init,
	.fini = layout_fini,
	.feed = layout_feed,
	.has_evidence = layout_has_evidence,
};
