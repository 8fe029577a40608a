/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rings carry: the kernel's side of the event model (capture/event.h),
 * which the collector turns into events. Fixed parts first, then the arrays
 * whose lengths they tell, one after the other.
 */
#ifndef SKY_RECORDS_H
#define SKY_RECORDS_H

#include "sky_ring.h"

enum sky_record_kind {
	SKY_RECORD_NONE,
	SKY_RECORD_BLOCK,    /* a request is submitted to a disk */
	SKY_RECORD_COMPLETE, /* ... and is done */
	SKY_RECORD_MARK,     /* a phase of the workload begins */
	SKY_RECORD_ENTRY,    /* a monitored process makes a system call */
	SKY_RECORD_EXIT,     /* ... which returns */
	SKY_RECORD_SWITCH,   /* a monitored address space is loaded, or left */
	SKY_RECORD_FORK,     /* a monitored process has a child or a new thread */
	SKY_RECORD_EXEC,     /* ... has a new program, in a new address space */
	SKY_RECORD_GONE,     /* a thread or process ends by its own call */
	SKY_RECORD_MONITOR,  /* monitoring of an address space begins or ends */
	SKY_RECORD_INSIGHT,  /* what a call of the recorder's own gave */
	SKY_RECORD_MAPPING,  /* a page of a mapped file appears or goes */
};

/* Operations and flags are enum block_op and BLOCK_FLAG_ of the event model. */
struct sky_block_record {
	struct sky_record record;
	__u64 id; /* rises; the completion bears the same */
	__u64 sector;
	__u32 sectors;
	__u32 flags;
	__u32 op;
	__u32 pid, tid; /* of who submitted it, on the host */
	__u32 sums, markers, frames;
	/*
	 * sums: a chunk each, 0 where it is covered in part; markers: a chunk each;
	 * frames: a page each, in the order of the data
	 */
	__u64 words[];
};

struct sky_complete_record {
	struct sky_record record;
	__u64 id;
	__s32 error; /* 0 or -errno */
	__u32 sums, markers, frames;
	__u64 words[];
};

struct sky_mark_record {
	struct sky_record record;
	__u32 bytes;
	char name[];
};

/*
 * A virtual CPU when the record was made: whose it was. The thread is told by
 * address space, stack and thread pointer; its numbers in the guest are known
 * only where the guest told them (0: not known).
 */
struct sky_cpu {
	__u64 space;   /* CR3, without its PCID and the bit of page table isolation */
	__u64 stack;   /* user stack pointer */
	__u64 fs_base; /* thread pointer */
	__u64 held_ns; /* how long the recorder held it for this */
	__u32 pid, tid;
};

/* Numbers of the event model: enum abi, exit_way. */
enum sky_abi { SKY_ABI_LINUX64, SKY_ABI_FREEBSD64 };
enum sky_way { SKY_WAY_SYSRET, SKY_WAY_IRET, SKY_WAY_BREAKPOINT, SKY_WAY_KILLED, SKY_WAY_RESTART };

#define SKY_OFFSET_UNKNOWN (~0ull)
/*
 * The words of a request of an asynchronous call, as the event model's, and how
 * many requests, sums and lengths a record can hold.
 */
enum sky_request_word {
	SKY_REQUEST_ID,
	SKY_REQUEST_OPCODE,
	SKY_REQUEST_FD,
	SKY_REQUEST_BUFFER,
	SKY_REQUEST_BYTES,
	SKY_REQUEST_OFFSET,
	SKY_REQUEST_FLAGS,
	SKY_REQUEST_RESULT,
	SKY_REQUEST_CHUNKS,
	SKY_REQUEST_WORDS
};
#define SKY_REQUESTS_MAX  128
#define SKY_SUMS_MAX	  4096
#define SKY_LENGTHS_MAX	  1024
#define SKY_PATH_BYTES	  4096

/*
 * words[] holds `lengths` (of an iovec), then `requests` of SKY_REQUEST_WORDS
 * each, then `sums`; behind them are the bytes of path and of path2, not
 * terminated. Sums are of the chunks from the one that holds file_offset on,
 * SKY_SUM_UNKNOWN where one is not wholly covered or not readable; a last chunk
 * that is covered from its beginning counts as followed by zeros. Where
 * file_offset is not known chunks begin at the buffer's first byte. `unread`
 * chunks (or texts, or requests) were not in memory; what was too much for a
 * record is not there, and SKY_CALL_CUT is set.
 */
struct sky_entry_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__u64 argument[6];
	__u64 file_offset;
	__u32 number;
	__u16 abi;
	__u16 flags; /* SKY_CALL_ */
	__u32 path, path2; /* bytes */
	__u32 lengths, requests, sums;
	__u32 unread;
	__u64 words[];
};

#define SKY_CALL_CUT	 (1u << 0) /* not all sums, lengths or requests are there */
#define SKY_CALL_INT80	 (1u << 1) /* entered otherwise than by SYSCALL */
#define SKY_CALL_COMPAT	 (1u << 2) /* ... by a 32-bit program: numbers are the 32-bit ones */

/* words[]: requests (completions), sums (reads), written (as the event model's). */
struct sky_exit_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__s64 result; /* as the register holds it */
	__u64 file_offset;
	__u64 written_offset;
	__u32 number;
	__u16 abi;
	__u16 flags; /* SKY_CALL_ */
	__u16 carry;
	__u16 way;
	__u32 requests, sums, written;
	__u32 unread;
	__u64 words[];
};

/* cpu.space is what is loaded now: a monitored space, or another (`monitored` 0) */
struct sky_switch_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__u32 monitored;
	__u32 padding;
};

/*
 * cpu is the parent's; a new thread has its parent's space. child_pid is 0 where
 * the child is there before its parent's call has returned.
 */
struct sky_fork_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__u64 flags; /* of clone */
	__u64 child_space, child_stack, child_fs_base;
	__u32 child_pid, child_tid; /* of a thread: its process's, and its own */
};

/* cpu is that of the new program; old_space is the one it left. */
struct sky_exec_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__u64 old_space;
	__u32 bytes; /* of the path as it was given; 0: not known */
	__u32 padding;
	char name[];
};

struct sky_gone_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__s32 status; /* as wait(2) reports it */
	__u32 last_thread;
};

struct sky_monitor_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__u32 on;
	__u32 why; /* enum sky_why */
};

enum sky_why {
	SKY_WHY_ASKED,	  /* the process itself asked for it */
	SKY_WHY_CHILD,	  /* its parent is monitored */
	SKY_WHY_ENDED,	  /* it ended by its own call */
	SKY_WHY_SELECTED, /* the host named it */
	SKY_WHY_VANISHED, /* it was killed, or its space is somebody else's now */
};

/* The call's number is that of the Linux call whose question it asks; texts behind. */
struct sky_insight_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__s64 result;
	__u64 offset, flags, device, inode, links, size;
	__u64 file_offset; /* of the completed chunk */
	__u32 number;
	__s32 fd;
	__u32 mode;
	__u32 sums;
	__u32 path; /* bytes */
	__u32 padding;
	__u64 words[]; /* sums, then the path */
};

struct sky_mapping_record {
	struct sky_record record;
	struct sky_cpu cpu;
	__u64 frame; /* of the host */
	__u64 address, device, inode, index;
	__u64 sum;
	__u32 action;
	__u32 padding;
};

#endif
