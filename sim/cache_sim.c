/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Untimed cache simulation: one pass over a trace feeds every cache.
 *
 *   events -> cache_input -> a feed a hint mode -> its caches -> results
 *
 * A second pass goes before it where sizes are a percentage of the distinct
 * blocks, or where truth is asked for (how large files were).
 */
#include <stdlib.h>
#include <string.h>

#include "cache_input.h"
#include "cache_result.h"
#include "cache_sim.h"
#include "capture/source.h"
#include "common/error.h"
#include "common/json.h"
#include "common/progress.h"
#include "common/size.h"

/* How far a trace is searched for evidence where no hints are asked for. */
#define PROBE_EVENTS 65536u
enum probe { PROBE_FOUND = 1, PROBE_ENDED };

struct simulation {
	const struct cache_sim_options *options;
	const char *hints[HINT_MODES_MAX]; /* that are simulated, in the order of the results */
	size_t hint_count;
	uint64_t probed; /* events that were searched for evidence */
	struct cache_input input;
};

/* Until take() returns something else than 0, which is then returned; -1 on failure. */
static int for_each_batch(struct simulation *s, const char *path, uint32_t kinds, const char *label,
			  int (*take)(struct simulation *, const struct event *, size_t))
{
	struct event events[BATCH_EVENTS];
	struct source *source = trace_open(path, kinds);
	ssize_t count;
	int rc = 0;

	if (!source)
		return -1;
	progress_begin(label, source->total_bytes);
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		rc = take(s, events, count);
		if (rc)
			break;
		progress_update(source->read_bytes);
	}
	progress_end();
	source_close(source);
	return count < 0 ? -1 : rc;
}

static int survey_batch(struct simulation *s, const struct event *events, size_t count)
{
	return cache_input_survey(&s->input, events, count);
}

static int take_batch(struct simulation *s, const struct event *events, size_t count)
{
	return cache_input_take(&s->input, events, count);
}

/* The pass before. */
static int survey(struct simulation *s, const char *path)
{
	if (!strcmp(path, "-"))
		return fail("sizes in %% and the hints truth need the trace twice; standard "
			    "input can be read once: `sky convert` makes a file of it");
	return for_each_batch(s, path, cache_input_survey_kinds(&s->input), "counting blocks",
			      survey_batch);
}

static int simulate(struct simulation *s, const char *path)
{
	if (for_each_batch(s, path, cache_input_kinds(&s->input), "simulating", take_batch))
		return -1;
	return cache_input_finish(&s->input);
}

/* How many blocks a size means, or 0 after saying what is wrong with it. */
static uint32_t entries_of(const struct simulation *s, const char *size)
{
	struct capacity capacity;
	double entries;

	if (capacity_parse(size, &capacity)) {
		fail("\"%s\" is no size: a number of entries, bytes with K, M, G or T, or %% of "
		     "the distinct blocks",
		     size);
		return 0;
	}
	entries = capacity.value;
	if (capacity.unit == CAPACITY_BYTES && s->options->granularity == GRANULARITY_START) {
		fail("a cache of start keys has no size in bytes like %s: give a number of entries "
		     "or %%",
		     size);
		return 0;
	}
	if (capacity.unit == CAPACITY_BYTES)
		entries /= CHUNK_BYTES;
	if (capacity.unit == CAPACITY_PERCENT)
		entries *= s->input.distinct.count / 100.0;
	if (entries > CACHE_CAPACITY_MAX) {
		fail("a cache of %s is too large: %u blocks are possible", size,
		     CACHE_CAPACITY_MAX);
		return 0;
	}
	return entries < 1 ? 1 : (uint32_t)entries;
}

static bool needs_survey(const struct simulation *s)
{
	const struct cache_sim_options *o = s->options;

	for (size_t i = 0; i < o->size_count; i++)
		if (strchr(o->sizes[i], '%'))
			return true;
	return cache_input_survey_kinds(&s->input) != KIND_BIT(EVENT_BLOCK);
}

/* The runs of a mode, in the order of caches, then sizes. */
static int make_runs(struct simulation *s, struct cache_feed *feed)
{
	const struct cache_sim_options *o = s->options;

	feed->runs = calloc(o->cache_count * o->size_count, sizeof(*feed->runs));
	if (!feed->runs)
		return fail("out of memory for the caches");
	for (size_t cache = 0; cache < o->cache_count; cache++)
		for (size_t size = 0; size < o->size_count; size++) {
			uint32_t entries = entries_of(s, o->sizes[size]);
			struct cache_run *run = &feed->runs[feed->run_count++];

			if (!entries || cache_run_init(run, o->caches[cache], entries))
				return -1;
		}
	return 0;
}

/* Does one of the trace's first events say what requests are? Calls, checksums and hints do. */
static int probe_batch(struct simulation *s, const struct event *events, size_t count)
{
	for (const struct event *e = events; e < events + count; e++)
		if (e->kind == EVENT_ENTRY || e->kind == EVENT_EXIT || e->kind == EVENT_HINT ||
		    (e->kind == EVENT_BLOCK && e->block.sums.count) ||
		    (e->kind == EVENT_COMPLETE && e->complete.sums.count))
			return PROBE_FOUND;
	s->probed += count;
	return s->probed < PROBE_EVENTS ? 0 : PROBE_ENDED;
}

/* Nobody said which hints: sky, or none where the trace has no evidence. */
static int choose_hints(struct simulation *s, const char *path)
{
	uint32_t kinds = KIND_BIT(EVENT_ENTRY) | KIND_BIT(EVENT_EXIT) | KIND_BIT(EVENT_HINT) |
			 KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_COMPLETE);
	int rc = PROBE_FOUND;

	if (strcmp(path, "-"))
		rc = for_each_batch(s, path, kinds, "looking for evidence", probe_batch);
	s->hints[s->hint_count++] = rc == PROBE_FOUND ? "sky" : HINTS_NONE;
	return rc < 0 ? -1 : 0;
}

static bool is_given_twice(const struct simulation *s, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (!strcmp(s->hints[i], s->hints[j]))
			return true;
	return false;
}

static int choose_modes(struct simulation *s, const char *path)
{
	const struct cache_sim_options *o = s->options;

	if (o->hint_count > HINT_MODES_MAX)
		return fail("no more than %d kinds of hints at a time", HINT_MODES_MAX);
	for (size_t i = 0; i < o->hint_count; i++)
		s->hints[s->hint_count++] = o->hints[i];
	if (!s->hint_count && choose_hints(s, path))
		return -1;
	for (size_t i = 0; i < s->hint_count; i++) {
		if (is_given_twice(s, i))
			return fail("the hints %s are given twice", s->hints[i]);
		if (cache_input_use(&s->input, s->hints[i]))
			return -1;
	}
	return 0;
}

static int prepare(struct simulation *s, const char *path)
{
	if (cache_input_init(&s->input, s->options->granularity) || choose_modes(s, path))
		return -1;
	s->input.counts_distinct = !needs_survey(s);
	if (!s->input.counts_distinct && survey(s, path))
		return -1;
	for (size_t i = 0; i < s->input.mode_count; i++)
		if (make_runs(s, &s->input.modes[i].feed))
			return -1;
	return 0;
}

static void finish(struct simulation *s)
{
	for (size_t mode = 0; mode < s->input.mode_count; mode++) {
		struct cache_feed *feed = &s->input.modes[mode].feed;

		for (size_t i = 0; i < feed->run_count; i++)
			cache_run_fini(&feed->runs[i]);
		free(feed->runs);
	}
	cache_input_fini(&s->input);
	free(s);
}

static json_t *run_result(const struct simulation *s, size_t cache, size_t size,
			  const struct hint_mode *mode)
{
	const struct cache_sim_options *o = s->options;
	bool known = !mode->classifier.ops || hint_mode_has_evidence(mode);
	/* nobody asked for hints, and there are none */
	bool plain = !o->hint_count && !known;
	const struct result_facts facts = {
		.cache = o->caches[cache],
		.size = o->sizes[size],
		.hints = plain ? HINTS_NONE : mode->spec,
		.known = known || plain,
		.feed = &mode->feed,
		.timeline = &s->input.timeline,
		.pipeline = &s->input.pipeline_options,
	};

	return cache_result(&mode->feed.runs[cache * o->size_count + size], &facts);
}

static json_t *all_results(const struct simulation *s)
{
	const struct cache_sim_options *o = s->options;
	json_t *list = json_array();

	for (size_t cache = 0; cache < o->cache_count; cache++)
		for (size_t size = 0; size < o->size_count; size++)
			for (size_t i = 0; i < s->input.mode_count; i++)
				json_array_append_new(
					list, run_result(s, cache, size, &s->input.modes[i]));
	return list;
}

/* The first mode whose hints come later than their requests: Sky's. */
static const struct hint_mode *late_mode(const struct simulation *s)
{
	for (size_t i = 0; i < s->input.mode_count; i++)
		if (s->input.modes[i].undecided)
			return &s->input.modes[i];
	return NULL;
}

static const char *hint_source(const struct simulation *s)
{
	const struct hint_mode *mode = late_mode(s);

	if (!mode || !hint_mode_has_evidence(mode))
		return NULL;
	return s->input.trace_hints ? "trace" : "pipeline";
}

static json_t *undecided_json(const struct simulation *s)
{
	const struct hint_mode *mode = late_mode(s);

	return json_pack("{s:I, s:I}", "peak",
			 (json_int_t)(mode ? undecided_peak(mode->undecided) : 0), "dropped",
			 (json_int_t)(mode ? undecided_dropped(mode->undecided) : 0));
}

static json_t *report(const struct simulation *s, const char *path)
{
	static const char *const granularity_names[] = {"4k", "start"};
	uint64_t references = 0;
	json_t *results = all_results(s);
	json_t *first = json_array_get(results, 0);

	for (unsigned int tag = 0; tag < TAGS; tag++)
		references += s->input.modes[0].feed.references[tag].references;
	return json_pack("{s:o, s:s, s:I, s:I, s:I, s:O, s:s?, s:o, s:o}", "trace",
			 text_json(path, strlen(path)), "granularity",
			 granularity_names[s->options->granularity], "distinct_blocks",
			 (json_int_t)s->input.distinct.count, "references", (json_int_t)references,
			 "requests", (json_int_t)s->input.requests, "miss_ratio",
			 json_object_get(first, "miss_ratio"), "hint_source", hint_source(s),
			 "undecided_chunks", undecided_json(s), "results", results);
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
	if (!prepare(s, path) && !simulate(s, path)) {
		json = report(s, path);
		if (!json)
			fail("out of memory for the results, or the name of %s is no UTF-8", path);
	}
	finish(s);
	return json;
}
