/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Untimed cache simulation: one pass over a trace feeds every cache.
 *
 *   requests or events -> cache_input -> a feed a hint mode -> its caches -> results
 *
 * Where nobody asks for hints only requests are read. A pass goes before it where sizes
 * are a percentage of the distinct blocks, where a policy knows the future, or
 * where hints need to look ahead (truth: how large files were).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache_input.h"
#include "cache_result.h"
#include "cache_run.h"
#include "cache_sim.h"
#include "capture/import/import.h"
#include "capture/requests.h"
#include "capture/source.h"
#include "census.h"
#include "common/error.h"
#include "common/json.h"
#include "common/progress.h"
#include "common/size.h"
#include "memory_limit.h"

/* How far a trace is searched for evidence where no hints are asked for. */
#define PROBE_EVENTS 65536u
enum probe { PROBE_FOUND = 1, PROBE_ENDED };

struct simulation {
	const struct cache_sim_options *options;
	const struct importer *importer;   /* NULL: a trace of Sky */
	const char *hints[HINT_MODES_MAX]; /* that are simulated, in the order of the results */
	size_t hint_count;
	uint64_t probed; /* events that were searched for evidence */
	bool needs_percent, needs_future;
	uint64_t predicted_bytes;
	struct memory_limit memory;
	struct crew *crew;
	struct census census;
	struct cache_input input;
	struct cache_run *runs[HINT_MODES_MAX]; /* a mode's, in the order of caches, then sizes */
	size_t run_count;			/* of a mode */
};

static struct source *open_events(const struct simulation *s, const char *path, uint32_t kinds)
{
	return s->importer ? import_open(s->importer, path) : trace_open(path, kinds);
}

static struct request_source *open_requests(const struct simulation *s, const char *path)
{
	return s->importer ? import_requests(s->importer, path) : trace_requests(path, s->crew);
}

/* Until take() returns something else than 0, which is then returned; -1 on failure. */
static int for_each_batch(struct simulation *s, const char *path, uint32_t kinds, const char *label,
			  int (*take)(struct simulation *, const struct event *, size_t))
{
	struct event events[BATCH_EVENTS];
	struct source *source = open_events(s, path, kinds);
	ssize_t count;
	int rc = 0;

	if (!source)
		return -1;
	progress_begin(label, source->total_bytes);
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		rc = take(s, events, count);
		if (!rc)
			rc = memory_limit_check(&s->memory, count);
		if (rc)
			break;
		progress_update(source->read_bytes);
	}
	progress_end();
	source_close(source);
	return count < 0 ? -1 : rc;
}

static int for_each_request(struct simulation *s, const char *path, struct cache_input *in,
			    const char *label)
{
	struct request_source *source = open_requests(s, path);
	const struct request *requests;
	ssize_t count;
	int rc = 0;

	if (!source)
		return -1;
	in->objects = source->objects;
	if (in->objects && in->granularity != GRANULARITY_START)
		rc = fail("%s has objects, not blocks: simulate it with --granularity start", path);
	progress_begin(label, source->total_bytes);
	while (!rc && (count = request_read(source, &requests)) != 0) {
		rc = count < 0 ? -1 : cache_input_take_requests(in, requests, count);
		if (!rc)
			rc = memory_limit_check(&s->memory, count);
		progress_update(source->read_bytes);
	}
	progress_end();
	request_close(source);
	return rc;
}

static int take_batch(struct simulation *s, const struct event *events, size_t count)
{
	return cache_input_take(&s->input, events, count);
}

static int simulate(struct simulation *s, const char *path)
{
	int rc = cache_input_is_plain(&s->input)
			 ? for_each_request(s, path, &s->input, "simulating")
			 : for_each_batch(s, path, cache_input_kinds(&s->input), "simulating",
					  take_batch);

	if (rc || cache_input_finish(&s->input))
		return -1;
	return census_check(&s->census);
}

/* The pass before: events for who looks ahead, references without hints for the census. */
static int survey_events(struct simulation *s, const struct event *events, size_t count)
{
	return cache_input_survey(&s->input, events, count);
}

static int survey_references(struct simulation *s, const char *path)
{
	struct cache_input in;
	int rc = cache_input_init(&in, s->options->granularity, s->crew);

	if (!rc)
		rc = cache_input_use(&in, HINTS_NONE);
	if (!rc)
		rc = census_count(&s->census, &in.modes[0].feed);
	if (!rc && s->needs_future)
		rc = census_foresee(&s->census, &in.modes[0].feed);
	if (!rc)
		rc = for_each_request(s, path, &in, "counting blocks");
	if (!rc)
		rc = cache_input_finish(&in);
	cache_input_fini(&in);
	return rc ? rc : census_check(&s->census);
}

static int survey(struct simulation *s, const char *path)
{
	uint32_t kinds = cache_input_survey_kinds(&s->input);

	if (!strcmp(path, "-"))
		return fail("sizes in %%, the hints truth and policies that know the future need "
			    "the trace twice; standard input can be read once: `sky convert` makes "
			    "a file of it");
	if (kinds && for_each_batch(s, path, kinds, "looking ahead", survey_events))
		return -1;
	return survey_references(s, path);
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
		entries *= s->census.distinct.count / 100.0;
	if (entries > CACHE_CAPACITY_MAX) {
		fail("a cache of %s is too large: %u blocks are possible", size,
		     CACHE_CAPACITY_MAX);
		return 0;
	}
	return entries < 1 ? 1 : (uint32_t)entries;
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
		s->needs_future |= cache.model->needs_future;
		cache_close(&cache);
	}
	return 0;
}

static bool needs_survey(const struct simulation *s)
{
	return s->needs_percent || s->needs_future || cache_input_survey_kinds(&s->input);
}

/* The runs of a mode. */
static int make_runs(struct simulation *s, size_t mode)
{
	const struct cache_sim_options *o = s->options;
	struct cache_feed *feed = &s->input.modes[mode].feed;
	struct cache_run *run;

	s->runs[mode] = run = calloc(s->run_count, sizeof(*run));
	if (!run)
		return fail("out of memory for the caches");
	if (s->needs_future)
		feed->future = &s->census.future;
	for (size_t cache = 0; cache < o->cache_count; cache++)
		for (size_t size = 0; size < o->size_count; size++) {
			uint32_t entries = entries_of(s, o->sizes[size]);

			if (!entries || cache_run_init(run++, feed, o->caches[cache], entries))
				return -1;
		}
	return 0;
}

/* What the run will take, known before it begins, and whether it may. */
static int predict_memory(struct simulation *s)
{
	uint64_t bytes = census_bytes(&s->census) + s->input.mode_count * feed_bytes();
	size_t fit = 0, all = s->run_count * s->input.mode_count;

	for (size_t i = 0; i < all; i++) {
		bytes +=
			cache_run_bytes(&s->runs[i % s->input.mode_count][i / s->input.mode_count]);
		fit += bytes <= s->memory.limit_bytes;
	}
	s->predicted_bytes = bytes;
	return memory_limit_predict(&s->memory, bytes, fit, all);
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
	/* other programs' traces have no evidence */
	int rc = s->importer ? PROBE_ENDED : PROBE_FOUND;

	if (!s->importer && strcmp(path, "-"))
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

static int find_format(struct simulation *s)
{
	const struct component *found;

	if (!s->options->format)
		return 0;
	found = component_find("import", s->options->format);
	if (!found)
		return fail("there is no format \"%s\"; `sky list import` shows what there is",
			    s->options->format);
	s->importer = container_of(found, struct importer, head);
	return 0;
}

static int make_census(struct simulation *s, const char *path)
{
	if (needs_survey(s))
		return survey(s, path);
	return census_count(&s->census, &s->input.modes[0].feed);
}

static int prepare(struct simulation *s, const char *path)
{
	const struct cache_sim_options *o = s->options;

	s->crew = crew_new(o->threads ? o->threads : crew_processors());
	if (!s->crew || find_format(s) || find_needs(s) ||
	    memory_limit_init(&s->memory, o->memory_limit_bytes) || census_init(&s->census) ||
	    cache_input_init(&s->input, o->granularity, s->crew) || choose_modes(s, path) ||
	    make_census(s, path))
		return -1;
	s->run_count = o->cache_count * o->size_count;
	for (size_t mode = 0; mode < s->input.mode_count; mode++)
		if (make_runs(s, mode))
			return -1;
	return predict_memory(s);
}

/* The feeds first, which wait for the jobs under way; these lie in what follows. */
static void finish(struct simulation *s)
{
	cache_input_fini(&s->input);
	crew_free(s->crew);
	for (size_t mode = 0; mode < HINT_MODES_MAX; mode++) {
		for (size_t i = 0; s->runs[mode] && i < s->run_count; i++)
			cache_run_fini(&s->runs[mode][i]);
		free(s->runs[mode]);
	}
	census_fini(&s->census);
	free(s);
}

static json_t *run_result(const struct simulation *s, size_t cache, size_t size, size_t i)
{
	const struct cache_sim_options *o = s->options;
	const struct hint_mode *mode = &s->input.modes[i];
	bool known = hint_mode_is_plain(mode) || hint_mode_has_evidence(mode);
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

	return cache_result(&s->runs[i][cache * o->size_count + size], &facts);
}

static json_t *all_results(const struct simulation *s)
{
	const struct cache_sim_options *o = s->options;
	json_t *list = json_array();

	for (size_t cache = 0; cache < o->cache_count; cache++)
		for (size_t size = 0; size < o->size_count; size++)
			for (size_t i = 0; i < s->input.mode_count; i++)
				json_array_append_new(list, run_result(s, cache, size, i));
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
	uint64_t references = 0;
	json_t *results = all_results(s);
	json_t *first = json_array_get(results, 0);

	for (unsigned int tag = 0; tag < TAGS; tag++)
		references += s->input.modes[0].feed.references[tag].references;
	return json_pack("{s:o, s:s, s:I, s:I, s:I, s:O, s:s?, s:o, s:o, s:o}", "trace",
			 text_json(path, strlen(path)), "granularity",
			 granularity_names[s->options->granularity], "distinct_blocks",
			 (json_int_t)s->census.distinct.count, "references", (json_int_t)references,
			 "requests", (json_int_t)s->input.requests, "miss_ratio",
			 json_object_get(first, "miss_ratio"), "hint_source", hint_source(s),
			 "undecided_chunks", undecided_json(s), "memory", memory_json(s), "results",
			 results);
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
