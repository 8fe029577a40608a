/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Super blocks are read as bytes at the offsets that the formats' documents
 * give (Linux, Documentation/filesystems/ext4; XFS Algorithms & Data
 * Structures); what they say is checked before it is believed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/event.h"
#include "capture/host/layout.h"
#include "common/load.h"

#define PAGE	   4096u /* what direct I/O is aligned to */
#define PLACES_MAX (1u << 18)

struct place {
	uint64_t first, count; /* sectors */
};

struct layout {
	int fd;
	uint8_t *page; /* of the device, and which */
	uint64_t page_number;
	struct place *places;
	size_t count, room;
	bool failed;
};

/* Bytes of the device that lie within one page; NULL with failed set where they can't be read. */
static const uint8_t *at(struct layout *l, uint64_t offset)
{
	if (offset / PAGE != l->page_number) {
		l->page_number = offset / PAGE;
		if (pread(l->fd, l->page, PAGE, l->page_number * PAGE) != PAGE) {
			l->page_number = UINT64_MAX;
			l->failed = true;
		}
	}
	return l->failed ? NULL : l->page + offset % PAGE;
}

static void add_bytes(struct layout *l, uint64_t first, uint64_t count)
{
	struct place *places = l->places;

	if (!count || l->failed)
		return;
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		places = l->room > PLACES_MAX ? NULL
					      : reallocarray(places, l->room, sizeof(*places));
		if (!places) {
			l->failed = true;
			return;
		}
		l->places = places;
	}
	places[l->count++] = (struct place){first / SECTOR_BYTES, count / SECTOR_BYTES};
}

/* What is needed of an ext super block. */
struct ext {
	uint64_t blocks;
	uint32_t block_bytes, first_block, group_blocks, groups;
	uint32_t descriptor_bytes, descriptor_blocks, reserved_blocks, table_blocks;
	uint32_t journal[15]; /* i_block of the journal's inode; zeros where unknown */
	bool sparse;
};

#define EXT_SUPER	      1024
#define EXT_MAGIC	      0xef53
#define EXT_COMPAT_SPARSE2    0x200
#define EXT_INCOMPAT_META_BG  0x10
#define EXT_INCOMPAT_64BIT    0x80
#define EXT_RO_SPARSE	      0x1
#define EXT_BACKUP_OF_I_BLOCK 1
#define EXT_EXTENT_MAGIC      0xf30a
#define EXT_EXTENTS_IN_INODE  4
#define EXT_EXTENT_LENGTH_MAX 32768u
#define EXT_DIRECT	      12

/* False where it is none, or has its descriptors elsewhere (meta_bg, sparse_super2). */
static bool ext_super(struct layout *l, struct ext *e)
{
	const uint8_t *super = at(l, EXT_SUPER);
	uint32_t incompat, inode_bytes;

	if (!super || load_le16(super + 0x38) != EXT_MAGIC || load_le32(super + 0x18) > 6)
		return false;
	incompat = load_le32(super + 0x60);
	if (incompat & EXT_INCOMPAT_META_BG || load_le32(super + 0x5c) & EXT_COMPAT_SPARSE2)
		return false;
	e->block_bytes = 1024u << load_le32(super + 0x18);
	e->blocks = load_le32(super + 0x4);
	if (incompat & EXT_INCOMPAT_64BIT)
		e->blocks |= (uint64_t)load_le32(super + 0x150) << 32;
	e->first_block = load_le32(super + 0x14);
	e->group_blocks = load_le32(super + 0x20);
	e->descriptor_bytes = incompat & EXT_INCOMPAT_64BIT ? load_le16(super + 0xfe) : 32;
	e->reserved_blocks = load_le16(super + 0xce);
	e->sparse = load_le32(super + 0x64) & EXT_RO_SPARSE;
	inode_bytes = load_le32(super + 0x4c) ? load_le16(super + 0x58) : 128;
	if (!e->group_blocks || e->group_blocks > 8 * e->block_bytes ||
	    e->blocks <= e->first_block || e->descriptor_bytes < 32 || e->descriptor_bytes > 1024 ||
	    (e->descriptor_bytes & (e->descriptor_bytes - 1)) ||
	    (e->blocks - e->first_block) / e->group_blocks >= PLACES_MAX)
		return false;
	e->groups = (e->blocks - e->first_block + e->group_blocks - 1) / e->group_blocks;
	e->descriptor_blocks =
		((uint64_t)e->groups * e->descriptor_bytes + e->block_bytes - 1) / e->block_bytes;
	e->table_blocks = ((uint64_t)load_le32(super + 0x28) * inode_bytes + e->block_bytes - 1) /
			  e->block_bytes;
	for (int i = 0; super[0xfd] == EXT_BACKUP_OF_I_BLOCK && i < 15; i++)
		e->journal[i] = load_le32(super + 0x10c + 4 * i);
	return true;
}

static void ext_add(struct layout *l, const struct ext *e, uint64_t block, uint64_t count)
{
	if (block && block < e->blocks && count <= e->blocks - block)
		add_bytes(l, block * e->block_bytes, count * e->block_bytes);
}

static bool is_power_of(uint32_t number, uint32_t base)
{
	uint64_t power = base;

	while (power < number)
		power *= base;
	return power == number;
}

static bool has_super(const struct ext *e, uint32_t group)
{
	return !e->sparse || group < 2 || is_power_of(group, 3) || is_power_of(group, 5) ||
	       is_power_of(group, 7);
}

static void ext_group(struct layout *l, const struct ext *e, uint32_t group)
{
	uint64_t table = (uint64_t)(e->first_block + 1) * e->block_bytes;
	const uint8_t *d = at(l, table + (uint64_t)group * e->descriptor_bytes);
	uint64_t place[3]; /* block bitmap, inode bitmap, inode table */

	if (!d)
		return;
	for (int i = 0; i < 3; i++) {
		place[i] = load_le32(d + 4 * i);
		if (e->descriptor_bytes >= 64)
			place[i] |= (uint64_t)load_le32(d + 0x20 + 4 * i) << 32;
	}
	ext_add(l, e, place[0], 1);
	ext_add(l, e, place[1], 1);
	ext_add(l, e, place[2], e->table_blocks);
	if (has_super(e, group))
		add_bytes(l, ((uint64_t)group * e->group_blocks + e->first_block) * e->block_bytes,
			  (uint64_t)(1 + e->descriptor_blocks + e->reserved_blocks) *
				  e->block_bytes);
}

/* The journal's blocks behind an indirect block of that level (0: the block itself). */
static void ext_mapped(struct layout *l, const struct ext *e, uint32_t block, int level)
{
	ext_add(l, e, block, 1);
	for (uint32_t i = 0; block && level && i < e->block_bytes / 4 && !l->failed; i++) {
		const uint8_t *entry = at(l, (uint64_t)block * e->block_bytes + 4 * i);

		if (entry)
			ext_mapped(l, e, load_le32(entry), level - 1);
	}
}

/* The journal lies where its inode says, of which the super block has a copy. */
static void ext_journal(struct layout *l, const struct ext *e)
{
	const uint32_t *map = e->journal;
	uint32_t extents = map[0] >> 16;

	if ((map[0] & 0xffff) != EXT_EXTENT_MAGIC) {
		for (int i = 0; i < EXT_DIRECT; i++)
			ext_mapped(l, e, map[i], 0);
		ext_mapped(l, e, map[EXT_DIRECT], 1);
		ext_mapped(l, e, map[EXT_DIRECT + 1], 2);
		return;
	}
	if (map[1] >> 16) /* more than fit the inode */
		return;
	for (uint32_t i = 0; i < extents && i < EXT_EXTENTS_IN_INODE; i++) {
		const uint32_t *extent = &map[3 + 3 * i];
		uint64_t block = (uint64_t)(extent[1] >> 16) << 32 | extent[2];
		uint32_t length = extent[1] & 0xffff;

		ext_add(l, e, block, length > EXT_EXTENT_LENGTH_MAX ? 0 : length);
	}
}

static void read_ext(struct layout *l)
{
	struct ext e = {0};

	if (!ext_super(l, &e))
		return;
	for (uint32_t group = 0; group < e.groups && !l->failed; group++)
		ext_group(l, &e, group);
	ext_journal(l, &e);
}

#define XFS_MAGIC   0x58465342
#define XFS_HEADERS 4 /* sectors of an allocation group's head: super block, AGF, AGI, AGFL */

static void read_xfs(struct layout *l)
{
	const uint8_t *super = at(l, 0);
	uint32_t block_bytes, group_blocks, groups, log_blocks, sector_bytes, group_log;
	uint64_t log;

	if (!super || load_be32(super) != XFS_MAGIC)
		return;
	block_bytes = load_be32(super + 4);
	log = load_be64(super + 48);
	group_blocks = load_be32(super + 84);
	groups = load_be32(super + 88);
	log_blocks = load_be32(super + 96);
	sector_bytes = load_be16(super + 102);
	group_log = super[124];
	if (block_bytes > 65536 || !group_blocks || groups > PLACES_MAX || group_log > 31)
		return;
	for (uint32_t i = 0; i < groups; i++)
		add_bytes(l, (uint64_t)i * group_blocks * block_bytes, XFS_HEADERS * sector_bytes);
	if (!log) /* on another device */
		return;
	log = (log >> group_log) * group_blocks + (log & ((1u << group_log) - 1));
	add_bytes(l, log * block_bytes, (uint64_t)log_blocks * block_bytes);
}

static int by_sector(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static void merge(struct layout *l)
{
	size_t kept = 0;

	qsort(l->places, l->count, sizeof(*l->places), by_sector);
	for (size_t i = 1; i < l->count; i++) {
		struct place *last = &l->places[kept], *next = &l->places[i];
		uint64_t end = next->first + next->count;

		if (next->first > last->first + last->count)
			l->places[++kept] = *next;
		else if (end > last->first + last->count)
			last->count = end - last->first;
	}
	l->count = kept + 1;
}

static char *to_text(struct layout *l)
{
	char *text = NULL;
	size_t bytes;
	FILE *out;

	if (l->failed || !l->count)
		return NULL;
	merge(l);
	out = open_memstream(&text, &bytes);
	if (!out)
		return NULL;
	for (size_t i = 0; i < l->count; i++)
		fprintf(out, "%s%" PRIu64 "+%" PRIu64, i ? " " : "", l->places[i].first,
			l->places[i].count);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static const struct {
	const char *file_system;
	void (*read)(struct layout *l);
} readers[] = {
	{"ext2", read_ext},
	{"ext3", read_ext},
	{"ext4", read_ext},
	{"xfs", read_xfs},
};

char *layout_read(const char *device, const char *file_system)
{
	struct layout l = {.page_number = UINT64_MAX};
	char *text = NULL;

	l.fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	l.page = aligned_alloc(PAGE, PAGE);
	for (size_t i = 0; l.fd >= 0 && l.page && i < sizeof(readers) / sizeof(readers[0]); i++)
		if (!strcmp(readers[i].file_system, file_system))
			readers[i].read(&l);
	text = to_text(&l);
	free(l.places);
	free(l.page);
	if (l.fd >= 0)
		close(l.fd);
	return text;
}
