/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes and their descriptor tables (process.c).
 */
#ifndef SKY_PIPELINE_PROCESS_H
#define SKY_PIPELINE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "common/pool.h"

struct pipeline;

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
	bool polled; /* it has io_uring with SQPOLL: not covered */
	/* Files that paths of the call to come name, as an insight before it told. */
	uint32_t named[2];
	uint64_t named_hash[2];
	uint32_t folder; /* the working one; 0 not known */
	uint8_t copies_matched;
	bool copies, encrypts; /* its executable does */
};

#define PROCESS_AT(p, i) POOL_NODE(&(p)->processes, struct process, i)

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

/* The child of that pid whose address space is not known yet; or 0. */
uint32_t process_awaited(struct pipeline *p, uint32_t pid);

/* An awaited child returned, or its maker is told late: now its address space is known. */
void process_found(struct pipeline *p, uint32_t child, const struct event *event);

/* The guest said the pid of who runs in this process's address space. */
void process_named(struct pipeline *p, uint32_t process, uint32_t pid);

/* The process that borrowed its address space has one of its own, or is over. */
void space_return(struct pipeline *p, uint32_t borrower);
void process_executed(struct pipeline *p, const struct event *event);

/* The same where the call's return is what tells. */
void process_executes(struct pipeline *p, uint32_t call, const struct event *event);

/* Forgets what insights told of paths. */
void process_forget_names(struct pipeline *p, uint32_t process);

/* The open file behind a descriptor, or 0. */
uint32_t descriptor_find(struct pipeline *p, uint32_t process, int32_t fd);

/* The open file behind a descriptor; one of an unknown file where nothing has told of it. */
uint32_t descriptor_meet(struct pipeline *p, uint32_t process, int32_t fd);

/* Lets fd name an open file, whatever it named before. */
void descriptor_set(struct pipeline *p, uint32_t process, int32_t fd, uint32_t open_file,
		    bool close_on_exec);
void descriptor_mark(struct pipeline *p, uint32_t process, int32_t fd, bool close_on_exec);
void descriptor_close(struct pipeline *p, uint32_t process, int32_t fd);

/* Closes all from first to last, or marks them; unshares the table first if told to. */
void descriptor_range(struct pipeline *p, uint32_t process, uint32_t first, uint32_t last,
		      bool unshare, bool mark_only);

#endif
