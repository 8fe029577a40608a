/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests make the same references as their events do, however they are handed over: a
 * loop of its own takes those that are one block.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/component.h"
#include "sim/cache_input.h"

#define REQUESTS 30000

/* A hash of all that caches are told. */
struct listener {
	struct consumer consumer;
	uint64_t hash, references, mixed;
};

static void mix(struct listener *l, uint64_t number)
{
	l->hash = (l->hash ^ number) * 0x9e3779b97f4a7c15u;
	l->hash ^= l->hash >> 29;
}

static void listen(struct consumer *consumer, const struct batch *batch)
{
	struct listener *l = container_of(consumer, struct listener, consumer);
	size_t edit = 0;

	for (size_t i = 0; i <= batch->refs; i++) {
		for (; edit < batch->edits && batch->edit[edit].at == i; edit++) {
			mix(l, batch->edit[edit].kind);
			mix(l, batch->edit[edit].remove.first);
		}
		if (i == batch->refs)
			break;
		mix(l, batch->ref[i].block);
		mix(l, (uint64_t)batch->ref[i].sectors << 32 | batch->ref[i].op << 16 |
			       batch->ref[i].io_class << 8 | batch->ref[i].flags);
		mix(l, batch->tag[i]);
	}
	l->references += batch->refs;
	l->mixed += batch->is_mixed;
}

static struct request *random_requests(uint64_t seed)
{
	static struct request requests[REQUESTS];
	uint64_t time_ns = 1000, random = seed;

	for (size_t i = 0; i < REQUESTS; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		time_ns += random >> 40 & 0xffff;
		requests[i] = (struct request){
			/* now and then one comes too late */
			.time_ns = random >> 33 & 31 ? time_ns : time_ns - 500,
			.sector = random >> 20 & 0xfff,
			.sectors = random >> 8 & 3 ? SECTORS_PER_CHUNK : random >> 10 & 31,
			.disk = random >> 15 & 1,
			.op = random >> 50 & 15 ? random >> 60 & 1 : random >> 60 & 3,
		};
		if (random >> 17 & 1)
			requests[i].sector &= ~7ull;
	}
	return requests;
}

static void take_events(struct cache_input *in, const struct request *requests)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		struct event event;

		event_init(&event, EVENT_BLOCK);
		event.seq = event.block.id = i + 1;
		event.time_ns = requests[i].time_ns;
		event.block.sector = requests[i].sector;
		event.block.sectors = requests[i].sectors;
		event.block.disk = requests[i].disk;
		event.block.op = requests[i].op;
		cr_assert_eq(cache_input_take(in, &event, 1), 0);
	}
}

/* In parts of any length. */
static void take_requests(struct cache_input *in, const struct request *requests)
{
	size_t part = 1;

	for (size_t i = 0; i < REQUESTS; i += part) {
		part = part * 7 % 5003;
		if (part > REQUESTS - i)
			part = REQUESTS - i;
		cr_assert_eq(cache_input_take_requests(in, requests + i, part), 0);
	}
}

struct setting {
	enum granularity granularity;
	struct cache_rules rules;
};

static const struct setting settings[] = {
	{GRANULARITY_4K, {0}},
	{GRANULARITY_START, {0}},
	{GRANULARITY_4K, {.warm_up_requests = 7000}},
	{GRANULARITY_4K, {.window_ns = 5000000}},
	{GRANULARITY_4K, {.writes = WRITES_AROUND}},
	{GRANULARITY_4K, {.writes = WRITES_UPDATE}},
	{GRANULARITY_START, {.largest_sectors = 6}},
};

static void run(const struct setting *setting, struct listener *listener, struct cache_input *in,
		void (*take)(struct cache_input *in, const struct request *requests))
{
	struct crew *crew = crew_new(1);

	cr_assert_eq(cache_input_init(in, setting->granularity, crew), 0);
	cr_assert_eq(cache_input_use(in, HINTS_NONE), 0);
	in->rules = setting->rules;
	*listener = (struct listener){0};
	cr_assert_eq(feed_add_consumer(&in->modes[0].feed, &listener->consumer, listen), 0);
	take(in, random_requests(17));
	cr_assert_eq(cache_input_finish(in), 0);
}

Test(cache_input, takes_requests_as_it_takes_their_events)
{
	static struct cache_input events, requests;
	struct listener of_events, of_requests;

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		struct crew *crews[2];

		run(&settings[i], &of_events, &events, take_events);
		run(&settings[i], &of_requests, &requests, take_requests);
		cr_expect_gt(of_events.references, REQUESTS / 2);
		cr_expect_eq(of_requests.references, of_events.references, "setting %zu", i);
		cr_expect_eq(of_requests.hash, of_events.hash, "setting %zu", i);
		cr_expect_eq(of_requests.mixed, of_events.mixed, "setting %zu", i);
		cr_expect_arr_eq(requests.requests, events.requests, sizeof(events.requests));
		cr_expect_arr_eq(requests.modes[0].feed.references, events.modes[0].feed.references,
				 sizeof(events.modes[0].feed.references));
		cr_expect_eq(requests.timeline.samples, events.timeline.samples);
		cr_expect_arr_eq(requests.timeline.time_ns, events.timeline.time_ns,
				 events.timeline.samples * sizeof(uint64_t));
		crews[0] = events.crew;
		crews[1] = requests.crew;
		cache_input_fini(&events);
		cache_input_fini(&requests);
		crew_free(crews[0]);
		crew_free(crews[1]);
	}
}
