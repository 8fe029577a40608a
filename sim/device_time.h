/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the device behind a cache is busy: each block that misses is read, each that
 * is written goes there, at once or when it leaves. Time counts under the tag of the
 * reference that needed it. A feed also has a device without a cache before it; the
 * difference is the time that a cache saves.
 */
#ifndef SKY_DEVICE_TIME_H
#define SKY_DEVICE_TIME_H

#include "breakdown.h"
#include "cache_feed.h"
#include "models/device/device_model.h"

struct device_time {
	struct device device;
	uint32_t sectors_per_key; /* a block's place on its disk is its number times this */
	bool writes_at_once;
	uint64_t ns[TAGS];
	uint64_t write_back_ns;
	struct breakdown *breakdown; /* NULL, or what takes the time, too */
	uint64_t next_block; /* that would continue the last access; as long as that one is open */
	bool is_open;
	uint32_t *undecided_us; /* at each place: what the reference took */
};

/* 0, or -1 after saying what is wrong; NULL or fini may follow a failure. */
int device_time_init(struct device_time *t, const char *spec, uint32_t sectors_per_key,
		     bool writes_at_once);
void device_time_fini(struct device_time *t);

/* References of a batch from begin on; hits: bits of these, or NULL where there is no cache. */
void device_time_take(struct device_time *t, const struct batch *batch, size_t begin, size_t end,
		      const uint64_t *hits);
void device_time_decide(struct device_time *t, const struct edit *edit);

/* A block is written for nobody's reference. */
void device_time_write_back(struct device_time *t, uint64_t block, bool counts);

/* The device without a cache. */
struct bare_device {
	struct consumer consumer;
	struct device_time time;
};

/* As device_time_init(); listens to the feed from now on. */
int bare_device_init(struct bare_device *bare, struct cache_feed *feed, const char *spec,
		     uint32_t sectors_per_key);

#endif
