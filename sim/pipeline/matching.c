/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which return belongs to which call (paper, 4.2).
 *
 * A thread has at most one call outstanding, but for signals: a handler that
 * interrupts a call makes calls of its own from another place of the stack, or
 * from another stack, and the interrupted call returns when they are through.
 * So a thread's calls form a chain, innermost first.
 *
 * A call begins as its virtual CPU's current one. When that turns to something
 * else, the call is parked in the global table; a return that comes on another
 * virtual CPU is looked for there first, and then among what is still current
 * on the others, which is where it is if they have been idle since. Threads
 * find their calls either way: the two are told apart for the counters.
 *
 * Some calls never return (exit, sigreturn, what another thread's exec cuts
 * off), some return twice (fork: the child's first return matches no call),
 * and some are made again (restarts).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/pipeline/application.h"
#include "sim/pipeline/calls.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/identity.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"

#define OF_PROCESS  offsetof(struct call_state, of_process)
#define OF_CHANGING offsetof(struct call_state, of_changing)

/* Signal handlers that interrupt each other's calls; what is further out has lost its exit. */
#define NESTED_MAX 8

bool call_makes_child(enum call call)
{
	return call == CALL_fork || call == CALL_vfork || call == CALL_clone ||
	       call == CALL_clone3 || call == CALL_rfork || call == CALL_pdfork;
}

bool call_executes(enum call call)
{
	return call == CALL_execve || call == CALL_execveat || call == CALL_fexecve;
}

/* Kernel-internal results that the tracer of a host sees: include/linux/errno.h. */
static bool is_restart(const struct exit_event *exit)
{
	return exit->way == EXIT_RESTART ||
	       (exit->abi == ABI_LINUX64 && (exit->result == -512 || exit->result == -513 ||
					     exit->result == -514 || exit->result == -516));
}

/* Sets the call aside: its virtual CPU turned to something else. */
static void park(struct pipeline *p, uint16_t vcpu)
{
	uint32_t call = vcpu < p->vcpus ? p->current[vcpu] : 0;

	if (!call)
		return;
	CALL_AT(p, call)->parked = true;
	p->current[vcpu] = 0;
}

void call_switched(struct pipeline *p, const struct event *event)
{
	park(p, event->vcpu);
}

/* A thread makes a call or returns: whoever was in one here before has been switched away. */
static void notice_switch(struct pipeline *p, uint16_t vcpu, uint32_t thread)
{
	uint32_t call = vcpu < p->vcpus ? p->current[vcpu] : 0;

	if (!call || CALL_AT(p, call)->thread == thread)
		return;
	p->counters.thread_switches++;
	park(p, vcpu);
}

static void make_current(struct pipeline *p, uint16_t vcpu, uint32_t call)
{
	uint32_t *larger;

	if (vcpu == VCPU_UNKNOWN)
		return;
	park(p, vcpu);
	if (vcpu >= p->vcpus) {
		larger = realloc(p->current, (vcpu + 1) * sizeof(*larger));
		if (!larger) {
			p->out_of_memory = true;
			return;
		}
		memset(larger + p->vcpus, 0, (vcpu + 1 - p->vcpus) * sizeof(*larger));
		p->current = larger;
		p->vcpus = vcpu + 1;
	}
	p->current[vcpu] = call;
}

static void leave_chain(struct pipeline *p, uint32_t call)
{
	uint32_t *at = &THREAD_AT(p, CALL_AT(p, call)->thread)->call;

	while (*at != call)
		at = &CALL_AT(p, *at)->outer;
	*at = CALL_AT(p, call)->outer;
}

static bool is_changing(const struct call_state *c)
{
	return call_makes_child(c->call) || call_executes(c->call);
}

static void forget(struct pipeline *p, uint32_t call)
{
	const struct call_state *c = CALL_AT(p, call);

	if (c->vcpu < p->vcpus && p->current[c->vcpu] == call)
		p->current[c->vcpu] = 0;
	leave_chain(p, call);
	if (is_changing(c))
		list_remove(&p->changing, &p->calls, OF_CHANGING, call);
	if (c->child)
		PROCESS_AT(p, c->child)->made_by = 0;
	list_remove(&PROCESS_AT(p, c->process)->calls, &p->calls, OF_PROCESS, call);
	open_file_release(p, c->source);
	open_file_release(p, c->target);
	file_release(p, c->written_file);
	name_release(p, c->name);
	file_release(p, c->named[0]);
	file_release(p, c->named[1]);
	pool_give(&p->calls, call);
}

void call_abandon(struct pipeline *p, uint32_t call)
{
	p->counters.lost_exits++;
	forget(p, call);
}

static bool same_stack(const struct call_state *c, uint64_t stack)
{
	return c->stack == stack || !c->stack || !stack;
}

/* The thread's call that was made from this place, or 0. */
static uint32_t from_stack(struct pipeline *p, uint32_t thread, uint64_t stack)
{
	uint32_t call = THREAD_AT(p, thread)->call;

	while (call && !same_stack(CALL_AT(p, call), stack))
		call = CALL_AT(p, call)->outer;
	return call;
}

static uint32_t call_of_process(struct pipeline *p, uint32_t process, const struct event *event)
{
	uint32_t thread = process ? thread_known(p, process, event) : 0;
	uint32_t call = thread ? from_stack(p, thread, event->stack) : 0;

	return call || !thread ? call : THREAD_AT(p, thread)->call;
}

uint32_t call_of(struct pipeline *p, const struct event *event)
{
	return call_of_process(p, process_known(p, event), event);
}

/* The same call with the same content once more: what it announced before was never done. */
static bool made_again(const struct call_state *c, const struct call_state *next)
{
	return c->call == next->call && c->content == next->content &&
	       !memcmp(c->argument, next->argument, sizeof(c->argument));
}

static void take_restarted(struct pipeline *p, uint32_t call)
{
	struct event exit;

	event_init(&exit, EVENT_EXIT);
	exit.exit.way = EXIT_RESTART;
	call_end(p, CALL_AT(p, call), &exit);
	p->counters.restarted_calls++;
	forget(p, call);
}

/* What a thread that makes this call can no longer be in. */
static void end_earlier(struct pipeline *p, uint32_t thread, const struct call_state *next)
{
	uint32_t same = from_stack(p, thread, next->stack), outer;
	int depth = 0;

	while (same && THREAD_AT(p, thread)->call != same)
		call_abandon(p, THREAD_AT(p, thread)->call);
	if (same && made_again(CALL_AT(p, same), next))
		take_restarted(p, same);
	else if (same)
		call_abandon(p, same);
	for (outer = THREAD_AT(p, thread)->call; outer; outer = CALL_AT(p, outer)->outer)
		if (++depth == NESTED_MAX) {
			call_abandon(p, outer);
			break;
		}
}

/* The thread or the process is over as soon as it asks for that, or is where it was. */
static bool never_returns(struct pipeline *p, uint32_t process, uint32_t thread, enum call which)
{
	if (which == CALL_exit)
		thread_gone(p, thread);
	else if (which == CALL_exit_group)
		process_gone(p, process);
	return which == CALL_exit || which == CALL_exit_group || which == CALL_rt_sigreturn;
}

static uint32_t put_out(struct pipeline *p, uint32_t thread, uint32_t process,
			const struct call_state *like)
{
	uint32_t call = take_node(p, &p->calls);
	struct call_state *c;

	if (!call)
		return 0;
	c = CALL_AT(p, call);
	*c = *like;
	c->process = process;
	c->thread = thread;
	c->outer = THREAD_AT(p, thread)->call;
	p->counters.nested_calls += c->outer != 0;
	THREAD_AT(p, thread)->call = call;
	list_append(&PROCESS_AT(p, process)->calls, &p->calls, OF_PROCESS, call);
	if (is_changing(c))
		list_append(&p->changing, &p->calls, OF_CHANGING, call);
	make_current(p, c->vcpu, call);
	return call;
}

void call_entered(struct pipeline *p, const struct event *event)
{
	const struct entry_event *entry = &event->entry;
	struct call_state like = {.seq = event->seq,
				  .time_ns = event->time_ns,
				  .stack = event->stack,
				  .fs_base = event->fs_base,
				  .vcpu = event->vcpu,
				  .abi = entry->abi,
				  .number = entry->number,
				  .content = entry->sums.count ? entry->sums.at[0] : 0,
				  .source_offset = OFFSET_UNKNOWN,
				  .target_offset = OFFSET_UNKNOWN};
	uint32_t process, thread, call;

	identity_abi(p, entry->abi);
	process = process_of(p, event);
	thread = process ? thread_of(p, process, event) : 0;
	if (!thread)
		return;
	memcpy(like.argument, entry->argument, sizeof(like.argument));
	like.call = call_meant(entry->abi, entry->number, like.argument);
	like.path_hash[0] = text_hash(&entry->path);
	like.path_hash[1] = text_hash(&entry->path2);
	notice_switch(p, event->vcpu, thread);
	if (never_returns(p, process, thread, like.call))
		return;
	end_earlier(p, thread, &like);
	like.given = application_class(p, thread, entry, event->stack);
	call = put_out(p, thread, process, &like);
	if (call)
		call_begin(p, CALL_AT(p, call), event);
	else
		thread_settle(p, thread);
}

/* Sigreturn goes on where the signal came: in the kernel, about to return from that call. */
static bool returns_from(const struct call_state *c, const struct exit_event *exit)
{
	enum call which = call_by_number(exit->abi, exit->number);

	return c->number == exit->number || c->call == which || which == CALL_rt_sigreturn;
}

/* The exit says more or less of the thread than the entry did: what runs on that virtual CPU. */
static uint32_t current_call(struct pipeline *p, uint32_t process, const struct event *event)
{
	uint32_t call = event->vcpu < p->vcpus ? p->current[event->vcpu] : 0;
	const struct call_state *c = call ? CALL_AT(p, call) : NULL;

	if (!c || c->process != process || c->number != event->exit.number ||
	    !same_stack(c, event->stack))
		return 0;
	if (event->tid && THREAD_AT(p, c->thread)->tid)
		return 0;
	return event->fs_base && c->fs_base ? 0 : call;
}

/* A vfork child was taken to run here, but its parent returns: the child is over. */
static bool is_back(struct pipeline *p, uint32_t process, const struct exit_event *exit)
{
	uint32_t call = PROCESS_AT(p, process)->lender ? PROCESS_AT(p, process)->made_by : 0;

	return call && CALL_AT(p, call)->number == exit->number;
}

static uint32_t call_that_returned(struct pipeline *p, const struct event *event)
{
	enum call which = call_by_number(event->exit.abi, event->exit.number);
	uint32_t process = process_known(p, event), call;

	if (call_executes(which) && !event->exit.result)
		return identity_executing(p, event);
	call = call_of_process(p, process, event);
	if (call || !process)
		return call;
	if (is_back(p, process, &event->exit))
		return PROCESS_AT(p, process)->made_by;
	return current_call(p, process, event);
}

static void count_split(struct pipeline *p, const struct call_state *c, uint16_t vcpu)
{
	if (c->vcpu == vcpu || c->vcpu == VCPU_UNKNOWN || vcpu == VCPU_UNKNOWN)
		return;
	p->counters.split_calls++;
	p->counters.fallback_lookups += !c->parked;
}

/* All that hangs on the return, before the call is forgotten; c is a copy after that. */
static void complete(struct pipeline *p, uint32_t call, const struct event *event)
{
	struct call_state c = *CALL_AT(p, call);
	bool executed = call_executes(c.call) && !event->exit.result &&
			event->exit.way != EXIT_KILLED && event->exit.way != EXIT_RESTART;

	while (THREAD_AT(p, c.thread)->call != call)
		call_abandon(p, THREAD_AT(p, c.thread)->call);
	notice_switch(p, event->vcpu, c.thread);
	count_split(p, &c, event->vcpu);
	if (executed && !c.executed)
		process_executes(p, call, event);
	call_end(p, CALL_AT(p, call), event);
	application_returned(p, CALL_AT(p, call), &event->exit);
	forget(p, call);
	if (executed)
		thread_gone(p, c.thread);
	else
		thread_settle(p, c.thread);
	if (call_makes_child(c.call) && event->exit.result > 0)
		identity_child_made(p, &c, event->exit.result);
}

/* The call returns 0 in the child only. */
static bool is_child(struct pipeline *p, const struct event *event)
{
	const struct exit_event *exit = &event->exit;
	enum call which = call_by_number(exit->abi, exit->number);

	if (exit->result || exit->way == EXIT_KILLED || exit->way == EXIT_RESTART)
		return false;
	if (which == CALL_nosys || which == CALL___syscall)
		return identity_is_child(p, event);
	return call_makes_child(which);
}

static void returned(struct pipeline *p, const struct event *event)
{
	const struct exit_event *exit = &event->exit;
	uint32_t call;

	if (is_child(p, event)) {
		identity_child_returned(p, event);
		return;
	}
	call = call_that_returned(p, event);
	if (!call) {
		p->counters.unmatched_exits++;
		return;
	}
	if (!returns_from(CALL_AT(p, call), exit)) {
		p->counters.unmatched_exits++;
		call_abandon(p, call);
		return;
	}
	p->counters.restarted_calls += exit->way == EXIT_RESTART;
	complete(p, call, event);
}

/* Results as the guest's registers have them, into those that events have. */
static void normalise(struct exit_event *exit)
{
	if (is_restart(exit))
		exit->way = EXIT_RESTART;
	/* The carry flag says that it is an errno; in Linux it is whatever it was. */
	if (exit->abi == ABI_FREEBSD64 && exit->carry && exit->result > 0)
		exit->result = -exit->result;
}

void call_returned(struct pipeline *p, const struct event *event)
{
	struct event plain;

	identity_abi(p, event->exit.abi);
	if (event->exit.carry || event->exit.result < -511) {
		plain = *event;
		normalise(&plain.exit);
		event = &plain;
	}
	returned(p, event);
}

void calls_of_process_abandon(struct pipeline *p, uint32_t process)
{
	while (PROCESS_AT(p, process)->calls.first)
		call_abandon(p, PROCESS_AT(p, process)->calls.first);
}
