// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hostile SECONDS SEED: what a guest can think of to harm its host and its recorder. Processes
 * that have no rights in the guest ask to be recorded and then make calls, of all numbers, with
 * pointers to nowhere, lengths of 2^63, structures full of such, with the recorder's own magic
 * number everywhere; they fork, execute, map, trace each other, and ask the recorder for more.
 * They live for a second or two; what they do follows from the seed, if not when.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../kernel/sky_hypercall.h"

#define PROCESSES  8 /* of the first generation */
#define NOBODY	   65534
#define AREA	   0x500000000000ull
#define AREA_BYTES (64 * 4096ull)
#define HOLE_BYTES (8 * 4096ull) /* in the middle */
#define FILES	   24
#define COUNT(a)   (sizeof(a) / sizeof(*(a)))

static uint64_t state;
/* Calls, in all processes. */
static uint64_t *calls_made;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t limit)
{
	return draw() % limit;
}

static const char *const paths[] = {"/tmp/hostile-1",
				    "/tmp/hostile-2",
				    "/mnt/hostile-3",
				    "/proc/self/exe",
				    "/proc/self/mem",
				    "/proc/self/maps",
				    "/dev/zero",
				    "/dev/null",
				    "/",
				    "..",
				    "",
				    "/proc/self/fd/4",
				    "/dev/full"};

/* An address in the area: its begin, somewhere, its end, the hole. */
static uint64_t address(void)
{
	static const uint64_t places[] = {0,
					  8,
					  AREA_BYTES / 2 - HOLE_BYTES / 2 - 8,
					  AREA_BYTES / 2 - 16,
					  AREA_BYTES - 8,
					  AREA_BYTES - 4095,
					  AREA_BYTES - 1};

	return AREA + (below(2) ? places[below(COUNT(places))] : below(AREA_BYTES));
}

static uint64_t value(void)
{
	static const uint64_t special[] = {0,
					   1,
					   2,
					   ~0ull,
					   ~0ull - 1,
					   1ull << 63,
					   (1ull << 63) - 1,
					   1ull << 47,
					   (1ull << 47) - 4096,
					   1ull << 48,
					   0xffff800000000000ull,
					   0xffffffff81000000ull,
					   0xffffffffff600000ull,
					   1ull << 31,
					   1ull << 32,
					   0xffffffffull,
					   0x7ffff000,
					   4096,
					   4095,
					   8192,
					   SKY_HYPERCALL,
					   SKY_HYPERCALL + 1,
					   (uint64_t)AT_FDCWD,
					   1024,
					   1025,
					   0x5555555555555555ull};

	switch (below(8)) {
	case 0:
		return draw();
	case 1:
	case 2:
		return special[below(COUNT(special))];
	case 3:
		return below(FILES);
	case 4:
		return below(100000);
	case 5:
		return 1ull << below(64);
	default:
		return address();
	}
}

/* No errno: the thread pointer may be anything by now. */
static long raw(int way, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long result = number;

	switch (way) {
	case 0:
		__asm__ volatile("int $0x80"
				 : "+a"(result), "+r"(r8), "+r"(r9), "+r"(r10)
				 : "D"(a), "S"(b), "d"(c), "b"(a), "c"(b)
				 : "r11", "memory");
		break;
	case 1:
		__asm__ volatile(".byte 0x66, 0x48, 0x0f, 0x05"
				 : "+a"(result)
				 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
				 : "rcx", "r11", "memory");
		break;
	case 2: /* another stack, for the time of the call */
		__asm__ volatile("mov %%rsp, %%rbx; mov %6, %%rsp; syscall; mov %%rbx, %%rsp"
				 : "+a"(result)
				 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
				 : "rcx", "r11", "rbx", "memory");
		break;
	case 3: /* with the trap flag */
		__asm__ volatile("sub $128, %%rsp; pushfq; orl $0x100, (%%rsp); popfq; syscall\n"
				 "pushfq; andl $~0x100, (%%rsp); popfq; add $128, %%rsp"
				 : "+a"(result)
				 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
				 : "rcx", "r11", "memory");
		break;
	default:
		__asm__ volatile("syscall"
				 : "+a"(result)
				 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
				 : "rcx", "r11", "memory");
		break;
	}
	return result;
}

static int any_way(void)
{
	return below(16);
}

static void ask(uint64_t number, uint64_t what, uint64_t pid, uint64_t tid)
{
	__asm__ volatile("vmmcall" : "+a"(number) : "b"(what), "c"(pid), "d"(tid) : "memory");
}

static void fill_area(void)
{
	uint64_t *words = (uint64_t *)AREA;

	for (uint64_t i = 0; i < AREA_BYTES / 8; i++) {
		uint64_t at = i * 8;

		if (at >= AREA_BYTES / 2 - HOLE_BYTES / 2 && at < AREA_BYTES / 2 + HOLE_BYTES / 2)
			continue;
		words[i] = value();
	}
	for (unsigned int i = 0; i < COUNT(paths); i++)
		strcpy((char *)AREA + 4096 + i * 64, paths[i]);
}

static uint64_t path(void)
{
	return below(4) ? AREA + 4096 + below(COUNT(paths)) * 64 : value();
}

static void make_area(void)
{
	raw(9, SYS_mmap, AREA, AREA_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	raw(9, SYS_munmap, AREA + AREA_BYTES / 2 - HOLE_BYTES / 2, HOLE_BYTES, 0, 0, 0, 0);
	fill_area();
}

/* --- what they do */

static void any_call(void)
{
	raw(any_way(), below(10) ? below(460) : value(), value(), value(), value(), value(),
	    value(), value());
}

static void data_call(void)
{
	static const short numbers[] = {
		SYS_read,      SYS_write,	    SYS_pread64,     SYS_pwrite64,	  SYS_lseek,
		SYS_ftruncate, SYS_sendfile,	    SYS_splice,	     SYS_copy_file_range, SYS_dup2,
		SYS_dup3,      SYS_fcntl,	    SYS_close_range, SYS_getdents64,	  SYS_fsync,
		SYS_fallocate, SYS_sync_file_range, SYS_close};
	uint64_t number = numbers[below(COUNT(numbers))];

	raw(any_way(), number, below(FILES), value(), below(3) ? below(200000) : value(), value(),
	    value(), value());
}

static void vector_call(void)
{
	static const short numbers[] = {SYS_readv,    SYS_writev,	   SYS_preadv,
					SYS_pwritev,  SYS_preadv2,	   SYS_pwritev2,
					SYS_vmsplice, SYS_process_vm_readv};
	static const uint64_t counts[] = {0,	      1,	  8,	      1024, 1025,
					  1ull << 31, 1ull << 60, 1ull << 63, ~0ull};

	raw(any_way(), numbers[below(COUNT(numbers))], below(FILES), address() & ~7ull,
	    counts[below(COUNT(counts))], value(), below(2) ? 0 : value(), below(2) ? 0 : value());
}

static void open_call(void)
{
	static const short numbers[] = {SYS_openat,	SYS_openat2,	SYS_unlinkat,
					SYS_statx,	SYS_renameat2,	SYS_linkat,
					SYS_newfstatat, SYS_readlinkat, SYS_faccessat2};
	uint64_t number = numbers[below(COUNT(numbers))];

	raw(any_way(), number, below(2) ? AT_FDCWD : value(), path(),
	    number == SYS_openat
		    ? (draw() & (O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_DIRECT)) | O_NONBLOCK
		    : value(),
	    number == SYS_openat ? 0600 : path(), value(), value());
}

static void aio_call(void)
{
	static uint64_t context; /* the kernel's answer is an address */
	uint64_t *blocks = (uint64_t *)(AREA + 8192), *pointers = (uint64_t *)(AREA + 16384);

	raw(9, SYS_io_setup, 8, (uint64_t)&context, 0, 0, 0, 0);
	for (int i = 0; i < 8; i++) {
		uint64_t *block = blocks + 8 * i;

		block[0] = value();
		block[1] = 0;
		block[2] = below(10) | below(FILES) << 32; /* opcode, descriptor */
		block[3] = value();
		block[4] = value();
		block[5] = below(2) ? below(1 << 20) : value();
		block[6] = 0;
		block[7] = 0;
		pointers[i] = below(8) ? (uint64_t)block : value();
	}
	raw(any_way(), SYS_io_submit, context, below(8) ? 8 : value(),
	    below(8) ? (uint64_t)pointers : value(), 0, 0, 0);
	raw(any_way(), SYS_io_getevents, below(8) ? context : value(), 0, below(4) ? 8 : value(),
	    address(), AREA + 24576, 0);
	raw(9, below(2) ? SYS_io_destroy : SYS_io_cancel, context, value(), value(), 0, 0, 0);
}

static void clone_call(void)
{
	uint64_t *arguments = (uint64_t *)(AREA + 32768);
	long result;

	switch (below(4)) {
	case 0:
		result = raw(9, SYS_fork, 0, 0, 0, 0, 0, 0);
		break;
	case 1:
		result = raw(any_way(), SYS_clone, (draw() & ~0xffull) | SIGCHLD, value(), value(),
			     value(), value(), 0);
		break;
	case 2: /* what may well work */
		result = raw(9, SYS_clone,
			     (draw() & (CLONE_FILES | CLONE_FS | CLONE_PARENT | CLONE_SETTLS)) |
				     SIGCHLD,
			     0, 0, 0, value(), 0);
		break;
	default:
		for (int i = 0; i < 11; i++)
			arguments[i] = below(3) ? 0 : value();
		result = raw(any_way(), SYS_clone3, (uint64_t)arguments, below(2) ? 88 : value(), 0,
			     0, 0, 0);
	}
	if (!result)
		state ^= 0x9e3779b97f4a7c15ull; /* a child goes another way */
	if (!result && !below(3))
		raw(9, SYS_exit_group, draw(), 0, 0, 0, 0, 0);
}

static void execute(void)
{
	uint64_t *arguments = (uint64_t *)(AREA + 36864);
	uint64_t number = draw() & 0xffffff;
	char *text = (char *)(arguments + 8);

	if (below(20)) {
		raw(any_way(), below(2) ? SYS_execve : SYS_execveat, path(), value(), value(),
		    value(), value(), 0);
		return;
	}
	strcpy(text, "kid");
	for (int i = 0; i < 8; i++, number /= 10)
		text[15 - i] = (char)('0' + number % 10);
	text[16] = 0;
	arguments[0] = (uint64_t)text;
	arguments[1] = (uint64_t)(text + 8);
	arguments[2] = 0;
	raw(9, SYS_execve, (uint64_t) "/proc/self/exe", (uint64_t)arguments, 0, 0, 0, 0);
}

static void process_call(void)
{
	static const short codes[] = {0x1001, 0x1002, 0x1003, 0x1004,
				      0x1011, 0x1012, 0x2001, 0x1022};

	switch (below(6)) {
	case 0:
		raw(any_way(), SYS_prctl, below(70), value(), value(), value(), value(), 0);
		break;
	case 1:
		raw(any_way(), SYS_arch_prctl, codes[below(COUNT(codes))], value(), 0, 0, 0, 0);
		break;
	case 2:
		raw(any_way(), SYS_ptrace, below(2) ? below(0x20) : 0x4200 + below(0x20),
		    below(400), value(), value(), 0, 0);
		break;
	case 3:
		raw(any_way(), SYS_seccomp, below(4), value(), value(), 0, 0, 0);
		break;
	case 4:
		raw(any_way(), SYS_sigaltstack, value(), value(), 0, 0, 0, 0);
		break;
	default:
		raw(any_way(), SYS_rt_sigaction, below(65), value(), value(), 8, 0, 0);
	}
}

static void map_call(void)
{
	static const short numbers[] = {SYS_munmap,  SYS_mprotect,	  SYS_madvise,
					SYS_mremap,  SYS_msync,		  SYS_mlock,
					SYS_mincore, SYS_remap_file_pages};

	if (below(2))
		raw(any_way(), SYS_mmap, below(2) ? 0 : value(),
		    below(3) ? below(1 << 20) : value(), below(8), draw() & 0x3f,
		    below(2) ? -1 : below(FILES), below(2) ? 0 : value());
	else
		raw(any_way(), numbers[below(COUNT(numbers))], address() & ~4095ull,
		    below(4) ? 4096 * below(4) : value(), value(), value(), value(), 0);
}

static void storm(void)
{
	for (uint64_t i = below(50); i; i--)
		ask(below(3) ? SKY_HYPERCALL : value(), below(2) ? below(4) : value(), value(),
		    value());
}

static void (*const deeds[])(void) = {any_call,	 any_call,   any_call,	  data_call,
				      data_call, data_call,  vector_call, vector_call,
				      open_call, open_call,  aio_call,	  process_call,
				      map_call,	 clone_call, execute,	  storm};

static void *again[5];
static uint64_t thread_pointer;
static char handlers_stack[65536] __attribute__((aligned(16)));

static void on_alarm(int number)
{
}

/* What was wrong is given up, and the next deed begins: with the thread pointer that there was. */
static void on_fault(int number)
{
	raw(9, SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, thread_pointer, 0, 0, 0, 0);
	__builtin_longjmp(again, 1);
}

static void handle(int number, void (*handler)(int))
{
	const struct sigaction action = {.sa_handler = handler,
					 .sa_flags = SA_ONSTACK | SA_NODEFER};

	sigaction(number, &action, NULL);
}

/* Calls that wait are interrupted; whoever goes down goes down. */
static void limit(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGSYS, SIGFPE};
	const struct itimerval often = {.it_interval.tv_usec = 20000, .it_value.tv_usec = 20000};
	const stack_t stack = {.ss_sp = handlers_stack, .ss_size = sizeof(handlers_stack)};
	const struct rlimit rights[][2] = {{{RLIMIT_AS}, {160 << 20, 160 << 20}},
					   {{RLIMIT_FSIZE}, {1 << 20, 1 << 20}},
					   {{RLIMIT_NPROC}, {48, 48}},
					   {{RLIMIT_CORE}, {0, 0}}};

	for (unsigned int i = 0; i < COUNT(rights); i++)
		setrlimit((int)rights[i][0].rlim_cur, &rights[i][1]);
	for (int number = 1; number < 32; number++)
		if (number != SIGCHLD) /* which would reap children */
			signal(number, SIG_IGN);
	raw(9, SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, (uint64_t)&thread_pointer, 0, 0, 0, 0);
	sigaltstack(&stack, NULL);
	for (unsigned int i = 0; i < COUNT(faults); i++)
		handle(faults[i], on_fault);
	handle(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void open_files(void)
{
	int ends[2];

	for (unsigned int i = 0; i < COUNT(paths); i++)
		if (open(paths[i], O_RDWR | O_CREAT | O_NONBLOCK, 0600) < 0)
			open(paths[i], O_RDONLY | O_NONBLOCK);
	if (!pipe2(ends, O_NONBLOCK))
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
}

static void kid(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ull + 1;
	if (!calls_made)
		calls_made =
			mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	limit();
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	open_files();
	make_area();
	ask(SKY_HYPERCALL, SKY_ASK_BEGIN, below(2) ? (uint64_t)getpid() : 0,
	    below(2) ? (uint64_t)getpid() : value());
	__builtin_setjmp(again);
	for (;;) {
		deeds[below(COUNT(deeds))]();
		__atomic_fetch_add(calls_made, 1, __ATOMIC_RELAXED);
		if (!below(500))
			make_area();
	}
}

static pid_t begin(uint64_t seed)
{
	pid_t child = fork();

	if (child)
		return child;
	if (setgid(NOBODY) || setuid(NOBODY))
		_exit(1);
	kid(seed);
	return 0;
}

/* All that they have left. */
static void sweep(void)
{
	pid_t child = fork();

	if (!child) {
		if (!setuid(NOBODY))
			kill(-1, SIGKILL);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc == 3 ? strtoull(argv[1], NULL, 10) : 0, seed, born = 0;
	time_t end = time(NULL) + (time_t)seconds;

	if (argc == 2) /* one of them has executed this */
		kid(strtoull(argv[1], NULL, 10));
	if (!seconds) {
		fprintf(stderr, "usage: hostile SECONDS SEED\n");
		return 2;
	}
	seed = strtoull(argv[2], NULL, 10);
	calls_made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (calls_made == MAP_FAILED)
		return 1;
	while (time(NULL) < end) {
		time_t until = time(NULL) + 1;

		for (int alive = 0; time(NULL) < until;) {
			while (alive < PROCESSES && begin(seed + born++) > 0)
				alive++;
			usleep(50000);
			while (waitpid(-1, NULL, WNOHANG) > 0)
				alive -= alive > 0; /* a kid may make its parent others */
		}
		sweep();
	}
	printf("hostile: seed %llu: %llu processes of the first generation, %llu deeds\n",
	       (unsigned long long)seed, (unsigned long long)born, (unsigned long long)*calls_made);
	return 0;
}
