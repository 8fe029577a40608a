/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a result does not cover, and why: one list of all holes.
 */
#ifndef SKY_NOT_COVERED_H
#define SKY_NOT_COVERED_H

#include <jansson.h>

#include "capture/event.h"

#define RECORDED_HOLES 3

/* What the trace itself says is missing. */
struct recorded_holes {
	uint64_t events_lost;
	uint64_t attribute[RECORDED_HOLES];
};

/* Looks at attributes and losses; ignores the rest. */
void not_covered_note(struct recorded_holes *holes, const struct event *event);

/*
 * How much of each, 0 or not. counters: the classifier's statistics, or NULL where it
 * has none; cut_bytes: of the trace's damaged end. A new reference.
 */
json_t *not_covered_json(const struct recorded_holes *holes, const json_t *counters,
			 uint64_t cut_bytes);

/* A sentence on what such a hole means; NULL if there is none of that name. */
const char *not_covered_why(const char *name);

/* The sentences for those that are not 0. A new reference. */
json_t *not_covered_reasons(const json_t *not_covered);

#endif
