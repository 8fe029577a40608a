/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several event rings become one sequence of events, by time.
 */
#ifndef SKY_MERGE_H
#define SKY_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/event.h"
#include "kvm-recorder/kernel/sky_ring.h"

/* A ring and where its reading stands; the caller sets the first four. */
struct feed {
	struct sky_ring ring;
	const char *name; /* in the losses' events: lives as long as they are used */
	uint32_t disk;	  /* the number of its requests' disk */
	bool is_vcpu;

	const struct sky_record *next; /* NULL: there is none, or it is not committed yet */
	uint64_t position;	       /* of next, or of where it will be */
	uint64_t floor_ns;	       /* what comes is not older */
	uint64_t lost;		       /* events that the ring had no room for, as far as told */
	uint64_t refused;	       /* records that could not be believed, not told yet */
	bool empty, ended;	       /* nothing was there when last looked; nor will be */
	bool warned;
};

struct merge {
	struct feed *feeds;
	size_t count;
	uint64_t seq; /* of the last event */
	uint64_t events, lost, refused;
};

/*
 * Fills events with the oldest records of all rings, as far as no ring can bring
 * an older one any more, numbered. What was lost in front of an event leaves a
 * gap of as many numbers, and an EVENT_LOSS. Records later than until_ns stay
 * where they are. now_ns is the time before the call, by the rings' clock. Arrays
 * and texts point into the rings until merge_release(). How many events (0: none
 * for now; max is at least 2), or -1 after saying which ring is broken.
 */
ssize_t merge_next(struct merge *merge, struct event *events, size_t max, uint64_t now_ns,
		   uint64_t until_ns);

/* Gives the records of the events back to their rings. */
void merge_release(struct merge *merge);

/* Has nothing up to until_ns to come any more. */
bool feed_done(const struct feed *feed, uint64_t until_ns);

/* The end: an event for each ring that has lost what was not told yet; at most merge->count. */
size_t merge_end(struct merge *merge, struct event *events);

#endif
