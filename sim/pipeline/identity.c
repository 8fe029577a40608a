/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who an event is about (paper, 3.1): address spaces, threads, and how
 * processes come to be.
 *
 * A process is known by its pid where the recorder has it, else by its address
 * space; a thread by its tid, else by its FS base (the thread pointer on both
 * systems), else by the stack that it was made with, else by the stack pointer
 * of the call that it is in. The surer sign goes first, so that a coroutine or
 * a signal handler on a stack of its own is still the thread that it runs on.
 *
 * A fork event tells of a child, or else the child's first return from the
 * call that made it does: such a call returns 0 in the child only. After vfork
 * the child runs in its parent's address space, with the FS base of the thread
 * that made it, until it executes a program or ends: it is that space's
 * borrower.
 */
#include "sim/pipeline/identity.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/state.h"

/* CR3's bits that are no address: the PCID, and "keep the TLB" (Intel SDM 3A, 4.10.4.1). */
#define PCID_MASK	0xfffull
#define KEEP_TLB_BIT	(1ull << 63)
/* Linux with KPTI: the second page table lies right behind the first (arch/x86/entry/calling.h). */
#define SECOND_ROOT_BIT 0x1000ull

/* Linux, include/uapi/linux/sched.h. */
#define CLONE_VM_FLAG	  0x100u
#define CLONE_FILES_FLAG  0x400u
#define CLONE_VFORK_FLAG  0x4000u
#define CLONE_THREAD_FLAG 0x10000u
#define CLONE_SETTLS_FLAG 0x80000u

/* FreeBSD, sys/sys/unistd.h. */
#define RFORK_FDG    0x4u	 /* a copy of the descriptor table, not the same */
#define RFORK_MEMORY 0x20u	 /* the same address space */
#define RFORK_WAIT   0x80000000u /* the parent waits, as after vfork */

/* The most threads of one process that are remembered; the oldest one goes. */
#define THREADS_MAX 32768

/* How far below the top of its stack a thread may be: Linux's default limit. */
#define STACK_BYTES_MAX (8ull << 20)

#define OF_PROCESS offsetof(struct thread, of_process)

/* Ids that a host's recorder gives address spaces are no addresses, and stay what they are. */
uint64_t space_canonical(const struct pipeline *p, uint64_t space)
{
	uint64_t root = space & ~(KEEP_TLB_BIT | PCID_MASK);

	if (root & ~SECOND_ROOT_BIT && !p->one_root)
		root &= ~SECOND_ROOT_BIT;
	return root ? root : space;
}

/* No page table has a second one behind it: each root is a process of its own. */
static void roots_are_single(struct pipeline *p)
{
	struct table fresh;

	if (p->one_root)
		return;
	if (table_init(&fresh)) {
		p->out_of_memory = true;
		return;
	}
	p->one_root = true;
	for (uint32_t i = 0; i <= p->by_space.mask; i++) {
		uint32_t process = p->by_space.slot[i].node;

		if (!process)
			continue;
		PROCESS_AT(p, process)->space = space_canonical(p, PROCESS_AT(p, process)->root);
		add_node(p, &fresh, hash_word(PROCESS_AT(p, process)->space), process);
	}
	table_fini(&p->by_space);
	p->by_space = fresh;
}

void identity_attribute(struct pipeline *p, const struct event *event)
{
	const struct attribute_event *attribute = &event->attribute;

	if (text_is(&attribute->name, "kpti") && text_is(&attribute->value, "off"))
		roots_are_single(p);
}

/* FreeBSD's two page tables of a process are anywhere (sys/amd64/amd64/pmap.c, pm_ucr3). */
void identity_abi(struct pipeline *p, enum abi abi)
{
	if (abi == ABI_FREEBSD64)
		roots_are_single(p);
}

static uint32_t by_tid(struct pipeline *p, uint32_t tid)
{
	uint32_t thread;

	table_for_each(&p->by_tid, hash_word(tid), at, thread)
	{
		if (THREAD_AT(p, thread)->tid == tid)
			break;
	}
	return thread;
}

/* Threads without a tid or FS base have the key of their stack. */
static uint32_t thread_hash(const struct thread *t)
{
	return hash_words(t->process, t->fs_base ? t->fs_base : ~t->stack);
}

static bool is_keyed(const struct thread *t)
{
	return t->fs_base || (!t->tid && !t->stack_top);
}

static uint32_t by_key(struct pipeline *p, const struct thread *key)
{
	uint32_t thread;

	table_for_each(&p->by_thread, thread_hash(key), at, thread)
	{
		const struct thread *t = THREAD_AT(p, thread);

		if (t->process == key->process && t->fs_base == key->fs_base &&
		    (t->fs_base || t->stack == key->stack))
			break;
	}
	return thread;
}

/* The thread whose stack this is in: the one whose top is the next above. */
static uint32_t by_stack(struct pipeline *p, uint32_t process, uint64_t stack)
{
	uint64_t nearest = UINT64_MAX;
	uint32_t found = 0;

	if (!PROCESS_AT(p, process)->stacks || !stack)
		return 0;
	for (uint32_t i = PROCESS_AT(p, process)->threads.first; i;
	     i = THREAD_AT(p, i)->of_process.next) {
		uint64_t top = THREAD_AT(p, i)->stack_top;

		if (top < stack || top - stack > STACK_BYTES_MAX || top >= nearest)
			continue;
		nearest = top;
		found = i;
	}
	return found;
}

static void take_key(struct pipeline *p, uint32_t thread)
{
	struct thread *t = THREAD_AT(p, thread);

	if (is_keyed(t))
		table_remove(&p->by_thread, thread_hash(t), thread);
}

static void forget_tid(struct pipeline *p, uint32_t thread)
{
	struct thread *t = THREAD_AT(p, thread);

	if (t->tid)
		table_remove(&p->by_tid, hash_word(t->tid), thread);
	t->tid = 0;
}

void thread_gone(struct pipeline *p, uint32_t thread)
{
	struct thread *t = THREAD_AT(p, thread);
	struct process *process = PROCESS_AT(p, t->process);

	while (t->call)
		call_abandon(p, t->call);
	take_key(p, thread);
	forget_tid(p, thread);
	process->stacks -= t->stack_top != 0;
	list_remove(&process->threads, &p->threads, OF_PROCESS, thread);
	pool_give(&p->threads, thread);
}

void threads_of_process_gone(struct pipeline *p, uint32_t process, uint32_t but)
{
	uint32_t next;

	for (uint32_t i = PROCESS_AT(p, process)->threads.first; i; i = next) {
		next = THREAD_AT(p, i)->of_process.next;
		if (i != but)
			thread_gone(p, i);
	}
}

static void make_room(struct pipeline *p, uint32_t process)
{
	const struct list *threads = &PROCESS_AT(p, process)->threads;

	if (threads->count >= THREADS_MAX)
		thread_gone(p, threads->first);
}

static uint32_t thread_new(struct pipeline *p, const struct thread *like)
{
	uint32_t thread;
	struct thread *t;

	make_room(p, like->process);
	thread = take_node(p, &p->threads);
	if (!thread)
		return 0;
	t = THREAD_AT(p, thread);
	*t = *like;
	if (is_keyed(t) && add_node(p, &p->by_thread, thread_hash(t), thread))
		goto give;
	if (t->tid && add_node(p, &p->by_tid, hash_word(t->tid), thread))
		goto take;
	PROCESS_AT(p, t->process)->stacks += t->stack_top != 0;
	list_append(&PROCESS_AT(p, t->process)->threads, &p->threads, OF_PROCESS, thread);
	return thread;
take:
	take_key(p, thread);
give:
	pool_give(&p->threads, thread);
	return 0;
}

/* From now on the FS base means this thread, and no other of its process. */
static void learn_fs_base(struct pipeline *p, uint32_t thread, uint64_t fs_base)
{
	struct thread *t = THREAD_AT(p, thread);
	struct thread key = {.process = t->process, .fs_base = fs_base};
	uint32_t other;

	if (!fs_base || t->fs_base == fs_base)
		return;
	other = by_key(p, &key);
	if (other)
		thread_gone(p, other);
	take_key(p, thread);
	t->fs_base = fs_base;
	if (add_node(p, &p->by_thread, thread_hash(t), thread))
		t->fs_base = 0;
}

static void learn_tid(struct pipeline *p, uint32_t thread, uint32_t tid)
{
	struct thread *t = THREAD_AT(p, thread);
	uint32_t other;

	if (!tid || t->tid == tid)
		return;
	other = by_tid(p, tid);
	if (other)
		thread_gone(p, other);
	if (is_keyed(t) && !t->fs_base)
		take_key(p, thread); /* the tid is better than a stack pointer */
	forget_tid(p, thread);
	t->tid = tid;
	if (!add_node(p, &p->by_tid, hash_word(tid), thread))
		return;
	t->tid = 0;
	if (is_keyed(t) && !t->fs_base)
		add_node(p, &p->by_thread, thread_hash(t), thread);
}

uint32_t thread_known(struct pipeline *p, uint32_t process, const struct event *event)
{
	struct thread key = {.process = process, .fs_base = event->fs_base, .stack = event->stack};
	uint32_t thread = event->tid ? by_tid(p, event->tid) : 0;

	if (thread && THREAD_AT(p, thread)->process == process)
		return thread;
	if (thread)
		thread_gone(p, thread); /* its tid is another's now */
	thread = event->fs_base ? by_key(p, &key) : 0;
	if (thread)
		return event->tid && THREAD_AT(p, thread)->tid ? 0 : thread;
	if (event->tid || event->fs_base)
		return 0;
	thread = by_stack(p, process, event->stack);
	return thread ? thread : by_key(p, &key);
}

uint32_t thread_of(struct pipeline *p, uint32_t process, const struct event *event)
{
	const struct thread like = {.process = process, .tid = event->tid, .stack = event->stack};
	uint32_t thread = thread_known(p, process, event);

	if (!thread)
		thread = thread_new(p, &like);
	if (!thread)
		return 0;
	learn_tid(p, thread, event->tid);
	learn_fs_base(p, thread, event->fs_base);
	return thread;
}

void thread_settle(struct pipeline *p, uint32_t thread)
{
	const struct thread *t = THREAD_AT(p, thread);

	if (!t->call && !t->tid && !t->fs_base && !t->stack_top)
		thread_gone(p, thread);
}

/* A call or a fork event told of a new thread. */
static void thread_made(struct pipeline *p, uint32_t process, uint32_t tid, uint64_t fs_base,
			uint64_t stack_top)
{
	const struct event first = {.tid = tid, .fs_base = fs_base, .stack = stack_top};
	uint32_t thread;
	struct thread *t;

	if (!tid && !fs_base) {
		const struct thread like = {.process = process, .stack_top = stack_top};

		thread = by_stack(p, process, stack_top);
		if (stack_top && (!thread || THREAD_AT(p, thread)->stack_top != stack_top))
			thread_new(p, &like);
		return;
	}
	thread = thread_of(p, process, &first);
	if (!thread)
		return;
	t = THREAD_AT(p, thread);
	PROCESS_AT(p, process)->stacks += (stack_top != 0) - (t->stack_top != 0);
	t->stack_top = stack_top;
}

/* What the call said of the child that it makes, in Linux's flags of clone(). */
static uint64_t clone_flags(const struct call_state *call)
{
	uint64_t rfork = call->argument[0];

	if (call->call == CALL_vfork)
		return CLONE_VFORK_FLAG | CLONE_VM_FLAG;
	if (call->call == CALL_clone)
		return call->argument[0];
	if (call->call == CALL_clone3)
		return call->told_flags;
	if (call->call != CALL_rfork)
		return 0;
	return (rfork & RFORK_MEMORY ? CLONE_VM_FLAG : 0) |
	       (rfork & RFORK_WAIT ? CLONE_VFORK_FLAG : 0) |
	       (rfork & RFORK_FDG ? 0 : CLONE_FILES_FLAG);
}

/* clone3 has its flags, stack and FS base in memory: only a fork event can tell, or told. */
static void describe_child(const struct call_state *call, struct fork_event *fork)
{
	bool clone = call->call == CALL_clone;

	*fork = (struct fork_event){.flags = clone_flags(call)};
	if (call->call == CALL_clone3) {
		fork->child_stack = call->told_stack;
		fork->child_fs_base = call->told_fs_base;
		return;
	}
	fork->child_stack = clone && call->argument[1] ? call->argument[1] : call->stack;
	fork->child_fs_base =
		clone && fork->flags & CLONE_SETTLS_FLAG ? call->argument[4] : call->fs_base;
}

static bool may_be(uint64_t known, uint64_t seen)
{
	return !known || !seen || known == seen;
}

/* The call, still out, whose child this first return is. */
static uint32_t making_call(struct pipeline *p, const struct event *event)
{
	uint32_t call;

	for (call = p->changing.first; call; call = CALL_AT(p, call)->of_changing.next) {
		const struct call_state *c = CALL_AT(p, call);
		struct fork_event fork;

		describe_child(c, &fork);
		if (c->number == event->exit.number && c->abi == event->exit.abi &&
		    call_makes_child(c->call) && !c->child_told &&
		    may_be(fork.child_stack, event->stack) &&
		    may_be(fork.child_fs_base, event->fs_base))
			break;
	}
	return call;
}

static uint32_t awaited_child(struct pipeline *p, const struct event *event)
{
	uint32_t child;

	for (child = p->awaited.first; child; child = PROCESS_AT(p, child)->of_awaited.next) {
		const struct process *q = PROCESS_AT(p, child);

		if (may_be(q->pid, event->pid) && may_be(q->stack, event->stack) &&
		    may_be(q->fs_base, event->fs_base))
			break;
	}
	return child;
}

static void note_child(struct pipeline *p, uint32_t call, uint32_t child)
{
	struct call_state *c = CALL_AT(p, call);

	if (c->child)
		PROCESS_AT(p, c->child)->made_by = 0;
	c->child_told = true;
	c->child = child;
	if (child)
		PROCESS_AT(p, child)->made_by = call;
}

static uint32_t make_child(struct pipeline *p, const struct call_state *call, uint32_t pid,
			   uint64_t space)
{
	struct fork_event fork;

	describe_child(call, &fork);
	if (fork.flags & CLONE_THREAD_FLAG)
		return 0;
	fork.child_pid = pid;
	fork.child_space = space;
	return process_child(p, call->process, &fork);
}

/*
 * A child that runs late is told of when the call that made it has returned, and its parent
 * may be in the next one: it has what its parent had then.
 */
static bool found_late(struct pipeline *p, const struct event *event)
{
	const struct fork_event *fork = &event->fork;
	const struct event first = {.pid = fork->child_pid, .space = fork->child_space};
	uint32_t child = process_awaited(p, fork->child_pid);

	if (!child || !fork->child_space || fork->flags & (CLONE_VM_FLAG | CLONE_THREAD_FLAG))
		return false;
	PROCESS_AT(p, child)->fs_base = fork->child_fs_base;
	PROCESS_AT(p, child)->stack = fork->child_stack;
	process_found(p, child, &first);
	return true;
}

/* The recorder saw the child made: what it says is better than what the call's arguments do. */
void identity_forked(struct pipeline *p, const struct event *event)
{
	const struct fork_event *fork = &event->fork;
	uint32_t parent = process_of(p, event), child, call;

	if (!parent)
		return;
	if (!(fork->flags & CLONE_VM_FLAG) && event->space && fork->child_space != event->space &&
	    space_canonical(p, fork->child_space) == space_canonical(p, event->space))
		roots_are_single(p);
	if (found_late(p, event))
		return;
	call = call_of(p, event);
	if (call && !call_makes_child(CALL_AT(p, call)->call))
		call = 0;
	if (call) {
		CALL_AT(p, call)->told_flags = fork->flags;
		CALL_AT(p, call)->told_stack = fork->child_stack;
		CALL_AT(p, call)->told_fs_base = fork->child_fs_base;
	}
	if (fork->flags & CLONE_THREAD_FLAG) {
		thread_made(p, parent, fork->child_tid, fork->child_fs_base, fork->child_stack);
		return;
	}
	child = process_child(p, parent, fork);
	if (call)
		note_child(p, call, child);
}

bool identity_is_child(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_known(p, event), call = process ? call_of(p, event) : 0;

	if (process)
		return call && call_makes_child(CALL_AT(p, call)->call);
	return awaited_child(p, event) || making_call(p, event);
}

void identity_child_returned(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_known(p, event), call = making_call(p, event), child;

	p->counters.first_returns++;
	if (process) {
		/* Its maker's address space, or the fork event told of it. */
		if (!event->pid && call && CALL_AT(p, call)->process == process &&
		    clone_flags(CALL_AT(p, call)) & CLONE_VM_FLAG)
			note_child(p, call, make_child(p, CALL_AT(p, call), 0, event->space));
		return;
	}
	child = awaited_child(p, event);
	if (child)
		process_found(p, child, event);
	else if (call)
		note_child(p, call, make_child(p, CALL_AT(p, call), event->pid, event->space));
}

void identity_child_made(struct pipeline *p, const struct call_state *call, uint32_t id)
{
	struct fork_event fork;

	describe_child(call, &fork);
	if (fork.flags & CLONE_THREAD_FLAG) {
		thread_made(p, call->process, id,
			    fork.flags & CLONE_SETTLS_FLAG ? fork.child_fs_base : 0,
			    call->call == CALL_clone ? call->argument[1] : fork.child_stack);
		return;
	}
	if (call->child) {
		/* Its parent goes on: the child of a vfork has let go of its address space. */
		if (fork.flags & CLONE_VFORK_FLAG)
			space_return(p, call->child);
		process_named(p, call->child, id);
	} else if (!call->child_told && call->call != CALL_clone3 &&
		   !(fork.flags & CLONE_VFORK_FLAG)) {
		make_child(p, call, id, 0);
	}
}

/* The execve whose new program's first event this is: its address space may be new. */
uint32_t identity_executing(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_known(p, event), last = 0, here = 0;

	for (uint32_t i = p->changing.first; i; i = CALL_AT(p, i)->of_changing.next) {
		const struct call_state *c = CALL_AT(p, i);

		if (!call_executes(c->call))
			continue;
		if (c->process == process)
			return i;
		if (c->vcpu == event->vcpu && c->vcpu != VCPU_UNKNOWN && !c->parked)
			here = i;
		last = i;
	}
	if (event->pid)
		return 0;
	return here || process ? here : last;
}

void identity_told(struct pipeline *p, const struct event *event, enum call asked)
{
	int64_t id = event->insight.result;
	uint32_t process = process_of(p, event), thread;

	if (!process || id <= 0 || id > UINT32_MAX)
		return;
	if (asked == CALL_getpid) {
		process_named(p, process, id);
		return;
	}
	/* A thread that only its call's stack pointer tells from others is known no longer than that. */
	thread = event->fs_base ? thread_of(p, process, event) : thread_known(p, process, event);
	if (thread && (event->fs_base || THREAD_AT(p, thread)->stack_top))
		learn_tid(p, thread, id);
}
