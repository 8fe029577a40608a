/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which chunks of which files live, since when, and what ends them (paper, 6.2).
 *
 * A block is a chunk of a file (or of a disk) with the content of one write. Its
 * life begins with the write and ends when any of it is written again, cut off,
 * or goes with its file. It is fed by the pipeline as its observer, or directly
 * where disks stand for files.
 */
#ifndef SKY_BLOCK_LIVES_H
#define SKY_BLOCK_LIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/chunk_runs.h"
#include "sim/pipeline/observer.h"

enum life_end {
	LIFE_OVERWRITTEN,
	LIFE_CUT, /* truncated, or made a hole */
	LIFE_DELETED,
	LIFE_DISCARDED, /* the file system gave its place back */
	LIFE_ENDS
};

/* Blocks may be of two kinds, which are counted apart; files' are all of the first. */
#define LIFE_KINDS 2

/* Born before anybody looked. */
#define BORN_UNKNOWN UINT64_MAX

struct life_counts {
	uint64_t born, ended[LIFE_ENDS];
	uint64_t ended_found; /* born before anybody looked: how old they were is not known */
};

/* So many blocks, which had all been written at once, ended together. */
struct life {
	uint64_t chunks, lifetime_ns;
	enum life_end end;
	uint8_t kind;
};

typedef void (*life_sink)(void *context, const struct life *life);

struct block_lives;

/* NULL if out of memory. The sink is not told of blocks that were born before anybody looked. */
struct block_lives *block_lives_new(life_sink sink, void *context);
void block_lives_free(struct block_lives *lives);

/* The context is the struct block_lives. */
extern const struct file_observer block_lives_observer;

/* Chunks are written, with the run's base, file and kind remembered; its time is file->time_ns. */
void block_lives_write(struct block_lives *lives, const struct observed *file,
		       struct chunk_run run);

/* A file's number, for struct chunk_run; 0 where it has none. Later it may be another file's. */
uint32_t block_lives_number(const struct block_lives *lives, uint64_t device, uint64_t inode);

/*
 * The place was given back in which the disk had chunks [from, until) of that
 * file since written_ns: those that have not been written again since then end.
 */
void block_lives_discard(struct block_lives *lives, uint32_t number, uint64_t from, uint64_t until,
			 uint64_t written_ns, uint64_t now_ns);

/* The runs of a file, cut to that range, in order. */
void block_lives_visit(struct block_lives *lives, const struct observed *file, uint64_t from,
		       uint64_t until, void (*visit)(void *context, const struct chunk_run *run),
		       void *context);

const struct life_counts *block_lives_counts(const struct block_lives *lives, unsigned kind);
/* Bytes that were written nobody knows where to. */
uint64_t block_lives_unplaced(const struct block_lives *lives);
/* What its tables took at their largest. */
uint64_t block_lives_bytes(const struct block_lives *lives);
/* Memory is out: nothing that it says holds any more. */
bool block_lives_failed(const struct block_lives *lives);

#endif
