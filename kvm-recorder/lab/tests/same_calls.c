// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * same_calls: what system calls leave in the registers, and what EFER is meanwhile.
 *
 * One of the programs whose output must not depend on whether they are recorded: it
 * holds no number of a process and no address that another run could have elsewhere.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ITERATIONS 200
#define MSR_EFER   0xc0000080
/* Those that a program may set: all but TF, and NT, AC and ID. */
#define FLAGS	   0x244cd5ull

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, FLAGS_REGISTER,
       CS, SS, REGISTERS };
static const char *const names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp",   "r8", "r9",
				    "r10", "r11", "r12", "r13", "r14", "r15", "flags", "cs", "ss"};

/* Makes a call with these registers, and stores what they are after it. */
void call_with(uint64_t *registers);
extern const char after_call[];
__asm__(".text\n"
	"call_with:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; pushfq\n"
	"	push %rdi\n"
	"	mov %rdi, %rax; pushq 120(%rax); popfq\n"
	"	mov 8(%rax), %rbx; mov 16(%rax), %rcx; mov 24(%rax), %rdx; mov 32(%rax), %rsi\n"
	"	mov 40(%rax), %rdi; mov 48(%rax), %rbp; mov 56(%rax), %r8; mov 64(%rax), %r9\n"
	"	mov 72(%rax), %r10; mov 80(%rax), %r11; mov 88(%rax), %r12; mov 96(%rax), %r13\n"
	"	mov 104(%rax), %r14; mov 112(%rax), %r15; mov (%rax), %rax\n"
	"	syscall\n"
	"after_call:\n"
	"	push %rax; pushfq; mov 16(%rsp), %rax; popq 120(%rax); popq (%rax)\n"
	"	mov %rbx, 8(%rax); mov %rcx, 16(%rax); mov %rdx, 24(%rax); mov %rsi, 32(%rax)\n"
	"	mov %rdi, 40(%rax); mov %rbp, 48(%rax); mov %r8, 56(%rax); mov %r9, 64(%rax)\n"
	"	mov %r10, 72(%rax); mov %r11, 80(%rax); mov %r12, 88(%rax); mov %r13, 96(%rax)\n"
	"	mov %r14, 104(%rax); mov %r15, 112(%rax)\n"
	"	xor %ecx, %ecx; mov %cs, %ecx; mov %rcx, 128(%rax); mov %ss, %ecx\n"
	"	mov %rcx, 136(%rax)\n"
	"	add $8, %rsp; popfq; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

/* What is other than before the call, but the two registers that SYSCALL itself uses. */
static void show(const char *what, const uint64_t *before, const uint64_t *after)
{
	printf("%s:", what);
	for (int i = 0; i < CS; i++) {
		if (i == RCX || i == R11 || before[i] == after[i])
			continue;
		if (i == RAX && after[i] == (uint64_t)getpid())
			printf(" rax=pid");
		else
			printf(" %s=%llx", names[i], (unsigned long long)after[i]);
	}
	printf(" rcx-return=%lld r11^flags=%llx cs=%llx ss=%llx\n",
	       (long long)(after[RCX] - (uint64_t)after_call),
	       (unsigned long long)(after[R11] ^ after[FLAGS_REGISTER]),
	       (unsigned long long)after[CS], (unsigned long long)after[SS]);
}

static void call(const char *what, int iteration, uint64_t number, uint64_t a, uint64_t b,
		 uint64_t c)
{
	uint64_t before[REGISTERS], after[REGISTERS];

	for (int i = 0; i < REGISTERS; i++)
		before[i] = 0x0101010101010101ull * (i + 1) + iteration;
	before[RAX] = number;
	before[RDI] = a;
	before[RSI] = b;
	before[RDX] = c;
	/* each of the flags is set in some iterations; bit 1 always is, and IF */
	before[FLAGS_REGISTER] = (iteration * 0x9e3779b97f4a7c15ull >> 20 & FLAGS) | 0x202;
	memcpy(after, before, sizeof(after));
	call_with(after);
	show(what, before, after);
}

/* EFER of the processor that this runs on, while it runs. */
static void efer(int processor)
{
	unsigned long long value = 0;
	cpu_set_t one;
	char path[32];
	int fd;

	CPU_ZERO(&one);
	CPU_SET(processor, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return;
	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", processor);
	fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, &value, sizeof(value), MSR_EFER) != sizeof(value))
		printf("efer of %d: %s\n", processor, strerror(errno));
	else
		printf("efer of %d: %llx, SCE %llu\n", processor, value, value & 1);
	close(fd);
}

int main(void)
{
	char letters[64] = "";
	int null = open("/dev/null", O_WRONLY);

	for (int i = 0; i < ITERATIONS; i++) {
		int zero = open("/dev/zero", O_RDONLY); /* a file that nobody was told of */

		call("read", i, 0, zero, (uint64_t)letters, sizeof(letters));
		call("lseek", i, 8, zero, 0, 0);
		close(zero);
		call("getpid", i, 39, 1, 2, 3);
		call("write", i, 1, null, (uint64_t)letters, i % sizeof(letters));
		call("write from nowhere", i, 1, null, 1ull << 63, ~0ull);
		call("no such call", i, 1000 + i, 1, 2, 3);
		call("-1", i, -1ull, 1, 2, 3);
		call("number above 32 bits", i, 1ull << 32 | 39, 1, 2, 3);
	}
	for (int i = 0; i < ITERATIONS; i++)
		efer(i % (int)sysconf(_SC_NPROCESSORS_ONLN));
	return 0;
}
