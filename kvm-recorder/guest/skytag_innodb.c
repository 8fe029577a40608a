/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/mman.h>

#include "common/load.h"
#include "skytag_innodb.h"

/* fil0fil.h: a page's head. */
#define PAGE_NUMBER_AT 4
#define PAGE_TYPE_AT   24
#define PAGE_SPACE_AT  34
#define PAGE_DATA_AT   38

/* page0types.h: what follows it in pages of indices. */
#define INDEX_SLOTS_AT	  PAGE_DATA_AT
#define INDEX_HEAP_TOP_AT (PAGE_DATA_AT + 2)
#define INDEX_LEVEL_AT	  (PAGE_DATA_AT + 26)
#define INDEX_ID_AT	  (PAGE_DATA_AT + 28)
#define INDEX_RECORDS_AT  94
#define INDEX_LEVELS	  64
#define ROOT_LEAF_POINTER 74 /* of a root: its segments' inodes (space, page, offset) */
#define ROOT_TOP_POINTER  84
#define POINTER_OFFSET_AT 8

/* fsp0types.h, fsp0fsp.h: a tablespace's first pages and allocation map. */
#define INODE_PAGE	   2u
#define FIRST_ROOT	   3u
#define SPACE_PAGES_AT	   (PAGE_DATA_AT + 8)
#define EXTENTS_AT	   (PAGE_DATA_AT + 112)
#define EXTENT_STATE_AT	   20
#define EXTENT_BITMAP_AT   24
#define EXTENT_OF_SEGMENT  4u
#define INODES_AT	   (PAGE_DATA_AT + 12)
#define INODE_MAGIC_AT	   60
#define INODE_PAGES_AT	   64
#define INODE_MAGIC	   97937874u
#define PAGE_TRAILER_BYTES 8u

/* dict0dict.h, fsp0types.h: spaces of many tables. */
#define SYSTEM_SPACE   0u
#define SPECIAL_SPACES 0xfffffff0u

/* 64 pages a line: 65536 lines are 64 GiB of pages of 16 KiB, 33 MiB if all are in use. */
#define LINE_PAGES 64u
#define LINES	   65536u
#define SPACES	   16384u
#define FILES	   16384u
#define PROBES	   32u
#define EXACT	   (1ull << 63)

#define SEGMENTS 352u /* as many inodes as the largest page holds */

struct line {
	uint64_t key;
	uint64_t page[LINE_PAGES];
};

/* A tablespace's clustered index: key is the space + 1, value an id, with EXACT if it is sure. */
struct space {
	uint64_t key, clustered;
};

struct memory {
	struct line line[LINES];
	struct space space[SPACES];
	uint64_t surveyed[FILES];
};

static struct memory *the_memory;

/* Numbers of a page, which InnoDB writes in the network's byte order. */
static uint16_t at16(const void *base, size_t offset)
{
	return load_be16((const char *)base + offset);
}

static uint32_t at32(const void *base, size_t offset)
{
	return load_be32((const char *)base + offset);
}

static uint64_t at64(const void *base, size_t offset)
{
	return load_be64((const char *)base + offset);
}

/* False where the page's body is encrypted, and for the change buffer's tree. */
static bool index_head_is_sound(const void *head)
{
	return at16(head, INDEX_SLOTS_AT) >= 2 &&
	       at16(head, INDEX_HEAP_TOP_AT) >= INDEX_RECORDS_AT &&
	       at16(head, INDEX_LEVEL_AT) < INDEX_LEVELS &&
	       at64(head, INDEX_ID_AT) <= INNODB_INDEX_LIMIT;
}

void innodb_page_parse(const void *head, struct innodb_page *page)
{
	*page = (struct innodb_page){.type = at16(head, PAGE_TYPE_AT),
				     .number = at32(head, PAGE_NUMBER_AT),
				     .space = at32(head, PAGE_SPACE_AT)};
	if (innodb_is_index(page->type) && index_head_is_sound(head))
		page->index_id = at64(head, INDEX_ID_AT);
}

/* splitmix64's finalizer; never 0, which marks a free place. */
static uint64_t mix(uint64_t word)
{
	word ^= word >> 30;
	word *= 0xbf58476d1ce4e5b9ull;
	word ^= word >> 27;
	word *= 0x94d049bb133111ebull;
	return (word ^ word >> 31) | 1;
}

/* Mapped when it is first needed: other programs don't pay for it. NULL: there is no room. */
static struct memory *memory(void)
{
	struct memory *now = __atomic_load_n(&the_memory, __ATOMIC_ACQUIRE), *mine;

	if (now)
		return now;
	mine = mmap(NULL, sizeof(*mine), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mine == MAP_FAILED)
		return NULL;
	if (__atomic_compare_exchange_n(&the_memory, &now, mine, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return mine;
	munmap(mine, sizeof(*mine));
	return now;
}

/* True if the place holds the key, now or already; it may only be taken if it was free. */
static bool claim(uint64_t *place, uint64_t key, bool take, bool *taken)
{
	uint64_t found = __atomic_load_n(place, __ATOMIC_RELAXED);

	*taken = !found && take &&
		 __atomic_compare_exchange_n(place, &found, key, false, __ATOMIC_RELAXED,
					     __ATOMIC_RELAXED);
	return *taken || found == key;
}

static uint64_t *page_word(uint64_t file, uint64_t at_page, bool take)
{
	uint64_t key = mix(file + mix(at_page / LINE_PAGES));
	struct memory *all = memory();
	bool taken;

	for (unsigned i = 0; all && i < PROBES; i++) {
		struct line *line = &all->line[((key >> 8) + i) % LINES];

		if (claim(&line->key, key, take, &taken))
			return &line->page[at_page % LINE_PAGES];
	}
	return NULL;
}

static struct space *space_of(uint32_t space)
{
	uint64_t hash = mix(space);
	struct memory *all = memory();
	bool taken;

	for (unsigned i = 0; all && i < PROBES; i++) {
		struct space *place = &all->space[((hash >> 8) + i) % SPACES];

		if (claim(&place->key, space + 1ull, true, &taken))
			return place;
	}
	return NULL;
}

static bool first_survey(uint64_t file)
{
	struct memory *all = memory();
	uint64_t key = mix(file);
	bool taken;

	for (unsigned i = 0; all && i < PROBES; i++)
		if (claim(&all->surveyed[((key >> 8) + i) % FILES], key, true, &taken))
			return taken;
	return false;
}

static uint64_t pack(const struct innodb_page *page)
{
	return page->type | (uint64_t)page->role << 16 | page->index_id << 18;
}

static bool has_one_table(uint32_t space)
{
	return space != SYSTEM_SPACE && space < SPECIAL_SPACES;
}

static enum innodb_role role_by_id(const struct innodb_page *page)
{
	struct space *space = space_of(page->space);
	uint64_t known;

	if (!space)
		return INNODB_NO_ROLE;
	if (page->number == FIRST_ROOT)
		__atomic_store_n(&space->clustered, page->index_id | EXACT, __ATOMIC_RELAXED);
	known = __atomic_load_n(&space->clustered, __ATOMIC_RELAXED);
	while (!known || (!(known & EXACT) && page->index_id < known))
		if (__atomic_compare_exchange_n(&space->clustered, &known, page->index_id, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			known = page->index_id;
	return page->index_id == (known & ~EXACT) ? INNODB_CLUSTERED : INNODB_SECONDARY;
}

static enum innodb_role find_role(const struct innodb_page *page)
{
	if (!innodb_is_index(page->type) || !has_one_table(page->space))
		return INNODB_NO_ROLE;
	if (page->type == INNODB_SPATIAL)
		return INNODB_SECONDARY;
	if (page->index_id)
		return role_by_id(page);
	return page->number == FIRST_ROOT ? INNODB_CLUSTERED : INNODB_NO_ROLE;
}

void innodb_learn(uint64_t file, uint64_t at_page, struct innodb_page *page)
{
	uint64_t *word = page_word(file, at_page, true), now;

	page->role = find_role(page);
	now = pack(page);
	if (word && __atomic_load_n(word, __ATOMIC_RELAXED) != now)
		__atomic_store_n(word, now, __ATOMIC_RELAXED);
}

void innodb_recall(uint64_t file, uint64_t at_page, struct innodb_page *page)
{
	const uint64_t *word = page_word(file, at_page, false);
	uint64_t known = word ? __atomic_load_n(word, __ATOMIC_RELAXED) : 0;

	*page = (struct innodb_page){.type = known ? known & 0xffff : INNODB_UNKNOWN,
				     .role = known >> 16 & 3,
				     .number = at_page,
				     .index_id = known >> 18};
}

struct survey {
	uint64_t file;
	uint32_t page_bytes, extent_pages, space;
	uint64_t pages;
	innodb_read_fn *read_at;
	void *context;
	struct segment {
		uint64_t id;
		struct innodb_page index; /* whose it is; type 0: not known */
	} segment[SEGMENTS];
	unsigned segments;
	/* Of page_bytes each, aligned for direct I/O. */
	char *map, *inodes, *root;
};

/* What a page will be, unless it is known already. */
static void presume(const struct survey *survey, uint64_t at_page, uint16_t type,
		    const struct innodb_page *index)
{
	struct innodb_page page = {.type = type};
	uint64_t *word = page_word(survey->file, at_page, true), unknown = 0;

	if (index) {
		page.role = index->role;
		page.index_id = index->index_id;
	}
	if (word)
		__atomic_compare_exchange_n(word, &unknown, pack(&page), false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

/* Reads a page that should be of that type (or of an index) and learns from it. */
static bool read_page(struct survey *survey, uint32_t number, char *at, struct innodb_page *page)
{
	if (survey->read_at(survey->context, at, survey->page_bytes,
			    (uint64_t)number * survey->page_bytes) != (ssize_t)survey->page_bytes)
		return false;
	innodb_page_parse(at, page);
	if (page->number != number || (number && page->space != survey->space))
		return false;
	innodb_learn(survey->file, number, page);
	return true;
}

static unsigned inode_bytes(const struct survey *survey)
{
	return INODE_PAGES_AT + survey->extent_pages / 2 * sizeof(uint32_t);
}

static const char *inode_at(const struct survey *survey, unsigned i)
{
	return survey->inodes + INODES_AT + i * inode_bytes(survey);
}

/* The segment that a pointer within a root means; NULL if it means none. */
static struct segment *segment_meant(struct survey *survey, unsigned pointer)
{
	uint32_t offset = at16(survey->root, pointer + POINTER_OFFSET_AT), i;

	if (at32(survey->root, pointer + 4) != INODE_PAGE || offset < INODES_AT)
		return NULL;
	i = (offset - INODES_AT) / inode_bytes(survey);
	return i < survey->segments && (offset - INODES_AT) % inode_bytes(survey) == 0
		       ? &survey->segment[i]
		       : NULL;
}

/* If the segment's first page is the root of an index, that index's two segments are known. */
static void look_at_root(struct survey *survey, unsigned i)
{
	uint32_t number = at32(inode_at(survey, i), INODE_PAGES_AT);
	struct innodb_page page = {
		.role = number == FIRST_ROOT ? INNODB_CLUSTERED : INNODB_SECONDARY,
	};
	struct segment *leaves;

	if (number < FIRST_ROOT || number >= survey->pages)
		return;
	presume(survey, number, INNODB_INDEX, &page);
	if (!read_page(survey, number, survey->root, &page) || !innodb_is_index(page.type) ||
	    segment_meant(survey, ROOT_TOP_POINTER) != &survey->segment[i])
		return;
	survey->segment[i].index = page;
	leaves = segment_meant(survey, ROOT_LEAF_POINTER);
	if (leaves)
		leaves->index = page;
}

static void survey_segments(struct survey *survey)
{
	unsigned room = (survey->page_bytes - INODES_AT - PAGE_TRAILER_BYTES) / inode_bytes(survey);

	survey->segments = room < SEGMENTS ? room : SEGMENTS;
	for (unsigned i = 0; i < survey->segments; i++)
		if (at32(inode_at(survey, i), INODE_MAGIC_AT) == INODE_MAGIC)
			survey->segment[i].id = at64(inode_at(survey, i), 0);
	for (unsigned i = 0; i < survey->segments; i++)
		if (survey->segment[i].id && !survey->segment[i].index.type)
			look_at_root(survey, i);
}

/* The first pages of a segment are its own without an extent of its own. */
static void presume_single_pages(const struct survey *survey, unsigned i)
{
	const struct segment *segment = &survey->segment[i];

	for (unsigned slot = 0; segment->index.type && slot < survey->extent_pages / 2; slot++) {
		uint32_t number = at32(inode_at(survey, i), INODE_PAGES_AT + slot * 4);

		if (number >= FIRST_ROOT && number < survey->pages)
			presume(survey, number, INNODB_INDEX, &segment->index);
	}
}

static void presume_extent(const struct survey *survey, uint64_t first, uint64_t segment_id)
{
	for (unsigned i = 0; i < survey->segments; i++) {
		const struct segment *segment = &survey->segment[i];

		if (segment->id != segment_id || !segment->index.type)
			continue;
		for (unsigned j = 0; j < survey->extent_pages; j++)
			presume(survey, first + j, INNODB_INDEX, &segment->index);
		return;
	}
}

/* The map that begins at that page describes as many pages as a page has bytes. */
static void survey_map(const struct survey *survey, uint64_t first)
{
	unsigned bytes = EXTENT_BITMAP_AT + survey->extent_pages / 4;

	for (unsigned i = 0; i < survey->page_bytes / survey->extent_pages; i++) {
		const char *extent = survey->map + EXTENTS_AT + i * bytes;
		uint64_t at_page = first + (uint64_t)i * survey->extent_pages;

		if (at_page >= survey->pages)
			return;
		if (at32(extent, EXTENT_STATE_AT) == EXTENT_OF_SEGMENT)
			presume_extent(survey, at_page, at64(extent, 0));
	}
}

static void run_survey(struct survey *survey)
{
	struct innodb_page page;

	presume(survey, 0, INNODB_FSP_HEADER, NULL);
	if (!read_page(survey, 0, survey->map, &page) || page.type != INNODB_FSP_HEADER ||
	    !has_one_table(page.space))
		return;
	survey->space = page.space;
	survey->pages = at32(survey->map, SPACE_PAGES_AT);
	presume(survey, 1, INNODB_IBUF_BITMAP, NULL);
	presume(survey, INODE_PAGE, INNODB_INODE, NULL);
	if (!read_page(survey, INODE_PAGE, survey->inodes, &page) || page.type != INNODB_INODE)
		return;
	survey_segments(survey);
	for (unsigned i = 0; i < survey->segments; i++)
		presume_single_pages(survey, i);
	survey_map(survey, 0);
	for (uint64_t first = survey->page_bytes; first < survey->pages;
	     first += survey->page_bytes) {
		presume(survey, first, INNODB_EXTENTS, NULL);
		presume(survey, first + 1, INNODB_IBUF_BITMAP, NULL);
		if (!read_page(survey, first, survey->map, &page) || page.type != INNODB_EXTENTS)
			return;
		survey_map(survey, first);
	}
}

void innodb_survey(uint64_t file, uint32_t page_bytes, innodb_read_fn *read_at, void *context)
{
	size_t bytes = 3ul * page_bytes + sizeof(struct survey);
	struct survey *survey;
	char *scratch;

	if (!first_survey(file))
		return;
	/* Not on the stack: a signal handler's may be small. */
	scratch = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (scratch == MAP_FAILED)
		return;
	survey = (struct survey *)(scratch + 3ul * page_bytes);
	survey->file = file;
	survey->page_bytes = page_bytes;
	survey->extent_pages = page_bytes < 16384 ? (1u << 20) / page_bytes : 64;
	survey->read_at = read_at;
	survey->context = context;
	survey->map = scratch;
	survey->inodes = scratch + page_bytes;
	survey->root = scratch + 2ul * page_bytes;
	run_survey(survey);
	munmap(scratch, bytes);
}
