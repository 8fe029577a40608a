/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decisions, handed out as hints (hints.c).
 */
#ifndef SKY_PIPELINE_HINTS_H
#define SKY_PIPELINE_HINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"

struct pipeline;

/* Hands out a hint; file 0 where none is known. Its time is now_ns. */
void hint_data(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk,
	       enum chunk_class what, enum hint_reason reason, uint32_t file, uint64_t index);

/* The same of data whose class the application gave. */
void hint_given(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk,
		uint8_t io_class, uint32_t file, uint64_t index);
void hint_metadata(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk);
void hint_journal(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk);

/* Adds to the last hint, of data: when its request was issued, what is known of the content. */
void hint_refine(struct pipeline *p, uint32_t file, uint64_t issued_ns, enum dedup_hint dedup);

#endif
