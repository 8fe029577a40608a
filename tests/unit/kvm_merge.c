/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings merged by time: order, losses as gaps, endings. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "kvm-recorder/collector/merge.h"
#include "kvm-recorder/collector/ring_map.h"
#include "kvm-recorder/kernel/sky_records.h"

#define RINGS	   4
#define RING_BYTES 4096
#define FOREVER	   UINT64_MAX

static struct feed feeds[RINGS];
static struct merge merge;
static struct event events[64];

static void make(void)
{
	static const char *const names[RINGS] = {"vm 1 vcpu 0", "vm 1 vcpu 1", "disk a", "disk b"};

	merge = (struct merge){.feeds = feeds, .count = RINGS};
	for (uint32_t i = 0; i < RINGS; i++) {
		feeds[i] = (struct feed){.name = names[i], .disk = i};
		cr_assert_eq(ring_make(&feeds[i].ring, RING_BYTES), 0);
	}
}

static void unmake(void)
{
	for (int i = 0; i < RINGS; i++)
		ring_unmap(&feeds[i].ring);
}

TestSuite(kvm_merge, .init = make, .fini = unmake, .timeout = 120);

static struct sky_block_record *reserve(int ring, uint64_t time_ns, uint64_t id, uint32_t sums)
{
	uint32_t length = sizeof(struct sky_block_record) + 8 * sums;
	struct sky_block_record *block;
	__u64 place;

	block = (struct sky_block_record *)sky_ring_reserve(&feeds[ring].ring, length, &place);
	if (!block)
		return NULL;
	block->record.kind = SKY_RECORD_BLOCK;
	block->record.vcpu = UINT16_MAX;
	block->record.time_ns = time_ns;
	block->id = id;
	block->op = BLOCK_WRITE;
	block->sectors = sums * SECTORS_PER_CHUNK;
	block->sums = sums;
	for (uint32_t i = 0; i < sums; i++)
		block->words[i] = id + i;
	return block;
}

static void commit(struct sky_block_record *block)
{
	sky_ring_commit(&block->record, sizeof(*block) + 8 * block->sums);
}

static bool push(int ring, uint64_t time_ns, uint64_t id)
{
	struct sky_block_record *block = reserve(ring, time_ns, id, id % 3);

	if (block)
		commit(block);
	return block;
}

static ssize_t next(uint64_t now_ns)
{
	return merge_next(&merge, events, 64, now_ns, FOREVER);
}

Test(kvm_merge, the_oldest_of_all_rings_is_next)
{
	push(0, 30, 1);
	push(1, 10, 2);
	push(1, 40, 3);
	push(2, 20, 4);
	push(3, 50, 5);
	cr_assert_eq(next(100), 5);
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(events[i].time_ns, 10 + 10 * i);
		cr_expect_eq(events[i].seq, i + 1);
	}
	cr_expect_eq(events[0].block.disk, 1);
	cr_expect_eq(events[4].block.id, 5);
}

Test(kvm_merge, nothing_later_than_when_an_empty_ring_was_looked_at)
{
	push(0, 50, 1);
	cr_expect_eq(next(40), 0);
	cr_expect_eq(next(49), 0);
	cr_expect_eq(next(50), 1);
}

Test(kvm_merge, a_record_that_is_not_committed_is_waited_for)
{
	struct sky_block_record *late;

	cr_expect_eq(next(10), 0);
	late = reserve(0, 20, 1, 0);
	push(1, 30, 2);
	push(2, 10, 3); /* older than what the reserved one can be */
	cr_expect_eq(next(100), 1);
	cr_expect_eq(next(100), 0);
	commit(late);
	cr_assert_eq(next(100), 2);
	cr_expect_eq(events[0].block.id, 1);
	cr_expect_eq(events[1].block.id, 2);
}

Test(kvm_merge, within_a_ring_time_never_falls)
{
	push(0, 50, 1);
	push(0, 40, 2);
	push(1, 45, 3);
	cr_assert_eq(next(100), 3);
	cr_expect_eq(events[0].block.id, 3);
	cr_expect_eq(events[1].block.id, 1);
	cr_expect_eq(events[2].block.id, 2);
	cr_expect_eq(events[2].time_ns, 50);
}

/* All that the rings hold. */
static uint64_t drain(uint64_t now_ns, void (*look)(const struct event *event))
{
	uint64_t last_ns = 0, count = 0;
	ssize_t n;

	while ((n = next(now_ns)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			cr_assert_leq(last_ns, events[i].time_ns);
			last_ns = events[i].time_ns;
			look(&events[i]);
			count++;
		}
		merge_release(&merge);
	}
	cr_assert_eq(n, 0);
	return count;
}

struct sorted {
	uint64_t time_ns, id;
};

#define SORTED 120

static struct sorted sorted[SORTED];
static int looked;

static int by_time(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

static void look_sorted(const struct event *event)
{
	cr_assert_eq(event->time_ns, sorted[looked].time_ns);
	cr_assert_eq(event->block.id, sorted[looked].id);
	cr_assert_eq(event->block.sums.count, event->block.id % 3);
	for (uint32_t i = 0; i < event->block.sums.count; i++)
		cr_assert_eq(event->block.sums.at[i], event->block.id + i);
	looked++;
}

/* Random rings against the sorted list of what is in them, over many wraps. */
Test(kvm_merge, random_rings_come_out_as_a_sort_would_have_them)
{
	uint64_t base_ns = 0;

	srand(5);
	for (int round = 0; round < 500; round++) {
		uint64_t time_ns[RINGS];

		for (int i = 0; i < RINGS; i++)
			time_ns[i] = base_ns;
		for (int i = 0; i < SORTED; i++) {
			int ring = rand() % RINGS;

			/* all times differ, so that the sort has one answer */
			time_ns[ring] += RINGS * (1 + rand() % 20);
			sorted[i] = (struct sorted){time_ns[ring] + ring, round * SORTED + i};
			cr_assert(push(ring, sorted[i].time_ns, sorted[i].id));
		}
		base_ns += RINGS * 20 * SORTED + RINGS;
		qsort(sorted, SORTED, sizeof(sorted[0]), by_time);
		looked = 0;
		cr_assert_eq(drain(base_ns, look_sorted), SORTED);
	}
	cr_expect_eq(merge.seq, 500 * SORTED);
	cr_expect_eq(merge.lost, 0);
}

static uint64_t gaps, told, last_seq;

static void look_gaps(const struct event *event)
{
	gaps += event->seq - last_seq - 1;
	last_seq = event->seq;
	if (event->kind != EVENT_LOSS)
		return;
	told += event->loss.count;
	cr_assert_eq(event->loss.where.count, strlen("disk a"));
	cr_assert(!memcmp(event->loss.where.at, "disk a", event->loss.where.count));
}

static void end(void)
{
	size_t count = merge_end(&merge, events);

	for (size_t i = 0; i < count; i++)
		look_gaps(&events[i]);
}

Test(kvm_merge, what_a_ring_lost_is_told_where_it_was_lost_and_leaves_a_gap_as_wide)
{
	uint64_t lost = 0, time_ns = 0, id = 0;

	srand(6);
	for (int round = 0; round < 200; round++) {
		time_ns++;
		for (int i = rand() % 120; i; i--)
			lost += !push(2, time_ns, ++id);
		drain(time_ns, look_gaps);
	}
	end();
	cr_expect_gt(lost, 100);
	cr_expect_eq(told, lost);
	cr_expect_eq(gaps, lost);
	cr_expect_eq(merge.lost, lost);
	cr_expect_eq(merge.seq, last_seq);
	cr_expect_eq(last_seq - gaps, merge.events);
}

Test(kvm_merge, a_record_that_cannot_be_believed_counts_as_lost)
{
	struct sky_block_record *bad = reserve(2, 10, 1, 0);

	bad->op = 77;
	commit(bad);
	push(2, 20, 2);
	bad = reserve(2, 30, 3, 0);
	bad->record.kind = 999;
	commit(bad);
	drain(40, look_gaps);
	end();
	cr_expect_eq(told, 2);
	cr_expect_eq(gaps, 2);
	cr_expect_eq(merge.refused, 2);
}

Test(kvm_merge, a_ring_of_impossible_lengths_ends_the_recording)
{
	static const uint32_t lengths[] = {8, 25, 4096, UINT32_MAX - 7};

	for (int i = 0; i < 4; i++) {
		struct sky_block_record *block = reserve(i, 10, 1, 0);

		sky_ring_commit(&block->record, lengths[i]);
	}
	for (int i = 0; i < 4; i++) {
		struct merge one = {.feeds = &feeds[i], .count = 1};

		cr_expect_eq(merge_next(&one, events, 64, 100, FOREVER), -1);
	}
}

Test(kvm_merge, what_is_later_than_the_end_stays_where_it_is)
{
	push(0, 10, 1);
	push(0, 20, 2);
	cr_assert_eq(merge_next(&merge, events, 64, 100, 15), 1);
	for (int i = 0; i < RINGS; i++)
		cr_expect(feed_done(&feeds[i], 15));
	merge_release(&merge);
	cr_expect(sky_ring_oldest(&feeds[0].ring));
}

Test(kvm_merge, a_ring_that_has_ended_holds_up_nobody)
{
	push(0, 50, 1);
	feeds[0].ring.page->ended = 1;
	feeds[1].ring.page->ended = feeds[2].ring.page->ended = 1;
	cr_assert_eq(next(10), 0);
	cr_expect(!feed_done(&feeds[0], FOREVER));
	feeds[3].ring.page->ended = 1;
	cr_assert_eq(next(10), 1);
	cr_assert_eq(next(10), 0);
	for (int i = 0; i < RINGS; i++)
		cr_expect(feed_done(&feeds[i], FOREVER));
}

#define PUSHES 30000

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void *produce(void *argument)
{
	int ring = (int)(intptr_t)argument;

	for (uint64_t i = 1; i <= PUSHES; i++) {
		struct sky_block_record *block = reserve(ring, 0, i, i % 3);

		if (!block)
			continue;
		block->record.time_ns = clock_ns();
		commit(block);
	}
	sky_store_release(&feeds[ring].ring.page->ended, 1);
	return NULL;
}

/* Producers that run meanwhile: global order, each ring's order, and every event there or counted. */
Test(kvm_merge, live_rings_come_out_in_order_and_whole)
{
	pthread_t threads[RINGS];
	uint64_t last[RINGS] = {0}, last_ns = 0, seen = 0, losses = 0, seq = 0;
	bool running = true;

	for (intptr_t i = 0; i < RINGS; i++)
		pthread_create(&threads[i], NULL, produce, (void *)i);
	while (running) {
		ssize_t count = next(clock_ns());

		cr_assert_geq(count, 0);
		for (ssize_t i = 0; i < count; i++) {
			const struct event *e = &events[i];

			cr_assert_leq(last_ns, e->time_ns);
			last_ns = e->time_ns;
			losses += e->seq - seq - 1;
			seq = e->seq;
			if (e->kind == EVENT_LOSS)
				continue;
			cr_assert_lt(last[e->block.disk], e->block.id);
			last[e->block.disk] = e->block.id;
			seen++;
		}
		merge_release(&merge);
		running = false;
		for (int i = 0; i < RINGS; i++)
			running |= !feed_done(&feeds[i], FOREVER);
	}
	for (int i = 0; i < RINGS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = merge_end(&merge, events), k = 0; k < i; k++)
		losses += events[k].loss.count;
	cr_expect_eq(seen + losses, RINGS * PUSHES);
	cr_expect_eq(losses, merge.lost);
}
