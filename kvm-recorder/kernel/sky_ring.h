/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event ring: from the kernel's hooks to the collector, without a lock.
 *
 * One page of positions and then `bytes` bytes, which both sides map twice, one
 * copy behind the other, so that a record is contiguous wherever it begins. Any
 * number of producers, on any CPU and in any context, reserve room by moving
 * `head`; each fills its record and commits it by a store of its length. The one
 * consumer takes records in the order of their reservation, up to the first
 * that is not committed, and leaves zeros behind: what is reserved next holds
 * no length until it is committed.
 *
 * Nobody waits for room. Where there is none the event is dropped and counted;
 * each record tells how many had been dropped before it, so that the consumer
 * knows where they are missing.
 *
 * The same code is the kernel's and the collector's: positions and lengths are
 * those of the mapping, which the kernel's side trusts in nothing but its tail,
 * and that only within bounds.
 */
#ifndef SKY_RING_H
#define SKY_RING_H

#ifdef __KERNEL__
#include <linux/atomic.h>
#include <linux/types.h>
#include <asm/barrier.h>
#define sky_load_acquire(p)	     smp_load_acquire(p)
#define sky_store_release(p, v)	     smp_store_release(p, v)
#define sky_load(p)		     READ_ONCE(*(p))
#define sky_add(p, v)		     ((void)xadd(p, v))
#define sky_exchange_if(p, old, new) try_cmpxchg(p, old, new)
#else
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#define sky_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define sky_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define sky_load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define sky_add(p, v)		((void)__atomic_fetch_add(p, v, __ATOMIC_RELAXED))
#define sky_exchange_if(p, old, new) \
	__atomic_compare_exchange_n(p, old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)
#endif

#define SKY_RING_VERSION    1
#define SKY_RING_PAGE_BYTES 4096
#define SKY_RING_NAME_BYTES 64

/* The first page of the mapping; what each side writes has cache lines of its own. */
struct sky_ring_page {
	__u32 version;
	__u32 ended;				 /* its source is gone: nothing more will come */
	__u64 bytes;				 /* of records: a power of two, at least one page */
	char name[SKY_RING_NAME_BYTES];		 /* "vm 4711 vcpu 0", "disk sky0" */
	__u64 head __attribute__((aligned(64))); /* bytes ever reserved */
	__u64 lost;				 /* events that found no room */
	__u64 tail __attribute__((aligned(64))); /* bytes ever consumed */
};

/* Begins every record; lengths are multiples of eight. */
struct sky_record {
	__u32 length; /* with this; 0: not committed */
	__u16 kind;   /* enum sky_record_kind */
	__u16 vcpu;
	__u64 lost;    /* events of this ring dropped before this one */
	__u64 time_ns; /* CLOCK_MONOTONIC of the host */
};

/* One side's view. */
struct sky_ring {
	struct sky_ring_page *page;
	char *records; /* mapped twice */
	__u64 bytes;
};

/* The longest record; a longer one is cut or dropped by who makes it. */
static inline __u32 sky_ring_longest(const struct sky_ring *ring)
{
	return ring->bytes / 4;
}

/*
 * Room for a record of `length` bytes (rounded up to a multiple of eight by the
 * caller), with its length still 0; NULL and counted as lost where there is none.
 * *place is a number that no other record of the ring has, and that rises.
 */
static inline struct sky_record *sky_ring_reserve(struct sky_ring *ring, __u32 length, __u64 *place)
{
	struct sky_ring_page *page = ring->page;
	__u64 head = sky_load(&page->head);
	struct sky_record *record;

	do {
		__u64 used = head - sky_load_acquire(&page->tail);

		if (length > sky_ring_longest(ring) || used > ring->bytes ||
		    length > ring->bytes - used) {
			sky_add(&page->lost, 1);
			return NULL;
		}
	} while (!sky_exchange_if(&page->head, &head, head + length));

	record = (struct sky_record *)(ring->records + (head & (ring->bytes - 1)));
	record->lost = sky_load(&page->lost);
	*place = head / 8 + 1;
	return record;
}

static inline void sky_ring_commit(struct sky_record *record, __u32 length)
{
	sky_store_release(&record->length, length);
}

/*
 * The record at a position from `tail` on, valid until that is released; NULL if
 * it is not there, or not committed.
 */
static inline const struct sky_record *sky_ring_at(const struct sky_ring *ring, __u64 position)
{
	const struct sky_record *record =
		(const struct sky_record *)(ring->records + (position & (ring->bytes - 1)));

	if (position - sky_load(&ring->page->tail) >= ring->bytes)
		return NULL;
	return sky_load_acquire(&record->length) ? record : NULL;
}

/* What is before the position has been consumed. */
static inline void sky_ring_release(struct sky_ring *ring, __u64 position)
{
	__u64 tail = sky_load(&ring->page->tail);

	memset(ring->records + (tail & (ring->bytes - 1)), 0, position - tail);
	sky_store_release(&ring->page->tail, position);
}

static inline const struct sky_record *sky_ring_oldest(const struct sky_ring *ring)
{
	return sky_ring_at(ring, sky_load(&ring->page->tail));
}

static inline void sky_ring_consume(struct sky_ring *ring, const struct sky_record *record)
{
	sky_ring_release(ring, sky_load(&ring->page->tail) + record->length);
}

#endif
