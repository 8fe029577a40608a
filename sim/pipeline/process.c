/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes and their descriptor tables.
 *
 * A process is named by its pid where the recorder knows it, else by its
 * address space; an event that has both teaches which belong together. A
 * descriptor is one node, found by (table, fd) and listed in its table.
 */
#include "sim/pipeline/areas.h"
#include "sim/pipeline/asynchronous.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/identity.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"

/* Linux, include/uapi/linux/sched.h. */
#define CLONE_VM_FLAG	 0x100u
#define CLONE_FS_FLAG	 0x200u
#define CLONE_FILES_FLAG 0x400u
#define CLONE_VFORK_FLAG 0x4000u

/* Events that say neither pid nor address space are one process's. */
#define SPACE_UNKNOWN UINT64_MAX

#define SET_AT(p, i)	    POOL_NODE(&(p)->sets, struct descriptor_set, i)
#define DESCRIPTOR_AT(p, i) POOL_NODE(&(p)->descriptors, struct descriptor, i)
#define OF_SET		    offsetof(struct descriptor, of_set)
#define OF_AWAITED	    offsetof(struct process, of_awaited)

static uint32_t descriptor_hash(uint32_t set, int32_t fd)
{
	return hash_word((uint64_t)set << 32 | (uint32_t)fd);
}

static uint32_t find(struct pipeline *p, uint32_t set, int32_t fd)
{
	uint32_t descriptor;

	table_for_each(&p->by_descriptor, descriptor_hash(set, fd), at,
		       descriptor) if (DESCRIPTOR_AT(p, descriptor)->set == set &&
				       DESCRIPTOR_AT(p, descriptor)->fd == fd) break;
	return descriptor;
}

static void forget(struct pipeline *p, uint32_t descriptor)
{
	const struct descriptor *d = DESCRIPTOR_AT(p, descriptor);

	table_remove(&p->by_descriptor, descriptor_hash(d->set, d->fd), descriptor);
	list_remove(&SET_AT(p, d->set)->descriptors, &p->descriptors, OF_SET, descriptor);
	open_file_release(p, d->open_file);
	pool_give(&p->descriptors, descriptor);
}

static void set_descriptor(struct pipeline *p, uint32_t set, int32_t fd, uint32_t open_file,
			   bool close_on_exec)
{
	uint32_t before = find(p, set, fd), descriptor;

	open_file_hold(p, open_file);
	if (before)
		forget(p, before);
	descriptor = take_node(p, &p->descriptors);
	if (!descriptor)
		goto release;
	*DESCRIPTOR_AT(p, descriptor) = (struct descriptor){
		.set = set, .fd = fd, .open_file = open_file, .close_on_exec = close_on_exec};
	if (add_node(p, &p->by_descriptor, descriptor_hash(set, fd), descriptor))
		goto give;
	list_append(&SET_AT(p, set)->descriptors, &p->descriptors, OF_SET, descriptor);
	return;
give:
	pool_give(&p->descriptors, descriptor);
release:
	open_file_release(p, open_file);
}

static void release_set(struct pipeline *p, uint32_t set)
{
	struct descriptor_set *s = SET_AT(p, set);

	if (!set || --s->holders)
		return;
	while (s->descriptors.first)
		forget(p, s->descriptors.first);
	pool_give(&p->sets, set);
}

static uint32_t new_set(struct pipeline *p)
{
	uint32_t set = take_node(p, &p->sets);

	if (set)
		SET_AT(p, set)->holders = 1;
	return set;
}

static uint32_t copy_of_set(struct pipeline *p, uint32_t set)
{
	uint32_t copy = new_set(p);

	for (uint32_t i = copy ? SET_AT(p, set)->descriptors.first : 0; i;
	     i = DESCRIPTOR_AT(p, i)->of_set.next) {
		const struct descriptor *d = DESCRIPTOR_AT(p, i);

		set_descriptor(p, copy, d->fd, d->open_file, d->close_on_exec);
	}
	return copy;
}

/* The process gets a table of its own. */
static void unshare(struct pipeline *p, struct process *process)
{
	uint32_t copy;

	if (SET_AT(p, process->set)->holders == 1)
		return;
	copy = copy_of_set(p, process->set);
	if (!copy)
		return;
	release_set(p, process->set);
	process->set = copy;
}

static uint32_t by_pid(struct pipeline *p, uint32_t pid)
{
	uint32_t process;

	table_for_each(&p->by_pid, hash_word(pid), at,
		       process) if (PROCESS_AT(p, process)->pid == pid) break;
	return process;
}

static uint32_t by_space(struct pipeline *p, uint64_t space)
{
	uint32_t process;

	table_for_each(&p->by_space, hash_word(space), at,
		       process) if (PROCESS_AT(p, process)->space == space) break;
	return process;
}

uint32_t process_by_id(struct pipeline *p, uint32_t pid, uint64_t space)
{
	return pid ? by_pid(p, pid) : by_space(p, space);
}

static void leave_space(struct pipeline *p, uint32_t process)
{
	struct process *q = PROCESS_AT(p, process);

	if (q->space)
		table_remove(&p->by_space, hash_word(q->space), process);
	q->space = 0;
}

static void await(struct pipeline *p, uint32_t process, bool awaited)
{
	struct process *q = PROCESS_AT(p, process);

	if (q->awaited == awaited)
		return;
	q->awaited = awaited;
	if (awaited)
		list_append(&p->awaited, &p->processes, OF_AWAITED, process);
	else
		list_remove(&p->awaited, &p->processes, OF_AWAITED, process);
}

/* The process whose own the address space is that this one runs in. */
static uint32_t owner(struct pipeline *p, uint32_t process)
{
	while (PROCESS_AT(p, process)->lender)
		process = PROCESS_AT(p, process)->lender;
	return process;
}

/* From now on, the address space means this process. */
static void enter_space(struct pipeline *p, uint32_t process, uint64_t root)
{
	uint64_t space = root == SPACE_UNKNOWN ? root : space_canonical(p, root);
	struct process *q = PROCESS_AT(p, process);
	uint32_t other;

	if (!root || PROCESS_AT(p, owner(p, process))->space == space)
		return;
	space_return(p, process);
	other = by_space(p, space);
	leave_space(p, process);
	if (other)
		leave_space(p, other);
	await(p, process, false);
	if (!add_node(p, &p->by_space, hash_word(space), process)) {
		q->space = space;
		q->root = root;
	}
	if (other && !PROCESS_AT(p, other)->pid)
		process_gone(p, other); /* nothing can mean it any more */
}

void space_return(struct pipeline *p, uint32_t borrower)
{
	struct process *q = PROCESS_AT(p, borrower);

	if (!q->lender)
		return;
	PROCESS_AT(p, q->lender)->borrower = q->borrower;
	if (q->borrower)
		PROCESS_AT(p, q->borrower)->lender = q->lender;
	q->lender = q->borrower = 0;
}

static void lend_space(struct pipeline *p, uint32_t process, uint32_t borrower)
{
	process = owner(p, process);
	while (PROCESS_AT(p, process)->borrower)
		process = PROCESS_AT(p, process)->borrower;
	PROCESS_AT(p, process)->borrower = borrower;
	PROCESS_AT(p, borrower)->lender = process;
}

/* Who of those that share the process's address space has this FS base. */
static uint32_t runner(struct pipeline *p, uint32_t process, uint64_t fs_base)
{
	for (uint32_t i = PROCESS_AT(p, process)->borrower; i; i = PROCESS_AT(p, i)->borrower) {
		uint64_t borrowers = PROCESS_AT(p, i)->fs_base;

		if (!borrowers || !fs_base || borrowers == fs_base)
			process = i;
	}
	return process;
}

static void take_pid(struct pipeline *p, uint32_t process, uint32_t pid)
{
	if (!add_node(p, &p->by_pid, hash_word(pid), process))
		PROCESS_AT(p, process)->pid = pid;
}

static uint32_t new_process(struct pipeline *p, uint32_t pid, uint64_t space, uint32_t set)
{
	uint32_t process = set ? take_node(p, &p->processes) : 0;

	if (!process)
		goto release;
	PROCESS_AT(p, process)->set = set;
	if (pid && add_node(p, &p->by_pid, hash_word(pid), process))
		goto give;
	PROCESS_AT(p, process)->pid = pid;
	enter_space(p, process, space);
	return process;
give:
	pool_give(&p->processes, process);
release:
	release_set(p, set);
	return 0;
}

/* Whose the address space is; 0 where that is new. */
static uint32_t in_space(struct pipeline *p, uint64_t root)
{
	return by_space(p, root == SPACE_UNKNOWN ? root : space_canonical(p, root));
}

static uint64_t root_of(const struct event *event)
{
	return event->pid || event->space ? event->space : SPACE_UNKNOWN;
}

uint32_t process_known(struct pipeline *p, const struct event *event)
{
	uint32_t process = event->pid ? by_pid(p, event->pid) : 0;

	if (process)
		return process;
	process = in_space(p, root_of(event));
	if (!event->pid)
		return process ? runner(p, process, event->fs_base) : 0;
	return process && event->space && !PROCESS_AT(p, process)->pid ? process : 0;
}

uint32_t process_of(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_known(p, event);

	if (!process)
		return new_process(p, event->pid, root_of(event), new_set(p));
	if (!event->pid)
		return process;
	if (!PROCESS_AT(p, process)->pid)
		take_pid(p, process, event->pid);
	enter_space(p, process, event->space);
	return process;
}

void process_forget_names(struct pipeline *p, uint32_t process)
{
	struct process *q = PROCESS_AT(p, process);

	for (int i = 0; i < 2; i++) {
		file_release(p, q->named[i]);
		q->named[i] = 0;
	}
}

/* Those that no pid tells of can't be meant by anything any more. */
static void end_borrowers(struct pipeline *p, uint32_t process)
{
	uint32_t borrower;

	while ((borrower = PROCESS_AT(p, process)->borrower)) {
		space_return(p, borrower);
		if (!PROCESS_AT(p, borrower)->pid)
			process_gone(p, borrower);
	}
}

void process_gone(struct pipeline *p, uint32_t process)
{
	struct process *q = PROCESS_AT(p, process);

	threads_of_process_gone(p, process, 0);
	submissions_forget(p, process);
	areas_gone(p, process);
	process_forget_names(p, process);
	folder_left(p, process);
	space_return(p, process);
	end_borrowers(p, process);
	leave_space(p, process);
	await(p, process, false);
	if (q->made_by)
		CALL_AT(p, q->made_by)->child = 0;
	if (q->pid)
		table_remove(&p->by_pid, hash_word(q->pid), process);
	release_set(p, q->set);
	pool_give(&p->processes, process);
}

/* Does the child run in its parent's address space? Of threads that wait, one FS base tells. */
static bool borrows(struct pipeline *p, uint32_t parent, const struct fork_event *fork)
{
	const struct process *q = PROCESS_AT(p, owner(p, parent));

	if (!(fork->flags & CLONE_VM_FLAG))
		return false;
	if (!(fork->flags & CLONE_VFORK_FLAG) && !fork->child_fs_base)
		return false;
	return !fork->child_space || space_canonical(p, fork->child_space) == q->space;
}

/* Is the second the first, or does it run in an address space that it has from it? */
static bool lends_to(struct pipeline *p, uint32_t process, uint32_t borrower)
{
	while (borrower && borrower != process)
		borrower = PROCESS_AT(p, borrower)->lender;
	return borrower;
}

/* What a process that executes a program leaves may be another one's before the program begins. */
static bool executes(struct pipeline *p, uint32_t process)
{
	uint32_t call = PROCESS_AT(p, process)->calls.first;

	while (call && !call_executes(CALL_AT(p, call)->call))
		call = CALL_AT(p, call)->of_process.next;
	return call;
}

uint32_t process_child(struct pipeline *p, uint32_t parent, const struct fork_event *fork)
{
	bool borrower = borrows(p, parent, fork);
	uint32_t child = fork->child_pid ? by_pid(p, fork->child_pid) : 0, set;

	if (!fork->child_pid && !borrower)
		child = in_space(p, fork->child_space);
	if (child && PROCESS_AT(p, child)->pid && !fork->child_pid && executes(p, child))
		child = 0;
	if (child && lends_to(p, child, parent))
		return 0; /* nobody is his own child's child */
	if (child)
		process_gone(p, child);
	set = PROCESS_AT(p, parent)->set;
	if (fork->flags & CLONE_FILES_FLAG)
		SET_AT(p, set)->holders++;
	else
		set = copy_of_set(p, set);
	child = new_process(p, fork->child_pid, borrower ? 0 : fork->child_space, set);
	if (!child)
		return 0;
	process_inherits(p, parent, child, fork->flags & CLONE_FS_FLAG);
	traffic_made(p, parent, child);
	PROCESS_AT(p, child)->fs_base = fork->child_fs_base;
	PROCESS_AT(p, child)->stack = fork->child_stack;
	if (!borrower)
		areas_inherit(p, parent, child);
	if (borrower)
		lend_space(p, parent, child);
	else if (!PROCESS_AT(p, child)->space)
		await(p, child, true);
	return child;
}

uint32_t process_awaited(struct pipeline *p, uint32_t pid)
{
	uint32_t child = pid ? by_pid(p, pid) : 0;

	return child && PROCESS_AT(p, child)->awaited ? child : 0;
}

void process_found(struct pipeline *p, uint32_t child, const struct event *event)
{
	if (event->pid && !PROCESS_AT(p, child)->pid)
		take_pid(p, child, event->pid);
	await(p, child, false);
	enter_space(p, child, root_of(event));
}

/*
 * Another pid than before: the address space is used again, its process ended
 * unseen. A child of that pid that did not return yet turns out to be this one.
 */
void process_named(struct pipeline *p, uint32_t process, uint32_t pid)
{
	uint64_t root = PROCESS_AT(p, process)->root;
	uint32_t known = by_pid(p, pid);

	if (known == process)
		return;
	if (known && PROCESS_AT(p, process)->lender) {
		process_gone(p, known);
		known = 0;
	}
	if (!known && !PROCESS_AT(p, process)->pid) {
		take_pid(p, process, pid);
		return;
	}
	if (PROCESS_AT(p, process)->pid)
		process_gone(p, process);
	if (!known)
		new_process(p, pid, root, new_set(p));
	else
		enter_space(p, known, root);
}

/* All threads but the one that made the call are gone, and the old address space, too. */
static void execute(struct pipeline *p, uint32_t process, uint32_t thread,
		    const struct event *event)
{
	struct process *q = PROCESS_AT(p, process);
	uint32_t next;

	threads_of_process_gone(p, process, thread);
	submissions_forget(p, process);
	areas_gone(p, process);
	enter_space(p, process, root_of(event));
	unshare(p, q);
	for (uint32_t i = SET_AT(p, q->set)->descriptors.first; i; i = next) {
		next = DESCRIPTOR_AT(p, i)->of_set.next;
		if (DESCRIPTOR_AT(p, i)->close_on_exec)
			forget(p, i);
	}
}

void process_executes(struct pipeline *p, uint32_t call, const struct event *event)
{
	CALL_AT(p, call)->executed = true;
	execute(p, CALL_AT(p, call)->process, CALL_AT(p, call)->thread, event);
}

void process_executed(struct pipeline *p, const struct event *event)
{
	uint32_t call = identity_executing(p, event);
	uint32_t process = call ? CALL_AT(p, call)->process : process_of(p, event);

	if (!process)
		return;
	if (call)
		process_executes(p, call, event);
	else
		execute(p, process, 0, event);
	program_named(p, process, &event->exec.name);
}

uint32_t descriptor_find(struct pipeline *p, uint32_t process, int32_t fd)
{
	uint32_t descriptor = find(p, PROCESS_AT(p, process)->set, fd);

	return descriptor ? DESCRIPTOR_AT(p, descriptor)->open_file : 0;
}

void descriptor_set(struct pipeline *p, uint32_t process, int32_t fd, uint32_t open_file,
		    bool close_on_exec)
{
	if (open_file && fd >= 0)
		set_descriptor(p, PROCESS_AT(p, process)->set, fd, open_file, close_on_exec);
}

uint32_t descriptor_meet(struct pipeline *p, uint32_t process, int32_t fd)
{
	uint32_t open_file = descriptor_find(p, process, fd);
	struct open_file *o;

	if (open_file || fd < 0)
		return open_file;
	open_file = open_file_new(p, file_unnamed(p));
	if (!open_file)
		return 0;
	o = OPEN_FILE_AT(p, open_file);
	o->offset = OFFSET_UNKNOWN;
	o->unopened = true;
	descriptor_set(p, process, fd, open_file, false);
	return descriptor_find(p, process, fd);
}

void descriptor_mark(struct pipeline *p, uint32_t process, int32_t fd, bool close_on_exec)
{
	uint32_t descriptor = find(p, PROCESS_AT(p, process)->set, fd);

	if (descriptor)
		DESCRIPTOR_AT(p, descriptor)->close_on_exec = close_on_exec;
}

void descriptor_close(struct pipeline *p, uint32_t process, int32_t fd)
{
	uint32_t descriptor = find(p, PROCESS_AT(p, process)->set, fd);

	if (descriptor)
		forget(p, descriptor);
}

void descriptor_range(struct pipeline *p, uint32_t process, uint32_t first, uint32_t last,
		      bool own_table, bool mark_only)
{
	struct process *q = PROCESS_AT(p, process);
	uint32_t next;

	if (own_table)
		unshare(p, q);
	for (uint32_t i = SET_AT(p, q->set)->descriptors.first; i; i = next) {
		struct descriptor *d = DESCRIPTOR_AT(p, i);

		next = d->of_set.next;
		if ((uint32_t)d->fd < first || (uint32_t)d->fd > last)
			continue;
		if (mark_only)
			d->close_on_exec = true;
		else
			forget(p, i);
	}
}
