/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "cache_pass.h"
#include "capture/import/import.h"
#include "capture/requests.h"
#include "capture/source.h"
#include "common/error.h"
#include "common/progress.h"
#include "common/size.h"

/* How far a trace is searched for evidence where no hints are asked for. */
#define PROBE_EVENTS 65536u
enum probe { PROBE_FOUND = 1, PROBE_ENDED };

static struct source *open_events(const struct cache_pass *p, uint32_t kinds)
{
	const struct import_options options = {.columns = p->columns};

	return p->importer ? import_open(p->importer, p->path, &options)
			   : trace_open(p->path, kinds);
}

static struct request_source *open_requests(const struct cache_pass *p)
{
	const struct import_options options = {.columns = p->columns};

	return p->importer ? import_requests(p->importer, p->path, &options)
			   : trace_requests(p->path, p->crew);
}

/*
 * Until take() returns something else than 0, which is then returned; -1 on failure, also if
 * the source is NULL. Closes it.
 */
static int for_each_batch(struct cache_pass *p, struct source *source, const char *label,
			  int (*take)(struct cache_pass *, const struct event *, size_t))
{
	struct event events[BATCH_EVENTS];
	ssize_t count;
	int rc = 0;

	if (!source)
		return -1;
	progress_begin(label, source->total_bytes);
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		rc = take(p, events, count);
		if (!rc)
			rc = memory_limit_check(&p->memory, count);
		if (rc)
			break;
		progress_update(source->read_bytes);
	}
	progress_end();
	source_close(source);
	return count < 0 ? -1 : rc;
}

/* As for_each_batch(). */
static int for_each_request(struct cache_pass *p, struct request_source *source,
			    struct cache_input *in, const char *label)
{
	const struct request *requests;
	ssize_t count;
	int rc = 0;

	if (!source)
		return -1;
	in->objects = source->objects;
	if (in->objects && in->granularity != GRANULARITY_START)
		rc = fail("%s has objects, not blocks: simulate it with --granularity start",
			  p->path);
	if (in->objects && in->by_disk)
		rc = fail("%s has objects, which are on no disk: leave out the results by disk",
			  p->path);
	progress_begin(label, source->total_bytes);
	while (!rc && (count = request_read(source, &requests)) != 0) {
		rc = count < 0 ? -1 : cache_input_take_requests(in, requests, count);
		if (!rc)
			rc = memory_limit_check(&p->memory, count);
		progress_update(source->read_bytes);
	}
	progress_end();
	request_close(source);
	return rc;
}

static int take_batch(struct cache_pass *p, const struct event *events, size_t count)
{
	return cache_input_take(&p->input, events, count);
}

/* The pass before: events for who looks ahead, references without hints for the census. */
static int survey_events(struct cache_pass *p, const struct event *events, size_t count)
{
	return cache_input_survey(&p->input, events, count);
}

/* Does one of the trace's first events say what requests are? Calls, checksums and hints do. */
static int probe_batch(struct cache_pass *p, const struct event *events, size_t count)
{
	for (const struct event *e = events; e < events + count; e++)
		if (e->kind == EVENT_ENTRY || e->kind == EVENT_EXIT || e->kind == EVENT_HINT ||
		    (e->kind == EVENT_BLOCK && e->block.sums.count) ||
		    (e->kind == EVENT_COMPLETE && e->complete.sums.count))
			return PROBE_FOUND;
	p->probed += count;
	return p->probed < PROBE_EVENTS ? 0 : PROBE_ENDED;
}

/* Nobody said which hints: sky, or none where the trace has no evidence. NULL on failure. */
static const char *choose_hints(struct cache_pass *p)
{
	uint32_t kinds = KIND_BIT(EVENT_ENTRY) | KIND_BIT(EVENT_EXIT) | KIND_BIT(EVENT_HINT) |
			 KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_COMPLETE);
	/* other programs' traces have no evidence */
	int rc = p->importer ? PROBE_ENDED : PROBE_FOUND;

	if (!p->importer && strcmp(p->path, "-"))
		rc = for_each_batch(p, open_events(p, kinds), "looking for evidence", probe_batch);
	if (rc < 0)
		return NULL;
	return rc == PROBE_FOUND ? "sky" : HINTS_NONE;
}

static int choose_modes(struct cache_pass *p, const struct cache_sim_options *o)
{
	const char *chosen;

	if (o->hint_count > HINT_MODES_MAX)
		return fail("no more than %d kinds of hints at a time", HINT_MODES_MAX);
	for (size_t i = 0; i < o->hint_count; i++)
		if (cache_input_use(&p->input, o->hints[i]))
			return -1;
	if (o->hint_count)
		return 0;
	chosen = choose_hints(p);
	return chosen ? cache_input_use(&p->input, chosen) : -1;
}

static int find_format(struct cache_pass *p, const char *format)
{
	const struct component *found;

	if (!format)
		return 0;
	found = component_find("import", format);
	if (!found)
		return fail("there is no format \"%s\"; `sky list import` shows what there is",
			    format);
	p->importer = container_of(found, struct importer, head);
	return 0;
}

int cache_pass_open(struct cache_pass *p, const char *path, const struct cache_sim_options *o)
{
	*p = (struct cache_pass){.path = path, .columns = o->columns};
	p->crew = crew_new(o->threads ? o->threads : crew_processors());
	if (!p->crew || find_format(p, o->format) ||
	    memory_limit_init(&p->memory, o->memory_limit_bytes) ||
	    cache_input_init(&p->input, o->granularity, p->crew))
		return -1;
	return choose_modes(p, o);
}

/* The feeds first, which wait for the jobs under way. */
void cache_pass_close(struct cache_pass *p)
{
	cache_input_fini(&p->input);
	source_close(p->source);
	request_close(p->requests);
	crew_free(p->crew);
}

int cache_pass_survey(struct cache_pass *p)
{
	uint32_t kinds = cache_input_survey_kinds(&p->input);

	if (!strcmp(p->path, "-"))
		return fail("sizes in %%, the hints truth, results by it, policies that know the "
			    "future and curves of others than lru need the trace twice; standard "
			    "input can be read once: `sky convert` makes a file of it");
	return kinds ? for_each_batch(p, open_events(p, kinds), "looking ahead", survey_events) : 0;
}

int cache_pass_references(struct cache_pass *p, struct cache_input *in, const char *label)
{
	return for_each_request(p, open_requests(p), in, label) || cache_input_finish(in) ? -1 : 0;
}

int cache_pass_begin(struct cache_pass *p)
{
	if (cache_input_is_plain(&p->input))
		p->requests = open_requests(p);
	else
		p->source = open_events(p, cache_input_kinds(&p->input));
	return p->requests || p->source ? 0 : -1;
}

int cache_pass_run(struct cache_pass *p, const char *label)
{
	struct request_source *requests = p->requests;
	struct source *source = p->source;
	int rc;

	p->requests = NULL;
	p->source = NULL;
	rc = requests ? for_each_request(p, requests, &p->input, label)
		      : for_each_batch(p, source, label, take_batch);
	return rc || cache_input_finish(&p->input) ? -1 : 0;
}

const struct hint_mode *cache_pass_late_mode(const struct cache_pass *p)
{
	for (size_t i = 0; i < p->input.mode_count; i++)
		if (p->input.modes[i].undecided)
			return &p->input.modes[i];
	return NULL;
}

const char *cache_pass_hint_source(const struct cache_pass *p)
{
	const struct hint_mode *mode = cache_pass_late_mode(p);

	if (!mode || !hint_mode_has_evidence(mode))
		return NULL;
	return p->input.trace_hints ? "trace" : "pipeline";
}

uint32_t cache_pass_entries(const struct cache_pass *p, const char *size, double distinct)
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
	if (capacity.unit == CAPACITY_BYTES && p->input.granularity == GRANULARITY_START) {
		fail("a cache of start keys has no size in bytes like %s: give a number of entries "
		     "or %%",
		     size);
		return 0;
	}
	if (capacity.unit == CAPACITY_BYTES)
		entries /= CHUNK_BYTES;
	if (capacity.unit == CAPACITY_PERCENT)
		entries *= distinct / 100.0;
	if (entries > CACHE_CAPACITY_MAX) {
		fail("a cache of %s is too large: %u blocks are possible", size,
		     CACHE_CAPACITY_MAX);
		return 0;
	}
	return entries < 1 ? 1 : (uint32_t)entries;
}
