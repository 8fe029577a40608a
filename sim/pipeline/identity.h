/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who an event is about: address spaces, threads, children (identity.c).
 */
#ifndef SKY_PIPELINE_IDENTITY_H
#define SKY_PIPELINE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/calls.h"
#include "capture/event.h"
#include "common/pool.h"

struct pipeline;
struct call_state;

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

#define THREAD_AT(p, i) POOL_NODE(&(p)->threads, struct thread, i)

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

#endif
