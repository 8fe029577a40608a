/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a call: out of the program's memory, out of a file.
 *
 * A view is what the callbacks of chunk_source look at; hash_written(),
 * hash_read() and hash_file() are what the calls need of chunks.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/host/transfer.h"
#include "common/fnv1a.h"

/* How many buffers one process_vm_readv() takes; more need more of them. */
#define REMOTE_PARTS 64u

size_t from_memory(void *context, uint64_t at, void *buffer, size_t bytes)
{
	struct view *view = context;
	size_t done = 0;

	while (done < bytes) {
		struct iovec remote[REMOTE_PARTS], local = {.iov_base = (char *)buffer + done};
		uint64_t begin;
		unsigned count = 0;
		ssize_t got;

		while (view->part < view->part_count &&
		       at + done >= view->part_begin + view->parts[view->part].iov_len)
			view->part_begin += view->parts[view->part++].iov_len;
		begin = at + done - view->part_begin;
		for (unsigned i = view->part;
		     i < view->part_count && count < REMOTE_PARTS && done + local.iov_len < bytes;
		     i++) {
			size_t length = view->parts[i].iov_len - begin;

			if (length > bytes - done - local.iov_len)
				length = bytes - done - local.iov_len;
			remote[count].iov_base = (char *)view->parts[i].iov_base + begin;
			remote[count++].iov_len = length;
			local.iov_len += length;
			begin = 0;
		}
		if (!local.iov_len)
			break;
		got = process_vm_readv(view->thread->tid, &local, 1, remote, count, 0);
		if (got > 0)
			done += got;
		if (got < 0 || (size_t)got < local.iov_len)
			break;
	}
	return done;
}

size_t from_source(void *context, uint64_t at, void *buffer, size_t bytes)
{
	const struct view *view = context;
	size_t done = 0;

	while (done < bytes) {
		ssize_t got = pread(view->source_fd, (char *)buffer + done, bytes - done,
				    view->source_offset + at + done);

		if (got <= 0)
			break;
		done += got;
	}
	return done;
}

static ssize_t from_file(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	const struct view *view = context;

	return pread(view->fd, buffer, bytes, offset);
}

/*
 * Through a descriptor of our own: the program's may be write-only, and its
 * access time must not change because of us.
 */
static bool open_quietly(struct view *view)
{
	char path[32];

	if (view->own_fd >= 0)
		return true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", view->fd);
	view->own_fd = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
	if (view->own_fd < 0 && errno == EPERM) /* another user's file */
		view->own_fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Nothing is to be read ahead for us, which even reads with RWF_NOWAIT do. */
	return view->own_fd >= 0 && !posix_fadvise(view->own_fd, 0, 0, POSIX_FADV_RANDOM);
}

static void emit_content(struct view *view, uint64_t offset, uint64_t sum)
{
	struct event event;

	event_init(&event, EVENT_INSIGHT);
	event.insight.number = call_number(ABI_LINUX64, CALL_pread64);
	event.insight.fd = -1;
	event.insight.device = view->file->device;
	event.insight.inode = view->file->inode;
	event.insight.file_offset = offset;
	event.insight.sums = (struct words){.at = &sum, .count = 1};
	emit_event(view->tracer, view->thread, &event);
}

/*
 * The whole chunk, from the disk, and no more: the write would read no more
 * either. How many bytes of it there are, or -1.
 */
static ssize_t read_and_tell(struct view *view, uint64_t chunk, uint8_t *buffer)
{
	ssize_t got = pread(view->own_fd, buffer, CHUNK_BYTES, chunk);

	if (got > 0 && view->file->recorded)
		emit_content(view, chunk,
			     fnv1a_zeros(fnv1a_update(FNV1A_BASIS, buffer, got),
					 CHUNK_BYTES - got));
	return got;
}

static ssize_t read_uncached(struct view *view, uint64_t offset, void *buffer, size_t bytes)
{
	uint8_t chunk[CHUNK_BYTES];
	size_t within = offset % CHUNK_BYTES;
	ssize_t got = read_and_tell(view, offset - within, chunk);

	if (got < 0)
		return -1;
	if ((size_t)got <= within)
		return 0;
	if (bytes > got - within)
		bytes = got - within;
	memcpy(buffer, chunk + within, bytes);
	return bytes;
}

static ssize_t read_cached(const struct view *view, uint64_t offset, void *buffer, size_t bytes)
{
	struct iovec part = {.iov_base = buffer, .iov_len = bytes};

	return preadv2(view->own_fd, &part, 1, offset, RWF_NOWAIT);
}

ssize_t from_file_quietly(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	struct view *view = context;
	ssize_t got;

	if (!open_quietly(view))
		return -1;
	if (offset % CHUNK_BYTES + bytes > CHUNK_BYTES)
		return pread(view->own_fd, buffer, bytes, offset);
	got = read_cached(view, offset, buffer, bytes);
	return got == (ssize_t)bytes ? got : read_uncached(view, offset, buffer, bytes);
}

void tell_end_chunk(struct tracer *tracer, struct thread *thread, const struct file *file,
		    uint64_t end)
{
	struct view view = view_of(tracer, thread, file);
	uint64_t chunk = file->size / CHUNK_BYTES * CHUNK_BYTES;
	uint8_t buffer[CHUNK_BYTES];

	if (!file->recorded || file->fd < 0 || file->flags & O_DIRECT || file->size == chunk ||
	    end <= chunk + CHUNK_BYTES)
		return;
	if (open_quietly(&view))
		read_and_tell(&view, chunk, buffer);
	view_end(&view);
}

static ssize_t from_file_skipped(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	struct view *view = context;

	view->tracer->skipped_chunks++;
	return -1;
}

struct view view_of(struct tracer *tracer, struct thread *thread, const struct file *file)
{
	return (struct view){.tracer = tracer,
			     .thread = thread,
			     .file = file,
			     .parts = thread->call.parts,
			     .part_count = thread->call.part_count,
			     .source_fd = thread->call.source.fd,
			     .fd = file->fd,
			     .own_fd = -1};
}

void view_end(struct view *view)
{
	if (view->own_fd >= 0)
		close(view->own_fd);
}

file_reader *reader_of(const struct tracer *tracer, const struct file *file, bool quietly)
{
	if (file->flags & O_DIRECT)
		return NULL;
	if (tracer->options->skip_misaligned)
		return from_file_skipped;
	return quietly ? from_file_quietly : from_file;
}

struct chunk_file identity(const struct file *file, uint64_t size)
{
	return (struct chunk_file){.device = file->device, .inode = file->inode, .size = size};
}

void forget(struct tracer *tracer, const struct file *file)
{
	if (file->recorded)
		chunker_forget(tracer->chunker, file->device, file->inode);
}

uint64_t *sums_for(uint64_t **words, size_t *room, uint64_t offset, uint64_t bytes)
{
	uint64_t count = chunk_count(offset, bytes);

	return count && reserve_words(words, room, count) ? *words : NULL;
}

struct words hash_written(struct tracer *tracer, struct thread *thread, const struct file *file,
			  uint64_t offset, uint64_t bytes)
{
	struct view view = view_of(tracer, thread, file);
	struct chunk_source source = {
		.transfer = from_memory, .file = reader_of(tracer, file, true), .context = &view};
	struct chunk_file chunks = identity(file, file->size);
	uint64_t *sums = sums_for(&tracer->sums, &tracer->sum_room, offset, bytes);

	if (sums)
		chunk_sums_of_write(tracer->chunker, &source, &chunks, offset, bytes, sums,
				    &thread->call.after);
	view_end(&view);
	return words_of(sums, chunk_count(offset, bytes));
}

struct words hash_read(struct tracer *tracer, struct thread *thread, const struct file *file,
		       uint64_t offset, uint64_t bytes)
{
	struct view view = view_of(tracer, thread, file);
	struct chunk_source source = {
		.transfer = from_memory, .file = reader_of(tracer, file, false), .context = &view};
	/* A read up to the size at the entry ended there. */
	struct chunk_file chunks =
		identity(file, offset + bytes == file->size ? file->size : UINT64_MAX);
	uint64_t *sums = sums_for(&tracer->sums, &tracer->sum_room, offset, bytes);

	if (sums)
		chunk_sums_of_read(tracer->chunker, &source, &chunks, offset, bytes, sums);
	return words_of(sums, chunk_count(offset, bytes));
}

void hash_file(struct tracer *tracer, struct thread *thread, const struct file *file, bool quietly,
	       uint64_t offset, uint64_t bytes, uint64_t *sums)
{
	struct view view = view_of(tracer, thread, file);
	struct chunk_source source = {.context = &view};
	struct chunk_file chunks = identity(file, UINT64_MAX);

	if (!(file->flags & O_DIRECT))
		source.file = quietly ? from_file_quietly : from_file;
	chunk_sums_of_read(tracer->chunker, &source, &chunks, offset, bytes, sums);
	view_end(&view);
}

uint64_t take_parts(struct thread *thread, uint64_t address, uint64_t count, bool vector)
{
	struct call_state *call = &thread->call;
	unsigned parts = !vector ? 1 : count < IOV_MAX ? count : IOV_MAX;
	uint64_t bytes = 0;

	call->part_count = 0;
	if (parts > call->part_room) {
		struct iovec *more = realloc(call->parts, parts * sizeof(*more));

		if (!more)
			return 0;
		call->parts = more;
		call->part_room = parts;
	}
	if (!vector) {
		call->parts[0] = (struct iovec){(void *)address, count};
		call->part_count = 1;
		return count < MAX_RW_BYTES ? count : MAX_RW_BYTES;
	}
	call->part_count = memory_read(thread, address, call->parts, parts * sizeof(*call->parts)) /
			   sizeof(*call->parts);
	for (unsigned i = 0; i < call->part_count; i++) {
		if (call->parts[i].iov_len > MAX_RW_BYTES - bytes)
			call->parts[i].iov_len = MAX_RW_BYTES - bytes;
		bytes += call->parts[i].iov_len;
	}
	return bytes;
}
