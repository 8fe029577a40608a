// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * same_steps: a tracer and what it is shown of its child's registers, instruction by
 * instruction, call by call, and in calls that wait; what it changes there; and what
 * /proc tells of a call that waits.
 *
 * One of the programs whose output must not depend on whether they are recorded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITERATIONS 200

/* The child's program: forever, a few calls. It has no address that could differ. */
extern const char child_begin[], child_end[], child_wait[];
void child_program(int fd);
__asm__(".text\n"
	"child_program:\n"
	"	mov %edi, %r12d\n"
	"child_begin:\n"
	"	mov $39, %eax; syscall\n"   /* getpid */
	"	mov $1000, %eax; syscall\n" /* no such call */
	"	mov $8, %eax; mov %r12d, %edi; xor %esi, %esi; xor %edx, %edx; syscall\n" /* lseek */
	"	stc; pushfq; popfq; mov $102, %eax; syscall\n" /* getuid */
	"	clc; jmp child_begin\n"
	"child_wait:\n"
	"	mov $34, %eax; syscall\n" /* pause */
	"	jmp child_wait\n"
	"child_end:\n");

static pid_t child;

/* A register's value, as it would be in another run. */
static const char *told(unsigned long long value)
{
	static char texts[16][32];
	static int next;
	char *text = texts[next++ % 16];

	if (value >= (uintptr_t)child_begin && value <= (uintptr_t)child_end)
		snprintf(text, 32, "@%lld", value - (uintptr_t)child_begin);
	else if (value == (unsigned long long)child)
		snprintf(text, 32, "child");
	else
		snprintf(text, 32, "%lld", value);
	return text;
}

static void show(const char *what)
{
	struct user_regs_struct registers;

	ptrace(PTRACE_GETREGS, child, NULL, &registers);
	printf("%s: rip %s rcx %s r11 %llx rax %s orig_rax %s flags %llx cs %llx ss %llx\n", what,
	       told(registers.rip), told(registers.rcx), registers.r11, told(registers.rax),
	       told(registers.orig_rax), registers.eflags, registers.cs, registers.ss);
}

static void change(unsigned long long number, unsigned long long rax, long long rip)
{
	struct user_regs_struct registers;

	ptrace(PTRACE_GETREGS, child, NULL, &registers);
	registers.orig_rax = number;
	registers.rax = rax;
	registers.rip += rip;
	ptrace(PTRACE_SETREGS, child, NULL, &registers);
}

/* Until the next stop; its signal, with 0x80 for a system call's. */
static int next_stop(enum __ptrace_request how, int deliver)
{
	int status = 0;

	ptrace(how, child, NULL, deliver);
	waitpid(child, &status, __WALL);
	return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

static void begin(int traced)
{
	int status;

	fflush(stdout);
	child = fork();
	if (!child) {
		int zero = open("/dev/zero", O_RDONLY);

		if (traced) {
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			raise(SIGSTOP);
			child_program(zero);
		}
		__asm__ volatile("jmp child_wait");
	}
	if (!traced)
		return;
	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
}

static void end(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, __WALL);
}

/* What lies between raise() and the program is the C library's. */
static void go_to_program(void)
{
	struct user_regs_struct registers;

	do {
		next_stop(PTRACE_SINGLESTEP, 0);
		ptrace(PTRACE_GETREGS, child, NULL, &registers);
	} while (registers.rip != (uintptr_t)child_begin);
}

static void steps(void)
{
	begin(1);
	go_to_program();
	for (int i = 0; i < ITERATIONS; i++) {
		int got = next_stop(PTRACE_SINGLESTEP, 0);

		printf("%d ", got);
		show("step");
	}
	end();
}

static void calls(void)
{
	begin(1);
	go_to_program();
	for (int i = 0; i < ITERATIONS; i++) {
		int got = next_stop(PTRACE_SYSCALL, 0);

		printf("%d ", got);
		show(i % 2 ? "exit" : "entry");
	}
	end();
}

/* Steps and calls in turn: a step out of a call, a call out of a step. */
static void both(void)
{
	begin(1);
	go_to_program();
	for (int i = 0; i < ITERATIONS; i++) {
		int got =
			next_stop(i % 5 == 2 || i % 5 == 3 ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, 0);

		printf("%d ", got);
		show("both");
	}
	end();
}

/* The tracer gives calls another number, skips them, gives another result, goes elsewhere. */
static void changes(void)
{
	begin(1);
	go_to_program();
	for (int i = 0; i < ITERATIONS; i++) {
		next_stop(PTRACE_SYSCALL, 0);
		show("before change");
		if (i % 5 == 1)
			change(SYS_getppid, -ENOSYS, 0);
		else if (i % 5 == 2)
			change(-1, 4711, 0);
		next_stop(PTRACE_SYSCALL, 0);
		if (i % 5 == 1)
			change(-1, 1, 0); /* the parent's number */
		else if (i % 5 == 3)
			change(-1, 4712, 0);
		else if (i % 5 == 4)
			change(-1, 39, -2); /* the instruction once more, as getpid */
		show("after change");
		if (i % 5 == 4) {
			next_stop(PTRACE_SYSCALL, 0);
			show("again");
			next_stop(PTRACE_SYSCALL, 0);
			show("again");
		}
	}
	end();
}

/* Waits until the child waits in its call for good, as /proc sees it. */
static int waits(char *line, int room)
{
	int tries, seen = 0;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/syscall", child);
	for (tries = 0; tries < 5000; tries++) {
		int file = open(path, O_RDONLY);
		ssize_t got = read(file, line, room - 1);

		close(file);
		line[got < 0 ? 0 : got] = 0;
		seen = strncmp(line, "34 ", 3) ? 0 : seen + 1;
		if (seen == 5)
			return 1;
		usleep(500);
	}
	return 0;
}

/* A call that waits: /proc's place of it, a tracer that comes and goes, and signals. */
static void visits(void)
{
	begin(0);
	for (int i = 0; i < ITERATIONS; i++) {
		unsigned long long place = 0;
		char line[256], *last;
		int status = 0;

		if (!waits(line, sizeof(line))) {
			printf("the child doesn't wait, but %s\n", line);
			break;
		}
		last = strrchr(line, ' ');
		sscanf(last ? last : "", "%llx", &place);
		printf("waits at %s\n", told(place));
		if (i % 2) {
			ptrace(PTRACE_ATTACH, child, NULL, NULL);
		} else {
			ptrace(PTRACE_SEIZE, child, NULL, NULL);
			ptrace(PTRACE_INTERRUPT, child, NULL, NULL);
		}
		waitpid(child, &status, __WALL);
		ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD);
		printf("%x ", status);
		show("visit");
		if (i % 4 >= 2) {
			printf("%d ", next_stop(PTRACE_SYSCALL, 0));
			show("begun again");
		}
		ptrace(PTRACE_DETACH, child, NULL, NULL);
	}
	end();
}

/* The tracer skips calls before the kernel sees them. */
static void emulates(void)
{
	begin(1);
	go_to_program();
	for (int i = 0; i < ITERATIONS; i++) {
		int got = next_stop(i % 2 ? PTRACE_SYSEMU_SINGLESTEP : PTRACE_SYSEMU, 0);

		printf("%d ", got);
		show("emulated");
	}
	end();
}

int main(void)
{
	steps();
	calls();
	both();
	changes();
	visits();
	emulates();
	return 0;
}
