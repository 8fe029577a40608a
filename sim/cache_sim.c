/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Untimed cache simulation: one pass over a trace feeds every cache. Another goes
 * before it where sizes are a percentage of the distinct blocks, where a policy
 * knows the future, or where hints need to look ahead (truth: how large files
 * were).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_pass.h"
#include "cache_result.h"
#include "cache_run.h"
#include "cache_sim.h"
#include "census.h"
#include "common/error.h"
#include "common/json.h"

const char *const cache_write_modes[] = {
	[WRITES_THROUGH] = "through", [WRITES_BACK] = "back", [WRITES_UPDATE] = "update",
	[WRITES_AROUND] = "around",   [WRITE_MODES] = NULL,
};

struct simulation {
	const struct cache_sim_options *options;
	bool needs_percent, needs_future;
	uint64_t predicted_bytes;
	struct census census;
	struct cache_pass pass;
	struct cache_run *runs[HINT_MODES_MAX]; /* a mode's, in the order of caches, then sizes */
	size_t run_count;			/* of a mode */
	struct bare_device bare[HINT_MODES_MAX];
	struct breakdown whole[HINT_MODES_MAX]; /* of all references */
};

static int survey_references(struct simulation *s)
{
	struct cache_input in;
	int rc = cache_input_init(&in, s->options->granularity, s->pass.crew);

	if (!rc)
		rc = cache_input_use(&in, HINTS_NONE);
	if (!rc)
		rc = census_count(&s->census, &in.modes[0].feed);
	if (!rc && s->needs_future)
		rc = census_foresee(&s->census, &in.modes[0].feed);
	if (!rc)
		rc = cache_pass_references(&s->pass, &in, "counting blocks");
	cache_input_fini(&in);
	return rc ? rc : census_check(&s->census);
}

static int find_needs(struct simulation *s)
{
	const struct cache_sim_options *o = s->options;
	struct cache cache;

	for (size_t i = 0; i < o->size_count; i++)
		s->needs_percent |= strchr(o->sizes[i], '%') != NULL;
	for (size_t i = 0; i < o->cache_count; i++) {
		if (cache_open(&cache, o->caches[i], 1))
			return -1;
		s->needs_future |= (cache_needs(&cache) & NEEDS_FUTURE) != 0;
		cache_close(&cache);
	}
	return 0;
}

static bool needs_survey(const struct simulation *s)
{
	return s->needs_percent || s->needs_future || cache_input_survey_kinds(&s->pass.input);
}

static uint32_t sectors_per_key(const struct simulation *s)
{
	return s->options->granularity == GRANULARITY_4K ? SECTORS_PER_CHUNK : 1;
}

static int make_run(const struct simulation *s, struct cache_run *run, struct cache_feed *feed,
		    const char *spec, uint32_t entries)
{
	const struct cache_rules *rules = &s->options->rules;
	const char *device = s->options->device;

	unsigned int by = s->options->by;

	if (cache_run_init(run, feed, spec, entries) ||
	    (by && cache_run_use_breakdown(run, by & BY_TRUTH, by & BY_DISK)) ||
	    (rules->window_ns && cache_run_use_windows(run)) ||
	    (device &&
	     cache_run_use_device(run, device, sectors_per_key(s), rules->writes != WRITES_BACK)) ||
	    (rules->writes == WRITES_BACK && cache_run_use_write_back(run)))
		return -1;
	return 0;
}

static int use_breakdown(struct simulation *s, size_t mode)
{
	struct breakdown *whole = &s->whole[mode];

	s->bare[mode].time.breakdown = whole;
	if (breakdown_init(whole, s->options->by & BY_TRUTH, s->options->by & BY_DISK))
		return -1;
	return breakdown_listen(whole, &s->pass.input.modes[mode].feed);
}

/* The runs of a mode. */
static int make_runs(struct simulation *s, size_t mode)
{
	const struct cache_sim_options *o = s->options;
	struct cache_feed *feed = &s->pass.input.modes[mode].feed;
	struct cache_run *run;

	s->runs[mode] = run = calloc(s->run_count, sizeof(*run));
	if (!run)
		return fail("out of memory for the caches");
	if (s->needs_future)
		feed->future = &s->census.future;
	if (o->device && bare_device_init(&s->bare[mode], feed, o->device, sectors_per_key(s)))
		return -1;
	if (o->by && use_breakdown(s, mode))
		return -1;
	for (size_t cache = 0; cache < o->cache_count; cache++)
		for (size_t size = 0; size < o->size_count; size++) {
			uint32_t entries = cache_pass_entries(&s->pass, o->sizes[size],
							      s->census.distinct.count);

			if (!entries || make_run(s, run++, feed, o->caches[cache], entries))
				return -1;
		}
	return 0;
}

/* What the run will take, known before it begins, and whether it may. */
static int predict_memory(struct simulation *s)
{
	unsigned int by = s->options->by;
	uint64_t a_mode = feed_bytes() + breakdown_bytes(by & BY_TRUTH, by & BY_DISK);
	uint64_t bytes = census_bytes(&s->census) + s->pass.input.mode_count * a_mode;
	size_t fit = 0, all = s->run_count * s->pass.input.mode_count;

	for (size_t i = 0; i < all; i++) {
		bytes += cache_run_bytes(
			&s->runs[i % s->pass.input.mode_count][i / s->pass.input.mode_count]);
		fit += bytes <= s->pass.memory.limit_bytes;
	}
	s->predicted_bytes = bytes;
	return memory_limit_predict(&s->pass.memory, bytes, fit, all);
}

static int make_census(struct simulation *s)
{
	if (!needs_survey(s))
		return 0;
	return cache_pass_survey(&s->pass) || survey_references(s) ? -1 : 0;
}

static int prepare(struct simulation *s, const char *path)
{
	const struct cache_sim_options *o = s->options;

	if (find_needs(s) || census_init(&s->census) || cache_pass_open(&s->pass, path, o))
		return -1;
	s->pass.input.rules = o->rules;
	s->pass.input.by_disk = o->by & BY_DISK;
	if (o->by & BY_TRUTH && cache_input_use_truth(&s->pass.input))
		return -1;
	if (make_census(s))
		return -1;
	if (cache_pass_begin(&s->pass))
		return -1;
	s->run_count = o->cache_count * o->size_count;
	for (size_t mode = 0; mode < s->pass.input.mode_count; mode++)
		if (make_runs(s, mode))
			return -1;
	if (!needs_survey(s))
		s->runs[0][0].census = &s->census;
	return predict_memory(s);
}

/* The pass first, whose jobs lie in what follows. */
static void finish(struct simulation *s)
{
	cache_pass_close(&s->pass);
	for (size_t mode = 0; mode < HINT_MODES_MAX; mode++) {
		for (size_t i = 0; s->runs[mode] && i < s->run_count; i++)
			cache_run_fini(&s->runs[mode][i]);
		free(s->runs[mode]);
		device_time_fini(&s->bare[mode].time);
		breakdown_fini(&s->whole[mode]);
	}
	census_fini(&s->census);
	free(s);
}

static json_t *run_result(const struct simulation *s, size_t cache, size_t size, size_t i)
{
	const struct cache_sim_options *o = s->options;
	const struct hint_mode *mode = &s->pass.input.modes[i];
	bool known = hint_mode_is_plain(mode) || hint_mode_has_evidence(mode);
	/* nobody asked for hints, and there are none */
	bool plain = !o->hint_count && !known;
	const struct result_facts facts = {
		.cache = o->caches[cache],
		.size = o->sizes[size],
		.hints = plain ? HINTS_NONE : mode->spec,
		.known = known || plain,
		.feed = &mode->feed,
		.requests = s->pass.input.requests,
		.by = o->by,
		.whole = &s->whole[i],
		.truth_known = s->pass.input.truth && true_chunks_known(s->pass.input.truth),
		.file_groups = &s->pass.input.file_groups,
		.device = o->device,
		.bare = &s->bare[i].time,
		.timeline = &s->pass.input.timeline,
		.pipeline = &s->pass.input.pipeline_options,
	};

	return cache_result(&s->runs[i][cache * o->size_count + size], &facts);
}

static json_t *all_results(const struct simulation *s)
{
	const struct cache_sim_options *o = s->options;
	json_t *list = json_array();

	for (size_t cache = 0; cache < o->cache_count; cache++)
		for (size_t size = 0; size < o->size_count; size++)
			for (size_t i = 0; i < s->pass.input.mode_count; i++)
				json_array_append_new(list, run_result(s, cache, size, i));
	return list;
}

static json_t *undecided_json(const struct simulation *s)
{
	const struct hint_mode *mode = cache_pass_late_mode(&s->pass);

	return json_pack("{s:I, s:I}", "peak",
			 (json_int_t)(mode ? undecided_peak(mode->undecided) : 0), "dropped",
			 (json_int_t)(mode ? undecided_dropped(mode->undecided) : 0));
}

/* Neither depends on the machine. */
static json_t *memory_json(const struct simulation *s)
{
	json_int_t limit = s->options->memory_limit_bytes;

	return json_pack("{s:I, s:o}", "predicted_bytes", (json_int_t)s->predicted_bytes,
			 "limit_bytes", limit ? json_integer(limit) : json_null());
}

static json_t *report(const struct simulation *s, const char *path)
{
	static const char *const granularity_names[] = {"4k", "start"};
	const uint64_t *requests = s->pass.input.requests;
	struct tally sides[2];
	json_t *results = all_results(s);
	json_t *first = json_array_get(results, 0);

	tally_sides(s->pass.input.modes[0].feed.references, sides);
	return json_pack(
		"{s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:O, s:s?, s:o, s:o, s:o}", "trace",
		text_json(path, strlen(path)), "granularity",
		granularity_names[s->options->granularity], "write_mode",
		cache_write_modes[s->options->rules.writes], "distinct_blocks",
		(json_int_t)s->census.distinct.count, "references",
		(json_int_t)(sides[0].references + sides[1].references), "requests",
		(json_int_t)(requests[0] + requests[SIDE_WRITES]), "warm_up_requests",
		(json_int_t)(requests[SIDE_WARM_UP] + requests[SIDE_WARM_UP | SIDE_WRITES]),
		"miss_ratio", json_object_get(first, "miss_ratio"), "hint_source",
		cache_pass_hint_source(&s->pass), "undecided_chunks", undecided_json(s), "memory",
		memory_json(s), "results", results);
}

json_t *cache_simulate(const char *path, const struct cache_sim_options *options)
{
	struct simulation *s = calloc(1, sizeof(*s));
	json_t *json = NULL;

	if (!s) {
		fail("out of memory for the simulation");
		return NULL;
	}
	s->options = options;
	if (!prepare(s, path) && !cache_pass_run(&s->pass, "simulating") &&
	    !census_check(&s->census)) {
		json = report(s, path);
		if (!json)
			fail("out of memory for the results, or the name of %s is no UTF-8", path);
	}
	finish(s);
	return json;
}
