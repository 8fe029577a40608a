/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What insight-calls are for, a kind of I/O a subcommand; each checks that it got
 * what it would get without them, and says what is wrong.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "../../guest/skyguest.h"

#define CHUNK  4096
#define CHUNKS 32

static void fill(char *buffer, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		buffer[i] = (seed = seed * 1664525 + 1013904223) >> 24;
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void write_at(int fd, const void *buffer, size_t bytes, off_t offset)
{
	if (pwrite(fd, buffer, bytes, offset) != (ssize_t)bytes)
		err(1, "pwrite");
}

/* In the middle of every other chunk, and across the border of two. */
static void misaligned(int fd, unsigned seed)
{
	char buffer[5000];

	for (int i = 0; i < CHUNKS; i++) {
		fill(buffer, sizeof(buffer), seed + i);
		write_at(fd, buffer, i % 4 ? 100 : sizeof(buffer), i * 4l * CHUNK + 500 + i);
	}
	if (fsync(fd))
		err(1, "fsync");
}

static void parts(char **paths)
{
	int fd = open_or_die(paths[0], O_WRONLY);

	misaligned(fd, 1);
	close(fd);
	fd = open_or_die(paths[0], O_RDWR);
	misaligned(fd, 1000);
	close(fd);
	if (open_or_die("/dev/null", O_RDONLY) != fd)
		errx(1, "another descriptor is open");
}

/* Lines of a file that is there already, one after the other. */
static void lines(char **paths)
{
	int fd = open_or_die(paths[0], O_RDWR);
	char line[100];

	for (int i = 0; i < 1000; i++) {
		fill(line, sizeof(line), 7 + i);
		if (write(fd, line, sizeof(line)) != sizeof(line))
			err(1, "write");
	}
	if (fsync(fd))
		err(1, "fsync");
}

/* Of a process that has a lock nothing may be closed. */
static void locked(char **paths)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open_or_die(paths[0], O_WRONLY), status;

	if (fcntl(fd, F_SETLK, &lock))
		err(1, "F_SETLK");
	misaligned(fd, 2000);
	if (!fork()) {
		if (fcntl(fd, F_GETLK, &lock))
			err(1, "F_GETLK");
		_exit(lock.l_type == F_UNLCK);
	}
	wait(&status);
	if (status)
		errx(1, "the lock is lost");
}

/* A call that it doesn't make kills it. */
static void confined(char **paths)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsync, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	int fd = open_or_die(paths[0], O_RDWR);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		err(1, "seccomp");
	misaligned(fd, 3000);
	_exit(0);
}

/* Parts of chunks, here and there, of a file whose content is known. */
static void pieces(char **paths)
{
	int fd = open_or_die(paths[0], O_RDONLY), again = open_or_die(paths[1], O_RDONLY);
	char buffer[3][200];
	struct stat status;

	if (fstat(fd, &status))
		err(1, "fstat");
	for (off_t at = 700; at + 200 < status.st_size; at += 5 * CHUNK + 8) {
		if (pread(fd, buffer[0], 200, at) != 200 || pread(again, buffer[1], 200, at) != 200)
			err(1, "pread");
		if (memcmp(buffer[0], buffer[1], 200))
			errx(1, "it read something else at %ld", (long)at);
	}
}

static volatile sig_atomic_t ticks;

static void tick(int signal)
{
	ticks++;
}

/* Misaligned I/O under a rain of signals, whose handlers run in the midst of insight-calls. */
static void under_signals(const char *path, int flags, int times)
{
	struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
	struct itimerval timer = {{0, 2000}, {0, 2000}};
	int fd = open_or_die(path, O_RDWR | flags);
	char wrote[100], got[100];

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < times || !ticks; i++) {
		off_t at = (i % 100) * (long)CHUNK + 10 + i;

		fill(wrote, sizeof(wrote), i);
		write_at(fd, wrote, sizeof(wrote), at);
		if (pread(fd, got, sizeof(got), at) != sizeof(got) || memcmp(wrote, got, sizeof(got)))
			errx(1, "it read something else than it wrote");
	}
	timer = (struct itimerval){};
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void rain(char **paths)
{
	under_signals(paths[0], 0, 300);
}

/* The recorder goes in between: what it saw being written is on the disk by then. */
static void left(char **paths)
{
	under_signals(paths[0], O_DSYNC, 1500);
}

/* pwrite() whose places are known; what is at elsewhere gives -1 for it. */
long place_call(int fd, const void *buffer, size_t bytes, off_t offset);
extern const char place_syscall[], elsewhere[];
__asm__(".text\n"
	"place_call:\n"
	"	mov %rcx, %r10; mov $18, %eax\n"
	"place_syscall:\n"
	"	syscall; ret\n"
	"elsewhere:\n"
	"	mov $-1, %rax; ret\n");

static sigjmp_buf back;
static volatile sig_atomic_t away;

/* It has not made its call yet: maybe one of somebody else's. */
static void go_away(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (registers[REG_RIP] != (greg_t)place_syscall)
		return;
	away++;
	if (away % 2)
		siglongjmp(back, 1);
	registers[REG_RIP] = (greg_t)elsewhere;
}

/* Threads that leave insight-calls where they are leave nothing behind. */
static void jumps(char **paths)
{
	struct sigaction action = {.sa_sigaction = go_away, .sa_flags = SA_RESTART | SA_SIGINFO};
	struct itimerval timer = {{0, 1500}, {0, 1500}};
	int fd = open_or_die(paths[0], O_WRONLY);
	char wrote[100];

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (volatile int i = 0; i < 1000 && away < 60; i++) {
		fill(wrote, sizeof(wrote), i);
		if (!sigsetjmp(back, 1) &&
		    place_call(fd, wrote, sizeof(wrote), (i % 500) * (long)CHUNK + 10) == 0)
			errx(1, "it wrote nothing");
	}
	timer = (struct itimerval){};
	setitimer(ITIMER_REAL, &timer, NULL);
	if (open_or_die("/dev/null", O_RDONLY) != fd + 1)
		errx(1, "another descriptor is open");
	misaligned(fd, 7000);
}

/* Calls of a class, and the same registers without the magic. */
static void classed(char **paths)
{
	int fd = open_or_die(paths[0], O_WRONLY | O_CREAT | O_TRUNC);
	char buffer[2 * CHUNK];

	for (int i = 0; i < CHUNKS; i++) {
		fill(buffer, sizeof(buffer), 6000 + i);
		if (syscall(SYS_write, fd, buffer, sizeof(buffer), SKYGUEST_MAGIC + i % 2, 7) !=
		    sizeof(buffer))
			err(1, "write");
	}
	if (fsync(fd))
		err(1, "fsync");
}

/* A file to another one, and to a pipe, and a part of it to another place. */
static void copies(char **paths)
{
	int from = open_or_die(paths[0], O_RDONLY), pipes[2];
	int to = open_or_die(paths[1], O_RDWR | O_CREAT | O_TRUNC);
	int part = open_or_die(paths[2], O_RDWR);
	loff_t in = 100, out = 9000;
	struct stat status;
	ssize_t got;

	if (fstat(from, &status) || pipe(pipes))
		err(1, "fstat");
	for (off_t left = status.st_size; left; left -= got) {
		got = sendfile(to, from, NULL, left);
		if (got <= 0)
			err(1, "sendfile");
	}
	if (copy_file_range(from, &in, part, &out, 50000, 0) != 50000 || in != 50100)
		err(1, "copy_file_range");
	in = 8192;
	if (splice(from, &in, pipes[1], NULL, 20000, 0) != 20000)
		err(1, "splice");
	if (fsync(to) || fsync(part))
		err(1, "fsync");
}

/* What begins the memory that a context's number is the address of. */
struct ring {
	unsigned id, events;
	volatile unsigned head, tail;
	unsigned magic, compatible, incompatible, header_bytes;
	struct io_event event[];
};

/* Requests to libaio's context of which no call tells that they are done. */
static void reap(aio_context_t context, int count)
{
	struct ring *ring = (struct ring *)context;

	while (count) {
		while (ring->head == ring->tail)
			usleep(1000);
		if (ring->event[ring->head].res != 2 * CHUNK)
			errx(1, "a request gave %lld", (long long)ring->event[ring->head].res);
		__sync_synchronize();
		ring->head = (ring->head + 1) % ring->events;
		count--;
	}
}

static void submit(aio_context_t context, int fd, int opcode, char *buffer)
{
	struct iocb block[CHUNKS] = {}, *blocks[CHUNKS];

	for (int i = 0; i < CHUNKS; i++) {
		block[i] = (struct iocb){.aio_fildes = fd,
					 .aio_lio_opcode = opcode,
					 .aio_buf = (uintptr_t)(buffer + i * 2l * CHUNK),
					 .aio_nbytes = 2 * CHUNK,
					 .aio_offset = i * 3l * CHUNK};
		blocks[i] = &block[i];
	}
	if (syscall(SYS_io_submit, context, CHUNKS, blocks) != CHUNKS)
		err(1, "io_submit");
}

static void asynchronous(char **paths)
{
	int fd = open_or_die(paths[0], O_RDWR | O_DIRECT), known = open_or_die(paths[1], O_RDONLY);
	char *buffer = aligned_alloc(CHUNK, 2 * CHUNKS * CHUNK), right[2 * CHUNK];
	struct io_event events[CHUNKS];
	aio_context_t context = 0;

	if (!buffer || syscall(SYS_io_setup, CHUNKS, &context))
		err(1, "io_setup");
	submit(context, fd, IOCB_CMD_PREAD, buffer);
	reap(context, CHUNKS);
	for (int i = 0; i < CHUNKS; i++)
		if (pread(known, right, sizeof(right), i * 3l * CHUNK) != sizeof(right) ||
		    memcmp(right, buffer + i * sizeof(right), sizeof(right)))
			errx(1, "it read something else");
	fill(buffer, 2 * CHUNKS * CHUNK, 4000);
	submit(context, fd, IOCB_CMD_PWRITE, buffer);
	if (syscall(SYS_io_getevents, context, 5, 5, events, NULL) != 5)
		err(1, "io_getevents");
	reap(context, CHUNKS - 5);
	if (syscall(SYS_io_destroy, context))
		err(1, "io_destroy");
}

/* As much of io_uring as it takes. */
struct uring {
	int fd;
	struct io_uring_params params;
	char *ring;
	struct io_uring_sqe *requests;
};

static volatile unsigned *word(struct uring *uring, unsigned at)
{
	return (volatile unsigned *)(uring->ring + at);
}

static void uring_make(struct uring *uring, unsigned flags)
{
	struct io_uring_params *params = &uring->params;
	size_t bytes;

	*params = (struct io_uring_params){.flags = flags};
	uring->fd = syscall(SYS_io_uring_setup, CHUNKS, params);
	if (uring->fd < 0)
		err(1, "io_uring_setup");
	if (!(params->features & IORING_FEAT_SINGLE_MMAP))
		errx(1, "its rings are apart");
	bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	uring->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			   uring->fd, IORING_OFF_SQ_RING);
	uring->requests = mmap(NULL, params->sq_entries * sizeof(struct io_uring_sqe),
			       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, uring->fd,
			       IORING_OFF_SQES);
	if (uring->ring == MAP_FAILED || uring->requests == MAP_FAILED)
		err(1, "mmap");
}

static void uring_run(struct uring *uring, int fd, unsigned char opcode, char *buffer)
{
	const struct io_uring_params *params = &uring->params;
	unsigned tail = *word(uring, params->sq_off.tail), head;

	for (unsigned i = 0; i < CHUNKS; i++, tail++) {
		unsigned at = tail & (params->sq_entries - 1);

		uring->requests[at] = (struct io_uring_sqe){.opcode = opcode,
							    .fd = fd,
							    .off = i * 3l * CHUNK,
							    .addr = (uintptr_t)(buffer + i * 2l * CHUNK),
							    .len = 2 * CHUNK,
							    .user_data = 100 * opcode + i};
		*word(uring, params->sq_off.array + at * sizeof(unsigned)) = at;
	}
	__sync_synchronize();
	*word(uring, params->sq_off.tail) = tail;
	if (syscall(SYS_io_uring_enter, uring->fd, CHUNKS, CHUNKS, IORING_ENTER_GETEVENTS, NULL, 0) !=
	    CHUNKS)
		err(1, "io_uring_enter");
	for (head = *word(uring, params->cq_off.head); head != *word(uring, params->cq_off.tail);
	     head++) {
		struct io_uring_cqe *done = (struct io_uring_cqe *)(uring->ring + params->cq_off.cqes) +
					    (head & (params->cq_entries - 1));

		if (done->res != 2 * CHUNK)
			errx(1, "a request gave %d", done->res);
	}
	*word(uring, params->cq_off.head) = head;
}

static void uring(char **paths)
{
	int fd = open_or_die(paths[0], O_RDWR), known = open_or_die(paths[1], O_RDONLY);
	char *buffer = aligned_alloc(CHUNK, 2 * CHUNKS * CHUNK), right[2 * CHUNK];
	struct uring uring;

	if (!buffer)
		err(1, "memory");
	uring_make(&uring, 0);
	uring_run(&uring, fd, IORING_OP_READ, buffer);
	for (int i = 0; i < CHUNKS; i++)
		if (pread(known, right, sizeof(right), i * 3l * CHUNK) != sizeof(right) ||
		    memcmp(right, buffer + i * sizeof(right), sizeof(right)))
			errx(1, "it read something else");
	fill(buffer, 2 * CHUNKS * CHUNK, 5000);
	uring_run(&uring, fd, IORING_OP_WRITE, buffer);
	if (fsync(fd))
		err(1, "fsync");
}

/* The kernel looks for requests by itself. */
static void polled(char **paths)
{
	struct uring uring;

	uring_make(&uring, IORING_SETUP_SQPOLL);
}

static const struct {
	const char *name;
	void (*run)(char **paths);
} kinds[] = {
	{"parts", parts}, {"lines", lines}, {"locked", locked}, {"confined", confined},
	{"pieces", pieces}, {"rain", rain}, {"jumps", jumps}, {"copies", copies},
	{"left", left}, {"classed", classed}, {"asynchronous", asynchronous}, {"uring", uring}, {"polled", polled},
};

int main(int count, char **arguments)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (count < 3 || strcmp(arguments[1], kinds[i].name))
			continue;
		kinds[i].run(arguments + 2);
		return 0;
	}
	errx(2, "usage: insights KIND FILE...");
}
