/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a call and their checksums.
 */
#ifndef SKY_TRANSFER_H
#define SKY_TRANSFER_H

#include "capture/host/tracee.h"

/* include/linux/fs.h: no call moves more. */
#define MAX_RW_BYTES 0x7ffff000u

/* What a chunk_source's callbacks look at. */
struct view {
	struct tracer *tracer;
	struct thread *thread;
	/* The transfer: buffers in the program's memory, */
	const struct iovec *parts;
	unsigned part_count, part;
	uint64_t part_begin; /* position of parts[part] in the transfer */
	/* ... or a range of another file. */
	int source_fd;
	uint64_t source_offset;
	/* The file, for what the transfer leaves of a chunk. */
	const struct file *file;
	int fd, own_fd;
};

static inline uint64_t argument_of(const struct thread *thread, uint8_t argument)
{
	return thread->call.argument[argument - 1];
}

/* A view of the call's buffers, its source, and that file. */
struct view view_of(struct tracer *tracer, struct thread *thread, const struct file *file);
void view_end(struct view *view);

/* Callbacks of chunk_source; their context is a struct view. */
size_t from_memory(void *view, uint64_t at, void *buffer, size_t bytes);
size_t from_source(void *view, uint64_t at, void *buffer, size_t bytes);
ssize_t from_file_quietly(void *view, uint64_t offset, void *buffer, size_t bytes);

/*
 * from_file_quietly() of part of a chunk that is not in the page cache makes
 * the disk read it, as the write itself would: what it held is told
 * (EVENT_INSIGHT), or that disk read would seem to be nobody's.
 */

/*
 * A write beyond the end of the file, or its growth to `end`, makes XFS, Btrfs
 * and (by Linux 6.18) ext4 zero what follows the end in its chunk and write that
 * again: tells what the chunk holds.
 */
void tell_end_chunk(struct tracer *tracer, struct thread *thread, const struct file *file,
		    uint64_t end);

/*
 * How to read the file itself: through the program's own open file, or quietly.
 * NULL for direct I/O, which goes around the page cache and is left alone.
 */
typedef ssize_t file_reader(void *view, uint64_t offset, void *buffer, size_t bytes);
file_reader *reader_of(const struct tracer *tracer, const struct file *file, bool quietly);

struct chunk_file identity(const struct file *file, uint64_t size);

/* The file changes: its last chunk is not known any more. */
void forget(struct tracer *tracer, const struct file *file);

/*
 * Room for the checksums of a range; NULL if there are none, or no memory,
 * and the event goes without.
 */
uint64_t *sums_for(uint64_t **words, size_t *room, uint64_t offset, uint64_t bytes);

static inline struct words words_of(const uint64_t *at, uint64_t count)
{
	return (struct words){.at = at, .count = at ? count : 0};
}

/*
 * Takes over where the program's buffers are: `count` bytes at address, or an
 * iovec of `count` elements. How many bytes they have in all.
 */
uint64_t take_parts(struct thread *thread, uint64_t address, uint64_t count, bool vector);

/* The chunks that will result from the call's buffers written at offset. */
struct words hash_written(struct tracer *tracer, struct thread *thread, const struct file *file,
			  uint64_t offset, uint64_t bytes);

/* The chunks that the call's buffers were read from. */
struct words hash_read(struct tracer *tracer, struct thread *thread, const struct file *file,
		       uint64_t offset, uint64_t bytes);

/* The chunks of a file as they are now, into sums[chunk_count()]. */
void hash_file(struct tracer *tracer, struct thread *thread, const struct file *file, bool quietly,
	       uint64_t offset, uint64_t bytes, uint64_t *sums);

#endif
