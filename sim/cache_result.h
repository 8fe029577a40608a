/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a simulated cache did, as JSON.
 */
#ifndef SKY_CACHE_RESULT_H
#define SKY_CACHE_RESULT_H

#include <jansson.h>

#include "cache_run.h"
#include "pipeline/pipeline.h"

/*
 * When contents were sampled: at most SAMPLES_MAX times, however long the trace; or, where
 * window_ns is not 0, at the end of each window in which there was a request.
 */
struct timeline {
	uint64_t time_ns[WINDOWS_MAX + 1];
	struct tally counted[WINDOWS_MAX + 1][2]; /* reads and writes until then */
	uint64_t window_ns, begin_ns;
	uint32_t samples;
	uint64_t interval_ns, next_ns, last_ns;
};

struct result_facts {
	const char *cache, *size; /* as the user typed them */
	const char *hints;
	bool known; /* false: the trace has nothing that these hints come from */
	const struct cache_feed *feed;
	const uint64_t *requests;      /* of each side */
	unsigned int by;	       /* BY_* */
	const struct breakdown *whole; /* of all references */
	bool truth_known;	       /* the trace has some, if anybody asks */
	const struct file_groups *file_groups;
	const char *device;		/* as the user typed it, or NULL */
	const struct device_time *bare; /* without a cache, if there is a device */
	const struct timeline *timeline;
	const struct pipeline_options *pipeline; /* for what the classes are called */
};

/* A new reference; NULL if out of memory. */
json_t *cache_result(const struct cache_run *run, const struct result_facts *facts);

/* An object that names a class, or CLASS_UNDECIDED; NULL if out of memory. */
json_t *result_class_json(unsigned int io_class, const struct pipeline_options *options);

#endif
