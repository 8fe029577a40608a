// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What runs in the guest: the first process has a child that is recorded, and one that isn't,
 * and switches the machine off when both have ended. Each step of the recorded one
 * looks at all that FreeBSD says of results and registers; the first thing that is not as
 * it should be ends it, with the line's number as its status (modulo 256).
 */
#include <stdbool.h>
#include <stddef.h>

#include "numbers.h"
#include "sky_hypercall.h"

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define PAGE	     4096ull
#define PIECE	     (16 * PAGE)
#define THREADS	     4
#define THREAD_PAGES 12
#define REQUESTS     8
#define CARRY	     1
#define EBADF	     9
#define ENOENT	     2
#define EINVAL	     22
#define EFAULT	     14
#define EINPROGRESS  36
#define ENOSYS	     78

struct result {
	u64 value, second;
	bool failed;
};

/* What a thread finds at FS. */
struct tls {
	struct tls *self;
	u64 number;
	volatile u64 ended;
	u64 tid;
	u8 *data;
};

#define EXPECT(condition)                                       \
	do {                                                    \
		if (!(condition))                               \
			call(CALL_exit, __LINE__ % 255 + 1);    \
	} while (0)

#define call(...)			      call_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define call_(number, a, b, c, d, e, f, ...) \
	call_6(number, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))

/* FreeBSD leaves the first arguments' registers as they are, but for a second result in rdx. */
static struct result call_6(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	u64 first = a, second = b, third = c, saved = number ^ a ^ 0x5ca1ab1e, kept = saved;
	struct result result;

	asm volatile("syscall\n\tsetc %b[failed]"
		     : "+a"(number), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8), "+r"(r9),
		       "+b"(kept), [failed] "=&r"(result.failed)
		     : : "rcx", "r11", "memory");
	if (a != first || b != second || kept != saved || (c != third && c > 1))
		asm volatile("ud2"); /* ends the machine */
	result.value = number;
	result.second = c;
	return result;
}

static bool is(struct result result, u64 value)
{
	return !result.failed && result.value == value;
}

static bool fails(struct result result, u64 error)
{
	return result.failed && result.value == error;
}

/* Content that no other place has. */
static void fill(u8 *data, u64 bytes, u64 seed)
{
	u64 *word = (u64 *)data, i;

	for (i = 0; i < bytes / sizeof(*word); i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		word[i] = seed;
	}
}

static bool holds(const u8 *data, u64 bytes, u64 seed)
{
	const u64 *word = (const u64 *)data;
	u64 i;

	for (i = 0; i < bytes / sizeof(*word); i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		if (word[i] != seed)
			return false;
	}
	return true;
}

static void *memory(u64 bytes)
{
	struct result result = call(CALL_mmap, 0, bytes, 3, MAP_ANON, -1, 0);

	EXPECT(!result.failed);
	return (void *)result.value;
}

static u64 hypercall(u64 what, u64 pid, u64 tid)
{
	u64 rax = SKY_HYPERCALL;

	asm volatile("vmmcall" : "+a"(rax) : "b"(what), "c"(pid), "d"(tid) : "memory");
	return rax;
}

static bool is_virtual(void)
{
	u32 eax = 0x40000000, ebx, ecx = 0, edx;

	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return ebx == 0x4b4d564b; /* KVMK */
}

/* Waits for the recorder, and asks it to record this process. */
static void ask(void)
{
	u64 tid;

	EXPECT(is(call(CALL_thr_self, &tid), 0));
	if (!is_virtual())
		return;
	while (hypercall(SKY_ASK_PRESENT, 0, 0))
		call(CALL_sched_yield);
	EXPECT(!hypercall(SKY_ASK_BEGIN, call(CALL_getpid).value, tid));
}

static int opened(const char *name)
{
	struct result result = call(CALL_open, name, O_CREAT | O_RDWR, 0644);

	EXPECT(!result.failed);
	return result.value;
}

static void refuses(void)
{
	struct result result;
	u8 byte;

	EXPECT(fails(call(CALL_read, 30, &byte, 1), EBADF));
	EXPECT(fails(call(CALL_open, "/missing", O_RDONLY), ENOENT));
	EXPECT(fails(call(CALL_open, 0x123456789, O_RDONLY), EFAULT));
	EXPECT(fails(call(11, 0, 0), ENOSYS)); /* what once was execv */
	EXPECT(fails(call(CALL___syscall, CALL_lseek, 30, 0, 0), EBADF));
	EXPECT(fails(call(CALL_syscall, 9999), ENOSYS));
	result = call(CALL_syscall, CALL_getpid);
	EXPECT(is(result, call(CALL_getpid).value));
}

static void plain(u8 *data)
{
	int fd = opened("/plain");
	u64 i;

	for (i = 0; i < 3; i++) {
		fill(data, PIECE, 100 + i);
		EXPECT(is(call(CALL_write, fd, data, PIECE), PIECE));
	}
	fill(data, 2 * PAGE, 103);
	EXPECT(is(call(CALL_write, fd, data, PAGE + 1000), PAGE + 1000)); /* ends within a chunk */
	EXPECT(is(call(CALL_fsync, fd), 0));
	EXPECT(is(call(CALL_sync), 0));
	EXPECT(is(call(CALL_lseek, fd, 0, 0), 0));
	for (i = 0; i < 3; i++) {
		EXPECT(is(call(CALL_read, fd, data, PIECE), PIECE));
		EXPECT(holds(data, PIECE, 100 + i));
	}
	EXPECT(is(call(CALL_read, fd, data, PIECE), PAGE + 1000));
	EXPECT(is(call(CALL_close, fd), 0));
}

/* By way of the numbers that stand for others. */
static void indirect(u8 *data)
{
	struct result result;
	u64 i;
	int fd;

	result = call(CALL_syscall, CALL_open, "/indirect", O_CREAT | O_RDWR, 0644);
	EXPECT(!result.failed);
	fd = result.value;
	fill(data, 4 * PAGE, 200);
	EXPECT(is(call(CALL_syscall, CALL_write, fd, data, 4 * PAGE), 4 * PAGE));
	fill(data, 4 * PAGE, 201);
	for (i = 0; i < 4; i++)
		EXPECT(is(call(CALL___syscall, CALL_pwrite, fd, data + i * PAGE, PAGE,
			       (4 + i) * PAGE), PAGE));
	EXPECT(is(call(CALL_fsync, fd), 0));
	EXPECT(is(call(CALL_sync), 0));
	EXPECT(is(call(CALL___syscall, CALL_pread, fd, data, 4 * PAGE, 4 * PAGE), 4 * PAGE));
	EXPECT(holds(data, 4 * PAGE, 201));
	EXPECT(is(call(CALL___syscall, CALL_lseek, fd, 0, 0), 0));
	EXPECT(is(call(CALL_syscall, CALL_read, fd, data, 4 * PAGE), 4 * PAGE));
	EXPECT(holds(data, 4 * PAGE, 200));
	EXPECT(is(call(CALL_syscall, CALL_close, fd), 0));
}

/* Parts of chunks, whose rest only the guest knows. */
static void misaligned(u8 *data)
{
	int fd = opened("/misaligned");
	u64 i;

	fill(data, PIECE, 300);
	EXPECT(is(call(CALL_write, fd, data, PIECE), PIECE));
	EXPECT(is(call(CALL_fsync, fd), 0));
	EXPECT(is(call(CALL_sync), 0));
	fill(data, PAGE, 301);
	for (i = 0; i < 8; i++) {
		EXPECT(is(call(CALL_pwrite, fd, data, 700, i * 7000 + 500), 700));
		EXPECT(is(call(CALL_fsync, fd), 0));
	}
	EXPECT(is(call(CALL_close, fd), 0));
}

static void vectors(u8 *data)
{
	struct iovec vector[3] = {{(u64)data, PAGE}, {(u64)data + PAGE, 2 * PAGE},
				  {(u64)data + 3 * PAGE, PAGE}};
	int fd = opened("/vectors");

	fill(data, 4 * PAGE, 400);
	EXPECT(is(call(CALL_writev, fd, vector, 3), 4 * PAGE));
	EXPECT(is(call(CALL_fsync, fd), 0));
	EXPECT(is(call(CALL_sync), 0));
	EXPECT(is(call(CALL_lseek, fd, 0, 0), 0));
	EXPECT(is(call(CALL_readv, fd, vector, 3), 4 * PAGE));
	EXPECT(holds(data, 4 * PAGE, 400));
	EXPECT(is(call(CALL_close, fd), 0));
}

static struct tls *own(void)
{
	struct tls *self;

	asm volatile("movq %%fs:0, %0" : "=r"(self));
	return self;
}

/* So long that the timer comes. */
static void compute(u64 rounds)
{
	volatile u64 sum = 0;
	u64 i;

	for (i = 0; i < rounds; i++)
		sum += i * i;
}

static void thread_begins(struct tls *tls)
{
	char name[] = "/thread.0";
	u64 i, tid;
	int fd;

	EXPECT(own() == tls);
	EXPECT(is(call(CALL_thr_self, &tid), 0) && tid == tls->tid);
	name[8] += tls->number;
	fd = opened(name);
	for (i = 0; i < THREAD_PAGES; i++) {
		fill(tls->data, PAGE, 500 + tls->number * 100 + i);
		compute(200000);
		EXPECT(is(call(CALL_write, fd, tls->data, PAGE), PAGE));
		if (i % 3 == 2)
			EXPECT(is(call(CALL_fsync, fd), 0));
		EXPECT(own() == tls);
	}
	EXPECT(is(call(CALL_fsync, fd), 0));
	EXPECT(is(call(CALL_sync), 0));
	for (i = 0; i < THREAD_PAGES; i++) {
		EXPECT(is(call(CALL_pread, fd, tls->data, PAGE, i * PAGE), PAGE));
		EXPECT(own() == tls && holds(tls->data, PAGE, 500 + tls->number * 100 + i));
		compute(50000);
	}
	EXPECT(is(call(CALL_close, fd), 0));
	call(CALL_thr_exit, &tls->ended);
}

static void threads(void)
{
	struct tls *tls[THREADS];
	struct thr_param param = {};
	u64 i, parent_tid;

	for (i = 0; i < THREADS; i++) {
		tls[i] = memory(PAGE);
		*tls[i] = (struct tls){.self = tls[i], .number = i, .data = memory(PAGE)};
		param.start = (u64)thread_begins;
		param.argument = (u64)tls[i];
		param.stack = (u64)memory(4 * PAGE);
		param.stack_bytes = 4 * PAGE;
		param.tls = (u64)tls[i];
		param.tls_bytes = sizeof(*tls[i]);
		param.child_tid = (u64)&tls[i]->tid;
		param.parent_tid = (u64)&parent_tid;
		EXPECT(is(call(CALL_thr_new, &param, sizeof(param)), 0));
		EXPECT(parent_tid == tls[i]->tid && parent_tid > 100000);
	}
	for (i = 0; i < THREADS; i++)
		while (!tls[i]->ended)
			call(CALL_sched_yield);
}

/* All at once, of a page each; waits for each by its own block. */
static void asynchronous(u8 *data)
{
	static struct aiocb block[REQUESTS];
	int fd = opened("/asynchronous");
	struct result result;
	u64 i;

	fill(data, REQUESTS * PAGE, 600);
	for (i = 0; i < REQUESTS; i++) {
		block[i] = (struct aiocb){.fd = fd, .offset = i * PAGE,
					  .buffer = (u64)data + i * PAGE, .bytes = PAGE};
		EXPECT(is(call(CALL_aio_write, &block[i]), 0));
	}
	EXPECT(fails(call(CALL_aio_return, data), EINVAL));
	EXPECT(fails(call(CALL_aio_return, &block[REQUESTS - 1]), EINPROGRESS));
	for (i = 0; i < REQUESTS; i++) {
		while (is(call(CALL_aio_error, &block[i]), EINPROGRESS))
			call(CALL_sched_yield);
		EXPECT(is(call(CALL_aio_return, &block[i]), PAGE));
	}
	EXPECT(is(call(CALL_fsync, fd), 0));
	EXPECT(is(call(CALL_sync), 0));
	fill(data, REQUESTS * PAGE, 0);
	for (i = 0; i < REQUESTS; i++)
		EXPECT(is(call(CALL_aio_read, &block[i]), 0));
	for (i = 0; i < REQUESTS; i++) {
		struct aiocb *which = NULL;

		result = call(CALL_aio_waitcomplete, &which, 0);
		EXPECT(is(result, PAGE) && which >= block && which < block + REQUESTS);
	}
	EXPECT(holds(data, REQUESTS * PAGE, 600));
	EXPECT(is(call(CALL_close, fd), 0));
}

/* A list: single buffers, and one request of two. */
static void listed(u8 *data)
{
	static struct aiocb block[3];
	struct aiocb *list[3] = {block, block + 1, block + 2};
	struct iovec vector[2] = {{(u64)data + 2 * PAGE, PAGE}, {(u64)data + 3 * PAGE, PAGE}};
	int fd = opened("/listed");
	u64 i;

	fill(data, 4 * PAGE, 700);
	for (i = 0; i < 3; i++)
		block[i] = (struct aiocb){.fd = fd, .offset = i * PAGE, .opcode = LIO_WRITE,
					  .buffer = (u64)data + i * PAGE, .bytes = PAGE};
	block[2].opcode = 4 | LIO_WRITE;
	block[2].buffer = (u64)vector;
	block[2].bytes = 2;
	EXPECT(is(call(CALL_lio_listio, LIO_WAIT, list, 3, 0), 0));
	for (i = 0; i < 3; i++)
		EXPECT(is(call(CALL_aio_return, &block[i]), i == 2 ? 2 * PAGE : PAGE));
	EXPECT(is(call(CALL_fsync, fd), 0));
	EXPECT(is(call(CALL_sync), 0));
	fill(data, 4 * PAGE, 0);
	block[0].bytes = 2 * PAGE;
	EXPECT(is(call(CALL_aio_read, &block[0]), 0));
	EXPECT(is(call(CALL_aio_readv, &block[2]), 0));
	while (is(call(CALL_aio_error, &block[2]), EINPROGRESS))
		call(CALL_sched_yield);
	EXPECT(is(call(CALL_aio_return, &block[0]), 2 * PAGE));
	EXPECT(is(call(CALL_aio_return, &block[2]), 2 * PAGE));
	EXPECT(holds(data, 4 * PAGE, 700));
	EXPECT(is(call(CALL_close, fd), 0));
}

static void child_works(u8 *data, const char *name, u64 seed)
{
	int fd = opened(name);

	fill(data, 4 * PAGE, seed);
	EXPECT(is(call(CALL_write, fd, data, 4 * PAGE), 4 * PAGE));
	EXPECT(is(call(CALL_fsync, fd), 0));
	EXPECT(is(call(CALL_sync), 0));
	EXPECT(is(call(CALL_pread, fd, data, 4 * PAGE, 0), 4 * PAGE));
	EXPECT(holds(data, 4 * PAGE, seed));
	call(CALL_exit, 0);
}

/* The child's result is 0, with 1 in rdx; one of them by way of the indirect call. */
static void children(u8 *data)
{
	static const char *const arguments[] = {"program", "x", NULL};
	struct result result;
	u32 status = 1;

	result = call(CALL_fork);
	EXPECT(!result.failed && result.second == !result.value);
	if (!result.value)
		child_works(data, "/child.1", 800);
	EXPECT(is(call(CALL_wait4, -1, &status, 0, 0), result.value) && !status);
	result = call(CALL_syscall, CALL_fork);
	EXPECT(!result.failed && result.second == !result.value);
	if (!result.value)
		child_works(data, "/child.2", 801);
	EXPECT(is(call(CALL_wait4, -1, &status, 0, 0), result.value) && !status);
	result = call(CALL_fork);
	if (!result.value) {
		EXPECT(fails(call(CALL_execve, "/sbin/program", 8, NULL), EFAULT));
		call(CALL_execve, "/sbin/program", arguments, NULL);
	}
	EXPECT(is(call(CALL_wait4, -1, &status, 0, 0), result.value) && !status);
}

/* The new program, in the old one's page table. */
static void executed(void)
{
	struct tls *tls = memory(PAGE);
	u64 base = (u64)tls;

	EXPECT(is(call(CALL_sysarch, AMD64_SET_FSBASE, &base), 0));
	child_works(memory(PIECE), "/executed", 802);
}

/* Nobody records it. */
static void bystander(void)
{
	u64 i, pid = call(CALL_getpid).value;

	for (i = 0; i < 20000; i++)
		EXPECT(is(call(CALL_getpid), pid));
	call(CALL_exit, 0);
}

static void recorded(void)
{
	struct tls *tls = memory(PAGE);
	u8 *data = memory(PIECE);
	u64 base = (u64)tls;

	ask();
	tls->self = tls;
	EXPECT(is(call(CALL_sysarch, AMD64_SET_FSBASE, &base), 0));
	EXPECT(own() == tls);
	refuses();
	plain(data);
	indirect(data);
	misaligned(data);
	vectors(data);
	threads();
	asynchronous(data);
	listed(data);
	children(data);
	call(CALL_exit, 0);
}

static u32 child_of(void (*begin)(void))
{
	struct result result = call(CALL_fork);

	EXPECT(!result.failed);
	if (!result.value)
		begin();
	return result.value;
}

__attribute__((section(".begin"), noreturn)) void program_begins(const u64 *argument)
{
	u32 status, worst = 0, i;

	if (*argument)
		executed();
	child_of(bystander);
	child_of(recorded);
	for (i = 0; i < 2; i++) {
		EXPECT(!call(CALL_wait4, -1, &status, 0, 0).failed);
		if (status)
			worst = status >> 8;
	}
	call(CALL_reboot, worst);
	__builtin_unreachable();
}
