/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "common/error.h"
#include "device_time.h"
#include "undecided.h"

#define NS_PER_US  1000u
#define PLACE_MASK ((1ull << CACHE_DISK_SHIFT) - 1)

int device_time_init(struct device_time *t, const char *spec, uint32_t sectors_per_key,
		     bool writes_at_once)
{
	*t = (struct device_time){
		.sectors_per_key = sectors_per_key,
		.writes_at_once = writes_at_once,
	};
	if (device_open(&t->device, spec))
		return -1;
	t->undecided_us = calloc(UNDECIDED_MAX + 1, sizeof(*t->undecided_us));
	return t->undecided_us ? 0 : fail("out of memory for the device \"%s\"", spec);
}

void device_time_fini(struct device_time *t)
{
	device_close(&t->device);
	free(t->undecided_us);
}

static uint64_t access_ns(struct device_time *t, const struct block_ref *ref, bool continues)
{
	const struct device_access access = {
		.sector = (ref->block & PLACE_MASK) * t->sectors_per_key,
		.disk = ref->block >> CACHE_DISK_SHIFT,
		.sectors = ref->sectors,
		.write = ref->op == BLOCK_WRITE,
		.continues = continues,
	};

	return t->device.model->access_ns(t->device.state, &access);
}

/* What the reference keeps the device busy for; 0: it doesn't come to the device. */
static uint64_t take(struct device_time *t, const struct block_ref *ref, bool hit)
{
	bool continues = t->is_open && ref->flags & REF_CONTINUES && ref->block == t->next_block;

	t->is_open = ref->op == BLOCK_WRITE ? t->writes_at_once : !hit;
	t->next_block = ref->block + 1;
	return t->is_open ? access_ns(t, ref, continues) : 0;
}

void device_time_take(struct device_time *t, const struct batch *batch, size_t begin, size_t end,
		      const uint64_t *hits)
{
	for (size_t i = begin; i < end; i++) {
		bool hit = hits && hits[(i - begin) / 64] >> (i - begin) % 64 & 1;
		uint64_t ns = take(t, &batch->ref[i], hit);
		uint64_t us = ns / NS_PER_US;

		if (batch->has_undecided && batch->undecided[i] != UNDECIDED_NONE) {
			ns = us * NS_PER_US;
			t->undecided_us[batch->undecided[i]] = us;
		}
		t->ns[batch->tag[i]] += ns;
		if (t->breakdown)
			breakdown_add_time(t->breakdown, batch, i, ns);
	}
}

void device_time_decide(struct device_time *t, const struct edit *edit)
{
	uint64_t ns = t->undecided_us[edit->decide.place] * (uint64_t)NS_PER_US;

	t->ns[edit->decide.from] -= ns;
	t->ns[edit->decide.to] += ns;
}

void device_time_write_back(struct device_time *t, uint64_t block, bool counts)
{
	const struct block_ref ref = {
		.block = block,
		.sectors = SECTORS_PER_CHUNK,
		.op = BLOCK_WRITE,
	};
	uint64_t ns = access_ns(t, &ref, false);

	t->is_open = false;
	t->write_back_ns += counts ? ns : 0;
}

static void take_batch(struct consumer *consumer, const struct batch *batch)
{
	struct bare_device *bare = container_of(consumer, struct bare_device, consumer);
	size_t begin = 0;

	for (size_t i = 0; i < batch->edits; i++) {
		const struct edit *edit = &batch->edit[i];

		if (edit->kind != EDIT_DECIDE)
			continue;
		device_time_take(&bare->time, batch, begin, edit->at, NULL);
		begin = edit->at;
		device_time_decide(&bare->time, edit);
	}
	device_time_take(&bare->time, batch, begin, batch->refs, NULL);
}

int bare_device_init(struct bare_device *bare, struct cache_feed *feed, const char *spec,
		     uint32_t sectors_per_key)
{
	if (device_time_init(&bare->time, spec, sectors_per_key, true))
		return -1;
	return feed_add_consumer(feed, &bare->consumer, take_batch);
}
