/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transfer is gone through in batches of whole chunks: the missing part of
 * the first chunk, the transfer's own bytes and the missing part of the last
 * one are laid side by side in one buffer and hashed in bulk. The zeros behind
 * the end of a file are never laid out, they are computed (fnv1a_zeros()).
 */
#include <stdlib.h>
#include <string.h>

#include "capture/event.h"
#include "capture/host/chunks.h"
#include "common/fnv1a.h"

/* Small enough to stay in a second-level cache, large enough to make system calls rare. */
#define BATCH_BYTES	 (256u << 10)
#define BATCH_CHUNKS	 (BATCH_BYTES / CHUNK_BYTES)
#define REMEMBERED_FILES 1024u

/* A batch that was hashed: contents, and what came out. */
struct batch {
	uint8_t buffer[BATCH_BYTES];
	uint64_t bytes, sums[BATCH_CHUNKS];
	struct chunk_state tail;
};

struct chunker {
	struct chunk_state remembered[REMEMBERED_FILES];
	bool remembers;
	/* The batch at work, and the last one: a program that copies writes what it just read. */
	struct batch batches[2], *batch, *last;
};

/* A transfer under way. */
struct transfer {
	const struct chunk_source *source;
	uint64_t file_size;
	uint64_t begin, end; /* file offsets */
	bool broken;	     /* memory ended early: nothing of what follows is known */
};

struct chunker *chunker_new(void)
{
	struct chunker *chunker = calloc(1, sizeof(*chunker));

	if (!chunker)
		return NULL;
	chunker->remembers = true;
	chunker->batch = &chunker->batches[0];
	chunker->last = &chunker->batches[1];
	return chunker;
}

void chunker_free(struct chunker *chunker)
{
	free(chunker);
}

static struct chunk_state *slot_of(struct chunker *chunker, uint64_t device, uint64_t inode)
{
	uint64_t hash = (inode ^ device << 32) * 0x9e3779b97f4a7c15u;

	return &chunker->remembered[hash >> 32 & (REMEMBERED_FILES - 1)];
}

void chunker_keep(struct chunker *chunker, const struct chunk_state *after)
{
	if (after->bytes && chunker->remembers)
		*slot_of(chunker, after->device, after->inode) = *after;
}

void chunker_forget(struct chunker *chunker, uint64_t device, uint64_t inode)
{
	struct chunk_state *slot = slot_of(chunker, device, inode);

	if (slot->device == device && slot->inode == inode)
		slot->bytes = 0;
}

void chunker_stop_remembering(struct chunker *chunker)
{
	chunker->remembers = false;
	for (unsigned i = 0; i < REMEMBERED_FILES; i++)
		chunker->remembered[i].bytes = 0;
}

/* What is remembered of that chunk; bytes = 0 if nothing is. */
static struct chunk_state recall(struct chunker *chunker, const struct chunk_file *file,
				 uint64_t chunk)
{
	struct chunk_state state = *slot_of(chunker, file->device, file->inode);

	if (state.device != file->device || state.inode != file->inode || state.chunk != chunk)
		state.bytes = 0;
	return state;
}

/*
 * Bytes [begin, end) of the file. How many there are from the front; those
 * missing lie beyond its end. -1 if the file can't be read.
 */
static ssize_t read_file(const struct transfer *transfer, uint64_t begin, uint64_t end,
			 uint8_t *buffer)
{
	uint64_t done = 0;

	if (end > transfer->file_size)
		end = transfer->file_size;
	if (begin >= end)
		return 0;
	if (!transfer->source->file)
		return -1;
	while (begin + done < end) {
		ssize_t got = transfer->source->file(transfer->source->context, begin + done,
						     buffer + done, end - begin - done);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += got;
	}
	return done;
}

/* The transfer's bytes [begin, end); true if all could be read. */
static bool read_transfer(struct transfer *transfer, uint64_t begin, uint64_t end, uint8_t *buffer,
			  uint64_t *got)
{
	*got = 0;
	if (!transfer->broken)
		*got = transfer->source->transfer(transfer->source->context,
						  begin - transfer->begin, buffer, end - begin);
	transfer->broken = *got < end - begin;
	return !transfer->broken;
}

static void set_unknown(uint64_t *sums, uint64_t first, uint64_t end)
{
	for (uint64_t i = first; i < end; i++)
		sums[i] = SUM_UNKNOWN;
}

/*
 * Hashes the batch's bytes as chunks, of which the last goes on with zeros. If
 * that one is not whole, its state before the zeros is the batch's tail.
 */
static void hash_bytes(struct batch *batch, uint64_t bytes)
{
	uint64_t whole = bytes / CHUNK_BYTES, rest = bytes % CHUNK_BYTES;
	struct chunk_state *tail = &batch->tail;

	batch->bytes = bytes;
	tail->bytes = 0;
	fnv1a_chunks(batch->buffer, whole, CHUNK_BYTES, batch->sums);
	if (rest) {
		tail->bytes = rest;
		tail->state = fnv1a_update(FNV1A_BASIS, batch->buffer + whole * CHUNK_BYTES, rest);
		batch->sums[whole] = fnv1a_zeros(tail->state, CHUNK_BYTES - rest);
	} else if (whole) {
		tail->bytes = CHUNK_BYTES;
		tail->state = batch->sums[whole - 1];
	}
}

/* The sums of what lies in chunker->batch->buffer; *tail is the last chunk's state. */
static void hash(struct chunker *chunker, uint64_t bytes, uint64_t *sums, struct chunk_state *tail)
{
	struct batch *batch = chunker->batch;

	if (bytes != chunker->last->bytes || memcmp(batch->buffer, chunker->last->buffer, bytes)) {
		hash_bytes(batch, bytes);
		chunker->batch = chunker->last;
		chunker->last = batch;
	}
	memcpy(sums, chunker->last->sums, chunk_count(0, bytes) * sizeof(*sums));
	tail->bytes = chunker->last->tail.bytes;
	tail->state = chunker->last->tail.state;
}

/*
 * One batch: the chunks from file offset `at` (aligned) to `stop` (aligned).
 * *tail becomes the state of the batch's last chunk, bytes = 0 where unknown.
 */
static void hash_batch(struct chunker *chunker, struct transfer *transfer, uint64_t at,
		       uint64_t stop, uint64_t *sums, struct chunk_state *tail)
{
	uint64_t begin = at > transfer->begin ? at : transfer->begin;
	uint64_t end = stop < transfer->end ? stop : transfer->end;
	uint64_t chunks = (stop - at) / CHUNK_BYTES, got;
	uint8_t *buffer = chunker->batch->buffer;
	ssize_t head, rest;
	bool whole;

	tail->bytes = 0;
	if (!transfer->source->transfer) {
		rest = read_file(transfer, at, stop, buffer);
		if (rest < 0) {
			set_unknown(sums, 0, chunks);
			return;
		}
		hash(chunker, rest, sums, tail);
		for (uint64_t i = chunk_count(0, rest); i < chunks; i++)
			sums[i] = fnv1a_zeros(FNV1A_BASIS, CHUNK_BYTES);
		return;
	}
	head = read_file(transfer, at, begin, buffer);
	if (head >= 0)
		for (uint64_t i = head; i < begin - at; i++)
			buffer[i] = 0;
	whole = read_transfer(transfer, begin, end, buffer + (begin - at), &got);
	if (!whole) {
		fnv1a_chunks(buffer, (begin - at + got) / CHUNK_BYTES, CHUNK_BYTES, sums);
		set_unknown(sums, (begin - at + got) / CHUNK_BYTES, chunks);
	} else {
		rest = read_file(transfer, end, stop, buffer + (end - at));
		hash(chunker, end - at + (rest > 0 ? rest : 0), sums, tail);
		if (rest < 0) {
			sums[chunks - 1] = SUM_UNKNOWN;
			tail->bytes = 0;
		}
	}
	if (head < 0) {
		sums[0] = SUM_UNKNOWN;
		if (chunks == 1)
			tail->bytes = 0;
	}
}

/* All chunks from file offset `at` (aligned) on. */
static void hash_from(struct chunker *chunker, struct transfer *transfer, uint64_t at,
		      uint64_t *sums, struct chunk_state *tail)
{
	uint64_t stop = (transfer->end + CHUNK_BYTES - 1) / CHUNK_BYTES * CHUNK_BYTES;

	while (at < stop) {
		uint64_t batch = stop - at < BATCH_BYTES ? stop - at : BATCH_BYTES;

		hash_batch(chunker, transfer, at, at + batch, sums, tail);
		at += batch;
		sums += batch / CHUNK_BYTES;
	}
	tail->chunk = stop / CHUNK_BYTES - 1;
}

/* The part of an append that goes into a chunk whose beginning is remembered. */
static void append(struct chunker *chunker, struct transfer *transfer, uint64_t end, uint64_t *sums,
		   struct chunk_state *tail)
{
	uint64_t got;

	if (!read_transfer(transfer, transfer->begin, end, chunker->batch->buffer, &got)) {
		sums[0] = SUM_UNKNOWN;
		tail->bytes = 0;
		return;
	}
	tail->state = fnv1a_update(tail->state, chunker->batch->buffer, got);
	tail->bytes += got;
	sums[0] = fnv1a_zeros(tail->state, CHUNK_BYTES - tail->bytes);
}

void chunk_sums_of_write(struct chunker *chunker, const struct chunk_source *source,
			 const struct chunk_file *file, uint64_t offset, uint64_t bytes,
			 uint64_t *sums, struct chunk_state *after)
{
	struct transfer transfer = {
		.source = source, .file_size = file->size, .begin = offset, .end = offset + bytes};
	uint64_t at = offset / CHUNK_BYTES * CHUNK_BYTES;

	*after = recall(chunker, file, offset / CHUNK_BYTES);
	chunker_forget(chunker, file->device, file->inode);
	if (!bytes)
		return;
	if (after->bytes && after->bytes == offset - at && file->size == offset) {
		append(chunker, &transfer,
		       transfer.end < at + CHUNK_BYTES ? transfer.end : at + CHUNK_BYTES, sums++,
		       after);
		at += CHUNK_BYTES;
	}
	if (at < transfer.end)
		hash_from(chunker, &transfer, at, sums, after);
	after->device = file->device;
	after->inode = file->inode;
}

void chunk_sums_of_read(struct chunker *chunker, const struct chunk_source *source,
			const struct chunk_file *file, uint64_t offset, uint64_t bytes,
			uint64_t *sums)
{
	struct transfer transfer = {
		.source = source, .file_size = file->size, .begin = offset, .end = offset + bytes};
	uint64_t at = offset / CHUNK_BYTES * CHUNK_BYTES;
	struct chunk_state tail = recall(chunker, file, offset / CHUNK_BYTES);

	if (!bytes)
		return;
	if (tail.bytes == CHUNK_BYTES || (tail.bytes && at + tail.bytes == file->size)) {
		*sums++ = fnv1a_zeros(tail.state, CHUNK_BYTES - tail.bytes);
		at += CHUNK_BYTES;
	}
	if (at >= transfer.end)
		return;
	hash_from(chunker, &transfer, at, sums, &tail);
	tail.device = file->device;
	tail.inode = file->inode;
	chunker_keep(chunker, &tail);
}
