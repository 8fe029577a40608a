/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pipeline remembers. Each part has a header of its own for what it
 * remembers and does for the others; this one holds all of it together.
 *
 * An event goes to its kind's handler (pipeline.c). Calls are matched
 * (matching.c) and acted upon (calls.c), which keeps processes and descriptors
 * (process.c) and files (files.c) true and tells what was written (written.c)
 * and read (reading.c); disk requests are held against both (writing.c,
 * reading.c), and every chunk decided leaves as a hint (hints.c).
 *
 * All nodes live in pools and are named by numbers, 0 meaning none; whoever
 * holds a counted node gives it back. Nothing here grows with the length of
 * the trace: an entry goes with the descriptor, file, call or request that it
 * is about, or when it is old.
 */
#ifndef SKY_PIPELINE_STATE_H
#define SKY_PIPELINE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "common/fnv1a.h"
#include "common/pool.h"
#include "common/table.h"
#include "sim/pipeline/application.h"
#include "sim/pipeline/copying.h"
#include "sim/pipeline/journal.h"
#include "sim/pipeline/observer.h"
#include "sim/pipeline/pipeline.h"
#include "sim/pipeline/traffic.h"
#include "sim/pipeline/written.h"

struct counters {
	uint64_t split_calls, fallback_lookups, thread_switches, nested_calls, restarted_calls,
		first_returns, lost_exits, unmatched_exits;
	uint64_t failed_writes, short_writes, unknown_descriptors;
	uint64_t chunks_written, chunks_rewritten, chunks_dropped, chunks_aged,
		chunks_matched_again;
	uint64_t chunks_without_sum;
	uint64_t reads_taken, reads_unwanted, requests_without_sums, requests_never_completed;
	uint64_t live_peak, waiting, waiting_peak;
	uint64_t copy_sums_forgotten, stored_forgotten, clones, journal_chunks, chunks_unselected;
	uint64_t chunks_given_up, reads_given_up, calls_given_up;
	uint64_t threads_given_up, processes_given_up;
	uint64_t completions_unseen, completions_unknown, processes_with_sqpoll;
	uint64_t chunks_classed, class_out_of_range, class_in_handler;
};

struct pipeline {
	struct pipeline_options options;
	uint64_t now_ns, seq; /* of the event under way; while time passes, of the one before */
	bool evidence, out_of_memory;
	bool blind;	   /* the recorder says that it left calls out */
	uint64_t zero_sum; /* of a chunk of zeros */
	struct origin origin;
	uint32_t bound_hand; /* where the next call or process to make room is looked for */
	struct counters counters;
	struct hint_batch hints;

	/* Who an event is about: process.c, identity.c. */
	struct pool processes, sets, descriptors, threads;
	struct table by_pid, by_space, by_descriptor, by_thread, by_tid;
	struct list awaited; /* children that did not return yet from the call that made them */
	bool one_root;	     /* KPTI is off: bit 12 of an address space is part of its address */

	/* What it asks for: matching.c, asynchronous.c. */
	struct pool calls, submissions;
	struct table by_request;
	struct list changing; /* calls out that make processes or execute programs */
	uint32_t *current;    /* a virtual CPU: the call that is current there */
	uint32_t vcpus;
	uint64_t submissions_made;

	/* Files and their names: files.c, areas.c, selection.c. */
	struct pool files, open_files, areas, names, folders;
	struct table by_identity, by_open_file_id;
	struct list all_names;
	uint32_t only; /* the name of the folder whose files are selected */

	/* Content on its way to the disk: written.c, writing.c. */
	struct pool written;
	struct table live_sums, remembered_sums, by_chunk;
	struct list live, remembered, dropped; /* written chunks by age */
	uint64_t anchor_ns;		       /* when that was written which the disk got last */
	struct trail trails[TRAILS];
	uint32_t *match; /* scratch: a written chunk for each chunk of a request */
	bool *logged;	 /* scratch: whether it is the journal's */
	uint32_t match_room;

	/* Content from the disk: reading.c, mapped.c, stored.c. */
	struct pool requests, read_chunks, frames;
	struct table read_sums, in_flight, by_start, by_end, by_frame;
	struct list flying, window, decided; /* read requests by time */
	struct list frames_by_age;
	struct stored *stored; /* STORED_MAX slots */
	uint32_t stored_count, stored_peak;

	/* What is known of content: copying.c, application.c, journal.c. */
	struct pool copy_sums;
	struct table copy_table;
	struct list copied_last;
	uint32_t raw_disks
		[RAW_DISKS_MAX]; /* files; not held: one that is gone has nothing written */
	uint32_t raw_count;	 /* ever */
	struct journal journals[JOURNALS_MAX];
	uint32_t journal_count;

	/* Who looks; NULL: nobody (observer.c, traffic.c). */
	const struct file_observer *observer;
	void *observer_context;
	const struct traffic_watcher *watcher;
	void *watcher_context;
};

/* A new node, or 0: the pool is at its bound, or else out_of_memory is set. */
static inline uint32_t take_node(struct pipeline *p, struct pool *pool)
{
	uint32_t node;

	if (pool_refuses(pool))
		return 0;
	node = pool_take(pool);
	p->out_of_memory |= !node;
	return node;
}

static inline int add_node(struct pipeline *p, struct table *table, uint32_t hash, uint32_t node)
{
	if (!table_add(table, hash, node))
		return 0;
	p->out_of_memory = true;
	return -1;
}

static inline uint64_t chunk_after(uint64_t offset)
{
	return offset / CHUNK_BYTES + (offset % CHUNK_BYTES != 0);
}

static inline uint64_t text_hash(const struct text *text)
{
	return text->count ? fnv1a_update(FNV1A_BASIS, text->at, text->count) : 0;
}

/* Before an event: makes room where a pool comes near its bound. */
void bounds_keep(struct pipeline *p);

#endif
