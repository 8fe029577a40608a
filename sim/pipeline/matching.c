/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which return belongs to which call (paper, 4.2).
 *
 * A thread has at most one call outstanding. Threads are told apart by tid
 * where the recorder knows it, else by process and stack pointer, so it makes
 * no difference which virtual CPU either half was seen on.
 */
#include "sim/pipeline/state.h"

#define OF_PROCESS offsetof(struct call_state, of_process)

static uint32_t thread_hash(uint32_t process, uint32_t tid, uint64_t stack)
{
	return tid ? hash_word(tid) : hash_words(process, stack);
}

/* process: of the event; not needed where the tid is known. */
static uint32_t find(struct pipeline *p, uint32_t process, uint32_t tid, uint64_t stack)
{
	uint32_t call;

	table_for_each(&p->by_thread, thread_hash(process, tid, stack), at, call)
	{
		const struct call_state *c = CALL_AT(p, call);

		if (c->tid == tid && (tid || (c->process == process && c->stack == stack)))
			break;
	}
	return call;
}

static void forget(struct pipeline *p, uint32_t call)
{
	const struct call_state *c = CALL_AT(p, call);

	table_remove(&p->by_thread, thread_hash(c->process, c->tid, c->stack), call);
	list_remove(&PROCESS_AT(p, c->process)->calls, &p->calls, OF_PROCESS, call);
	open_file_release(p, c->source);
	open_file_release(p, c->target);
	file_release(p, c->written_file);
	file_release(p, c->named[0]);
	file_release(p, c->named[1]);
	pool_give(&p->calls, call);
}

void call_abandon(struct pipeline *p, uint32_t call)
{
	p->counters.lost_exits++;
	forget(p, call);
}

uint32_t call_of(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_of(p, event);

	return process ? find(p, process, event->tid, event->stack) : 0;
}

void call_entered(struct pipeline *p, const struct event *event)
{
	const struct entry_event *entry = &event->entry;
	enum call which = call_by_number(entry->abi, entry->number);
	uint32_t process = process_of(p, event), call;
	struct call_state *c;

	if (!process)
		return;
	call = find(p, process, event->tid, event->stack);
	if (call)
		call_abandon(p, call);
	call = take_node(p, &p->calls);
	if (!call)
		return;
	c = CALL_AT(p, call);
	*c = (struct call_state){.seq = event->seq,
				 .time_ns = event->time_ns,
				 .stack = event->stack,
				 .process = process,
				 .tid = event->tid,
				 .vcpu = event->vcpu,
				 .abi = entry->abi,
				 .call = which,
				 .source_offset = OFFSET_UNKNOWN,
				 .target_offset = OFFSET_UNKNOWN};
	for (int i = 0; i < 6; i++)
		c->argument[i] = entry->argument[i];
	c->path_hash[0] = text_hash(&entry->path);
	c->path_hash[1] = text_hash(&entry->path2);
	if (add_node(p, &p->by_thread, thread_hash(process, event->tid, event->stack), call)) {
		pool_give(&p->calls, call);
		return;
	}
	list_append(&PROCESS_AT(p, process)->calls, &p->calls, OF_PROCESS, call);
	call_begin(p, c, event);
}

void call_returned(struct pipeline *p, const struct event *event)
{
	uint32_t call = call_of(p, event);
	struct call_state *c;

	if (!call) {
		p->counters.unmatched_exits++;
		return;
	}
	c = CALL_AT(p, call);
	if (c->call != call_by_number(event->exit.abi, event->exit.number)) {
		p->counters.unmatched_exits++;
		call_abandon(p, call);
		return;
	}
	if (c->vcpu != event->vcpu && c->vcpu != VCPU_UNKNOWN && event->vcpu != VCPU_UNKNOWN)
		p->counters.split_calls++;
	call_end(p, c, event);
	forget(p, call);
}

void calls_of_process_abandon(struct pipeline *p, uint32_t process)
{
	while (PROCESS_AT(p, process)->calls.first)
		call_abandon(p, PROCESS_AT(p, process)->calls.first);
}
