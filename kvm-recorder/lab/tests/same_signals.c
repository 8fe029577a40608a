// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * same_signals: handlers in handlers and on another stack, calls that are restarted or
 * interrupted, jumps out of handlers, what a handler is told of the registers, a program
 * that steps itself, and calls that the kernel hands back (user dispatch).
 *
 * One of the programs whose output must not depend on whether they are recorded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define ITERATIONS 200
#define TICK_US	   1000

/* A call whose places are known, with three arguments. */
long marked_call(long number, long a, long b, long c);
extern const char after_call[];
__asm__(".text\n"
	"marked_call:\n"
	"	mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx\n"
	"	syscall\n"
	"after_call:\n"
	"	ret\n");

/* One of 100 bytes at an offset, with known values in all that calls change or don't use. */
long shown_call(long number, long file, char *buffer, long offset);
extern const char shown_syscall[], after_shown[];
__asm__(".text\n"
	"shown_call:\n"
	"	mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %r10; mov $100, %edx\n"
	"	mov $0x8888, %r8d; mov $0x9999, %r9d; mov $0xcccc, %ecx; mov $0x1111, %r11d\n"
	"shown_syscall:\n"
	"	syscall\n"
	"after_shown:\n"
	"	ret\n");

/* Makes two calls and a few other instructions with the trap flag set. */
void stepped(void);
extern const char step_begin[];
__asm__(".text\n"
	"stepped:\n"
	"	pushfq; orl $0x100, (%rsp); popfq\n"
	"step_begin:\n"
	"	nop; mov $39, %eax; syscall; nop; mov $-1, %eax; syscall\n"
	"	pushfq; andl $~0x100, (%rsp); popfq; ret\n");

static int pipe_fds[2];
static volatile int fired, ticking;
static sigjmp_buf back;

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

	sigaction(number, &action, NULL);
}

static void tick(void)
{
	const struct itimerval soon = {.it_value.tv_usec = TICK_US};

	setitimer(ITIMER_REAL, &soon, NULL);
}

static void tick_off(void)
{
	const struct itimerval never = {0};

	ticking = 0;
	setitimer(ITIMER_REAL, &never, NULL);
}

/* --- handlers in handlers */

static char trail[16];

static void on_nested(int number, siginfo_t *info, void *context)
{
	char digit[] = {(char)('0' + number - SIGRTMIN), 0};

	strcat(trail, digit);
	if (number < SIGRTMIN + 3)
		raise(number + 1);
	strcat(trail, digit);
}

static void nested(void)
{
	for (int i = 0; i < 4; i++)
		install(SIGRTMIN + i, on_nested, 0);
	for (int i = 0; i < ITERATIONS; i++) {
		trail[0] = 0;
		raise(SIGRTMIN);
		printf("nested %s\n", trail);
	}
}

/* --- calls that a signal interrupts */

/* The third signal lets the read that all of them interrupt succeed. */
static void on_restart(int number, siginfo_t *info, void *context)
{
	if (++fired < 3)
		tick();
	else if (write(pipe_fds[1], "x", 1) != 1)
		abort();
}

static void restart(void)
{
	char byte;

	install(SIGALRM, on_restart, SA_RESTART);
	for (int i = 0; i < ITERATIONS; i++) {
		ssize_t got;

		fired = 0;
		tick();
		got = read(pipe_fds[0], &byte, 1);
		printf("restart %zd after %d\n", got, fired);
	}
}

static void on_tick(int number, siginfo_t *info, void *context)
{
	if (ticking)
		tick(); /* it may have come before the call */
}

static void interrupted(void)
{
	const struct timespec long_time = {.tv_sec = 1000};
	char byte;

	install(SIGALRM, on_tick, 0);
	for (int i = 0; i < ITERATIONS; i++) {
		ssize_t got;

		ticking = 1;
		tick();
		got = read(pipe_fds[0], &byte, 1);
		printf("interrupted read %zd %s\n", got, strerrorname_np(errno));
		got = nanosleep(&long_time, NULL);
		printf("interrupted sleep %zd %s\n", got, strerrorname_np(errno));
		tick_off();
	}
}

/* A sleep that goes on after a stop (restart_syscall). */
static void stopped(void)
{
	const struct timespec some_time = {.tv_nsec = 3000000};

	for (int i = 0; i < ITERATIONS; i++) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child)
			_exit(nanosleep(&some_time, NULL) ? 1 : 42);
		usleep(500);
		kill(child, SIGSTOP);
		waitpid(child, &status, WUNTRACED);
		if (WIFSTOPPED(status)) {
			kill(child, SIGCONT);
			waitpid(child, &status, 0);
		}
		printf("stopped sleep %d\n", WEXITSTATUS(status));
	}
}

/* --- another stack */

static char other_stack[65536] __attribute__((aligned(16)));

static void on_other_stack(int number, siginfo_t *info, void *context)
{
	char here;

	printf("stack %s, pid %s\n",
	       &here >= other_stack && &here < other_stack + sizeof(other_stack) ? "other" : "own",
	       getpid() == info->si_pid ? "right" : "wrong");
}

static void stacks(void)
{
	stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};

	install(SIGUSR1, on_other_stack, SA_ONSTACK);
	install(SIGUSR2, on_other_stack, 0);
	for (int i = 0; i < ITERATIONS; i++) {
		stack.ss_flags = 0;
		sigaltstack(&stack, NULL);
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGUSR2);
		stack.ss_flags = SS_DISABLE;
		sigaltstack(&stack, NULL);
		kill(getpid(), SIGUSR1);
	}
}

/* --- jumps out of handlers */

static void on_jump(int number, siginfo_t *info, void *context)
{
	siglongjmp(back, 1);
}

/* Always the same place and stack: the call that was left must not be taken for the next one. */
static void jumps(void)
{
	char byte;

	install(SIGALRM, on_jump, SA_NODEFER);
	for (int i = 0; i < ITERATIONS; i++) {
		int zero;

		if (!sigsetjmp(back, 1)) {
			tick();
			read(pipe_fds[0], &byte, 1);
		}
		zero = open("/dev/zero", O_RDONLY);
		printf("jump %zd\n", read(zero, &byte, 1));
		close(zero);
	}
}

/* --- what a handler sees and changes */

static void on_frame(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	printf("frame %s: rip %lld rcx %lld rax %lld flags^r11 %llx\n", strsignal(number),
	       registers[REG_RIP] - (greg_t)after_call, registers[REG_RCX] - (greg_t)after_call,
	       registers[REG_RAX], (registers[REG_EFL] ^ registers[REG_R11]) & ~0x10000ll);
	registers[REG_RAX] = 4711;
}

static void frames(void)
{
	sigset_t set, none;

	install(SIGUSR1, on_frame, 0);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (int i = 0; i < ITERATIONS; i++) {
		printf("frame gave %ld\n", marked_call(SYS_kill, getpid(), SIGUSR1, 0));
		sigprocmask(SIG_BLOCK, &set, NULL);
		kill(getpid(), SIGUSR1);
		printf("frame gave %ld\n", marked_call(SYS_rt_sigsuspend, (long)&none, 8, 0));
		sigprocmask(SIG_UNBLOCK, &set, NULL);
	}
}

/* --- signals at any moment */

static volatile int storms;

static void on_storm(int number, siginfo_t *info, void *context)
{
	storms++;
	getppid();
}

/* Each call is of a file that was opened just before. */
static void storm(void)
{
	const struct itimerval often = {.it_value.tv_usec = 2000, .it_interval.tv_usec = 2000};
	int rounds = 0, wrong = 0;
	char byte;

	install(SIGALRM, on_storm, SA_RESTART);
	setitimer(ITIMER_REAL, &often, NULL);
	while (rounds < ITERATIONS || storms < ITERATIONS) {
		int zero = open("/dev/zero", O_RDONLY);

		byte = 1;
		wrong += marked_call(SYS_read, zero, (long)&byte, 1) != 1 || byte;
		wrong += marked_call(SYS_lseek, zero, 0, SEEK_SET) != 0;
		wrong += close(zero) != 0;
		rounds++;
	}
	tick_off();
	printf("storm: %d calls wrong\n", wrong);
}

/* --- what a handler sees of a call that is about to be made, or has returned */

#define SHOWN_BYTES 100
static char shown_data[SHOWN_BYTES];
static volatile int shown_file, shown_at, shown_wrong;

static int is_shown(const greg_t *registers)
{
	return registers[REG_RDI] == shown_file && registers[REG_RSI] == (greg_t)shown_data &&
	       registers[REG_RDX] == SHOWN_BYTES && registers[REG_R10] == shown_at &&
	       registers[REG_R8] == 0x8888 && registers[REG_R9] == 0x9999;
}

static void on_shown(int number, siginfo_t *info, void *context)
{
	const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	storms++;
	if (registers[REG_RIP] == (greg_t)shown_syscall)
		shown_wrong +=
			!is_shown(registers) || registers[REG_RCX] != 0xcccc ||
			registers[REG_R11] != 0x1111 ||
			(registers[REG_RAX] != SYS_pread64 && registers[REG_RAX] != SYS_pwrite64);
	else if (registers[REG_RIP] == (greg_t)after_shown)
		shown_wrong += !is_shown(registers) || registers[REG_RAX] != SHOWN_BYTES ||
			       registers[REG_RCX] != (greg_t)after_shown;
}

/* Parts of chunks of a file: there is much to be asked before and after such calls. */
static void shown(void)
{
	const struct itimerval often = {.it_value.tv_usec = 2000, .it_interval.tv_usec = 2000};
	char path[] = "/tmp/shownXXXXXX";
	int failed = 0;

	shown_file = mkstemp(path);
	unlink(path);
	failed += ftruncate(shown_file, 1 << 20) != 0;
	install(SIGALRM, on_shown, SA_RESTART);
	storms = 0;
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < ITERATIONS || storms < ITERATIONS; i++) {
		shown_at = i % 200 * 5000 + 10;
		failed += shown_call(SYS_pwrite64, shown_file, shown_data, shown_at) != SHOWN_BYTES;
		failed += shown_call(SYS_pread64, shown_file, shown_data, shown_at) != SHOWN_BYTES;
	}
	tick_off();
	close(shown_file);
	printf("shown: %d frames wrong, %d calls failed\n", shown_wrong, failed);
}

/* --- a program that steps itself */

static volatile int steps;
static volatile long step_at[32];

static void on_step(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (steps < 32)
		step_at[steps++] = registers[REG_RIP] - (greg_t)step_begin;
}

static void steps_of_itself(void)
{
	install(SIGTRAP, on_step, 0);
	for (int i = 0; i < ITERATIONS; i++) {
		steps = 0;
		stepped();
		printf("steps");
		for (int step = 0; step < steps; step++)
			printf(" %ld", step_at[step]);
		printf("\n");
	}
}

/* --- calls that the kernel hands back */

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
static volatile char selector;

static void on_dispatch(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	selector = 0; /* allow */
	printf("dispatch of %d at %lld: rip %lld rax %lld\n", info->si_syscall,
	       (greg_t)info->si_call_addr - (greg_t)after_call,
	       registers[REG_RIP] - (greg_t)after_call, registers[REG_RAX]);
	registers[REG_RAX] = 4711;
}

static void dispatch(void)
{
	char byte;

	install(SIGSYS, on_dispatch, 0);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector)) {
		printf("no dispatch\n");
		return;
	}
	for (int i = 0; i < ITERATIONS; i++) {
		int zero = open("/dev/zero", O_RDONLY);
		long got;

		selector = 1; /* block */
		got = marked_call(SYS_read, zero, (long)&byte, 1);
		selector = 0;
		printf("dispatch gave %ld\n", got);
		close(zero);
	}
}

int main(void)
{
	if (pipe(pipe_fds))
		return 1;
	nested();
	restart();
	interrupted();
	stopped();
	stacks();
	jumps();
	frames();
	storm();
	shown();
	steps_of_itself();
	dispatch();
	return 0;
}
