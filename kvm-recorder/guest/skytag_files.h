/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the shim knows of each descriptor: found out at its first use, forgotten
 * when it is closed or replaced, or when any file is renamed.
 *
 * A table by descriptor number, without locks. A descriptor that one thread
 * closes while another one uses it is the program's own race; here it can at
 * most give a wrong class. Descriptors from TAG_FILES on are not tagged.
 */
#ifndef SKYTAG_FILES_H
#define SKYTAG_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "skytag_rules.h"

#define TAG_FILES 65536

struct tag_file {
	uint64_t rules;	   /* those that can hold, a bit each; 0: it is left alone */
	uint64_t identity; /* the same for all descriptors of a file */
	uint32_t generation;
	bool appends;			 /* O_APPEND: each write goes to the end */
	bool inside;			 /* the class depends on offsets or pages */
	uint32_t page_bytes;		 /* of a rule on InnoDB's pages; 0: there is none */
	int8_t io_class[TAG_DIRECTIONS]; /* unless inside is set */
};

/* From here on descriptors are compared with these rules. */
void tag_files_begin(const struct tag_rules *rules);

/* NULL if nothing about the descriptor is to be tagged. Keeps errno. */
const struct tag_file *tag_file_of(int fd);

void tag_file_forget(int fd);
void tag_files_forget(unsigned first, unsigned last);
void tag_files_forget_all(void);

#endif
