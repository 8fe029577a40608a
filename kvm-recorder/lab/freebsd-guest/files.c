// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file system: one folder; each file has one block that tells where its others are.
 *
 *	block 0		the superblock
 *	block 1		which blocks are taken, a bit each
 *	block 2		inodes
 *	then		maps and data, as they were needed
 */
#include "kernel.h"

#define MAGIC	    0x534b594652454542ull
#define BITMAP	    1
#define INODES	    2
#define FIRST	    3
#define MAP_ENTRIES (PAGE / sizeof(u32))
#define INODE_FIRST 2 /* number of the first one */

struct superblock {
	u64 magic, blocks;
};

struct inode {
	char name[48];
	u64 size;
	u32 map, links;
};

#define INODE_COUNT (PAGE / sizeof(struct inode))

static bool ready;

void files_begin(void)
{
	struct block *block;
	struct superblock *super;

	if (ready)
		return;
	ready = true;
	block = block_get(0, 0, 0, true);
	super = (struct superblock *)block->data;
	if (super->magic == MAGIC) {
		block_put(block, false);
		return;
	}
	*super = (struct superblock){.magic = MAGIC, .blocks = 8 * PAGE};
	block_put(block, true);
	block = block_get(BITMAP, 0, 0, false);
	memory_zero(block->data, PAGE);
	block->data[0] = (1 << FIRST) - 1;
	block_put(block, true);
	block = block_get(INODES, 0, 0, false);
	memory_zero(block->data, PAGE);
	block_put(block, true);
}

/* 0: the disk is full. */
static u32 block_take(void)
{
	struct block *bitmap = block_get(BITMAP, 0, 0, true);
	u32 i;

	for (i = FIRST; i < 8 * PAGE; i++) {
		if (bitmap->data[i / 8] & 1 << i % 8)
			continue;
		bitmap->data[i / 8] |= 1 << i % 8;
		block_put(bitmap, true);
		return i;
	}
	block_put(bitmap, false);
	return 0;
}

static struct inode *inode_get(u32 number, struct block **block)
{
	*block = block_get(INODES, 0, 0, true);
	return (struct inode *)(*block)->data + number - INODE_FIRST;
}

static bool is_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static s64 inode_new(struct inode *inode, const char *name)
{
	struct block *map;
	u32 number = block_take(), i;

	if (!number)
		return -ENOSPC;
	map = block_get(number, 0, 0, false);
	memory_zero(map->data, PAGE);
	block_put(map, true);
	*inode = (struct inode){.map = number, .links = 1};
	for (i = 0; name[i] && i < sizeof(inode->name) - 1; i++)
		inode->name[i] = name[i];
	return 0;
}

s64 file_open(const char *name, bool make)
{
	struct inode *inode, *free = NULL;
	struct block *block;
	s64 rc = -ENOENT;
	u32 i;

	files_begin();
	inode = inode_get(INODE_FIRST, &block);
	for (i = 0; i < INODE_COUNT; i++) {
		if (inode[i].links && is_same(inode[i].name, name)) {
			rc = INODE_FIRST + i;
			make = false;
			break;
		}
		if (!inode[i].links && !free)
			free = inode + i;
	}
	if (make && free)
		rc = inode_new(free, name);
	else if (make)
		rc = -ENOSPC;
	if (!rc)
		rc = INODE_FIRST + (free - inode);
	block_put(block, make && rc > 0);
	return rc;
}

void file_status(u32 number, struct file_status *status)
{
	struct block *block;
	const struct inode *inode = inode_get(number, &block);

	*status = (struct file_status){.inode = number, .size = inode->size};
	block_put(block, false);
}

void file_truncate(u32 number, u64 size)
{
	struct block *block;
	struct inode *inode = inode_get(number, &block);

	inode->size = size;
	block_put(block, true);
}

static u32 map_of(u32 number)
{
	struct block *block;
	u32 map = inode_get(number, &block)->map;

	block_put(block, false);
	return map;
}

/* Where a block of a file is; 0: nowhere. *fresh: it is since now. */
static u32 place_of(u32 map, u64 index, bool make, bool *fresh)
{
	struct block *block;
	u32 place, *entry;

	*fresh = false;
	if (index >= MAP_ENTRIES)
		return 0;
	block = block_get(map, 0, 0, true);
	entry = (u32 *)block->data + index;
	if (!*entry && make) {
		*entry = block_take();
		*fresh = *entry;
	}
	place = *entry;
	block_put(block, *fresh);
	return place;
}

/* Reads what follows on the disk as it does in the file, at once. */
static void read_run(u32 inode, u32 map, u64 index, u64 until)
{
	u32 first, count = 1;
	bool fresh;

	first = place_of(map, index, false, &fresh);
	if (!first || block_is_there(first))
		return;
	while (count < RUN_MAX && index + count < until &&
	       place_of(map, index + count, false, &fresh) == first + count)
		count++;
	blocks_read(first, inode, index, count);
}

static s64 move_part(u32 inode, u32 map, u64 offset, u64 address, u64 bytes, bool writes)
{
	u64 index = offset / PAGE, within = offset % PAGE;
	struct block *block;
	bool fresh;
	u32 place = place_of(map, index, writes, &fresh);

	if (!place && writes)
		return -ENOSPC;
	if (!place) {
		memory_zero((void *)address, bytes);
		return 0;
	}
	block = block_get(place, inode, index, !fresh && !(writes && bytes == PAGE));
	if (fresh)
		memory_zero(block->data, PAGE);
	if (writes)
		memory_copy(block->data + within, (void *)address, bytes);
	else
		memory_copy((void *)address, block->data + within, bytes);
	block_put(block, writes);
	return 0;
}

s64 file_move(u32 inode, u64 offset, u64 address, u64 bytes, bool writes)
{
	struct file_status status;
	u32 map = map_of(inode);
	u64 done = 0, part;
	s64 rc;

	file_status(inode, &status);
	if (!writes && offset >= status.size)
		return 0;
	if (!writes && bytes > status.size - offset)
		bytes = status.size - offset;
	while (done < bytes) {
		part = PAGE - (offset + done) % PAGE;
		if (part > bytes - done)
			part = bytes - done;
		if (!writes)
			read_run(inode, map, (offset + done) / PAGE,
				 (offset + bytes - 1) / PAGE + 1);
		rc = move_part(inode, map, offset + done, address + done, part, writes);
		if (rc)
			return done ? (s64)done : rc;
		done += part;
	}
	file_status(inode, &status);
	if (writes && offset + done > status.size)
		file_truncate(inode, offset + done);
	return done;
}
