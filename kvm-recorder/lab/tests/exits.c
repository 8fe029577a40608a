// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls that end in all the ways there are, each of which checks that it got the right
 * result: by SYSRET, by IRET after a signal, made anew, left by siglongjmp(), of children
 * that begin, and by `int 0x80`. It prints a line for each step that went wrong, and at
 * the end how many calls of which kind the recorder must know of.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define ROUNDS	  20
#define THREADS	  8
#define PLAIN	  200
#define I386_GETPID 20
#define I386_READ   3
#define I386_GETPPID 64

static sigjmp_buf back;
static volatile int *signals; /* in memory that children share */
static volatile int seen_at_call, seen_behind_call;
static int wrong;

static void expect(int holds, const char *what)
{
	if (holds)
		return;
	printf("exits: wrong: %s (errno %d)\n", what, errno);
	wrong = 1;
}

/* A handler finds the address behind the call, or that of the call where it is made anew. */
static void handler(int number, siginfo_t *info, void *context)
{
	const ucontext_t *at = context;
	const uint8_t *code = (const uint8_t *)at->uc_mcontext.gregs[REG_RIP];

	++*signals;
	seen_at_call += code[0] == 0x0f && code[1] == 0x05;
	seen_behind_call += code[-2] == 0x0f && code[-1] == 0x05;
}

static void jumper(int number)
{
	siglongjmp(back, 1);
}

static void on_signal(int number, int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

	sigaction(number, &action, NULL);
}

/* Until the process waits in the call: the host may be slow, and time says nothing. */
static void until_it_waits_in(pid_t process, long call)
{
	char path[64];
	long number;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", process);
	do {
		usleep(5000);
		file = fopen(path, "r");
		if (!file || fscanf(file, "%ld", &number) != 1)
			number = -1;
	} while (file && !fclose(file) && number != call);
}

/* A child that interrupts its parent's call by a signal. */
static pid_t interrupter(long call)
{
	pid_t parent = getpid(), child = fork();

	if (child)
		return child;
	until_it_waits_in(parent, call);
	_exit(kill(parent, SIGALRM) != 0);
}

/* ... and writes a byte to the pipe once it waits again. */
static pid_t writer(long call, const int *ends, char byte)
{
	pid_t parent = getpid(), child;
	int before = *signals;

	child = fork();
	if (child)
		return child;
	until_it_waits_in(parent, call);
	if (kill(parent, SIGALRM))
		_exit(1);
	while (*signals == before)
		usleep(1000);
	until_it_waits_in(parent, call);
	_exit(write(ends[1], &byte, 1) != 1);
}

static int ended_with(pid_t child, int status)
{
	int got = -1;

	return waitpid(child, &got, 0) == child && WIFEXITED(got) && WEXITSTATUS(got) == status;
}

static void plain(void)
{
	long parent = syscall(SYS_getppid);
	int i, ends[2];
	char out[64], in[64];

	for (i = 0; i < PLAIN; i++)
		expect(syscall(SYS_getppid) == parent, "getppid");
	expect(!pipe(ends), "pipe");
	for (i = 0; i < PLAIN; i++) {
		memset(out, i, sizeof(out));
		expect(write(ends[1], out, sizeof(out)) == sizeof(out), "write");
		expect(read(ends[0], in, sizeof(in)) == sizeof(in) && !memcmp(in, out, sizeof(in)), "read");
	}
	errno = 0;
	expect(read(-1, in, 1) == -1 && errno == EBADF, "an error");
	close(ends[0]);
	close(ends[1]);
}

/* Reads that a signal interrupts: the kernel makes them anew, or they fail. */
static void restarted(int flags)
{
	int ends[2], i, before;
	pid_t child;
	ssize_t got;
	char byte;

	expect(!pipe(ends), "pipe");
	on_signal(SIGALRM, flags);
	seen_at_call = 0;
	seen_behind_call = 0;
	for (i = 0; i < ROUNDS; i++) {
		before = *signals;
		child = writer(SYS_read, ends, i);
		byte = -1;
		errno = 0;
		got = read(ends[0], &byte, 1);
		if (got == -1 && errno == EINTR && !flags)
			got = read(ends[0], &byte, 1);
		expect(got == 1 && byte == i, "a read that a signal interrupts");
		expect(ended_with(child, 0), "who wrote for it");
		expect(*signals > before, "its signal");
	}
	expect(flags ? seen_at_call : seen_behind_call, "what its signal handler sees");
	expect(!(flags ? seen_behind_call : seen_at_call), "what its signal handler doesn't see");
	close(ends[0]);
	close(ends[1]);
}

/* A sleep that a stop interrupts goes on by restart_syscall. */
static void stopped(void)
{
	const struct timespec time = {.tv_nsec = 500000000};
	int i, status;
	pid_t child;

	for (i = 0; i < 3; i++) {
		child = fork();
		if (!child)
			_exit(nanosleep(&time, NULL) != 0);
		until_it_waits_in(child, SYS_clock_nanosleep);
		kill(child, SIGSTOP);
		expect(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "a stop");
		kill(child, SIGCONT);
		expect(ended_with(child, 0), "a sleep that was stopped");
	}
}

static void jumps(void)
{
	struct sigaction action = {.sa_handler = jumper};
	volatile int i, jumped = 0;
	volatile pid_t child;
	int ends[2];
	char byte;

	expect(!pipe(ends), "pipe");
	sigaction(SIGALRM, &action, NULL);
	for (i = 0; i < ROUNDS; i++) {
		if (sigsetjmp(back, 1)) {
			jumped++;
			expect(ended_with(child, 0), "who interrupts it");
			continue;
		}
		child = interrupter(SYS_read);
		if (read(ends[0], &byte, 1) >= 0)
			break;
	}
	expect(jumped == ROUNDS, "siglongjmp");
	close(ends[0]);
	close(ends[1]);
}

static void children(void)
{
	static const char self[] = "/proc/self/exe";
	char *const words[] = {"exits", "child", NULL};
	pid_t child;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pid_t parent = getpid();

		child = fork();
		if (!child)
			_exit(getppid() == parent ? i : 99);
		expect(ended_with(child, i), "fork");
	}
	for (i = 0; i < 5; i++) {
		child = vfork();
		if (!child) {
			execv(self, words);
			_exit(99);
		}
		expect(ended_with(child, 7), "vfork and exec");
		expect(!posix_spawn(&child, self, NULL, NULL, words, environ) && ended_with(child, 7),
		       "posix_spawn");
	}
}

/* More places that calls are made at than there are debug registers. */
static void *blocked(void *which)
{
	struct pollfd none = {.fd = -1};
	struct timespec long_time = {.tv_sec = 100};
	struct epoll_event event;
	int ends[2], epoll;
	sigset_t set;
	char byte;
	long rc = 0;

	errno = 0;
	switch ((intptr_t)which) {
	case 0:
		rc = pipe(ends) ? 0 : read(ends[0], &byte, 1);
		break;
	case 1:
		rc = poll(&none, 1, 100000);
		break;
	case 2:
		rc = syscall(SYS_nanosleep, &long_time, NULL);
		break;
	case 3:
		epoll = epoll_create1(0);
		rc = epoll_wait(epoll, &event, 1, 100000);
		break;
	case 4:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		rc = sigtimedwait(&set, NULL, &long_time);
		break;
	case 5:
		rc = pause();
		break;
	case 6:
		sigemptyset(&set);
		rc = sigsuspend(&set);
		break;
	case 7:
		rc = select(0, NULL, NULL, NULL, NULL);
		break;
	}
	return (void *)(intptr_t)(rc == -1 && errno == EINTR);
}

static void threads(void)
{
	pthread_t thread[THREADS];
	struct timespec deadline;
	void *interrupted;
	int round, i, rc;

	on_signal(SIGUSR1, 0);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < THREADS; i++)
			expect(!pthread_create(thread + i, NULL, blocked, (void *)(intptr_t)i), "a thread");
		usleep(20000);
		for (i = 0; i < THREADS; i++) {
			do { /* until it was in its call */
				pthread_kill(thread[i], SIGUSR1);
				clock_gettime(CLOCK_REALTIME, &deadline);
				deadline.tv_sec += 1;
				rc = pthread_timedjoin_np(thread[i], &interrupted, &deadline);
			} while (rc == ETIMEDOUT);
			expect(!rc && interrupted, "a thread's call that a signal interrupts");
		}
	}
}

static long int80(long number, long a, long b, long c)
{
	long result;

	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(number), "b"(a), "c"(b), "d"(c)
		     : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void old_calls(void)
{
	char *byte = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long number = getpid(), parent = getppid();
	int i, ends[2], before;
	pid_t child;

	expect(byte != MAP_FAILED && !pipe(ends), "memory");
	for (i = 0; i < ROUNDS; i++) {
		expect(int80(I386_GETPID, 0, 0, 0) == number, "int 0x80");
		expect(int80(I386_GETPPID, 0, 0, 0) == parent, "int 0x80");
		expect(int80(1000000, 0, 0, 0) == -ENOSYS, "int 0x80 of no call");
	}
	on_signal(SIGALRM, SA_RESTART);
	for (i = 0; i < 5; i++) {
		before = *signals;
		child = writer(I386_READ, ends, i);
		*byte = -1;
		expect(int80(I386_READ, ends[0], (long)byte, 1) == 1 && *byte == i,
		       "a read by int 0x80 that a signal interrupts");
		expect(ended_with(child, 0), "who wrote for it");
		expect(*signals > before, "its signal");
	}
	expect(write(ends[1], byte, 1) == 1, "write");
	expect(int80(I386_READ, ends[0], 8, 1) == -EFAULT, "a read by int 0x80 to nowhere");
}

/* Another number than that of calls: the kernel answers with a fault. */
static void other_interrupt(void)
{
	struct sigaction action = {.sa_handler = jumper};

	sigaction(SIGSEGV, &action, NULL);
	if (!sigsetjmp(back, 1)) {
		asm volatile("int $0x81" ::: "memory");
		expect(0, "int 0x81 is a fault");
	}
	signal(SIGSEGV, SIG_DFL);
}

/* A tracer sees the registers as they would be without Sky, and each call twice. */
static void traced(void)
{
	struct user_regs_struct regs;
	int stops = 0, right = 0, status;
	pid_t child = fork();
	uint16_t code;

	if (!child) {
		int i;

		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (i = 0; i < ROUNDS; i++)
			syscall(SYS_getppid);
		_exit(3);
	}
	waitpid(child, &status, 0);
	for (;;) {
		ptrace(PTRACE_SYSCALL, child, 0, 0);
		if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
			break;
		ptrace(PTRACE_GETREGS, child, 0, &regs);
		if (regs.orig_rax != SYS_getppid)
			continue;
		code = ptrace(PTRACE_PEEKTEXT, child, regs.rip - 2, 0);
		stops++;
		right += code == 0x050f && regs.rcx == regs.rip;
	}
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 3, "a traced child's end");
	expect(stops == 2 * ROUNDS && right == stops, "what a tracer sees");
}

static int parent_id;

__attribute__((noinline)) static void broken_at(int which)
{
	expect(syscall(SYS_getppid) == parent_id, "a call of a process with breakpoints");
	asm volatile("" ::"r"(which));
}

__attribute__((noinline)) static void broken_at_too(int which)
{
	asm volatile("nop" ::"r"(which));
}

/* What a debugger in the guest puts into the debug registers works as ever. */
static void breakpoints(void)
{
	const uintptr_t place[] = {(uintptr_t)broken_at, (uintptr_t)broken_at_too};
	int hits[2] = {}, i, status, bad = 0;
	struct user_regs_struct regs;
	pid_t child;

	parent_id = getpid();
	child = fork();
	if (!child) {
		wrong = 0;
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (i = 0; i < ROUNDS; i++) {
			broken_at(i);
			broken_at_too(i);
			kill(getpid(), SIGCONT); /* and back to it by IRET */
		}
		_exit(wrong);
	}
	waitpid(child, &status, 0);
	for (i = 0; i < 2; i++)
		bad |= ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[i]), place[i]) != 0;
	bad |= ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 1 | 4) != 0;
	expect(!bad && ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg[1]), 0) == place[1],
	       "debug registers");
	while (!ptrace(PTRACE_CONT, child, 0, 0) && waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) != SIGTRAP)
			continue;
		ptrace(PTRACE_GETREGS, child, 0, &regs);
		for (i = 0; i < 2; i++)
			hits[i] += regs.rip == place[i];
	}
	expect(hits[0] == ROUNDS && hits[1] == ROUNDS, "breakpoints");
	expect(WIFEXITED(status) && !WEXITSTATUS(status), "a process with breakpoints");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "child"))
		return 7;
	signals = mmap(NULL, sizeof(*signals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (signals == MAP_FAILED)
		return 1;
	plain();
	restarted(SA_RESTART);
	restarted(0);
	stopped();
	jumps();
	children();
	threads();
	old_calls();
	other_interrupt();
	traced();
	breakpoints();
	printf("exits: status %d\n", wrong);
	return wrong;
}
