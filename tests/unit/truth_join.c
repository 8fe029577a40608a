/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * truth_join and truth_check: by hand, and against a model that is slow and obvious.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sim/truth_check.h"
#include "sim/truth_join.h"

#define CHUNKS_MAX 16

static struct event truth_event(uint64_t time_ns, uint64_t sector, uint32_t chunks, uint64_t inode,
				uint64_t index)
{
	struct event event;

	event_init(&event, EVENT_TRUTH);
	event.time_ns = time_ns;
	event.truth.op = BLOCK_WRITE;
	event.truth.sector = sector;
	event.truth.sectors = chunks * SECTORS_PER_CHUNK;
	event.truth.what = inode ? CHUNK_DATA : CHUNK_METADATA;
	event.truth.source = inode ? TRUTH_FILE : TRUTH_BLOCK_DEVICE;
	event.truth.flags = inode ? 0 : BLOCK_FLAG_META;
	event.truth.device = inode ? 1792 : 0;
	event.truth.inode = inode;
	event.truth.index = index;
	return event;
}

static struct event block_event(uint64_t time_ns, uint64_t sector, uint32_t chunks)
{
	struct event event;

	event_init(&event, EVENT_BLOCK);
	event.time_ns = time_ns;
	event.block.op = BLOCK_WRITE;
	event.block.sector = sector;
	event.block.sectors = chunks * SECTORS_PER_CHUNK;
	return event;
}

static void add(struct truth_join *join, struct event event)
{
	cr_assert_eq(truth_join_add(join, &event), 0);
}

static size_t take(struct truth_join *join, struct event event, struct chunk_truth *chunk)
{
	return truth_join_take(join, &event, chunk);
}

Test(truth_join, request_merged_from_three_bios)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[5];

	add(join, truth_event(1, 80, 2, 12, 0));
	add(join, truth_event(2, 104, 1, 0, 0));
	add(join, truth_event(3, 96, 1, 13, 7));
	cr_assert_eq(take(join, block_event(4, 80, 5), chunk), 4);
	cr_assert(chunk[0].inode == 12 && chunk[0].index == 0);
	cr_assert(chunk[1].inode == 12 && chunk[1].index == 1);
	cr_assert(chunk[2].inode == 13 && chunk[2].index == 7 && chunk[2].device == 1792);
	cr_assert(chunk[3].what == CHUNK_METADATA && chunk[3].flags == BLOCK_FLAG_META);
	cr_assert(chunk[4].what == CHUNK_UNKNOWN && chunk[4].source == TRUTH_NONE);
	truth_join_free(join);
}

Test(truth_join, bio_split_into_two_requests_that_arrive_the_other_way_round)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[3];

	add(join, truth_event(1, 800, 6, 12, 100));
	cr_assert_eq(take(join, block_event(2, 824, 3), chunk), 3);
	cr_assert_eq(chunk[0].index, 103);
	cr_assert_eq(take(join, block_event(3, 800, 3), chunk), 3);
	cr_assert_eq(chunk[2].index, 102);
	cr_assert_eq(take(join, block_event(4, 800, 3), chunk), 0);
	truth_join_free(join);
}

static struct event of_sectors(struct event event, uint32_t sectors)
{
	*(event.kind == EVENT_TRUTH ? &event.truth.sectors : &event.block.sectors) = sectors;
	return event;
}

/* XFS clears its log, which begins at any sector, and the disk takes no more than a MiB, from a MiB on. */
Test(truth_join, bios_split_elsewhere_than_between_their_chunks)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[256];

	add(join, of_sectors(truth_event(1, 327730, 0, 0, 0), 2048));
	add(join, of_sectors(truth_event(1, 329778, 0, 0, 0), 2048));
	cr_assert_eq(take(join, of_sectors(block_event(2, 327730, 0), 1998), chunk), 249);
	cr_assert_eq(take(join, block_event(3, 329728, 256), chunk), 256);
	cr_assert(chunk[255].what == CHUNK_METADATA && chunk[255].flags == BLOCK_FLAG_META);
	cr_assert_eq(take(join, of_sectors(block_event(4, 331776, 0), 50), chunk), 6);
	cr_assert_eq(chunk[5].what, CHUNK_METADATA);
	cr_assert_eq(take(join, block_event(5, 327730, 256), chunk), 0);
	truth_join_free(join);
}

Test(truth_join, what_is_left_behind_the_last_whole_chunk_is_taken_too)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[2];

	add(join, of_sectors(truth_event(1, 327779, 0, 0, 0), 12));
	cr_assert_eq(take(join, of_sectors(block_event(2, 327779, 0), 12), chunk), 1);
	add(join, truth_event(3, 327784, 1, 12, 0));
	cr_assert_eq(take(join, block_event(4, 327784, 1), chunk), 1);
	cr_assert_eq(chunk[0].inode, 12);
	truth_join_free(join);
}

Test(truth_join, chunk_merged_from_bios_of_one_owner)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[1];
	struct event synchronous = of_sectors(truth_event(3, 4, 0, 0, 0), 3);

	synchronous.truth.flags |= BLOCK_FLAG_SYNC;
	add(join, of_sectors(truth_event(1, 7, 0, 0, 0), 2));
	add(join, of_sectors(truth_event(2, 1, 0, 0, 0), 3));
	add(join, synchronous);
	cr_assert_eq(take(join, block_event(4, 1, 1), chunk), 1);
	cr_assert(chunk[0].what == CHUNK_METADATA && chunk[0].flags == BLOCK_FLAG_META);
	truth_join_free(join);
}

Test(truth_join, chunk_of_two_owners_or_known_in_part_has_no_truth)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[2];

	add(join, of_sectors(truth_event(1, 8, 0, 12, 0), 4));
	add(join, of_sectors(truth_event(2, 12, 0, 13, 0), 4));
	add(join, of_sectors(truth_event(3, 16, 0, 12, 1), 7));
	cr_assert_eq(take(join, block_event(4, 8, 2), chunk), 0);
	cr_assert(chunk[0].source == TRUTH_NONE && chunk[1].source == TRUTH_NONE);
	cr_assert_eq(take(join, block_event(5, 8, 2), chunk), 0);
	truth_join_free(join);
}

Test(truth_join, chunk_over_two_pages_of_a_file_is_of_the_first_one)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[2];

	add(join, truth_event(1, 63, 3, 12, 100));
	cr_assert_eq(take(join, block_event(2, 68, 2), chunk), 2);
	cr_assert_eq(chunk[0].index, 100);
	cr_assert_eq(chunk[1].index, 101);
	truth_join_free(join);
}

Test(truth_join, oldest_submission_of_a_sector_comes_first)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[1];

	for (uint64_t inode = 20; inode < 30; inode++)
		add(join, truth_event(inode, 8, 1, inode, 0));
	for (uint64_t inode = 20; inode < 30; inode++) {
		cr_assert_eq(take(join, block_event(40, 8, 1), chunk), 1);
		cr_assert_eq(chunk[0].inode, inode);
	}
	truth_join_free(join);
}

Test(truth_join, disks_and_operations_are_kept_apart)
{
	struct truth_join *join = truth_join_new();
	struct event read = truth_event(1, 8, 1, 12, 0), other_disk = read;
	struct event request = block_event(2, 8, 1);
	struct chunk_truth chunk[1];

	read.truth.op = BLOCK_READ;
	other_disk.truth.disk = 1;
	other_disk.truth.inode = 13;
	add(join, read);
	add(join, other_disk);
	cr_assert_eq(take(join, request, chunk), 0);
	request.block.disk = 1;
	cr_assert_eq(take(join, request, chunk), 1);
	cr_assert_eq(chunk[0].inode, 13);
	request.block.disk = 0;
	request.block.op = BLOCK_READ;
	cr_assert_eq(take(join, request, chunk), 1);
	cr_assert_eq(chunk[0].inode, 12);
	truth_join_free(join);
}

Test(truth_join, submission_that_never_became_a_request_is_forgotten)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[1];

	add(join, truth_event(5, 8, 1, 12, 0));
	add(join, truth_event(6, 8, 1, 13, 0));
	cr_assert_eq(take(join, block_event(6 + TRUTH_JOIN_AGE_NS, 8, 1), chunk), 1);
	cr_assert_eq(chunk[0].inode, 13);
	truth_join_free(join);
}

Test(truth_join, only_the_youngest_wait_when_there_are_too_many)
{
	struct truth_join *join = truth_join_new();
	struct chunk_truth chunk[2];

	add(join, truth_event(1, 0, 1, 12, 0));
	add(join, truth_event(1, 8, TRUTH_JOIN_CHUNKS_MAX + 5, 13, 0));
	cr_assert_eq(take(join, block_event(2, 0, 2), chunk), 0);
	cr_assert_eq(take(join, block_event(2, 8 + 5 * 8 - 8, 2), chunk), 1);
	cr_assert_eq(chunk[0].source, TRUTH_NONE);
	cr_assert_eq(chunk[1].index, 5);
	truth_join_free(join);
}

/* A sector of a truth. */
struct model_truth {
	struct chunk_truth truth;
	uint64_t time_ns, sector;
	uint32_t disk;
	uint8_t op;
};

struct model {
	struct model_truth *row;
	size_t count;
};

static void model_remove(struct model *model, size_t at)
{
	memmove(model->row + at, model->row + at + 1, (--model->count - at) * sizeof(*model->row));
}

static void model_forget(struct model *model, uint64_t now_ns)
{
	while (model->count && now_ns - model->row[0].time_ns > TRUTH_JOIN_AGE_NS)
		model_remove(model, 0);
}

static void model_add(struct model *model, const struct event *event)
{
	const struct truth_event *truth = &event->truth;

	model_forget(model, event->time_ns);
	model->row = realloc(model->row, (model->count + truth->sectors + 1) * sizeof(*model->row));
	for (uint32_t i = 0; i < truth->sectors; i++)
		model->row[model->count++] = (struct model_truth){
			{truth->what, truth->source, truth->flags, truth->device, truth->inode,
			 truth->inode ? truth->index + i / 8 : 0},
			event->time_ns,
			truth->sector + i,
			truth->disk,
			truth->op};
}

static bool model_take_sector(struct model *model, const struct block_event *block, uint64_t sector,
			      struct chunk_truth *truth)
{
	for (size_t at = 0; at < model->count; at++) {
		const struct model_truth *row = &model->row[at];

		if (row->op != block->op || row->disk != block->disk || row->sector != sector)
			continue;
		*truth = row->truth;
		model_remove(model, at);
		return true;
	}
	return false;
}

static size_t model_take(struct model *model, const struct event *event, struct chunk_truth *chunk)
{
	size_t known = 0;

	model_forget(model, event->time_ns);
	for (uint32_t i = 0; i < event->block.sectors; i += 8) {
		struct chunk_truth truth[8] = {0}, all;
		uint32_t sectors = event->block.sectors - i < 8 ? event->block.sectors - i : 8;
		bool whole = sectors == 8;

		for (uint32_t j = 0; j < sectors; j++)
			whole &= model_take_sector(model, &event->block,
						   event->block.sector + i + j, &truth[j]);
		all = truth[0];
		for (uint32_t j = 0; j < sectors; j++) {
			whole &= truth[j].what == all.what && truth[j].source == all.source &&
				 truth[j].device == all.device && truth[j].inode == all.inode;
			all.flags &= truth[j].flags;
		}
		if (sectors == 8)
			chunk[i / 8] = whole ? all : (struct chunk_truth){0};
		known += whole;
	}
	return known;
}

static bool same(const struct chunk_truth *a, const struct chunk_truth *b)
{
	return a->what == b->what && a->source == b->source && a->flags == b->flags &&
	       a->device == b->device && a->inode == b->inode && a->index == b->index;
}

/* Random submissions and requests over few sectors; now and then much time passes. */
static void compare_with_model(unsigned seed, unsigned sectors, unsigned steps)
{
	struct truth_join *join = truth_join_new();
	struct model model = {0};
	uint64_t now_ns = 1;

	srandom(seed);
	for (unsigned step = 0; step < steps; step++) {
		bool aligned = random() % 4;
		uint64_t sector = 8ull * (random() % sectors) + (aligned ? 0 : random() % 8);
		uint32_t chunks = random() % (random() % 4 ? 4 : CHUNKS_MAX);
		uint32_t more = aligned || chunks == CHUNKS_MAX ? 0 : random() % 8;
		uint8_t op = random() % 3 ? BLOCK_WRITE : BLOCK_READ;
		struct chunk_truth chunk[CHUNKS_MAX], expected[CHUNKS_MAX];
		struct event event;

		now_ns += random() % 100 ? (uint64_t)random() % 1000 : TRUTH_JOIN_AGE_NS / 3;
		if (random() % 2) {
			event = truth_event(now_ns, sector, chunks,
					    random() % 2 ? 0 : random() % 20, random() % 100);
			event.truth.sectors += more;
			event.truth.flags |= random() % 2 ? BLOCK_FLAG_SYNC : 0;
			event.truth.disk = random() % 2;
			event.truth.op = op;
			model_add(&model, &event);
			add(join, event);
			continue;
		}
		event = block_event(now_ns, sector, chunks);
		event.block.sectors += more;
		event.block.disk = random() % 2;
		event.block.op = op;
		cr_assert_eq(truth_join_take(join, &event, chunk),
			     model_take(&model, &event, expected), "seed %u step %u", seed, step);
		for (uint32_t i = 0; i < chunks; i++)
			cr_assert(same(&chunk[i], &expected[i]), "seed %u step %u chunk %u", seed,
				  step, i);
	}
	free(model.row);
	truth_join_free(join);
}

Test(truth_join, agrees_with_the_model_on_crowded_sectors)
{
	for (unsigned seed = 1; seed <= 20; seed++)
		compare_with_model(seed, 40, 1000);
}

Test(truth_join, agrees_with_the_model_on_a_large_disk)
{
	for (unsigned seed = 100; seed < 105; seed++)
		compare_with_model(seed, 100000, 1000);
}

static void written(struct truth_check *check, uint64_t sector, uint8_t what, uint8_t source,
		    uint32_t flags, uint64_t inode, uint64_t index)
{
	struct chunk_truth chunk = {what, source, flags, inode ? 1792 : 0, inode, index};
	struct event block = block_event(1, sector, 1);

	cr_assert_eq(truth_check_block(check, &block, &chunk), 0);
}

static void extent(struct truth_check *check, uint64_t sector, uint32_t chunks, uint64_t inode,
		   uint64_t index)
{
	struct event event;

	event_init(&event, EVENT_EXTENT);
	event.extent.sector = sector;
	event.extent.sectors = chunks * SECTORS_PER_CHUNK;
	event.extent.inode = inode;
	event.extent.index = index;
	truth_check_extent(check, &event);
}

static long long number(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	cr_assert(json_is_integer(value), "%s is missing", name);
	return json_integer_value(value);
}

Test(truth_check, counts_flags_that_disagree)
{
	struct truth_check *check = truth_check_new();
	json_t *json;

	written(check, 0, CHUNK_METADATA, TRUTH_BLOCK_DEVICE, BLOCK_FLAG_META, 0, 0);
	written(check, 8, CHUNK_METADATA, TRUTH_BLOCK_DEVICE, 0, 0, 0);
	written(check, 16, CHUNK_DATA, TRUTH_FILE, BLOCK_FLAG_META, 12, 0);
	written(check, 24, CHUNK_UNKNOWN, TRUTH_KERNEL_BUFFER, 0, 0, 0);
	written(check, 32, CHUNK_UNKNOWN, TRUTH_NONE, 0, 0, 0);
	json = truth_check_json(check);
	cr_assert_eq(number(json, "with_truth"), 4);
	cr_assert_eq(number(json, "without_truth"), 1);
	cr_assert_eq(number(json, "metadata_chunks"), 2);
	cr_assert_eq(number(json, "metadata_without_meta_flag"), 1);
	cr_assert_eq(number(json, "metadata_writes"), 2);
	cr_assert_eq(number(json, "metadata_writes_without_meta_flag"), 1);
	cr_assert_eq(number(json, "data_chunks"), 1);
	cr_assert_eq(number(json, "data_with_meta_flag"), 1);
	cr_assert_eq(number(json_object_get(json, "by_source"), "kernel-buffer"), 1);
	cr_assert_float_eq(
		json_real_value(json_object_get(json, "metadata_without_meta_flag_percent")), 50,
		1e-9);
	cr_assert(json_is_null(json_object_get(json, "allocation_map")));
	json_decref(json);
	truth_check_free(check);
}

Test(truth_check, last_write_of_a_sector_must_be_its_files)
{
	struct truth_check *check = truth_check_new();
	json_t *json, *map;

	written(check, 80, CHUNK_METADATA, TRUTH_BLOCK_DEVICE, 0, 0, 0); /* reused by the file */
	written(check, 80, CHUNK_DATA, TRUTH_FILE, 0, 12, 5);
	written(check, 88, CHUNK_DATA, TRUTH_FILE, 0, 12, 7); /* wrong page */
	written(check, 96, CHUNK_DATA, TRUTH_FILE, 0, 13, 7); /* wrong file */
	written(check, 104, CHUNK_DATA, TRUTH_USER_PAGE, 0, 0, 0);
	written(check, 112, CHUNK_METADATA, TRUTH_KERNEL_BUFFER, 0, 0, 0); /* in a file */
	written(check, 160, CHUNK_METADATA, TRUTH_KERNEL_BUFFER, 0, 0, 0);
	written(check, 168, CHUNK_DATA, TRUTH_FILE, 0, 14, 0); /* deleted since */
	extent(check, 80, 5, 12, 5);
	/* One that is longer than all that was written, and shares a chunk with the other. */
	extent(check, 96, 4, 13, 7);
	extent(check, 8000, 1u << 20, 15, 0);
	json = truth_check_json(check);
	map = json_object_get(json, "allocation_map");
	cr_assert_eq(number(map, "metadata_chunks"), 2);
	cr_assert_eq(number(map, "metadata_in_files"), 1);
	cr_assert_eq(number(map, "data_chunks"), 5);
	cr_assert_eq(number(map, "data_in_its_file"), 3);
	cr_assert_eq(number(map, "data_in_other_file"), 1);
	cr_assert_eq(number(map, "data_outside_files"), 1);
	json_decref(json);
	truth_check_free(check);
}

Test(truth_check, the_device_itself_reads_what_was_last_written)
{
	const struct chunk_truth device = {
		CHUNK_METADATA, TRUTH_BLOCK_DEVICE, BLOCK_FLAG_READAHEAD, 0, 0, 0};
	struct chunk_truth chunk[4] = {device, device, device, device};
	struct truth_check *check = truth_check_new();
	struct event read = block_event(2, 80, 4);

	chunk[3].source = TRUTH_SYSTEM_FILE;
	read.block.op = BLOCK_READ;
	written(check, 80, CHUNK_DATA, TRUTH_FILE, 0, 12, 5);
	written(check, 88, CHUNK_DATA, TRUTH_FILE, 0, 12, 6);
	written(check, 88, CHUNK_METADATA, TRUTH_BLOCK_DEVICE, 0, 0, 0);
	written(check, 104, CHUNK_DATA, TRUTH_FILE, 0, 12, 7);
	truth_check_settle(check, &read, chunk);
	cr_assert(same(&chunk[0], &(struct chunk_truth){CHUNK_DATA, TRUTH_FILE,
							BLOCK_FLAG_READAHEAD, 1792, 12, 5}));
	cr_assert(same(&chunk[1], &device) && same(&chunk[2], &device));
	cr_assert_eq(chunk[3].what, CHUNK_METADATA);
	truth_check_free(check);
}

Test(truth_check, many_chunks_and_an_extent_over_all_of_them)
{
	struct truth_check *check = truth_check_new();
	json_t *json, *map;

	for (uint64_t i = 0; i < 20000; i++)
		written(check, 80000 + 8 * i, CHUNK_DATA, TRUTH_FILE, 0, 12, 10000 + i);
	extent(check, 0, 100000, 12, 0);
	json = truth_check_json(check);
	map = json_object_get(json, "allocation_map");
	cr_assert_eq(number(map, "data_in_its_file"), 20000);
	cr_assert_eq(number(map, "data_in_other_file"), 0);
	json_decref(json);
	truth_check_free(check);
}
