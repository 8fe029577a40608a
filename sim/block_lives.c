/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file is a set of runs of living chunks. Whatever happens to it takes a range
 * out of that set, tells the sink what ended, and may put something else there.
 *
 * A file that nobody ever told of is met when it is first named: what it holds
 * by its size was there before. So files are remembered until they are deleted,
 * also those that hold nothing.
 */
#include <stdlib.h>

#include "capture/event.h"
#include "common/table.h"
#include "sim/block_lives.h"

/* No file has a chunk behind these: offsets have 64 bits. */
#define FILE_CHUNKS_MAX (UINT64_MAX / CHUNK_BYTES + 1)

struct file {
	uint64_t device, inode;
	uint32_t living; /* set of runs */
};

struct block_lives {
	life_sink sink;
	void *context;
	struct chunk_runs runs;
	struct pool files;
	struct table by_identity;
	struct life_counts counts[LIFE_KINDS];
	uint64_t unplaced_bytes;
	bool out_of_memory;
};

#define FILE_AT(l, i) POOL_NODE(&(l)->files, struct file, i)

struct block_lives *block_lives_new(life_sink sink, void *context)
{
	struct block_lives *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->sink = sink;
	l->context = context;
	pool_init(&l->files, sizeof(struct file));
	if (!chunk_runs_init(&l->runs) && !table_init(&l->by_identity))
		return l;
	block_lives_free(l);
	return NULL;
}

void block_lives_free(struct block_lives *l)
{
	if (!l)
		return;
	chunk_runs_fini(&l->runs);
	pool_fini(&l->files);
	table_fini(&l->by_identity);
	free(l);
}

uint32_t block_lives_number(const struct block_lives *l, uint64_t device, uint64_t inode)
{
	uint32_t file;

	table_for_each(&l->by_identity, hash_words(device, inode), at, file)
	{
		if (FILE_AT(l, file)->inode == inode && FILE_AT(l, file)->device == device)
			return file;
	}
	return 0;
}

static uint32_t find(const struct block_lives *l, const struct observed *o)
{
	return block_lives_number(l, o->device, o->inode);
}

/* 0 if out of memory. */
static uint32_t new_file(struct block_lives *l, const struct observed *o)
{
	uint32_t file = pool_take(&l->files);

	if (!file || table_add(&l->by_identity, hash_words(o->device, o->inode), file)) {
		l->out_of_memory = true;
		return 0;
	}
	FILE_AT(l, file)->device = o->device;
	FILE_AT(l, file)->inode = o->inode;
	return file;
}

/* Blocks that end, why and when; where they go on with new content, in which set. */
struct ending {
	struct block_lives *lives;
	uint32_t *set;
	uint64_t time_ns;
	uint64_t written_ns; /* of a discard */
	enum life_end end;
};

static void end_run(void *context, const struct chunk_run *run)
{
	const struct ending *e = context;
	struct life_counts *counts = &e->lives->counts[run->kind];
	struct life life = {.chunks = run->until - run->from, .end = e->end, .kind = run->kind};

	if (run->time_ns == BORN_UNKNOWN) {
		counts->ended_found += life.chunks;
		return;
	}
	life.lifetime_ns = e->time_ns > run->time_ns ? e->time_ns - run->time_ns : 0;
	counts->ended[e->end] += life.chunks;
	e->lives->sink(e->lives->context, &life);
}

static void begin_run(struct block_lives *l, uint32_t *set, const struct chunk_run *run)
{
	l->counts[run->kind].born += run->until - run->from;
	chunk_runs_add(&l->runs, set, run);
}

static void end_range(struct block_lives *l, const struct observed *o, uint32_t file, uint64_t from,
		      uint64_t until, enum life_end end)
{
	struct ending e = {.lives = l, .time_ns = o->time_ns, .end = end};
	uint32_t taken = chunk_runs_take(&l->runs, &FILE_AT(l, file)->living, from, until);

	chunk_runs_visit(&l->runs, taken, end_run, &e);
	chunk_runs_drop(&l->runs, taken);
}

void block_lives_write(struct block_lives *l, const struct observed *o, struct chunk_run run)
{
	uint32_t file = find(l, o);

	if (run.until <= run.from)
		return;
	file = file ? file : new_file(l, o);
	if (!file)
		return;
	end_range(l, o, file, run.from, run.until, LIFE_OVERWRITTEN);
	run.time_ns = o->time_ns;
	begin_run(l, &FILE_AT(l, file)->living, &run);
}

static void wrote(void *context, const struct observed *o, uint64_t from, uint64_t until)
{
	block_lives_write(context, o, (struct chunk_run){.from = from, .until = until});
}

/* Where a chunk lives already, another call that was under way was faster, or it held the end. */
static void extended(void *context, const struct observed *o, uint64_t from, uint64_t until)
{
	struct chunk_run run = {.from = from, .until = until, .time_ns = o->time_ns};
	struct block_lives *l = context;
	uint32_t file = find(l, o), *living;

	file = file ? file : new_file(l, o);
	if (!file)
		return;
	living = &FILE_AT(l, file)->living;
	while (chunk_runs_gap(&l->runs, *living, &run.from, &run.until)) {
		begin_run(l, living, &run);
		run = (struct chunk_run){.from = run.until, .until = until, .time_ns = o->time_ns};
	}
}

static void sized(void *context, const struct observed *o, uint64_t chunks)
{
	const struct chunk_run run = {.until = chunks, .time_ns = BORN_UNKNOWN};
	struct block_lives *l = context;
	uint32_t file = find(l, o);

	if (file)
		return;
	file = new_file(l, o);
	if (file && chunks)
		chunk_runs_add(&l->runs, &FILE_AT(l, file)->living, &run);
}

static void rewrite_run(void *context, const struct chunk_run *run)
{
	const struct ending *e = context;
	struct chunk_run again = *run;

	end_run(context, run);
	again.time_ns = e->time_ns;
	begin_run(e->lives, e->set, &again);
}

static void changed(void *context, const struct observed *o, uint64_t from, uint64_t until)
{
	struct block_lives *l = context;
	uint32_t file = find(l, o), taken;
	struct ending e = {.lives = l, .time_ns = o->time_ns, .end = LIFE_OVERWRITTEN};

	if (!file)
		return;
	e.set = &FILE_AT(l, file)->living;
	taken = chunk_runs_take(&l->runs, e.set, from, until);
	chunk_runs_visit(&l->runs, taken, rewrite_run, &e);
	chunk_runs_drop(&l->runs, taken);
}

static void cut(void *context, const struct observed *o, uint64_t from, uint64_t until)
{
	struct block_lives *l = context;
	uint32_t file = find(l, o);

	if (file)
		end_range(l, o, file, from, until, LIFE_CUT);
}

/* Chunks from one on move by that many, upwards or (mod 2^64) downwards. */
static void move(struct block_lives *l, uint32_t file, uint64_t from, uint64_t by)
{
	uint32_t moved = chunk_runs_take(&l->runs, &FILE_AT(l, file)->living, from, UINT64_MAX);

	chunk_runs_shift(&l->runs, moved, by);
	chunk_runs_append(&l->runs, &FILE_AT(l, file)->living, moved);
}

static void inserted(void *context, const struct observed *o, uint64_t from, uint64_t chunks)
{
	uint64_t kept = chunks < FILE_CHUNKS_MAX ? FILE_CHUNKS_MAX - chunks : 0;
	struct block_lives *l = context;
	uint32_t file = find(l, o);

	if (!file)
		return;
	end_range(l, o, file, kept > from ? kept : from, UINT64_MAX, LIFE_CUT);
	move(l, file, from, chunks);
}

static void collapsed(void *context, const struct observed *o, uint64_t from, uint64_t chunks)
{
	struct block_lives *l = context;
	uint32_t file = find(l, o);

	if (!file)
		return;
	end_range(l, o, file, from, from + chunks, LIFE_CUT);
	move(l, file, from + chunks, -chunks);
}

/* Whoever still has its number finds it empty, or another file whose blocks are younger. */
static void gone(void *context, const struct observed *o)
{
	struct block_lives *l = context;
	uint32_t file = find(l, o);

	if (!file)
		return;
	end_range(l, o, file, 0, UINT64_MAX, LIFE_DELETED);
	table_remove(&l->by_identity, hash_words(o->device, o->inode), file);
	pool_give(&l->files, file);
}

static void unplaced(void *context, uint64_t bytes)
{
	struct block_lives *l = context;

	l->unplaced_bytes += bytes;
}

const struct file_observer block_lives_observer = {
	.sized = sized,
	.wrote = wrote,
	.extended = extended,
	.changed = changed,
	.cut = cut,
	.inserted = inserted,
	.collapsed = collapsed,
	.gone = gone,
	.unplaced = unplaced,
};

static void discard_run(void *context, const struct chunk_run *run)
{
	const struct ending *e = context;

	if (run->time_ns <= e->written_ns)
		end_run(context, run);
	else
		chunk_runs_add(&e->lives->runs, e->set, run);
}

void block_lives_discard(struct block_lives *l, uint32_t number, uint64_t from, uint64_t until,
			 uint64_t written_ns, uint64_t now_ns)
{
	struct ending e = {.lives = l,
			   .set = &FILE_AT(l, number)->living,
			   .time_ns = now_ns,
			   .written_ns = written_ns,
			   .end = LIFE_DISCARDED};
	uint32_t taken = chunk_runs_take(&l->runs, e.set, from, until);

	chunk_runs_visit(&l->runs, taken, discard_run, &e);
	chunk_runs_drop(&l->runs, taken);
}

void block_lives_visit(struct block_lives *l, const struct observed *o, uint64_t from,
		       uint64_t until, void (*visit)(void *context, const struct chunk_run *run),
		       void *context)
{
	uint32_t file = find(l, o), *set = file ? &FILE_AT(l, file)->living : NULL;
	uint32_t wanted, after;

	if (!set)
		return;
	after = chunk_runs_take(&l->runs, set, until, UINT64_MAX);
	wanted = chunk_runs_take(&l->runs, set, from, until);
	chunk_runs_visit(&l->runs, wanted, visit, context);
	chunk_runs_append(&l->runs, set, wanted);
	chunk_runs_append(&l->runs, set, after);
}

const struct life_counts *block_lives_counts(const struct block_lives *l, unsigned kind)
{
	return &l->counts[kind];
}

uint64_t block_lives_unplaced(const struct block_lives *l)
{
	return l->unplaced_bytes;
}

static uint64_t pool_bytes(const struct pool *pool)
{
	return ((uint64_t)pool->blocks << POOL_SHIFT) * pool->node_bytes;
}

uint64_t block_lives_bytes(const struct block_lives *l)
{
	return pool_bytes(&l->runs.pool) + pool_bytes(&l->files) +
	       (l->by_identity.mask + 1ull) * sizeof(*l->by_identity.slot);
}

bool block_lives_failed(const struct block_lives *l)
{
	return l->out_of_memory || l->runs.out_of_memory;
}
