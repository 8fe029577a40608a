/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that have not returned, and which return is theirs (matching.c).
 */
#ifndef SKY_PIPELINE_MATCHING_H
#define SKY_PIPELINE_MATCHING_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/calls.h"
#include "capture/event.h"
#include "common/pool.h"

struct pipeline;

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
	uint8_t given;	 /* the class that the application gave, or CLASS_UNDECIDED */
	bool parked;	 /* its virtual CPU turned to something else */
	bool child_told; /* by a fork event or a first return */
	bool executed;	 /* an exec event told so */
	bool polled;	 /* it sets up io_uring with SQPOLL */
};

#define CALL_AT(p, i) POOL_NODE(&(p)->calls, struct call_state, i)

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

#endif
