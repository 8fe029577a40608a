// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rings in a guest process's memory: libaio's, from which it may take completions
 * without a call, and io_uring's two, by which it hands requests over and takes
 * completions. They are looked at whenever the process makes a call: what was
 * completed since is told as an insight, with the data that was read.
 *
 * Where the kernel polls the submissions (IORING_SETUP_SQPOLL) no call tells of
 * them: such a process is told of, and not covered.
 */
#include <linux/slab.h>
#include <uapi/linux/aio_abi.h>
#include <uapi/linux/io_uring.h>

#include "sky_kvm.h"

/* What a process may be told of at once: a ring has as many entries as the guest says. */
#define LOOK_MAX 1024

/* What begins the memory that a context's number is the address of: fs/aio.c */
struct aio_head {
	u32 id, events, head, tail, magic, compatible, incompatible, header_bytes;
};

#define AIO_MAGIC 0xa10a10a1u

static struct sky_ring_of *ring_new(struct sky_process *process)
{
	if (process->ring_count == SKY_RINGS)
		return NULL;
	process->rings[process->ring_count] = (struct sky_ring_of){};
	return process->rings + process->ring_count++;
}

static void ring_forget(struct sky_process *process, struct sky_ring_of *ring)
{
	*ring = process->rings[--process->ring_count];
}

static struct sky_ring_of *ring_of_context(struct sky_process *process, u64 context)
{
	u32 i;

	for (i = 0; i < process->ring_count; i++)
		if (!process->rings[i].uring && process->rings[i].at == context)
			return process->rings + i;
	return NULL;
}

static struct sky_ring_of *ring_of_fd(struct sky_process *process, int fd)
{
	u32 i;

	for (i = 0; i < process->ring_count; i++)
		if (process->rings[i].uring && process->rings[i].fd == fd)
			return process->rings + i;
	return NULL;
}

void sky_ring_closed(struct sky_process *process, int fd)
{
	struct sky_ring_of *ring = ring_of_fd(process, fd);

	if (ring)
		ring_forget(process, ring);
}

static bool read_word(struct sky_vcpu *sky, u64 address, u32 *word)
{
	return sky_read_user(sky, address, word, sizeof(*word)) == sizeof(*word);
}

static void aio_made(struct sky_vcpu *sky, struct sky_process *process, u64 pointer)
{
	struct sky_ring_of *ring;
	u64 context;

	if (sky_read_user(sky, pointer, &context, sizeof(context)) != sizeof(context))
		return;
	ring = ring_new(process);
	if (ring)
		ring->at = context;
}

static void uring_made(struct sky_vcpu *sky, struct sky_process *process, u64 pointer, int fd)
{
	struct io_uring_params params;
	struct sky_ring_of *ring;

	if (sky_read_user(sky, pointer, &params, sizeof(params)) != sizeof(params) ||
	    params.flags & IORING_SETUP_SQPOLL) {
		sky_count(sky->vm, SKY_COUNT_uncovered);
		return;
	}
	ring = ring_new(process);
	if (!ring) {
		sky_count(sky->vm, SKY_COUNT_uncovered);
		return;
	}
	ring->uring = true;
	ring->fd = fd;
	ring->single = params.features & IORING_FEAT_SINGLE_MMAP;
	ring->entry_bytes = params.flags & IORING_SETUP_SQE128 ? 128 : 64;
	ring->completion_bytes = params.flags & IORING_SETUP_CQE32 ? 32 : 16;
	ring->entries = params.sq_entries;
	ring->completions = params.cq_entries;
	ring->head_at = params.sq_off.head;
	ring->tail_at = params.sq_off.tail;
	ring->array_at = params.sq_off.array;
	ring->completion_tail_at = params.cq_off.tail;
	ring->completions_at = params.cq_off.cqes;
}

/* Which of a ring's parts has been mapped there. */
static void uring_mapped(struct sky_ring_of *ring, u64 offset, u64 address)
{
	if (!ring)
		return;
	if (offset == IORING_OFF_SQ_RING)
		ring->at = address;
	if (offset == IORING_OFF_CQ_RING || (offset == IORING_OFF_SQ_RING && ring->single))
		ring->completion_ring = address;
	if (offset == IORING_OFF_SQES)
		ring->requests = address;
}

void sky_ring_returned(struct sky_vcpu *sky, struct sky_process *process,
		       const struct sky_call *call, s64 result)
{
	const u64 *argument = call->argument;
	struct sky_ring_of *ring;

	if (result < 0 && call->rule->kind != SKY_RULE_AIO_DESTROY)
		return;
	switch (call->rule->kind) {
	case SKY_RULE_AIO_SETUP:
		aio_made(sky, process, argument[1]);
		break;
	case SKY_RULE_AIO_DESTROY:
		ring = ring_of_context(process, argument[0]);
		if (ring)
			ring_forget(process, ring);
		break;
	case SKY_RULE_URING_SETUP:
		sky_ring_closed(process, result);
		uring_made(sky, process, argument[1], result);
		break;
	case SKY_RULE_MAP:
		uring_mapped(ring_of_fd(process, (int)argument[4]), argument[5], result);
		break;
	default:
		break;
	}
}

static bool read_aio(struct sky_vcpu *sky, const struct sky_ring_of *ring, struct aio_head *head)
{
	return sky_read_user(sky, ring->at, head, sizeof(*head)) == sizeof(*head) &&
	       head->magic == AIO_MAGIC && head->head < head->events &&
	       head->tail < head->events && ring->seen < head->events;
}

/* Events from one place of the ring to another. */
static u32 between(const struct aio_head *head, u32 from, u32 to)
{
	return (to + head->events - from) % head->events;
}

/* The next completion that the process hasn't been told of; false: there is none. */
static bool aio_next(struct sky_vcpu *sky, struct sky_ring_of *ring, u64 *id, s64 *result)
{
	struct io_event event;
	struct aio_head head;
	u64 address;

	if (!read_aio(sky, ring, &head) || ring->seen == head.tail)
		return false;
	address = ring->at + head.header_bytes + ring->seen * sizeof(event);
	if (sky_read_user(sky, address, &event, sizeof(event)) != sizeof(event))
		return false;
	ring->seen = (ring->seen + 1) % head.events;
	*id = event.obj;
	*result = event.res;
	return true;
}

static bool uring_next(struct sky_vcpu *sky, struct sky_ring_of *ring, u64 *id, s64 *result)
{
	struct io_uring_cqe completion;
	u64 address;
	u32 tail;

	if (!ring->completion_ring || !is_power_of_2(ring->completions) ||
	    !read_word(sky, ring->completion_ring + ring->completion_tail_at, &tail))
		return false;
	if (tail - ring->seen > ring->completions) /* overwritten since */
		ring->seen = tail - ring->completions;
	if (tail == ring->seen)
		return false;
	address = ring->completion_ring + ring->completions_at +
		  (u64)(ring->seen & (ring->completions - 1)) * ring->completion_bytes;
	if (sky_read_user(sky, address, &completion, sizeof(completion)) != sizeof(completion))
		return false;
	ring->seen++;
	*id = completion.user_data;
	*result = completion.res;
	return true;
}

/* With the lock: takes a completion of the process's i-th ring, and what its request was. */
static bool next(struct sky_vcpu *sky, const struct sky_call *call, u32 i, u64 *id, s64 *result,
		 u32 *number, struct sky_read **read)
{
	struct sky_process *process = sky_process_of(sky->vm, call->space, call->fs_base);
	struct sky_ring_of *ring;

	if (!process || i >= process->ring_count)
		return false;
	ring = process->rings + i;
	*number = ring->uring ? 426 : 208;
	if (!(ring->uring ? uring_next : aio_next)(sky, ring, id, result))
		return false;
	*read = sky_read_take(process, *id);
	return true;
}

static void tell(struct sky_vcpu *sky, const struct sky_call *call, u64 id, s64 result, u32 number,
		 const struct sky_read *read)
{
	struct sky_insight_record record = {
		.number = number,
		.result = result,
		.fd = -1,
		.offset = id,
		.file_offset = read ? read->offset : SKY_OFFSET_UNKNOWN,
	};
	struct sky_gathered got = {};
	struct sky_part part;

	if (read && result > 0)
		sky_hash_request(sky, &got, read, result);
	record.sums = got.sums;
	part = (struct sky_part){sky->sums, got.sums * sizeof(u64)};
	sky_cpu_now(sky, &record.cpu, call->stack, call->pid, call->tid);
	sky_count(sky->vm, SKY_COUNT_completions);
	sky_record_put(sky, SKY_RECORD_INSIGHT, &record, sizeof(record), &part, 1);
}

void sky_rings_look(struct sky_vcpu *sky, const struct sky_call *call)
{
	unsigned int told = 0;
	struct sky_read *read;
	u32 i, number;
	s64 result;
	bool got;
	u64 id;

	for (i = 0; i < SKY_RINGS && told < LOOK_MAX; i += !got) {
		mutex_lock(&sky->vm->lock);
		got = next(sky, call, i, &id, &result, &number, &read);
		mutex_unlock(&sky->vm->lock);
		if (!got)
			continue;
		tell(sky, call, id, result, number, read);
		kfree(read);
		told++;
	}
}

/* Of the events that io_getevents gave, so many were told of before it took them. */
u32 sky_ring_told(struct sky_vcpu *sky, const struct sky_call *call, u32 taken)
{
	struct sky_process *process;
	struct sky_ring_of *ring;
	struct aio_head head;
	u32 from, told = 0;

	mutex_lock(&sky->vm->lock);
	process = sky_process_of(sky->vm, call->space, call->fs_base);
	ring = process ? ring_of_context(process, call->argument[0]) : NULL;
	if (!ring || !read_aio(sky, ring, &head) || taken >= head.events)
		goto out;
	from = (head.head + head.events - taken) % head.events;
	if (between(&head, from, ring->seen) <= between(&head, from, head.tail))
		told = min(between(&head, from, ring->seen), taken);
	if (told < taken)
		ring->seen = head.head;
out:
	mutex_unlock(&sky->vm->lock);
	return told;
}

static bool is_uring_vector(u8 opcode)
{
	return opcode == IORING_OP_READV || opcode == IORING_OP_WRITEV;
}

static bool uring_reads(u8 opcode)
{
	return opcode == IORING_OP_READV || opcode == IORING_OP_READ_FIXED ||
	       opcode == IORING_OP_READ;
}

static bool uring_writes(u8 opcode)
{
	return opcode == IORING_OP_WRITEV || opcode == IORING_OP_WRITE_FIXED ||
	       opcode == IORING_OP_WRITE;
}

/* The request at that place of the submission ring, through the ring's own array. */
static bool read_request(struct sky_vcpu *sky, const struct sky_ring_of *ring, u32 at,
			 struct io_uring_sqe *request)
{
	u32 index;

	return read_word(sky, ring->at + ring->array_at +
			 (u64)(at & (ring->entries - 1)) * sizeof(index), &index) &&
	       index < ring->entries &&
	       sky_read_user(sky, ring->requests + (u64)index * ring->entry_bytes, request,
			     sizeof(*request)) == sizeof(*request);
}

static void submit_one(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
		       const struct io_uring_sqe *request)
{
	struct sky_read data = {
		.buffer = request->addr,
		.bytes = request->len,
		.offset = request->off,
		.vector = is_uring_vector(request->opcode),
	};
	/* Registered files and buffers that the kernel chooses are not known here. */
	bool known = !(request->flags & (IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT));
	struct sky_process *process;
	u64 *words = sky_request_next(sky, got);

	if (!words)
		return;
	memset(words, 0, SKY_REQUEST_WORDS * sizeof(*words));
	words[SKY_REQUEST_ID] = request->user_data;
	words[SKY_REQUEST_OPCODE] = request->opcode;
	words[SKY_REQUEST_FD] = known ? (s64)request->fd : -1;
	words[SKY_REQUEST_BUFFER] = request->addr;
	words[SKY_REQUEST_BYTES] = data.vector ? sky_vector_bytes(sky, &data) : request->len;
	words[SKY_REQUEST_OFFSET] = request->off;
	words[SKY_REQUEST_FLAGS] = request->flags;
	if (!known)
		sky_count(sky->vm, SKY_COUNT_uncovered);
	if (known && uring_writes(request->opcode))
		words[SKY_REQUEST_CHUNKS] = sky_hash_request(sky, got, &data, U64_MAX);
	if (!known || !uring_reads(request->opcode))
		return;
	mutex_lock(&sky->vm->lock);
	process = sky_process_of(sky->vm, call->space, call->fs_base);
	if (process)
		sky_read_remember(process, request->user_data, &data);
	mutex_unlock(&sky->vm->lock);
}

void sky_uring_submitted(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got)
{
	u32 head, i, count = min_t(u64, (u32)call->argument[1], SKY_REQUESTS_MAX);
	struct sky_ring_of ring = {}, *found;
	struct io_uring_sqe request;
	struct sky_process *process;

	mutex_lock(&sky->vm->lock);
	process = sky_process_of(sky->vm, call->space, call->fs_base);
	found = process ? ring_of_fd(process, (int)call->argument[0]) : NULL;
	if (found)
		ring = *found;
	mutex_unlock(&sky->vm->lock);
	if (!ring.at || !ring.requests || !is_power_of_2(ring.entries) ||
	    call->argument[3] & IORING_ENTER_REGISTERED_RING ||
	    !read_word(sky, ring.at + ring.head_at, &head)) {
		sky_count(sky->vm, SKY_COUNT_uncovered);
		return;
	}
	got->cut |= (u32)call->argument[1] > SKY_REQUESTS_MAX;
	for (i = 0; i < count; i++) {
		u32 tail;

		if (!read_word(sky, ring.at + ring.tail_at, &tail) || head + i == tail)
			return;
		if (read_request(sky, &ring, head + i, &request))
			submit_one(sky, call, got, &request);
		else
			got->unread++;
	}
}

void sky_uring_asked(struct sky_vcpu *sky, const struct sky_call *call, struct sky_gathered *got)
{
	struct io_uring_params params;
	u64 *words;

	if (sky_read_user(sky, call->argument[1], &params, sizeof(params)) != sizeof(params)) {
		got->unread++;
		return;
	}
	words = sky_request_next(sky, got);
	memset(words, 0, SKY_REQUEST_WORDS * sizeof(*words));
	words[SKY_REQUEST_FLAGS] = params.flags;
}
