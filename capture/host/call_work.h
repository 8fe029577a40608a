/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rows of host_calls[] do at entries and exits.
 */
#ifndef SKY_CALL_WORK_H
#define SKY_CALL_WORK_H

#include "capture/host/calls_host.h"
#include "capture/host/transfer.h"

/* call_rw.c */
void enter_transfer(struct tracer *tracer, struct thread *thread, struct event *entry);
void enter_write(struct tracer *tracer, struct thread *thread, struct event *entry);
void leave_write(struct tracer *tracer, struct thread *thread, struct event *exit);
void leave_read(struct tracer *tracer, struct thread *thread, struct event *exit);

/* call_copy.c */
void enter_copy(struct tracer *tracer, struct thread *thread, struct event *entry);
void leave_copy(struct tracer *tracer, struct thread *thread, struct event *exit);
void enter_clone(struct tracer *tracer, struct thread *thread, struct event *entry);
void leave_clone(struct tracer *tracer, struct thread *thread, struct event *exit);

/* call_aio.c */
void enter_submit(struct tracer *tracer, struct thread *thread, struct event *entry);
void leave_getevents(struct tracer *tracer, struct thread *thread, struct event *exit);
void leave_setup(struct tracer *tracer, struct thread *thread, struct event *exit);
void leave_destroy(struct tracer *tracer, struct thread *thread, struct event *exit);
/* Completions that the program may take from memory without a call: tells of the new ones. */
void tell_completions(struct tracer *tracer, struct thread *thread);

/*
 * Calls that the tracer can answer as the kernel would: reads and copies at
 * the end of a file, clones on a file system that has none. One stop less.
 */
enum after_entry settle_read(const struct tracer *tracer, const struct thread *thread,
			     int64_t *result);
enum after_entry settle_copy(const struct tracer *tracer, const struct thread *thread,
			     int64_t *result);
enum after_entry settle_clone(const struct tracer *tracer, const struct thread *thread,
			      int64_t *result);

/* Whether where the call begins, or where the next one does, depends on the order of calls. */
bool transfer_moves(const struct thread *thread);
bool copy_moves(const struct thread *thread);

/* Where the bytes of a finished call began, by where the position is now. */
uint64_t offset_by_position(const struct thread *thread, int64_t result);

#endif
