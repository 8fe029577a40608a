/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Untimed cache simulation: what would have been hits.
 *
 * A trace is read and split into blocks once; every cache (a model at a size
 * under a hint mode) takes the same references in the same order.
 */
#ifndef SKY_CACHE_SIM_H
#define SKY_CACHE_SIM_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Nobody tells the caches a block's class; the others are classifiers (sim/classifier.h). */
#define HINTS_NONE "none"

/* Kinds of hints that can be simulated at a time. */
#define HINT_MODES_MAX 8

enum granularity {
	GRANULARITY_4K,	   /* requests are split into 4096-byte blocks */
	GRANULARITY_START, /* a request is its start sector, whatever its length */
};

/* Which writes a cache takes, and when its device gets them. */
enum write_mode {
	WRITES_THROUGH, /* all, at once */
	WRITES_BACK,	/* all; the device when the block leaves */
	WRITES_UPDATE,	/* those to blocks that are cached, at once */
	WRITES_AROUND,	/* none: the block leaves, the device gets it at once */
	WRITE_MODES
};

/* Their names, as users type them; ends with NULL. */
extern const char *const cache_write_modes[];

/* What a request is to a cache; all zero is the usual. */
struct cache_rules {
	enum write_mode writes;
	uint64_t largest_sectors;	       /* longer requests bring nothing in; 0: any */
	uint64_t warm_up_requests, warm_up_ns; /* until then nothing is counted */
	uint64_t window_ns;		       /* of the results over time; 0: 256 or fewer alike */
};

/* By what else results are told apart; by the classes that hints give they always are. */
#define BY_TRUE_CLASS 1u
#define BY_FILE_SIZE  2u
#define BY_DISK	      4u
#define BY_TRUTH      (BY_TRUE_CLASS | BY_FILE_SIZE)

struct cache_sim_options {
	const char *const *caches; /* specs as users type them: "lru", "icache:base=lru" */
	size_t cache_count;
	const char *const *sizes; /* as capacity_parse() takes them: "4096", "2G", "10%" */
	size_t size_count;
	/*
	 * "none", or classifiers as users type them: "sky", "sequential:cutoff=1M". No
	 * hints = sky where the trace has evidence for it, none otherwise.
	 */
	const char *const *hints;
	size_t hint_count;
	enum granularity granularity;
	struct cache_rules rules;
	unsigned int by;      /* BY_* */
	const char *device;   /* what misses cost, as in "hdd"; NULL = nobody asks */
	const char *format;   /* of another program's file: an importer's name; NULL = a trace */
	const char *columns;  /* of such a file, where it doesn't name them itself */
	unsigned int threads; /* 0 = as many as processors; results don't depend on it */
	uint64_t memory_limit_bytes; /* 0 = what the machine has available */
};

/*
 * Simulates every cache at every size under every hint mode; the results are in
 * that order (caches outermost). The object's members are documented in
 * docs/cache-simulation.md. NULL after saying what is wrong.
 */
json_t *cache_simulate(const char *path, const struct cache_sim_options *options);

#endif
