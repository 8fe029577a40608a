/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reference streams for benchmarks, the same on every machine.
 *
 * zipf: object r of `objects` is asked for with a probability proportional to
 * 1 / r^skew. scan: the same, broken every 100,000 references by a run of
 * 50,000 consecutive blocks that are never asked for again.
 */
#ifndef SKY_BENCH_ZIPF_H
#define SKY_BENCH_ZIPF_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#define SCAN_EVERY  100000u
#define SCAN_LENGTH 50000u
#define SCAN_BASE   (1ull << 40)

/* Returns an array of `count` block numbers, or NULL; the caller frees it. */
static inline uint64_t *zipf_blocks(size_t count, size_t objects, double skew)
{
	gsl_rng *random = gsl_rng_alloc(gsl_rng_mt19937);
	double *weight = malloc(objects * sizeof(*weight));
	uint64_t *block = malloc(count * sizeof(*block));
	gsl_ran_discrete_t *table = NULL;

	for (size_t rank = 0; weight && rank < objects; rank++)
		weight[rank] = pow(rank + 1, -skew);
	if (random && weight && block)
		table = gsl_ran_discrete_preproc(objects, weight);
	if (!table) {
		free(block);
		block = NULL;
	}
	/* an odd factor permutes the ranks, so that popular blocks are no neighbours */
	for (size_t i = 0; table && i < count; i++)
		block[i] = gsl_ran_discrete(random, table) * 2654435761ull % (4 * objects);
	if (table)
		gsl_ran_discrete_free(table);
	if (random)
		gsl_rng_free(random);
	free(weight);
	return block;
}

static inline void add_scans(uint64_t *block, size_t count)
{
	uint64_t next = SCAN_BASE;

	for (size_t begin = SCAN_EVERY; begin + SCAN_LENGTH <= count; begin += SCAN_EVERY)
		for (size_t i = 0; i < SCAN_LENGTH; i++)
			block[begin + i] = next++;
}

#endif
