/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes and threads of which only registers are known, under random events:
 * whatever forks, executes, interrupts and ends whatever, nothing is left when
 * everything is over. And both ABIs' names, numbers and arguments.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sim/pipeline/pipeline.h"
#include "tests/random_event.h"

#define STEPS  200000
#define SPACES 12

static const enum call calls[] = {
	CALL_read,   CALL_write,  CALL_close,  CALL_dup,	CALL_openat,
	CALL_fork,   CALL_fork,	  CALL_vfork,  CALL_vfork,	CALL_clone,
	CALL_rfork,  CALL_clone3, CALL_execve, CALL_execve,	CALL_exit,
	CALL_getpid, CALL_nosys,  CALL_fsync,  CALL_exit_group, CALL_rt_sigreturn,
};

static const enum event_kind kinds[] = {
	EVENT_ENTRY, EVENT_ENTRY, EVENT_ENTRY,	EVENT_ENTRY,   EVENT_EXIT, EVENT_EXIT, EVENT_EXIT,
	EVENT_EXIT,  EVENT_FORK,  EVENT_SWITCH, EVENT_INSIGHT, EVENT_EXEC, EVENT_GONE, EVENT_GONE,
};

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static uint64_t below(struct random_events *r, uint64_t limit)
{
	return random_next(r) % limit;
}

static uint64_t space(struct random_events *r)
{
	return (1 + below(r, SPACES)) * 0x1000 + below(r, 2) * 0x802;
}

static uint32_t number(struct random_events *r, enum abi abi)
{
	int found = call_number(abi, calls[below(r, COUNT_OF(calls))]);

	return found < 0 ? 1000 : found;
}

static void make_entry(struct random_events *r, struct entry_event *entry)
{
	entry->abi = below(r, 1000) ? ABI_LINUX64 : ABI_FREEBSD64;
	entry->number = number(r, entry->abi);
	for (int i = 0; i < 6; i++)
		entry->argument[i] = below(r, 6);
	if (!below(r, 2))
		entry->argument[0] =
			0x100 | below(r, 2) << 14 | below(r, 2) << 16 | below(r, 2) << 19;
	entry->sums.count = 0;
}

static void make_event(struct random_events *r, struct event *e)
{
	event_init(e, kinds[below(r, COUNT_OF(kinds))]);
	e->seq = ++r->seq;
	e->time_ns = r->time_ns += below(r, 1000);
	e->space = space(r);
	e->stack = below(r, 4) * 0x100;
	e->fs_base = below(r, 3);
	e->vcpu = below(r, 3) ? below(r, 4) : VCPU_UNKNOWN;
	e->pid = below(r, 5) ? 0 : 1 + below(r, 8);
	e->tid = below(r, 5) ? 0 : 1 + below(r, 12);
	if (e->kind == EVENT_ENTRY)
		make_entry(r, &e->entry);
	if (e->kind == EVENT_EXIT) {
		e->exit.number = number(r, ABI_LINUX64);
		e->exit.result = below(r, 3) ? (int64_t)below(r, 8) : -(int64_t)below(r, 600);
	}
	if (e->kind == EVENT_FORK)
		e->fork = (struct fork_event){1 + below(r, 7),		 below(r, 12),
					      below(r, 4) << 14 | 0x100, below(r, 2) ? space(r) : 0,
					      below(r, 4) * 0x100,	 below(r, 3)};
	if (e->kind == EVENT_INSIGHT) {
		e->insight.number =
			call_number(ABI_LINUX64, below(r, 2) ? CALL_getpid : CALL_gettid);
		e->insight.result = below(r, 8);
	}
	if (e->kind == EVENT_GONE)
		e->gone.last_thread = below(r, 2);
}

static void end(struct pipeline *p, uint32_t pid, uint64_t root)
{
	struct event e;

	event_init(&e, EVENT_GONE);
	e.pid = pid;
	e.space = root;
	e.gone.last_thread = 1;
	cr_assert_eq(pipeline_feed(p, &e, 1), 0);
}

/* Borrowers of an address space end before its owner, so each is ended more than once. */
static void end_all(struct pipeline *p)
{
	for (uint32_t pid = 1; pid <= 8; pid++)
		end(p, pid, 0);
	for (int round = 0; round < 64; round++)
		for (uint64_t root = 0x1000; root <= SPACES * 0x1000; root += 0x1000)
			end(p, 0, root);
}

Test(identity, keeps_nothing_of_raw_events_when_everything_is_over)
{
	static const char *const tables[] = {"outstanding", "threads", "descriptors", "open_files",
					     "files"};

	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct random_events *r = random_events_new(seed);
		struct pipeline_options options;
		struct pipeline *p;
		struct event e;

		pipeline_defaults(&options);
		p = pipeline_new(&options, NULL, NULL);
		for (int i = 0; i < STEPS / 5; i++) {
			make_event(r, &e);
			cr_assert_eq(pipeline_feed(p, &e, 1), 0);
		}
		cr_expect_leq(pipeline_counter(p, "outstanding_peak"), 10000);
		end_all(p);
		for (size_t i = 0; i < COUNT_OF(tables); i++)
			cr_expect_leq(pipeline_counter(p, tables[i]), 0, "seed %lu: %s: %lu", seed,
				      tables[i], pipeline_counter(p, tables[i]));
		cr_assert_eq(pipeline_finish(p), 0);
		pipeline_free(p);
		free(r);
	}
}

Test(calls, have_each_systems_names)
{
	cr_expect_str_eq(call_name(ABI_LINUX64, CALL_pread64), "pread64");
	cr_expect_str_eq(call_name(ABI_FREEBSD64, CALL_pread64), "pread");
	cr_expect_eq(call_by_name(ABI_FREEBSD64, "exit", 4), CALL_exit_group);
	cr_expect_eq(call_by_name(ABI_LINUX64, "exit", 4), CALL_exit);
	cr_expect_eq(call_by_name(ABI_FREEBSD64, "pread64", 7), CALL_pread64);
	for (enum call call = CALL_NONE + 1; call < CALL_COUNT; call++)
		for (enum abi abi = ABI_LINUX64; abi <= ABI_FREEBSD64; abi++) {
			const char *name = call_name(abi, call);

			if (call_number(abi, call) < 0)
				continue;
			cr_expect_eq(call_by_name(abi, name, strlen(name)), call, "%s", name);
			cr_expect_eq(call_by_number(abi, call_number(abi, call)), call, "%s", name);
		}
}

Test(calls, follow_indirection_once)
{
	uint64_t argument[6] = {4, 10, 11, 12, 13, 14};

	cr_expect_eq(call_meant(ABI_FREEBSD64, 0, argument), CALL_write);
	cr_expect_eq(argument[0], 10);
	cr_expect_eq(argument[4], 14);
	cr_expect_eq(argument[5], 0);
	argument[0] = 198;
	cr_expect_eq(call_meant(ABI_FREEBSD64, 198, argument), CALL___syscall);
	cr_expect_eq(call_meant(ABI_LINUX64, 0, argument), CALL_read);
	cr_expect_eq(argument[0], 11);
}
