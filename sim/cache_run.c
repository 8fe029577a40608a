/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache_run.h"
#include "common/component.h"
#include "common/error.h"

#define BITS_PER_WORD 64

void cache_run_fini(struct cache_run *run)
{
	cache_close(&run->cache);
	free(run->undecided_hits);
	free(run->contents);
	free(run->hits_until);
	write_back_free(run->write_back);
	if (run->device)
		device_time_fini(run->device);
	free(run->device);
	if (run->breakdown)
		breakdown_fini(run->breakdown);
	free(run->breakdown);
}

static void note_undecided(struct cache_run *run, uint32_t place, bool hit)
{
	uint64_t bit = 1ull << place % BITS_PER_WORD;

	if (hit)
		run->undecided_hits[place / BITS_PER_WORD] |= bit;
	else
		run->undecided_hits[place / BITS_PER_WORD] &= ~bit;
}

uint64_t cache_run_bytes(const struct cache_run *run)
{
	uint64_t breakdown =
		run->breakdown ? breakdown_bytes(run->breakdown->group, run->breakdown->disk) : 0;

	return sizeof(*run) + cache_bytes(&run->cache) + breakdown +
	       run->samples * (sizeof(*run->contents) + sizeof(*run->hits_until));
}

static bool is_hit(const uint64_t *hits, size_t i)
{
	return hits[i / 64] >> i % 64 & 1;
}

/* Hits of references that may differ. */
static void count_each(struct cache_run *run, const struct batch *batch, size_t begin, size_t end,
		       const uint64_t *hits)
{
	uint64_t misses[SIDES] = {0};
	bool is_whole = run->is_whole;

	for (size_t i = begin; i < end; i++) {
		struct tally *tally = &run->hits[batch->tag[i]];
		uint64_t hit = is_hit(hits, i - begin);

		tally->references += hit;
		tally->sectors += -hit & batch->ref[i].sectors;
		is_whole |= !(batch->ref[i].flags & REF_CONTINUES);
		misses[side_of_tag(batch->tag[i])] += is_whole & !hit;
		is_whole &= hit;
	}
	run->is_whole = is_whole;
	for (unsigned int side = 0; side < SIDES; side++)
		run->request_misses[side] += misses[side];
}

static void count_side(struct cache_run *run, uint16_t tag, uint32_t sectors, uint64_t references,
		       uint64_t hits)
{
	run->hits[tag].references += hits;
	run->hits[tag].sectors += hits * sectors;
	run->request_misses[side_of_tag(tag)] += references - hits;
}

/* Of references that are reads or writes, but alike otherwise. */
static void count_alike(struct cache_run *run, const struct batch *batch, size_t begin, size_t end,
			const uint64_t *hits, size_t count)
{
	uint16_t of_writes = batch->tag[0] | TAG_WRITES, of_reads = of_writes ^ TAG_WRITES;
	uint64_t writes = 0, write_hits = 0;

	for (size_t i = begin; i < end; i += 64) {
		uint64_t word = batch_writes(batch, i, end);

		writes += __builtin_popcountll(word);
		write_hits += __builtin_popcountll(word & hits[(i - begin) / 64]);
	}
	count_side(run, of_reads, batch->ref[0].sectors, end - begin - writes, count - write_hits);
	count_side(run, of_writes, batch->ref[0].sectors, writes, write_hits);
	run->is_whole = is_hit(hits, end - begin - 1);
}

static void run_references(struct cache_run *run, const struct batch *batch, size_t begin,
			   size_t end)
{
	const struct cache_batch part = {
		.count = end - begin,
		.ref = &batch->ref[begin],
		.next_use = batch->has_future ? &batch->next_use[begin] : NULL,
		.first = batch->first + begin,
	};
	uint64_t hits[HIT_WORDS(BATCH_REFS)];
	size_t count = run->cache.model->access(run->cache.state, &part, hits);

	if (batch->is_mixed)
		count_each(run, batch, begin, end, hits);
	else
		count_alike(run, batch, begin, end, hits, count);
	if (run->breakdown)
		breakdown_take(run->breakdown, batch, begin, end, hits);
	if (run->device)
		device_time_take(run->device, batch, begin, end, hits);
	if (run->write_back)
		write_back_take(run->write_back, &part, &batch->tag[begin], hits);
	if (run->census)
		census_count_misses(run->census, &part, hits);
	for (size_t i = begin; batch->has_undecided && i < end; i++)
		if (batch->undecided[i] != UNDECIDED_NONE)
			note_undecided(run, batch->undecided[i], is_hit(hits, i - begin));
}

static void edit_remove(struct cache_run *run, const struct edit *edit)
{
	if (run->write_back)
		write_back_discard(run->write_back, &run->cache, edit->remove.first,
				   edit->remove.count);
	run->cache.model->remove(run->cache.state, edit->remove.first, edit->remove.count);
}

/* The reference is counted again under its class; the block takes it if it is still cached. */
static void edit_decide(struct cache_run *run, const struct edit *edit)
{
	uint32_t place = edit->decide.place;

	if (run->undecided_hits[place / BITS_PER_WORD] >> place % BITS_PER_WORD & 1) {
		run->hits[edit->decide.from].references--;
		run->hits[edit->decide.from].sectors -= edit->decide.sectors;
		run->hits[edit->decide.to].references++;
		run->hits[edit->decide.to].sectors += edit->decide.sectors;
	}
	if (run->device)
		device_time_decide(run->device, edit);
	if (edit->decide.reaches_cache)
		run->cache.model->set_class(run->cache.state, edit->decide.block,
					    edit->decide.io_class);
}

static void edit_sample(struct cache_run *run, const struct edit *edit)
{
	uint32_t blocks[CLASS_VALUES] = {0};

	run->cache.model->contents(run->cache.state, blocks);
	memcpy(run->contents[edit->sample], blocks, CLASS_COUNT * sizeof(*blocks));
	run->contents[edit->sample][CLASS_COUNT] = blocks[CLASS_UNDECIDED];
	tally_sides(run->hits, run->hits_until[edit->sample]);
}

/* Keeps every second sample of the contents. */
static void edit_thin_out(struct cache_run *run, const struct edit *edit)
{
	for (size_t i = 1; 2 * i < SAMPLES_MAX; i++) {
		memcpy(run->contents[i], run->contents[2 * i], sizeof(*run->contents));
		memcpy(run->hits_until[i], run->hits_until[2 * i], sizeof(*run->hits_until));
	}
}

static void (*const edits[])(struct cache_run *run, const struct edit *edit) = {
	[EDIT_REMOVE] = edit_remove,
	[EDIT_DECIDE] = edit_decide,
	[EDIT_SAMPLE] = edit_sample,
	[EDIT_THIN_OUT] = edit_thin_out,
};

static void take(struct consumer *consumer, const struct batch *batch)
{
	struct cache_run *run = container_of(consumer, struct cache_run, consumer);
	size_t begin = 0;

	for (size_t i = 0; i < batch->edits; i++) {
		const struct edit *edit = &batch->edit[i];

		if (edit->at > begin)
			run_references(run, batch, begin, edit->at);
		begin = edit->at;
		edits[edit->kind](run, edit);
	}
	if (batch->refs > begin)
		run_references(run, batch, begin, batch->refs);
}

static int make_samples(struct cache_run *run, uint32_t samples)
{
	free(run->contents);
	free(run->hits_until);
	run->samples = samples;
	run->contents = calloc(samples, sizeof(*run->contents));
	run->hits_until = calloc(samples, sizeof(*run->hits_until));
	return run->contents && run->hits_until ? 0 : -ENOMEM;
}

int cache_run_use_windows(struct cache_run *run)
{
	return make_samples(run, WINDOWS_MAX + 1) ? fail("out of memory for the windows") : 0;
}

int cache_run_use_breakdown(struct cache_run *run, bool by_truth, bool by_disk)
{
	run->breakdown = calloc(1, sizeof(*run->breakdown));
	if (!run->breakdown)
		return fail("out of memory for the results by truth and disk");
	return breakdown_init(run->breakdown, by_truth, by_disk);
}

int cache_run_use_device(struct cache_run *run, const char *spec, uint32_t sectors_per_key,
			 bool writes_at_once)
{
	run->device = calloc(1, sizeof(*run->device));
	if (!run->device)
		return fail("out of memory for the device \"%s\"", spec);
	if (device_time_init(run->device, spec, sectors_per_key, writes_at_once))
		return -1;
	run->device->breakdown = run->breakdown;
	return 0;
}

int cache_run_use_write_back(struct cache_run *run)
{
	run->write_back = write_back_new(run->device);
	return run->write_back ? 0 : fail("out of memory for the blocks to write back");
}

int cache_run_init(struct cache_run *run, struct cache_feed *feed, const char *spec,
		   uint32_t capacity)
{
	memset(run, 0, sizeof(*run));
	run->undecided_hits =
		calloc(UNDECIDED_MAX / BITS_PER_WORD + 1, sizeof(*run->undecided_hits));
	if (!run->undecided_hits || make_samples(run, SAMPLES_MAX))
		return fail("out of memory for the results of \"%s\"", spec);
	if (cache_open(&run->cache, spec, capacity))
		return -1;
	run->consumer.take = take;
	return feed ? feed_add_consumer(feed, &run->consumer, take) : 0;
}
