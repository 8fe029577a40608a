/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped files (paper, 3.4.3), where frames can't be seen: what the pages hold
 * that are present in page tables.
 *
 * No call says what a program reads and writes through a mapping. So at the calls
 * that write mapped pages back, before a mapping goes, at the end of its process
 * and periodically in between, the present pages of files of the recorded
 * file system are hashed and told: EVENT_INSIGHT as if of mmap() the ones that
 * were not told before, as if of msync() the dirty ones.
 */
#ifndef SKY_MAPPED_H
#define SKY_MAPPED_H

#include "capture/host/tracee.h"

/* Which pages are looked at. */
struct mapped_part {
	uint64_t begin, end;	/* addresses */
	uint64_t device, inode; /* of that file; 0, 0: of all */
	bool written_now;	/* dirty pages are told even if nothing of them has changed */
};

/* The thread's process maps a file of the recorded file system. */
void mapped_begin(struct tracer *tracer, struct thread *thread);

/* ... so that what it writes goes to the file, or may: the file is watched. */
void mapped_shared(struct tracer *tracer, const struct file *file);

/* Looks at the process of one thread, and at all processes. */
void mapped_tell(struct tracer *tracer, struct thread *thread, const struct mapped_part *part);
void mapped_tell_everywhere(struct tracer *tracer, const struct mapped_part *part);

/* Looks at all processes if the period is over; waitpid() is interrupted when it is. */
void mapped_look_again(struct tracer *tracer);

/* Once, before the first process and after the last. */
void mapped_end(struct tracer *tracer);

#endif
