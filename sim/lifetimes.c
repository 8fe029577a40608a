/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky lifetimes, the library half: a trace in, one JSON object out.
 *
 * Everything but reads goes through the pipeline, whose observer the files'
 * blocks are. Write requests also make blocks of the disk, of two kinds by the
 * pipeline's hints; those of data remember of which file. So a discard, which
 * names a place, ends the file's block that lies there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "common/error.h"
#include "common/histogram.h"
#include "common/json.h"
#include "common/progress.h"
#include "sim/block_lives.h"
#include "sim/lifetimes.h"
#include "sim/pipeline/pipeline.h"

enum kind { KIND_METADATA, KIND_DATA };

/* One way to tell lifetimes. */
struct way {
	struct block_lives *lives;
	struct histogram ended[LIFE_KINDS]; /* blocks by lifetime in ns */
};

/* A chunk of the write request under way. */
struct place {
	uint64_t index;
	uint32_t file; /* 0: not known */
	bool data;
};

struct lifetimes {
	const char *path;
	struct pipeline *pipeline;
	struct way sky, naive;
	struct place *places;
	uint32_t place_count, place_room;
	uint64_t first_ns, last_ns, lost_events;
	bool began;
};

static void take_life(void *context, const struct life *life)
{
	struct way *way = context;

	histogram_add(&way->ended[life->kind], life->lifetime_ns, life->chunks);
}

/* Write requests are decided as they are issued: the hints are of the request under way. */
static void take_hints(void *context, const struct event *hints, size_t count)
{
	struct lifetimes *l = context;

	for (size_t i = 0; i < count; i++) {
		const struct hint_event *h = &hints[i].hint;

		if (h->chunk >= l->place_count || h->what != CHUNK_DATA)
			continue;
		l->places[h->chunk] = (struct place){
			.index = h->index,
			.file = h->device || h->inode
					? block_lives_number(l->sky.lives, h->device, h->inode)
					: 0,
			.data = true};
	}
}

static int begin_places(struct lifetimes *l, uint32_t count)
{
	struct place *places;

	if (count > l->place_room) {
		places = realloc(l->places, count * sizeof(*places));
		if (!places)
			return -ENOMEM;
		l->places = places;
		l->place_room = count;
	}
	if (count)
		memset(l->places, 0, count * sizeof(*l->places));
	l->place_count = count;
	return 0;
}

static struct observed disk_of(const struct event *event)
{
	return (struct observed){.inode = event->block.disk, .time_ns = event->time_ns};
}

/* Chunks [from, until) of the request that are of a kind, and lie in their file as on the disk. */
static uint32_t end_of_run(const struct lifetimes *l, uint32_t from, uint32_t until)
{
	const struct place *first = &l->places[from];
	uint32_t i = from + 1;

	while (i < until && l->places[i].data == first->data && l->places[i].file == first->file &&
	       (!first->file || l->places[i].index == first->index + (i - from)))
		i++;
	return i;
}

/* Sectors that cover a chunk in part write it all. */
static void write_disk(struct lifetimes *l, const struct event *event)
{
	const struct block_event *block = &event->block;
	const struct observed disk = disk_of(event);
	uint64_t first = block->sector / SECTORS_PER_CHUNK;
	uint64_t until =
		(block->sector + block->sectors + SECTORS_PER_CHUNK - 1) / SECTORS_PER_CHUNK;
	uint32_t next;

	for (uint32_t i = 0; i < l->place_count; i = next) {
		const struct place *place = &l->places[i];

		next = end_of_run(l, i, l->place_count);
		block_lives_write(
			l->naive.lives, &disk,
			(struct chunk_run){.from = first + i,
					   .until = first + next,
					   .base = place->index - (first + i),
					   .file = place->file,
					   .kind = place->data ? KIND_DATA : KIND_METADATA});
	}
	block_lives_write(l->naive.lives, &disk,
			  (struct chunk_run){.from = first + l->place_count, .until = until});
}

struct discard {
	struct lifetimes *lifetimes;
	uint64_t time_ns;
};

static void discard_run(void *context, const struct chunk_run *run)
{
	const struct discard *d = context;

	if (run->file)
		block_lives_discard(d->lifetimes->sky.lives, run->file, run->from + run->base,
				    run->until + run->base, run->time_ns, d->time_ns);
}

/* What is discarded in part stays. The naive way learns nothing of it. */
static void discard(struct lifetimes *l, const struct event *event)
{
	const struct block_event *block = &event->block;
	const struct observed disk = disk_of(event);
	uint64_t first = (block->sector + SECTORS_PER_CHUNK - 1) / SECTORS_PER_CHUNK;
	uint64_t until = (block->sector + block->sectors) / SECTORS_PER_CHUNK;
	struct discard d = {l, event->time_ns};

	if (first < until)
		block_lives_visit(l->naive.lives, &disk, first, until, discard_run, &d);
}

static int take_block(struct lifetimes *l, const struct event *event)
{
	if (event->block.op == BLOCK_DISCARD) {
		discard(l, event);
		return 0;
	}
	if (event->block.op != BLOCK_WRITE && event->block.op != BLOCK_ZERO)
		return 0;
	if (begin_places(l, event->block.sums.count) || pipeline_feed(l->pipeline, event, 1))
		return -ENOMEM;
	write_disk(l, event);
	l->place_count = 0;
	return 0;
}

static int take_event(struct lifetimes *l, const struct event *event)
{
	if (!l->began)
		l->first_ns = event->time_ns;
	l->began = true;
	if (event->time_ns > l->last_ns)
		l->last_ns = event->time_ns;
	if (event->kind == EVENT_BLOCK)
		return take_block(l, event);
	if (event->kind == EVENT_LOSS)
		l->lost_events += event->loss.count;
	return pipeline_feed(l->pipeline, event, 1);
}

static int take_all(struct lifetimes *l, struct source *source, struct event *events)
{
	ssize_t count;

	progress_begin("following blocks", source->total_bytes);
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		int error = 0;

		for (ssize_t i = 0; i < count && !error; i++)
			error = take_event(l, &events[i]);
		if (error || block_lives_failed(l->sky.lives) ||
		    block_lives_failed(l->naive.lives)) {
			count = fail("out of memory while following the blocks of %s", l->path);
			break;
		}
		progress_update(source->read_bytes);
	}
	progress_end();
	return count;
}

static int follow(struct lifetimes *l)
{
	const uint32_t unused = KIND_BIT(EVENT_COMPLETE) | KIND_BIT(EVENT_TRUTH) |
				KIND_BIT(EVENT_EXTENT) | KIND_BIT(EVENT_HINT);
	struct event *events = calloc(BATCH_EVENTS, sizeof(*events));
	struct source *source = trace_open(l->path, KINDS_ALL & ~unused);
	int rc = -1;

	if (source)
		rc = events ? take_all(l, source, events)
			    : fail("out of memory while reading %s", l->path);
	source_close(source);
	free(events);
	return rc;
}

/* Points [lifetime in ns, blocks that lived no longer], all of them exact. */
static json_t *cdf_json(const struct histogram *ended)
{
	json_t *cdf = json_array();
	uint64_t sum = 0;

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum += ended->bucket[i];
		if (ended->bucket[i])
			json_array_append_new(cdf,
					      json_pack("[I, I]", (json_int_t)ended->largest[i],
							(json_int_t)sum));
	}
	return cdf;
}

static json_t *age_json(const struct histogram *ended, unsigned percent)
{
	return ended->count ? json_integer(histogram_quantile(ended, percent)) : json_null();
}

static struct life_counts counts_of(const struct way *way, int first, int last)
{
	struct life_counts all = {0};

	for (int kind = first; kind <= last; kind++) {
		const struct life_counts *c = block_lives_counts(way->lives, kind);

		all.born += c->born;
		all.ended_found += c->ended_found;
		for (int end = 0; end < LIFE_ENDS; end++)
			all.ended[end] += c->ended[end];
	}
	return all;
}

/* Of kinds first to last. */
static json_t *way_json(const struct way *way, int first, int last)
{
	static const char *const ends[] = {"overwritten", "cut", "deleted", "discarded"};
	const struct life_counts all = counts_of(way, first, last);
	struct histogram ended = {0};
	json_t *json = json_object();

	for (int kind = first; kind <= last; kind++)
		histogram_merge(&ended, &way->ended[kind]);
	json_object_set_new(json, "born", json_integer(all.born));
	for (int end = 0; end < LIFE_ENDS; end++)
		json_object_set_new(json, ends[end], json_integer(all.ended[end]));
	json_object_set_new(json, "ended", json_integer(ended.count));
	json_object_set_new(json, "alive", json_integer(all.born - ended.count));
	json_object_set_new(json, "ended_found", json_integer(all.ended_found));
	json_object_set_new(json, "p10_ns", age_json(&ended, 10));
	json_object_set_new(json, "p50_ns", age_json(&ended, 50));
	json_object_set_new(json, "p90_ns", age_json(&ended, 90));
	json_object_set_new(json, "max_ns", age_json(&ended, 100));
	json_object_set_new(json, "cdf", cdf_json(&ended));
	return json;
}

static json_t *result_json(const struct lifetimes *l)
{
	const struct way *sky = &l->sky, *naive = &l->naive;

	return json_pack(
		"{s:o, s:I, s:I, s:b, s:I, s:I, s:{s:o, s:o, s:o}}", "trace",
		text_json(l->path, strlen(l->path)), "observed_ns",
		(json_int_t)(l->last_ns - l->first_ns), "lost_events", (json_int_t)l->lost_events,
		"evidence", pipeline_has_evidence(l->pipeline), "unplaced_bytes",
		(json_int_t)block_lives_unplaced(sky->lives), "table_bytes",
		(json_int_t)(block_lives_bytes(sky->lives) + block_lives_bytes(naive->lives)),
		"lifetimes", "sky", way_json(sky, 0, 0), "naive", way_json(naive, 0, 1),
		"naive_data", way_json(naive, KIND_DATA, KIND_DATA));
}

static int begin(struct lifetimes *l)
{
	struct pipeline_options options;

	pipeline_defaults(&options);
	l->pipeline = pipeline_new(&options, take_hints, l);
	l->sky.lives = block_lives_new(take_life, &l->sky);
	l->naive.lives = block_lives_new(take_life, &l->naive);
	if (!l->pipeline || !l->sky.lives || !l->naive.lives)
		return fail("out of memory for the blocks of %s", l->path);
	pipeline_observe(l->pipeline, &block_lives_observer, l->sky.lives);
	return 0;
}

json_t *lifetimes_of_trace(const char *path)
{
	struct lifetimes l = {.path = path};
	json_t *result = NULL;

	if (!begin(&l) && !follow(&l)) {
		result = result_json(&l);
		if (!result)
			fail("out of memory for the lifetimes of %s", path);
	}
	pipeline_free(l.pipeline);
	block_lives_free(l.sky.lives);
	block_lives_free(l.naive.lives);
	free(l.places);
	return result;
}

double lifetimes_share(const json_t *way, double age_ns)
{
	double born = json_number_value(json_object_get(way, "born")), ended = 0;
	const json_t *point;
	size_t i;

	json_array_foreach (json_object_get(way, "cdf"), i, point) {
		if (json_number_value(json_array_get(point, 0)) > age_ns)
			break;
		ended = json_number_value(json_array_get(point, 1));
	}
	return born ? ended / born : 0;
}
