/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulation around the models: splitting, hints and when they count,
 * sizes, several caches in one pass. Traces are written in the text form.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/block_set.h"
#include "sim/cache_sim.h"
#include "sim/undecided.h"

static const char *trace_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/sky-cache-sim-%d.events", getpid());
	return path;
}

static void forget_trace(void)
{
	unlink(trace_path());
}

TestSuite(cache_sim, .fini = forget_trace);

static const char *write_trace(const char *text)
{
	FILE *f = fopen(trace_path(), "w");

	cr_assert_not_null(f);
	cr_assert(fputs(text, f) >= 0);
	fclose(f);
	return trace_path();
}

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

static json_t *run(const char *text, const char *cache, const char *size, const char *hints)
{
	const struct cache_sim_options options = {
		.caches = &cache,
		.cache_count = 1,
		.sizes = &size,
		.size_count = 1,
		.hints = &hints,
		.hint_count = 1,
	};
	json_t *json = cache_simulate(write_trace(text), &options);

	cr_assert_not_null(json);
	return json;
}

static json_int_t number(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	cr_assert(json_is_integer(value), "%s", name);
	return json_integer_value(value);
}

static json_t *result(json_t *json, size_t i)
{
	return json_array_get(json_object_get(json, "results"), i);
}

static json_int_t hits(json_t *json)
{
	return number(result(json, 0), "hits");
}

static json_t *class_of(json_t *json, int io_class)
{
	json_t *list = json_object_get(result(json, 0), "by_class"), *object;
	size_t i;

	json_array_foreach (list, i, object) {
		json_t *value = json_object_get(object, "io_class");

		if (io_class < 0 ? json_is_null(value) : json_integer_value(value) == io_class)
			return object;
	}
	return NULL;
}

static const char two_reads[] = "1000 - - - block R id=1 sector=0 count=8\n"
				"1100 - - - block R id=2 sector=8 count=8\n";

Test(cache_sim, splits_requests_into_the_blocks_they_touch)
{
	/* 4 sectors of block 0, block 1, 2 sectors of block 2; then block 2 whole */
	json_t *json = run("1000 - - - block W id=1 sector=4 count=14\n"
			   "2000 - - - block R id=2 sector=16 count=8\n",
			   "lru", "10", HINTS_NONE);
	json_t *r = result(json, 0);

	cr_expect_eq(number(json, "requests"), 2);
	cr_expect_eq(number(json, "references"), 4);
	cr_expect_eq(number(json, "distinct_blocks"), 3);
	cr_expect_eq(number(r, "hits"), 1);
	cr_expect_eq(number(r, "misses"), 3);
	cr_expect_eq(number(r, "bytes"), 22 * 512);
	cr_expect_eq(number(r, "hit_bytes"), 8 * 512);
	cr_expect_eq(number(json_object_get(r, "reads"), "hits"), 1);
	cr_expect_eq(number(json_object_get(r, "writes"), "misses"), 3);
	json_decref(json);
}

Test(cache_sim, knows_requests_by_their_start_where_asked)
{
	const char *cache = "lru", *size = "10";
	const struct cache_sim_options options = {
		.caches = &cache,
		.cache_count = 1,
		.sizes = &size,
		.size_count = 1,
		.granularity = GRANULARITY_START,
	};
	json_t *json = cache_simulate(write_trace("1000 - - - block W id=1 sector=4 count=14\n"
						  "2000 - - - block R id=2 sector=4 count=1\n"
						  "3000 - - - block R id=3 sector=8 count=8\n"),
				      &options);

	cr_assert_not_null(json);
	cr_expect_eq(number(json, "references"), 3);
	cr_expect_eq(number(json, "distinct_blocks"), 2);
	cr_expect_eq(hits(json), 1);
	json_decref(json);
}

Test(cache_sim, tells_disks_apart)
{
	json_t *json = run("1000 - - - block R id=1 sector=8 count=8\n"
			   "1001 - - - block R disk=1 id=1 sector=8 count=8\n"
			   "1002 - - - block R disk=1 id=2 sector=8 count=8\n",
			   "lru", "10", HINTS_NONE);

	cr_expect_eq(number(json, "distinct_blocks"), 2);
	cr_expect_eq(hits(json), 1);
	json_decref(json);
}

Test(cache_sim, discards_remove_whole_blocks_and_flushes_nothing)
{
	static const char format[] = "1000 - - - block W id=1 sector=0 count=24\n"
				     "2000 - - - block %s\n"
				     "3000 - - - block R id=3 sector=0 count=24\n";
	static const struct {
		const char *request;
		int hits;
	} cases[] = {
		{"D id=2 sector=0 count=24", 0},
		{"D id=2 sector=4 count=16", 2},
		{"D id=2 sector=4 count=8", 3},
		{"Z id=2 sector=8 count=4294967288", 1},
		{"F id=2", 3},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256];
		json_t *json;

		snprintf(text, sizeof(text), format, cases[i].request);
		json = run(text, "icache", "10", HINTS_NONE);
		cr_expect_eq(hits(json), cases[i].hits, "%s", cases[i].request);
		json_decref(json);
	}
}

Test(cache_sim, a_class_known_at_issue_counts_at_once)
{
	json_t *json = run("1000 - - - block W id=1 sector=0 count=8\n"
			   "1000 - - - hint metadata id=1 chunk=0 class=5\n"
			   "1001 - - - block W id=2 sector=8 count=8\n"
			   "1001 - - - hint data id=2 chunk=0 class=0\n"
			   "1002 - - - block W id=3 sector=16 count=8\n"
			   "1002 - - - hint data id=3 chunk=0 class=0\n"
			   "1003 - - - block W id=4 sector=0 count=8\n"
			   "1003 - - - hint metadata id=4 chunk=0 class=5\n",
			   "icache", "2", "sky");

	cr_expect_eq(hits(json), 1, "metadata stays when data comes");
	cr_expect_eq(number(class_of(json, 5), "references"), 2);
	cr_expect_eq(number(class_of(json, 5), "hits"), 1);
	cr_expect_eq(number(class_of(json, 0), "references"), 2);
	cr_expect_str_eq(json_string_value(json_object_get(json, "hint_source")), "trace");
	json_decref(json);
}

/* Block 0 and 1 are read; what block 0 is becomes known before or after block 2 comes. */
Test(cache_sim, a_late_class_moves_the_block_but_changes_no_past)
{
	static const char known[] = "1200 - - - complete id=1\n"
				    "1200 - - - hint metadata id=1 chunk=0 class=5\n";
	static const char next[] = "1300 - - - block R id=3 sector=16 count=8\n";
	static const char again[] = "1400 - - - block R id=4 sector=0 count=8\n";
	char text[1024];
	json_t *json;

	snprintf(text, sizeof(text), "%s%s%s%s", two_reads, known, next, again);
	json = run(text, "icache", "2", "sky");
	cr_expect_eq(hits(json), 1);
	cr_expect_eq(number(class_of(json, 5), "references"), 1, "the first read's");
	cr_expect_eq(number(class_of(json, 5), "misses"), 1);
	cr_expect_eq(number(class_of(json, -1), "references"), 3);
	json_decref(json);
	snprintf(text, sizeof(text), "%s%s%s%s", two_reads, next, known, again);
	json = run(text, "icache", "2", "sky");
	cr_expect_eq(hits(json), 0);
	cr_expect_eq(number(class_of(json, 5), "references"), 1);
	json_decref(json);
}

Test(cache_sim, a_late_class_is_void_once_the_block_was_asked_for_again)
{
	static const char *const again[] = {
		"1150 - - - block W id=9 sector=0 count=8\n"
		"1150 - - - hint data id=9 chunk=0 class=0\n",
		"1150 - - - block R id=9 sector=0 count=8\n",
	};

	for (size_t i = 0; i < 2; i++) {
		char text[1024];
		json_t *json;

		snprintf(text, sizeof(text),
			 "1000 - - - block R id=1 sector=0 count=8\n%s"
			 "1160 - - - block R id=2 sector=8 count=8\n"
			 "1200 - - - complete id=1\n"
			 "1200 - - - hint metadata id=1 chunk=0 class=5\n"
			 "1300 - - - block R id=3 sector=16 count=8\n"
			 "1400 - - - block R id=4 sector=0 count=8\n",
			 again[i]);
		json = run(text, "icache", "2", "sky");
		cr_expect_eq(hits(json), 1, "only the one in between");
		cr_expect_eq(number(class_of(json, 5), "references"), 1);
		json_decref(json);
	}
}

Test(cache_sim, without_evidence_hints_are_unknown_and_nothing_is_guessed)
{
	const char *cache = "icache", *size = "2";
	struct cache_sim_options options = {
		.caches = &cache, .cache_count = 1, .sizes = &size, .size_count = 1};
	static const char *const modes[] = {"sky", "truth"};
	json_t *json;

	for (int i = 0; i < 2; i++) {
		json = run(two_reads, cache, size, modes[i]);
		cr_expect(json_is_null(json_object_get(json, "miss_ratio")));
		cr_expect(json_is_null(json_object_get(result(json, 0), "hits")));
		cr_expect(json_is_null(json_object_get(result(json, 0), "by_class")));
		cr_expect(json_is_null(json_object_get(result(json, 0), "contents")));
		json_decref(json);
	}
	json = cache_simulate(write_trace(two_reads), &options);
	cr_assert_not_null(json);
	cr_expect_str_eq(json_string_value(json_object_get(result(json, 0), "hints")), "none");
	cr_expect_eq(json_real_value(json_object_get(json, "miss_ratio")), 1.0);
	json_decref(json);
}

Test(cache_sim, truth_gives_metadata_and_the_size_that_a_file_reaches)
{
	static const char text[] =
		"900 - - - truth W sector=0 count=8 what=metadata source=block-device\n"
		"901 - - - truth W sector=8 count=8 what=data source=file dev=8:1 inode=7\n"
		"1000 - - - block W id=1 sector=0 count=16\n"
		"2000 - - - truth W sector=16 count=8 what=data source=file dev=8:1 inode=7 "
		"index=767\n"
		"2001 - - - block W id=2 sector=16 count=16\n";
	json_t *json = run(text, "lru", "10", "truth");

	cr_expect_eq(number(class_of(json, 5), "references"), 1);
	cr_expect_eq(number(class_of(json, 3), "references"), 2, "3 MiB: below 5 MB");
	cr_expect_eq(number(class_of(json, -1), "references"), 1, "nothing was seen of it");
	json_decref(json);
}

/* A trace of all operations, with hints in time and late. */
static const char *long_trace(void)
{
	char *text = malloc(1 << 21);
	uint32_t random = 1;
	size_t used = 0;

	cr_assert_not_null(text);
	for (int i = 0; i < 12000; i++) {
		random = random * 1664525 + 1013904223;
		used += sprintf(text + used, "%lld - - - block %c id=%d sector=%u count=%u\n",
				i * 1000000ll, "RRRWWWWD"[random >> 29], i, (random >> 8) % 5000,
				1 + (random >> 20) % 30);
		if (random >> 30 & 1)
			used += sprintf(text + used,
					"%lld - - - hint data id=%d chunk=%u class=%u\n",
					i * 1000000ll, i - (random >> 10 & 3), random >> 12 & 3,
					random % 6);
	}
	write_trace(text);
	free(text);
	return trace_path();
}

Test(cache_sim, results_do_not_depend_on_the_number_of_threads)
{
	static const char *const caches[] = {"lru", "clock:bits=2", "sieve", "icache:base=lfu",
					     "belady"};
	static const char *const sizes[] = {"1", "100", "30%"};
	static const char *const modes[] = {HINTS_NONE, "sky", "sequential"};
	struct cache_sim_options options = {
		.caches = caches, .cache_count = 5, .sizes = sizes, .size_count = 3, .threads = 1};
	const char *path = long_trace();

	for (int mode_count = 1; mode_count <= 3; mode_count += 2) {
		json_t *expected;

		options.hints = modes;
		options.hint_count = mode_count;
		options.threads = 1;
		expected = cache_simulate(path, &options);
		cr_assert_not_null(expected);
		for (unsigned int threads = 2; threads <= 7; threads++) {
			json_t *json;

			options.threads = threads;
			json = cache_simulate(path, &options);
			cr_expect(json_equal(json, expected), "%u threads", threads);
			json_decref(json);
		}
		json_decref(expected);
	}
}

Test(cache_sim, memory_is_predicted_and_kept_to_its_limit)
{
	static const char *const caches[] = {"lru", "icache"};
	static const char *const sizes[] = {"1000", "1000000"};
	struct cache_sim_options options = {.caches = caches,
					    .cache_count = 2,
					    .sizes = sizes,
					    .size_count = 2,
					    .memory_limit_bytes = 16 << 20};
	json_t *json, *memory;

	quiet();
	cr_expect_null(cache_simulate(write_trace(two_reads), &options), "two of 30 MB each");
	options.memory_limit_bytes = 1 << 20;
	options.size_count = 1;
	cr_expect_null(cache_simulate(trace_path(), &options), "not even the batches");
	options.memory_limit_bytes = 2ull << 30;
	json = cache_simulate(trace_path(), &options);
	cr_assert_not_null(json);
	memory = json_object_get(json, "memory");
	cr_expect_eq(number(memory, "limit_bytes"), 2ll << 30);
	cr_expect_gt(number(memory, "predicted_bytes"), 2 * 24 * 1000);
	json_decref(json);
}

Test(cache_sim, many_caches_in_one_pass_are_as_each_alone)
{
	static const char *const caches[] = {"lru", "fifo", "icache"};
	static const char *const sizes[] = {"1", "7", "64K", "50%"};
	static const char *const modes[] = {HINTS_NONE, "sky"};
	char *text = malloc(1 << 20);
	size_t used = 0, at = 0;
	struct cache_sim_options all = {.caches = caches,
					.cache_count = 3,
					.sizes = sizes,
					.size_count = 4,
					.hints = modes,
					.hint_count = 2,
					.threads = 3};
	json_t *together, *alone;
	uint32_t random = 1;

	for (int i = 0; i < 6000; i++) {
		random = random * 1664525 + 1013904223;
		used += sprintf(text + used, "%lld - - - block %c id=%d sector=%u count=%u\n",
				i * 1000000ll, random >> 31 ? 'R' : 'W', i, (random >> 8) % 500,
				1 + (random >> 20) % 30);
		if (random >> 30 & 1)
			used += sprintf(text + used,
					"%lld - - - hint data id=%d chunk=%u class=%u\n",
					i * 1000000ll, i - (random >> 10 & 3), random >> 12 & 3,
					random % 6);
	}
	together = cache_simulate(write_trace(text), &all);
	cr_assert_not_null(together);
	for (int cache = 0; cache < 3; cache++)
		for (int size = 0; size < 4; size++)
			for (int mode = 0; mode < 2; mode++) {
				const struct cache_sim_options one = {.caches = &caches[cache],
								      .cache_count = 1,
								      .sizes = &sizes[size],
								      .size_count = 1,
								      .hints = &modes[mode],
								      .hint_count = 1,
								      .threads = 1};

				alone = cache_simulate(trace_path(), &one);
				cr_expect(json_equal(result(alone, 0), result(together, at++)),
					  "%s %s %d", caches[cache], sizes[size], mode);
				json_decref(alone);
			}
	cr_expect_eq(at, json_array_size(json_object_get(together, "results")));
	json_decref(together);
	free(text);
}

Test(cache_sim, contents_add_up_and_times_rise)
{
	char *text = malloc(1 << 20);
	size_t used = 0;
	json_t *json, *contents, *times, *blocks;

	for (int i = 0; i < 5000; i++)
		used += sprintf(text + used, "%lld - - - block R id=%d sector=%d count=8\n",
				i * 3000000ll, i, i * 8);
	json = run(text, "fifo", "100", HINTS_NONE);
	contents = json_object_get(result(json, 0), "contents");
	times = json_object_get(contents, "time_ns");
	cr_assert_eq(json_array_size(json_object_get(contents, "classes")), 1);
	blocks = json_object_get(json_array_get(json_object_get(contents, "classes"), 0), "blocks");
	cr_expect_gt(json_array_size(times), 100);
	cr_expect_leq(json_array_size(times), 256);
	cr_expect_eq(json_array_size(times), json_array_size(blocks));
	for (size_t i = 1; i < json_array_size(times); i++)
		cr_expect_gt(json_integer_value(json_array_get(times, i)),
			     json_integer_value(json_array_get(times, i - 1)));
	cr_expect_eq(json_integer_value(json_array_get(blocks, 0)), 0);
	cr_expect_eq(json_integer_value(json_array_get(blocks, json_array_size(blocks) - 1)), 100);
	cr_expect_eq(json_integer_value(json_array_get(times, json_array_size(times) - 1)),
		     4999 * 3000000ll);
	json_decref(json);
	free(text);
}

Test(cache_sim, refuses_requests_that_no_disk_had, .init = quiet)
{
	static const char *const wrong[] = {
		"1000 - - - block R id=1 sector=0 count=4294967288\n",
		"1000 - - - block R disk=4096 id=1 sector=0 count=8\n",
		"1000 - - - block R disk=4294967295 id=1 sector=0 count=8\n",
	};
	static const char *const sizes[] = {"1", "10%"};
	const char *cache = "lru";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		for (int size = 0; size < 2; size++) {
			const struct cache_sim_options options = {.caches = &cache,
								  .cache_count = 1,
								  .sizes = &sizes[size],
								  .size_count = 1};

			cr_expect_null(cache_simulate(write_trace(wrong[i]), &options), "%zu", i);
		}
}

/* Counted by what misses, or in a pass before: the same, whatever is discarded meanwhile. */
Test(cache_sim, distinct_blocks_are_the_same_however_they_are_counted)
{
	static const char *const sizes[] = {"1", "700", "100%"};
	const char *cache = "lru", *path = long_trace();
	json_int_t distinct = 0;

	for (size_t i = 0; i < 3; i++) {
		const struct cache_sim_options options = {
			.caches = &cache, .cache_count = 1, .sizes = &sizes[i], .size_count = 1};
		json_t *json = cache_simulate(path, &options);

		cr_assert_not_null(json);
		if (i)
			cr_expect_eq(number(json, "distinct_blocks"), distinct);
		distinct = number(json, "distinct_blocks");
		json_decref(json);
	}
}

Test(block_set, counts_what_is_distinct)
{
	static uint8_t seen[1 << 16];
	struct block_set set;
	uint64_t count = 0;
	uint32_t random = 7;

	cr_assert_eq(block_set_init(&set), 0);
	for (int i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		uint32_t first = random >> 16, n = random % 300;

		if (first + n > sizeof(seen))
			n = sizeof(seen) - first;
		/* every block has a far twin, as on another disk */
		cr_assert_eq(block_set_add(&set, first, n), 0);
		cr_assert_eq(block_set_add(&set, (5ull << 52) + first * 1000ull, n != 0), 0);
		count += n && !(seen[first] & 2);
		seen[first] |= n ? 2 : 0;
		for (uint32_t b = first; b < first + n; b++) {
			count += !(seen[b] & 1);
			seen[b] |= 1;
		}
		cr_assert_eq(set.count, count, "step %d", i);
	}
	block_set_fini(&set);
}

Test(undecided, forgets_the_oldest_when_full)
{
	struct undecided *u = undecided_new();
	struct undecided_chunk chunk = {0};
	struct decided decided;

	cr_assert_not_null(u);
	for (chunk.request = 0; chunk.request <= UNDECIDED_MAX; chunk.request++)
		undecided_add(u, &chunk, chunk.request * 3, 8, 0);
	cr_expect_eq(undecided_dropped(u), 1);
	cr_expect_eq(undecided_peak(u), UNDECIDED_MAX);
	chunk.request = 0;
	cr_expect(!undecided_decide(u, &chunk, &decided));
	chunk.request = 1;
	cr_expect(undecided_decide(u, &chunk, &decided));
	cr_expect(decided.newest && decided.block == 3 && decided.sectors == 8);
	cr_expect(!undecided_decide(u, &chunk, &decided), "it has left");
	undecided_free(u);
}
