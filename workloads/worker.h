/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads of a workload.
 *
 * Each has its own random numbers, so its stream of operations depends on the
 * seed and its number alone; its own buffer, and its own counts, which are
 * added up when all have ended.
 */
#ifndef SKY_WORKER_H
#define SKY_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "workloads/content.h"
#include "workloads/prng.h"
#include "workloads/workload.h"

struct worker {
	struct prng prng;
	struct author author;
	struct workload_counts counts;
	char *buffer;
	size_t buffer_bytes;
	const atomic_bool *stop; /* another one failed; NULL if there is no other */
};

/* A worker without a thread, for what is done one after the other; 0 or -1. */
int worker_init(struct worker *worker, uint32_t number, uint64_t seed, size_t buffer_bytes);
void worker_fini(struct worker *worker);

/*
 * Runs body in threads 0 to threads - 1 and adds their counts in that order.
 * -1 if one of them returned that; the others then see worker_stopped().
 */
int workers_run(uint32_t threads, uint64_t seed, size_t buffer_bytes,
		int (*body)(struct worker *worker, void *context), void *context,
		struct workload_counts *counts);

static inline bool worker_stopped(const struct worker *worker)
{
	return worker->stop && atomic_load_explicit(worker->stop, memory_order_relaxed);
}

/* The part of total that falls to this one of so many threads. */
uint64_t worker_share(const struct worker *worker, uint64_t total, uint64_t threads);

/* One operation was done. */
void worker_count(struct worker *worker, enum operation operation, uint32_t file, uint64_t offset,
		  uint64_t bytes);

/*
 * Write new content to the file from offset on, in pieces that fit the buffer:
 * worker_write() where the descriptor stands, which must be offset,
 * worker_pwrite() without moving it. They count bytes and chunks, not
 * operations. 0 or -1.
 */
int worker_write(struct worker *worker, int fd, uint32_t file, uint64_t offset, uint64_t bytes);
int worker_pwrite(struct worker *worker, int fd, uint32_t file, uint64_t offset, uint64_t bytes);

/* Counts a write that was done elsewhere. */
void worker_wrote(struct worker *worker, uint64_t offset, uint64_t bytes);

/*
 * Read what was written, and check that it is that: worker_read() from where
 * the descriptor stands, offset, to the end; worker_pread() at most the
 * buffer's size. They count bytes. The bytes read, or -1.
 */
int64_t worker_read(struct worker *worker, int fd, uint32_t file, uint64_t offset);
int64_t worker_pread(struct worker *worker, int fd, uint32_t file, uint64_t offset, size_t bytes);

/* Adds b to a; the stream is that of b after that of a. */
void counts_add(struct workload_counts *a, const struct workload_counts *b);

#endif
