/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous I/O (io_submit(), io_getevents()): a record a request.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

#include "capture/calls.h"
#include "capture/host/call_work.h"

/* How many requests of one io_submit() are recorded with their content. */
#define IOCBS_MAX 4096u

/* What begins the memory that a context's id is the address of: fs/aio.c, struct aio_ring. */
struct ring_head {
	uint32_t id, events, head, tail, magic, compatible, incompatible, header_bytes;
};

#define RING_MAGIC 0xa10a10a1u

static bool is_vector(const struct iocb *iocb)
{
	return iocb->aio_lio_opcode == IOCB_CMD_PREADV || iocb->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

static bool is_write(const struct iocb *iocb)
{
	return iocb->aio_lio_opcode == IOCB_CMD_PWRITE || iocb->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

static bool is_read(const struct iocb *iocb)
{
	return iocb->aio_lio_opcode == IOCB_CMD_PREAD || iocb->aio_lio_opcode == IOCB_CMD_PREADV;
}

/* Until io_getevents() reports it; the iocb itself may be reused before that. */
static void remember_read(struct process *process, uint64_t address, const struct iocb *iocb,
			  const struct file *file)
{
	if (process->submitted_count == process->submitted_room) {
		unsigned room = process->submitted_room ? process->submitted_room * 2 : 64;
		struct submitted_read *more = realloc(process->submitted, room * sizeof(*more));

		if (!more)
			return; /* its checksums will be missing */
		process->submitted = more;
		process->submitted_room = room;
	}
	process->submitted[process->submitted_count++] =
		(struct submitted_read){.iocb = address,
					.buffer = iocb->aio_buf,
					.bytes = iocb->aio_nbytes,
					.offset = iocb->aio_offset,
					.device = file->device,
					.inode = file->inode,
					.fd = iocb->aio_fildes,
					.vector = is_vector(iocb)};
}

static bool recall_read(struct process *process, uint64_t address, struct submitted_read *read)
{
	for (unsigned i = 0; i < process->submitted_count; i++) {
		if (process->submitted[i].iocb != address)
			continue;
		*read = process->submitted[i];
		process->submitted[i] = process->submitted[--process->submitted_count];
		return true;
	}
	return false;
}

/*
 * Adds the checksums of one request's buffers to the `count` that
 * tracer->sums has; returns how many.
 */
static uint64_t add_sums(struct tracer *tracer, struct thread *thread, struct file *file,
			 uint64_t offset, uint64_t bytes, bool write, size_t count)
{
	struct view view = view_of(tracer, thread, file);
	struct chunk_source source = {
		.transfer = from_memory, .file = reader_of(tracer, file, write), .context = &view};
	struct chunk_file chunks = identity(file, write ? file->size : UINT64_MAX);
	struct chunk_state after;
	uint64_t more = chunk_count(offset, bytes);

	if (!file->recorded || offset > INT64_MAX ||
	    !reserve_words(&tracer->sums, &tracer->sum_room, count + more))
		return 0;
	if (write)
		chunk_sums_of_write(tracer->chunker, &source, &chunks, offset, bytes,
				    tracer->sums + count, &after);
	else
		chunk_sums_of_read(tracer->chunker, &source, &chunks, offset, bytes,
				   tracer->sums + count);
	view_end(&view);
	return more;
}

static void record_submission(struct tracer *tracer, struct thread *thread, uint64_t address,
			      const struct iocb *iocb, uint64_t *record, uint32_t *sums)
{
	struct file *file = &thread->call.file;
	uint64_t bytes = take_parts(thread, iocb->aio_buf, iocb->aio_nbytes, is_vector(iocb));

	uint64_t offset = iocb->aio_offset;

	file_close(file);
	file_open_told(tracer, thread, iocb->aio_fildes, file);
	if (is_write(iocb) && (file->flags & O_APPEND || iocb->aio_rw_flags & RWF_APPEND))
		offset = file->size;
	record[RECORD_ID] = address;
	record[RECORD_OPCODE] = iocb->aio_lio_opcode;
	record[RECORD_FD] = iocb->aio_fildes;
	record[RECORD_BUFFER] = iocb->aio_buf;
	record[RECORD_BYTES] = bytes;
	record[RECORD_OFFSET] = offset;
	record[RECORD_FLAGS] = iocb->aio_rw_flags;
	if (is_read(iocb) && file->recorded)
		remember_read(thread->process, address, iocb, file);
	if (!is_write(iocb) || !file->recorded)
		return;
	chunker_stop_remembering(tracer->chunker);
	record[RECORD_CHUNKS] = add_sums(tracer, thread, file, offset, bytes, true, *sums);
	*sums += record[RECORD_CHUNKS];
}

static uint64_t *records_for(struct tracer *tracer, uint64_t count)
{
	if (!reserve_words(&tracer->numbers, &tracer->number_room, count * RECORD_WORDS))
		return NULL;
	memset(tracer->numbers, 0, count * RECORD_WORDS * sizeof(*tracer->numbers));
	return tracer->numbers;
}

void enter_submit(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	const uint64_t *argument = thread->call.argument;
	uint64_t count = argument[1] < IOCBS_MAX ? argument[1] : IOCBS_MAX;
	uint64_t *records = records_for(tracer, count), done;
	uint32_t sums = 0;

	for (done = 0; records && done < count; done++) {
		uint64_t address;
		struct iocb iocb;

		if (memory_read(thread, argument[2] + done * sizeof(address), &address,
				sizeof(address)) != sizeof(address) ||
		    memory_read(thread, address, &iocb, sizeof(iocb)) != sizeof(iocb))
			break;
		record_submission(tracer, thread, address, &iocb, records + done * RECORD_WORDS,
				  &sums);
	}
	file_close(&thread->call.file);
	entry->entry.records = words_of(records, done * RECORD_WORDS);
	entry->entry.sums = words_of(tracer->sums, sums);
}

static uint64_t sums_of_completion(struct tracer *tracer, struct thread *thread,
				   const struct submitted_read *read, uint64_t bytes, size_t count)
{
	struct file file;
	uint64_t more = 0;

	take_parts(thread, read->buffer, read->bytes, read->vector);
	file_open(tracer, thread, read->fd, &file);
	if (file.fd >= 0 && (file.device != read->device || file.inode != read->inode))
		file_close(&file); /* closed meanwhile: do without the ends of chunks */
	if (file.fd < 0)
		file = (struct file){.fd = -1,
				     .flags = O_DIRECT,
				     .recorded = true,
				     .device = read->device,
				     .inode = read->inode};
	more = add_sums(tracer, thread, &file, read->offset, bytes, false, count);
	file_close(&file);
	return more;
}

static void record_completions(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	uint64_t address = thread->call.argument[3], done;
	uint64_t count = exit->exit.result < 0 ? 0 : exit->exit.result;
	uint64_t *records;
	uint32_t sums = 0;

	if (count > IOCBS_MAX)
		count = IOCBS_MAX;
	records = records_for(tracer, count);
	for (done = 0; records && done < count; done++) {
		uint64_t *record = records + done * RECORD_WORDS;
		struct submitted_read read;
		struct io_event event;

		if (memory_read(thread, address + done * sizeof(event), &event, sizeof(event)) !=
		    sizeof(event))
			break;
		record[RECORD_ID] = event.obj;
		record[RECORD_RESULT] = event.res;
		if (!recall_read(thread->process, event.obj, &read))
			continue;
		record[RECORD_OPCODE] = read.vector ? IOCB_CMD_PREADV : IOCB_CMD_PREAD;
		record[RECORD_FD] = read.fd;
		record[RECORD_BUFFER] = read.buffer;
		record[RECORD_OFFSET] = read.offset;
		record[RECORD_BYTES] = event.res > 0 ? event.res : 0;
		if (event.res > 0)
			record[RECORD_CHUNKS] =
				sums_of_completion(tracer, thread, &read, event.res, sums);
		sums += record[RECORD_CHUNKS];
	}
	exit->exit.records = words_of(records, done * RECORD_WORDS);
	exit->exit.sums = words_of(tracer->sums, sums);
}

void leave_setup(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	struct process *process = thread->process;
	uint64_t context;

	if (exit->exit.result < 0 || process->ring_count == COMPLETION_RINGS ||
	    memory_read(thread, thread->call.argument[1], &context, sizeof(context)) !=
		    sizeof(context))
		return;
	process->rings[process->ring_count++] = (struct completion_ring){.context = context};
}

void leave_destroy(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	struct process *process = thread->process;

	for (unsigned i = 0; i < process->ring_count; i++)
		if (process->rings[i].context == thread->call.argument[0])
			process->rings[i] = process->rings[--process->ring_count];
}

static void emit_completion(struct tracer *tracer, struct thread *thread,
			    const struct io_event *completion)
{
	struct submitted_read read;
	struct event event;
	uint64_t sums;

	event_init(&event, EVENT_INSIGHT);
	event.insight.number = call_number(ABI_LINUX64, CALL_io_getevents);
	event.insight.fd = -1;
	event.insight.offset = completion->obj;
	event.insight.result = completion->res;
	if (recall_read(thread->process, completion->obj, &read) && completion->res > 0) {
		sums = sums_of_completion(tracer, thread, &read, completion->res, 0);
		event.insight.device = read.device;
		event.insight.inode = read.inode;
		event.insight.file_offset = read.offset;
		event.insight.sums = words_of(tracer->sums, sums);
	}
	emit_event(tracer, thread, &event);
}

/* How many events there are from one place of the ring to another. */
static uint32_t events_between(const struct ring_head *head, uint32_t from, uint32_t to)
{
	return (to + head->events - from) % head->events;
}

/* What lies at the beginning of a ring; false if that isn't one. */
static bool read_ring(const struct thread *thread, const struct completion_ring *ring,
		      struct ring_head *head)
{
	return memory_read(thread, ring->context, head, sizeof(*head)) == sizeof(*head) &&
	       head->magic == RING_MAGIC && head->head < head->events && head->tail < head->events;
}

/* Completions that were taken from the ring since the trace was told. */
static uint32_t taken(const struct completion_ring *ring, const struct ring_head *head)
{
	uint32_t taken = events_between(head, ring->seen, head->head);

	return taken <= events_between(head, ring->seen, head->tail) ? taken : 0;
}

static void tell_ring(struct tracer *tracer, struct thread *thread, struct completion_ring *ring,
		      bool only_taken)
{
	struct ring_head head;
	struct io_event event;
	uint32_t count;

	if (!read_ring(thread, ring, &head))
		return;
	count = only_taken ? taken(ring, &head) : events_between(&head, ring->seen, head.tail);
	for (; count--; ring->seen = (ring->seen + 1) % head.events) {
		uint64_t address = ring->context + head.header_bytes + ring->seen * sizeof(event);

		if (memory_read(thread, address, &event, sizeof(event)) != sizeof(event))
			return;
		emit_completion(tracer, thread, &event);
	}
}

/* io_getevents() has told of what it took. */
static void skip_taken(struct thread *thread)
{
	struct process *process = thread->process;
	struct ring_head head;

	for (unsigned i = 0; i < process->ring_count; i++)
		if (process->rings[i].context == thread->call.argument[0] &&
		    read_ring(thread, &process->rings[i], &head) &&
		    taken(&process->rings[i], &head))
			process->rings[i].seen = head.head;
}

void tell_completions(struct tracer *tracer, struct thread *thread)
{
	bool by_call = thread->call.row->leave == leave_getevents;

	for (unsigned i = 0; i < thread->process->ring_count; i++)
		tell_ring(tracer, thread, &thread->process->rings[i], by_call);
}

void leave_getevents(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	skip_taken(thread);
	record_completions(tracer, thread, exit);
}
