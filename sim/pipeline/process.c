/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes and their descriptor tables.
 *
 * A process is named by its pid where the recorder knows it, else by its
 * address space; an event that has both teaches which belong together. A
 * descriptor is one node, found by (table, fd) and listed in its table.
 */
#include "sim/pipeline/state.h"

/* Linux, include/uapi/linux/sched.h. */
#define CLONE_FILES_FLAG  0x400u
#define CLONE_THREAD_FLAG 0x10000u

/* Events that say neither pid nor address space are one process's. */
#define SPACE_UNKNOWN UINT64_MAX

#define SET_AT(p, i)	    POOL_NODE(&(p)->sets, struct descriptor_set, i)
#define DESCRIPTOR_AT(p, i) POOL_NODE(&(p)->descriptors, struct descriptor, i)
#define OF_SET		    offsetof(struct descriptor, of_set)

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

static void leave_space(struct pipeline *p, uint32_t process)
{
	struct process *q = PROCESS_AT(p, process);

	if (q->space)
		table_remove(&p->by_space, hash_word(q->space), process);
	q->space = 0;
}

/* From now on, the address space means this process. */
static void enter_space(struct pipeline *p, uint32_t process, uint64_t space)
{
	uint32_t other;

	if (!space || PROCESS_AT(p, process)->space == space)
		return;
	other = by_space(p, space);
	if (other)
		leave_space(p, other);
	leave_space(p, process);
	if (!add_node(p, &p->by_space, hash_word(space), process))
		PROCESS_AT(p, process)->space = space;
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

static uint32_t known_process(struct pipeline *p, uint32_t pid, uint64_t space)
{
	return pid ? by_pid(p, pid) : by_space(p, space);
}

uint32_t process_of(struct pipeline *p, const struct event *event)
{
	uint64_t space = event->pid || event->space ? event->space : SPACE_UNKNOWN;
	uint32_t process = known_process(p, event->pid, space);

	if (!process)
		return new_process(p, event->pid, space, new_set(p));
	if (event->pid)
		enter_space(p, process, space);
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

void process_gone(struct pipeline *p, uint32_t process)
{
	struct process *q = PROCESS_AT(p, process);

	calls_of_process_abandon(p, process);
	process_forget_names(p, process);
	leave_space(p, process);
	if (q->pid)
		table_remove(&p->by_pid, hash_word(q->pid), process);
	release_set(p, q->set);
	pool_give(&p->processes, process);
}

/* A new thread is no new process: it has its process's table. */
void process_forked(struct pipeline *p, const struct event *event)
{
	const struct fork_event *fork = &event->fork;
	uint32_t parent = process_of(p, event), child, set;

	if (!parent || fork->flags & CLONE_THREAD_FLAG || (!fork->child_pid && !fork->child_space))
		return;
	child = known_process(p, fork->child_pid, fork->child_space);
	if (child == parent)
		return;
	if (child)
		process_gone(p, child);
	set = PROCESS_AT(p, parent)->set;
	if (fork->flags & CLONE_FILES_FLAG)
		SET_AT(p, set)->holders++;
	else
		set = copy_of_set(p, set);
	new_process(p, fork->child_pid, fork->child_space, set);
}

void process_executed(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_of(p, event), next;
	struct process *q;

	if (!process)
		return;
	q = PROCESS_AT(p, process);
	unshare(p, q);
	for (uint32_t i = SET_AT(p, q->set)->descriptors.first; i; i = next) {
		next = DESCRIPTOR_AT(p, i)->of_set.next;
		if (DESCRIPTOR_AT(p, i)->close_on_exec)
			forget(p, i);
	}
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
