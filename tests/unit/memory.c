/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipeline's memory follows the I/O in flight: not the trace's length, and
 * not beyond its bounds.
 */
#include <criterion/criterion.h>

#include "capture/calls.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/stored.h"

#define ROUND_CHUNKS 64
#define FILES	     1000

struct trace {
	struct pipeline *p;
	uint64_t seq, time_ns, id, round;
	uint64_t sums[ROUND_CHUNKS];
	uint64_t hints;
};

static void count_hints(void *context, const struct event *hints, size_t count)
{
	struct trace *t = context;

	t->hints += count;
}

static void feed(struct trace *t, struct event *e)
{
	e->seq = ++t->seq;
	e->time_ns = t->time_ns += 10000;
	e->pid = e->tid = 100;
	cr_assert_eq(pipeline_feed(t->p, e, 1), 0);
}

static void begin(struct trace *t)
{
	struct pipeline_options options;

	pipeline_defaults(&options);
	*t = (struct trace){0};
	t->p = pipeline_new(&options, count_hints, t);
	cr_assert(t->p);
}

/* Other content each round, of a file that it opens and closes. */
static void new_content(struct trace *t)
{
	struct event e;

	t->round++;
	for (int i = 0; i < ROUND_CHUNKS; i++)
		t->sums[i] = (t->round * ROUND_CHUNKS + i) * 0x9e3779b97f4a7c15u | 1;
	event_init(&e, EVENT_INSIGHT);
	e.insight.number = call_number(ABI_LINUX64, CALL_fstat);
	e.insight.fd = 3;
	e.insight.device = 1;
	e.insight.inode = 1 + t->round % FILES;
	e.insight.links = 1;
	e.insight.mode = 0100644;
	feed(t, &e);
}

static void call(struct trace *t, enum call call, bool writes)
{
	struct words sums = {t->sums, ROUND_CHUNKS};
	struct event e;

	event_init(&e, EVENT_ENTRY);
	e.entry.number = call_number(ABI_LINUX64, call);
	e.entry.argument[0] = 3;
	e.entry.argument[2] = writes ? ROUND_CHUNKS * CHUNK_BYTES : 0;
	e.entry.file_offset = writes ? 0 : OFFSET_UNKNOWN;
	e.entry.sums = writes ? sums : (struct words){0};
	feed(t, &e);
	event_init(&e, EVENT_EXIT);
	e.exit.number = call_number(ABI_LINUX64, call);
	e.exit.result = writes ? ROUND_CHUNKS * CHUNK_BYTES : 0;
	feed(t, &e);
}

static void request(struct trace *t, enum block_op op)
{
	struct words sums = {t->sums, ROUND_CHUNKS};
	struct event e;

	event_init(&e, EVENT_BLOCK);
	e.block.op = op;
	e.block.id = ++t->id;
	e.block.sector = t->round % 5000 * ROUND_CHUNKS * SECTORS_PER_CHUNK;
	e.block.sectors = ROUND_CHUNKS * SECTORS_PER_CHUNK;
	e.block.sums = op == BLOCK_WRITE ? sums : (struct words){0};
	feed(t, &e);
	event_init(&e, EVENT_COMPLETE);
	e.complete.id = t->id;
	e.complete.sums = op == BLOCK_READ ? sums : (struct words){0};
	feed(t, &e);
}

/* What is written reaches the disk; what is read nobody takes, until its window closes. */
static void run(struct trace *t, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		new_content(t);
		call(t, CALL_pwrite64, true);
		request(t, BLOCK_WRITE);
		new_content(t);
		request(t, BLOCK_READ);
		t->time_ns += 20000000;
		call(t, CALL_close, false);
	}
}

Test(memory, does_not_grow_with_the_trace)
{
	struct trace t;
	uint64_t bytes;

	begin(&t);
	run(&t, 1000);
	bytes = pipeline_counter(t.p, "table_bytes");
	run(&t, 9000);
	/* all but the reads of the last window */
	cr_expect_gt(t.hints, 19700ull * ROUND_CHUNKS);
	cr_expect_lt(t.hints, 20000ull * ROUND_CHUNKS);
	cr_expect_eq(pipeline_counter(t.p, "table_bytes"), bytes);
	cr_expect_lt(bytes, (5 << 20) + STORED_MAX * sizeof(struct stored));
	cr_expect_eq(pipeline_counter(t.p, "entries_without_room"), 0);
	pipeline_free(t.p);
}

Test(memory, of_what_never_comes_to_the_disk_is_bounded)
{
	struct trace t;

	begin(&t);
	t.p->written.bound = 1000;
	for (int i = 0; i < 1000; i++) {
		new_content(&t);
		call(&t, CALL_pwrite64, true);
	}
	cr_expect_leq(t.p->written.peak, 1000);
	cr_expect_gt(pipeline_counter(t.p, "chunks_given_up"), 60000);
	request(&t, BLOCK_WRITE);
	cr_expect_eq(t.hints, ROUND_CHUNKS, "the newest are still known");
	pipeline_free(t.p);
}

Test(memory, of_what_nobody_takes_is_bounded)
{
	struct trace t;

	begin(&t);
	t.p->read_chunks.bound = 1000;
	for (int i = 0; i < 1000; i++) {
		new_content(&t);
		request(&t, BLOCK_READ);
	}
	cr_expect_leq(t.p->read_chunks.peak, 1000);
	cr_expect_gt(pipeline_counter(t.p, "reads_given_up"), 60000);
	cr_expect_eq(t.hints, 0, "what was given up is unknown, not metadata");
	pipeline_free(t.p);
}

Test(memory, of_calls_that_never_return_is_bounded)
{
	struct trace t;
	struct event e;

	begin(&t);
	t.p->calls.bound = 100;
	for (uint32_t tid = 1; tid < 5000; tid++) {
		event_init(&e, EVENT_ENTRY);
		e.entry.number = call_number(ABI_LINUX64, CALL_read);
		e.seq = ++t.seq;
		e.time_ns = ++t.time_ns;
		e.pid = 1 + tid % 7;
		e.tid = tid;
		cr_assert_eq(pipeline_feed(t.p, &e, 1), 0);
	}
	cr_expect_leq(t.p->calls.peak, 100);
	cr_expect_gt(pipeline_counter(t.p, "calls_given_up"), 4800);
	cr_expect_eq(pipeline_counter(t.p, "entries_without_room"), 0);
	pipeline_free(t.p);
}

Test(memory, of_processes_that_never_end_is_bounded)
{
	struct trace t;
	struct event e;

	begin(&t);
	t.p->processes.bound = 100;
	for (uint32_t pid = 1; pid < 5000; pid++) {
		event_init(&e, EVENT_PROCESS);
		e.seq = ++t.seq;
		e.time_ns = ++t.time_ns;
		e.pid = pid;
		cr_assert_eq(pipeline_feed(t.p, &e, 1), 0);
	}
	cr_expect_leq(t.p->processes.peak, 100);
	cr_expect_gt(pipeline_counter(t.p, "processes_given_up"), 4800);
	cr_expect_eq(pipeline_counter(t.p, "entries_without_room"), 0);
	pipeline_free(t.p);
}

Test(memory, is_told_table_by_table)
{
	static const char *const names[] = {"written", "read_chunks", "calls", "processes",
					    "files"};
	struct trace t;
	json_t *statistics, *tables;
	uint64_t bytes = 0;
	const char *name;
	json_t *table;

	begin(&t);
	run(&t, 10);
	statistics = pipeline_statistics(t.p);
	tables = json_object_get(statistics, "tables");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		table = json_object_get(tables, names[i]);
		cr_expect(json_integer_value(json_object_get(table, "peak")) > 0, "%s", names[i]);
		cr_expect(json_integer_value(json_object_get(table, "bound")) > 0, "%s", names[i]);
	}
	json_object_foreach (tables, name, table)
		bytes += json_integer_value(json_object_get(table, "peak_bytes"));
	cr_expect_geq(pipeline_counter(t.p, "table_bytes"), bytes);
	json_decref(statistics);
	pipeline_free(t.p);
}
