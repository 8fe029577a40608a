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
#include "sim/pipeline/observer.h"
#include "sim/pipeline/pipeline.h"
#include "sim/pipeline/traffic.h"

#define SIZE_UNKNOWN UINT64_MAX

/* Begins the nodes that are found by a checksum; those that share one form a ring. */
struct summed {
	uint64_t sum;
	struct link same;
};

/* What a file's names tell. */
#define NAME_SELECTED  (1u << 0) /* below the path that was asked for */
#define NAME_ENCRYPTED (1u << 1) /* by its extension */

/* A growing file changes its class at most that often before it is in the last. */
#define CLASS_CHANGES 4

struct class_change {
	uint64_t time_ns;
	uint8_t before;
};

struct file {
	uint64_t device, inode;
	uint64_t size;	  /* as the guest said last, grown by what calls did since */
	uint64_t highest; /* end of the furthest transfer since the guest said so */
	uint64_t empty_ns; /* when a descriptor told last that it is empty and has a name */
	struct list written;
	uint32_t holders; /* open files, calls and requests that name it */
	uint32_t opens;	  /* those of them that keep an unlinked file alive, and mappings */
	uint32_t links;
	uint8_t names;	  /* NAME_ of those that it was met under */
	uint8_t io_class; /* by its size now */
	struct class_change past[CLASS_CHANGES]; /* newest first */
	bool copied;				 /* what was written to it is a copy */
	bool links_known;
	bool identified; /* device and inode are known: it is in the table */
	bool special;	 /* a pipe, a socket, a folder: nothing of it is file data */
	bool raw;	 /* a block device: its chunks are where they say on a disk */
};

/* What open() makes and descriptors share. */
struct open_file {
	uint64_t offset; /* OFFSET_UNKNOWN where it is */
	uint64_t id;	 /* as the snapshot names it; 0 none */
	uint32_t file, holders;
	uint32_t name; /* its full path, where files are selected */
	uint8_t names; /* NAME_ of the path that it was opened by */
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

/* Part of a process's address space that shows a file. */
struct area {
	uint64_t from, until;
	uint32_t file;
	struct link of_process;
};

struct process {
	uint64_t space; /* canonical */
	uint64_t root;	/* as it was seen last */
	uint32_t pid, set;
	struct list calls, threads;
	uint32_t stacks; /* threads whose stacks are known */
	/* Runs in the address space of another, or lends it: a chain from its owner on. */
	uint32_t lender, borrower;
	uint64_t fs_base, stack; /* at its first return, where that is awaited; or as a borrower */
	uint32_t made_by;	 /* call, still out */
	bool awaited;
	struct link of_awaited;
	struct list submissions; /* asynchronous requests under way */
	struct list areas;
	bool polled;		 /* it has io_uring with SQPOLL: not covered */
	/* Files that paths of the call to come name, as an insight before it told. */
	uint32_t named[2];
	uint64_t named_hash[2];
	uint32_t folder; /* the working one; 0 not known */
	uint8_t copies_matched;
	bool copies, encrypts; /* its executable does */
};

/* A path that somebody needs. */
struct name {
	char *text;
	uint32_t bytes, holders;
	struct link all;
};

/* A working folder, which processes made with CLONE_FS share. */
struct folder {
	uint32_t name, holders;
};

/* What a copying program read: at most so many, the newest (256 MiB of content). */
#define COPY_SUMS_MAX 65536u

struct copy_sum {
	uint64_t sum, time_ns;
	uint64_t reader_space; /* canonical */
	uint32_t reader_pid;
	struct link by_age;
};

/* Who moves data, while an event is handled. */
struct origin {
	uint32_t process;
	uint64_t since_ns; /* when the call was made; 0: it is none */
	bool in_kernel; /* from file to file */
	bool classed;	/* by the application, as: */
	uint8_t io_class;
};

/* What is known of where written content came from. */
enum content_origin { ORIGIN_PROGRAM, ORIGIN_COPY, ORIGIN_ENCRYPTION };

/* Disks without a file system that programs give classes for; the last few. */
#define RAW_DISKS_MAX 16

/* How far a disk's journal is; the first few disks that have one. */
#define JOURNALS_MAX 16

struct journal {
	uint64_t head;	/* sector where it goes on */
	uint64_t first; /* sector where it begins, once its superblock was seen; 0 unknown */
	uint64_t left;	/* chunks of an XFS record to come */
	uint32_t disk;
	bool in_transaction; /* jbd2: between descriptor and commit */
	bool in_record;	     /* XFS: within the request that began it */
};

/* By tid, by FS base, by the stack that it was made with, or else only while it is in a call. */
struct thread {
	uint64_t fs_base;
	uint64_t stack_top; /* 0 unknown */
	uint64_t stack;	    /* pointer of its call, where nothing else is known */
	uint32_t process, tid;
	uint32_t call; /* the innermost that it is in */
	/* Of the call with a class that a signal ended; 0 arguments: none (application.c). */
	uint64_t classed_stack;
	uint8_t classed_arguments, classed_as;
	struct link of_process;
};

/* A call that has not returned. */
struct call_state {
	uint64_t argument[6];
	uint64_t seq, time_ns;
	uint64_t stack, fs_base;
	uint64_t content; /* the first checksum that its entry told */
	uint64_t source_offset, target_offset;
	uint64_t requested;    /* bytes */
	uint64_t size_before;  /* of the target */
	uint64_t path_hash[2]; /* 0: no path */
	uint32_t process, thread;
	uint32_t outer;		 /* the thread's call that a signal interrupted for this one */
	uint32_t number;	 /* as it was made; call: what it meant */
	uint32_t child;		 /* process that it made, while both last */
	uint32_t written_chunks; /* that the entry announced */
	uint32_t written_file;	 /* of which file */
	uint32_t source, target; /* open files */
	uint32_t named[2];	 /* files that the paths name, where an insight told */
	uint32_t name;		 /* the first path in full, where files are selected */
	uint8_t names[2];	 /* NAME_ of the paths */
	struct link of_process;
	uint32_t submitted; /* asynchronous requests that it handed over */
	/* Of a child, where the call keeps them in memory (clone3) and a fork event told. */
	uint64_t told_flags, told_stack, told_fs_base;
	struct link of_changing; /* calls that make processes or execute programs */
	uint16_t vcpu;
	uint8_t abi, call;
	uint8_t given; /* the class that the application gave, or CLASS_UNDECIDED */
	bool parked;	 /* its virtual CPU turned to something else */
	bool child_told; /* by a fork event or a first return */
	bool executed;	 /* an exec event told so */
	bool polled; /* it sets up io_uring with SQPOLL */
};

/* What is said to be written, before it is known how far it went. */
struct announcement {
	uint64_t offset, requested; /* bytes */
	uint64_t size_before;	    /* of the file */
	uint64_t call;		    /* under this number */
	uint32_t file, chunks;
};

/* An asynchronous request under way. */
struct submission {
	struct summed summed; /* by process and id */
	uint64_t id, context, submitted_by;
	struct announcement announced;
	struct link of_process;
	uint32_t process, open_file;
	uint32_t ordinal; /* among those of its call */
	bool writes;
	bool moves; /* the position of its open file */
};

enum written_state {
	WRITTEN_LIVE,	  /* the disk has not seen it yet */
	WRITTEN_REPLACED, /* rewritten since, but may be on its way */
	WRITTEN_MATCHED,  /* the disk saw it, but the page may still be dirty */
	WRITTEN_DROPPED,  /* cut off or unlinked, but may be on its way */
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
	uint8_t state, origin;
	uint8_t given; /* the class that the application gave, or CLASS_UNDECIDED */
	bool rewritten; /* it replaced what the disk had not seen either */
	bool apart;	/* dropped: in no chain, not of its file's list, but it holds the file */
};

/* A chunk that the disk delivered and no call has taken yet, or its request's others. */
struct read_chunk {
	struct summed summed;
	uint64_t index; /* in file, once taken */
	struct link of_request;
	uint32_t request, chunk, file;
	uint32_t frame; /* that it lies in, while it waits; 0: not known */
	bool waiting;
};

/* A host frame that is a page of a mapped file, or may become one. */
struct frame {
	uint64_t number, index; /* of the page in the file */
	struct link by_age;
	uint32_t file;	/* 0: it is no page of a file, as far as is known */
	uint32_t chunk; /* that the disk put there and that waits; 0: none */
	uint32_t maps;	/* page tables that have it */
};

/* A read request: in flight, then within the window, then as evidence for its neighbours. */
struct read_request {
	uint64_t id, sector, time_ns; /* of its issue, later of its completion */
	uint64_t issued_ns;
	uint64_t base; /* file chunk of its first chunk, if it were all one file */
	uint64_t taker_ns, taken_ns; /* when the first call that took of it began, and took it */
	struct list chunks;
	struct link queue;
	uint32_t disk, sectors;
	uint32_t waiting; /* chunks */
	uint32_t file;	  /* whose data it holds */
	bool zeros;	  /* and nothing else */
};

/* Where write requests ended, with which chunk of which file, written when: the newest few. */
#define TRAILS 1024

struct trail {
	uint64_t sector, written_ns, index;
	uint32_t disk, file; /* 0: the last chunk was no file's */
};

struct counters {
	uint64_t split_calls, fallback_lookups, thread_switches, nested_calls, restarted_calls,
		first_returns, lost_exits, unmatched_exits;
	uint64_t failed_writes, short_writes, unknown_descriptors;
	uint64_t chunks_written, chunks_rewritten, chunks_dropped, chunks_aged,
		chunks_matched_again;
	uint64_t chunks_without_sum;
	uint64_t reads_taken, reads_unwanted, requests_without_sums, requests_never_completed;
	uint64_t live_peak, waiting, waiting_peak;
	uint64_t copy_sums_forgotten, clones, journal_chunks, chunks_unselected;
	uint64_t chunks_given_up, reads_given_up, calls_given_up;
	uint64_t threads_given_up, processes_given_up;
	uint64_t completions_unseen, completions_unknown, processes_with_sqpoll;
	uint64_t chunks_classed, class_out_of_range, class_in_handler;
};

struct pipeline {
	struct pipeline_options options;
	uint64_t now_ns, seq; /* of the event under way; while time passes, of the one before */
	bool evidence, out_of_memory;
	bool blind; /* the recorder says that it left calls out */

	struct pool processes, sets, descriptors, open_files, files, calls, written, requests,
		read_chunks;
	struct pool threads;
	struct table by_tid;
	struct list changing; /* calls out that make processes or execute programs */
	struct list awaited;  /* children that did not return yet from the call that made them */
	uint32_t *current;    /* a virtual CPU: the call that is current there */
	uint32_t vcpus;
	bool one_root; /* KPTI is off: bit 12 of an address space is part of its address */
	struct table by_pid, by_space, by_descriptor, by_open_file_id, by_identity, by_thread;
	struct table live_sums, remembered_sums, by_chunk;
	struct pool frames, areas;
	struct table by_frame;
	struct list frames_by_age;
	struct pool submissions;
	struct table by_request;
	uint64_t submissions_made;
	struct table read_sums, in_flight, by_start, by_end;
	struct list live, remembered, dropped; /* written chunks by age */
	struct list flying, window, decided; /* read requests by time */

	uint64_t zero_sum;  /* of a chunk of zeros */
	uint64_t anchor_ns; /* when that was written which the disk got last */
	struct trail trails[TRAILS];
	struct pool names, folders, copy_sums;
	struct table copy_table;
	struct list all_names, copied_last;
	uint32_t only; /* the name of the folder whose files are selected */
	struct origin origin;
	struct journal journals[JOURNALS_MAX];
	uint32_t raw_disks[RAW_DISKS_MAX]; /* files; not held: one that is gone has nothing written */
	uint32_t raw_count;		   /* ever */
	uint32_t journal_count;

	uint32_t *match; /* scratch: a written chunk for each chunk of a request */
	bool *logged;	 /* scratch: whether it is the journal's */
	uint32_t match_room;

	const struct traffic_watcher *watcher; /* NULL: nobody watches */
	void *watcher_context;

	struct counters counters;
	uint32_t bound_hand; /* where the next call or process to make room is looked for */
	struct hint_batch hints;
	const struct file_observer *observer; /* NULL: nobody looks */
	void *observer_context;
};

#define FILE_AT(p, i)	   POOL_NODE(&(p)->files, struct file, i)
#define OPEN_FILE_AT(p, i) POOL_NODE(&(p)->open_files, struct open_file, i)
#define PROCESS_AT(p, i)   POOL_NODE(&(p)->processes, struct process, i)
#define THREAD_AT(p, i)	   POOL_NODE(&(p)->threads, struct thread, i)
#define FOLDER_AT(p, i)	   POOL_NODE(&(p)->folders, struct folder, i)
#define CALL_AT(p, i)	   POOL_NODE(&(p)->calls, struct call_state, i)
#define FRAME_AT(p, i)	   POOL_NODE(&(p)->frames, struct frame, i)
#define SUBMISSION_AT(p, i) POOL_NODE(&(p)->submissions, struct submission, i)
#define WRITTEN_AT(p, i)   POOL_NODE(&(p)->written, struct written, i)
#define REQUEST_AT(p, i)   POOL_NODE(&(p)->requests, struct read_request, i)
#define CHUNK_AT(p, i)	   POOL_NODE(&(p)->read_chunks, struct read_chunk, i)

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

/*
 * Many look-ups follow: the processor fetches all their slots, and then their nodes,
 * at once. What is to be fetched is out of its caches more often than not.
 */
void sums_prefetch(const struct table *table, const struct words *sums);
void sums_prefetch_nodes(const struct table *table, const struct pool *pool,
			 const struct words *sums);
/* The oldest node with the sum, or 0. */
uint32_t sums_find(const struct table *table, const struct pool *pool, uint64_t sum);
int sums_add(struct pipeline *p, struct table *table, const struct pool *pool, uint32_t node);
void sums_remove(struct table *table, const struct pool *pool, uint32_t node);

/* The process of that pid, or, where that is 0, of that canonical address space; or 0. */
uint32_t process_by_id(struct pipeline *p, uint32_t pid, uint64_t space);
/* The process that an event is about; made where it is new; 0 if out of memory. */
uint32_t process_of(struct pipeline *p, const struct event *event);
/* The same, but 0 where it is new. */
uint32_t process_known(struct pipeline *p, const struct event *event);
void process_gone(struct pipeline *p, uint32_t process);
/*
 * Makes the parent's child as the event describes it, whatever of it is known.
 * 0 if out of memory or if it is no other process.
 */
uint32_t process_child(struct pipeline *p, uint32_t parent, const struct fork_event *fork);
/* An awaited child returned: now its address space is known. */
void process_found(struct pipeline *p, uint32_t child, const struct event *event);
/* The guest said the pid of who runs in this process's address space. */
void process_named(struct pipeline *p, uint32_t process, uint32_t pid);
/* The process that borrowed its address space has one of its own, or is over. */
void space_return(struct pipeline *p, uint32_t borrower);
void process_executed(struct pipeline *p, const struct event *event);
/* The same where the call's return is what tells. */
void process_executes(struct pipeline *p, uint32_t call, const struct event *event);

/* The address that identifies a page table, whichever half and PCID were loaded. */
uint64_t space_canonical(const struct pipeline *p, uint64_t space);
void identity_attribute(struct pipeline *p, const struct event *event);
void identity_abi(struct pipeline *p, enum abi abi);
void identity_forked(struct pipeline *p, const struct event *event);
/* getpid or gettid, asked by the recorder in the place of whoever ran there. */
void identity_told(struct pipeline *p, const struct event *event, enum call asked);
/* FreeBSD's nosys or __syscall returned 0: was it the child of a call that makes processes? */
bool identity_is_child(struct pipeline *p, const struct event *event);
/* A call that makes processes returned 0: this is the child. */
void identity_child_returned(struct pipeline *p, const struct event *event);
/* It returned the child's pid, or a thread's tid, to the parent; the call is a copy by now. */
void identity_child_made(struct pipeline *p, const struct call_state *call, uint32_t id);
/* The execve, still out, after which this event comes; or 0. */
uint32_t identity_executing(struct pipeline *p, const struct event *event);

/* The thread that an event is about, or 0; thread_of() makes it where it is new. */
uint32_t thread_known(struct pipeline *p, uint32_t process, const struct event *event);
uint32_t thread_of(struct pipeline *p, uint32_t process, const struct event *event);
/* Forgets it if only a call told it from others, and that is over. */
void thread_settle(struct pipeline *p, uint32_t thread);
void thread_gone(struct pipeline *p, uint32_t thread);
/* All threads but one (0: none). */
void threads_of_process_gone(struct pipeline *p, uint32_t process, uint32_t but);
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
/*
 * A name of it is gone, by a call that began at since_ns; it goes too when that
 * was the last and nobody has it open.
 */
void file_unlinked(struct pipeline *p, uint32_t file, uint64_t since_ns);

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
/* Another process or thread runs on the event's virtual CPU. */
void call_switched(struct pipeline *p, const struct event *event);
/* fork, clone and the like; execve and the like. */
bool call_makes_child(enum call call);
bool call_executes(enum call call);
/* The call that the event's thread is in, or 0. */
uint32_t call_of(struct pipeline *p, const struct event *event);
/* The call will never return. */
void call_abandon(struct pipeline *p, uint32_t call);
void calls_of_process_abandon(struct pipeline *p, uint32_t process);

/* The file behind an open file, if its content can be on the disk; else 0. */
uint32_t content_of(struct pipeline *p, uint32_t open_file);
/* The open file behind a descriptor; one of an unknown file where nothing has told of it. */
uint32_t meet(struct pipeline *p, uint32_t process, int32_t fd);

/* Entries and exits of asynchronous I/O. */
void entry_submit(struct pipeline *p, struct call_state *call, const struct event *event);
void exit_submit(struct pipeline *p, struct call_state *call, const struct event *event);
void exit_completions(struct pipeline *p, struct call_state *call, const struct event *event);
void exit_io_uring_enter(struct pipeline *p, struct call_state *call, const struct event *event);
void entry_io_uring_setup(struct pipeline *p, struct call_state *call, const struct event *event);
void exit_io_uring_setup(struct pipeline *p, struct call_state *call, const struct event *event);
void exit_io_destroy(struct pipeline *p, struct call_state *call, const struct event *event);
void exit_aio_return(struct pipeline *p, struct call_state *call, const struct event *event);
/* A call failed: if it handed requests over, none of them was accepted. */
void asynchronous_failed(struct pipeline *p, struct call_state *call, const struct event *event);
/* An insight: a completion that the program takes from memory. */
void completion_found(struct pipeline *p, const struct event *event);
void submissions_forget(struct pipeline *p, uint32_t process);

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
/* Takes back what was announced beyond the first `bytes` bytes. */
void written_shorten(struct pipeline *p, const struct announcement *announced, uint64_t bytes);
/* Chunks [from, until) of the file no longer go to the disk. */
void written_drop(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until);
/* The file holds this; if the file ends there and grows, the disk may get it once more. */
void written_may_return(struct pipeline *p, uint32_t file, uint64_t offset,
			const struct words *sums);
/* Dirty pages of a mapped file hold this; SUM_UNKNOWN: not looked at. */
void written_seen(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums);
/* One chunk changed otherwise than by a write: what it holds now nobody knows. */
/* What was written before that time. */
void written_drop_before(struct pipeline *p, uint32_t file, uint64_t time_ns);
void written_blur(struct pipeline *p, uint32_t file, uint64_t index);
void written_expire(struct pipeline *p);
/* Gives up the oldest until no more than that are left. */
void written_make_room(struct pipeline *p, uint32_t entries);
/* A write request is issued: decides all its chunks. */
void written_to_disk(struct pipeline *p, const struct event *block);

void read_issued(struct pipeline *p, const struct event *block);
void read_completed(struct pipeline *p, const struct event *complete);
/* A call took these chunks of the file (0: unknown). */
void read_taken(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums);
/* The frame that a waiting chunk lies in is this page of the file. */
void read_mapped(struct pipeline *p, uint32_t chunk, uint32_t file, uint64_t index);

/* A page of a mapped file has another frame, or none. */
void mapping_changed(struct pipeline *p, const struct event *event);
/* The frame of that number, or 0. */
uint32_t frame_find(struct pipeline *p, uint64_t number);
/* The disk put a chunk, which waits from now on, into that frame; and it waits no more. */
void frame_filled(struct pipeline *p, uint64_t number, uint32_t chunk);
void frame_waits_no_more(struct pipeline *p, uint32_t chunk);
/* Insights: what pages of a mapping hold, and what of them is dirty. */
void pages_mapped(struct pipeline *p, const struct event *event);
void pages_dirty(struct pipeline *p, const struct event *event);

/* Decides all requests whose window closed by then. */
void read_expire(struct pipeline *p, uint64_t until_ns);
void read_finish(struct pipeline *p);
/* Gives up the oldest whose window is open, until no more chunks than that are left. */
void read_make_room(struct pipeline *p, uint32_t chunks);

/* Before an event: makes room where a pool comes near its bound. */
void bounds_keep(struct pipeline *p);

uint8_t size_class(const struct pipeline_options *options, uint64_t size);
/* The file's size may have changed from that. */
void file_resized(struct pipeline *p, uint32_t file, uint64_t size_before);
/* The class of the file's data at a time not long past. */
uint8_t file_class(struct pipeline *p, uint32_t file, uint64_t time_ns);

/* The process executes this from now on. */
void program_named(struct pipeline *p, uint32_t process, const struct text *executable);
bool is_encrypted_name(const struct pipeline *p, const struct text *path);

/* A prefix that needs no folder can be selected by from the start. */
void selection_begin(struct pipeline *p);
void names_free(struct pipeline *p);
void name_release(struct pipeline *p, uint32_t name);
/* Where a process is; and where it went. */
void folder_told(struct pipeline *p, uint32_t process, const struct text *text);
void folder_changed(struct pipeline *p, uint32_t process, uint32_t name);
/* It is over. */
void folder_left(struct pipeline *p, uint32_t process);
void process_inherits(struct pipeline *p, uint32_t parent, uint32_t child, bool same_folder);
/* What the paths of a call that begins tell of its files. */
void paths_noted(struct pipeline *p, struct call_state *call, const struct entry_event *entry);
void open_file_opened(struct pipeline *p, uint32_t open_file, const struct call_state *call);
void open_file_told(struct pipeline *p, uint32_t open_file, const struct text *text);
/* The file bears the call's second path: instead of its name so far, or besides. */
void file_renamed(struct pipeline *p, uint32_t file, const struct call_state *call);
void file_linked(struct pipeline *p, uint32_t file, const struct call_state *call);
bool is_selected(const struct pipeline *p, uint32_t file);

/* The call moves data from now on, until the event is done with. */
void origin_set(struct pipeline *p, const struct call_state *call);
/* Of a chunk that is being written to the file. */
enum content_origin origin_of(struct pipeline *p, uint32_t file, uint64_t sum);
/* Many look-ups of what copying programs read follow. */
void copying_prefetch(struct pipeline *p, const struct words *sums);
/* What is being read may be copied. */
void copying_read(struct pipeline *p, const struct words *sums);
void copying_expire(struct pipeline *p);
enum dedup_hint dedup_of_written(struct pipeline *p, const struct written *written);
/* Of a chunk that is being taken. */
enum dedup_hint dedup_of_read(const struct pipeline *p);

/*
 * The class that the application gave with a call, about to begin; also keeps
 * what a handler must not be taken at its word for.
 */
uint8_t application_class(struct pipeline *p, uint32_t thread, const struct entry_event *entry,
			  uint64_t stack);
/* The call is over. */
void application_returned(struct pipeline *p, const struct call_state *call,
			  const struct exit_event *exit);
/* Of what is being written to the file. */
uint8_t application_written(struct pipeline *p, uint32_t file);
/* What is at this sector of a disk is that chunk of the file, if the file is that disk. */
bool application_knows_place(const struct pipeline *p, uint32_t file, uint64_t index,
			     uint64_t sector);

/* Which of a write request's chunks that nobody wrote are a journal's. */
void journal_find(struct pipeline *p, const struct block_event *block, const uint32_t *match,
		  bool *logged);

/* Mappings of files: made, changed, there before, handed on by fork, gone. */
void exit_mmap(struct pipeline *p, struct call_state *call, const struct event *event);
void exit_munmap(struct pipeline *p, struct call_state *call, const struct event *event);
void exit_mremap(struct pipeline *p, struct call_state *call, const struct event *event);
void area_snapshot(struct pipeline *p, const struct event *event);
void areas_inherit(struct pipeline *p, uint32_t parent, uint32_t child);
void areas_gone(struct pipeline *p, uint32_t process);

/* Tell the observer, if there is one, of what happened to a file: bytes from offset on. */
void observe_size(struct pipeline *p, uint32_t file, uint64_t bytes);
/*
 * Before file_reached(). What lies behind the end that the file had when the call
 * was made, or has now, was no content: it is not overwritten.
 */
void observe_write(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t bytes,
		   uint64_t size_before);
/* Until UINT64_MAX: all that follows. */
void observe_cut(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t until);
void observe_move(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t bytes,
		  bool inserted);
void observe_gone(struct pipeline *p, uint32_t file);

/* Tell the watcher, if there is one: a process moved bytes of a file; executes; was made; a name. */
void traffic_moved(struct pipeline *p, uint32_t process, uint32_t file, uint64_t bytes,
		   bool written);
void traffic_executes(struct pipeline *p, uint32_t process, const struct text *executable);
void traffic_made(struct pipeline *p, uint32_t parent, uint32_t child);
void traffic_path(struct pipeline *p, uint32_t file, const struct text *path);

/* Hands out a hint; file 0 where none is known. Its time is now_ns. */
void hint_data(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk,
	       enum chunk_class what, enum hint_reason reason, uint32_t file, uint64_t index);
/* The same of data whose class the application gave. */
void hint_given(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk,
		uint8_t io_class, uint32_t file, uint64_t index);
void hint_metadata(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk);
void hint_journal(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk);
/* Adds to the last hint, of data: when its request was issued, what is known of the content. */
void hint_refine(struct pipeline *p, uint32_t file, uint64_t issued_ns, enum dedup_hint dedup);

#endif
