/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_pipeline [TRIES] [SEED]: any sequence of valid events.
 *
 * A try feeds one pipeline: with events of every kind at random, or with what
 * a few processes, files and disks could do, so that calls, requests and contents
 * meet; with pids or without; now and then with bounds so small that all are
 * hit. Nothing may crash. No table may exceed its bound, and where everything
 * ends, nothing may be left. No hint may come before its evidence, to a request
 * that isn't there, or twice. Try I is seed SEED + I.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fnv1a.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/state.h"
#include "tests/random_event.h"

#define EVENTS	   3000
#define PROCESSES  4
#define THREADS	   (2 * PROCESSES)
#define FILES	   6
#define CONTENTS   64
#define CHUNKS_MAX 12
#define SMALL	   48 /* bound of each pool, where they are small */

enum flavour { ANYTHING, PLAUSIBLE, PLAUSIBLE_SPACES, PLAUSIBLE_CROWDED, FLAVOURS };

/* A request as the pipeline saw it: its number is its id. */
struct issued {
	uint64_t seq;
	uint32_t chunks;
	uint8_t op;
	bool completed;
	bool hinted[CHUNKS_MAX];
};

struct world {
	struct random_events *dice;
	struct pipeline *p;
	enum flavour flavour;
	uint64_t seq, time_ns, id;
	uint64_t hint_seq, hint_time_ns, hints;
	enum call under_way[THREADS];
	uint8_t abi[PROCESSES];
	uint64_t contents[CONTENTS]; /* that were written or read of late */
	uint64_t zeros;
	struct issued issued[EVENTS + 1];
	const char *wrong;
};

static uint64_t below(struct world *w, uint64_t limit)
{
	return random_next(w->dice) % limit;
}

static bool one_in(struct world *w, unsigned n)
{
	return !below(w, n);
}

/* What is wrong with a hint in view of its request; NULL if nothing is. */
static const char *check_request(struct world *w, const struct hint_event *hint, uint64_t seq)
{
	struct issued *r = hint->request <= w->id ? &w->issued[hint->request] : NULL;

	if (!r || !r->chunks || hint->chunk >= r->chunks)
		return "a hint for what was never asked";
	if (seq < r->seq)
		return "a hint before its request";
	if (r->op == BLOCK_READ && !r->completed)
		return "a hint for a read that has not completed";
	if (r->hinted[hint->chunk])
		return "a second hint for a chunk";
	r->hinted[hint->chunk] = true;
	return NULL;
}

static void take_hints(void *context, const struct event *hints, size_t count)
{
	struct world *w = context;

	for (const struct event *e = hints; e < hints + count && !w->wrong; e++) {
		if (e->kind != EVENT_HINT || event_check(e))
			w->wrong = "no valid hint";
		else if (e->seq > w->seq || e->time_ns > w->time_ns)
			w->wrong = "a hint from the future";
		else if (e->seq < w->hint_seq || e->time_ns < w->hint_time_ns)
			w->wrong = "hints out of order";
		else if (w->flavour != ANYTHING)
			w->wrong = check_request(w, &e->hint, e->seq);
		w->hint_seq = e->seq;
		w->hint_time_ns = e->time_ns;
		w->hints++;
	}
}

static struct words contents(struct world *w, int array, uint32_t count)
{
	uint64_t *at = w->dice->words[array];

	for (uint32_t i = 0; i < count; i++) {
		uint64_t dice = below(w, 16);

		at[i] = dice == 0   ? SUM_UNKNOWN
			: dice == 1 ? w->zeros
			: dice < 8  ? w->contents[below(w, CONTENTS)]
				    : random_next(w->dice);
		if (at[i])
			w->contents[below(w, CONTENTS)] = at[i];
	}
	return (struct words){at, count};
}

/* A run of what was written one after the other of late. */
static struct words run(struct world *w, int array, uint32_t count)
{
	uint64_t *at = w->dice->words[array], from = below(w, CONTENTS);

	for (uint32_t i = 0; i < count; i++)
		at[i] = w->contents[(from + i) % CONTENTS];
	return (struct words){at, count};
}

static struct words some_sums(struct world *w, int array)
{
	uint32_t count = one_in(w, 3) ? 0 : below(w, CHUNKS_MAX + 1);

	return one_in(w, 2) ? run(w, array, count) : contents(w, array, count);
}

static uint64_t offset(struct world *w)
{
	if (one_in(w, 20))
		return random_number(w->dice);
	return one_in(w, 4) ? below(w, 20 * CHUNK_BYTES) : below(w, 20) * CHUNK_BYTES;
}

static struct text path(struct world *w)
{
	static const char *const paths[] = {"a",  "b",	   "./a", "d/c",	 "/m/a",
					    "..", "b.gpg", "",	  "/usr/bin/cp", "gpg"};
	const char *name = paths[below(w, sizeof(paths) / sizeof(*paths))];

	return (struct text){name, strlen(name)};
}

/* Asynchronous requests, each with its part of the sums. */
static struct words records(struct world *w, int array, uint32_t sums)
{
	uint64_t *at = w->dice->words[array];
	uint32_t count = below(w, 4);

	for (uint32_t i = 0; i < count; i++, at += RECORD_WORDS) {
		uint32_t mine = below(w, sums + 1);

		at[RECORD_ID] = below(w, 12);
		at[RECORD_OPCODE] = below(w, 32);
		at[RECORD_FD] = below(w, 8);
		at[RECORD_BUFFER] = below(w, 8) * CHUNK_BYTES;
		at[RECORD_BYTES] = offset(w);
		at[RECORD_OFFSET] = offset(w);
		at[RECORD_FLAGS] = below(w, 16);
		at[RECORD_RESULT] = one_in(w, 4) ? -5ull : offset(w);
		at[RECORD_CHUNKS] = one_in(w, 20) ? random_number(w->dice) : mine;
		sums -= mine;
	}
	return (struct words){w->dice->words[array], count * RECORD_WORDS};
}

static void make_entry(struct world *w, struct event *e, unsigned thread)
{
	struct entry_event *entry = &e->entry;
	uint8_t abi = w->abi[thread / 2];
	enum call call = one_in(w, 3) ? CALL_write : below(w, CALL_COUNT);

	if (call_number(abi, call) < 0)
		call = one_in(w, 2) ? CALL_read : CALL_write;
	w->under_way[thread] = call;
	entry->abi = abi;
	entry->number = call_number(abi, call);
	for (int i = 0; i < 6; i++)
		entry->argument[i] = one_in(w, 3) ? offset(w) : below(w, 8);
	if (call_magic_argument(abi, call) && one_in(w, 4)) {
		entry->argument[call_magic_argument(abi, call)] = CLASS_MAGIC;
		entry->argument[call_magic_argument(abi, call) + 1] = below(w, CLASS_COUNT + 2);
	}
	entry->path = path(w);
	entry->path2 = path(w);
	entry->lengths = (struct words){w->dice->words[0], below(w, 4)};
	for (uint32_t i = 0; i < entry->lengths.count; i++)
		w->dice->words[0][i] = offset(w);
	entry->file_offset = one_in(w, 3) ? OFFSET_UNKNOWN : offset(w);
	entry->sums = some_sums(w, 1);
	entry->records = records(w, 2, entry->sums.count);
}

static void make_exit(struct world *w, struct event *e, unsigned thread)
{
	struct exit_event *exit = &e->exit;
	enum call call = one_in(w, 30) ? CALL_read : w->under_way[thread];

	exit->abi = w->abi[thread / 2];
	exit->number = call_number(exit->abi, call) < 0 ? 0 : call_number(exit->abi, call);
	exit->result = one_in(w, 3) ? -(int64_t)below(w, 40) : (int64_t)below(w, 9);
	if (one_in(w, 2))
		exit->result = offset(w);
	exit->way = one_in(w, 10) ? below(w, EXIT_RESTART + 1) : EXIT_SYSRET;
	exit->file_offset = one_in(w, 3) ? OFFSET_UNKNOWN : offset(w);
	exit->sums = some_sums(w, 3);
	exit->records = records(w, 4, exit->sums.count);
	exit->written_offset = one_in(w, 3) ? OFFSET_UNKNOWN : offset(w);
	if (one_in(w, 8))
		exit->written = some_sums(w, 5);
}

static struct words markers(struct world *w, int array, uint32_t chunks)
{
	if (!one_in(w, 4))
		return (struct words){0};
	for (uint32_t i = 0; i < chunks; i++)
		w->dice->words[array][i] =
			one_in(w, 2) ? 0 : below(w, MARKER_INNODB + 1) | below(w, 1 << 16) << 8;
	return (struct words){w->dice->words[array], chunks};
}

static struct words frames(struct world *w, int array, uint32_t chunks)
{
	for (uint32_t i = 0; i < chunks; i++)
		w->dice->words[array][i] = below(w, 16);
	return (struct words){w->dice->words[array], one_in(w, 3) ? chunks : 0};
}

static void make_block(struct world *w, struct event *e, unsigned thread)
{
	struct block_event *block = &e->block;
	uint32_t chunks = 1 + below(w, CHUNKS_MAX);

	block->op = one_in(w, 10) ? below(w, BLOCK_ZERO + 1) : below(w, 2);
	block->disk = one_in(w, 8);
	block->id = ++w->id;
	block->sector = below(w, 64) * SECTORS_PER_CHUNK;
	block->sectors = chunks * SECTORS_PER_CHUNK;
	if (block->op == BLOCK_WRITE)
		block->sums = one_in(w, 2) ? run(w, 6, chunks) : contents(w, 6, chunks);
	block->markers = markers(w, 7, chunks);
	block->frames = frames(w, 8, chunks);
	w->issued[block->id] = (struct issued){.seq = e->seq, .chunks = chunks, .op = block->op};
}

/* Of one of the last requests. */
static void make_complete(struct world *w, struct event *e, unsigned thread)
{
	struct complete_event *complete = &e->complete;
	uint64_t id = w->id - below(w, w->id < 8 ? w->id + 1 : 8);
	struct issued *r = &w->issued[id];

	complete->id = id;
	complete->disk = one_in(w, 8);
	complete->error = one_in(w, 20) ? -5 : 0;
	if (r->op != BLOCK_READ || !r->chunks)
		return;
	if (!one_in(w, 10))
		complete->sums = contents(w, 6, r->chunks);
	complete->frames = frames(w, 8, complete->sums.count);
	r->completed = true;
}

static void make_insight(struct world *w, struct event *e, unsigned thread)
{
	static const enum call questions[] = {CALL_fstat, CALL_statx, CALL_lseek, CALL_fcntl};
	struct insight_event *insight = &e->insight;

	insight->number = call_number(ABI_LINUX64, questions[below(w, 4)]);
	insight->fd = one_in(w, 3) ? -1 : (int)below(w, 8);
	insight->path = path(w);
	insight->offset = offset(w);
	insight->device = 1;
	insight->inode = below(w, FILES);
	insight->links = below(w, 3);
	insight->size = offset(w);
	insight->mode = one_in(w, 8) ? 0010600 : 0100644;
	if (one_in(w, 4))
		insight->sums = some_sums(w, 1);
}

static void make_descriptor(struct world *w, struct event *e, unsigned thread)
{
	struct descriptor_event *descriptor = &e->descriptor;

	descriptor->fd = below(w, 8);
	descriptor->open_file = below(w, 10);
	descriptor->offset = offset(w);
	descriptor->device = 1;
	descriptor->inode = below(w, FILES);
	descriptor->links = below(w, 3);
	descriptor->flags = below(w, 4) * 01000;
	descriptor->size = offset(w);
	descriptor->path = path(w);
}

static void make_mapping(struct world *w, struct event *e, unsigned thread)
{
	struct mapping_event *mapping = &e->mapping;

	mapping->action = below(w, MAPPING_CLEANED + 1);
	mapping->frame = below(w, 16);
	mapping->address = below(w, 16) * CHUNK_BYTES;
	mapping->device = 1;
	mapping->inode = below(w, FILES);
	mapping->index = below(w, 20);
	mapping->sum = one_in(w, 2) ? w->contents[below(w, CONTENTS)] : SUM_UNKNOWN;
}

static void make_map(struct world *w, struct event *e, unsigned thread)
{
	e->map.address = below(w, 16) * CHUNK_BYTES;
	e->map.bytes = below(w, 8) * CHUNK_BYTES;
	e->map.protection = below(w, 8);
	e->map.flags = below(w, 4);
	e->map.device = 1;
	e->map.inode = below(w, FILES);
	e->map.offset = below(w, 8) * CHUNK_BYTES;
	e->map.path = path(w);
}

static void make_fork(struct world *w, struct event *e, unsigned thread)
{
	static const uint64_t flags[] = {0, 0x400, 0x100, 0x4100, 0x10f00};
	uint32_t child = 1 + below(w, PROCESSES);
	bool pids = w->flavour != PLAUSIBLE_SPACES;

	e->fork.child_pid = pids ? child : 0;
	e->fork.child_tid = pids ? 10 * child : 0;
	e->fork.child_space = one_in(w, 4) ? 0 : child << 12;
	e->fork.child_stack = below(w, 4) << 20;
	e->fork.child_fs_base = below(w, 4) << 16;
	e->fork.flags = flags[below(w, 5)];
}

static void make_exec(struct world *w, struct event *e, unsigned thread)
{
	e->exec.name = path(w);
}

static void make_gone(struct world *w, struct event *e, unsigned thread)
{
	e->gone.last_thread = below(w, 2);
}

static void make_monitor(struct world *w, struct event *e, unsigned thread)
{
	e->monitor.on = below(w, 2);
}

static void make_process(struct world *w, struct event *e, unsigned thread)
{
	e->process.parent_pid = below(w, PROCESSES + 1);
	e->process.cwd = path(w);
	e->process.executable = path(w);
}

static void make_nothing(struct world *w, struct event *e, unsigned thread)
{
}

static const struct {
	uint8_t kind, weight;
	void (*make)(struct world *w, struct event *e, unsigned thread);
} makers[] = {
	{EVENT_ENTRY, 24, make_entry},	  {EVENT_EXIT, 24, make_exit},
	{EVENT_BLOCK, 14, make_block},	  {EVENT_COMPLETE, 14, make_complete},
	{EVENT_INSIGHT, 6, make_insight}, {EVENT_DESCRIPTOR, 3, make_descriptor},
	{EVENT_MAPPING, 3, make_mapping}, {EVENT_MAP, 1, make_map},
	{EVENT_FORK, 2, make_fork},	  {EVENT_EXEC, 1, make_exec},
	{EVENT_GONE, 1, make_gone},	  {EVENT_MONITOR, 1, make_monitor},
	{EVENT_PROCESS, 2, make_process}, {EVENT_SWITCH, 3, make_nothing},
	{EVENT_MARK, 1, make_nothing},
};

#define WEIGHTS 100

static unsigned choose(struct world *w)
{
	unsigned dice = below(w, WEIGHTS), i = 0;

	while (dice >= makers[i].weight)
		dice -= makers[i++].weight;
	return i;
}

static void plausible_event(struct world *w, struct event *e)
{
	unsigned maker = choose(w), thread = below(w, THREADS);
	uint32_t process = 1 + thread / 2;

	event_init(e, makers[maker].kind);
	e->seq = w->seq + 1;
	e->time_ns = w->time_ns + (one_in(w, 30) ? below(w, 3000000000) : below(w, 1000000));
	e->space = one_in(w, 12) ? 0 : process << 12;
	e->stack = (uint64_t)thread << 24 | (one_in(w, 10) ? below(w, 4) << 8 : 0);
	e->fs_base = (uint64_t)thread << 12;
	e->vcpu = one_in(w, 4) ? VCPU_UNKNOWN : below(w, 2);
	if (w->flavour != PLAUSIBLE_SPACES) {
		e->pid = process;
		e->tid = 10 * process + thread % 2;
	}
	makers[maker].make(w, e, thread);
}

static void feed(struct world *w, struct event *e)
{
	const char *wrong = event_check(e);

	if (e->kind == EVENT_HINT)
		return;
	if (wrong) {
		w->wrong = wrong;
		return;
	}
	w->seq = e->seq;
	w->time_ns = e->time_ns > w->time_ns ? e->time_ns : w->time_ns;
	if (pipeline_feed(w->p, e, 1))
		w->wrong = "out of memory";
}

static uint32_t any_node(const struct table *table)
{
	uint32_t i = 0;

	while (!table->slot[i].node)
		i++;
	return table->slot[i].node;
}

static void end_process(struct world *w, uint32_t process)
{
	const struct process *q = PROCESS_AT(w->p, process);
	struct event e;

	event_init(&e, EVENT_GONE);
	e.seq = w->seq + 1;
	e.time_ns = w->time_ns;
	e.space = q->root;
	e.pid = q->pid;
	e.gone.last_thread = 1;
	feed(w, &e);
}

/* All processes end, also the children of calls that were never heard of; then time passes. */
static void end_all(struct world *w)
{
	for (int i = 0; w->p->by_pid.count && i < EVENTS && !w->wrong; i++)
		end_process(w, any_node(&w->p->by_pid));
	for (int i = 0; w->p->by_space.count && i < EVENTS && !w->wrong; i++)
		end_process(w, any_node(&w->p->by_space));
	for (int i = 0; i < 3 && !w->wrong; i++) {
		struct event e;

		event_init(&e, EVENT_MARK);
		e.seq = w->seq + 1;
		e.time_ns = w->time_ns + 300000000000u;
		feed(w, &e);
	}
}

/*
 * What may be left when everything has ended: frames of memory that keep their
 * identity until they are used again, and their files; what is known of disks; where there are no
 * pids, children that never were heard of, and what is theirs.
 */
static bool may_remain(const struct world *w, const char *table)
{
	static const char *const aged[] = {
		"written",  "live_sums", "remembered_sums", "by_chunk",	 "requests",  "in_flight",
		"by_start", "by_end",	 "read_chunks",	    "read_sums", "copy_sums", "copy_table"};
	static const char *const kept[] = {"frames", "by_frame", "files",    "by_identity",
					   "stored", "journals", "raw_disks"};

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (!strcmp(kept[i], table))
			return true;
	for (size_t i = 0; i < sizeof(aged) / sizeof(*aged); i++)
		if (!strcmp(aged[i], table))
			return false;
	return w->flavour == PLAUSIBLE_SPACES;
}

/* No table was ever larger than its bound; where everything ended, nothing is left. */
static void check_tables(struct world *w)
{
	json_t *statistics = pipeline_statistics(w->p), *table;
	const char *name;

	json_object_foreach (json_object_get(statistics, "tables"), name, table) {
		json_int_t bound = json_integer_value(json_object_get(table, "bound"));

		if (bound && json_integer_value(json_object_get(table, "peak")) > bound)
			w->wrong = "a table beyond its bound";
		if (w->flavour != ANYTHING && !may_remain(w, name) &&
		    json_integer_value(json_object_get(table, "entries")))
			w->wrong = "something is left when everything has ended";
		if (w->wrong) {
			printf("fuzz_pipeline: table %s\n", name);
			break;
		}
	}
	json_decref(statistics);
}

static void make_small(struct pipeline *p)
{
	p->processes.bound = p->threads.bound = p->calls.bound = 12;
	p->sets.bound = p->descriptors.bound = p->open_files.bound = p->files.bound = SMALL;
	p->submissions.bound = p->frames.bound = p->names.bound = SMALL / 2;
	p->written.bound = p->read_chunks.bound = SMALL;
	p->requests.bound = SMALL / 4;
}

static uint64_t try(uint64_t seed)
{
	struct world w = {.dice = random_events_new(seed),
			  .zeros = fnv1a_zeros(FNV1A_BASIS, CHUNK_BYTES)};
	struct pipeline_options options;
	struct event e;

	pipeline_defaults(&options);
	w.flavour = seed % FLAVOURS;
	w.p = pipeline_new(&options, take_hints, &w);
	if (!w.p)
		exit(1);
	if (w.flavour == PLAUSIBLE_CROWDED)
		make_small(w.p);
	for (int i = 0; i < CONTENTS; i++)
		w.contents[i] = random_next(w.dice);
	for (int i = 0; i < PROCESSES; i++)
		w.abi[i] = one_in(&w, 3) ? ABI_FREEBSD64 : ABI_LINUX64;
	w.dice->longest_words = 300;
	for (int i = 0; i < EVENTS && !w.wrong; i++) {
		if (w.flavour == ANYTHING)
			random_event(w.dice, &e);
		else
			plausible_event(&w, &e);
		feed(&w, &e);
	}
	if (w.flavour != ANYTHING)
		end_all(&w);
	if (!w.wrong && pipeline_finish(w.p))
		w.wrong = "out of memory";
	if (!w.wrong)
		check_tables(&w);
	if (w.wrong) {
		printf("fuzz_pipeline: seed %" PRIu64 ", event %" PRIu64 ": %s\n", seed, w.seq,
		       w.wrong);
		exit(1);
	}
	pipeline_free(w.p);
	free(w.dice);
	return w.hints;
}

int main(int argc, char **argv)
{
	uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 10) : 400;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	uint64_t hints = 0;

	for (uint64_t i = 0; i < tries; i++)
		hints += try(seed + i);
	printf("fuzz_pipeline: %" PRIu64 " tries, seed %" PRIu64 ", %" PRIu64 " hints, all well\n",
	       tries, seed, hints);
	return 0;
}
