/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the truth agree with evidence that it was not made from?
 *
 * Flags are compared request by request. For the allocation map, a table keeps
 * what was last written to each chunk of the disk; the extents, which come when
 * everything was written, then mark the chunks that they cover.
 */
#include <errno.h>
#include <stdlib.h>

#include "sim/truth_check.h"

#define TABLE_START 4096u
/*
 * Written chunks that are followed at most: 64 GiB of disk, 1.25 GiB of memory.
 * Those beyond are counted, not checked.
 */
#define WRITTEN_MAX (1u << 24)

/* What the allocation map says of a written chunk. */
#define COVERED_RIGHTLY	  (1u << 0) /* the owner's extent, at the page's place */
#define COVERED_OTHERWISE (1u << 1)

struct written {
	uint64_t sector, device, inode, index;
	uint32_t disk;
	uint8_t used;
	uint8_t what; /* enum chunk_class */
	uint8_t source;
	uint8_t covered;
};

struct truth_check {
	struct written *table;
	uint32_t mask, used;
	bool has_extents;
	uint64_t with_truth, without_truth, not_followed;
	uint64_t by_source[TRUTH_KERNEL_BUFFER + 1];
	uint64_t metadata, metadata_without_flag;
	uint64_t metadata_writes, metadata_writes_without_flag;
	uint64_t data, data_with_flag;
};

struct truth_check *truth_check_new(void)
{
	struct truth_check *check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->table = calloc(TABLE_START, sizeof(*check->table));
	check->mask = TABLE_START - 1;
	if (check->table)
		return check;
	free(check);
	return NULL;
}

void truth_check_free(struct truth_check *check)
{
	if (!check)
		return;
	free(check->table);
	free(check);
}

/* The chunk's place in the table, used or not. */
static struct written *find(const struct truth_check *check, uint32_t disk, uint64_t sector)
{
	uint64_t key = (sector ^ (uint64_t)disk << 40) * 0x9e3779b97f4a7c15u;
	uint32_t place = (uint32_t)(key >> 32) & check->mask;

	for (;; place = (place + 1) & check->mask) {
		struct written *written = &check->table[place];

		if (!written->used || (written->sector == sector && written->disk == disk))
			return written;
	}
}

/* Keeps the load at 3/4 at most. */
static int reserve(struct truth_check *check)
{
	uint32_t old_size = check->mask + 1;
	struct written *old = check->table, *table;

	if (check->used < old_size / 4 * 3)
		return 0;
	table = calloc(2 * (size_t)old_size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	check->table = table;
	check->mask = 2 * old_size - 1;
	for (uint32_t i = 0; i < old_size; i++)
		if (old[i].used)
			*find(check, old[i].disk, old[i].sector) = old[i];
	free(old);
	return 0;
}

static int write_chunk(struct truth_check *check, uint32_t disk, uint64_t sector,
		       const struct chunk_truth *truth)
{
	struct written *written = find(check, disk, sector);

	if (!written->used) {
		if (truth->what == CHUNK_UNKNOWN)
			return 0;
		if (check->used == WRITTEN_MAX) {
			check->not_followed++;
			return 0;
		}
		if (reserve(check))
			return -ENOMEM;
		written = find(check, disk, sector);
		check->used++;
	}
	*written = (struct written){
		.sector = sector,
		.device = truth->device,
		.inode = truth->inode,
		.index = truth->index,
		.disk = disk,
		.used = 1,
		.what = truth->what,
		.source = truth->source,
	};
	return 0;
}

/* Reads are told apart: ext reads ahead and reads directories without the flag. */
static void compare_flag(struct truth_check *check, const struct chunk_truth *truth, bool write)
{
	bool flag = truth->flags & BLOCK_FLAG_META;

	if (truth->what == CHUNK_METADATA) {
		check->metadata++;
		check->metadata_without_flag += !flag;
		check->metadata_writes += write;
		check->metadata_writes_without_flag += write && !flag;
	} else if (truth->what == CHUNK_DATA) {
		check->data++;
		check->data_with_flag += flag;
	}
}

void truth_check_settle(const struct truth_check *check, const struct event *block,
			struct chunk_truth *chunk)
{
	const struct block_event *request = &block->block;
	uint32_t chunks = request->sectors / SECTORS_PER_CHUNK;

	if (request->op != BLOCK_READ)
		return;
	for (uint32_t i = 0; i < chunks; i++) {
		uint64_t sector = request->sector + (uint64_t)i * SECTORS_PER_CHUNK;
		const struct written *written;

		if (chunk[i].source != TRUTH_BLOCK_DEVICE)
			continue;
		written = find(check, request->disk, sector);
		if (!written->used || written->what != CHUNK_DATA)
			continue;
		chunk[i].what = written->what;
		chunk[i].source = written->source;
		chunk[i].device = written->device;
		chunk[i].inode = written->inode;
		chunk[i].index = written->index;
	}
}

int truth_check_block(struct truth_check *check, const struct event *block,
		      const struct chunk_truth *chunk)
{
	const struct block_event *request = &block->block;
	uint32_t chunks = request->sectors / SECTORS_PER_CHUNK;

	if (request->op != BLOCK_READ && request->op != BLOCK_WRITE)
		return 0;
	for (uint32_t i = 0; i < chunks; i++) {
		uint64_t sector = request->sector + (uint64_t)i * SECTORS_PER_CHUNK;

		if (chunk[i].source == TRUTH_NONE)
			check->without_truth++;
		else
			check->with_truth++;
		if (chunk[i].source <= TRUTH_KERNEL_BUFFER)
			check->by_source[chunk[i].source]++;
		compare_flag(check, &chunk[i], request->op == BLOCK_WRITE);
		if (request->op == BLOCK_WRITE &&
		    write_chunk(check, request->disk, sector, &chunk[i]))
			return -ENOMEM;
	}
	return 0;
}

static void cover(struct written *written, const struct extent_event *extent)
{
	uint64_t index = extent->index + (written->sector - extent->sector) / SECTORS_PER_CHUNK;
	bool named = written->source == TRUTH_FILE;

	if (written->what == CHUNK_DATA &&
	    (!named || (written->inode == extent->inode && written->index == index)))
		written->covered |= COVERED_RIGHTLY;
	else
		written->covered |= COVERED_OTHERWISE;
}

static bool lies_in(const struct written *written, const struct extent_event *extent)
{
	return written->used && written->disk == extent->disk &&
	       written->sector >= extent->sector &&
	       written->sector - extent->sector < extent->sectors &&
	       (written->sector - extent->sector) % SECTORS_PER_CHUNK == 0;
}

void truth_check_extent(struct truth_check *check, const struct event *event)
{
	const struct extent_event *extent = &event->extent;
	uint32_t chunks = extent->sectors / SECTORS_PER_CHUNK;

	check->has_extents = true;
	/* Whichever is less: the extent's chunks or all that was written. */
	if (chunks > check->mask) {
		for (uint32_t i = 0; i <= check->mask; i++)
			if (lies_in(&check->table[i], extent))
				cover(&check->table[i], extent);
		return;
	}
	for (uint32_t i = 0; i < chunks; i++) {
		uint64_t sector = extent->sector + (uint64_t)i * SECTORS_PER_CHUNK;
		struct written *written = find(check, extent->disk, sector);

		if (written->used)
			cover(written, extent);
	}
}

static json_t *percent(uint64_t part, uint64_t whole)
{
	return whole ? json_real(100.0 * (double)part / (double)whole) : json_null();
}

static json_t *count(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *sources(const struct truth_check *check)
{
	json_t *object = json_object();

	for (int i = TRUTH_BLOCK_DEVICE; object && i <= TRUTH_KERNEL_BUFFER; i++)
		json_object_set_new(object, truth_source_names[i], count(check->by_source[i]));
	return object;
}

static json_t *allocation_map(const struct truth_check *check)
{
	uint64_t metadata = 0, metadata_in_files = 0, data = 0, right = 0, wrong = 0;

	if (!check->has_extents)
		return json_null();
	for (uint32_t i = 0; i <= check->mask; i++) {
		const struct written *written = &check->table[i];

		if (written->what == CHUNK_METADATA) {
			metadata++;
			metadata_in_files += written->covered != 0;
		} else if (written->what == CHUNK_DATA) {
			data++;
			right += (written->covered & COVERED_RIGHTLY) != 0;
			wrong += written->covered == COVERED_OTHERWISE;
		}
	}
	return json_pack("{so so so so so so so so so}", "metadata_chunks", count(metadata),
			 "metadata_in_files", count(metadata_in_files), "metadata_in_files_percent",
			 percent(metadata_in_files, metadata), "data_chunks", count(data),
			 "data_in_its_file", count(right), "data_in_other_file", count(wrong),
			 "data_in_other_file_percent", percent(wrong, data), "data_outside_files",
			 count(data - right - wrong), "not_followed", count(check->not_followed));
}

json_t *truth_check_json(const struct truth_check *check)
{
	return json_pack(
		"{so so so so so so so so so so so so so}", "with_truth", count(check->with_truth),
		"without_truth", count(check->without_truth), "by_source", sources(check),
		"metadata_chunks", count(check->metadata), "metadata_without_meta_flag",
		count(check->metadata_without_flag), "metadata_without_meta_flag_percent",
		percent(check->metadata_without_flag, check->metadata), "metadata_writes",
		count(check->metadata_writes), "metadata_writes_without_meta_flag",
		count(check->metadata_writes_without_flag),
		"metadata_writes_without_meta_flag_percent",
		percent(check->metadata_writes_without_flag, check->metadata_writes), "data_chunks",
		count(check->data), "data_with_meta_flag", count(check->data_with_flag),
		"data_with_meta_flag_percent", percent(check->data_with_flag, check->data),
		"allocation_map", allocation_map(check));
}
