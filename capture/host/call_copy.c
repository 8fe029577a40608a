/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies inside the kernel: copy_file_range(), sendfile(), splice(), and
 * clones, which share blocks. Their bytes never are in the program's memory:
 * the source is read through the page cache, as the call itself does next.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "capture/host/call_work.h"

/* A copy may be short: that bounds the time that one call is held. */
#define COPY_BYTES_MAX (64u << 20)

/* Nothing but the file systems can be in the way of this copy. */
static bool can_copy(const struct call_state *call)
{
	return call->file.regular && call->source.regular &&
	       (call->file.recorded || call->source.recorded) &&
	       (call->file.flags & O_ACCMODE) != O_RDONLY && !(call->file.flags & O_APPEND) &&
	       (call->source.flags & O_ACCMODE) != O_WRONLY;
}

static const struct refusal *refusal_of(const struct tracer *tracer, const struct call_state *call)
{
	for (unsigned i = 0; i < tracer->refusal_count && i < REFUSALS; i++)
		if (tracer->refusals[i].number == call->number &&
		    tracer->refusals[i].device == call->file.device &&
		    tracer->refusals[i].source_device == call->source.device)
			return &tracer->refusals[i];
	return NULL;
}

static void learn_refusal(struct tracer *tracer, const struct call_state *call, int64_t result)
{
	if (!can_copy(call) || refusal_of(tracer, call))
		return;
	tracer->refusals[tracer->refusal_count++ % REFUSALS] =
		(struct refusal){.number = call->number,
				 .error = result,
				 .device = call->file.device,
				 .source_device = call->source.device};
}

static bool is_refused_always(const struct tracer *tracer, const struct call_state *call)
{
	/* flags: copy_file_range() has none yet, and refuses them with another error */
	return can_copy(call) && refusal_of(tracer, call) &&
	       (call->row->stop == STOP_CLONES || !call->argument[5]);
}

static enum after_entry settle_refused(const struct tracer *tracer, const struct thread *thread,
				       int64_t *result)
{
	if (!is_refused_always(tracer, &thread->call))
		return CALL_GOES_ON;
	*result = refusal_of(tracer, &thread->call)->error;
	return CALL_MUST_BE_SKIPPED;
}

static bool uses_position(const struct thread *thread, uint8_t pointer)
{
	return !pointer || !argument_of(thread, pointer);
}

bool copy_moves(const struct thread *thread)
{
	const struct call_state *call = &thread->call;

	return (call->file.recorded && uses_position(thread, call->row->offset)) ||
	       (call->source.recorded && uses_position(thread, call->row->source_offset));
}

/* A copy's offset: behind a pointer, or the position where that is NULL or not there. */
static uint64_t copy_offset(const struct thread *thread, uint8_t pointer, const struct file *file)
{
	uint64_t offset;

	if (uses_position(thread, pointer))
		return file->offset;
	if (memory_read(thread, argument_of(thread, pointer), &offset, sizeof(offset)) !=
	    sizeof(offset))
		return OFFSET_UNKNOWN;
	return offset;
}

static void shorten(struct thread *thread)
{
	struct call_state *call = &thread->call;

	call->bytes = argument_of(thread, call->row->bytes);
	if (call->bytes <= COPY_BYTES_MAX)
		return;
	call->bytes = COPY_BYTES_MAX;
	call->shortened = true;
	argument_set(thread, call->row->bytes - 1, COPY_BYTES_MAX);
}

/* Chunks of the destination that take bytes [begin, end) of the copy. */
static void hash_copied(struct tracer *tracer, struct thread *thread, uint64_t begin, uint64_t end,
			uint64_t *sums)
{
	struct call_state *call = &thread->call;
	struct view view = view_of(tracer, thread, &call->file);
	struct chunk_source source = {.transfer = from_source,
				      .file = reader_of(tracer, &call->file, true),
				      .context = &view};
	struct chunk_file chunks = identity(&call->file, call->file.size);
	struct chunk_state after;

	view.source_offset = call->source_offset + begin;
	chunk_sums_of_write(tracer->chunker, &source, &chunks, call->offset + begin, end - begin,
			    sums, &after);
	view_end(&view);
}

/*
 * Where source and destination lie alike within a chunk, whole chunks have the
 * same checksum on both sides, and only the ends differ.
 */
static void hash_alike(struct tracer *tracer, struct thread *thread, uint64_t *sums)
{
	struct call_state *call = &thread->call;
	uint64_t count = chunk_count(call->offset, call->bytes);
	uint64_t end = call->offset + call->bytes;
	uint64_t head = (CHUNK_BYTES - call->offset % CHUNK_BYTES) % CHUNK_BYTES;
	bool ends_both =
		call->source_offset + call->bytes == call->source.size && end >= call->file.size;

	memcpy(sums, call->source_sums, count * sizeof(*sums));
	if (head)
		hash_copied(tracer, thread, 0, head < call->bytes ? head : call->bytes, sums);
	if (end % CHUNK_BYTES && !ends_both && call->bytes > head)
		hash_copied(tracer, thread, call->bytes - end % CHUNK_BYTES, call->bytes,
			    &sums[count - 1]);
}

static void hash_source(struct tracer *tracer, struct thread *thread, uint64_t bytes)
{
	struct call_state *call = &thread->call;

	if (!sums_for(&call->source_sums, &call->source_sum_room, call->source_offset, bytes))
		return;
	hash_file(tracer, thread, &call->source, false, call->source_offset, bytes,
		  call->source_sums);
	call->source_sum_count = chunk_count(call->source_offset, bytes);
}

void enter_copy(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	struct call_state *call = &thread->call;
	const struct host_call *row = call->row;
	uint64_t *sums;

	if (row->settle && is_refused_always(tracer, call))
		return; /* settle_copy() answers */
	shorten(thread);
	call->offset = copy_offset(thread, row->offset, &call->file);
	call->source_offset = copy_offset(thread, row->source_offset, &call->source);
	forget(tracer, &call->file);
	if (call->file.recorded && call->offset <= INT64_MAX)
		entry->entry.file_offset = call->offset;
	if (!call->source.regular || call->source.flags & O_DIRECT ||
	    call->source_offset >= call->source.size || entry->entry.file_offset == OFFSET_UNKNOWN)
		return;
	if (call->bytes > call->source.size - call->source_offset)
		call->bytes = call->source.size - call->source_offset;
	sums = sums_for(&tracer->sums, &tracer->sum_room, call->offset, call->bytes);
	if (!sums)
		return;
	if (call->source.recorded)
		hash_source(tracer, thread, call->bytes);
	if (call->source_sum_count &&
	    call->offset % CHUNK_BYTES == call->source_offset % CHUNK_BYTES)
		hash_alike(tracer, thread, sums);
	else
		hash_copied(tracer, thread, 0, call->bytes, sums);
	entry->entry.sums = words_of(sums, chunk_count(call->offset, call->bytes));
}

/* What came to the file otherwise than foreseen, or could not be foreseen (from a pipe). */
static void set_written(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	struct call_state *call = &thread->call;
	const struct host_call *row = call->row;
	int64_t result = exit->exit.result;
	uint64_t offset = call->offset, *sums;

	if (uses_position(thread, row->offset))
		offset = offset_by_position(thread, result);
	if (offset == call->offset && (uint64_t)result == call->bytes && call->source.regular)
		return;
	sums = sums_for(&tracer->written, &tracer->written_room, offset, result);
	if (!sums)
		return;
	hash_file(tracer, thread, &call->file, true, offset, result, sums);
	exit->exit.written_offset = offset;
	exit->exit.written = words_of(sums, chunk_count(offset, result));
}

void leave_copy(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	struct call_state *call = &thread->call;
	int64_t result = exit->exit.result;

	if (call->shortened)
		argument_set(thread, call->row->bytes - 1, argument_of(thread, call->row->bytes));
	forget(tracer, &call->file);
	if (result == -EXDEV)
		learn_refusal(tracer, call, result);
	if (result <= 0)
		return;
	if (call->file.recorded)
		set_written(tracer, thread, exit);
	if (!call->source.recorded || call->source_offset > INT64_MAX)
		return;
	if (chunk_count(call->source_offset, result) > call->source_sum_count)
		hash_source(tracer, thread, result);
	exit->exit.file_offset = call->source_offset;
	exit->exit.sums =
		words_of(call->source_sums,
			 call->source_sum_count ? chunk_count(call->source_offset, result) : 0);
}

/* The range, as a record and where it goes; -1 where nobody can tell, else the source. */
static int enter_range(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	struct file_clone_range range;
	uint64_t *record;

	if (memory_read(thread, thread->call.argument[2], &range, sizeof(range)) != sizeof(range) ||
	    !reserve_words(&tracer->numbers, &tracer->number_room, RECORD_WORDS))
		return -1;
	record = tracer->numbers;
	memset(record, 0, RECORD_WORDS * sizeof(*record));
	record[RECORD_FD] = (int)range.src_fd;
	record[RECORD_OFFSET] = range.src_offset;
	record[RECORD_BYTES] = range.src_length;
	entry->entry.records = words_of(record, RECORD_WORDS);
	entry->entry.file_offset = range.dest_offset;
	return range.src_fd;
}

/* Shared blocks: nothing is written but metadata; both files are told. */
void enter_clone(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	struct call_state *call = &thread->call;
	uint32_t request = call->argument[1];

	if (request == FICLONE)
		file_open_told(tracer, thread, (int)call->argument[2], &call->source);
	else if (request == FICLONERANGE)
		file_open_told(tracer, thread, enter_range(tracer, thread, entry), &call->source);
	forget(tracer, &call->file);
}

void leave_clone(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	int64_t result = exit->exit.result;

	forget(tracer, &thread->call.file);
	if (result == -EOPNOTSUPP || result == -EXDEV)
		learn_refusal(tracer, &thread->call, result);
}

enum after_entry settle_clone(const struct tracer *tracer, const struct thread *thread,
			      int64_t *result)
{
	return settle_refused(tracer, thread, result);
}

/* Only of copy_file_range(): a copy from the end of a file on is one of 0 bytes. */
enum after_entry settle_copy(const struct tracer *tracer, const struct thread *thread,
			     int64_t *result)
{
	const struct call_state *call = &thread->call;

	if (is_refused_always(tracer, call))
		return settle_refused(tracer, thread, result);
	*result = 0;
	return can_copy(call) && call->source.recorded &&
			       call->source_offset >= call->source.size &&
			       call->source_offset <= INT64_MAX && call->offset <= INT64_MAX &&
			       call->file.inode != call->source.inode &&
			       call->file.device == call->source.device && !call->argument[5]
		       ? CALL_MUST_BE_SKIPPED
		       : CALL_GOES_ON;
}
