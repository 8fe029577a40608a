/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoded events from one process of the recorder to another.
 *
 * A byte ring in shared memory, made before fork(): one producer at a time
 * (its process serialises its threads), one consumer. A record is its length
 * and time and the bytes of event_encode() (capture/frame.h), contiguous; seq
 * is set by the collector when it merges. A full ring makes the producer wait:
 * the host recorder would rather slow a request than lose it.
 */
#ifndef SKY_RING_H
#define SKY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/event.h"

struct ring;

/*
 * The process that calls this is the consumer: a producer that waits is told of
 * its death by its pidfd. bytes: a power of two; the longest record is a quarter of it. NULL with errno set. */
struct ring *ring_new(size_t bytes);
void ring_free(struct ring *ring);

/*
 * Producer. Takes the event's own time_ns, which must not fall from one push
 * to the next. Waits while the ring is full; -EPIPE once the consumer closed
 * it or died, -EMSGSIZE for an event that can never fit.
 */
int ring_push(struct ring *ring, const struct event *event);

/*
 * Consumer: the oldest record, valid until ring_pop(); false if there is none.
 */
bool ring_peek(struct ring *ring, const void **record, size_t *bytes, uint64_t *time_ns);
void ring_pop(struct ring *ring);

/* Consumer: nobody will read any more; producers get -EPIPE. */
void ring_close(struct ring *ring);

/* CLOCK_MONOTONIC. */
uint64_t monotonic_ns(void);

#endif
