/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Miss-ratio curves: stack distances against caches that are lists, curves against
 * simulations, samples against all.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/source.h"
#include "models/cache/cache_random.h"
#include "sim/lru_curve.h"
#include "sim/mrc.h"
#include "tests/bench/zipf.h"

static const char *trace_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/sky-mrc-%d.h5", getpid());
	return path;
}

static void forget_trace(void)
{
	unlink(trace_path());
}

TestSuite(mrc, .fini = forget_trace);

/* An LRU cache as slow as can be: an array, the last used first. */
struct slow_cache {
	uint64_t block[64];
	size_t used, size;
};

static void take_out(struct slow_cache *c, size_t at)
{
	memmove(&c->block[at], &c->block[at + 1], (--c->used - at) * sizeof(*c->block));
}

static bool slow_use(struct slow_cache *c, uint64_t block)
{
	size_t at = 0;
	bool hit;

	while (at < c->used && c->block[at] != block)
		at++;
	hit = at < c->used;
	if (hit)
		take_out(c, at);
	else if (c->used == c->size)
		c->used--;
	memmove(&c->block[1], c->block, c->used++ * sizeof(*c->block));
	c->block[0] = block;
	return hit;
}

static void slow_remove(struct slow_cache *c, uint64_t first, uint64_t count)
{
	for (size_t at = c->used; at-- > 0;)
		if (c->block[at] - first < count)
			take_out(c, at);
}

#define SIZES 24

static void compare_with_caches(uint64_t seed, uint32_t blocks, uint32_t removals)
{
	struct slow_cache cache[SIZES] = {0};
	uint64_t random = cache_random_seed(seed);
	struct lru_stack stack;

	cr_assert_eq(lru_stack_init(&stack), 0);
	for (size_t i = 0; i < SIZES; i++)
		cache[i].size = i + 1;
	for (size_t step = 0; step < 300; step++) {
		uint64_t block = cache_random_below(cache_random(&random), blocks);
		uint32_t depth;

		if (cache_random_below(cache_random(&random), 100) < removals) {
			uint64_t count = 1 + cache_random_below(cache_random(&random), 6);

			/* beyond the table's places, too */
			count += step % 7 ? 0 : 1u << 20;
			cr_assert_eq(lru_stack_remove(&stack, block, count), 0);
			for (size_t i = 0; i < SIZES; i++)
				slow_remove(&cache[i], block, count);
			continue;
		}
		cr_assert_eq(lru_stack_use(&stack, &block, 1, &depth), 0);
		for (size_t i = 0; i < SIZES; i++)
			cr_assert_eq(slow_use(&cache[i], block), depth && depth <= i + 1,
				     "seed %lu, step %zu, size %zu, depth %u", seed, step, i + 1,
				     depth);
	}
	lru_stack_fini(&stack);
}

Test(mrc, a_depth_is_the_least_cache_that_hits)
{
	for (uint64_t seed = 0; seed < 1000; seed++)
		compare_with_caches(seed, 3 + seed % 40, 0);
}

Test(mrc, removed_blocks_leave_room_at_their_depth)
{
	for (uint64_t seed = 0; seed < 2000; seed++)
		compare_with_caches(seed, 3 + seed % 40, 1 + seed % 20);
}

/* Move to front in an array. */
static uint32_t slow_depth(uint64_t *list, size_t *used, uint64_t block)
{
	size_t at = 0, depth;

	while (at < *used && list[at] != block)
		at++;
	depth = at < *used ? at + 1 : 0;
	*used += !depth;
	memmove(&list[1], list, at * sizeof(*list));
	list[0] = block;
	return depth;
}

Test(mrc, depths_stay_right_where_positions_are_numbered_anew)
{
	static uint64_t list[4096], block[200];
	static uint32_t depth[200];
	uint64_t random = cache_random_seed(1);
	size_t used = 0;
	struct lru_stack stack;

	cr_assert_eq(lru_stack_init(&stack), 0);
	for (size_t step = 0; step < 500; step++) {
		/* the working set grows, so that the window does */
		for (size_t i = 0; i < 200; i++)
			block[i] = cache_random_below(cache_random(&random), 8 * (step + 1)) *
				   0x123456789u;
		cr_assert_eq(lru_stack_use(&stack, block, 200, depth), 0);
		for (size_t i = 0; i < 200; i++)
			cr_assert_eq(depth[i], slow_depth(list, &used, block[i]));
	}
	cr_expect_eq(stack.distinct, used);
	lru_stack_fini(&stack);
}

static bool is_even(const void *context, uint64_t block)
{
	return block % 2 == 0;
}

Test(mrc, a_stack_forgets_blocks_as_if_they_had_never_been)
{
	uint64_t random = cache_random_seed(2);
	struct lru_stack all, even;

	cr_assert_eq(lru_stack_init(&all) || lru_stack_init(&even), 0);
	for (size_t step = 0; step < 2000; step++) {
		uint64_t block = cache_random_below(cache_random(&random), 500);
		uint32_t depth, of_even;

		if (step == 1000)
			cr_assert_eq(lru_stack_keep(&all, is_even, NULL), 0);
		if (block % 2 && step >= 1000)
			continue;
		cr_assert_eq(lru_stack_use(&all, &block, 1, &depth), 0);
		if (block % 2)
			continue;
		cr_assert_eq(lru_stack_use(&even, &block, 1, &of_even), 0);
		if (step >= 1000)
			cr_assert_eq(depth, of_even, "step %zu", step);
	}
	cr_expect_eq(all.distinct, even.distinct);
	lru_stack_fini(&all);
	lru_stack_fini(&even);
}

Test(mrc, a_sample_holds_its_share_and_lies_in_larger_ones)
{
	struct sample small = sample_make(0.01, 7), large = sample_make(0.04, 7);
	struct sample other = sample_make(0.01, 8), all = sample_make(1, 7);
	size_t in = 0, in_both = 0;

	for (uint64_t block = 0; block < 1000000; block++) {
		in += sample_has(&small, block);
		in_both += sample_has(&small, block) && sample_has(&other, block);
		cr_assert(!sample_has(&small, block) || sample_has(&large, block));
		cr_assert(sample_has(&all, block));
	}
	cr_expect(in > 9500 && in < 10500, "%zu", in);
	cr_expect(in_both > 60 && in_both < 140, "%zu", in_both);
}

/* Set caches with as many sets as a sample's, fed by one thread. */
struct sets_fed {
	struct crew *crew;
	struct cache_feed feed;
	struct set_caches sets;
};

static void begin_sets(struct sets_fed *f)
{
	*f = (struct sets_fed){.crew = crew_new(1)};
	cr_assert_not_null(f->crew);
	cr_assert_eq(feed_init(&f->feed, f->crew), 0);
	cr_assert_eq(set_caches_of_all(&f->sets, 1, &f->feed), 0);
}

static void end_sets(struct sets_fed *f)
{
	feed_fini(&f->feed);
	set_caches_fini(&f->sets);
	crew_free(f->crew);
}

static void use_block(struct sets_fed *f, uint64_t block, uint8_t io_class, uint32_t place)
{
	const struct block_ref ref = {.block = block, .sectors = 3, .io_class = io_class};

	feed_reference(&f->feed, &ref, tag_of(0, io_class), place);
}

#define ROUNDS 10

/*
 * Blocks in turn: those of a set that has k of them are found below k - 1 others, each time
 * but the first, or never where there are more than ways.
 */
Test(mrc, sets_hold_the_blocks_that_were_used_last)
{
	for (unsigned int blocks = 1; blocks <= 40; blocks++) {
		static struct sets_fed f;

		begin_sets(&f);
		for (unsigned int i = 0; i < blocks * ROUNDS; i++)
			use_block(&f, 1000 + i % blocks * 77, 3, UNDECIDED_NONE);
		feed_finish(&f.feed);
		for (unsigned int level = 0; level < SET_LEVELS; level++) {
			const struct tally *counts = f.sets.by_class[3][level];
			uint64_t found = 0, sum = counts[SET_WAYS].references;

			for (unsigned int above = 0; above < SET_WAYS; above++) {
				cr_expect_eq(
					counts[above].references % ((ROUNDS - 1) * (above + 1)), 0);
				cr_expect_eq(counts[above].sectors, 3 * counts[above].references);
				found += counts[above].references / (ROUNDS - 1);
				sum += counts[above].references;
			}
			cr_expect_eq(sum, blocks * ROUNDS);
			cr_expect_eq(counts[SET_WAYS].references,
				     found + (blocks - found) * ROUNDS);
			cr_expect(blocks > 1 || found == 1);
			cr_expect(level ? blocks > 8 || found == blocks
					: blocks < 17 || found < 17);
		}
		end_sets(&f);
	}
}

Test(mrc, sets_move_what_was_counted_to_a_late_class)
{
	static struct sets_fed late, known;
	struct decided decided = {.tag = tag_of(0, CLASS_UNDECIDED), .sectors = 3};
	uint64_t random = cache_random_seed(5);

	begin_sets(&late);
	begin_sets(&known);
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t block = cache_random_below(cache_random(&random), 200);
		uint8_t io_class = block % 3;
		bool waits = cache_random_below(cache_random(&random), 2);

		use_block(&known, block, io_class, UNDECIDED_NONE);
		decided.place = waits ? 1 + i % 50 : UNDECIDED_NONE;
		decided.block = block;
		use_block(&late, block, waits ? CLASS_UNDECIDED : io_class, decided.place);
		if (waits)
			feed_decide(&late.feed, &decided, io_class);
	}
	feed_finish(&late.feed);
	feed_finish(&known.feed);
	cr_expect_arr_eq(late.sets.by_class, known.sets.by_class, sizeof(known.sets.by_class));
	end_sets(&late);
	end_sets(&known);
}

#define OBJECTS	   20000
#define REFERENCES 400000

/* Reads and writes of whole blocks, zipf; now and then a discard. */
static void write_zipf(bool discards)
{
	uint64_t *block = zipf_blocks(REFERENCES, OBJECTS, 0.9);
	struct sink *sink = trace_new(trace_path(), NULL);
	struct event event;

	cr_assert(block && sink);
	for (size_t i = 0; i < REFERENCES; i++) {
		event_init(&event, EVENT_BLOCK);
		event.seq = event.block.id = i + 1;
		event.time_ns = i * 1000;
		event.block.op = i % 5 ? BLOCK_READ : BLOCK_WRITE;
		if (discards && i % 1000 == 999)
			event.block.op = BLOCK_DISCARD;
		event.block.sector = block[i] * SECTORS_PER_CHUNK;
		event.block.sectors = i % 3 ? SECTORS_PER_CHUNK : SECTORS_PER_CHUNK / 2;
		if (event.block.op == BLOCK_DISCARD)
			event.block.sectors = 20 * SECTORS_PER_CHUNK;
		cr_assert_eq(sink_write(sink, &event, 1), 0);
	}
	cr_assert_eq(sink_commit(sink), 0);
	free(block);
}

static const char *const some_sizes[] = {"1", "17", "500", "1000", "2000", "4000", "8000", "16000"};
#define SOME_SIZES (sizeof(some_sizes) / sizeof(*some_sizes))

static struct mrc_options options_of(const char *const *policies, size_t count)
{
	return (struct mrc_options){.sim = {.caches = policies,
					    .cache_count = count,
					    .sizes = some_sizes,
					    .size_count = SOME_SIZES,
					    .granularity = GRANULARITY_4K}};
}

static json_t *curves_of(const char *path, const struct mrc_options *options)
{
	json_t *json = mrc_trace(path, options);

	cr_assert_not_null(json);
	return json;
}

static const json_t *member(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);

	cr_assert_not_null(value, "%s", name);
	return value;
}

static const json_t *curve_at(const json_t *json, size_t i)
{
	return json_array_get(member(json, "curves"), i);
}

static double number(const json_t *object, const char *name)
{
	cr_assert(json_is_number(member(object, name)), "%s", name);
	return json_number_value(member(object, name));
}

static double ratio_at(const json_t *curve, size_t point)
{
	return number(json_array_get(member(curve, "points"), point), "miss_ratio");
}

static void expect_same(const json_t *points, const json_t *counts, size_t point, const char *what)
{
	const json_t *p = json_array_get(points, point);
	double bytes = number(counts, "bytes");

	cr_expect_float_eq(number(p, "miss_ratio"), number(counts, "miss_ratio"), 1e-9, "%s", what);
	cr_expect_float_eq(number(p, "byte_miss_ratio"), 1 - number(counts, "hit_bytes") / bytes,
			   1e-9, "%s", what);
}

/* All of what is no sample, and its classes, as the simulator has it. */
static void compare_with_simulation(const char *path, const char *const *policies, size_t count,
				    const char *const *hints, size_t hint_count)
{
	struct mrc_options options = options_of(policies, count);
	json_t *curves, *simulated;

	options.rate = 1;
	options.sim.hints = hints;
	options.sim.hint_count = hint_count;
	curves = curves_of(path, &options);
	simulated = cache_simulate(path, &options.sim);
	cr_assert_not_null(simulated);
	for (size_t i = 0; i < count * SOME_SIZES * hint_count; i++) {
		size_t policy = i / (SOME_SIZES * hint_count), mode = i % hint_count;
		size_t point = i / hint_count % SOME_SIZES, k;
		const json_t *curve = curve_at(curves, policy * hint_count + mode), *class;
		const json_t *result = json_array_get(member(simulated, "results"), i);

		expect_same(member(curve, "points"), result, point, policies[policy]);
		json_array_foreach (member(curve, "by_class"), k, class)
			expect_same(member(class, "points"),
				    json_array_get(member(result, "by_class"), k), point,
				    policies[policy]);
	}
	json_decref(curves);
	json_decref(simulated);
}

Test(mrc, without_samples_it_is_what_the_simulator_finds)
{
	static const char *const policies[] = {"lru", "fifo", "s3fifo", "belady"};
	static const char *const hints[] = {HINTS_NONE};

	write_zipf(true);
	compare_with_simulation(trace_path(), policies, 4, hints, 1);
}

Test(mrc, classes_that_come_late_move_what_was_counted)
{
	static const char *const policies[] = {"lru", "icache"};
	static const char *const hints[] = {"sky", "truth"};

	compare_with_simulation("tests/data/demo.h5", policies, 2, hints, 2);
}

Test(mrc, samples_are_near_the_whole)
{
	static const char *const policies[] = {"lru", "s3fifo", "belady"};
	struct mrc_options options = options_of(policies, 3);
	json_t *whole, *sampled;

	write_zipf(false);
	options.rate = 1;
	whole = curves_of(trace_path(), &options);
	options.rate = 0.1;
	options.samples = 16;
	sampled = curves_of(trace_path(), &options);
	for (size_t policy = 0; policy < 3; policy++)
		for (size_t point = 2; point < SOME_SIZES; point++) {
			double is = ratio_at(curve_at(whole, policy), point);
			const json_t *p =
				json_array_get(member(curve_at(sampled, policy), "points"), point);

			cr_expect_float_eq(number(p, "miss_ratio"), is, 0.02, "%s, %s entries",
					   policies[policy], some_sizes[point]);
			cr_expect(number(p, "low") - 0.01 < is && is < number(p, "high") + 0.01,
				  "%s, %s entries", policies[policy], some_sizes[point]);
		}
	json_decref(whole);
	json_decref(sampled);
}

Test(mrc, a_sample_of_so_many_blocks_is_near_the_whole)
{
	static const char *const policies[] = {"lru"};
	struct mrc_options options = options_of(policies, 1);
	json_t *whole, *sampled;

	write_zipf(false);
	whole = curves_of(trace_path(), &options);
	options.sample_blocks = 2000;
	options.samples = 16;
	sampled = curves_of(trace_path(), &options);
	for (size_t point = 2; point < SOME_SIZES; point++)
		cr_expect_float_eq(ratio_at(curve_at(sampled, 0), point),
				   ratio_at(curve_at(whole, 0), point), 0.02, "%s entries",
				   some_sizes[point]);
	cr_expect_float_eq(number(sampled, "distinct_blocks"), number(whole, "distinct_blocks"),
			   0.02 * number(whole, "distinct_blocks"));
	json_decref(whole);
	json_decref(sampled);
}

/* All blocks, but distances rounded as those of samples are. */
Test(mrc, rounded_distances_are_not_all_hits_or_misses)
{
	static const char *const policies[] = {"lru"};
	static const char *const sizes[] = {"2049", "3000", "4111", "5003",
					    "6500", "9999", "12003"};
	struct mrc_options options = options_of(policies, 1);
	json_t *exact, *rounded;
	double off = 0;

	write_zipf(false);
	options.sim.sizes = sizes;
	options.sim.size_count = 7;
	exact = curves_of(trace_path(), &options);
	options.sample_blocks = 1000000;
	options.samples = 1;
	rounded = curves_of(trace_path(), &options);
	for (size_t point = 0; point < 7; point++)
		off += ratio_at(curve_at(rounded, 0), point) - ratio_at(curve_at(exact, 0), point);
	cr_expect_float_eq(off / 7, 0, 0.00005, "%f", off / 7);
	json_decref(exact);
	json_decref(rounded);
}

/* By sampled distances alone, they are off by up to 0.14, 0.067 and 0.049. */
Test(mrc, small_samples_of_lru_are_corrected)
{
	static const char *const policies[] = {"lru"}, *const sizes[] = {"800", "1600", "4000"};
	struct mrc_options options = options_of(policies, 1);
	double most[3] = {0};
	json_t *whole;

	write_zipf(true);
	options.sim.sizes = sizes;
	options.sim.size_count = 3;
	whole = curves_of(trace_path(), &options);
	options.rate = 0.03;
	options.samples = 1;
	for (options.seed = 0; options.seed < 30; options.seed++) {
		json_t *sampled = curves_of(trace_path(), &options);

		for (size_t point = 0; point < 3; point++)
			most[point] = fmax(most[point], fabs(ratio_at(curve_at(sampled, 0), point) -
							     ratio_at(curve_at(whole, 0), point)));
		json_decref(sampled);
	}
	cr_expect_lt(most[0], 0.04, "%f", most[0]);
	cr_expect_lt(most[1], 0.03, "%f", most[1]);
	cr_expect_lt(most[2], 0.03, "%f", most[2]);
	json_decref(whole);
}

static char *text_of(const struct mrc_options *options)
{
	json_t *json = curves_of(trace_path(), options);
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

Test(mrc, curves_depend_on_the_seed_and_not_on_threads)
{
	static const char *const policies[] = {"lru", "sieve", "random"};
	struct mrc_options options = options_of(policies, 3);
	char *first, *again, *other;

	write_zipf(true);
	options.rate = 0.05;
	options.sim.threads = 1;
	first = text_of(&options);
	options.sim.threads = 3;
	again = text_of(&options);
	options.seed = 1;
	other = text_of(&options);
	cr_expect_str_eq(first, again);
	cr_expect_str_neq(first, other);
	free(first);
	free(again);
	free(other);
}

Test(mrc, seeds_make_the_samples_that_are_taken_together)
{
	static const char *const policies[] = {"lru", "fifo"};
	struct mrc_options options = options_of(policies, 2);
	double sum[2] = {0};
	json_t *json;

	write_zipf(false);
	options.rate = 0.05;
	options.samples = 1;
	for (options.seed = 4; options.seed < 7; options.seed++) {
		json = curves_of(trace_path(), &options);
		for (size_t i = 0; i < 2; i++)
			sum[i] += ratio_at(curve_at(json, i), 4);
		cr_expect(json_is_null(
			member(json_array_get(member(curve_at(json, 0), "points"), 0), "low")));
		json_decref(json);
	}
	options.seed = 4;
	options.samples = 3;
	json = curves_of(trace_path(), &options);
	for (size_t i = 0; i < 2; i++)
		cr_expect_float_eq(ratio_at(curve_at(json, i), 4), sum[i] / 3, 1e-9);
	json_decref(json);
}
