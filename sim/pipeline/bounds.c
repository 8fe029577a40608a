/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens when there is more in flight than there can be.
 *
 * Entries go with what they are about, or by age, so no honest trace comes
 * near the bounds of the pools (pipeline.c). One that is damaged or hostile, or
 * whose recorder loses exits, does. Then the oldest written chunks and read
 * requests are given up at half of their pool, which leaves room for what one
 * event may bring; of processes, threads and calls, one makes room that was
 * perhaps never to be heard of again. All of it is counted, and shown as not covered.
 */
#include "sim/pipeline/identity.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reading.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/written.h"

/* How many processes are looked at for one that can make room. */
#define SAMPLE 16
/* An event makes no more processes, threads or calls than that. */
#define SLACK  8

static bool is_full(const struct pool *pool)
{
	return pool->count + SLACK > pool->bound;
}

/* The next process, going round and round; 0 if there is none. */
static uint32_t next_process(struct pipeline *p)
{
	const struct table *table = p->by_pid.count ? &p->by_pid : &p->by_space;
	uint32_t process;

	if (!table->count)
		return 0;
	do
		process = table->slot[p->bound_hand++ & table->mask].node;
	while (!process);
	return process;
}

/* One that was made and never heard of, if there is any. */
static void give_up_process(struct pipeline *p)
{
	uint32_t process = p->awaited.first ? p->awaited.first : next_process(p);

	if (!process)
		return;
	p->counters.processes_given_up++;
	process_gone(p, process);
}

static void give_up_thread(struct pipeline *p)
{
	uint32_t process = next_process(p), thread = 0;

	for (int i = 0; i < SAMPLE && process && !thread; i++) {
		thread = PROCESS_AT(p, process)->threads.first;
		process = next_process(p);
	}
	if (!thread) {
		give_up_process(p);
		return;
	}
	p->counters.threads_given_up++;
	thread_gone(p, thread);
}

/* The oldest call of some processes, with the thread that is in it. */
static void give_up_call(struct pipeline *p)
{
	uint32_t oldest = 0;

	for (int i = 0; i < SAMPLE; i++) {
		uint32_t process = next_process(p);
		uint32_t call = process ? PROCESS_AT(p, process)->calls.first : 0;

		if (call && (!oldest || CALL_AT(p, call)->seq < CALL_AT(p, oldest)->seq))
			oldest = call;
	}
	if (!oldest) {
		give_up_process(p);
		return;
	}
	p->counters.calls_given_up++;
	thread_gone(p, CALL_AT(p, oldest)->thread);
}

void bounds_keep(struct pipeline *p)
{
	if (is_full(&p->calls))
		give_up_call(p);
	if (is_full(&p->threads))
		give_up_thread(p);
	if (is_full(&p->processes))
		give_up_process(p);
	if (p->written.count > p->written.bound / 2)
		written_make_room(p, p->written.bound / 2);
	if (p->read_chunks.count > p->read_chunks.bound / 2)
		read_make_room(p, p->read_chunks.bound / 2);
}
