/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The insight that tells what pages of a mapped file hold.
 */
#ifndef SKY_PAGE_INSIGHT_H
#define SKY_PAGE_INSIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/calls.h"

/*
 * Of `count` pages from `index` on, without the unknown ones at both ends. What the file is, the
 * caller fills in. False, and no event, where none of them is known.
 */
bool page_insight(struct event *event, enum call call, uint64_t index, const uint64_t *sums,
		  unsigned count);

#endif
