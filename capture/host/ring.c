/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A byte ring in shared memory.
 *
 * The bytes are mapped twice, one copy behind the other, so that a record is
 * contiguous wherever it begins. The producer copies a record and then moves
 * `head` past it with a release store: one that dies in between leaves the ring
 * as it was. Only a full ring makes anybody wait: the producer sleeps on a
 * futex until half of the ring is free, and looks now and then at the pidfd of
 * the process that made the ring, its consumer.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "capture/frame.h"
#include "ring.h"

#define ALIVE_CHECK_NS 100000000 /* how soon a waiting producer notices the consumer's death */

struct record {
	uint64_t time_ns;
	uint64_t bytes;
	char event[];
};

/* What both sides see; each side's position has a cache line of its own. */
struct shared {
	_Alignas(64) _Atomic uint64_t head; /* bytes ever pushed */
	_Alignas(64) _Atomic uint64_t tail; /* bytes ever popped */
	_Atomic uint32_t waiting;	    /* the producer sleeps, or is about to */
	_Atomic uint32_t wakeups;	    /* the futex */
	_Atomic uint32_t closed;
};

struct ring {
	struct shared *shared;
	char *bytes;
	size_t size;
	int consumer; /* pidfd */
};

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Two views of the same `size` bytes, side by side; NULL with errno set. */
static char *map_twice(size_t size)
{
	int fd = memfd_create("sky-ring", MFD_CLOEXEC);
	char *at = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (!ftruncate(fd, size))
		at = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at != MAP_FAILED &&
	    (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	     mmap(at + size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		     MAP_FAILED)) {
		munmap(at, 2 * size);
		at = MAP_FAILED;
	}
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

struct ring *ring_new(size_t bytes)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->size = bytes;
	ring->consumer = syscall(SYS_pidfd_open, getpid(), 0);
	if (ring->consumer < 0)
		goto free_ring;
	ring->shared = mmap(NULL, sizeof(*ring->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ring->shared == MAP_FAILED)
		goto close_consumer;
	ring->bytes = map_twice(bytes);
	if (ring->bytes)
		return ring;

	munmap(ring->shared, sizeof(*ring->shared));
close_consumer:
	close(ring->consumer);
free_ring:
	free(ring);
	return NULL;
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	munmap(ring->bytes, 2 * ring->size);
	munmap(ring->shared, sizeof(*ring->shared));
	close(ring->consumer);
	free(ring);
}

static void wait_for_wakeup(struct shared *shared, uint32_t seen)
{
	struct timespec timeout = {.tv_nsec = ALIVE_CHECK_NS};

	/* a signal, a wakeup and a timeout are all reasons to look again */
	syscall(SYS_futex, &shared->wakeups, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

static bool consumer_died(const struct ring *ring)
{
	struct pollfd consumer = {.fd = ring->consumer, .events = POLLIN};

	return poll(&consumer, 1, 0) > 0;
}

static size_t room(const struct ring *ring, uint64_t head)
{
	return ring->size - (head - atomic_load(&ring->shared->tail));
}

/* 0 once `bytes` fit behind head, or -EPIPE. */
static int wait_for_room(struct ring *ring, uint64_t head, size_t bytes)
{
	struct shared *shared = ring->shared;

	while (room(ring, head) < bytes) {
		uint32_t seen = atomic_load(&shared->wakeups);

		atomic_store(&shared->waiting, 1);
		if (room(ring, head) >= bytes)
			break;
		if (atomic_load(&shared->closed) || consumer_died(ring))
			return -EPIPE;
		wait_for_wakeup(shared, seen);
	}
	return 0;
}

int ring_push(struct ring *ring, const struct event *event)
{
	uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_relaxed);
	size_t event_bytes = event_encoded_bytes(event);
	size_t bytes = (sizeof(struct record) + event_bytes + 7) & ~7ul;
	struct record *record = (struct record *)(ring->bytes + (head & (ring->size - 1)));
	int rc;

	if (bytes > ring->size / 4)
		return -EMSGSIZE;
	if (atomic_load_explicit(&ring->shared->closed, memory_order_relaxed))
		return -EPIPE;
	rc = wait_for_room(ring, head, bytes);
	if (rc)
		return rc;
	record->time_ns = event->time_ns;
	record->bytes = event_bytes;
	event_encode(event, record->event);
	atomic_store_explicit(&ring->shared->head, head + bytes, memory_order_release);
	return 0;
}

static const struct record *oldest(const struct ring *ring, uint64_t tail)
{
	if (atomic_load_explicit(&ring->shared->head, memory_order_acquire) == tail)
		return NULL;
	return (const struct record *)(ring->bytes + (tail & (ring->size - 1)));
}

bool ring_peek(struct ring *ring, const void **record, size_t *bytes, uint64_t *time_ns)
{
	uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_relaxed);
	const struct record *r = oldest(ring, tail);

	if (!r)
		return false;
	*record = r->event;
	*bytes = r->bytes;
	*time_ns = r->time_ns;
	return true;
}

static void wake_producer(struct shared *shared)
{
	atomic_store(&shared->waiting, 0);
	atomic_fetch_add(&shared->wakeups, 1);
	syscall(SYS_futex, &shared->wakeups, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void ring_pop(struct ring *ring)
{
	struct shared *shared = ring->shared;
	uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);
	const struct record *r = oldest(ring, tail);

	if (!r)
		return;
	tail += (sizeof(*r) + r->bytes + 7) & ~7ul;
	atomic_store(&shared->tail, tail);
	/* not for every record: a producer that waits gets half of the ring at once */
	if (atomic_load(&shared->waiting) &&
	    atomic_load_explicit(&shared->head, memory_order_relaxed) - tail <= ring->size / 2)
		wake_producer(shared);
}

void ring_close(struct ring *ring)
{
	atomic_store(&ring->shared->closed, 1);
	wake_producer(ring->shared);
}
