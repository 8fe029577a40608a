/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that read and write through the program's buffers.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "capture/host/call_work.h"

/* pwritev2() and the like: an offset of -1 means the position. */
static bool uses_position(const struct thread *thread)
{
	const struct host_call *row = thread->call.row;

	return !row->offset || (row->flags && argument_of(thread, row->offset) == UINT64_MAX);
}

static bool appends(const struct thread *thread)
{
	const struct host_call *row = thread->call.row;

	return row->writes && (thread->call.file.flags & O_APPEND ||
			       (row->flags && argument_of(thread, row->flags) & RWF_APPEND));
}

bool transfer_moves(const struct thread *thread)
{
	return uses_position(thread) || appends(thread);
}

void enter_transfer(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	struct call_state *call = &thread->call;
	const struct host_call *row = call->row;

	call->bytes = take_parts(thread, argument_of(thread, row->buffer),
				 argument_of(thread, row->bytes), row->vector);
	call->offset = uses_position(thread) ? call->file.offset : argument_of(thread, row->offset);
	if (!row->vector ||
	    !reserve_words(&tracer->numbers, &tracer->number_room, call->part_count))
		return;
	for (unsigned i = 0; i < call->part_count; i++)
		tracer->numbers[i] = call->parts[i].iov_len;
	entry->entry.lengths = words_of(tracer->numbers, call->part_count);
}

void enter_write(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	struct call_state *call = &thread->call;

	enter_transfer(tracer, thread, entry);
	if (!call->file.recorded)
		return;
	if (appends(thread)) /* also pwrite() does, see its manual page */
		call->offset = call->file.size;
	if (call->offset > INT64_MAX)
		return;
	entry->entry.file_offset = call->offset;
	if (call->bytes && call->offset > call->file.size)
		tell_end_chunk(tracer, thread, &call->file, call->offset);
	entry->entry.sums = hash_written(tracer, thread, &call->file, call->offset, call->bytes);
}

/* Where the bytes of a finished call began, by where the position is now. */
uint64_t offset_by_position(const struct thread *thread, int64_t result)
{
	off_t position = lseek(thread->call.file.fd, 0, SEEK_CUR);

	return position >= result ? (uint64_t)(position - result) : thread->call.offset;
}

void leave_write(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	struct call_state *call = &thread->call;
	int64_t result = exit->exit.result;
	uint64_t offset;

	if (!call->file.recorded)
		return;
	if (result <= 0) {
		forget(tracer, &call->file);
		return;
	}
	offset = uses_position(thread) ? offset_by_position(thread, result) : call->offset;
	if (offset == call->offset && (uint64_t)result == call->bytes) {
		chunker_keep(tracer->chunker, &call->after);
		return;
	}
	forget(tracer, &call->file);
	call->file.size = UINT64_MAX; /* of what is there now, every byte is asked for */
	exit->exit.written_offset = offset;
	exit->exit.written = hash_written(tracer, thread, &call->file, offset, result);
}

void leave_read(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	struct call_state *call = &thread->call;
	int64_t result = exit->exit.result;

	if (!call->file.recorded || result <= 0)
		return;
	if (uses_position(thread))
		call->offset = offset_by_position(thread, result);
	exit->exit.file_offset = call->offset;
	exit->exit.sums = hash_read(tracer, thread, &call->file, call->offset, result);
}

/* Files of /proc and the like have more to read than their size says: they have no disk. */
static bool ends_at_its_size(const struct file *file)
{
	return file->recorded || (file->regular && major(file->device) && file->size);
}

/* Nobody can have appended meanwhile: the thread's read is answered now. */
enum after_entry settle_read(const struct tracer *tracer, const struct thread *thread,
			     int64_t *result)
{
	const struct call_state *call = &thread->call;

	*result = 0;
	if (!ends_at_its_size(&call->file) || call->file.flags & O_DIRECT ||
	    (call->file.flags & O_ACCMODE) == O_WRONLY || call->offset < call->file.size ||
	    call->offset > INT64_MAX || !call->bytes ||
	    (call->row->flags && argument_of(thread, call->row->flags)))
		return CALL_GOES_ON;
	return CALL_MUST_BE_SKIPPED;
}
