/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "cache_result.h"
#include "capture/event.h"

#define LABEL_BYTES 64

/* Hits and misses of one operation, one class, or all. */
struct counts {
	uint64_t references, hits, sectors, hit_sectors;
};

static void add(struct counts *sum, const struct counts *part)
{
	sum->references += part->references;
	sum->hits += part->hits;
	sum->sectors += part->sectors;
	sum->hit_sectors += part->hit_sectors;
}

static struct counts counts_of(const struct cache_run *run, const struct cache_feed *feed,
			       uint16_t tag)
{
	return (struct counts){
		.references = feed->references[tag].references,
		.hits = run->hits[tag].references,
		.sectors = feed->references[tag].sectors,
		.hit_sectors = run->hits[tag].sectors,
	};
}

static json_t *ratio_json(uint64_t part, uint64_t whole)
{
	return whole ? json_real((double)part / whole) : json_null();
}

/* Adds the counts to an object, which it returns; all null where they are not known. */
static json_t *with_counts(json_t *object, const struct counts *c, bool known)
{
	uint64_t misses = c->references - c->hits;
	json_t *counted = json_pack(
		"{s:I, s:I, s:I, s:o, s:I, s:I}", "references", (json_int_t)c->references, "hits",
		(json_int_t)c->hits, "misses", (json_int_t)misses, "miss_ratio",
		ratio_json(misses, c->references), "bytes", (json_int_t)(c->sectors * SECTOR_BYTES),
		"hit_bytes", (json_int_t)(c->hit_sectors * SECTOR_BYTES));
	const char *name;
	json_t *value;

	if (!known)
		json_object_foreach (counted, name, value)
			json_object_set_new(counted, name, json_null());
	json_object_update(object, counted);
	json_decref(counted);
	return object;
}

/* What a class is, for people; the bounds are those of the paper's table 6. */
static void label_class(char *label, unsigned int io_class, const struct pipeline_options *options)
{
	if (io_class == CLASS_UNDECIDED)
		snprintf(label, LABEL_BYTES, "unknown");
	else if (io_class == CLASS_METADATA)
		snprintf(label, LABEL_BYTES, "metadata");
	else if (io_class == CLASS_REST)
		snprintf(label, LABEL_BYTES, "other data");
	else if (io_class < CLASS_METADATA)
		snprintf(label, LABEL_BYTES, "data of files below %.4g MB",
			 options->size_bound_bytes[io_class - 1] / 1048576.0);
	else
		snprintf(label, LABEL_BYTES, "application class %u", io_class);
}

json_t *result_class_json(unsigned int io_class, const struct pipeline_options *options)
{
	char label[LABEL_BYTES];

	label_class(label, io_class, options);
	return json_pack("{s:o, s:s}", "io_class",
			 io_class == CLASS_UNDECIDED ? json_null() : json_integer(io_class),
			 "label", label);
}

/* The classes that occur, from the highest to the undecided. */
static json_t *by_class(const struct cache_run *run, const struct result_facts *facts)
{
	json_t *list = json_array();

	for (int i = CLASS_COUNT - 1; i >= -1; i--) {
		uint8_t io_class = i < 0 ? CLASS_UNDECIDED : i;
		struct counts reads = counts_of(run, facts->feed, tag_of(false, io_class));
		struct counts writes = counts_of(run, facts->feed, tag_of(true, io_class));
		struct counts all = reads;
		json_t *object;

		add(&all, &writes);
		if (!all.references)
			continue;
		object = with_counts(result_class_json(io_class, facts->pipeline), &all, true);
		json_object_set_new(object, "reads", with_counts(json_object(), &reads, true));
		json_object_set_new(object, "writes", with_counts(json_object(), &writes, true));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *blocks_over_time(const struct cache_run *run, const struct timeline *timeline,
				int column)
{
	json_t *blocks = json_array();

	for (uint32_t i = 0; i < timeline->samples; i++)
		json_array_append_new(blocks, json_integer(run->contents[i][column]));
	return blocks;
}

static bool was_cached(const struct cache_run *run, const struct timeline *timeline, int column)
{
	for (uint32_t i = 0; i < timeline->samples; i++)
		if (run->contents[i][column])
			return true;
	return false;
}

static json_t *contents(const struct cache_run *run, const struct result_facts *facts)
{
	json_t *times = json_array(), *classes = json_array();

	for (uint32_t i = 0; i < facts->timeline->samples; i++)
		json_array_append_new(times, json_integer(facts->timeline->time_ns[i]));
	for (int i = CLASS_COUNT - 1; i >= -1; i--) {
		int column = i < 0 ? CLASS_COUNT : i;
		json_t *object;

		if (!was_cached(run, facts->timeline, column))
			continue;
		object = result_class_json(i < 0 ? CLASS_UNDECIDED : i, facts->pipeline);
		json_object_set_new(object, "blocks",
				    blocks_over_time(run, facts->timeline, column));
		json_array_append_new(classes, object);
	}
	return json_pack("{s:o, s:o}", "time_ns", times, "classes", classes);
}

json_t *cache_result(const struct cache_run *run, const struct result_facts *facts)
{
	struct counts side[2] = {0}, all = {0};
	json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:b}", "cache", facts->cache, "hints",
				   facts->hints, "size", facts->size, "size_entries",
				   (json_int_t)run->cache.capacity, "hints_known", facts->known);

	if (!object)
		return NULL;
	for (unsigned int tag = 0; tag < TAGS; tag++) {
		struct counts c = counts_of(run, facts->feed, tag);

		add(&side[tag / CLASS_VALUES], &c);
		add(&all, &c);
	}
	with_counts(object, &all, facts->known);
	json_object_set_new(object, "reads", with_counts(json_object(), &side[0], facts->known));
	json_object_set_new(object, "writes", with_counts(json_object(), &side[1], facts->known));
	json_object_set_new(object, "by_class", facts->known ? by_class(run, facts) : json_null());
	json_object_set_new(object, "contents", facts->known ? contents(run, facts) : json_null());
	return object;
}
