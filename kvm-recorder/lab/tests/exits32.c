// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls of a 32-bit program: by `int 0x80`, and as the kernel's own page
 * (AT_SYSINFO) makes them, by SYSCALL on AMD's processors. It has no library, and ends with
 * the number of the step that went wrong; 0: all is well.
 *
 * Each way makes 20 calls of getppid, 20 reads of a pipe, of which each fifth is
 * interrupted by a signal and made anew by the kernel, and 5 children.
 */
#define CALLS 20

enum { EXIT = 1, FORK, READ, WRITE, CLOSE = 6, GETPID = 20, KILL = 37, PIPE = 42, GETPPID = 64, WAITPID = 7,
       SIGACTION = 67, NANOSLEEP = 162 };
enum { SIGALRM = 14, SA_RESTART = 0x10000000 };
enum { AT_NULL, AT_SYSINFO = 32 };

struct timespec {
	long seconds, nanoseconds;
};

struct sigaction {
	void (*handler)(int);
	unsigned long mask, flags;
	void *restorer;
};

typedef long (*caller)(long number, long a, long b, long c);

static void *kernel_entry;
static volatile int alarms;

static long by_int80(long number, long a, long b, long c)
{
	long result;

	asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

static long by_page(long number, long a, long b, long c)
{
	long result;

	asm volatile("call *%[entry]"
		     : "=a"(result)
		     : "a"(number), "b"(a), "c"(b), "d"(c), [entry] "m"(kernel_entry)
		     : "memory");
	return result;
}

static void handler(int signal)
{
	alarms++;
}

static int reads_are_right(caller call)
{
	struct sigaction action = {.handler = handler, .flags = SA_RESTART};
	struct timespec later = {0, 40000000};
	long child = 0, parent = call(GETPID, 0, 0, 0);
	int ends[2], i;
	char byte;

	if (call(PIPE, (long)ends, 0, 0) || call(SIGACTION, SIGALRM, (long)&action, 0))
		return 0;
	for (i = 0; i < CALLS; i++) {
		int before = alarms;

		if (i % 5 == 0) {
			child = call(FORK, 0, 0, 0);
			if (child < 0)
				return 0;
			if (!child) {
				call(NANOSLEEP, (long)&later, 0, 0);
				call(KILL, parent, SIGALRM, 0);
				call(NANOSLEEP, (long)&later, 0, 0);
				byte = i;
				call(EXIT, call(WRITE, ends[1], (long)&byte, 1) != 1, 0, 0);
			}
		} else {
			byte = i;
			if (call(WRITE, ends[1], (long)&byte, 1) != 1)
				return 0;
		}
		byte = 0;
		if (call(READ, ends[0], (long)&byte, 1) != 1 || byte != i)
			return 0;
		if (i % 5 == 0 && (alarms == before || call(WAITPID, child, 0, 0) != child))
			return 0;
	}
	return !call(CLOSE, ends[0], 0, 0) && !call(CLOSE, ends[1], 0, 0);
}

static int children_are_right(caller call)
{
	int i, status;

	for (i = 0; i < 5; i++) {
		long parent = call(GETPID, 0, 0, 0), child = call(FORK, 0, 0, 0);

		if (!child)
			call(EXIT, call(GETPPID, 0, 0, 0) == parent ? i : 99, 0, 0);
		if (child < 0 || call(WAITPID, child, (long)&status, 0) != child || status != i << 8)
			return 0;
	}
	return 1;
}

static int check(caller call)
{
	long parent = call(GETPPID, 0, 0, 0);
	int i;

	for (i = 0; i < CALLS; i++)
		if (call(GETPPID, 0, 0, 0) != parent)
			return 1;
	if (!reads_are_right(call))
		return 2;
	return children_are_right(call) ? 0 : 3;
}

static int run(const long *stack)
{
	const long *word = stack + 1 + stack[0] + 1;
	int step = check(by_int80);

	while (*word++)
		;
	for (; word[0] != AT_NULL; word += 2)
		if (word[0] == AT_SYSINFO)
			kernel_entry = (void *)word[1];
	if (step)
		return step;
	if (!kernel_entry)
		return 10;
	step = check(by_page);
	return step ? 10 + step : 0;
}

__attribute__((used)) void begin(const long *stack)
{
	by_int80(EXIT, run(stack), 0, 0);
}

asm(".globl _start\n_start: mov %esp, %eax\n push %eax\n call begin\n");
