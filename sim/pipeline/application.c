/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classes that applications give with their calls (paper, 3.6).
 *
 * Such a call bears a magic and a class behind its own arguments. What it
 * writes keeps the class until the disk has it, what it takes of what the disk
 * delivered gets it at once; neither the size of the file nor the program
 * counts then. The last writer of a chunk decides: a plain write takes the
 * class away, also where it changes a part of the chunk only.
 *
 * On a raw disk the place of a chunk is known as well as its content, so that equal
 * content with different classes is told apart.
 *
 * The library clears the two registers right after the call, but a signal
 * handler that runs before that sees them as they were, and so would its
 * calls. A class is not believed where the thread is still in a call with the
 * same class in the same place; or where one was ended by a signal (EINTR, or
 * it will be made again) and this one comes from further down its stack than
 * the kernel's frame for the handler is large. (A handler that gives the same
 * class on purpose loses it.)
 */
#include <string.h>

#include "sim/pipeline/application.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/identity.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/state.h"

#define RESULT_EINTR -4 /* Linux and FreeBSD have the same */

/* The red zone and the registers that are saved below it: no frame of either system is smaller. */
#define HANDLER_FRAME_BYTES 1024u

static unsigned arguments_of(const struct call_state *c)
{
	return call_magic_argument(c->abi, c->call);
}

/* Is the thread still in a call whose registers these may be? */
static bool is_inside(struct pipeline *p, uint32_t thread, unsigned arguments, uint8_t given)
{
	uint32_t call = THREAD_AT(p, thread)->call;

	for (; call; call = CALL_AT(p, call)->outer)
		if (CALL_AT(p, call)->given == given && arguments_of(CALL_AT(p, call)) == arguments)
			return true;
	return false;
}

static bool is_below(const struct thread *t, uint64_t stack)
{
	return stack && stack + HANDLER_FRAME_BYTES <= t->classed_stack;
}

uint8_t application_class(struct pipeline *p, uint32_t thread, const struct entry_event *entry,
			  uint64_t stack)
{
	uint8_t given = entry_class(entry);
	struct thread *t = THREAD_AT(p, thread);
	unsigned arguments;
	uint64_t moved[6];

	if (!is_below(t, stack))
		t->classed_arguments = 0; /* the handler is through */
	if (given == CLASS_UNDECIDED)
		return given;
	if (given == CLASS_OUT_OF_RANGE) {
		p->counters.class_out_of_range++;
		return CLASS_UNDECIDED;
	}
	memcpy(moved, entry->argument, sizeof(moved));
	arguments = call_magic_argument(entry->abi, call_meant(entry->abi, entry->number, moved));
	if (!is_inside(p, thread, arguments, given) &&
	    (t->classed_arguments != arguments || t->classed_as != given))
		return given;
	p->counters.class_in_handler++;
	return CLASS_UNDECIDED;
}

void application_returned(struct pipeline *p, const struct call_state *call,
			  const struct exit_event *exit)
{
	struct thread *t = THREAD_AT(p, call->thread);

	if (call->given == CLASS_UNDECIDED ||
	    (exit->way != EXIT_RESTART && exit->result != RESULT_EINTR))
		return;
	t->classed_stack = call->stack;
	t->classed_arguments = arguments_of(call);
	t->classed_as = call->given;
}

static void know_raw_disk(struct pipeline *p, uint32_t file)
{
	for (uint32_t i = 0; i < p->raw_count && i < RAW_DISKS_MAX; i++)
		if (p->raw_disks[i] == file)
			return;
	p->raw_disks[p->raw_count++ % RAW_DISKS_MAX] = file;
}

uint8_t application_written(struct pipeline *p, uint32_t file)
{
	if (!p->origin.classed)
		return CLASS_UNDECIDED;
	if (FILE_AT(p, file)->raw)
		know_raw_disk(p, file);
	return p->origin.io_class;
}

bool application_knows_place(const struct pipeline *p, uint32_t file, uint64_t index,
			     uint64_t sector)
{
	return p->origin.classed && file && FILE_AT(p, file)->raw &&
	       sector == index * SECTORS_PER_CHUNK;
}
