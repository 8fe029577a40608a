/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous I/O (paper, 3.4.2): requests that are handed over by one call
 * and complete by the time of another.
 *
 * A request is known by what the program itself tells it by, the address of its
 * iocb or aiocb or the user_data of its SQE, within its process. What it writes
 * is announced when it is handed over; what it read is taken when its completion
 * is seen: in the records of a call that returns completions, or, where the
 * program reaps them from memory, in an insight at its next stop.
 */
#include "sim/pipeline/asynchronous.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reading.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/sums.h"
#include "sim/pipeline/written.h"

#define OF_PROCESS offsetof(struct submission, of_process)

/* Opcodes as a set of bits. */
#define OPCODE(n) (1ull << (n))
#define EVERY	  UINT64_MAX

/* How many requests with the same user_data are looked at for the one of that process. */
#define CANDIDATES_MAX 8

#define SETUP_SQPOLL 2u /* include/uapi/linux/io_uring.h: IORING_SETUP_SQPOLL */
/* include/uapi/asm-generic/errno.h; sys/errno.h of FreeBSD. */
#define ERROR_INVAL	 22
#define ERROR_INPROGRESS 36

struct interface {
	uint64_t reads, writes, closes;
	/* The request is known by user_data, which several may share; else by an address. */
	bool shares_ids;
};

/*
 * Linux: include/uapi/linux/aio_abi.h (IOCB_CMD_) and io_uring.h (IORING_OP_);
 * FreeBSD: sys/aio.h (LIO_).
 */
static const struct interface interfaces[CALL_COUNT] = {
	[CALL_io_submit] = {.reads = OPCODE(0) | OPCODE(7), .writes = OPCODE(1) | OPCODE(8)},
	[CALL_io_uring_enter] = {.reads = OPCODE(1) | OPCODE(4) | OPCODE(22),
				 .writes = OPCODE(2) | OPCODE(5) | OPCODE(23),
				 .closes = OPCODE(19),
				 .shares_ids = true},
	[CALL_lio_listio] = {.reads = OPCODE(2) | OPCODE(6), .writes = OPCODE(1) | OPCODE(5)},
	[CALL_aio_read] = {.reads = EVERY},
	[CALL_aio_readv] = {.reads = EVERY},
	[CALL_aio_write] = {.writes = EVERY},
	[CALL_aio_writev] = {.writes = EVERY},
};

static bool is_in(uint64_t opcodes, uint64_t opcode)
{
	return opcodes == EVERY || (opcode < 64 && opcodes & OPCODE(opcode));
}

static uint64_t key_of(uint32_t process, uint64_t id)
{
	return id + process * HASH_FACTOR;
}

/* The oldest of that name, or 0. */
static uint32_t find(struct pipeline *p, uint32_t process, uint64_t id)
{
	uint32_t first = sums_find(&p->by_request, &p->submissions, key_of(process, id));
	uint32_t node = first;

	for (int i = 0; first && i < CANDIDATES_MAX; i++) {
		const struct submission *s = SUBMISSION_AT(p, node);

		if (s->process == process && s->id == id)
			return node;
		node = s->summed.same.next;
		if (node == first)
			break;
	}
	return 0;
}

static void forget(struct pipeline *p, uint32_t node)
{
	const struct submission *s = SUBMISSION_AT(p, node);

	sums_remove(&p->by_request, &p->submissions, node);
	list_remove(&PROCESS_AT(p, s->process)->submissions, &p->submissions, OF_PROCESS, node);
	open_file_release(p, s->open_file);
	file_release(p, s->announced.file);
	pool_give(&p->submissions, node);
}

static void complete(struct pipeline *p, uint32_t node, int64_t result, const struct words *sums)
{
	const struct submission *s = SUBMISSION_AT(p, node);
	struct open_file *o = OPEN_FILE_AT(p, s->open_file);
	uint64_t offset = s->announced.offset, bytes = result > 0 ? result : 0;

	if (s->announced.chunks && bytes < s->announced.requested) {
		p->counters.failed_writes += result < 0;
		p->counters.short_writes += result >= 0;
		written_shorten(p, &s->announced, bytes);
	}
	if (s->announced.chunks)
		observe_write(p, o->file, offset, bytes, s->announced.size_before);
	if (bytes && offset != OFFSET_UNKNOWN)
		file_reached(p, o->file, offset + bytes);
	traffic_moved(p, s->process, o->file, bytes, s->writes);
	if (s->moves)
		o->offset = offset == OFFSET_UNKNOWN ? offset : offset + bytes;
	if (!s->writes && bytes)
		read_taken(p, content_of(p, s->open_file), offset, sums);
	forget(p, node);
}

/* It must be over, with what result nobody saw: nothing is taken back. */
static void complete_unseen(struct pipeline *p, uint32_t node)
{
	static const struct words none;
	const struct submission *s = SUBMISSION_AT(p, node);

	p->counters.completions_unseen++;
	complete(p, node, s->writes ? (int64_t)s->announced.requested : 0, &none);
}

/* It was not accepted. */
static void refuse(struct pipeline *p, uint32_t node)
{
	const struct submission *s = SUBMISSION_AT(p, node);

	if (s->announced.chunks)
		written_shorten(p, &s->announced, 0);
	forget(p, node);
}

/* Where a request goes that was not told an offset: to the end, or to the position. */
static uint64_t implied_offset(struct pipeline *p, struct submission *s)
{
	const struct open_file *o = OPEN_FILE_AT(p, s->open_file);
	uint64_t size = file_size(FILE_AT(p, o->file));

	s->moves = true;
	if (!s->writes || !o->append)
		return o->offset;
	return size == SIZE_UNKNOWN ? OFFSET_UNKNOWN : size;
}

static void describe(struct pipeline *p, struct submission *s, const uint64_t *record)
{
	s->announced.requested = record[RECORD_BYTES];
	s->announced.size_before = file_size(FILE_AT(p, OPEN_FILE_AT(p, s->open_file)->file));
	s->announced.offset = record[RECORD_OFFSET];
	if (s->announced.offset == OFFSET_UNKNOWN)
		s->announced.offset = implied_offset(p, s);
}

/* The first of the process with that name that is not a second one by right. */
static void end_former(struct pipeline *p, const struct call_state *call, uint64_t id)
{
	uint32_t former = find(p, call->process, id);

	if (former && !interfaces[call->call].shares_ids)
		complete_unseen(p, former);
}

static uint32_t enter(struct pipeline *p, const struct call_state *call, const uint64_t *record)
{
	uint32_t open_file = descriptor_meet(p, call->process, record[RECORD_FD]), node;
	struct submission *s;

	end_former(p, call, record[RECORD_ID]);
	node = open_file ? take_node(p, &p->submissions) : 0;
	if (!node)
		return 0;
	s = SUBMISSION_AT(p, node);
	*s = (struct submission){.summed.sum = key_of(call->process, record[RECORD_ID]),
				 .id = record[RECORD_ID],
				 .context = call->argument[0],
				 .submitted_by = call->seq,
				 .process = call->process,
				 .open_file = open_file,
				 .writes = is_in(interfaces[call->call].writes,
						 record[RECORD_OPCODE])};
	if (sums_add(p, &p->by_request, &p->submissions, node)) {
		pool_give(&p->submissions, node);
		return 0;
	}
	open_file_hold(p, open_file);
	list_append(&PROCESS_AT(p, call->process)->submissions, &p->submissions, OF_PROCESS, node);
	return node;
}

static void announce(struct pipeline *p, struct submission *s, const struct words *sums)
{
	uint32_t file = content_of(p, s->open_file);

	if (!s->writes || !file || !sums->count)
		return;
	/* Apart from the numbers of events, by which calls name what they wrote. */
	s->announced.call = ++p->submissions_made | 1ull << 63;
	s->announced.file = file_hold(p, file);
	s->announced.chunks = sums->count;
	written_add(p, file, s->announced.offset, sums, s->announced.call);
}

static void submit(struct pipeline *p, struct call_state *call, const uint64_t *record,
		   const struct words *sums)
{
	const struct interface *interface = &interfaces[call->call];
	uint64_t opcode = record[RECORD_OPCODE];
	uint32_t node;

	if (is_in(interface->closes, opcode))
		descriptor_close(p, call->process, record[RECORD_FD]);
	if (!is_in(interface->reads | interface->writes, opcode))
		return;
	node = enter(p, call, record);
	if (!node)
		return;
	SUBMISSION_AT(p, node)->ordinal = call->submitted;
	describe(p, SUBMISSION_AT(p, node), record);
	announce(p, SUBMISSION_AT(p, node), sums);
}

/* The record's share of the event's checksums, which it takes off their front. */
static struct words take_sums(struct words *sums, uint64_t count)
{
	struct words taken = {.at = sums->at, .count = count < sums->count ? count : sums->count};

	sums->at += taken.count;
	sums->count -= taken.count;
	return taken;
}

void entry_submit(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct words *records = &event->entry.records;
	struct words sums = event->entry.sums;

	for (uint32_t i = 0; i + RECORD_WORDS <= records->count; i += RECORD_WORDS) {
		struct words mine = take_sums(&sums, records->at[i + RECORD_CHUNKS]);

		submit(p, call, records->at + i, &mine);
		call->submitted++;
	}
}

/* Of what the call handed over, all but the first `accepted` records. */
static void refuse_beyond(struct pipeline *p, const struct call_state *call, uint64_t accepted)
{
	uint32_t node = PROCESS_AT(p, call->process)->submissions.last, previous;

	for (; node && accepted < call->submitted; node = previous) {
		const struct submission *s = SUBMISSION_AT(p, node);

		previous = s->of_process.previous;
		if (s->submitted_by < call->seq)
			return; /* the rest was handed over before */
		if (s->submitted_by == call->seq && s->ordinal >= accepted)
			refuse(p, node);
	}
}

/* A completion of which the pipeline does not know the request: the record itself may tell. */
static void complete_unknown(struct pipeline *p, const struct call_state *call,
			     const uint64_t *record, const struct words *sums)
{
	p->counters.completions_unknown++;
	if (sums->count)
		read_taken(p, content_of(p, descriptor_meet(p, call->process, record[RECORD_FD])),
			   record[RECORD_OFFSET], sums);
}

void exit_completions(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct words *records = &event->exit.records;
	struct words sums = event->exit.sums;

	for (uint32_t i = 0; i + RECORD_WORDS <= records->count; i += RECORD_WORDS) {
		const uint64_t *record = records->at + i;
		struct words mine = take_sums(&sums, record[RECORD_CHUNKS]);
		uint32_t node = find(p, call->process, record[RECORD_ID]);

		if (node)
			complete(p, node, record[RECORD_RESULT], &mine);
		else
			complete_unknown(p, call, record, &mine);
	}
}

void exit_submit(struct pipeline *p, struct call_state *call, const struct event *event)
{
	refuse_beyond(p, call, event->exit.result);
}

/* What the kernel took of the submission queue, and what it left in the completion queue. */
void exit_io_uring_enter(struct pipeline *p, struct call_state *call, const struct event *event)
{
	refuse_beyond(p, call, event->exit.result);
	exit_completions(p, call, event);
}

void exit_aio_return(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t node = find(p, call->process, call->argument[0]);

	if (node)
		complete(p, node, event->exit.result, &event->exit.sums);
}

void asynchronous_failed(struct pipeline *p, struct call_state *call, const struct event *event)
{
	int64_t error = event->exit.result;

	/* Of a list, some may have been accepted: aio_return() tells of each. */
	if (call->call != CALL_lio_listio || error == -ERROR_INVAL)
		refuse_beyond(p, call, 0);
	/* The request's own error, unless the call asked for what is not there. */
	if (call->call == CALL_aio_return && error != -ERROR_INVAL && error != -ERROR_INPROGRESS)
		exit_aio_return(p, call, event);
	if (event->exit.records.count)
		exit_completions(p, call, event);
}

/* All of the context is over; of reads nobody will see what they read. */
void exit_io_destroy(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t node = PROCESS_AT(p, call->process)->submissions.first, next;

	for (; node; node = next) {
		next = SUBMISSION_AT(p, node)->of_process.next;
		if (SUBMISSION_AT(p, node)->context == call->argument[0])
			complete_unseen(p, node);
	}
}

/* The kernel polls for requests: it is told of them by no call. */
void exit_io_uring_setup(struct pipeline *p, struct call_state *call, const struct event *event)
{
	struct process *process = PROCESS_AT(p, call->process);

	if (!call->polled || process->polled)
		return;
	process->polled = true;
	p->counters.processes_with_sqpoll++;
}

void entry_io_uring_setup(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct words *records = &event->entry.records;

	call->polled = records->count >= RECORD_WORDS && records->at[RECORD_FLAGS] & SETUP_SQPOLL;
}

void completion_found(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint32_t process = process_of(p, event);
	uint32_t node = process ? find(p, process, insight->offset) : 0;

	if (node)
		complete(p, node, insight->result, &insight->sums);
	else
		p->counters.completions_unknown++;
}

void submissions_forget(struct pipeline *p, uint32_t process)
{
	while (PROCESS_AT(p, process)->submissions.first)
		forget(p, PROCESS_AT(p, process)->submissions.first);
}
