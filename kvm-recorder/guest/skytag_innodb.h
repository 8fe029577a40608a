/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a page of InnoDB says of itself, and what is remembered of it.
 *
 *   pages written, pages read --> parse --> memory: (file, page) -> type, index
 *   a file's allocation map --- survey ------^            |
 *                                                         v
 *                                     the class of a page that is yet to be read
 *
 * Formats: MariaDB 10.11, storage/innobase/include (fil0fil.h, fsp0types.h,
 * fsp0fsp.h, page0types.h, btr0types.h). Any bytes may come: all are checked.
 * Everything may be called by many threads and in signal handlers: the tables
 * are filled without locks, and where they are full, less is known.
 */
#ifndef SKYTAG_INNODB_H
#define SKYTAG_INNODB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INNODB_UNDO	   2u
#define INNODB_INODE	   3u
#define INNODB_IBUF_BITMAP 5u
#define INNODB_FSP_HEADER  8u
#define INNODB_EXTENTS	   9u
#define INNODB_BLOB	   10u
#define INNODB_INSTANT	   18u	  /* a clustered index's root after ALGORITHM=INSTANT */
#define INNODB_SPATIAL	   17854u /* an R-tree: always a secondary index */
#define INNODB_INDEX	   17855u
#define INNODB_UNKNOWN	   0xffffu /* no page bears it */

/* Of ids, 46 bits are remembered; a server counts them from 1. 0: the page doesn't tell. */
#define INNODB_INDEX_LIMIT ((1ull << 46) - 1)

/* As much of a page as innodb_page_parse() looks at. */
#define INNODB_HEAD_BYTES 74u

enum innodb_role { INNODB_NO_ROLE, INNODB_CLUSTERED, INNODB_SECONDARY };

struct innodb_page {
	uint16_t type;
	uint8_t role;	 /* enum innodb_role */
	uint32_t number; /* within its tablespace */
	uint32_t space;
	uint64_t index_id;
};

static inline bool innodb_is_index(uint16_t type)
{
	return type == INNODB_INDEX || type == INNODB_INSTANT || type == INNODB_SPATIAL;
}

/* Reads a page's head, all but the role. The id in an encrypted page can't be read. */
void innodb_page_parse(const void *head, struct innodb_page *page);

/*
 * A page was seen, as page at_page of a file (which is not the page's own place
 * if that is a doublewrite buffer): finds out its role and remembers it.
 *
 * A tablespace's page 3 is the root of its first index, which is the table's
 * clustered one. As long as that was not seen, the smallest id seen is taken for
 * it, because ids rise. Tablespaces of many tables (the system's, the temporary
 * one) have no such order: their pages have no role.
 */
void innodb_learn(uint64_t file, uint64_t at_page, struct innodb_page *page);

/* What the page there is, as far as known; type INNODB_UNKNOWN if it isn't. */
void innodb_recall(uint64_t file, uint64_t at_page, struct innodb_page *page);

/* As pread(2). */
typedef ssize_t innodb_read_fn(void *context, void *at, size_t bytes, uint64_t offset);

/*
 * Learns from a table's own allocation map which pages belong to which index, so
 * that pages have a class before they were ever seen. Does so only the first
 * time that it is called for a file; reads the first and third page, one an index
 * and one every page_bytes pages. What a page turns out to be later counts for more.
 */
void innodb_survey(uint64_t file, uint32_t page_bytes, innodb_read_fn *read_at, void *context);

#endif
