/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host recorder does at the entry and the exit of each system call.
 */
#ifndef SKY_CALLS_HOST_H
#define SKY_CALLS_HOST_H

#include "capture/calls.h"
#include "capture/host/tracee.h"

/* ARGUMENT(n) names the n-th argument; 0: the call has none of the kind. */
#define ARGUMENT(n) ((n) + 1)

/* When the filter stops the call. */
enum stop_rule {
	STOP_NEVER,
	STOP_ALWAYS,
	STOP_FILE_MAPPINGS, /* mmap() but of anonymous memory */
	STOP_CLONES,	    /* ioctl(): FICLONE, FICLONERANGE, FIDEDUPERANGE */
	STOP_DUPLICATES,    /* fcntl(): those that change a descriptor */
};

/* What the program must do after its stop at an entry. */
enum after_entry {
	CALL_GOES_ON,	      /* ... and stop at the exit */
	CALL_NEEDS_NO_EXIT,   /* the result is certain: its exit was reported */
	CALL_MUST_BE_SKIPPED, /* likewise, and the tracer answers in the kernel's place */
	CALL_MUST_WAIT,	      /* nothing was reported; try again when others' calls ended */
};

struct host_call {
	enum stop_rule stop;
	uint8_t fd, path, path2;
	uint8_t folder, folder2;      /* what the paths start from */
	bool names_file, names_file2; /* tell which file the path is before the call changes that */
	bool follows_links;
	bool opens;  /* the result is a new descriptor */
	bool copies; /* refused without copy offload, with: */
	int refusal;
	uint8_t buffer, vector, bytes, offset; /* of reads and writes; no offset: the position */
	uint8_t source, source_offset;	       /* of copies inside the kernel */
	uint8_t flags;			       /* RWF_ flags */
	bool writes;
	void (*enter)(struct tracer *tracer, struct thread *thread, struct event *entry);
	void (*leave)(struct tracer *tracer, struct thread *thread, struct event *exit);
	/* See tracer->moving; NULL: never. */
	bool (*moves)(const struct thread *thread);
	/* Whether the exit needs a stop of its own; if not, *result is what the call returns. */
	enum after_entry (*settle)(const struct tracer *tracer, const struct thread *thread,
				   int64_t *result);
};

/* By enum call. */
extern const struct host_call host_calls[CALL_COUNT];

/*
 * The thread is about to execute a call. *result is what a skipped call must
 * return. The call's number and arguments are in thread->call.
 */
enum after_entry host_call_enter(struct tracer *tracer, struct thread *thread, enum call call,
				 int64_t *result);

/* ... and has executed it. */
void host_call_leave(struct tracer *tracer, struct thread *thread, int64_t result);

/* ... or never came back from it: it was killed, or its process executed another program. */
void host_call_abandon(struct tracer *tracer, struct thread *thread);

/*
 * Loads the seccomp filter that stops the calls of the table for the tracer,
 * into the calling process. 0, or a negative errno.
 */
int filter_load(void);

#endif
