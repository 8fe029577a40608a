/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libskyguest: its calls do what the plain ones do, and leave no register
 * behind that would give the next plain call a class; and how the rest of Sky
 * finds a class among a call's arguments.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/source.h"
#include "kvm-recorder/guest/skyguest.h"

#define BYTES 10000

/* A file of BYTES bytes, in memory. */
static int some_file(void)
{
	int fd = memfd_create("file", 0);

	for (int i = 0; i < BYTES; i++)
		cr_assert_eq(write(fd, &(char){i * 7 + i / 256}, 1), 1);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static struct iovec parts[2];

static ssize_t plain(int which, int fd, void *at, size_t bytes, off_t offset)
{
	parts[0] = (struct iovec){at, bytes / 3};
	parts[1] = (struct iovec){(char *)at + bytes / 3, bytes - bytes / 3};
	errno = 0;
	switch (which) {
	case 0:
		return read(fd, at, bytes);
	case 1:
		return write(fd, at, bytes);
	case 2:
		return pread(fd, at, bytes, offset);
	case 3:
		return pwrite(fd, at, bytes, offset);
	case 4:
		return readv(fd, parts, 2);
	default:
		return writev(fd, parts, 2);
	}
}

static ssize_t classed(int which, int fd, void *at, size_t bytes, off_t offset, unsigned io_class)
{
	parts[0] = (struct iovec){at, bytes / 3};
	parts[1] = (struct iovec){(char *)at + bytes / 3, bytes - bytes / 3};
	errno = 0;
	switch (which) {
	case 0:
		return iread(fd, at, bytes, io_class);
	case 1:
		return iwrite(fd, at, bytes, io_class);
	case 2:
		return ipread(fd, at, bytes, offset, io_class);
	case 3:
		return ipwrite(fd, at, bytes, offset, io_class);
	case 4:
		return ireadv(fd, parts, 2, io_class);
	default:
		return iwritev(fd, parts, 2, io_class);
	}
}

#define CALLS 6

/* The same on two files of equal content: result, errno, position, buffer and file. */
static void expect_same(int which, int flags, size_t bytes, off_t position, off_t offset)
{
	static char buffer[2][2 * BYTES], content[2][2 * BYTES];
	int file[2] = {some_file(), some_file()}, fd[2];
	ssize_t result[2], left[2];
	int error[2];
	char path[64];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file[i]);
		fd[i] = open(path, flags);
		cr_assert(fd[i] >= 0);
		lseek(fd[i], position, SEEK_SET);
		memset(buffer[i], 'x', sizeof(buffer[i]));
		result[i] = i ? classed(which, fd[i], buffer[i], bytes, offset, 31)
			      : plain(which, fd[i], buffer[i], bytes, offset);
		error[i] = errno;
		left[i] = pread(file[i], content[i], sizeof(content[i]), 0);
	}
	cr_expect_eq(result[0], result[1], "call %d: %zd, %zd", which, result[0], result[1]);
	cr_expect_eq(error[0], error[1], "call %d: errno %d, %d", which, error[0], error[1]);
	cr_expect_eq(lseek(fd[0], 0, SEEK_CUR), lseek(fd[1], 0, SEEK_CUR));
	cr_expect_arr_eq(buffer[0], buffer[1], sizeof(buffer[0]));
	cr_expect_eq(left[0], left[1]);
	cr_expect_arr_eq(content[0], content[1], sizeof(content[0]));
	for (int i = 0; i < 2; i++) {
		close(fd[i]);
		close(file[i]);
	}
}

Test(skyguest, calls_do_what_the_plain_ones_do)
{
	for (int which = 0; which < CALLS; which++) {
		expect_same(which, O_RDWR, 3000, 0, 100);
		expect_same(which, O_RDWR, 3000, BYTES - 50, BYTES - 60); /* short reads */
		expect_same(which, O_RDWR, 3000, 2 * BYTES, 2 * BYTES);
		expect_same(which, O_RDWR, 0, 17, 19);
		expect_same(which, O_RDWR | O_APPEND, 99, 17, 19);
		expect_same(which, O_RDWR, 100, 0, -1);	 /* EINVAL */
		expect_same(which, O_RDONLY, 100, 0, 0); /* EBADF */
		expect_same(which, O_WRONLY, 100, 0, 0);
	}
}

Test(skyguest, errors_are_the_plain_calls)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	for (int which = 0; which < CALLS; which++) {
		cr_expect_eq(classed(which, -1, parts, 10, 0, 7), -1);
		cr_expect_eq(errno, EBADF);
		cr_expect_eq(classed(which, some_file(), NULL, 10, 0, 7), -1);
		cr_expect_eq(errno, EFAULT);
	}
	cr_expect_eq(ipwrite(ends[1], "a", 1, 0, 7), -1);
	cr_expect_eq(errno, ESPIPE);
	cr_expect_eq(iwritev(ends[1], parts, -1, 7), -1);
	cr_expect_eq(errno, EINVAL);
}

Test(skyguest, what_is_no_class_is_refused_before_the_call)
{
	static char buffer[100];

	for (int which = 0; which < CALLS; which++) {
		int fd = some_file();

		for (unsigned i = 0; i < 3; i++) {
			cr_expect_eq(
				classed(which, fd, buffer, 10, 0, (unsigned[]){32, 255, -1}[i]),
				-1);
			cr_expect_eq(errno, EINVAL);
		}
		cr_expect_eq(lseek(fd, 0, SEEK_CUR), 0);
		cr_expect_eq(lseek(fd, 0, SEEK_END), BYTES);
		close(fd);
	}
}

Test(skyguest, a_call_that_succeeds_leaves_errno_alone)
{
	errno = ENOTTY;
	cr_expect_eq(iwrite(some_file(), "a", 1, 0), 1);
	cr_expect_eq(errno, ENOTTY);
}

static const int numbers[CALLS] = {SYS_read,	 SYS_write, SYS_pread64,
				   SYS_pwrite64, SYS_readv, SYS_writev};

/* A plain call as libc makes it, but for what its wrappers happen to overwrite. */
static inline __attribute__((always_inline)) void bare(long number, long fd, void *at, long bytes)
{
	__asm__ volatile("syscall"
			 : "+a"(number)
			 : "D"(fd), "S"(at), "d"(bytes)
			 : "rcx", "r11", "memory");
}

/* Each call with a class, then the plain one. */
static void calls_of_child(void)
{
	static char buffer[10];
	int fd = memfd_create("file", 0);

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (int which = 0; which < CALLS; which++) {
		classed(which, fd, buffer, sizeof(buffer), 5, 20 + which);
		bare(numbers[which], fd, buffer, sizeof(buffer));
	}
	_exit(0);
}

/* The next call of a stopped child; false if it ended. */
static bool next_call(pid_t pid, struct __ptrace_syscall_info *info)
{
	int status;

	do {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			return false;
		cr_assert(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), info) > 0);
	} while (info->op != PTRACE_SYSCALL_INFO_ENTRY);
	return true;
}

Test(skyguest, the_class_is_with_its_call_and_with_no_other)
{
	struct __ptrace_syscall_info info;
	pid_t pid = fork();
	unsigned calls = 0;

	if (!pid)
		calls_of_child();
	cr_assert(pid > 0);
	waitpid(pid, NULL, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	while (next_call(pid, &info)) {
		struct event entry;
		unsigned which = calls / 2;

		if (which == CALLS || (int)info.entry.nr != numbers[which])
			continue;
		event_init(&entry, EVENT_ENTRY);
		entry.entry.number = info.entry.nr;
		for (int i = 0; i < 6; i++)
			entry.entry.argument[i] = info.entry.args[i];
		cr_expect_eq(entry_class(&entry.entry), calls % 2 ? CLASS_UNDECIDED : 20 + which,
			     "call %u", calls);
		for (int i = 0; i < 6 && calls % 2; i++)
			cr_expect_neq(info.entry.args[i], SKYGUEST_MAGIC, "call %u", calls);
		calls++;
	}
	cr_expect_eq(calls, 2 * CALLS);
}

static uint8_t class_in(enum abi abi, enum call call, unsigned at, uint64_t number)
{
	uint64_t argument[6] = {0};

	argument[at] = CLASS_MAGIC;
	argument[at + 1] = number;
	return call_class(abi, call, argument);
}

Test(skyguest, a_class_stands_behind_the_calls_own_arguments)
{
	static const enum call three[] = {CALL_read, CALL_write, CALL_readv, CALL_writev};
	static const enum call four[] = {CALL_pread64, CALL_pwrite64};

	_Static_assert(CLASS_MAGIC == SKYGUEST_MAGIC, "the library's magic is the recorders'");
	_Static_assert(CLASS_COUNT == SKYGUEST_CLASSES, "and so are its classes");
	for (int abi = ABI_LINUX64; abi <= ABI_FREEBSD64; abi++) {
		for (unsigned i = 0; i < 4; i++) {
			cr_expect_eq(class_in(abi, three[i], 3, 31), 31);
			cr_expect_eq(class_in(abi, three[i], 3, 32), CLASS_OUT_OF_RANGE);
			cr_expect_eq(class_in(abi, three[i], 4, 7), CLASS_UNDECIDED);
		}
		for (unsigned i = 0; i < 2; i++) {
			cr_expect_eq(class_in(abi, four[i], 4, 0), 0);
			cr_expect_eq(class_in(abi, four[i], 4, UINT64_MAX), CLASS_OUT_OF_RANGE);
			cr_expect_eq(class_in(abi, four[i], 3, 7), CLASS_UNDECIDED);
		}
		for (int call = CALL_NONE; call < CALL_COUNT; call++)
			for (unsigned at = 0; at < 5 && !call_magic_argument(abi, call); at++)
				cr_expect_eq(class_in(abi, call, at, 7), CLASS_UNDECIDED);
	}
}

Test(skyguest, the_text_form_names_the_class_and_loses_nothing)
{
	static const uint64_t numbers[] = {0, 7, 31, 32, UINT64_MAX};
	int fd = memfd_create("text", 0);
	struct event event, got;
	struct source *source;
	struct sink *sink = text_create(dup(fd), "text");
	char text[4096];
	ssize_t bytes;

	for (unsigned i = 0; i < 5; i++) {
		event_init(&event, EVENT_ENTRY);
		event.seq = i + 1;
		event.entry.number = i % 2 ? SYS_pwrite64 : SYS_write;
		event.entry.argument[i % 2 ? 4 : 3] = CLASS_MAGIC;
		event.entry.argument[i % 2 ? 5 : 4] = numbers[i];
		cr_assert_eq(sink_write(sink, &event, 1), 0);
	}
	sink_commit(sink);
	bytes = pread(fd, text, sizeof(text) - 1, 0);
	text[bytes > 0 ? bytes : 0] = '\0';
	cr_expect(strstr(text, " class=7"), "%s", text);
	cr_expect_null(strstr(text, "arg"), "%s", text);
	lseek(fd, 0, SEEK_SET);
	source = text_open(fd, "text");
	for (unsigned i = 0; i < 5; i++) {
		cr_assert_eq(source_read(source, &got, 1), 1);
		cr_expect_eq(got.entry.argument[i % 2 ? 4 : 3], CLASS_MAGIC);
		cr_expect_eq(got.entry.argument[i % 2 ? 5 : 4], numbers[i]);
	}
	source_close(source);
}
