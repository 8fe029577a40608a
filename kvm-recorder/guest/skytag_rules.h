/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of skytag: which I/O gets which class.
 *
 *   rule file -- skytag checks it --> environment -- libskytag.so parses it again --> masks
 *
 * A rule is a line of conditions and a class; a transfer gets the class of the
 * first rule whose conditions all hold. What a descriptor decides (path, number)
 * is found out once and kept as a mask of rules; the rest is asked for each
 * transfer. Nothing here allocates memory, so that it may run before main() and
 * in signal handlers. The grammar is in docs/skytag.md.
 */
#ifndef SKYTAG_RULES_H
#define SKYTAG_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skytag_innodb.h"

/* As many as a mask has bits. */
#define TAG_RULES 64

/* What fits into one string of the environment (MAX_ARG_STRLEN), with room to spare. */
#define TAG_TEXT_BYTES 65536

/* Offsets of rules are multiples of this, as the recorder's chunks are. */
#define TAG_CHUNK_BYTES 4096u

#define TAG_CLASSES  32
#define TAG_NO_CLASS -1

enum tag_direction { TAG_READ, TAG_WRITE, TAG_DIRECTIONS };

/* What a rule says of a page of InnoDB. */
enum tag_page {
	TAG_ANY_CONTENT, /* nothing: content is not looked at */
	TAG_PAGE_TYPE,	 /* its type is page_type */
	TAG_INDEX,	 /* it is of an index, whichever */
	TAG_INDEX_ROLE,	 /* it is of an index with that role */
};

struct tag_rule {
	const char *path; /* in the parsed text, not terminated; NULL: any */
	size_t path_bytes;
	int fd_first, fd_last;
	uint64_t offset_from, offset_until;
	uint8_t directions; /* a bit each */
	uint8_t page;	    /* enum tag_page */
	uint8_t index_role; /* enum innodb_role */
	uint16_t page_type;
	uint32_t page_bytes;
	uint64_t index_first, index_last;
	int io_class;
	unsigned line;
};

struct tag_rules {
	unsigned count;
	struct tag_rule rule[TAG_RULES];
};

struct tag_error {
	unsigned line; /* 0: it is not one line's */
	char what[192];
};

/* Rules keep pointing into the text. 0, or -1 and the error. */
int tag_rules_parse(struct tag_rules *rules, const char *text, size_t bytes,
		    struct tag_error *error);

/* The rules that can hold for a descriptor of that number and path (absolute; NULL: unknown). */
uint64_t tag_rules_for(const struct tag_rules *rules, int fd, const char *path);

/* Whether what a rule says of one transfer depends on where it goes. */
static inline bool tag_rule_looks_inside(const struct tag_rule *rule)
{
	return rule->page != TAG_ANY_CONTENT || rule->offset_from ||
	       rule->offset_until != UINT64_MAX;
}

/*
 * Whether the rule holds for a byte at offset, which belongs to that page. A
 * page of which nothing is known has type INNODB_UNKNOWN and fulfils no
 * condition on pages.
 */
bool tag_rule_holds(const struct tag_rule *rule, enum tag_direction direction, uint64_t offset,
		    const struct innodb_page *page);

/* Where, behind offset, the rule may begin or cease to hold; UINT64_MAX: nowhere. */
uint64_t tag_rule_border(const struct tag_rule *rule, uint64_t offset);

#endif
