/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request means to a cache: against an LRU cache in plain arrays that does
 * each step itself, on random traces of reads, writes and discards of two disks.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/event.h"
#include "sim/cache_sim.h"

#define REQUESTS 400
#define TRACES	 60
#define CACHED	 40
#define STEP_NS	 1000000ull

struct line {
	uint64_t block;
	bool dirty;
};

struct sums {
	json_int_t references[2], hits[2], sectors[2], hit_sectors[2], requests[2], missed[2];
	json_int_t device_reads, device_writes;
	json_int_t ns, bare_ns; /* of an ssd as it is preset, but for blocks written back */
};

/* The most recently used line is the last. */
struct slow {
	const struct cache_rules *rules;
	unsigned int capacity, lines;
	struct line line[CACHED];
	struct sums sums;
	bool counts; /* not warming up any more */
};

static uint32_t draw(uint32_t *random, uint32_t below)
{
	*random = *random * 1664525 + 1013904223;
	return (*random >> 8) % below;
}

static void take_out(struct slow *s, unsigned int i, bool keeps_content)
{
	if (keeps_content && s->line[i].dirty)
		s->sums.device_writes += s->counts;
	memmove(&s->line[i], &s->line[i + 1], (--s->lines - i) * sizeof(*s->line));
}

static int find(const struct slow *s, uint64_t block)
{
	for (unsigned int i = 0; i < s->lines; i++)
		if (s->line[i].block == block)
			return i;
	return -1;
}

static bool refer(struct slow *s, uint64_t block, bool write, bool allocate)
{
	int i = find(s, block);
	struct line line = {block, i >= 0 && s->line[i].dirty};
	bool back = s->rules->writes == WRITES_BACK;

	if (i >= 0)
		take_out(s, i, false);
	if (write && !(back && (i >= 0 || allocate)))
		s->sums.device_writes += s->counts;
	if (i < 0 && !allocate)
		return false;
	if (i < 0 && s->lines == s->capacity)
		take_out(s, 0, true);
	line.dirty |= write && back;
	s->line[s->lines++] = line;
	if (i < 0 && !write)
		s->sums.device_reads += s->counts;
	return i >= 0;
}

/* The latency only where the block before it, in the request, didn't go to the device. */
static json_int_t ssd_ns(bool write, bool continues, uint64_t sectors)
{
	return (continues ? 0 : write ? 65000 : 50000) + sectors * 512 * 1000 / (write ? 320 : 470);
}

static void access_request(struct slow *s, bool write, uint32_t disk, uint64_t sector,
			   uint32_t sectors)
{
	bool allocate = !(s->rules->largest_sectors && sectors > s->rules->largest_sectors);
	bool missed = false, open = false;

	if (write && (s->rules->writes == WRITES_UPDATE || s->rules->writes == WRITES_AROUND))
		allocate = false;
	for (uint64_t block = sector / 8; block <= (sector + sectors - 1) / 8; block++) {
		uint64_t from = block * 8 > sector ? block * 8 : sector;
		uint64_t until =
			block * 8 + 8 < sector + sectors ? block * 8 + 8 : sector + sectors;
		int i = find(s, (uint64_t)disk << 52 | block);
		bool hit;

		if (i >= 0 && write && s->rules->writes == WRITES_AROUND)
			take_out(s, i, false);
		hit = refer(s, (uint64_t)disk << 52 | block, write, allocate);
		missed |= !hit;
		if (!s->counts)
			continue;
		s->sums.bare_ns += ssd_ns(write, block != sector / 8, until - from);
		if (write ? s->rules->writes != WRITES_BACK : !hit) {
			s->sums.ns += ssd_ns(write, open, until - from);
			open = true;
		} else {
			open = false;
		}
		if (!hit && !write && !allocate)
			s->sums.device_reads++;
		s->sums.references[write]++;
		s->sums.sectors[write] += until - from;
		s->sums.hits[write] += hit;
		s->sums.hit_sectors[write] += hit ? until - from : 0;
	}
	s->sums.requests[write] += s->counts;
	s->sums.missed[write] += missed && s->counts;
}

static void discard(struct slow *s, uint32_t disk, uint64_t sector, uint32_t sectors)
{
	for (uint64_t block = (sector + 7) / 8; block < (sector + sectors) / 8; block++) {
		int i = find(s, (uint64_t)disk << 52 | block);

		if (i >= 0)
			take_out(s, i, false);
	}
}

static const char *path(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "/tmp/sky-unit-rules-%d.txt", getpid());
	return name;
}

/* Writes a trace and tells the slow cache the same. */
static void make_trace(struct slow *s, uint32_t random)
{
	FILE *f = fopen(path(), "w");
	uint64_t accesses = 0;

	cr_assert_not_null(f);
	for (int i = 0; i < REQUESTS; i++) {
		char op = "RRRRWWWD"[draw(&random, 8)];
		uint32_t disk = draw(&random, 2), sectors = 1 + draw(&random, 60);
		uint64_t sector = draw(&random, 1 + draw(&random, 600));

		fprintf(f, "%llu - - - block %c disk=%u id=%d sector=%llu count=%u\n",
			STEP_NS * (i + 1), op, disk, i, (unsigned long long)sector, sectors);
		s->counts = accesses >= s->rules->warm_up_requests &&
			    i * STEP_NS >= s->rules->warm_up_ns;
		accesses += op != 'D';
		if (op == 'D')
			discard(s, disk, sector, sectors);
		else
			access_request(s, op == 'W', disk, sector, sectors);
	}
	fclose(f);
}

static json_t *run(const struct slow *s, const char *const *hints, const char *spec)
{
	char size[16];
	const char *sizes = size;
	const struct cache_sim_options options = {
		.caches = &spec,
		.cache_count = 1,
		.sizes = &sizes,
		.size_count = 1,
		.hints = hints,
		.hint_count = 1,
		.rules = *s->rules,
		.device = "ssd",
	};

	snprintf(size, sizeof(size), "%u", s->capacity);
	return cache_simulate(path(), &options);
}

static json_int_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void expect_side(const json_t *side, const struct sums *sums, int i, const char *what)
{
	cr_expect_eq(number(side, "references"), sums->references[i], "%s", what);
	cr_expect_eq(number(side, "hits"), sums->hits[i], "%s", what);
	cr_expect_eq(number(side, "bytes"), sums->sectors[i] * 512, "%s", what);
	cr_expect_eq(number(side, "hit_bytes"), sums->hit_sectors[i] * 512, "%s", what);
	cr_expect_eq(number(side, "requests"), sums->requests[i], "%s", what);
	cr_expect_eq(number(side, "request_misses"), sums->missed[i], "%s", what);
}

static void expect_over_time(const json_t *result, const char *what)
{
	static const char *const sides[] = {"reads", "writes"};
	static const char *const names[] = {"references", "hits"};
	const json_t *over_time = json_object_get(result, "over_time"), *value;
	size_t j;

	for (int i = 0; i < 4; i++) {
		const json_t *side = json_object_get(over_time, sides[i / 2]);
		json_int_t sum = 0;

		json_array_foreach (json_object_get(side, names[i % 2]), j, value)
			sum += json_integer_value(value);
		cr_expect_eq(sum, number(json_object_get(result, sides[i / 2]), names[i % 2]), "%s",
			     what);
	}
}

/* All classes together, and what was written for none of them. */
static void expect_device_time(const struct slow *s, const json_t *result, const char *what)
{
	const json_t *device = json_object_get(result, "device"), *object;
	json_int_t ns = 0, bare_ns = 0, back_ns = 0;
	size_t i;

	json_array_foreach (json_object_get(result, "by_class"), i, object) {
		ns += number(object, "device_ns");
		bare_ns += number(object, "device_ns_without_cache");
	}
	if (s->rules->writes == WRITES_BACK)
		back_ns = number(device, "writes") * ssd_ns(true, false, 8);
	cr_expect_eq(ns, s->sums.ns, "%s", what);
	cr_expect_eq(bare_ns, s->sums.bare_ns, "%s", what);
	cr_expect_eq(number(device, "device_ns"), ns + back_ns, "%s", what);
	cr_expect_eq(number(device, "device_ns_saved"), bare_ns - ns - back_ns, "%s", what);
}

static void expect_same(struct slow *s, const char *hints, const char *spec, const char *what)
{
	json_t *json = run(s, &hints, spec);
	const json_t *result = json_array_get(json_object_get(json, "results"), 0);
	const json_t *device = json_object_get(result, "device");
	json_int_t dirty = 0;

	cr_assert_not_null(json);
	for (unsigned int i = 0; i < s->lines; i++)
		dirty += s->line[i].dirty;
	expect_side(json_object_get(result, "reads"), &s->sums, 0, what);
	expect_side(json_object_get(result, "writes"), &s->sums, 1, what);
	expect_over_time(result, what);
	expect_device_time(s, result, what);
	cr_expect_eq(number(device, "reads"), s->sums.device_reads, "%s", what);
	cr_expect_eq(number(device, "unwritten"), dirty, "%s", what);
	/* a block written back is only missed when it is asked for, maybe after the warm-up */
	if (!s->rules->warm_up_requests && !s->rules->warm_up_ns)
		cr_expect_eq(number(device, "writes"), s->sums.device_writes, "%s", what);
	json_decref(json);
}

static void expect_rules(const struct cache_rules *rules, const char *what)
{
	static const char *const hints[] = {"none", "sequential"};

	for (uint32_t trace = 1; trace <= TRACES; trace++) {
		struct slow s = {.rules = rules, .capacity = 1 + trace * 7 % CACHED};

		make_trace(&s, trace);
		expect_same(&s, hints[trace % 2], "lru", what);
	}
	unlink(path());
}

Test(cache_rules, every_way_to_write_is_as_if_done_step_by_step)
{
	for (enum write_mode mode = 0; mode < WRITE_MODES; mode++)
		expect_rules(&(struct cache_rules){.writes = mode}, cache_write_modes[mode]);
}

Test(cache_rules, long_requests_bring_nothing_in)
{
	for (enum write_mode mode = 0; mode < WRITE_MODES; mode++)
		expect_rules(&(struct cache_rules){.writes = mode, .largest_sectors = 24},
			     cache_write_modes[mode]);
}

Test(cache_rules, what_warms_up_is_not_counted)
{
	for (enum write_mode mode = 0; mode < WRITE_MODES; mode++) {
		expect_rules(&(struct cache_rules){.writes = mode, .warm_up_requests = 100},
			     "requests");
		expect_rules(&(struct cache_rules){.writes = mode, .warm_up_ns = 77 * STEP_NS},
			     "time");
	}
}

Test(cache_rules, windows_add_up)
{
	expect_rules(&(struct cache_rules){.window_ns = 10 * STEP_NS}, "windows");
	expect_rules(&(struct cache_rules){.window_ns = 7 * STEP_NS, .warm_up_requests = 33},
		     "windows after a warm-up");
}

Test(cache_rules, windows_are_of_one_length_from_the_first_request_on)
{
	struct slow s = {.rules = &(struct cache_rules){.window_ns = 25 * STEP_NS}, .capacity = 9};
	const char *hints = "none";
	json_t *json;
	const json_t *until, *value;
	size_t i;

	make_trace(&s, 3);
	json = run(&s, &hints, "lru");
	until = json_object_get(
		json_object_get(json_array_get(json_object_get(json, "results"), 0), "over_time"),
		"until_ns");
	cr_assert_eq(json_array_size(until), REQUESTS / 25);
	json_array_foreach (until, i, value)
		cr_expect_eq(json_integer_value(value), i + 1 < REQUESTS / 25
								? STEP_NS * (25 * (i + 1) + 1)
								: STEP_NS * REQUESTS);
	json_decref(json);
	unlink(path());
}

/* One disk reads again and again what the other's scan would push out. */
Test(cache_rules, disks_with_fair_shares_do_not_push_each_other_out)
{
	struct slow s = {.rules = &(struct cache_rules){0}, .capacity = 20};
	const char *hints = "none";
	FILE *f = fopen(path(), "w");
	json_int_t hits[2];

	cr_assert_not_null(f);
	for (int i = 0; i < 1000; i++)
		fprintf(f, "%d - - - block R disk=%d id=%d sector=%d count=8\n", i, i % 8 == 0, i,
			i % 8 ? i * 8 : i / 8 % 10 * 8);
	fclose(f);
	for (int fair = 0; fair < 2; fair++) {
		json_t *json = run(&s, &hints, fair ? "disks" : "lru");

		hits[fair] = number(json_array_get(json_object_get(json, "results"), 0), "hits");
		json_decref(json);
	}
	cr_expect_eq(hits[0], 0);
	cr_expect_eq(hits[1], 125 - 10);
	unlink(path());
}

/* A late hint takes a read's time along to its class; a disk's seek is what a small miss costs. */
Test(cache_rules, device_time_follows_the_class_that_is_known_late)
{
	static const char *const devices[] = {"ssd", "hdd", "hdd:rpm=15000"};
	const char *spec = "lru", *size = "10", *hints = "sky";
	json_int_t before = 0;
	FILE *f = fopen(path(), "w");

	cr_assert_not_null(f);
	fprintf(f, "1000 - - - block R id=1 sector=80000 count=8\n"
		   "2000 - - - complete id=1\n"
		   "2000 - - - hint metadata id=1 chunk=0 class=5\n");
	fclose(f);
	for (int i = 0; i < 3; i++) {
		const struct cache_sim_options options = {
			.caches = &spec,
			.cache_count = 1,
			.sizes = &size,
			.size_count = 1,
			.hints = &hints,
			.hint_count = 1,
			.device = devices[i],
		};
		json_t *json = cache_simulate(path(), &options);
		json_t *result = json_array_get(json_object_get(json, "results"), 0);
		json_t *classes = json_object_get(result, "by_class");
		json_int_t ns = number(json_array_get(classes, 0), "device_ns");

		cr_assert_not_null(json);
		cr_expect_eq(json_array_size(classes), 1);
		cr_expect_eq(number(json_array_get(classes, 0), "io_class"), 5);
		cr_expect(i == 0 ? ns == 58000 : i == 1 ? ns > 20 * before : ns < before);
		before = ns;
		json_decref(json);
	}
	unlink(path());
}

Test(cache_rules, journal_writes_pass_icache_by)
{
	struct slow s = {.rules = &(struct cache_rules){0}, .capacity = 20};
	static const char *const specs[] = {"icache", "icache:journal=1", "lru"};
	const char *hints = "sky";
	FILE *f = fopen(path(), "w");

	cr_assert_not_null(f);
	fprintf(f, "1000 - - - block W id=1 sector=0 count=16\n"
		   "1000 - - - hint metadata id=1 chunk=0 class=5 reason=journal\n"
		   "1000 - - - hint metadata id=1 chunk=1 class=5\n"
		   "2000 - - - block R id=2 sector=0 count=16\n");
	fclose(f);
	for (int i = 0; i < 3; i++) {
		json_t *json = run(&s, &hints, specs[i]);

		cr_assert_not_null(json);
		cr_expect_eq(number(json_array_get(json_object_get(json, "results"), 0), "hits"),
			     i ? 2 : 1, "%s", specs[i]);
		json_decref(json);
	}
	unlink(path());
}
