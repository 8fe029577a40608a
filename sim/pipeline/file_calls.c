/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that change files otherwise than by writing: their size, their blocks, their names.
 */
#include "sim/pipeline/calls.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/written.h"

/* include/uapi/linux/falloc.h */
#define FALLOCATE_KEEP_SIZE 0x01u
#define FALLOCATE_PUNCH	    0x02u
#define FALLOCATE_COLLAPSE  0x08u
#define FALLOCATE_ZERO	    0x10u
#define FALLOCATE_INSERT    0x20u

/* include/uapi/linux/fs.h: _IOW(0x94, 9, int) and _IOW(0x94, 13, struct file_clone_range). */
#define REQUEST_FICLONE	     0x40049409u
#define REQUEST_FICLONERANGE 0x4020940du
#define RENAME_EXCHANGE_FLAG 2u

/* Chunks that lie partly in the range keep their place, but not their content. */
static void cleared(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until)
{
	if (from % CHUNK_BYTES)
		written_blur(p, file, from / CHUNK_BYTES);
	if (until % CHUNK_BYTES)
		written_blur(p, file, until / CHUNK_BYTES);
	written_drop(p, file, chunk_after(from), until / CHUNK_BYTES);
	observe_cut(p, file, from, until);
}

/*
 * Truncations that cut a chunk: recorders tell at the entry what will be left of
 * it, because XFS writes it back before the call returns.
 */
void entry_ftruncate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t open_file = descriptor_meet(p, call->process, call->argument[0]);

	if (!content_of(p, open_file) || !event->entry.sums.count)
		return;
	call->target = open_file_hold(p, open_file);
	call->target_offset = event->entry.file_offset;
	call_announce(p, call, content_of(p, open_file), &event->entry.sums);
}

void exit_ftruncate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t file = content_of(p, descriptor_meet(p, call->process, call->argument[0]));

	if (file)
		file_truncated(p, file, call->argument[1], call->written_chunks);
}

void entry_truncate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (!call->named[0] || !event->entry.sums.count)
		return;
	call->target_offset = event->entry.file_offset;
	call_announce(p, call, call->named[0], &event->entry.sums);
}

void exit_truncate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (call->named[0])
		file_truncated(p, call->named[0], call->argument[1], call->written_chunks);
}

/* Collapsing and inserting write back first and then move what is on the disk. */
static void moved(struct pipeline *p, uint32_t file, uint64_t from, uint64_t bytes, bool inserted)
{
	struct file *f = FILE_AT(p, file);
	uint64_t size = file_size(f);

	written_drop(p, file, from / CHUNK_BYTES, UINT64_MAX);
	observe_move(p, file, from, bytes, inserted);
	if (size == SIZE_UNKNOWN)
		return;
	f->size = inserted ? size + bytes : size > bytes ? size - bytes : 0;
	f->highest = 0;
	file_resized(p, file, size);
}

void exit_fallocate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t file = content_of(p, descriptor_meet(p, call->process, call->argument[0]));
	uint64_t mode = call->argument[1], from = call->argument[2], bytes = call->argument[3];

	if (!file)
		return;
	if (mode & (FALLOCATE_COLLAPSE | FALLOCATE_INSERT)) {
		moved(p, file, from, bytes, mode & FALLOCATE_INSERT);
		return;
	}
	if (mode & (FALLOCATE_PUNCH | FALLOCATE_ZERO))
		cleared(p, file, from, from + bytes);
	if (!(mode & FALLOCATE_KEEP_SIZE))
		file_reached(p, file, from + bytes);
}

void exit_posix_fallocate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t file = content_of(p, descriptor_meet(p, call->process, call->argument[0]));

	if (file && !event->exit.result)
		file_reached(p, file, call->argument[1] + call->argument[2]);
}

/*
 * A clone: of a whole file, whose descriptor is the argument, or of a range, which
 * the argument points to and a record tells.
 */
void entry_ioctl(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct words *records = &event->entry.records;
	uint32_t request = call->argument[1];
	int32_t source = call->argument[2];

	if (call->abi != ABI_LINUX64 ||
	    (request != REQUEST_FICLONE &&
	     (request != REQUEST_FICLONERANGE || records->count < RECORD_WORDS)))
		return;
	call->source_offset = call->target_offset = 0;
	if (request == REQUEST_FICLONERANGE) {
		source = records->at[RECORD_FD];
		call->source_offset = records->at[RECORD_OFFSET];
		call->requested = records->at[RECORD_BYTES];
		call->target_offset = event->entry.file_offset;
	}
	call->target = open_file_hold(p, descriptor_meet(p, call->process, call->argument[0]));
	call->source = open_file_hold(p, descriptor_meet(p, call->process, source));
}

/* How many bytes of the source are cloned: 0 asks for all up to its end. */
static uint64_t cloned_bytes(struct pipeline *p, const struct call_state *call, uint32_t source)
{
	uint64_t size = file_size(FILE_AT(p, source)), from = call->source_offset;

	if (call->requested)
		return call->requested;
	if (size == SIZE_UNKNOWN)
		return UINT64_MAX - call->target_offset;
	return size > from ? size - from : 0;
}

/* Shared blocks: the target's own content is gone, and nothing is written for the new one. */
void exit_ioctl(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t target = content_of(p, call->target), source = content_of(p, call->source);
	uint64_t from = call->target_offset, until;

	if (!target || !source || from == OFFSET_UNKNOWN)
		return;
	until = from + cloned_bytes(p, call, source);
	if (until < from)
		return; /* no file is that large */
	p->counters.clones++;
	/* The kernel clones up to the end of the file or of a block, no less than 512 bytes. */
	written_drop(p, target, chunk_after(from),
		     until < file_size(FILE_AT(p, target)) ? until / CHUNK_BYTES
							   : chunk_after(until));
	if (until == UINT64_MAX)
		return;
	observe_write(p, target, from, until - from, SIZE_UNKNOWN);
	file_reached(p, target, until);
}

void exit_unlink(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (call->named[0])
		file_unlinked(p, call->named[0], call->time_ns);
}

void exit_link(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (call->named[0] && FILE_AT(p, call->named[0])->links_known)
		FILE_AT(p, call->named[0])->links++;
	file_linked(p, call->named[0], call);
}

/* The new name's file goes, unless both names are links of one file: then nothing happens. */
void exit_rename(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (call->named[1] && call->named[1] != call->named[0])
		file_unlinked(p, call->named[1], call->time_ns);
	file_renamed(p, call->named[0], call);
}

void exit_renameat2(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (!(call->argument[4] & RENAME_EXCHANGE_FLAG))
		exit_rename(p, call, event);
}
