/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast the cache models are, without any decoding: 20 M references to 1 M
 * objects (zipf 0.9; the same with scans), a cache of 100,000, batches as the
 * simulator makes them. Beside each rate stand its ratios to two that are measured in the
 * same run, in as much memory: a bare probe, which looks a block up and moves it in its list,
 * and look-ups that each wait for the one before, which is what the machine does without
 * fetching ahead. The best of RUNS each, by CPU time, since a bench may have to share its
 * machine; then the memory of a cached block.
 *
 * cache_models [SPEC]...	without arguments: every registered policy
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "models/cache/cache_slots.h"
#include "sim/future.h"
#include "tests/bench/zipf.h"

#define REFERENCES 20000000u
#define OBJECTS	   1000000u
#define CAPACITY   100000u
#define BATCH	   4096u
#define RUNS	   3

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static struct block_ref *make_references(bool scans)
{
	uint64_t *block = zipf_blocks(REFERENCES, OBJECTS, 0.9);
	struct block_ref *ref = malloc(REFERENCES * sizeof(*ref));

	if (!block || !ref) {
		fprintf(stderr, "not enough memory for %u references\n", REFERENCES);
		exit(1);
	}
	if (scans)
		add_scans(block, REFERENCES);
	for (size_t i = 0; i < REFERENCES; i++)
		ref[i] = (struct block_ref){.block = block[i], .io_class = CLASS_UNDECIDED};
	free(block);
	return ref;
}

static uint64_t *make_future(const struct block_ref *ref)
{
	uint64_t *next = malloc(REFERENCES * sizeof(*next));
	struct future future;

	if (!next || future_init(&future))
		exit(1);
	for (size_t i = 0; i < REFERENCES; i++)
		if (future_add(&future, ref[i].block))
			exit(1);
	future_next_uses(&future, 0, REFERENCES, next);
	future_fini(&future);
	return next;
}

static size_t run_batches(const struct cache *cache, const struct block_ref *ref,
			  const uint64_t *next_use)
{
	static uint64_t hits_of[HIT_WORDS(BATCH)];
	size_t hits = 0;

	for (size_t i = 0; i < REFERENCES; i += BATCH) {
		size_t n = REFERENCES - i < BATCH ? REFERENCES - i : BATCH;

		const struct cache_batch batch = {
			.count = n, .ref = ref + i, .next_use = next_use + i, .first = i};

		hits += cache->model->access(cache->state, &batch, hits_of);
	}
	return hits;
}

struct measured {
	double rate; /* M references/s */
	double miss_ratio, block_bytes;
};

static struct measured measure(const char *spec, const struct block_ref *ref,
			       const uint64_t *next_use)
{
	struct measured best = {0};

	for (int run = 0; run < RUNS; run++) {
		struct cache cache;
		double begin, rate;
		size_t hits;

		if (cache_open(&cache, spec, CAPACITY))
			exit(1);
		begin = now_s();
		hits = run_batches(&cache, ref, next_use);
		rate = REFERENCES / (now_s() - begin) / 1e6;
		best.miss_ratio = 1 - (double)hits / REFERENCES;
		best.block_bytes = (double)cache_bytes(&cache) / CAPACITY;
		best.rate = rate > best.rate ? rate : best.rate;
		cache_close(&cache);
	}
	return best;
}

/* Slots that hold the first of the references. */
static void fill(struct cache_slots *slots, const struct block_ref *ref)
{
	if (cache_slots_init(slots, CAPACITY, 1))
		exit(1);
	for (size_t i = 0; slots->used < CAPACITY; i++)
		if (!slots_find(slots, ref[i].block))
			slots_link_newest(slots, 0, slots_take(slots, &ref[i]));
}

static uint64_t probe(struct cache_slots *slots, const struct block_ref *ref)
{
	uint64_t found = 0;

	for (size_t i = 0; i < REFERENCES; i++) {
		uint32_t slot;

		slots_fetch_ahead(slots, &ref[i], REFERENCES - i);
		slot = slots_find(slots, ref[i].block);
		if (slot)
			slots_refresh(slots, slot);
		found += slot != 0;
	}
	return found;
}

/* What is looked up is a number that takes the slot before it to make: its top bit is 0. */
static uint64_t look_up_in_turn(struct cache_slots *slots, const struct block_ref *ref)
{
	uint64_t found = 0;
	uint32_t slot = 0;

	for (size_t i = 0; i < REFERENCES; i++) {
		slot = slots_find(slots, ref[i].block + (slot >> 31));
		found += slot != 0;
	}
	return found;
}

static double bare_rate(const struct block_ref *ref,
			uint64_t (*look)(struct cache_slots *slots, const struct block_ref *ref))
{
	struct cache_slots slots = {0};
	double best = 0;

	fill(&slots, ref);
	for (int run = 0; run < RUNS; run++) {
		double begin = now_s(), rate;
		volatile uint64_t found = look(&slots, ref);

		rate = found ? REFERENCES / (now_s() - begin) / 1e6 : 0;
		best = rate > best ? rate : best;
	}
	cache_slots_fini(&slots);
	return best;
}

static void bench(const char *label, bool scans, const char *const *specs, size_t count)
{
	struct block_ref *ref = make_references(scans);
	uint64_t *next_use = make_future(ref);
	double probed = bare_rate(ref, probe), in_turn = bare_rate(ref, look_up_in_turn);

	printf("%s: M references/s, of a bare probe, of look-ups in turn, miss ratio, bytes a "
	       "cached block\n",
	       label);
	printf("  %-22s %6.1f\n", "(bare probe)", probed);
	printf("  %-22s %6.1f\n", "(look-ups in turn)", in_turn);
	for (size_t i = 0; i < count; i++) {
		struct measured m = measure(specs[i], ref, next_use);

		printf("  %-22s %6.1f  %5.2f  %5.2f  %.4f  %5.1f\n", specs[i], m.rate,
		       m.rate / probed, m.rate / in_turn, m.miss_ratio, m.block_bytes);
	}
	free(next_use);
	free(ref);
}

int main(int argc, char **argv)
{
	const struct component *list[64];
	const char *names[64];
	const char *const *specs = (const char *const *)argv + 1;
	size_t count = argc - 1;

	if (!count) {
		count = component_collect("cache", list, 64);
		for (size_t i = 0; i < count; i++)
			names[i] = list[i]->name;
		specs = names;
	}
	bench("zipf", false, specs, count);
	bench("scan", true, specs, count);
	return 0;
}
