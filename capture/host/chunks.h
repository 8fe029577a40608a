/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checksums of the aligned chunks that a transfer touches (paper, 3.4.4).
 *
 * A write's or read's bytes come from the traced program's memory; what they
 * leave of the first and the last chunk comes from the file, and beyond the
 * end of the file it is zeros, as the page cache has it. Knows neither ptrace
 * nor descriptors, only two callbacks.
 */
#ifndef SKY_CHUNKS_H
#define SKY_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where the bytes come from. */
struct chunk_source {
	/*
	 * The transfer's bytes from position `at` on; returns how many it has
	 * put into buffer, fewer than asked for where memory can't be read.
	 * NULL: the file itself is hashed.
	 */
	size_t (*transfer)(void *context, uint64_t at, void *buffer, size_t bytes);
	/* pread() of the file: short at its end, negative if it can't be read. NULL: never read. */
	ssize_t (*file)(void *context, uint64_t offset, void *buffer, size_t bytes);
	void *context;
};

struct chunk_file {
	uint64_t device, inode;
	uint64_t size; /* in bytes; UINT64_MAX: not known, ask the file */
};

/*
 * The state of the checksum over the first `bytes` bytes of a chunk; a whole
 * chunk's is its checksum. bytes = 0: nothing is known.
 */
struct chunk_state {
	uint64_t device, inode, chunk, state;
	uint32_t bytes;
};

struct chunker;

/* NULL if out of memory. */
struct chunker *chunker_new(void);
void chunker_free(struct chunker *chunker);

/* How many chunks a transfer of that many bytes touches. */
static inline uint64_t chunk_count(uint64_t offset, uint64_t bytes)
{
	return bytes ? (offset % 4096 + bytes + 4095) / 4096 : 0;
}

/*
 * Before a write: the chunks that will result, into sums[chunk_count()].
 * SUM_UNKNOWN where something could not be read. *after is for
 * chunker_keep(), once it is known that the write went as foreseen.
 */
void chunk_sums_of_write(struct chunker *chunker, const struct chunk_source *source,
			 const struct chunk_file *file, uint64_t offset, uint64_t bytes,
			 uint64_t *sums, struct chunk_state *after);

/* After a read: the chunks that it took from. */
void chunk_sums_of_read(struct chunker *chunker, const struct chunk_source *source,
			const struct chunk_file *file, uint64_t offset, uint64_t bytes,
			uint64_t *sums);

/*
 * The last chunk of a recent file is remembered, so that small sequential
 * writes and reads cost their own bytes only. All that changes a file must say
 * so: before (forget), and after (keep, or forget).
 */
void chunker_keep(struct chunker *chunker, const struct chunk_state *after);
void chunker_forget(struct chunker *chunker, uint64_t device, uint64_t inode);

/* From now on files also change unseen (shared mappings, asynchronous writes). */
void chunker_stop_remembering(struct chunker *chunker);

#endif
