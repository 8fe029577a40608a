/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that make, change and close descriptors, and those that change the working folder.
 */
#include "sim/pipeline/calls.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"

const struct abi_flags abi_flags[] = {
	[ABI_LINUX64] = {02000, 01000, 02000000, 1030},
	[ABI_FREEBSD64] = {0x8, 0x400, 0x100000, 17},
};

/* The same on both systems. */
enum fcntl_command { COMMAND_DUPFD = 0, COMMAND_SETFD = 2, COMMAND_SETFL = 4 };

#define DESCRIPTOR_CLOSE_ON_EXEC 1u
#define CLOSE_RANGE_UNSHARE_FLAG 2u
#define CLOSE_RANGE_CLOEXEC_FLAG 4u

static void opened(struct pipeline *p, struct call_state *call, const struct event *event,
		   uint64_t flags)
{
	const struct abi_flags *bits = &abi_flags[call->abi];
	int32_t fd = event->exit.result;
	uint32_t open_file = descriptor_find(p, call->process, fd);
	struct open_file *o;

	if (!open_file || !OPEN_FILE_AT(p, open_file)->unopened) {
		descriptor_close(p, call->process, fd);
		open_file = descriptor_meet(p, call->process, fd);
	}
	if (!open_file)
		return;
	o = OPEN_FILE_AT(p, open_file);
	o->offset = 0;
	o->unopened = false;
	o->append = flags & bits->append;
	o->truncated = flags & bits->truncate;
	open_file_opened(p, open_file, call);
	descriptor_mark(p, call->process, fd, flags & bits->close_on_exec);
}

void exit_open(struct pipeline *p, struct call_state *call, const struct event *event)
{
	opened(p, call, event, call->argument[1]);
}

void exit_openat(struct pipeline *p, struct call_state *call, const struct event *event)
{
	opened(p, call, event, call->argument[2]);
}

void exit_creat(struct pipeline *p, struct call_state *call, const struct event *event)
{
	opened(p, call, event, abi_flags[call->abi].truncate);
}

/* Its flags are in memory: an insight tells them. */
void exit_openat2(struct pipeline *p, struct call_state *call, const struct event *event)
{
	opened(p, call, event, 0);
}

/* A descriptor is free as soon as close() begins; the open file lives until it returns. */
void entry_close(struct pipeline *p, struct call_state *call, const struct event *event)
{
	int32_t fd = call->argument[0];

	call->target = open_file_hold(p, descriptor_find(p, call->process, fd));
	descriptor_close(p, call->process, fd);
}

void entry_close_range(struct pipeline *p, struct call_state *call, const struct event *event)
{
	descriptor_range(p, call->process, call->argument[0], call->argument[1],
			 call->argument[2] & CLOSE_RANGE_UNSHARE_FLAG,
			 call->argument[2] & CLOSE_RANGE_CLOEXEC_FLAG);
}

static void duplicated(struct pipeline *p, struct call_state *call, const struct event *event,
		       bool close_on_exec)
{
	int32_t from = call->argument[0], to = event->exit.result;

	if (from != to)
		descriptor_set(p, call->process, to, descriptor_meet(p, call->process, from),
			       close_on_exec);
}

void exit_dup(struct pipeline *p, struct call_state *call, const struct event *event)
{
	duplicated(p, call, event, false);
}

void exit_dup3(struct pipeline *p, struct call_state *call, const struct event *event)
{
	duplicated(p, call, event, call->argument[2] & abi_flags[call->abi].close_on_exec);
}

void exit_fcntl(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct abi_flags *bits = &abi_flags[call->abi];
	uint64_t command = call->argument[1], value = call->argument[2];
	int32_t fd = call->argument[0];

	if (command == COMMAND_DUPFD || command == bits->duplicate_close_on_exec)
		duplicated(p, call, event, command != COMMAND_DUPFD);
	else if (command == COMMAND_SETFD)
		descriptor_mark(p, call->process, fd, value & DESCRIPTOR_CLOSE_ON_EXEC);
	else if (command == COMMAND_SETFL && descriptor_meet(p, call->process, fd))
		OPEN_FILE_AT(p, descriptor_meet(p, call->process, fd))->append =
			value & bits->append;
}

void exit_lseek(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t open_file = descriptor_meet(p, call->process, call->argument[0]);

	if (open_file)
		OPEN_FILE_AT(p, open_file)->offset = event->exit.result;
}

void exit_chdir(struct pipeline *p, struct call_state *call, const struct event *event)
{
	folder_changed(p, call->process, call->name);
}

void exit_fchdir(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t open_file = descriptor_find(p, call->process, call->argument[0]);

	folder_changed(p, call->process, open_file ? OPEN_FILE_AT(p, open_file)->name : 0);
}
