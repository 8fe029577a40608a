/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iread() and its kin: a system call with two arguments more than it has.
 *
 * The calls are made here and not by libc's syscall(), because of what is left
 * behind: the kernel gives r8, r9 and r10 back as they were, and neither libc's
 * wrappers nor compilers have a reason to clear them. The next plain write() of
 * the thread would carry the magic and the class, too. So the registers are
 * cleared by the instructions right after the call.
 *
 * A signal handler that runs between the two still sees them; what the
 * classification does about that is in docs/application-classes.md.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "skyguest.h"

#if !defined(__x86_64__) || !defined(__linux__)
#error "libskyguest is for Linux on x86-64: elsewhere its calls would be lost among other registers"
#endif

#define PUBLIC __attribute__((visibility("default")))

static ssize_t result_of(long result)
{
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

static ssize_t refuse(void)
{
	errno = EINVAL;
	return -1;
}

/* A call that has three arguments of its own. */
static ssize_t call3(long number, long fd, const void *at, long count, unsigned io_class)
{
	register unsigned long magic __asm__("r10") = SKYGUEST_MAGIC;
	register unsigned long class_word __asm__("r8") = io_class;
	long result;

	if (io_class >= SKYGUEST_CLASSES)
		return refuse();
	__asm__ volatile("syscall\n\t"
			 "xorl %%r10d, %%r10d\n\t"
			 "xorl %%r8d, %%r8d"
			 : "=a"(result), "+r"(magic), "+r"(class_word)
			 : "0"(number), "D"(fd), "S"(at), "d"(count)
			 : "rcx", "r11", "cc", "memory");
	return result_of(result);
}

/* A call that has four: the extra ones are one further on. */
static ssize_t call4(long number, long fd, const void *at, long count, long offset,
		     unsigned io_class)
{
	register long fourth __asm__("r10") = offset;
	register unsigned long magic __asm__("r8") = SKYGUEST_MAGIC;
	register unsigned long class_word __asm__("r9") = io_class;
	long result;

	if (io_class >= SKYGUEST_CLASSES)
		return refuse();
	__asm__ volatile("syscall\n\t"
			 "xorl %%r8d, %%r8d\n\t"
			 "xorl %%r9d, %%r9d"
			 : "=a"(result), "+r"(magic), "+r"(class_word)
			 : "0"(number), "D"(fd), "S"(at), "d"(count), "r"(fourth)
			 : "rcx", "r11", "cc", "memory");
	return result_of(result);
}

PUBLIC ssize_t iread(int fd, void *buffer, size_t bytes, unsigned io_class)
{
	return call3(SYS_read, fd, buffer, bytes, io_class);
}

PUBLIC ssize_t iwrite(int fd, const void *buffer, size_t bytes, unsigned io_class)
{
	return call3(SYS_write, fd, buffer, bytes, io_class);
}

PUBLIC ssize_t ireadv(int fd, const struct iovec *parts, int count, unsigned io_class)
{
	return call3(SYS_readv, fd, parts, count, io_class);
}

PUBLIC ssize_t iwritev(int fd, const struct iovec *parts, int count, unsigned io_class)
{
	return call3(SYS_writev, fd, parts, count, io_class);
}

PUBLIC ssize_t ipread(int fd, void *buffer, size_t bytes, off_t offset, unsigned io_class)
{
	return call4(SYS_pread64, fd, buffer, bytes, offset, io_class);
}

PUBLIC ssize_t ipwrite(int fd, const void *buffer, size_t bytes, off_t offset, unsigned io_class)
{
	return call4(SYS_pwrite64, fd, buffer, bytes, offset, io_class);
}
