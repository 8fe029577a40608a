/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings of files, which keep them (areas.c).
 */
#ifndef SKY_PIPELINE_AREAS_H
#define SKY_PIPELINE_AREAS_H

#include <stdint.h>

#include "sim/pipeline/calls.h"

/* Part of a process's address space that shows a file. */
struct area {
	uint64_t from, until;
	uint64_t index; /* of the file's page at `from` */
	uint32_t file;
	struct link of_process;
};

/* Mappings of files: made, changed, there before, handed on by fork, gone. */
call_handler exit_mmap, exit_munmap, exit_mremap;
void area_snapshot(struct pipeline *p, const struct event *event);
void areas_inherit(struct pipeline *p, uint32_t parent, uint32_t child);
void areas_gone(struct pipeline *p, uint32_t process);

/* The file that the process (0: none) has mapped at that address, and which page of it; or 0. */
uint32_t area_page(struct pipeline *p, uint32_t process, uint64_t address, uint64_t *index);

#endif
