/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every chunk of a trace's disk requests is: a classifier (the pipeline,
 * or a baseline) over a whole trace, its hints counted a class and held against the truth.
 *
 * trace_open() -> classifier -> tallies and score -> one JSON object; with an
 * output, a copy of the trace that carries the hints as well.
 */
#ifndef SKY_CLASSIFY_H
#define SKY_CLASSIFY_H

#include <jansson.h>

#include "sim/classifier.h"

struct classify_options {
	struct pipeline_options pipeline;
	const char *hints;  /* a classifier as users type it: "sky", "sequential:cutoff=1M" */
	const char *output; /* a new archive with the hints in it, or NULL */
};

void classify_defaults(struct classify_options *options);

/*
 * Reads the trace once (twice for the hints truth), from beginning to end, in memory
 * that does not depend on its length. The result, as `sky classify --json` prints it, is a new
 * reference; NULL after saying what is wrong. The trace itself is never
 * changed; hints that it holds already are not used, and not copied.
 */
json_t *classify_trace(const char *path, const struct classify_options *options);

#endif
