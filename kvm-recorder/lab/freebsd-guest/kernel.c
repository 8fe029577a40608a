// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory, threads, processes, interrupts.
 *
 * A process has page tables of its own for the lower half of addresses; the kernel has the
 * last entry of all. Memory is mapped when it is asked for. Threads take turns: in user
 * mode the timer ends one's, whatever it does there; in the kernel wait_a_little() does.
 */
#include <stdarg.h>

#include "kernel.h"

#define PRESENT	    0x1ull
#define TABLE	    0x7ull /* present, writable, user */
#define ADDRESS	    0xffffffffff000ull
#define MEMORY_END  (48ull << 20)
#define SERIAL	    0x3f8
#define TIMER	    32 /* vector */
#define SPURIOUS    47
#define SLICE_NS    4000000
#define PROGRAM	    0x400000ull
#define PROGRAM_STACK	  0x7ffffff00000ull
#define PROGRAM_STACK_BYTES 0x10000ull
#define ARGUMENT    (PROGRAM_STACK - 16)
#define MAPPED_FROM 0x800000000ull

#define MSR_STAR    0xc0000081
#define MSR_LSTAR   0xc0000082
#define MSR_FMASK   0xc0000084
#define MSR_FS	    0xc0000100
#define MSR_GS	    0xc0000101
#define MSR_USER_GS 0xc0000102

struct gate {
	u16 low, segment;
	u8 stack, type;
	u16 middle;
	u32 high, zero;
};

struct task {
	u32 zero;
	u64 stack[3];
	u8 rest[76];
} __attribute__((packed));

static struct {
	u64 stack, user_stack;
} cpu; /* CPU_ */

extern u64 table_4[], gdt[];
extern u8 program[], program_end[], kernel_end[], vectors[];
void syscall_entry(void);
void return_by_iret(void);
void switch_stacks(u64 *from, u64 to);
__attribute__((noreturn)) void kernel_begins(void);
void trap(struct frame *frame);

struct thread *current;
static struct thread threads[THREADS];
static struct process processes[PROCESSES];
static u32 last_tid = 100000, last_pid, waits;
static u64 memory_next;
static struct task task;
static struct gate gates[VECTORS];

static void write_msr(u32 index, u64 value)
{
	asm volatile("wrmsr" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static void print_text(const char *text, u64 bytes)
{
	asm volatile("rep outsb" : "+S"(text), "+c"(bytes) : "d"(SERIAL) : "memory");
}

/* A line at a time: each piece costs an exit. */
void print(const char *format, ...)
{
	char line[128], digits[20];
	u32 length = 0, count;
	const char *text;
	va_list list;
	u64 value;

	va_start(list, format);
	for (; *format && length < sizeof(line) - sizeof(digits); format++) {
		if (*format != '%') {
			line[length++] = *format;
		} else if (*++format == 's') {
			for (text = va_arg(list, const char *); *text && length < 100;)
				line[length++] = *text++;
		} else {
			value = va_arg(list, u64);
			count = 0;
			do {
				digits[count++] = '0' + value % 10;
				value /= 10;
			} while (value);
			while (count)
				line[length++] = digits[--count];
		}
	}
	va_end(list);
	print_text(line, length);
}

/* A triple fault: the machine is reset, or, as it is started here, switched off. */
void stop(u32 status)
{
	const struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) none = {};

	print("guest: status %u\n", (u64)status);
	asm volatile("lidt %0\n\tint3" : : "m"(none));
	__builtin_unreachable();
}

void panic(const char *why)
{
	print("guest: %s\n", why);
	stop(1);
}

void *pages_take(u32 count)
{
	void *at = (void *)(KERNEL + memory_next);

	memory_next += count * PAGE;
	if (memory_next > MEMORY_END)
		panic("no memory is left");
	memory_zero(at, count * PAGE);
	return at;
}

static u64 *table_at(u64 entry)
{
	return (u64 *)(KERNEL + (entry & ADDRESS));
}

/* The last level's entry for an address; NULL where there is none, and none is to be made. */
static u64 *entry_of(u64 table, u64 address, bool make)
{
	u64 *entry;
	int shift;

	for (shift = 39;; shift -= 9) {
		entry = table_at(table) + ((address >> shift) & 511);
		if (shift == 12)
			return entry;
		if (!*entry && !make)
			return NULL;
		if (!*entry)
			*entry = physical(pages_take(1)) | TABLE;
		table = *entry;
	}
}

bool is_user(u64 address, u64 bytes)
{
	u64 *entry, at;

	if (!current->process || address >= USER_END || bytes > USER_END - address)
		return false;
	for (at = address & ~(PAGE - 1); at < address + bytes; at += PAGE) {
		entry = entry_of(current->process->table, at, false);
		if (!entry || !(*entry & PRESENT))
			return false;
	}
	return true;
}

bool map_memory(struct process *process, u64 address, u64 bytes)
{
	u64 *entry, at;

	if (address % PAGE || !bytes || address >= USER_END || bytes > (16u << 20))
		return false;
	for (at = address; at < address + bytes; at += PAGE) {
		entry = entry_of(process->table, at, true);
		if (!*entry)
			*entry = physical(pages_take(1)) | TABLE;
	}
	return true;
}

/* Copies what a table maps, one level after the other. */
static u64 copy_table(u64 entry, int level)
{
	u64 *from = table_at(entry), *to = pages_take(1);
	int i;

	if (level)
		for (i = 0; i < 512; i++)
			to[i] = from[i] ? copy_table(from[i], level - 1) : 0;
	else
		memory_copy(to, from, PAGE);
	return physical(to) | TABLE;
}

struct process *process_new(const struct process *parent)
{
	struct process *process = processes;
	u64 *table = pages_take(1), *from;
	int i;

	while (process->pid)
		if (++process == processes + PROCESSES)
			return NULL;
	*process = (struct process){.pid = ++last_pid, .table = physical(table)};
	table[511] = table_4[511];
	if (!parent)
		return process;
	from = table_at(parent->table);
	for (i = 0; i < 256; i++)
		table[i] = from[i] ? copy_table(from[i], 3) : 0;
	process->parent = parent->pid;
	process->mapped_until = parent->mapped_until;
	for (i = 0; i < FILES; i++) {
		process->files[i] = parent->files[i];
		if (process->files[i])
			process->files[i]->references++;
	}
	return process;
}

struct process *process_child(u32 parent, bool ended)
{
	struct process *process;

	for (process = processes; process < processes + PROCESSES; process++)
		if (process->pid && process->parent == parent && (!ended || process->ended))
			return process;
	return NULL;
}

void process_free(struct process *process)
{
	process->pid = 0;
}

void load_fs_base(u64 fs_base)
{
	current->fs_base = fs_base;
	write_msr(MSR_FS, fs_base);
}

static u64 table_of(const struct process *process)
{
	return process ? process->table : physical(table_4);
}

static void load_table(u64 table)
{
	asm volatile("movq %0, %%cr3" : : "r"(table) : "memory");
}

void go_with(struct process *process)
{
	current->process = process;
	load_table(table_of(process));
}

static u64 stack_top(const struct thread *thread)
{
	return (u64)thread->stack + STACK_BYTES;
}

static void switch_to(struct thread *next)
{
	struct thread *last = current;

	current = next;
	cpu.stack = stack_top(next);
	task.stack[0] = cpu.stack;
	if (table_of(next->process) != table_of(last->process))
		load_table(table_of(next->process));
	write_msr(MSR_FS, next->fs_base);
	switch_stacks(&last->stack_now, next->stack_now);
}

void yield(void)
{
	struct thread *next = current;

	do {
		next = next + 1 == threads + THREADS ? threads : next + 1;
	} while (!next->runs && next != current);
	if (next != current)
		switch_to(next);
	else if (!current->runs)
		panic("nobody is left");
}

void wait_a_little(void)
{
	if (waits++ > 2 * THREADS) {
		waits = 0;
		asm volatile("sti\n\thlt\n\tcli" : : : "memory");
	}
	yield();
}

struct thread *thread_new(struct process *process, const struct frame *frame, void (*begin)(void))
{
	struct thread *thread = threads;
	u64 *stack;

	while (thread->runs || thread == current)
		if (++thread == threads + THREADS)
			return NULL;
	if (!thread->stack)
		thread->stack = pages_take(STACK_BYTES / PAGE);
	thread->process = process;
	thread->tid = ++last_tid;
	thread->fs_base = 0;
	thread->by_iret = false;
	stack = (u64 *)stack_top(thread);
	if (frame) {
		stack -= sizeof(*frame) / sizeof(*stack);
		memory_copy(stack, frame, sizeof(*frame));
		*--stack = (u64)return_by_iret;
	} else {
		*--stack = 0;
		*--stack = (u64)begin;
	}
	stack -= 6; /* what switch_stacks() takes from there */
	thread->stack_now = (u64)stack;
	thread->runs = true;
	return thread;
}

void thread_end(void)
{
	current->runs = false;
	yield();
	__builtin_unreachable();
}

/*
 * The program that is linked into the kernel. FreeBSD keeps the page table, too; the
 * argument lies at the end of the stack.
 */
void process_load(struct process *process, u64 argument)
{
	u64 at;

	memory_zero(table_at(process->table), 256 * sizeof(u64));
	process->mapped_until = MAPPED_FROM;
	map_memory(process, PROGRAM, program_end - program);
	map_memory(process, PROGRAM_STACK - PROGRAM_STACK_BYTES, PROGRAM_STACK_BYTES);
	for (at = 0; at < (u64)(program_end - program); at += PAGE)
		memory_copy(table_at(*entry_of(process->table, PROGRAM + at, false)), program + at,
			    PAGE);
	table_at(*entry_of(process->table, ARGUMENT, false))[ARGUMENT % PAGE / sizeof(u64)] =
		argument;
}

void program_frame(struct frame *frame)
{
	memory_zero(frame, sizeof(*frame));
	frame->rip = PROGRAM;
	frame->cs = USER_CS;
	frame->flags = 0x202;
	frame->rsp = ARGUMENT - 8;
	frame->rdi = ARGUMENT;
	frame->ss = USER_SS;
}

static void first_process(void)
{
	struct process *process = process_new(NULL);
	struct frame frame;

	process_load(process, 0);
	program_frame(&frame);
	process->threads = 1;
	thread_new(process, &frame, NULL);
}

static volatile u32 *local_apic(u32 at)
{
	return (volatile u32 *)(MMIO + 0xfee00000 + at);
}

/* One-shot and masked lines aside: the timer, again and again; KVM's counts nanoseconds. */
static void timer_begins(void)
{
	*local_apic(0xf0) = 0x100 | SPURIOUS;
	*local_apic(0x3e0) = 0x3; /* by 16 */
	*local_apic(0x320) = 0x20000 | TIMER;
	*local_apic(0x380) = SLICE_NS / 16;
}

void trap(struct frame *frame)
{
	u64 address;

	if (frame->trap == TIMER) {
		*local_apic(0xb0) = 0;
		if (frame->cs & 3) {
			waits = 0;
			yield();
		}
		return;
	}
	if (frame->trap == SPURIOUS)
		return;
	asm volatile("movq %%cr2, %0" : "=r"(address));
	print("guest: exception %u at %u, error %u, address %u\n", frame->trap, frame->rip,
	      frame->error, address);
	panic(frame->cs & 3 ? "a program has failed" : "the kernel has failed");
}

static void descriptors_begin(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idt = {sizeof(gates) - 1, (u64)gates};
	u64 at = (u64)&task;
	u32 i;

	for (i = 0; i < VECTORS; i++) {
		u64 entry = (u64)vectors + 16 * i;

		gates[i] = (struct gate){.low = entry, .segment = KERNEL_CS, .type = 0x8e,
					 .middle = entry >> 16, .high = entry >> 32};
	}
	asm volatile("lidt %0" : : "m"(idt));
	gdt[TASK / 8] = 0x0000890000000000 | (sizeof(task) - 1) | (at & 0xffffff) << 16 |
			(at >> 24 & 0xff) << 56;
	gdt[TASK / 8 + 1] = at >> 32;
	asm volatile("ltr %w0" : : "r"(TASK));
	write_msr(MSR_STAR, (u64)USER_32 << 48 | (u64)KERNEL_CS << 32);
	write_msr(MSR_LSTAR, (u64)syscall_entry);
	write_msr(MSR_FMASK, 0x47700);
	write_msr(MSR_GS, (u64)&cpu);
	write_msr(MSR_USER_GS, 0);
}

/* What the machine began with becomes the first thread, which then has nothing to do. */
void kernel_begins(void)
{
	memory_next = physical(kernel_end);
	descriptors_begin();
	current = threads;
	current->stack = pages_take(STACK_BYTES / PAGE);
	current->runs = true;
	timer_begins();
	print("guest: a disk of %u blocks\n", (u64)disk_begin());
	thread_new(NULL, NULL, asynchronous_worker);
	first_process();
	for (;;)
		wait_a_little();
}
