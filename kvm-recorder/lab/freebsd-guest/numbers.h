/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of FreeBSD's interface what the guest's kernel and its program need: numbers
 * (sys/kern/syscalls.master), structures and constants of amd64.
 */
#ifndef GUEST_NUMBERS_H
#define GUEST_NUMBERS_H

#include <stdint.h>

enum {
	CALL_syscall = 0, CALL_exit = 1, CALL_fork = 2, CALL_read = 3, CALL_write = 4,
	CALL_open = 5, CALL_close = 6, CALL_wait4 = 7, CALL_getpid = 20, CALL_sync = 36,
	CALL_reboot = 55, CALL_execve = 59, CALL_munmap = 73, CALL_fcntl = 92, CALL_fsync = 95, CALL_readv = 120,
	CALL_writev = 121, CALL_sysarch = 165, CALL___syscall = 198, CALL___sysctl = 202,
	CALL_aio_read = 255, CALL_aio_write = 256, CALL_lio_listio = 257, CALL_aio_return = 314,
	CALL_aio_error = 317, CALL___getcwd = 326, CALL_sched_yield = 331,
	CALL_aio_waitcomplete = 359, CALL_thr_exit = 431, CALL_thr_self = 432, CALL_thr_new = 455,
	CALL_pread = 475, CALL_pwrite = 476, CALL_mmap = 477, CALL_lseek = 478,
	CALL_ftruncate = 480, CALL_fstat = 551, CALL_aio_writev = 578, CALL_aio_readv = 579,
	CALLS
};

/* sys/sys/fcntl.h, sys/sys/unistd.h */
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR	 2
#define O_ACCMODE 3
#define O_APPEND 0x8
#define O_CREAT	 0x200
#define O_TRUNC	 0x400
#define F_GETFL	 3

#define MAP_ANON 0x1000 /* sys/sys/mman.h */
#define AMD64_SET_FSBASE 129 /* sys/x86/include/sysarch.h */

/* sys/sys/aio.h */
#define LIO_WRITE 1
#define LIO_READ  2
#define LIO_WAIT  1

struct aiocb {
	int32_t fd, zero;
	int64_t offset;
	uint64_t buffer; /* or vectors, and how many */
	uint64_t bytes;
	int32_t spare[2];
	uint64_t spare2;
	int32_t opcode, priority;
	uint64_t private[3];
	uint64_t event[10];
};

struct iovec {
	uint64_t address, bytes;
};

struct thr_param { /* sys/sys/thr.h */
	uint64_t start, argument, stack, stack_bytes, tls, tls_bytes;
	uint64_t child_tid, parent_tid;
	int32_t flags, zero;
	uint64_t priority, spare[3];
};

struct stat { /* sys/sys/stat.h */
	uint64_t device, inode, links;
	uint16_t mode, zero;
	uint32_t user, group, zero2;
	uint64_t special_device;
	int64_t times[8];
	int64_t size, blocks;
	int32_t block_bytes;
	uint32_t flags;
	uint64_t generation, spare[10];
};

#endif
