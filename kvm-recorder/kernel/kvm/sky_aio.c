// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linux's asynchronous calls (paper, section 3.4.2): io_submit tells what is to be
 * written and read, io_getevents what is done. A request is known by the address
 * of its control block; where a read's data will be is remembered until then. FreeBSD's
 * own (sky_freebsd.c) go the same way from there.
 */
#include <linux/slab.h>
#include <linux/uio.h>
#include <uapi/linux/aio_abi.h>

#include "sky_kvm.h"

#define READS_MAX 1024 /* of a process */

static bool writes(const struct iocb *block)
{
	return block->aio_lio_opcode == IOCB_CMD_PWRITE ||
	       block->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

static bool reads(const struct iocb *block)
{
	return block->aio_lio_opcode == IOCB_CMD_PREAD ||
	       block->aio_lio_opcode == IOCB_CMD_PREADV;
}

static bool is_vector(const struct iocb *block)
{
	return block->aio_lio_opcode == IOCB_CMD_PWRITEV ||
	       block->aio_lio_opcode == IOCB_CMD_PREADV;
}

void sky_reads_free(struct sky_process *process)
{
	struct sky_read *read;
	unsigned long block;

	xa_for_each(&process->reads, block, read)
		kfree(read);
	xa_destroy(&process->reads);
	sky_entries_give(process->vm, process->read_count);
	process->read_count = 0;
}

/* With the lock; the one of that block, which is forgotten, or NULL. */
struct sky_read *sky_read_take(struct sky_process *process, u64 block)
{
	struct sky_read *read = xa_erase(&process->reads, block);

	if (read) {
		process->read_count--;
		sky_entries_give(process->vm, 1);
	}
	return read;
}

void sky_read_remember(struct sky_process *process, u64 id, const struct sky_read *data)
{
	struct sky_read *read;

	kfree(sky_read_take(process, id));
	if (process->read_count >= READS_MAX || !sky_entry_take(process->vm))
		return;
	process->read_count++;
	read = kmemdup(data, sizeof(*data), GFP_KERNEL_ACCOUNT);
	if (!read)
		goto none;
	if (!xa_is_err(xa_store(&process->reads, id, read, GFP_KERNEL_ACCOUNT)))
		return;
	kfree(read);
none:
	process->read_count--;
	sky_entries_give(process->vm, 1);
}

/* The next request's place in sky->words; NULL: there is no more room. */
u64 *sky_request_next(struct sky_vcpu *sky, struct sky_gathered *got)
{
	if (got->requests >= SKY_REQUESTS_MAX) {
		got->cut = true;
		return NULL;
	}
	return sky->words + got->requests++ * SKY_REQUEST_WORDS;
}

/* Hashes a buffer, or the buffers that lie there, of a request; the number of chunks. */
u32 sky_hash_request(struct sky_vcpu *sky, struct sky_gathered *got, const struct sky_read *data,
		     u64 limit)
{
	struct sky_hasher hasher;
	struct iovec part;
	u64 i, bytes;

	sky_hash_begin(&hasher, sky, data->offset, NULL, sky->sums + got->sums,
		       SKY_SUMS_MAX - got->sums);
	if (!data->vector)
		sky_hash(&hasher, data->buffer, min(data->bytes, limit));
	for (i = 0; data->vector && i < min_t(u64, data->bytes, UIO_MAXIOV); i++) {
		if (sky_read_user(sky, data->buffer + i * sizeof(part), &part, sizeof(part)) !=
		    sizeof(part))
			break;
		bytes = min_t(u64, part.iov_len, limit);
		sky_hash(&hasher, (u64)part.iov_base, bytes);
		limit -= bytes;
	}
	sky_hash_end(&hasher, 0, 0);
	sky_gathered_add(sky, got, &hasher);
	return hasher.sums;
}

/* How much the buffers are that lie there. */
u64 sky_vector_bytes(struct sky_vcpu *sky, const struct sky_read *data)
{
	u64 i, bytes = 0;
	struct iovec part;

	for (i = 0; i < min_t(u64, data->bytes, UIO_MAXIOV); i++) {
		if (sky_read_user(sky, data->buffer + i * sizeof(part), &part, sizeof(part)) !=
		    sizeof(part))
			break;
		bytes += part.iov_len;
	}
	return bytes;
}

static bool is_outside(struct sky_vcpu *sky, const struct sky_call *call, int fd)
{
	struct sky_process *process;
	struct sky_file *file;
	bool outside;

	mutex_lock(&sky->vm->lock);
	process = sky_process_of(sky->vm, call->space, call->fs_base);
	file = process ? sky_file_at(process, fd) : NULL;
	outside = file && file->outside;
	mutex_unlock(&sky->vm->lock);
	return outside;
}

void sky_request_submitted(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
			   const struct sky_request *request)
{
	const struct sky_read *data = &request->data;
	u64 *words = sky_request_next(sky, got);
	struct sky_process *process;

	if (!words)
		return;
	words[SKY_REQUEST_ID] = request->id;
	words[SKY_REQUEST_OPCODE] = request->opcode;
	words[SKY_REQUEST_FD] = request->fd;
	words[SKY_REQUEST_BUFFER] = data->buffer;
	words[SKY_REQUEST_BYTES] = data->vector ? sky_vector_bytes(sky, data) : data->bytes;
	words[SKY_REQUEST_OFFSET] = data->offset;
	words[SKY_REQUEST_FLAGS] = request->flags;
	words[SKY_REQUEST_RESULT] = 0;
	words[SKY_REQUEST_CHUNKS] = 0;
	if (is_outside(sky, call, request->fd))
		return;
	if (request->writes)
		words[SKY_REQUEST_CHUNKS] = sky_hash_request(sky, got, data, U64_MAX);
	if (!request->reads)
		return;
	mutex_lock(&sky->vm->lock);
	process = sky_process_of(sky->vm, call->space, call->fs_base);
	if (process)
		sky_read_remember(process, request->id, data);
	mutex_unlock(&sky->vm->lock);
}

static void submit_one(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
		       u64 at)
{
	struct sky_request request;
	struct iocb block;

	if (sky_read_user(sky, at, &block, sizeof(block)) != sizeof(block)) {
		got->unread++;
		return;
	}
	request = (struct sky_request){
		.id = at,
		.opcode = block.aio_lio_opcode,
		.flags = block.aio_flags,
		.fd = block.aio_fildes,
		.reads = reads(&block),
		.writes = writes(&block),
		.data = {
			.buffer = block.aio_buf,
			.bytes = block.aio_nbytes,
			.offset = block.aio_offset,
			.vector = is_vector(&block),
		},
	};
	sky_request_submitted(sky, call, got, &request);
}

void sky_submitted(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got)
{
	u64 count = call->argument[1], i, at;

	if (call->abi == SKY_ABI_FREEBSD64) {
		sky_freebsd_submitted(sky, call, got);
		return;
	}
	got->cut |= count > SKY_REQUESTS_MAX;
	for (i = 0; i < min_t(u64, count, SKY_REQUESTS_MAX); i++) {
		if (sky_read_user(sky, call->argument[2] + i * sizeof(at), &at, sizeof(at)) ==
		    sizeof(at))
			submit_one(sky, call, got, at);
		else
			got->unread++;
	}
}

void sky_request_completed(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
			   u64 id, s64 result, bool tells)
{
	u64 untold[SKY_REQUEST_WORDS], *words = tells ? sky_request_next(sky, got) : untold;
	struct sky_read *read = NULL;
	struct sky_process *process;

	if (!words)
		return;
	memset(words, 0, SKY_REQUEST_WORDS * sizeof(*words));
	words[SKY_REQUEST_ID] = id;
	words[SKY_REQUEST_RESULT] = result;
	mutex_lock(&sky->vm->lock);
	process = sky_process_of(sky->vm, call->space, call->fs_base);
	if (process)
		read = sky_read_take(process, id);
	mutex_unlock(&sky->vm->lock);
	if (!read)
		return;
	words[SKY_REQUEST_BUFFER] = read->buffer;
	words[SKY_REQUEST_BYTES] = read->bytes;
	words[SKY_REQUEST_OFFSET] = read->offset;
	if (result > 0)
		words[SKY_REQUEST_CHUNKS] = sky_hash_request(sky, got, read, result);
	kfree(read);
}

void sky_events_taken(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
		      s64 result)
{
	struct io_event event;
	s64 i;

	if (call->abi == SKY_ABI_FREEBSD64) {
		sky_freebsd_completed(sky, call, got, result);
		return;
	}
	for (i = result > 0 ? sky_ring_told(sky, call, result) : 0; i < result; i++) {
		if (i >= SKY_REQUESTS_MAX) {
			got->cut = true;
			return;
		}
		if (sky_read_user(sky, call->argument[3] + i * sizeof(event), &event,
				  sizeof(event)) == sizeof(event))
			sky_request_completed(sky, call, got, event.obj, event.res, true);
		else
			got->unread++;
	}
}
