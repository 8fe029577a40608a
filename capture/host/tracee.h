/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tracer knows of the traced threads and how it looks into them.
 *
 * Descriptors are never modelled: at a call that uses one, its open file is
 * fetched (pidfd_getfd()) and asked. Passing over sockets, inheritance, dup and
 * shared offsets are right by construction. All that is remembered of a
 * descriptor is which file the trace was last told it is.
 */
#ifndef SKY_TRACEE_H
#define SKY_TRACEE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "capture/event.h"
#include "capture/host/chunks.h"
#include "capture/host/recorder.h"

#define THREAD_BUCKETS 1024u
#define REFUSALS       8u

/* An open file of a traced process, through a duplicate of our own. */
struct file {
	int fd; /* -1: there is none */
	int flags;
	bool recorded; /* its content is: a regular file of the recorded file system */
	bool regular;
	bool raw; /* the recorded disk itself: recorded where a call bears a class */
	uint32_t mode;
	uint64_t device, inode, links, size;
	uint64_t offset; /* OFFSET_UNKNOWN: not seekable */
};

/* What a descriptor was last said to be. */
struct told {
	uint64_t device, inode; /* 0, 0: nothing */
};

/* A read that was handed to io_submit() and didn't come back yet. */
struct submitted_read {
	uint64_t iocb, buffer, bytes, offset;
	uint64_t device, inode;
	int fd;
	bool vector; /* buffer is the address of an iovec of `bytes` elements */
};

/* A ring of completions of asynchronous I/O, which is mapped into the process. */
struct completion_ring {
	uint64_t context; /* its address */
	uint32_t seen;	  /* up to which of its events the trace was told */
};

#define COMPLETION_RINGS 16u

struct process {
	pid_t pid;
	unsigned threads;
	uint64_t space;
	struct told *told;
	unsigned told_count;
	struct submitted_read *submitted;
	unsigned submitted_count, submitted_room;
	struct completion_ring rings[COMPLETION_RINGS];
	unsigned ring_count;
	bool mapped;	 /* it maps files of the recorded file system */
	uint64_t looked; /* which look at all mapped files was the last at its own */
};

/* The call that a thread is in. */
struct call_state {
	const struct host_call *row; /* NULL: none */
	uint32_t number;
	uint64_t argument[6];
	uint8_t given; /* the class that the application gave: call_class() */
	struct file file, source; /* kept open where the exit needs them: regular files only */
	uint64_t offset, source_offset; /* where the entry said that it goes, comes from */
	uint64_t bytes;			/* ... and how much */
	struct iovec *parts;		/* its buffers */
	unsigned part_count, part_room;
	struct chunk_state after;
	uint64_t *source_sums; /* of a copy inside the kernel, hashed at the entry */
	uint64_t source_sum_count, source_sum_room;
	bool shortened; /* argument[] is what the program passed, the register has less */
	bool moves;	/* uses the position of its open file, or appends: in tracer->moving */
};

enum thread_state {
	THREAD_EXPECTED,  /* its creator told of it, its first stop is awaited */
	THREAD_UNCLAIMED, /* it stopped (or ended) before its creator told of it */
	THREAD_LIVE,
};

struct thread {
	struct thread *next; /* of its bucket */
	pid_t tid;
	enum thread_state state;
	int first_status; /* THREAD_UNCLAIMED: what wait said, */
	pid_t creator;	  /* ... and who will tell of it */
	struct process *process;
	int pidfd, schedstat; /* -1: not opened yet */
	uint64_t fs_base, stack, cpu_ns;
	uint64_t held_from_ns; /* since when the recorder holds it, but for what was reported */
	bool waits;	       /* at its entry, for one of tracer->moving */
	struct thread *next_moving;
	bool stops_at_end; /* while its memory is still there */
	struct call_state call;
};

/*
 * A copy inside the kernel that two file systems were seen to refuse, whatever
 * the file: the next ones are answered without asking the kernel.
 */
struct refusal {
	uint32_t number;
	int error;
	uint64_t device, source_device;
};

struct mapped;

struct tracer {
	const struct tracer_options *options;
	struct mapped *mapped; /* NULL until a file is mapped */
	uint64_t looks;	       /* at all mapped files */
	struct chunker *chunker;
	struct thread *buckets[THREAD_BUCKETS];
	/*
	 * Where a call begins depends on the calls before it that move the same
	 * position, or append to the same file. The kernel does these one after
	 * the other; so does the tracer, or it would not know which was first.
	 */
	struct thread *moving;
	unsigned waiting;
	pid_t command;
	int status;	 /* of the command */
	uint64_t spaces; /* how many address spaces there have been */
	bool broken;	 /* recording failed (it was said why); everything is killed */
	bool monitoring; /* the command has been executed */
	bool io_uring_warned;
	struct refusal refusals[REFUSALS];
	unsigned refusal_count;	 /* ever; the latest REFUSALS are kept */
	uint64_t foreign_calls;	 /* of 32-bit programs: not covered */
	uint64_t skipped_chunks; /* partly written or read, and skip_misaligned; too many */
	uint64_t *sums, *written;
	size_t sum_room, written_room;
	uint64_t *numbers; /* lengths, records */
	size_t number_room;
	char path[2][PATH_MAX];
};

struct thread *thread_find(struct tracer *tracer, pid_t tid);

/* NULL if out of memory, which was said. */
struct thread *thread_new(struct tracer *tracer, pid_t tid);
void thread_free(struct tracer *tracer, struct thread *thread);

/* Gives it another thread id; the table must not have that one. */
void thread_rename(struct tracer *tracer, struct thread *thread, pid_t tid);

/* A process of one thread; `like`, if not NULL, is whose descriptors it inherits. */
struct process *process_new(pid_t pid, uint64_t space, const struct process *like);

/* One thread of it is gone; frees it with the last one. True if that was the last one. */
bool process_leave(struct process *process);

/* Which file the trace takes the descriptor for. */
struct told process_told(const struct process *process, int fd);
void process_tell(struct process *process, int fd, struct told told);
void process_forget(struct process *process, unsigned first, unsigned last);

/* How many bytes, from the front, could be read. */
size_t memory_read(const struct thread *thread, uint64_t address, void *buffer, size_t bytes);

/* The string there, without its NUL, cut at PATH_MAX. */
struct text memory_path(const struct thread *thread, uint64_t address, char *buffer);

/*
 * Fetches an open file. file->fd is -1 if the process doesn't have it. The
 * duplicate must be closed (file_close()) before the thread goes on, unless
 * it is a regular file: nobody waits for those to be closed.
 */
void file_open(const struct tracer *tracer, struct thread *thread, int fd, struct file *file);
void file_close(struct file *file);

/* What a path means to that thread; false if there is nothing. */
bool path_stat(const struct tracer *tracer, struct thread *thread, int folder, const char *path,
	       bool follow, struct file *file);

/* Which file the mapping at these addresses is of; false if that can't be known. */
bool mapping_stat(const struct tracer *tracer, const struct thread *thread, uint64_t begin,
		  uint64_t end, struct file *file);

/* Whether the program that the process executes is a recorded file. */
bool executes_recorded(const struct tracer *tracer, const struct thread *thread);

/* CPU time of the thread into thread->cpu_ns, once a stop. */
void thread_clock(struct thread *thread);

/* Sets the register of an argument of the call that the thread is stopped at. */
void argument_set(const struct thread *thread, unsigned argument, uint64_t value);

/*
 * Completes the header (time, held time, the thread if there is one) and
 * pushes it; a failure is said and sets tracer->broken.
 */
void emit_event(struct tracer *tracer, struct thread *thread, struct event *event);

/* Fetches the file of a descriptor that a call uses, and tells which it is if it isn't known. */
void file_open_told(struct tracer *tracer, struct thread *thread, int fd, struct file *file);
void file_tell_always(struct tracer *tracer, struct thread *thread, int fd,
		      const struct file *file);

/* EVENT_INSIGHT of a descriptor or (fd = -1) of a path. */
void emit_file(struct tracer *tracer, struct thread *thread, int fd, const struct file *file,
	       struct text path);

/* EVENT_MONITOR and the snapshot of a process at its start. */
void emit_snapshot(struct tracer *tracer, struct thread *thread);

/* Room for that many words; false if out of memory: the event goes without. */
bool reserve_words(uint64_t **words, size_t *room, size_t count);

#endif
