/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each call means: the table of them, and those that move data.
 *
 * Calls that move file data are described: which argument is the source's
 * descriptor, which the target's, where offset and length are. The others have
 * a handler for their entry (what is true as soon as they are made) or their
 * exit (what is true once they succeed).
 */
#include "sim/pipeline/areas.h"
#include "sim/pipeline/asynchronous.h"
#include "sim/pipeline/calls.h"
#include "sim/pipeline/copying.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reading.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/written.h"

/* One end of a transfer, by argument numbers from 1; 0 means that there is none. */
struct side {
	uint8_t fd;
	uint8_t offset;	 /* a number: the file position takes no part */
	uint8_t pointer; /* to a number; NULL means the file position */
};

struct call_rule {
	struct side source, target;
	uint8_t length; /* argument; 0: the sum of the iovec's */
	void (*entry)(struct pipeline *p, struct call_state *call, const struct event *event);
	void (*exit)(struct pipeline *p, struct call_state *call, const struct event *event);
};

/* False too where it was killed or will be made again. */
static bool succeeded(const struct event *event)
{
	const struct exit_event *exit = &event->exit;

	return exit->result >= 0 && exit->way != EXIT_KILLED && exit->way != EXIT_RESTART;
}

static uint32_t open_file_of(struct pipeline *p, const struct call_state *call,
			     const struct side *side)
{
	int32_t fd = call->argument[side->fd - 1];

	p->counters.unknown_descriptors += !descriptor_find(p, call->process, fd);
	return descriptor_meet(p, call->process, fd);
}

/* Does the transfer begin at the file position, and move it? */
static bool uses_position(const struct call_state *call, const struct side *side)
{
	if (side->pointer)
		return !call->argument[side->pointer - 1];
	return !side->offset || call->argument[side->offset - 1] == UINT64_MAX;
}

/* Where a transfer begins, by its arguments or else by the position. */
static uint64_t begins_at(struct pipeline *p, const struct call_state *call,
			  const struct side *side, uint32_t open_file)
{
	if (!uses_position(call, side))
		return side->offset ? call->argument[side->offset - 1] : OFFSET_UNKNOWN;
	return open_file ? OPEN_FILE_AT(p, open_file)->offset : OFFSET_UNKNOWN;
}

static uint64_t end_of_file(struct pipeline *p, uint32_t open_file)
{
	uint64_t size = file_size(FILE_AT(p, OPEN_FILE_AT(p, open_file)->file));

	return size == SIZE_UNKNOWN ? OFFSET_UNKNOWN : size;
}

static uint64_t sum_of(const struct words *lengths)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < lengths->count; i++)
		bytes += lengths->at[i];
	return bytes;
}

/* The entry told what will be written. */
void call_announce(struct pipeline *p, struct call_state *call, uint32_t file,
		   const struct words *sums)
{
	origin_set(p, call);
	written_add(p, file, call->target_offset, sums, call->seq);
	call->written_chunks = sums->count;
	call->written_file = file_hold(p, file);
}

static void begin_target(struct pipeline *p, struct call_state *call, const struct call_rule *rule,
			 const struct entry_event *entry)
{
	uint32_t file;

	call->target = open_file_hold(p, open_file_of(p, call, &rule->target));
	call->target_offset = entry->file_offset;
	if (call->target && call->target_offset == OFFSET_UNKNOWN) {
		call->target_offset = OPEN_FILE_AT(p, call->target)->append
					      ? end_of_file(p, call->target)
					      : begins_at(p, call, &rule->target, call->target);
	}
	file = content_of(p, call->target);
	call->size_before = file ? file_size(FILE_AT(p, file)) : SIZE_UNKNOWN;
	if (!file || !entry->sums.count)
		return;
	call_announce(p, call, file, &entry->sums);
}

static void begin_transfer(struct pipeline *p, struct call_state *call,
			   const struct call_rule *rule, const struct event *event)
{
	const struct entry_event *entry = &event->entry;

	call->requested = rule->length ? call->argument[rule->length - 1] : sum_of(&entry->lengths);
	if (rule->source.fd) {
		call->source = open_file_hold(p, open_file_of(p, call, &rule->source));
		call->source_offset = begins_at(p, call, &rule->source, call->source);
		if (!rule->target.fd && entry->file_offset != OFFSET_UNKNOWN)
			call->source_offset = entry->file_offset;
	}
	if (rule->target.fd)
		begin_target(p, call, rule, entry);
}

/* Takes back what the entry announced beyond the first `bytes` bytes. */
static void take_back(struct pipeline *p, const struct call_state *call, uint64_t bytes)
{
	const struct announcement announced = {.offset = call->target_offset,
					       .requested = call->requested,
					       .call = call->seq,
					       .file = call->written_file,
					       .chunks = call->written_chunks};

	written_shorten(p, &announced, bytes);
}

static void end_target(struct pipeline *p, struct call_state *call, const struct call_rule *rule,
		       const struct exit_event *exit)
{
	struct open_file *o = OPEN_FILE_AT(p, call->target);
	uint32_t file = content_of(p, call->target);
	uint64_t bytes = exit->result;

	if (exit->written.count && file) {
		take_back(p, call, 0);
		call->target_offset = exit->written_offset;
		written_add(p, file, call->target_offset, &exit->written, call->seq);
	} else if (bytes < call->requested) {
		p->counters.short_writes += call->written_chunks > 0;
		take_back(p, call, bytes);
	}
	if (uses_position(call, &rule->target))
		o->offset = call->target_offset == OFFSET_UNKNOWN ? OFFSET_UNKNOWN
								  : call->target_offset + bytes;
	if (call->written_chunks || exit->written.count)
		observe_write(p, o->file, call->target_offset, bytes, call->size_before);
	if (bytes && call->target_offset != OFFSET_UNKNOWN)
		file_reached(p, o->file, call->target_offset + bytes);
	traffic_moved(p, call->process, o->file, bytes, true);
}

static void end_source(struct pipeline *p, struct call_state *call, const struct call_rule *rule,
		       const struct exit_event *exit)
{
	uint64_t offset =
		exit->file_offset == OFFSET_UNKNOWN ? call->source_offset : exit->file_offset;
	struct open_file *o = OPEN_FILE_AT(p, call->source);

	if (uses_position(call, &rule->source))
		o->offset = offset == OFFSET_UNKNOWN ? OFFSET_UNKNOWN : offset + exit->result;
	if (exit->result && offset != OFFSET_UNKNOWN)
		file_reached(p, o->file, offset + exit->result);
	traffic_moved(p, call->process, o->file, exit->result, false);
	read_taken(p, content_of(p, call->source), offset, &exit->sums);
}

static void end_transfer(struct pipeline *p, struct call_state *call, const struct call_rule *rule,
			 const struct event *event)
{
	const struct exit_event *exit = &event->exit;

	if (call->target)
		end_target(p, call, rule, exit);
	if (call->source)
		end_source(p, call, rule, exit);
	else
		read_taken(p, 0, OFFSET_UNKNOWN, &exit->sums);
}

#define ARGUMENT(n) ((n) + 1)
#define POSITION(n)               \
	{                         \
		.fd = ARGUMENT(n) \
	}
#define OFFSET(n, at)                                     \
	{                                                 \
		.fd = ARGUMENT(n), .offset = ARGUMENT(at) \
	}
#define POINTER(n, at)                                     \
	{                                                  \
		.fd = ARGUMENT(n), .pointer = ARGUMENT(at) \
	}

static const struct call_rule call_rules[CALL_COUNT] = {
	[CALL_read] = {.source = POSITION(0), .length = ARGUMENT(2)},
	[CALL_readv] = {.source = POSITION(0)},
	[CALL_pread64] = {.source = OFFSET(0, 3), .length = ARGUMENT(2)},
	[CALL_preadv] = {.source = OFFSET(0, 3)},
	[CALL_preadv2] = {.source = OFFSET(0, 3)},
	[CALL_write] = {.target = POSITION(0), .length = ARGUMENT(2)},
	[CALL_writev] = {.target = POSITION(0)},
	[CALL_pwrite64] = {.target = OFFSET(0, 3), .length = ARGUMENT(2)},
	[CALL_pwritev] = {.target = OFFSET(0, 3)},
	[CALL_pwritev2] = {.target = OFFSET(0, 3)},
	[CALL_copy_file_range] = {.source = POINTER(0, 1),
				  .target = POINTER(2, 3),
				  .length = ARGUMENT(4)},
	[CALL_sendfile] = {.source = POINTER(1, 2), .target = POSITION(0), .length = ARGUMENT(3)},
	[CALL_splice] = {.source = POINTER(0, 1), .target = POINTER(2, 3), .length = ARGUMENT(4)},

	[CALL_open] = {.exit = exit_open},
	[CALL_openat] = {.exit = exit_openat},
	[CALL_openat2] = {.exit = exit_openat2},
	[CALL_creat] = {.exit = exit_creat},
	[CALL_close] = {.entry = entry_close},
	[CALL_close_range] = {.entry = entry_close_range},
	[CALL_dup] = {.exit = exit_dup},
	[CALL_dup2] = {.exit = exit_dup},
	[CALL_dup3] = {.exit = exit_dup3},
	[CALL_fcntl] = {.exit = exit_fcntl},
	[CALL_lseek] = {.exit = exit_lseek},

	[CALL_truncate] = {.entry = entry_truncate, .exit = exit_truncate},
	[CALL_ftruncate] = {.entry = entry_ftruncate, .exit = exit_ftruncate},
	[CALL_fallocate] = {.exit = exit_fallocate},
	[CALL_posix_fallocate] = {.exit = exit_posix_fallocate},
	[CALL_ioctl] = {.entry = entry_ioctl, .exit = exit_ioctl},
	[CALL_mmap] = {.exit = exit_mmap},
	[CALL_munmap] = {.exit = exit_munmap},
	[CALL_mremap] = {.exit = exit_mremap},

	[CALL_chdir] = {.exit = exit_chdir},
	[CALL_fchdir] = {.exit = exit_fchdir},

	[CALL_unlink] = {.exit = exit_unlink},
	[CALL_unlinkat] = {.exit = exit_unlink},
	[CALL_link] = {.exit = exit_link},
	[CALL_linkat] = {.exit = exit_link},
	[CALL_rename] = {.exit = exit_rename},
	[CALL_renameat] = {.exit = exit_rename},
	[CALL_renameat2] = {.exit = exit_renameat2},

	[CALL_io_submit] = {.entry = entry_submit, .exit = exit_submit},
	[CALL_io_getevents] = {.exit = exit_completions},
	[CALL_io_pgetevents] = {.exit = exit_completions},
	[CALL_io_destroy] = {.exit = exit_io_destroy},
	[CALL_io_uring_setup] = {.entry = entry_io_uring_setup, .exit = exit_io_uring_setup},
	[CALL_io_uring_enter] = {.entry = entry_submit, .exit = exit_io_uring_enter},
	[CALL_aio_read] = {.entry = entry_submit},
	[CALL_aio_readv] = {.entry = entry_submit},
	[CALL_aio_write] = {.entry = entry_submit},
	[CALL_aio_writev] = {.entry = entry_submit},
	[CALL_lio_listio] = {.entry = entry_submit},
	[CALL_aio_return] = {.exit = exit_aio_return},
	[CALL_aio_waitcomplete] = {.exit = exit_completions},
};

/* FreeBSD's sendfile() sends a file, its first argument, to a socket. */
static const struct call_rule freebsd_sendfile = {.source = OFFSET(0, 2), .length = ARGUMENT(3)};

static const struct call_rule *rule_of(const struct call_state *call)
{
	if (call->call == CALL_sendfile && call->abi == ABI_FREEBSD64)
		return &freebsd_sendfile;
	return &call_rules[call->call];
}

/* Insights that came before the entry are of its paths. */
static void take_names(struct pipeline *p, struct call_state *call)
{
	struct process *process = PROCESS_AT(p, call->process);

	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++)
			if (process->named[j] && !call->named[i] &&
			    call->path_hash[i] == process->named_hash[j])
				call->named[i] = file_hold(p, process->named[j]);
	process_forget_names(p, call->process);
}

void call_begin(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct call_rule *rule = rule_of(call);

	take_names(p, call);
	paths_noted(p, call, &event->entry);
	origin_set(p, call);
	if (rule->source.fd || rule->target.fd)
		begin_transfer(p, call, rule, event);
	else if (rule->entry)
		rule->entry(p, call, event);
}

void call_end(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct call_rule *rule = rule_of(call);

	if (event->exit.way == EXIT_KILLED)
		return; /* how far it came nobody knows */
	origin_set(p, call);
	if (!succeeded(event)) {
		p->counters.failed_writes +=
			call->written_chunks > 0 && event->exit.way != EXIT_RESTART;
		take_back(p, call, 0);
		asynchronous_failed(p, call, event);
		return;
	}
	if (rule->source.fd || rule->target.fd)
		end_transfer(p, call, rule, event);
	else if (rule->exit)
		rule->exit(p, call, event);
}
