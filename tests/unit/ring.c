/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recorder's rings: order and content over many wraps, waiting for room,
 * and what happens when either side is killed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/frame.h"
#include "capture/host/ring.h"

#define RING_BYTES 65536
#define SUMS_MAX   300

/* Event i: as many checksums as i says, all of them made from i. */
static int push(struct ring *ring, uint64_t i)
{
	uint64_t sums[SUMS_MAX];
	struct event event;

	event_init(&event, EVENT_BLOCK);
	event.time_ns = i;
	event.block.id = i;
	event.block.sums = (struct words){sums, i % SUMS_MAX};
	event.block.sectors = event.block.sums.count * SECTORS_PER_CHUNK;
	for (uint32_t k = 0; k < event.block.sums.count; k++)
		sums[k] = i * SUMS_MAX + k + 1;
	return ring_push(ring, &event);
}

/* Takes the next record, which has to be event i; false if the ring is empty. */
static bool take(struct ring *ring, uint64_t i)
{
	uint64_t words[SUMS_MAX + 16], time_ns;
	const void *record;
	struct event event;
	size_t bytes;

	if (!ring_peek(ring, &record, &bytes, &time_ns))
		return false;
	cr_assert_null(event_decode(&event, record, bytes, words));
	cr_assert_eq(time_ns, i);
	cr_assert_eq(event.block.id, i);
	cr_assert_eq(event.block.sums.count, i % SUMS_MAX);
	for (uint32_t k = 0; k < event.block.sums.count; k++)
		cr_assert_eq(event.block.sums.at[k], i * SUMS_MAX + k + 1);
	ring_pop(ring);
	return true;
}

static void take_waiting(struct ring *ring, uint64_t i)
{
	while (!take(ring, i))
		usleep(100);
}

static int wait_for(pid_t pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(ring, keeps_order_and_content_over_many_wraps)
{
	struct ring *ring = ring_new(RING_BYTES);
	uint64_t pushed = 0, taken = 0;

	cr_assert_not_null(ring);
	while (taken < 20000) {
		for (int i = 0; i < 7; i++)
			cr_assert_eq(push(ring, pushed++), 0);
		for (int i = 0; i < 7; i++)
			cr_assert(take(ring, taken++));
	}
	cr_assert_not(take(ring, taken));
	ring_free(ring);
}

Test(ring, refuses_what_can_never_fit)
{
	struct ring *ring = ring_new(4096);
	struct event event;
	char text[1024] = "";

	memset(text, 'x', sizeof(text));
	event_init(&event, EVENT_MARK);
	event.mark.name = (struct text){text, sizeof(text)};
	cr_assert_eq(ring_push(ring, &event), -EMSGSIZE);
	event.mark.name.count = 100;
	cr_assert_eq(ring_push(ring, &event), 0);
	ring_free(ring);
}

Test(ring, makes_a_fast_producer_wait)
{
	struct ring *ring = ring_new(RING_BYTES);
	const uint64_t count = 20000;
	pid_t producer = fork();

	if (!producer) {
		for (uint64_t i = 0; i < count; i++)
			if (push(ring, i))
				_exit(1);
		_exit(0);
	}
	for (uint64_t i = 0; i < count; i++)
		take_waiting(ring, i);
	cr_assert_eq(wait_for(producer), 0);
	cr_assert_not(take(ring, count));
	ring_free(ring);
}

/* Whenever it dies, what is in the ring is whole, and a successor may go on behind it. */
Test(ring, survives_a_killed_producer)
{
	struct ring *ring = ring_new(RING_BYTES);

	for (int round = 0; round < 30; round++) {
		pid_t producer = fork();
		uint64_t taken = 0;

		if (!producer)
			for (uint64_t i = 0;; i++)
				push(ring, i);
		while (taken < 50u * round)
			if (take(ring, taken))
				taken++;
		kill(producer, SIGKILL);
		cr_assert(WIFSIGNALED(wait_for(producer)));
		while (take(ring, taken))
			taken++;
		cr_assert_eq(push(ring, 5), 0);
		cr_assert(take(ring, 5));
	}
	ring_free(ring);
}

/*
 * The consumer makes the ring and forks a producer. Through the pipe comes a 0 once
 * both are at work, and then the producer's last answer.
 */
static void consume_until_killed(int answer)
{
	struct ring *ring = ring_new(RING_BYTES);
	uint64_t i = 0;
	int rc = 0;

	if (!fork()) {
		while (!rc)
			rc = push(ring, i++);
		if (write(answer, &rc, sizeof(rc)) < 0)
			_exit(1);
		_exit(0);
	}
	while (i < 1000)
		i += take(ring, i);
	if (write(answer, &rc, sizeof(rc)) == sizeof(rc))
		pause();
	_exit(1);
}

Test(ring, tells_the_producer_that_its_consumer_was_killed)
{
	int answer[2], rc = 1;
	pid_t consumer;

	cr_assert_eq(pipe(answer), 0);
	consumer = fork();
	if (!consumer)
		consume_until_killed(answer[1]);
	close(answer[1]);
	cr_assert_eq(read(answer[0], &rc, sizeof(rc)), sizeof(rc));
	cr_assert_eq(rc, 0);
	kill(consumer, SIGKILL);
	wait_for(consumer);
	cr_assert_eq(read(answer[0], &rc, sizeof(rc)), sizeof(rc));
	cr_assert_eq(rc, -EPIPE);
}

Test(ring, tells_a_waiting_producer_that_it_was_closed)
{
	struct ring *ring = ring_new(RING_BYTES);
	pid_t producer = fork();

	if (!producer) {
		uint64_t i = 0;
		int rc;

		do
			rc = push(ring, i++);
		while (!rc);
		_exit(rc == -EPIPE ? 0 : 1);
	}
	take_waiting(ring, 0);
	ring_close(ring);
	cr_assert_eq(wait_for(producer), 0);
	ring_free(ring);
}
