/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring between the kernel's hooks and the collector, with threads for the kernel. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "kvm-recorder/collector/ring_map.h"

#define RING_BYTES 4096

struct numbered {
	struct sky_record record;
	uint64_t number;
	uint64_t filling[12];
};

static struct sky_ring ring;

static void make(void)
{
	cr_assert_eq(ring_make(&ring, RING_BYTES), 0);
}

static void unmake(void)
{
	ring_unmap(&ring);
}

TestSuite(event_ring, .init = make, .fini = unmake, .timeout = 60);

static struct numbered *reserve(uint64_t number, uint32_t length)
{
	uint64_t place;
	struct numbered *n = (struct numbered *)sky_ring_reserve(&ring, length, (__u64 *)&place);

	if (n)
		n->number = number;
	return n;
}

static bool push(uint64_t number, uint32_t length)
{
	struct numbered *n = reserve(number, length);

	if (n)
		sky_ring_commit(&n->record, length);
	return n;
}

static uint64_t pull(void)
{
	const struct numbered *n = (const struct numbered *)sky_ring_oldest(&ring);
	uint64_t number;

	cr_assert(n);
	number = n->number;
	sky_ring_consume(&ring, &n->record);
	return number;
}

Test(event_ring, records_come_out_in_order_across_the_end)
{
	for (uint64_t i = 1; i <= 1000; i++) {
		cr_assert(push(i, 40 + i % 11 * 8));
		cr_assert(push(-i, 48));
		cr_expect_eq(pull(), i);
		cr_expect_eq(pull(), -i);
	}
	cr_expect(!sky_ring_oldest(&ring));
}

Test(event_ring, what_is_not_committed_holds_up_what_is_behind_it)
{
	struct numbered *first = reserve(1, 40);

	push(2, 40);
	cr_expect(!sky_ring_oldest(&ring));
	sky_ring_commit(&first->record, 40);
	cr_expect_eq(pull(), 1);
	cr_expect_eq(pull(), 2);
}

Test(event_ring, stale_bytes_are_never_taken_for_a_record)
{
	struct numbered *n;

	for (uint64_t i = 0; i < 200; i++) {
		n = reserve(UINT64_MAX, sizeof(*n));
		memset(n->filling, 0xff, sizeof(n->filling));
		sky_ring_commit(&n->record, sizeof(*n));
		pull();
		cr_expect(!sky_ring_oldest(&ring));
		reserve(0, 40);
		cr_expect(!sky_ring_oldest(&ring));
		sky_ring_commit(
			(struct sky_record *)(ring.records + (ring.page->tail & (ring.bytes - 1))),
			40);
		pull();
	}
}

Test(event_ring, a_full_ring_counts_what_it_drops_and_says_where)
{
	const struct sky_record *oldest;
	uint64_t held = 0;

	while (push(held + 1, 64))
		held++;
	cr_expect_eq(held, RING_BYTES / 64);
	push(0, 64);
	push(0, 64);
	for (uint64_t i = 0; i < held; i++) {
		oldest = sky_ring_oldest(&ring);
		cr_assert(oldest);
		cr_expect_eq(oldest->lost, 0);
		pull();
	}
	cr_assert(push(7, 64));
	cr_expect_eq(sky_ring_oldest(&ring)->lost, 3);
	cr_expect_eq(ring.page->lost, 3);
}

Test(event_ring, a_record_longer_than_a_quarter_of_the_ring_is_dropped)
{
	cr_expect(push(1, RING_BYTES / 4));
	cr_expect(!push(2, RING_BYTES / 4 + 8));
	cr_expect_eq(ring.page->lost, 1);
}

Test(event_ring, a_tail_that_the_other_side_made_up_lets_nothing_be_overwritten)
{
	push(1, 40);
	ring.page->tail = 1ull << 40;
	cr_expect(!push(2, 40));
}

#define PRODUCERS 4
#define PUSHES	  50000

struct producer {
	pthread_t thread;
	uint64_t id, pushed;
};

static void *produce(void *argument)
{
	struct producer *p = argument;

	for (uint64_t i = 1; i <= PUSHES; i++)
		p->pushed += push(p->id << 32 | i, 40 + i % 7 * 8);
	return NULL;
}

/* Every record is complete, each producer's are in order, and what is missing was counted. */
Test(event_ring, producers_on_all_processors_lose_nothing_that_is_not_counted)
{
	struct producer producers[PRODUCERS] = {0};
	uint64_t last[PRODUCERS] = {0}, seen = 0, pushed = 0, number;

	for (uint64_t i = 0; i < PRODUCERS; i++) {
		producers[i].id = i;
		pthread_create(&producers[i].thread, NULL, produce, &producers[i]);
	}
	while (seen + sky_load(&ring.page->lost) < PRODUCERS * PUSHES) {
		if (!sky_ring_oldest(&ring)) {
			sched_yield();
			continue;
		}
		number = pull();
		cr_assert_lt(last[number >> 32], number);
		last[number >> 32] = number;
		seen++;
	}
	for (int i = 0; i < PRODUCERS; i++) {
		pthread_join(producers[i].thread, NULL);
		pushed += producers[i].pushed;
	}
	cr_expect_eq(seen, pushed);
	cr_expect_eq(seen + ring.page->lost, PRODUCERS * PUSHES);
}
