/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest kernel with FreeBSD's system calls: as much of one as it takes to hold the
 * recorder against. One virtual CPU; the kernel isn't preempted, and who waits in it lets
 * others run. Nothing that is taken is given back but threads and processes: a run is short.
 *
 * kernel.c	memory, threads, processes, interrupts
 * calls.c	system calls
 * files.c	a flat folder of files, each with a block map
 * disk.c	a cache of blocks above a virtio disk, and the truth of each request
 * program.c	what runs in user mode
 */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define PAGE	  4096ull
#define USER_END  0x800000000000ull
#define PROCESSES 16
#define THREADS	  32
#define FILES	  32 /* of a process */
#define CARRY	  1 /* of the flags */

/* sys/sys/errno.h */
enum {
	ENOENT = 2, EBADF = 9, ECHILD = 10, ENOMEM = 12, EFAULT = 14, EINVAL = 22, ENFILE = 23,
	ENOSPC = 28, EINPROGRESS = 36, ENOSYS = 78,
};

/* As boot.S leaves it on the thread's stack. */
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 trap, error, rip, cs, flags, rsp, ss;
};

struct open_file {
	u32 references, flags;
	u32 inode;
	u64 offset;
};

struct process {
	u32 pid, parent; /* pid 0: free */
	u32 threads;
	bool ended;
	u32 status;
	u64 table; /* of its address space, as CR3 has it */
	u64 mapped_until;
	struct open_file *files[FILES];
};

struct thread {
	bool runs; /* or is free */
	u32 tid;
	struct process *process; /* whose memory it works with; NULL: the kernel's */
	u8 *stack;
	u64 stack_now, fs_base;
	bool by_iret; /* its next return from a call */
};

extern struct thread *current;

static inline void *memory_copy(void *to, const void *from, u64 bytes)
{
	void *at = to;

	asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

static inline void memory_zero(void *at, u64 bytes)
{
	asm volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(0) : "memory");
}

static inline u64 physical(const void *at)
{
	return (u64)at - KERNEL;
}

/* kernel.c */
void print(const char *format, ...); /* %s, %u of 64 bits */
__attribute__((noreturn)) void stop(u32 status);
__attribute__((noreturn)) void panic(const char *why);
void *pages_take(u32 count); /* of zeros */
void yield(void);
/* Lets others run, and time pass where all of them wait. */
void wait_a_little(void);
/* Is that memory of the running thread's process? */
bool is_user(u64 address, u64 bytes);
bool map_memory(struct process *process, u64 address, u64 bytes);
/* frame: how it begins in user mode; NULL: at `begin`, in the kernel. */
struct thread *thread_new(struct process *process, const struct frame *frame, void (*begin)(void));
__attribute__((noreturn)) void thread_end(void);
struct process *process_new(const struct process *parent);
void process_load(struct process *process, u64 argument); /* the program, in place of all there was */
void program_frame(struct frame *frame); /* as it begins */
struct process *process_child(u32 parent, bool ended);
void process_free(struct process *process);
void load_fs_base(u64 fs_base);
void go_with(struct process *process); /* the running thread, with its memory */

/* calls.c */
bool system_call(struct frame *frame); /* true: returns by IRET */
void asynchronous_worker(void);

/* files.c */
#define FILE_DEVICE 0x53
struct file_status {
	u64 inode, size;
};
void files_begin(void); /* makes the file system where there is none */
s64 file_open(const char *name, bool make); /* its inode, or -errno */
void file_status(u32 inode, struct file_status *status);
void file_truncate(u32 inode, u64 size);
/* Bytes moved, or -errno. */
s64 file_move(u32 inode, u64 offset, u64 address, u64 bytes, bool writes);

/* disk.c */
#define RUN_MAX 16 /* blocks of a request */
struct block {
	u8 *data;
	u32 number;
	u32 inode, index; /* whose it is; inode 0: metadata */
	bool valid, dirty, busy;
	u64 used;
};

u32 disk_begin(void); /* its blocks */
/* Held until it is put back. `read`: with its content. */
struct block *block_get(u32 number, u32 inode, u32 index, bool read);
void block_put(struct block *block, bool dirty);
bool block_is_there(u32 number);
/* Blocks behind each other on the disk and in the file come in one request. */
void blocks_read(u32 number, u32 inode, u32 index, u32 count);
void blocks_write(u32 inode, bool all); /* those of the file, or all */
void blocks_forget(void); /* so that they are read again */
void truth_print(void);

#endif
