/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pipeline remembers, and what its parts do for each other.
 *
 * An event goes to its kind's handler (pipeline.c). Calls are matched
 * (matching.c) and acted upon (calls.c), which keeps processes and descriptors
 * (process.c) and files (files.c) true and tells what was written (written.c)
 * and read (reading.c); disk requests are held against both, and every chunk
 * decided leaves as a hint (pipeline.c).
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

#include "capture/calls.h"
#include "capture/event.h"
#include "common/fnv1a.h"
#include "common/pool.h"
#include "common/table.h"
#include "sim/pipeline/pipeline.h"

#define SIZE_UNKNOWN UINT64_MAX
#define HINT_BATCH   256

/* Begins the nodes that are found by a checksum; those that share one form a ring. */
struct summed {
	uint64_t sum;
	struct link same;
};

struct file {
	uint64_t device, inode;
	uint64_t size;	  /* as the guest said last, grown by what calls did since */
	uint64_t highest; /* end of the furthest transfer since the guest said so */
	struct list written;
	uint32_t holders; /* open files, calls and requests that name it */
	uint32_t opens;	  /* those of them that keep an unlinked file alive */
	uint32_t links;
	bool links_known;
	bool identified; /* device and inode are known: it is in the table */
	bool special;	 /* a pipe, a socket, a folder: nothing of it is file data */
};

/* What open() makes and descriptors share. */
struct open_file {
	uint64_t offset; /* OFFSET_UNKNOWN where it is */
	uint64_t id;	 /* as the snapshot names it; 0 none */
	uint32_t file, holders;
	bool append;
	bool unopened;	/* it was met before its open() was */
	bool truncated; /* by its open(), of a file not known yet */
};

struct descriptor {
	uint32_t set, open_file;
	int32_t fd;
	bool close_on_exec;
	struct link of_set;
};

/* A descriptor table, which processes made with CLONE_FILES share. */
struct descriptor_set {
	struct list descriptors;
	uint32_t holders;
};

struct process {
	uint64_t space;
	uint32_t pid, set;
	struct list calls;
	/* Files that paths of the call to come name, as an insight before it told. */
	uint32_t named[2];
	uint64_t named_hash[2];
};

/* A call that has not returned. */
struct call_state {
	uint64_t argument[6];
	uint64_t seq, time_ns;
	uint64_t stack;
	uint64_t source_offset, target_offset;
	uint64_t requested;    /* bytes */
	uint64_t path_hash[2]; /* 0: no path */
	uint32_t process, tid;
	uint32_t written_chunks; /* that the entry announced */
	uint32_t written_file;	 /* of which file */
	uint32_t source, target; /* open files */
	uint32_t named[2];	 /* files that the paths name, where an insight told */
	struct link of_process;
	uint16_t vcpu;
	uint8_t abi, call;
};

enum written_state {
	WRITTEN_LIVE,	  /* the disk has not seen it yet */
	WRITTEN_REPLACED, /* rewritten since, but may be on its way */
	WRITTEN_MATCHED,  /* the disk saw it, but the page may still be dirty */
	WRITTEN_TAKEN,	  /* by the request that is being decided */
};

/* A chunk that a call wrote. Chain: the same file's and chunk's, newest first. */
struct written {
	struct summed summed;
	uint64_t index; /* OFFSET_UNKNOWN where the file offset is */
	uint64_t time_ns, call;
	struct link chunk; /* previous: newer, next: older */
	struct link of_file, by_age;
	uint32_t file;
	uint8_t state;
	bool rewritten; /* it replaced what the disk had not seen either */
};

/* A chunk that the disk delivered and no call has taken yet, or its request's others. */
struct read_chunk {
	struct summed summed;
	uint64_t index; /* in file, once taken */
	struct link of_request;
	uint32_t request, chunk, file;
	bool waiting;
};

/* A read request: in flight, then within the window, then as evidence for its neighbours. */
struct read_request {
	uint64_t id, sector, time_ns; /* of its issue, later of its completion */
	uint64_t base;		      /* file chunk of its first chunk, if it were all one file */
	struct list chunks;
	struct link queue;
	uint32_t disk, sectors;
	uint32_t waiting; /* chunks */
	uint32_t file;	  /* whose data it holds */
	bool zeros;	  /* and nothing else */
};

/* Where write requests ended, and when their last chunk had been written: the newest few. */
#define TRAILS 1024

struct trail {
	uint64_t sector, written_ns;
	uint32_t disk;
};

struct counters {
	uint64_t split_calls, lost_exits, unmatched_exits;
	uint64_t failed_writes, short_writes, unknown_descriptors;
	uint64_t chunks_written, chunks_rewritten, chunks_dropped, chunks_aged,
		chunks_matched_again;
	uint64_t chunks_without_sum;
	uint64_t reads_taken, reads_unwanted, requests_without_sums, requests_never_completed;
	uint64_t live_peak, waiting, waiting_peak;
};

struct pipeline {
	struct pipeline_options options;
	hint_sink sink;
	void *context;
	uint64_t now_ns, seq; /* of the event under way; while time passes, of the one before */
	bool evidence, out_of_memory;

	struct pool processes, sets, descriptors, open_files, files, calls, written, requests,
		read_chunks;
	struct table by_pid, by_space, by_descriptor, by_open_file_id, by_identity, by_thread;
	struct table live_sums, remembered_sums, by_chunk;
	struct table read_sums, in_flight, by_start, by_end;
	struct list live, remembered;	     /* written chunks by age */
	struct list flying, window, decided; /* read requests by time */

	uint64_t zero_sum;  /* of a chunk of zeros */
	uint64_t anchor_ns; /* when that was written which the disk got last */
	struct trail trails[TRAILS];
	uint32_t *match; /* scratch: a written chunk for each chunk of a request */
	uint32_t match_room;

	struct counters counters;
	uint32_t hint_count;
	struct event hints[HINT_BATCH];
};

#define FILE_AT(p, i)	   POOL_NODE(&(p)->files, struct file, i)
#define OPEN_FILE_AT(p, i) POOL_NODE(&(p)->open_files, struct open_file, i)
#define PROCESS_AT(p, i)   POOL_NODE(&(p)->processes, struct process, i)
#define CALL_AT(p, i)	   POOL_NODE(&(p)->calls, struct call_state, i)
#define WRITTEN_AT(p, i)   POOL_NODE(&(p)->written, struct written, i)
#define REQUEST_AT(p, i)   POOL_NODE(&(p)->requests, struct read_request, i)
#define CHUNK_AT(p, i)	   POOL_NODE(&(p)->read_chunks, struct read_chunk, i)

/* A new node, or 0 with out_of_memory set. */
static inline uint32_t take_node(struct pipeline *p, struct pool *pool)
{
	uint32_t node = pool_take(pool);

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

static inline uint64_t text_hash(const struct text *text)
{
	return text->count ? fnv1a_update(FNV1A_BASIS, text->at, text->count) : 0;
}

/* The oldest node with the sum, or 0. */
uint32_t sums_find(const struct table *table, const struct pool *pool, uint64_t sum);
int sums_add(struct pipeline *p, struct table *table, const struct pool *pool, uint32_t node);
void sums_remove(struct table *table, const struct pool *pool, uint32_t node);

/* The process that an event is about; made where it is new; 0 if out of memory. */
uint32_t process_of(struct pipeline *p, const struct event *event);
void process_gone(struct pipeline *p, uint32_t process);
void process_forked(struct pipeline *p, const struct event *event);
void process_executed(struct pipeline *p, const struct event *event);
/* Forgets what insights told of paths. */
void process_forget_names(struct pipeline *p, uint32_t process);

/* The open file behind a descriptor, or 0. */
uint32_t descriptor_find(struct pipeline *p, uint32_t process, int32_t fd);
/* Lets fd name an open file, whatever it named before. */
void descriptor_set(struct pipeline *p, uint32_t process, int32_t fd, uint32_t open_file,
		    bool close_on_exec);
void descriptor_mark(struct pipeline *p, uint32_t process, int32_t fd, bool close_on_exec);
void descriptor_close(struct pipeline *p, uint32_t process, int32_t fd);
/* Closes all from first to last, or marks them; unshares the table first if told to. */
void descriptor_range(struct pipeline *p, uint32_t process, uint32_t first, uint32_t last,
		      bool unshare, bool mark_only);

/* The file of that identity, known or new; held by nobody yet. */
uint32_t file_of(struct pipeline *p, uint64_t device, uint64_t inode);
uint32_t file_unnamed(struct pipeline *p);
uint32_t file_hold(struct pipeline *p, uint32_t file);
void file_release(struct pipeline *p, uint32_t file);
/* Frees the file if nothing names it any more. */
void file_settle(struct pipeline *p, uint32_t file);
/* The size that is known for certain to have been reached, or SIZE_UNKNOWN. */
uint64_t file_size(const struct file *file);
void file_learn(struct pipeline *p, uint32_t file, uint64_t size, uint64_t links, uint32_t mode);
void file_reached(struct pipeline *p, uint32_t file, uint64_t end);
/* The chunk that the new end lies in changes too, unless it is known what it holds now. */
void file_truncated(struct pipeline *p, uint32_t file, uint64_t size, bool end_known);
/* A name of it is gone; it goes too when that was the last and nobody has it open. */
void file_unlinked(struct pipeline *p, uint32_t file);

/* Takes over nothing: the new open file is held by nobody yet. */
uint32_t open_file_new(struct pipeline *p, uint32_t file);
uint32_t open_file_hold(struct pipeline *p, uint32_t open_file);
void open_file_release(struct pipeline *p, uint32_t open_file);
uint32_t open_file_by_id(struct pipeline *p, uint64_t id);
void open_file_name(struct pipeline *p, uint32_t open_file, uint64_t id);
/* Lets an open file, so far of a file unknown, be of this one. */
void open_file_identify(struct pipeline *p, uint32_t open_file, uint64_t device, uint64_t inode);

void call_entered(struct pipeline *p, const struct event *event);
void call_returned(struct pipeline *p, const struct event *event);
/* The call that the event's thread is in, or 0. */
uint32_t call_of(struct pipeline *p, const struct event *event);
/* The call will never return. */
void call_abandon(struct pipeline *p, uint32_t call);
void calls_of_process_abandon(struct pipeline *p, uint32_t process);

void call_begin(struct pipeline *p, struct call_state *call, const struct event *event);
void call_end(struct pipeline *p, struct call_state *call, const struct event *event);
/* A call of the recorder's own told something of a descriptor or a path. */
void insight_gained(struct pipeline *p, const struct event *event);
/* A descriptor that a process had when its monitoring began. */
void descriptor_snapshot(struct pipeline *p, const struct event *event);

void written_add(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums,
		 uint64_t call);
/* Takes back what the call announced for chunks [from, until). */
void written_undo(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until, uint64_t call);
/* Chunks [from, until) of the file no longer go to the disk. */
void written_drop(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until);
/* One chunk changed otherwise than by a write: what it holds now nobody knows. */
void written_blur(struct pipeline *p, uint32_t file, uint64_t index);
void written_expire(struct pipeline *p);
/* A write request is issued: decides all its chunks. */
void written_to_disk(struct pipeline *p, const struct event *block);

void read_issued(struct pipeline *p, const struct event *block);
void read_completed(struct pipeline *p, const struct event *complete);
/* A call took these chunks of the file (0: unknown). */
void read_taken(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums);
/* Decides all requests whose window closed by then. */
void read_expire(struct pipeline *p, uint64_t until_ns);
void read_finish(struct pipeline *p);

uint8_t size_class(const struct pipeline_options *options, uint64_t size);

/* Hands out a hint; file 0 where none is known. Its time is now_ns. */
void hint_data(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk,
	       enum chunk_class what, enum hint_reason reason, uint32_t file, uint64_t index);
void hint_metadata(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk);

#endif
