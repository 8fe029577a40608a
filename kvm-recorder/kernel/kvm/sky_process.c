// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Monitored processes, and how their children and new programs become known.
 *
 * A child of fork() has an address space that nobody has told Sky of. While one
 * is awaited, each unknown space that is loaded is watched until it first returns
 * to user mode: a child does so where its parent made the call, with the parent's
 * stack (or the one that it gave) and 0 in rax. A process that executes a program
 * loads its new space right from the old one, and begins with all registers 0.
 */
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "kvm_cache_regs.h"
#include "x86.h"
#include "sky_kvm.h"

struct sky_process *sky_process_in(struct sky_vm *vm, u64 space)
{
	struct sky_process *process;

	hash_for_each_possible(vm->processes, process, by_space, space)
		if (process->space == space)
			return process;
	return NULL;
}

struct sky_process *sky_process_of(struct sky_vm *vm, u64 space, u64 fs_base)
{
	struct sky_process *process = sky_process_in(vm, space), *guest;

again:
	if (!process)
		return NULL;
	list_for_each_entry(guest, &process->guests, of_host) {
		if (guest->fs_base == fs_base) {
			process = guest;
			goto again;
		}
	}
	return process;
}

u32 sky_thread_id(struct sky_process *process, u64 fs_base)
{
	void *entry;

	if (process->latest_id && process->latest_fs_base == fs_base)
		return process->latest_id;
	entry = xa_load(&process->thread_ids, fs_base >> 3);
	if (!entry)
		return 0;
	process->latest_fs_base = fs_base;
	process->latest_id = xa_to_value(entry);
	return process->latest_id;
}

void sky_thread_told(struct sky_process *process, u64 fs_base, u32 tid)
{
	void *before;

	if (!tid || process->threads_known >= SKY_THREADS_MAX || !sky_entry_take(process->vm))
		return;
	process->latest_id = 0;
	before = xa_store(&process->thread_ids, fs_base >> 3, xa_mk_value(tid), GFP_KERNEL_ACCOUNT);
	if (before) /* or an error */
		sky_entries_give(process->vm, 1);
	else
		process->threads_known++;
}

void sky_thread_gone(struct sky_process *process, u64 fs_base)
{
	if (!xa_erase(&process->thread_ids, fs_base >> 3))
		return;
	process->latest_id = 0;
	process->threads_known--;
	sky_entries_give(process->vm, 1);
}

bool sky_thread_room(const struct sky_process *process)
{
	return process->threads_known < SKY_THREADS_MAX && process->vm->entries < SKY_ENTRIES_MAX;
}

static void threads_forget(struct sky_process *process)
{
	xa_destroy(&process->thread_ids);
	process->latest_id = 0;
	sky_entries_give(process->vm, process->threads_known);
	process->threads_known = 0;
}

static struct sky_process *process_new(struct sky_vm *vm, struct sky_files *files)
{
	struct sky_process *process = kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);

	if (!process || !files) {
		sky_files_put(files);
		kfree(process);
		return NULL;
	}
	process->vm = vm;
	process->users = 1;
	process->files = files;
	xa_init(&process->thread_ids);
	xa_init(&process->reads);
	INIT_LIST_HEAD(&process->guests);
	INIT_LIST_HEAD(&process->areas);
	return process;
}

static void process_free(struct sky_process *process)
{
	struct sky_process *guest, *next;

	list_for_each_entry_safe(guest, next, &process->guests, of_host)
		process_free(guest);
	sky_areas_free(process);
	if (process->host)
		list_del(&process->of_host);
	if (process->birth)
		process->birth->process = NULL;
	if (process->exec)
		process->exec->process = NULL;
	sky_files_put(process->files);
	sky_insights_free(process);
	sky_reads_free(process);
	threads_forget(process);
	kfree(process);
}

/*
 * A page table that a killed process left may become that of a process nobody
 * monitors. No Linux process gives its stack away while it lives.
 */
bool sky_process_lives(struct sky_vcpu *sky, const struct sky_process *process)
{
	return sky_top_entry(sky, process->space, process->stack) == process->stack_table;
}

static int space_at(const u64 *spaces, u32 count, u64 space)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (spaces[i] == space)
			return i;
	return -ENOENT;
}

/* Who has ended is in the kernel for a while: its space is nobody's, but not a new one. */
static bool has_left(struct sky_vcpu *sky, u64 space)
{
	const struct sky_left *left;

	for (left = sky->vm->left; left < sky->vm->left + SKY_LEFT; left++)
		if (left->space == space && left->stack_table &&
		    sky_top_entry(sky, space, left->stack) == left->stack_table)
			return true;
	return false;
}

static void process_list(struct sky_vcpu *sky, struct sky_process *process, u64 space, u64 stack)
{
	struct sky_vm *vm = sky->vm;
	int unknown = space_at(vm->unknown, SKY_UNKNOWN, space);

	if (unknown >= 0)
		vm->unknown[unknown] = 0;
	process->stack = stack;
	process->stack_table = sky_top_entry(sky, space, stack);
	process->space = space;
	if (process->birth)
		process->birth->child_space = space;
	process->listed = true;
	hash_add(vm->processes, &process->by_space, space);
	vm->process_count++;
	sky_count(vm, SKY_COUNT_processes);
}

static void process_leaves(struct sky_vm *vm, const struct sky_process *process)
{
	vm->left[vm->lefts++ % SKY_LEFT] = (struct sky_left){
		.space = process->space,
		.stack = process->stack,
		.stack_table = process->stack_table,
	};
}

static void process_unlist(struct sky_vm *vm, struct sky_process *process)
{
	hash_del(&process->by_space);
	process->listed = false;
	vm->process_count--;
}

void sky_processes_rename(struct sky_vm *vm)
{
	struct sky_process *process;
	struct hlist_node *next;
	struct sky_fork *fork;
	HLIST_HEAD(all);
	int bucket;

	hash_for_each_safe(vm->processes, bucket, next, process, by_space) {
		hash_del(&process->by_space);
		hlist_add_head(&process->by_space, &all);
	}
	hlist_for_each_entry_safe(process, next, &all, by_space) {
		hlist_del(&process->by_space);
		process->space = sky_space(vm, process->space);
		hash_add(vm->processes, &process->by_space, process->space);
	}
	list_for_each_entry(fork, &vm->forks, all)
		fork->space = sky_space(vm, fork->space);
	sky_calls_rename(vm);
}

int sky_process_begin(struct sky_vcpu *sky, const struct sky_cpu *cpu, u32 why)
{
	struct sky_vm *vm = sky->vm;
	struct sky_process *process;

	if (sky_process_in(vm, cpu->space))
		return 0;
	if (vm->process_count >= SKY_PROCESSES_MAX) {
		sky_count(vm, SKY_COUNT_processes_refused);
		return -ENOSPC;
	}
	process = process_new(vm, sky_files_new(vm));
	if (!process)
		return -ENOMEM;
	process->pid = cpu->pid;
	process->joined = true;
	process->older = why != SKY_WHY_ASKED;
	sky_thread_told(process, cpu->fs_base, cpu->tid);
	process_list(sky, process, cpu->space, cpu->stack);
	sky_record_monitor(sky, cpu, true, why);
	return 0;
}

static void owe(struct sky_vm *vm, const struct sky_process *process)
{
	const struct sky_process *guest;

	sky_owe(vm, process);
	list_for_each_entry(guest, &process->guests, of_host)
		owe(vm, guest);
}

void sky_process_end(struct sky_vcpu *sky, struct sky_process *process, u32 why)
{
	struct sky_cpu cpu = {.space = process->space, .pid = process->pid};

	if (why == SKY_WHY_ASKED)
		owe(sky->vm, process);
	sky_calls_end(sky, process, NULL);
	sky_areas_end(sky, process, why == SKY_WHY_ASKED || why == SKY_WHY_ENDED);
	if (process->listed) {
		process_leaves(sky->vm, process);
		process_unlist(sky->vm, process);
		sky_record_monitor(sky, &cpu, false, why);
		if (why != SKY_WHY_VANISHED && cpu.space == sky_space_now(sky))
			sky_stranger_left(sky);
	}
	if (why == SKY_WHY_VANISHED)
		sky_count(sky->vm, SKY_COUNT_processes_vanished);
	process_free(process);
}

/* They go on, but nobody records them. */
void sky_processes_end_all(struct sky_vcpu *sky)
{
	struct sky_process *process;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(sky->vm->processes, bucket, next, process, by_space) {
		owe(sky->vm, process);
		sky_process_end(sky, process, SKY_WHY_VANISHED);
	}
}

static void fork_free(struct sky_vm *vm, struct sky_fork *fork)
{
	list_del(&fork->all);
	vm->fork_count--;
	vm->watchers -= fork->watched;
	if (fork->process && fork->exec)
		fork->process->exec = NULL;
	else if (fork->process)
		fork->process->birth = NULL;
	kfree(fork->path);
	kfree(fork);
}

void sky_processes_free(struct sky_vm *vm)
{
	struct sky_fork *fork, *next_fork;
	struct sky_process *process;
	struct hlist_node *next;
	int bucket;

	sky_calls_free(vm);
	list_for_each_entry_safe(fork, next_fork, &vm->forks, all) {
		process = fork->process;
		fork_free(vm, fork);
		if (process && !process->listed && !process->host)
			process_free(process);
	}
	hash_for_each_safe(vm->processes, bucket, next, process, by_space) {
		process_unlist(vm, process);
		process_free(process);
	}
}

static struct sky_fork *fork_new(struct sky_vcpu *sky, const struct sky_call *call)
{
	struct sky_vm *vm = sky->vm;
	struct sky_fork *fork;

	if (vm->fork_count >= SKY_FORKS_MAX)
		return NULL;
	fork = kzalloc(sizeof(*fork), GFP_KERNEL_ACCOUNT);
	if (!fork)
		return NULL;
	fork->since_ns = sky->begun_ns;
	fork->rip = call->next_rip;
	fork->stack = call->child_stack;
	fork->fs_base = call->child_fs_base;
	fork->tid_at = call->child_tid_at;
	fork->flags = call->clone_flags;
	fork->space = call->space;
	sky_call_cpu(call, &fork->parent);
	list_add_tail(&fork->all, &vm->forks);
	vm->fork_count++;
	return fork;
}

static void watch(struct sky_vm *vm, struct sky_fork *fork, bool on)
{
	vm->watchers += on - fork->watched;
	fork->watched = on;
}

/* Threads and children that share the space need nothing but their parent's result. */
void sky_fork_begin(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call)
{
	u64 flags = call->clone_flags;
	bool shares = flags & CLONE_VM;
	struct sky_process *child;
	struct sky_fork *fork;

	if (flags & CLONE_THREAD || (shares && (!(flags & CLONE_VFORK) || flags & CLONE_SETTLS)))
		return;
	fork = fork_new(sky, call);
	if (!fork)
		goto lost;
	if (flags & CLONE_FILES) {
		process->files->references++;
		child = process_new(sky->vm, process->files);
	} else {
		child = process_new(sky->vm, sky_files_copy(process->files));
	}
	if (!child) {
		fork_free(sky->vm, fork);
		goto lost;
	}
	fork->process = child;
	child->strict = process->strict;
	child->unasked = process->unasked;
	child->placed = process->placed;
	child->birth = fork;
	call->fork = fork;
	child->fs_base = call->child_fs_base;
	child->joined = flags & CLONE_FILES && (process->joined || process->locks);
	if (!shares) {
		sky_insight_buffers(child, process);
		sky_areas_inherit(sky->vm, process, child);
		watch(sky->vm, fork, true);
		return;
	}
	fork->found = true;
	fork->child_space = process->space;
	child->space = process->space;
	child->host = process;
	list_add(&child->of_host, &process->guests);
	return;
lost:
	sky_count(sky->vm, SKY_COUNT_children_lost);
}

/* Linux's first thread has its process's number; FreeBSD's is asked for its own. */
static u32 first_thread(const struct sky_vcpu *sky, u32 pid)
{
	return sky_is_freebsd(sky->vm) ? 0 : pid;
}

static void fork_record(struct sky_vcpu *sky, struct sky_fork *fork)
{
	struct sky_fork_record record = {
		.cpu = fork->parent,
		.flags = fork->flags,
		.child_space = fork->child_space,
		.child_stack = fork->stack,
		.child_fs_base = fork->fs_base,
		.child_pid = fork->child_pid,
		.child_tid = first_thread(sky, fork->child_pid),
	};

	fork->recorded = true;
	sky_record_put(sky, SKY_RECORD_FORK, &record, sizeof(record), NULL, 0);
}

/* A child of vfork() runs while its parent waits: before all that it does. */
void sky_fork_seen(struct sky_vcpu *sky, struct sky_process *process)
{
	struct sky_fork *fork = process->host ? process->birth : NULL;

	if (!fork || fork->recorded)
		return;
	fork->child_pid = process->pid;
	fork_record(sky, fork);
}

/* Both sides are heard of. */
static void fork_done(struct sky_vcpu *sky, struct sky_fork *fork)
{
	if (!fork->recorded)
		fork_record(sky, fork);
	fork_free(sky->vm, fork);
}

static void fork_failed(struct sky_vcpu *sky, struct sky_fork *fork)
{
	struct sky_process *process = fork->process;
	bool exec = fork->exec;

	fork_free(sky->vm, fork);
	if (process && !exec)
		sky_process_end(sky, process, SKY_WHY_ENDED);
}

static void thread_begun(struct sky_vcpu *sky, struct sky_call *call, u32 tid)
{
	bool thread = call->clone_flags & CLONE_THREAD;
	struct sky_process *process = call->process;
	struct sky_fork_record record = {
		.flags = call->clone_flags,
		.child_space = call->space,
		.child_stack = call->child_stack,
		.child_fs_base = call->child_fs_base,
		.child_pid = thread ? call->pid : tid,
		.child_tid = tid,
	};

	if (thread)
		process->threads++;
	else
		process->users++;
	sky_call_cpu(call, &record.cpu);
	sky_thread_told(process, call->child_fs_base, tid);
	sky_record_put(sky, SKY_RECORD_FORK, &record, sizeof(record), NULL, 0);
}

/*
 * A child of vfork() whose parent goes on executes a program, which hasn't begun
 * yet, or was killed.
 */
static void guest_leaves(struct sky_vcpu *sky, struct sky_process *guest)
{
	if (!guest->host)
		return;
	if (!guest->exec) {
		sky_process_end(sky, guest, SKY_WHY_VANISHED);
		return;
	}
	list_del(&guest->of_host);
	guest->host = NULL;
}

/* The parent's call has returned. */
void sky_fork_end(struct sky_vcpu *sky, struct sky_call *call, s64 result)
{
	struct sky_fork *fork = call->fork;

	call->fork = NULL;
	if (!fork) {
		if (result > 0 && call->clone_flags & CLONE_VM)
			thread_begun(sky, call, result);
		return;
	}
	if (result < 0 || fork->exec) {
		fork_failed(sky, fork);
		return;
	}
	fork->told = true;
	fork->child_pid = result;
	if (fork->process) {
		fork->process->pid = result;
		sky_thread_told(fork->process, fork->fs_base, first_thread(sky, result));
		guest_leaves(sky, fork->process);
	}
	if (fork->found)
		fork_done(sky, fork);
}

void sky_fork_orphan(struct sky_vcpu *sky, struct sky_call *call)
{
	struct sky_fork *fork = call->fork;

	call->fork = NULL;
	if (!fork)
		return;
	fork->told = true;
	if (fork->exec) {
		if (!fork->found)
			fork_free(sky->vm, fork);
	} else if (fork->found) {
		fork_done(sky, fork);
	}
}

int sky_exec_begin(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call,
		   const char *path, u32 bytes)
{
	struct sky_fork *fork;

	if (process->exec)
		return -EBUSY; /* two threads at once: one of them wins, whose name is not known */
	fork = fork_new(sky, call);
	if (!fork)
		return -ENOMEM;
	fork->exec = true;
	fork->process = process;
	fork->path = kmemdup(path, bytes, GFP_KERNEL_ACCOUNT);
	fork->path_bytes = fork->path ? bytes : 0;
	process->exec = fork;
	call->fork = fork;
	return 0;
}

static int candidate_at(const struct sky_fork *fork, u64 space)
{
	return space_at(fork->candidate, min_t(u32, fork->candidates, SKY_CANDIDATES), space);
}

/* It executes a program and was seen to go elsewhere: its space may be another's new one. */
bool sky_process_in_doubt(const struct sky_process *process)
{
	return process->exec && process->exec->watched;
}

/*
 * From one space right to one that is no process's, or only in doubt. Who executes a program
 * is the first to load the new space; from that of another who does, it is loaded later, when
 * the processor changes hands.
 */
void sky_candidate(struct sky_vcpu *sky, u64 from, u64 to, bool unknown)
{
	struct sky_vm *vm = sky->vm;
	bool fresh = unknown && space_at(vm->unknown, SKY_UNKNOWN, to) < 0 && !has_left(sky, to);
	struct sky_fork *fork;
	u32 at;

	if (fresh)
		vm->unknown[vm->unknowns++ % SKY_UNKNOWN] = to;
	list_for_each_entry(fork, &vm->forks, all) {
		if (!fork->exec || fork->space != from || fork->found || fork->displaced)
			continue;
		fork->since_ns = sky->begun_ns;
		watch(vm, fork, true);
		if (candidate_at(fork, to) >= 0)
			continue;
		at = fork->candidates++ % SKY_CANDIDATES;
		fork->candidate[at] = to;
		fork->fresh = (fork->fresh & ~BIT(at)) | fresh << at;
	}
}

/* What Linux gives to a new program (ELF_PLAT_INIT); FreeBSD its stack in rdi (exec_setregs). */
static bool registers_are_zero(struct sky_vcpu *sky)
{
	bool freebsd = sky_is_freebsd(sky->vm);
	struct kvm_vcpu *vcpu = sky->vcpu;
	unsigned int reg;

	for (reg = VCPU_REGS_RAX; reg <= VCPU_REGS_R15; reg++)
		if (reg != VCPU_REGS_RSP && !(freebsd && reg == VCPU_REGS_RDI) &&
		    kvm_register_read_raw(vcpu, reg))
			return false;
	return true;
}

static bool came_first(const struct sky_fork *fork, u64 space)
{
	return fork->exec && fork->fresh & BIT(candidate_at(fork, space));
}

/* Of a space that it didn't come to first: there is another one to which it did. */
static bool came_elsewhere(const struct sky_fork *fork)
{
	return fork->exec && fork->fresh;
}

static bool is_first_return(struct sky_vcpu *sky, const struct sky_fork *fork,
			    const struct sky_cpu *cpu, u64 rip)
{
	if (!fork->watched)
		return false;
	if (fork->exec)
		return candidate_at(fork, cpu->space) >= 0 && registers_are_zero(sky);
	return (!fork->rip || fork->rip == rip) && fork->stack == cpu->stack &&
	       fork->fs_base == cpu->fs_base && !kvm_rax_read(sky->vcpu);
}

static void child_found(struct sky_vcpu *sky, struct sky_fork *fork, struct sky_cpu *cpu)
{
	struct sky_process *child = fork->process;

	process_list(sky, child, cpu->space, cpu->stack);
	if (fork->told)
		child->pid = fork->child_pid;
	/* Before all that the child does; where it ran first its number is not known yet. */
	fork_record(sky, fork);
	cpu->pid = child->pid;
	cpu->tid = first_thread(sky, child->pid);
	sky_record_monitor(sky, cpu, true, SKY_WHY_CHILD);
	if (fork->told)
		fork_done(sky, fork);
}

/* The old space is gone, but where the process was another one's guest in it. */
static void program_found(struct sky_vcpu *sky, struct sky_fork *fork, struct sky_cpu *cpu)
{
	struct sky_process *process = fork->process, *guest, *next;
	struct sky_exec_record record = {.old_space = fork->space, .bytes = fork->path_bytes};
	const struct sky_part name = {fork->path, fork->path_bytes};

	sky_calls_end(sky, process, fork);
	sky_areas_end(sky, process, false);
	list_for_each_entry_safe(guest, next, &process->guests, of_host)
		sky_process_end(sky, guest, SKY_WHY_VANISHED);
	if (process->host) {
		list_del(&process->of_host);
		process->host = NULL;
	} else if (process->listed) {
		process_unlist(sky->vm, process);
	}
	sky_files_doubt(process->files);
	sky_insights_free(process);
	process->ring_count = 0;
	process->unasked = false;
	process->placed = false;
	process->joined = false;
	sky_reads_free(process);
	threads_forget(process);
	process->threads = 0;
	process->older = false;
	process->users = 1;
	sky_thread_told(process, cpu->fs_base, first_thread(sky, process->pid));
	process_list(sky, process, cpu->space, cpu->stack);
	cpu->pid = process->pid;
	cpu->tid = first_thread(sky, process->pid);
	record.cpu = *cpu;
	sky_record_put(sky, SKY_RECORD_EXEC, &record, offsetof(struct sky_exec_record, name),
		       &name, 1);
	sky_call_executed(sky, fork, cpu);
	fork_free(sky->vm, fork);
}

/* It was killed; or it executes a program that has yet to begin, in a space of its own. */
void sky_process_displaced(struct sky_vcpu *sky, struct sky_process *process)
{
	if (!process->exec || !process->exec->watched) {
		sky_process_end(sky, process, SKY_WHY_VANISHED);
		return;
	}
	process->exec->displaced = true;
	process_unlist(sky->vm, process);
}

/*
 * Children that a parent makes one after the other begin alike, and in any order. Most have
 * their number in their memory by now: it is what their parent was told, or that is yet to come.
 */
static struct sky_fork *fork_begun(struct sky_vcpu *sky, const struct sky_cpu *cpu, u64 rip)
{
	struct sky_fork *fork, *likely = NULL;
	u32 tid;

	list_for_each_entry(fork, &sky->vm->forks, all) {
		if (!is_first_return(sky, fork, cpu, rip))
			continue;
		if (came_first(fork, cpu->space))
			return fork;
		tid = 0;
		if (fork->tid_at)
			sky_read_user(sky, fork->tid_at, &tid, sizeof(tid));
		if (tid && fork->told && tid == fork->child_pid)
			return fork;
		if (!likely || came_elsewhere(likely) || (tid && likely->told && !fork->told))
			likely = fork;
	}
	return likely;
}

bool sky_first_return(struct sky_vcpu *sky, u64 rip, u64 stack)
{
	struct sky_vm *vm = sky->vm;
	struct sky_process *before;
	struct sky_fork *fork;
	struct sky_cpu cpu;

	sky_cpu_now(sky, &cpu, stack, 0, 0);
	fork = fork_begun(sky, &cpu, rip);
	if (!fork)
		return false;
	watch(vm, fork, false);
	fork->found = true;
	if (!fork->process || vm->process_count >= SKY_PROCESSES_MAX) {
		sky_count(vm, SKY_COUNT_processes_refused);
		return false;
	}
	before = sky_process_in(vm, cpu.space);
	if (before)
		sky_process_displaced(sky, before);
	if (fork->exec)
		program_found(sky, fork, &cpu);
	else
		child_found(sky, fork, &cpu);
	return true;
}

/* FreeBSD leaves the space to the new program where no other process has it (exec_new_vmspace). */
bool sky_executed(struct sky_vcpu *sky, struct sky_process *process, u64 rip, u64 stack)
{
	struct sky_fork *exec = process->exec;
	struct sky_cpu cpu;

	if (!exec || !sky_is_freebsd(sky->vm) || rip == exec->rip || !registers_are_zero(sky))
		return false;
	sky_cpu_now(sky, &cpu, stack, 0, 0);
	watch(sky->vm, exec, false);
	exec->found = true;
	program_found(sky, exec, &cpu);
	return true;
}

static struct sky_fork *overdue(struct sky_vcpu *sky)
{
	struct sky_fork *fork;

	list_for_each_entry(fork, &sky->vm->forks, all)
		if (fork->watched && sky_passed_ns(sky, fork->since_ns) > SKY_FORK_NS)
			return fork;
	return NULL;
}

/* What has not come was killed before it returned to user mode. */
void sky_expire(struct sky_vcpu *sky)
{
	struct sky_process *process;
	struct sky_fork *fork;

	while ((fork = overdue(sky))) {
		watch(sky->vm, fork, false);
		fork->found = true;
		sky_count(sky->vm, SKY_COUNT_children_lost);
		process = fork->process;
		if (fork->told && !fork->exec)
			fork_done(sky, fork);
		if (process)
			sky_process_end(sky, process, SKY_WHY_VANISHED);
	}
}
