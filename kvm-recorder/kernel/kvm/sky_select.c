// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes that the host names, by program or by number, without their doing
 * (paper, section 3.1.1: "applications that are known beforehand").
 *
 * An address space that is loaded and belongs to no monitored process is a
 * stranger's. Its program's path, as execve was given it, lies at the very end of
 * its stack (fs/exec.c: bprm->exec), where it is read; nobody has to be asked.
 * The number of a process isn't in its memory: while one is looked for, each
 * stranger makes one getpid in front of a call of its own, whose registers
 * are given back when that returns. Then its system calls cost nothing any more.
 * Registers are owed, too, to a thread that makes an insight-call when nobody
 * records it any more, or when a signal handler keeps it from coming back: as long as
 * somebody has not come for his, monitoring goes on.
 *
 * A stranger may be under seccomp's strict mode, which allows four calls and
 * kills for any other: nobody is asked in front of one of those. Who makes
 * nothing else for a while is let go without having been asked.
 */
#include <linux/slab.h>
#include <uapi/linux/prctl.h>

#include "kvm_cache_regs.h"
#include "mmu.h"
#include "x86.h"
#include "sky_hash.h"
#include "sky_ioctl.h"
#include "sky_kvm.h"

#define STRANGERS_MAX	 1024
#define DEBTS_MAX	 (SKY_PROCESSES_MAX * SKY_INSIGHTS)
#define UNASKED_CALLS	 64 /* of the strict mode's four, until a stranger is let go */
#define USER_END_LEVEL_4 255 /* the top page table's last entry for user space */
#define CALL_CLOSE	 3
#define CALL_GETPID	 39
#define FREEBSD_GETPID	 20

/* The search for the end of the stack: entries read at a time, reads, pages looked at. */
#define ENTRIES	  64
#define READS_MAX 96
#define PAGES_MAX 16
/* Behind the path are its terminating zero and a word of zeros. */
#define END_BYTES 9

struct sky_wish {
	struct list_head all;
	u32 kind, pid, bytes;
	char text[];
};

struct sky_stranger {
	struct hlist_node by_space;
	u64 space;
	u64 table, place, sum; /* by which another process with that space is told */
	u32 calls; /* that it was not asked in front of */
	bool known; /* its number has been asked for, or will not be */
	bool left; /* was monitored, and is about to end */
};

/* Registers that a thread must have when it makes its call at rip. */
struct sky_debt {
	struct list_head all;
	u64 space, rip, stack, fs_base;
	u64 rax, argument[6], rbx;
	u64 cookie; /* that the registers have which it comes with; 0: any */
	int own_fd; /* it must close this descriptor first; -1 */
	bool closes; /* it is about to */
	bool stranger; /* it brings its number */
};

/* The end of a stack, and what it says. */
struct name {
	u64 place; /* the last page's address; 0: not found */
	const char *text;
	u32 bytes;
	bool whole; /* the text is no longer than what was read */
	char end[1 + SKY_EXEC_BYTES_MAX + END_BYTES];
};

struct search {
	struct sky_vcpu *sky;
	struct name *name;
	int reads, pages; /* left */
};

bool sky_selects(const struct sky_vm *vm)
{
	return vm->exec_wishes || vm->pid_wishes || vm->debt_count;
}

/* Is that the last page of a stack, where the program's path is? */
static bool read_name(struct sky_vcpu *sky, u64 place, struct name *name)
{
	char *end = name->end + sizeof(name->end) - END_BYTES, *begin = end;

	if (sky_read_user(sky, place + PAGE_SIZE - sizeof(name->end), name->end,
			  sizeof(name->end)) != sizeof(name->end) ||
	    memchr_inv(end, 0, END_BYTES) || !end[-1])
		return false;
	while (begin > name->end && begin[-1])
		begin--;
	name->place = place;
	name->text = begin;
	name->bytes = end - begin;
	name->whole = begin > name->end;
	return true;
}

/* From the highest address down; sky->words has room for the entries of each level. */
static bool search_table(struct search *search, u64 table, unsigned int level, u64 base)
{
	unsigned int shift = PAGE_SHIFT + 9 * level;
	u64 *entry = search->sky->words + level * ENTRIES, at;
	int first, i;

	for (first = PTRS_PER_PTE - ENTRIES; first >= 0; first -= ENTRIES) {
		if (search->reads-- <= 0 ||
		    kvm_vcpu_read_guest(search->sky->vcpu, table + first * sizeof(*entry), entry,
					ENTRIES * sizeof(*entry)))
			return false;
		for (i = ENTRIES - 1; i >= 0 && search->reads > 0 && search->pages > 0; i--) {
			if (~entry[i] & (PT_PRESENT_MASK | PT_USER_MASK))
				continue;
			at = base + ((u64)(first + i) << shift);
			if (level && !(entry[i] & PT_PAGE_SIZE_MASK)) {
				if (search_table(search, entry[i] & GENMASK_ULL(51, PAGE_SHIFT),
						 level - 1, at))
					return true;
				continue;
			}
			search->pages--;
			if (read_name(search->sky, at + BIT_ULL(shift) - PAGE_SIZE, search->name))
				return true;
		}
	}
	return false;
}

/* Linux's stacks of 64-bit programs end within the last 512 GiB of 47 bits. */
static void search_name(struct sky_vcpu *sky, u64 space, struct name *name)
{
	struct search search = {sky, name, READS_MAX, PAGES_MAX};
	u64 base = (u64)USER_END_LEVEL_4 << (PAGE_SHIFT + 27), table;

	table = sky_top_entry(sky, space, base);
	if (table && kvm_read_cr4_bits(sky->vcpu, X86_CR4_LA57)) {
		if (kvm_vcpu_read_guest(sky->vcpu, table + USER_END_LEVEL_4 * sizeof(table),
					&table, sizeof(table)))
			return;
		table &= GENMASK_ULL(51, PAGE_SHIFT);
	}
	if (table)
		search_table(&search, table, 2, base);
}

static bool is_named(const struct name *name, const struct sky_wish *wish)
{
	u32 bytes = wish->bytes;
	const char *last = name->text + name->bytes - bytes;

	if (bytes > name->bytes || memcmp(last, wish->text, bytes))
		return false;
	if (last == name->text)
		return name->whole;
	return last[-1] == '/' && !memchr(wish->text, '/', bytes);
}

static bool is_wanted(const struct sky_vm *vm, const struct name *name)
{
	const struct sky_wish *wish;

	list_for_each_entry(wish, &vm->wishes, all)
		if (wish->kind == SKY_SELECT_EXEC && is_named(name, wish))
			return true;
	return false;
}

static void wish_free(struct sky_vm *vm, struct sky_wish *wish)
{
	vm->exec_wishes -= wish->kind == SKY_SELECT_EXEC;
	vm->pid_wishes -= wish->kind == SKY_SELECT_PID;
	list_del(&wish->all);
	kfree(wish);
}

static struct sky_wish *wish_find(struct sky_vm *vm, u32 kind, u32 pid, const char *text, u32 bytes)
{
	struct sky_wish *wish;

	list_for_each_entry(wish, &vm->wishes, all)
		if (wish->kind == kind && wish->pid == pid && wish->bytes == bytes &&
		    !memcmp(wish->text, text, bytes))
			return wish;
	return NULL;
}

static struct sky_stranger *stranger_find(struct sky_vm *vm, u64 space)
{
	struct sky_stranger *stranger;

	hash_for_each_possible(vm->strangers, stranger, by_space, space)
		if (stranger->space == space)
			return stranger;
	return NULL;
}

static void stranger_free(struct sky_vm *vm, struct sky_stranger *stranger)
{
	vm->stranger_count--;
	hash_del(&stranger->by_space);
	kfree(stranger);
}

static void debt_free(struct sky_vm *vm, struct sky_debt *debt)
{
	vm->debt_count--;
	list_del(&debt->all);
	kfree(debt);
}

static bool is_owed(const struct sky_vm *vm, u64 space)
{
	const struct sky_debt *debt;

	list_for_each_entry(debt, &vm->debts, all)
		if (debt->space == space)
			return true;
	return false;
}

/* Of who comes to make its call there; NULL. */
static struct sky_debt *debt_find(struct sky_vcpu *sky, const struct sky_cpu *cpu, u64 rip)
{
	struct sky_debt *debt;

	list_for_each_entry(debt, &sky->vm->debts, all)
		if ((!debt->cookie || debt->cookie == sky_cookie(sky)) &&
		    debt->space == cpu->space && debt->stack == cpu->stack &&
		    debt->fs_base == cpu->fs_base && debt->rip == rip)
			return debt;
	return NULL;
}

/* Of one space, or of all: nobody will come any more. */
static void debts_forget(struct sky_vm *vm, u64 space, bool all)
{
	struct sky_debt *debt, *next;

	list_for_each_entry_safe(debt, next, &vm->debts, all)
		if (all || debt->space == space)
			debt_free(vm, debt);
}

static struct sky_debt *debt_new(struct sky_vm *vm)
{
	struct sky_debt *debt;

	if (vm->debt_count >= DEBTS_MAX)
		return NULL;
	debt = kzalloc(sizeof(*debt), GFP_KERNEL_ACCOUNT);
	if (!debt)
		return NULL;
	debt->own_fd = -1;
	list_add_tail(&debt->all, &vm->debts);
	vm->debt_count++;
	return debt;
}

void sky_owe(struct sky_vm *vm, const struct sky_process *process)
{
	const struct sky_insight *insight;
	struct sky_debt *debt;
	unsigned int i;

	for (i = 0; i < SKY_INSIGHTS; i++) {
		insight = process->insight + i;
		if (insight->state == SKY_INSIGHT_PAUSES && insight->content.own_fd >= 0)
			sky_count(vm, SKY_COUNT_descriptors_left);
		if (insight->state != SKY_INSIGHT_ASKS && insight->state != SKY_INSIGHT_LEFT)
			continue;
		debt = debt_new(vm);
		if (!debt)
			continue;
		debt->space = process->space;
		debt->rip = insight->rip;
		debt->stack = insight->stack;
		debt->fs_base = insight->fs_base;
		debt->rax = insight->rax;
		debt->rbx = insight->rbx;
		memcpy(debt->argument, insight->argument, sizeof(debt->argument));
		debt->cookie = insight->cookie;
		if (insight->steps & BIT(SKY_STEP_CLOSE))
			debt->own_fd = insight->content.own_fd;
	}
}

void sky_strangers_forget(struct sky_vm *vm, bool reset)
{
	struct sky_stranger *stranger;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(vm->strangers, bucket, next, stranger, by_space)
		stranger_free(vm, stranger);
	if (reset)
		debts_forget(vm, 0, true);
}

void sky_strangers_rename(struct sky_vm *vm)
{
	struct sky_debt *debt;

	sky_strangers_forget(vm, false);
	list_for_each_entry(debt, &vm->debts, all)
		debt->space = sky_space(vm, debt->space);
}

static struct sky_stranger *stranger_new(struct sky_vm *vm, u64 space)
{
	struct sky_stranger *stranger;

	if (vm->stranger_count >= STRANGERS_MAX)
		sky_strangers_forget(vm, false);
	stranger = kzalloc(sizeof(*stranger), GFP_KERNEL_ACCOUNT);
	if (!stranger)
		return NULL;
	stranger->space = space;
	hash_add(vm->strangers, &stranger->by_space, space);
	vm->stranger_count++;
	return stranger;
}

/*
 * A new process may have the page table of one that is gone. It has another
 * program, or has it elsewhere; a child that has run nothing yet has its parent's.
 */
static void recognise(struct sky_vcpu *sky, struct sky_stranger *stranger, struct name *name)
{
	u64 sum, table;

	if (!stranger->place || !read_name(sky, stranger->place, name) ||
	    sky_fnv1a(SKY_FNV_BASIS, name->text, name->bytes) != stranger->sum)
		search_name(sky, stranger->space, name);
	if (!name->place)
		return; /* not in memory: whoever it was is taken to be there still */
	sum = sky_fnv1a(SKY_FNV_BASIS, name->text, name->bytes);
	table = sky_top_entry(sky, stranger->space, name->place);
	if (stranger->place == name->place && stranger->sum == sum && stranger->table == table)
		return;
	sky_count(sky->vm, SKY_COUNT_strangers);
	if (stranger->place)
		debts_forget(sky->vm, stranger->space, false);
	stranger->known = false;
	stranger->left = false;
	stranger->calls = 0;
	stranger->place = name->place;
	stranger->sum = sum;
	stranger->table = table;
}

/* Where the thread is told by nothing yet: the stack stands for the process. */
static bool begin_named(struct sky_vcpu *sky, const struct name *name)
{
	struct sky_cpu cpu = {.space = sky->space, .stack = name->place};

	return !sky_process_begin(sky, &cpu, SKY_WHY_SELECTED);
}

void sky_meet(struct sky_vcpu *sky)
{
	struct sky_vm *vm = sky->vm;
	struct sky_stranger *stranger = stranger_find(vm, sky->space);
	bool owed = is_owed(vm, sky->space);
	struct name name = {};

	sky->asking = owed;
	if (!is_long_mode(sky->vcpu) || sky->watching || !(vm->exec_wishes || vm->pid_wishes))
		return;
	if (!stranger)
		stranger = stranger_new(vm, sky->space);
	if (!stranger)
		return;
	if (sky->unmet) {
		sky->unmet = false;
		recognise(sky, stranger, &name);
		if (name.place && !stranger->left && !owed && is_wanted(vm, &name) &&
		    begin_named(sky, &name)) {
			stranger_free(vm, stranger);
			return;
		}
	}
	sky->asking = owed || (vm->pid_wishes && !stranger->known);
}

void sky_stranger_left(struct sky_vcpu *sky)
{
	struct sky_vm *vm = sky->vm;
	struct sky_stranger *stranger;
	struct name name = {};

	if (!vm->exec_wishes && !vm->pid_wishes)
		return;
	stranger = stranger_find(vm, sky->space);
	if (!stranger)
		stranger = stranger_new(vm, sky->space);
	if (!stranger)
		return;
	recognise(sky, stranger, &name);
	stranger->known = true;
	stranger->left = true;
	if (!name.place)
		stranger_free(vm, stranger);
}

/* Linux's seccomp; FreeBSD's capabilities kill nobody. */
static bool is_strict_mode_call(const struct sky_call *call)
{
	if (call->abi != SKY_ABI_LINUX64)
		return false;
	return call->number == 0 || call->number == 1 || call->number == 15 || call->number == 60;
}

static bool sets_filter(const struct sky_call *call)
{
	return call->number == 317 || (call->number == 157 && call->argument[0] == PR_SET_SECCOMP);
}

static void answered(struct sky_vcpu *sky, struct sky_cpu *cpu, u32 pid)
{
	struct sky_vm *vm = sky->vm;
	struct sky_stranger *stranger = stranger_find(vm, cpu->space);
	struct sky_wish *wish = wish_find(vm, SKY_SELECT_PID, pid, "", 0);

	if (stranger)
		stranger->known = true;
	cpu->pid = pid;
	if (!wish || sky_process_begin(sky, cpu, SKY_WHY_SELECTED))
		return;
	wish_free(vm, wish);
	if (stranger)
		stranger_free(vm, stranger);
}

/* True: the thread has its registers back, or those of a call that must come first. */
static bool pay(struct sky_vcpu *sky, struct sky_cpu *cpu, u64 rip)
{
	struct sky_debt *debt = debt_find(sky, cpu, rip);
	u32 pid = kvm_rax_read(sky->vcpu);
	bool stranger;

	if (!debt)
		return false;
	if (debt->own_fd >= 0) {
		kvm_rax_write(sky->vcpu, CALL_CLOSE);
		kvm_rdi_write(sky->vcpu, debt->own_fd);
		debt->own_fd = -1;
		debt->closes = true;
		return true;
	}
	stranger = debt->stranger;
	sky_set_registers(sky->vcpu, debt->rax, debt->argument);
	if (sky_is_freebsd(sky->vm))
		kvm_rbx_write(sky->vcpu, debt->rbx);
	debt_free(sky->vm, debt);
	if (stranger)
		answered(sky, cpu, pid);
	return true;
}

void sky_stranger_returns(struct sky_vcpu *sky, u64 rip, u64 stack)
{
	struct sky_cpu cpu;

	sky_cpu_now(sky, &cpu, stack, 0, 0);
	pay(sky, &cpu, rip);
}

static bool ask(struct sky_vcpu *sky, const struct sky_call *call)
{
	struct sky_debt *debt = debt_new(sky->vm);

	if (!debt)
		return false;
	debt->stranger = true;
	debt->space = call->space;
	debt->rip = call->rip;
	debt->stack = call->stack;
	debt->fs_base = call->fs_base;
	debt->rax = kvm_rax_read(sky->vcpu);
	debt->rbx = kvm_rbx_read(sky->vcpu);
	memcpy(debt->argument, call->raw_argument, sizeof(debt->argument));
	sky_count(sky->vm, SKY_COUNT_strangers_asked);
	kvm_rax_write(sky->vcpu, sky_is_freebsd(sky->vm) ? FREEBSD_GETPID : CALL_GETPID);
	return true;
}

enum sky_entry sky_debtor_calls(struct sky_vcpu *sky, const struct sky_call *call)
{
	struct sky_cpu cpu = {.space = call->space, .stack = call->stack, .fs_base = call->fs_base};
	struct sky_debt *debt;

	/*
	 * Who comes from a return to that very instruction has its address in rcx, but from
	 * FreeBSD's by IRET.
	 */
	if (!sky->vm->debt_count ||
	    (kvm_rcx_read(sky->vcpu) != call->rip && !sky_is_freebsd(sky->vm)))
		return SKY_ENTRY_BEGINS;
	debt = debt_find(sky, &cpu, call->rip);
	if (debt && debt->closes) {
		debt->closes = false;
		return SKY_ENTRY_INSIGHT;
	}
	return pay(sky, &cpu, call->rip) ? SKY_ENTRY_IDLE : SKY_ENTRY_BEGINS;
}

enum sky_entry sky_stranger_calls(struct sky_vcpu *sky, const struct sky_call *call)
{
	struct sky_stranger *stranger;

	if (!sky->asking)
		return SKY_ENTRY_IDLE;
	if (is_owed(sky->vm, call->space))
		return SKY_ENTRY_PASSES;
	stranger = stranger_find(sky->vm, call->space);
	if (!stranger || stranger->known)
		return SKY_ENTRY_IDLE;
	if (call->number == 219 /* restart_syscall */)
		return SKY_ENTRY_PASSES;
	if (!is_strict_mode_call(call) && !sets_filter(call) &&
	    !(call->flags & (SKY_CALL_INT80 | SKY_CALL_COMPAT)))
		return ask(sky, call) ? SKY_ENTRY_INSIGHT : SKY_ENTRY_PASSES;
	if (!sets_filter(call) && ++stranger->calls < UNASKED_CALLS)
		return SKY_ENTRY_PASSES;
	stranger->known = true;
	sky_count(sky->vm, SKY_COUNT_strangers_refused);
	return SKY_ENTRY_IDLE;
}

static bool is_monitored(const struct sky_vm *vm, u32 pid)
{
	struct sky_process *process;
	int bucket;

	hash_for_each(vm->processes, bucket, process, by_space)
		if (process->pid == pid)
			return true;
	return false;
}

static int wish_add(struct sky_vm *vm, const struct sky_select *select, u32 bytes)
{
	struct sky_wish *wish;

	if (select->kind == SKY_SELECT_PID && is_monitored(vm, select->pid))
		return -EEXIST;
	if (list_count_nodes(&vm->wishes) >= SKY_SELECTS_MAX)
		return -ENOSPC;
	wish = kzalloc(struct_size(wish, text, bytes), GFP_KERNEL_ACCOUNT);
	if (!wish)
		return -ENOMEM;
	wish->kind = select->kind;
	wish->pid = select->pid;
	wish->bytes = bytes;
	memcpy(wish->text, select->text, bytes);
	vm->exec_wishes += wish->kind == SKY_SELECT_EXEC;
	vm->pid_wishes += wish->kind == SKY_SELECT_PID;
	list_add_tail(&wish->all, &vm->wishes);
	return 0;
}

static bool is_sound(const struct sky_select *select, u32 bytes)
{
	switch (select->kind) {
	case SKY_SELECT_PID:
		return select->pid && !bytes;
	case SKY_SELECT_EXEC:
		return !select->pid && bytes;
	case SKY_SELECT_ABI:
		return select->pid <= SKY_ABI_FREEBSD64 && !bytes && !select->off;
	case SKY_SELECT_ONLY:
		return !select->pid && (select->off || select->text[0] == '/');
	default:
		return false;
	}
}

/* Who is still monitored from before is, by the ABI that was right then. */
static int set_abi(struct sky_vm *vm, u16 abi)
{
	if (vm->abi != abi && (vm->process_count || vm->watchers || vm->debt_count))
		return -EBUSY;
	vm->abi = abi;
	vm->abi_told = true;
	return 0;
}

int sky_select(struct sky_vm *vm, const struct sky_select *select)
{
	u32 bytes = strlen(select->text);
	struct sky_wish *wish;

	if (!is_sound(select, bytes))
		return -EINVAL;
	if (select->kind == SKY_SELECT_ABI)
		return set_abi(vm, select->pid);
	wish = wish_find(vm, select->kind, select->pid, select->text, bytes);
	if (select->off && wish)
		wish_free(vm, wish);
	if (select->off || wish)
		return 0;
	return wish_add(vm, select, bytes);
}

void sky_select_nothing(struct sky_vm *vm)
{
	struct sky_wish *wish, *next;

	list_for_each_entry_safe(wish, next, &vm->wishes, all)
		wish_free(vm, wish);
	sky_strangers_forget(vm, false);
}

/* A prefix ends where a part of the path ends: /data has /data/a below it, not /database. */
static bool is_below(const char *path, u32 bytes, const struct sky_wish *prefix)
{
	return bytes >= prefix->bytes && !memcmp(path, prefix->text, prefix->bytes) &&
	       (bytes == prefix->bytes || path[prefix->bytes] == '/');
}

bool sky_outside(const struct sky_vm *vm, const char *path, u32 bytes)
{
	const struct sky_wish *wish;
	bool outside = false;

	list_for_each_entry(wish, &vm->wishes, all) {
		if (wish->kind != SKY_SELECT_ONLY)
			continue;
		if (is_below(path, bytes, wish))
			return false;
		outside = true;
	}
	return outside && bytes;
}
