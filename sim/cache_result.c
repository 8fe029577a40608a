/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "cache_result.h"
#include "cache_sim.h"
#include "capture/event.h"
#include "common/size.h"

#define LABEL_BYTES 64

/* Hits and misses of one operation, one class, or all. */
struct counts {
	uint64_t references, hits, sectors, hit_sectors;
};

/* Requests, and those of which a block missed. */
struct request_counts {
	uint64_t requests, misses;
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

/* Moves members to an object, which it returns; all null where they are not known. */
static json_t *with(json_t *object, json_t *members, bool known)
{
	const char *name;
	json_t *value;

	if (!known)
		json_object_foreach (members, name, value)
			json_object_set_new(members, name, json_null());
	json_object_update(object, members);
	json_decref(members);
	return object;
}

static json_t *with_counts(json_t *object, const struct counts *c, bool known)
{
	uint64_t misses = c->references - c->hits;
	json_t *counted = json_pack(
		"{s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "references", (json_int_t)c->references,
		"hits", (json_int_t)c->hits, "misses", (json_int_t)misses, "miss_ratio",
		ratio_json(misses, c->references), "bytes", (json_int_t)(c->sectors * SECTOR_BYTES),
		"hit_bytes", (json_int_t)(c->hit_sectors * SECTOR_BYTES), "byte_miss_ratio",
		ratio_json(c->sectors - c->hit_sectors, c->sectors));

	return with(object, counted, known);
}

static json_t *with_requests(json_t *object, const struct request_counts *c, bool known)
{
	json_t *counted = json_pack("{s:I, s:I, s:o}", "requests", (json_int_t)c->requests,
				    "request_misses", (json_int_t)c->misses, "request_miss_ratio",
				    ratio_json(c->misses, c->requests));

	return with(object, counted, known);
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

static void add_time(json_t *object, uint64_t ns, uint64_t bare_ns)
{
	json_object_set_new(object, "device_ns", json_integer(ns));
	json_object_set_new(object, "device_ns_without_cache", json_integer(bare_ns));
	json_object_set_new(object, "device_ns_saved",
			    json_integer((json_int_t)bare_ns - (json_int_t)ns));
}

static uint64_t class_ns(const struct device_time *t, uint8_t io_class)
{
	return t->ns[tag_of(0, io_class)] + t->ns[tag_of(SIDE_WRITES, io_class)];
}

static void with_time(json_t *object, const struct cache_run *run, const struct result_facts *facts,
		      uint8_t io_class)
{
	add_time(object, class_ns(run->device, io_class), class_ns(facts->bare, io_class));
}

static void with_all_time(json_t *object, const struct cache_run *run,
			  const struct result_facts *facts)
{
	uint64_t ns = run->device->write_back_ns, bare_ns = 0;

	for (unsigned int i = 0; i < CLASS_VALUES; i++) {
		ns += class_ns(run->device, i);
		bare_ns += class_ns(facts->bare, i);
	}
	json_object_set_new(object, "name", json_string(facts->device));
	add_time(object, ns, bare_ns);
}

/* The counts of a part, and of its reads and writes. */
static json_t *with_sides(json_t *object, const struct counts *reads, const struct counts *writes)
{
	struct counts all = *reads;

	add(&all, writes);
	with_counts(object, &all, true);
	json_object_set_new(object, "reads", with_counts(json_object(), reads, true));
	json_object_set_new(object, "writes", with_counts(json_object(), writes, true));
	return object;
}

/* The classes that occur, from the highest to the undecided. */
static json_t *by_class(const struct cache_run *run, const struct result_facts *facts)
{
	json_t *list = json_array();

	for (int i = CLASS_COUNT - 1; i >= -1; i--) {
		uint8_t io_class = i < 0 ? CLASS_UNDECIDED : i;
		struct counts reads = counts_of(run, facts->feed, tag_of(false, io_class));
		struct counts writes = counts_of(run, facts->feed, tag_of(true, io_class));
		json_t *object;

		if (!reads.references && !writes.references)
			continue;
		object = with_sides(result_class_json(io_class, facts->pipeline), &reads, &writes);
		if (facts->device)
			with_time(object, run, facts, io_class);
		json_array_append_new(list, object);
	}
	return list;
}

/* A part of all references, and what the cache made of it. */
struct part {
	struct breakdown_part all, hits;
};

static void add_part(struct breakdown_part *sum, const struct breakdown_part *part)
{
	for (unsigned int side = 0; side < 2; side++) {
		sum->side[side].references += part->side[side].references;
		sum->side[side].sectors += part->side[side].sectors;
	}
	sum->ns += part->ns;
}

static struct counts side_of_part(const struct part *part, unsigned int side)
{
	return (struct counts){
		.references = part->all.side[side].references,
		.hits = part->hits.side[side].references,
		.sectors = part->all.side[side].sectors,
		.hit_sectors = part->hits.side[side].sectors,
	};
}

/* Appends the object, unless there are no references in that part. */
static void append_part(json_t *list, json_t *object, const struct part *part, bool device)
{
	struct counts reads = side_of_part(part, 0), writes = side_of_part(part, SIDE_WRITES);

	if (!reads.references && !writes.references) {
		json_decref(object);
		return;
	}
	with_sides(object, &reads, &writes);
	if (device)
		add_time(object, part->hits.ns, part->all.ns);
	json_array_append_new(list, object);
}

static struct part group_part(const struct cache_run *run, const struct result_facts *facts,
			      unsigned int group)
{
	return (struct part){facts->whole->group[group], run->breakdown->group[group]};
}

static uint8_t class_of_group(const struct result_facts *facts, unsigned int group)
{
	if (group == GROUP_UNKNOWN)
		return CLASS_UNDECIDED;
	if (group == GROUP_METADATA)
		return CLASS_METADATA;
	return size_class(facts->pipeline, facts->file_groups->most_bytes[group - GROUP_FILES]);
}

/* As by_class(), whatever the hints said. */
static json_t *by_true_class(const struct cache_run *run, const struct result_facts *facts)
{
	json_t *list = json_array();

	for (int i = CLASS_METADATA; i >= -1; i--) {
		uint8_t io_class = i < 0 ? CLASS_UNDECIDED : i;
		struct part sum = {0};

		for (unsigned int group = 0; group < GROUPS; group++) {
			struct part part = group_part(run, facts, group);

			if (class_of_group(facts, group) != io_class)
				continue;
			add_part(&sum.all, &part.all);
			add_part(&sum.hits, &part.hits);
		}
		append_part(list, result_class_json(io_class, facts->pipeline), &sum,
			    facts->device);
	}
	return list;
}

/* Bounds are round; those of classes, which are not within, by a byte less. */
static void label_files(char *label, uint64_t more_than_bytes, uint64_t most_bytes)
{
	char least[16], most[16];

	size_format(least, more_than_bytes + more_than_bytes % 2);
	size_format(most, most_bytes + most_bytes % 2);
	if (!more_than_bytes)
		snprintf(label, LABEL_BYTES, "files up to %s", most);
	else if (most_bytes == UINT64_MAX)
		snprintf(label, LABEL_BYTES, "files above %s", least);
	else
		snprintf(label, LABEL_BYTES, "files of %s to %s", least, most);
}

/* Of data whose files are known, from the smallest files up. */
static json_t *by_file_size(const struct cache_run *run, const struct result_facts *facts)
{
	const uint64_t *most = facts->file_groups->most_bytes;
	json_t *list = json_array();

	for (unsigned int i = 0; i < FILE_GROUPS; i++) {
		struct part part = group_part(run, facts, GROUP_FILES + i);
		char label[LABEL_BYTES];

		label_files(label, i ? most[i - 1] : 0, most[i]);
		append_part(list,
			    json_pack("{s:s, s:I, s:o}", "label", label, "least_bytes",
				      (json_int_t)(i ? most[i - 1] + 1 : 0), "most_bytes",
				      most[i] == UINT64_MAX ? json_null() : json_integer(most[i])),
			    &part, facts->device);
	}
	return list;
}

static json_t *by_disk(const struct cache_run *run, const struct result_facts *facts)
{
	json_t *list = json_array();

	for (size_t disk = 0; disk < BREAKDOWN_DISKS; disk++) {
		const struct part part = {facts->whole->disk[disk], run->breakdown->disk[disk]};

		append_part(list, json_pack("{s:I}", "disk", (json_int_t)disk), &part,
			    facts->device);
	}
	return list;
}

static const struct {
	unsigned int by; /* BY_* */
	const char *name;
	bool needs_truth;
	json_t *(*list)(const struct cache_run *run, const struct result_facts *facts);
} breakdowns[] = {
	{BY_TRUE_CLASS, "by_true_class", true, by_true_class},
	{BY_FILE_SIZE, "by_file_size", true, by_file_size},
	{BY_DISK, "by_disk", false, by_disk},
};

/* Those that were asked for; null where nobody knows. */
static void add_breakdowns(json_t *object, const struct cache_run *run,
			   const struct result_facts *facts)
{
	for (size_t i = 0; i < sizeof(breakdowns) / sizeof(*breakdowns); i++) {
		bool known = facts->known && (facts->truth_known || !breakdowns[i].needs_truth);

		if (facts->by & breakdowns[i].by)
			json_object_set_new(object, breakdowns[i].name,
					    known ? breakdowns[i].list(run, facts) : json_null());
	}
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

/* Of each time between two samples: what was counted in it. */
static json_t *over_time(const struct cache_run *run, const struct timeline *t)
{
	static const char *const sides[] = {"reads", "writes"};
	json_t *object = json_object(), *times = json_array();

	for (uint32_t i = 1; i < t->samples; i++)
		json_array_append_new(times, json_integer(t->time_ns[i]));
	json_object_set_new(object, "until_ns", times);
	for (unsigned int side = 0; side < 2; side++) {
		json_t *references = json_array(), *hits = json_array();

		for (uint32_t i = 1; i < t->samples; i++) {
			json_array_append_new(references,
					      json_integer(t->counted[i][side].references -
							   t->counted[i - 1][side].references));
			json_array_append_new(
				hits, json_integer(run->hits_until[i][side].references -
						   run->hits_until[i - 1][side].references));
		}
		json_object_set_new(
			object, sides[side],
			json_pack("{s:o, s:o}", "references", references, "hits", hits));
	}
	return object;
}

/* Blocks that the device had to read and write. */
static json_t *device_json(const struct cache_run *run, const struct result_facts *facts,
			   const struct counts *side)
{
	uint64_t written = side[SIDE_WRITES].references, dirty = 0;
	json_t *object;

	if (run->write_back && write_back_end(run->write_back, &run->cache, &written, &dirty))
		return NULL;
	object = json_pack("{s:I, s:I, s:I}", "reads",
			   (json_int_t)(side[0].references - side[0].hits), "writes",
			   (json_int_t)written, "unwritten", (json_int_t)dirty);
	if (facts->device)
		with_all_time(object, run, facts);
	return object;
}

json_t *cache_result(const struct cache_run *run, const struct result_facts *facts)
{
	struct counts side[2] = {0}, all = {0};
	struct request_counts requests[3] = {0};
	json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:b}", "cache", facts->cache, "hints",
				   facts->hints, "size", facts->size, "size_entries",
				   (json_int_t)run->cache.capacity, "hints_known", facts->known);

	if (!object)
		return NULL;
	for (unsigned int tag = 0; tag < tag_of(SIDE_WARM_UP, 0); tag++) {
		struct counts c = counts_of(run, facts->feed, tag);

		add(&side[side_of_tag(tag)], &c);
		add(&all, &c);
	}
	for (unsigned int i = 0; i < 2; i++) {
		requests[i].requests = facts->requests[i];
		requests[i].misses = run->request_misses[i];
		requests[2].requests += requests[i].requests;
		requests[2].misses += requests[i].misses;
	}
	with_requests(with_counts(object, &all, facts->known), &requests[2], facts->known);
	for (unsigned int i = 0; i < 2; i++) {
		json_t *one = with_counts(json_object(), &side[i], facts->known);

		json_object_set_new(object, i ? "writes" : "reads",
				    with_requests(one, &requests[i], facts->known));
	}
	json_object_set_new(object, "device",
			    facts->known ? device_json(run, facts, side) : json_null());
	json_object_set_new(object, "by_class", facts->known ? by_class(run, facts) : json_null());
	add_breakdowns(object, run, facts);
	json_object_set_new(object, "contents", facts->known ? contents(run, facts) : json_null());
	json_object_set_new(object, "over_time",
			    facts->known ? over_time(run, facts->timeline) : json_null());
	return object;
}
