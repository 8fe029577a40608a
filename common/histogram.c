/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "histogram.h"

static unsigned bucket_of(uint64_t value)
{
	unsigned power = value < HISTOGRAM_STEPS ? 0 : 63 - __builtin_clzll(value) - 4;

	return power * HISTOGRAM_STEPS / 2 + (value >> power);
}

static void keep_largest(uint64_t *largest, uint64_t value)
{
	if (value > *largest)
		*largest = value;
}

void histogram_add(struct histogram *h, uint64_t value, uint64_t times)
{
	unsigned bucket = bucket_of(value);

	if (!times)
		return;
	h->bucket[bucket] += times;
	h->count += times;
	h->sum += (double)value * times;
	keep_largest(&h->largest[bucket], value);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		into->bucket[i] += from->bucket[i];
		keep_largest(&into->largest[i], from->largest[i]);
	}
	into->count += from->count;
	into->sum += from->sum;
}

uint64_t histogram_quantile(const struct histogram *h, unsigned percent)
{
	uint64_t wanted = h->count / 100 * percent + h->count % 100 * percent / 100, seen = 0;
	uint64_t largest = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS && seen <= wanted; i++) {
		seen += h->bucket[i];
		if (h->bucket[i])
			largest = h->largest[i];
	}
	return largest;
}
