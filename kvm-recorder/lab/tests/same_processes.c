// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * same_processes: trees of fork, vfork, clone, clone3 and posix_spawn, what a child finds in
 * its registers, programs that are executed, children that are killed at any moment.
 *
 * One of the programs whose output must not depend on whether they are recorded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITERATIONS 200

extern char **environ;

/* A fork by its bare instruction: what rcx and r11 hold after it, in parent and child. */
long marked_fork(long number, long flags, uint64_t *rcx, uint64_t *r11);
extern const char after_fork[];
__asm__(".text\n"
	"marked_fork:\n"
	"	push %r12; push %r13; mov %rdx, %r12; mov %rcx, %r13\n"
	"	mov %rdi, %rax; mov %rsi, %rdi; xor %esi, %esi; xor %edx, %edx; xor %r10d, %r10d\n"
	"	xor %r8d, %r8d\n"
	"	syscall\n"
	"after_fork:\n"
	"	mov %rcx, (%r12); mov %r11, (%r13); pop %r13; pop %r12; ret\n");

static int reaped(pid_t child)
{
	int status = -1;

	if (child < 0)
		return -errno;
	waitpid(child, &status, 0);
	return status;
}

static int reaped_any(void)
{
	int status = -1;

	wait(&status);
	return status;
}

/* What the child says of itself comes through its exit status. */
static void registers(void)
{
	for (int i = 0; i < ITERATIONS; i++) {
		uint64_t rcx = 0, r11 = 0;
		long child = i % 2 ? marked_fork(SYS_fork, 0, &rcx, &r11)
				   : marked_fork(SYS_clone, SIGCHLD, &rcx, &r11);

		if (!child)
			_exit((rcx == (uint64_t)after_fork) | (r11 >> 9 & 1) << 1 |
			      (getppid() != getpid()) << 2);
		printf("registers: parent %d%d, child %x\n", rcx == (uint64_t)after_fork,
		       (int)(r11 >> 9 & 1), reaped(child));
	}
}

/* A tree whose leaves add up. */
static int tree(int depth)
{
	int sum = 1;
	pid_t child[2];

	if (!depth)
		return 1;
	for (int i = 0; i < 2; i++) {
		child[i] = fork();
		if (!child[i])
			_exit(tree(depth - 1));
	}
	for (int i = 0; i < 2; i++)
		sum += WEXITSTATUS(reaped(child[i]));
	return sum;
}

static volatile int shared;

/* vfork: the child runs on its parent's stack, in its memory. */
static void vforks(void)
{
	char *const arguments[] = {"same_processes", "child", "7", NULL};

	for (int i = 0; i < ITERATIONS; i++) {
		pid_t child = vfork();

		if (!child) {
			shared = i;
			if (i % 10 == 0)
				execv("/proc/self/exe", arguments);
			if (i % 10 == 1)
				execv("/nowhere", arguments);
			_exit(i & 127);
		}
		printf("vfork %x, told %d\n", reaped(child), shared);
	}
}

static int on_own_stack(void *argument)
{
	shared = *(int *)argument;
	return close(open("/dev/null", O_RDWR)) ? 99 : 5;
}

static void clones(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	for (int i = 0; i < ITERATIONS; i++) {
		const int flags[] = {SIGCHLD, CLONE_VM | SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD,
				     CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD,
				     CLONE_FILES | SIGCHLD};
		int status = reaped(clone(on_own_stack, stack + sizeof(stack), flags[i % 5], &i));

		printf("clone %x, told %d\n", status, shared == i);
	}
}

static void clone3s(void)
{
	for (int i = 0; i < ITERATIONS; i++) {
		struct clone_args arguments = {.exit_signal = SIGCHLD};
		long child;

		if (i % 4 == 3)
			arguments.flags = CLONE_PIDFD; /* to nowhere: it fails */
		if (i % 4 == 2)
			arguments.flags = ~0ull;
		child = syscall(SYS_clone3, &arguments, i % 4 == 1 ? 64 : sizeof(arguments));
		if (!child)
			_exit(i & 63);
		printf("clone3 %x\n", reaped(child));
	}
}

static void spawns(void)
{
	for (int i = 0; i < ITERATIONS / 4; i++) {
		char number[8];
		char *arguments[] = {"same_processes", "child", number, NULL};
		pid_t child = -1;
		int error;

		snprintf(number, sizeof(number), "%d", i);
		error = posix_spawn(&child, i % 5 ? "/proc/self/exe" : "/nowhere", NULL, NULL,
				    arguments, environ);
		printf("spawn %d %x\n", error, error ? 0 : reaped(child));
	}
}

/* Killed before it runs, while it does, in a call, and by its own hand. */
static void kills(void)
{
	for (int i = 0; i < ITERATIONS; i++) {
		pid_t child = fork();

		if (!child) {
			if (i % 4 == 1)
				raise(SIGKILL);
			if (i % 4 == 2)
				for (;;)
					getppid();
			for (;;)
				pause();
		}
		if (i % 4 >= 2)
			usleep(i * 10);
		kill(child, SIGKILL);
		printf("killed %x\n", reaped(child));
	}
}

/* A pipeline of processes that hand a number on. */
static void pipeline(void)
{
	for (int i = 0; i < ITERATIONS / 10; i++) {
		int in = -1, number = i, status = 0;

		for (int stage = 0; stage < 5; stage++) {
			int ends[2];

			if (pipe(ends))
				exit(1);
			if (!fork()) {
				if (in >= 0 && read(in, &number, sizeof(number)) != sizeof(number))
					_exit(1);
				number = number * 3 + stage;
				_exit(write(ends[1], &number, sizeof(number)) != sizeof(number));
			}
			close(ends[1]);
			if (in >= 0)
				close(in);
			in = ends[0];
		}
		if (read(in, &number, sizeof(number)) != sizeof(number))
			number = -1;
		close(in);
		for (int stage = 0; stage < 5; stage++)
			status |= reaped_any();
		printf("pipeline %d %x\n", number, status);
	}
}

/* The executed program: its argument is its status. */
static int child_main(char **argv)
{
	char line[256] = "";
	int file = open("/proc/self/comm", O_RDONLY);
	ssize_t bytes = read(file, line, sizeof(line) - 1);

	return bytes < 0 || (strncmp(line, "exe", 3) && strncmp(line, "same_proc", 9))
		       ? 99
		       : atoi(argv[2]);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "child"))
		return child_main(argv);
	setvbuf(stdout, NULL, _IOLBF, 0); /* children must not inherit what is not written yet */
	registers();
	for (int i = 0; i < ITERATIONS / 20; i++)
		printf("tree %d\n", tree(3));
	vforks();
	clones();
	clone3s();
	spawns();
	kills();
	pipeline();
	return 0;
}
