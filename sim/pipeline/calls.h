/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What calls mean for descriptors, files and content: those that move data and the table of
 * all (calls.c), those that change descriptors (descriptor_calls.c) and files (file_calls.c).
 */
#ifndef SKY_PIPELINE_CALLS_H
#define SKY_PIPELINE_CALLS_H

#include "sim/pipeline/matching.h"

/* Flags whose values the ABIs do not share: Linux asm-generic/fcntl.h, FreeBSD sys/fcntl.h. */
struct abi_flags {
	uint64_t append, truncate, close_on_exec, duplicate_close_on_exec;
};

extern const struct abi_flags abi_flags[]; /* by ABI */

/* Of an entry, or of an exit that succeeded. */
typedef void call_handler(struct pipeline *p, struct call_state *call, const struct event *event);

/* A call was made, and returned. */
void call_begin(struct pipeline *p, struct call_state *call, const struct event *event);
void call_end(struct pipeline *p, struct call_state *call, const struct event *event);

/* The entry tells what will be written to the file. */
void call_announce(struct pipeline *p, struct call_state *call, uint32_t file,
		   const struct words *sums);

/* descriptor_calls.c */
call_handler exit_open, exit_openat, exit_creat, exit_openat2, entry_close, entry_close_range,
	exit_dup, exit_dup3, exit_fcntl, exit_lseek, exit_chdir, exit_fchdir;

/* file_calls.c */
call_handler entry_ftruncate, exit_ftruncate, entry_truncate, exit_truncate, exit_fallocate,
	exit_posix_fallocate, entry_ioctl, exit_ioctl, exit_unlink, exit_link, exit_rename,
	exit_renameat2;

#endif
