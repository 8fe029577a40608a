/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipeline under random events: whatever comes, it neither crashes nor
 * keeps what nobody can ask for any more. What it should say is in scenarios.c.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "sim/pipeline/pipeline.h"
#include "tests/random_event.h"

#define STEPS	  300000
#define PROCESSES 6
#define MINUTE_NS 60000000000u

struct counted {
	uint64_t hints, last_seq, last_time_ns;
	bool fell;
};

static void count_hints(void *context, const struct event *hints, size_t count)
{
	struct counted *c = context;

	for (size_t i = 0; i < count; i++) {
		c->fell |= hints[i].seq < c->last_seq || hints[i].time_ns < c->last_time_ns;
		c->last_seq = hints[i].seq;
		c->last_time_ns = hints[i].time_ns;
		c->hints++;
	}
}

static struct pipeline *new_pipeline(struct counted *counted)
{
	struct pipeline_options options;
	struct pipeline *p;

	pipeline_defaults(&options);
	p = pipeline_new(&options, count_hints, counted);
	cr_assert(p);
	return p;
}

static const char *const must_be_empty[] = {
	"outstanding", "table_entries", "written_live", "written_remembered",
	"waiting",     "processes",	"descriptors",	"open_files",
	"files",       "requests",
};

static void expect_empty(const struct pipeline *p)
{
	for (size_t i = 0; i < sizeof(must_be_empty) / sizeof(*must_be_empty); i++)
		cr_expect_eq(pipeline_counter(p, must_be_empty[i]), 0, "%s: %lu", must_be_empty[i],
			     pipeline_counter(p, must_be_empty[i]));
}

Test(pipeline, survives_any_valid_events)
{
	struct random_events *r = random_events_new(7);
	struct counted counted = {0};
	struct pipeline *p = new_pipeline(&counted);
	struct event e;

	r->longest_words = 300;
	for (int i = 0; i < STEPS; i++) {
		random_event(r, &e);
		cr_assert_eq(pipeline_feed(p, &e, 1), 0);
	}
	cr_assert_eq(pipeline_finish(p), 0);
	cr_expect(counted.hints > 1000);
	cr_expect(!counted.fell);
	cr_expect_eq(pipeline_counter(p, "waiting"), 0);
	cr_expect_eq(pipeline_counter(p, "requests"), 0);
	pipeline_free(p);
	free(r);
}

static const enum call calls[] = {
	CALL_read,	CALL_write,   CALL_pread64,  CALL_pwrite64,    CALL_readv,
	CALL_writev,	CALL_preadv,  CALL_pwritev2, CALL_open,	       CALL_openat,
	CALL_creat,	CALL_openat2, CALL_close,    CALL_dup,	       CALL_dup2,
	CALL_dup3,	CALL_fcntl,   CALL_lseek,    CALL_truncate,    CALL_ftruncate,
	CALL_fallocate, CALL_unlink,  CALL_rename,   CALL_link,	       CALL_copy_file_range,
	CALL_sendfile,	CALL_splice,  CALL_ioctl,    CALL_close_range, CALL_unlinkat,
	CALL_renameat2, CALL_execve,
};

static const enum event_kind kinds[] = {
	EVENT_ENTRY, EVENT_ENTRY, EVENT_ENTRY,	  EVENT_EXIT,	    EVENT_EXIT,	   EVENT_EXIT,
	EVENT_BLOCK, EVENT_BLOCK, EVENT_COMPLETE, EVENT_DESCRIPTOR, EVENT_INSIGHT, EVENT_INSIGHT,
	EVENT_FORK,  EVENT_EXEC,  EVENT_GONE,	  EVENT_PROCESS,    EVENT_MONITOR,
};

static uint64_t below(struct random_events *r, uint64_t limit)
{
	return random_next(r) % limit;
}

static uint64_t small_offset(struct random_events *r)
{
	return below(r, 4) ? below(r, 10) * CHUNK_BYTES : below(r, 10 * CHUNK_BYTES);
}

/* Few different checksums, so that they meet; now and then one that is not known. */
static struct words few_sums(struct random_events *r, int array)
{
	uint32_t count = below(r, 6);

	for (uint32_t i = 0; i < count; i++)
		r->words[array][i] = below(r, 200);
	return (struct words){r->words[array], count};
}

static struct text few_paths(struct random_events *r)
{
	static const char *const paths[] = {"a", "b", "c", ""};
	const char *path = paths[below(r, 4)];

	return (struct text){path, strlen(path)};
}

static void make_entry(struct random_events *r, struct entry_event *entry, enum call call)
{
	entry->abi = ABI_LINUX64;
	entry->number = call_number(ABI_LINUX64, call);
	for (int i = 0; i < 6; i++)
		entry->argument[i] = below(r, 3) ? below(r, 8) : small_offset(r);
	if (call == CALL_ioctl)
		entry->argument[1] = 0x40049409;
	entry->path = few_paths(r);
	entry->path2 = few_paths(r);
	entry->lengths = (struct words){r->words[0], below(r, 3)};
	entry->file_offset = below(r, 3) ? small_offset(r) : OFFSET_UNKNOWN;
	entry->sums = few_sums(r, 1);
}

static void make_exit(struct random_events *r, struct exit_event *exit, enum call call)
{
	exit->abi = ABI_LINUX64;
	exit->number = call_number(ABI_LINUX64, call);
	exit->result = below(r, 4) ? (int64_t)below(r, 10) : -(int64_t)below(r, 30);
	if (below(r, 2))
		exit->result = small_offset(r);
	exit->way = below(r, 20) ? EXIT_SYSRET : below(r, EXIT_RESTART + 1);
	exit->file_offset = below(r, 3) ? small_offset(r) : OFFSET_UNKNOWN;
	exit->sums = few_sums(r, 2);
	exit->written_offset = below(r, 3) ? small_offset(r) : OFFSET_UNKNOWN;
	if (!below(r, 8))
		exit->written = few_sums(r, 3);
}

static void make_block(struct random_events *r, struct block_event *block)
{
	block->op = below(r, BLOCK_ZERO + 1);
	block->id = below(r, 50);
	block->sector = below(r, 500) * SECTORS_PER_CHUNK;
	block->sums = few_sums(r, 4);
	block->sectors = block->sums.count * SECTORS_PER_CHUNK;
}

static void make_insight(struct random_events *r, struct insight_event *insight)
{
	bool of_path = below(r, 2);

	insight->number = call_number(ABI_LINUX64, of_path ? CALL_statx : CALL_fstat);
	insight->fd = of_path ? -1 : (int32_t)below(r, 8);
	insight->path = few_paths(r);
	insight->device = below(r, 2);
	insight->inode = below(r, 8);
	insight->links = below(r, 3);
	insight->size = small_offset(r);
	insight->mode = below(r, 5) ? 0100644 : 0010600;
}

static void make_descriptor(struct random_events *r, struct descriptor_event *descriptor)
{
	descriptor->fd = below(r, 8);
	descriptor->open_file = below(r, 10);
	descriptor->offset = small_offset(r);
	descriptor->inode = below(r, 8);
	descriptor->links = below(r, 3);
	descriptor->flags = below(r, 2) * 02000;
}

/* A few processes do anything with a few descriptors of a few files. */
static void make_event(struct random_events *r, struct event *e, enum call *last)
{
	event_init(e, kinds[below(r, sizeof(kinds) / sizeof(*kinds))]);
	e->seq = ++r->seq;
	e->time_ns = r->time_ns += below(r, 20) ? below(r, 1000000) : below(r, 2000000000);
	e->pid = 1 + below(r, PROCESSES);
	e->tid = 10 * e->pid + below(r, 2);
	e->space = below(r, 3) ? e->pid : below(r, PROCESSES);
	e->vcpu = below(r, 2);
	if (e->kind == EVENT_ENTRY)
		last[e->tid] = calls[below(r, sizeof(calls) / sizeof(*calls))];
	switch (e->kind) {
	case EVENT_ENTRY:
		make_entry(r, &e->entry, last[e->tid]);
		break;
	case EVENT_EXIT:
		make_exit(r, &e->exit, below(r, 20) ? last[e->tid] : CALL_read);
		break;
	case EVENT_BLOCK:
		make_block(r, &e->block);
		break;
	case EVENT_COMPLETE:
		e->complete.id = below(r, 50);
		e->complete.sums = few_sums(r, 5);
		break;
	case EVENT_INSIGHT:
		make_insight(r, &e->insight);
		break;
	case EVENT_DESCRIPTOR:
		make_descriptor(r, &e->descriptor);
		break;
	case EVENT_FORK:
		e->fork.child_pid = 1 + below(r, PROCESSES);
		e->fork.flags = below(r, 3) * 0x400;
		break;
	case EVENT_GONE:
		e->gone.last_thread = below(r, 2);
		break;
	case EVENT_MONITOR:
		e->monitor.on = below(r, 2);
		break;
	default:
		break;
	}
}

static void end_processes(struct random_events *r, struct pipeline *p)
{
	for (uint32_t pid = 1; pid <= PROCESSES; pid++) {
		struct event e;

		event_init(&e, EVENT_GONE);
		e.seq = ++r->seq;
		e.time_ns = r->time_ns;
		e.pid = pid;
		e.gone.last_thread = 1;
		cr_assert_eq(pipeline_feed(p, &e, 1), 0);
	}
}

static void let_time_pass(struct random_events *r, struct pipeline *p, uint64_t ns)
{
	struct event e;

	event_init(&e, EVENT_MARK);
	e.seq = ++r->seq;
	e.time_ns = r->time_ns += ns;
	cr_assert_eq(pipeline_feed(p, &e, 1), 0);
}

Test(pipeline, keeps_nothing_when_everything_is_over)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct random_events *r = random_events_new(seed);
		struct counted counted = {0};
		struct pipeline *p = new_pipeline(&counted);
		enum call last[10 * PROCESSES + 12] = {0};
		struct event e;

		for (int i = 0; i < STEPS / 5; i++) {
			make_event(r, &e, last);
			cr_assert_eq(pipeline_feed(p, &e, 1), 0);
		}
		end_processes(r, p);
		let_time_pass(r, p, 10ull * MINUTE_NS);
		cr_assert_eq(pipeline_finish(p), 0);
		expect_empty(p);
		cr_expect(counted.hints > 1000);
		cr_expect(!counted.fell);
		pipeline_free(p);
		free(r);
	}
}

Test(pipeline, memory_does_not_grow_with_the_trace)
{
	struct random_events *r = random_events_new(99);
	struct counted counted = {0};
	struct pipeline *p = new_pipeline(&counted);
	enum call last[10 * PROCESSES + 12] = {0};
	uint64_t written = 0, files = 0;
	struct event e;

	for (int i = 0; i < STEPS; i++) {
		make_event(r, &e, last);
		cr_assert_eq(pipeline_feed(p, &e, 1), 0);
		if (i == STEPS / 4) {
			written = pipeline_counter(p, "written_peak");
			files = pipeline_counter(p, "files_peak");
		}
	}
	cr_expect_leq(pipeline_counter(p, "written_peak"), 2 * written);
	cr_expect_leq(pipeline_counter(p, "files_peak"), 2 * files);
	cr_expect_leq(pipeline_counter(p, "descriptors_peak"), 8 * (PROCESSES + 1) * 10);
	pipeline_free(p);
	free(r);
}
