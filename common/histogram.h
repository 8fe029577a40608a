/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A distribution in little memory: counts in buckets that are at most 1/16 of
 * their value wide.
 *
 * Values below 32 have buckets of their own; above, each power of two has 16.
 */
#ifndef SKY_HISTOGRAM_H
#define SKY_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS	  32
#define HISTOGRAM_BUCKETS (61 * HISTOGRAM_STEPS / 2)

/* Zeroed: empty. */
struct histogram {
	uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t largest[HISTOGRAM_BUCKETS]; /* that was put into it */
	uint64_t count;
	double sum;
};

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t times);
void histogram_merge(struct histogram *into, const struct histogram *from);

/*
 * The largest value in the bucket of the value that percent of the others are below;
 * 100: the largest of all. 0 if there are none.
 */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned percent);

#endif
