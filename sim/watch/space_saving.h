/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heaviest of any number of things, in memory for a fixed number of them.
 *
 * Space-saving (A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation
 * of Frequent and Top-k Elements in Data Streams", ICDT 2005), with weights: a
 * thing that finds no room takes over the place, and the weight, of the
 * lightest. So with N bytes in all and m places, whatever has more than N / m
 * bytes is there, and no count misses more than its `missed`, which is never
 * above N / m. What is counted apart in amounts begins anew with its owner, so
 * it is never too much, and too little by at most `missed`.
 */
#ifndef SKY_SPACE_SAVING_H
#define SKY_SPACE_SAVING_H

#include <stddef.h>
#include <stdint.h>

#define AMOUNTS 4

struct tracked {
	uint64_t key[2];
	uint64_t weight; /* at least what was added */
	uint64_t missed; /* of that, what may have been others' */
	uint64_t total[AMOUNTS];
	struct {
		uint64_t period, amount[AMOUNTS];
	} recent[2];	/* of the newest two periods: even ones first */
	uint32_t place; /* in the heap */
};

struct space_saving;

/* NULL if out of memory. */
struct space_saving *space_saving_new(uint32_t places);
void space_saving_free(struct space_saving *s);

/* Periods are numbered by the caller, and rise. 0 or -ENOMEM. */
int space_saving_add(struct space_saving *s, uint64_t key0, uint64_t key1, unsigned amount,
		     uint64_t bytes, uint64_t period);

/* Its amounts in that period, which is the newest or the one before. */
static inline uint64_t space_saving_recent(const struct tracked *t, unsigned amount,
					   uint64_t period)
{
	return t->recent[period & 1].period == period ? t->recent[period & 1].amount[amount] : 0;
}

/*
 * Those with the most of an amount, in this period or (period = UINT64_MAX) in
 * all, the most first; those that have none are left out. Returns how many.
 */
size_t space_saving_top(const struct space_saving *s, unsigned amount, uint64_t period,
			const struct tracked **top, size_t max);

#endif
