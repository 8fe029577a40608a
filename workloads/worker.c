/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/event.h"
#include "common/error.h"
#include "common/fnv1a.h"
#include "workloads/worker.h"

struct crew {
	int (*body)(struct worker *worker, void *context);
	void *context;
	atomic_bool stop;
};

struct member {
	struct worker worker;
	struct crew *crew;
	pthread_t thread;
};

int worker_init(struct worker *worker, uint32_t number, uint64_t seed, size_t buffer_bytes)
{
	*worker = (struct worker){
		.author = {.seed = seed ^ seed >> 32, .worker = number},
		.counts = {.stream = FNV1A_BASIS},
		.buffer_bytes = buffer_bytes,
	};
	prng_seed(&worker->prng, seed, number);
	/* aligned, so that a kernel need not shift a page while it copies */
	if (posix_memalign((void **)&worker->buffer, CHUNK_BYTES, buffer_bytes))
		return fail("out of memory for the buffer of a thread; ask for smaller requests "
			    "or fewer threads");
	return 0;
}

void worker_fini(struct worker *worker)
{
	free(worker->buffer);
	worker->buffer = NULL;
}

static void *work(void *argument)
{
	struct member *member = argument;
	struct crew *crew = member->crew;

	if (!crew->body(&member->worker, crew->context))
		return NULL;
	atomic_store(&crew->stop, true);
	return member;
}

/* Joins them, adds their counts and gives back their memory; -1 if one failed. */
static int dismiss(struct member *members, uint32_t count, struct workload_counts *counts)
{
	int rc = 0;

	for (uint32_t i = 0; i < count; i++) {
		void *failed;

		pthread_join(members[i].thread, &failed);
		if (failed)
			rc = -1;
		counts_add(counts, &members[i].worker.counts);
		worker_fini(&members[i].worker);
	}
	return rc;
}

int workers_run(uint32_t threads, uint64_t seed, size_t buffer_bytes,
		int (*body)(struct worker *worker, void *context), void *context,
		struct workload_counts *counts)
{
	struct crew crew = {.body = body, .context = context};
	struct member *members = calloc(threads, sizeof(*members));
	uint32_t started;
	int rc = 0;

	if (!members)
		return fail("out of memory for %u threads", threads);
	for (started = 0; started < threads && !rc; started++) {
		struct member *member = &members[started];
		int error;

		if (worker_init(&member->worker, started, seed, buffer_bytes)) {
			rc = -1;
			break;
		}
		member->worker.stop = &crew.stop;
		member->crew = &crew;
		error = pthread_create(&member->thread, NULL, work, member);
		if (!error)
			continue;
		rc = fail_errno(error, "thread %u of %u could not be started; ask for fewer",
				started + 1, threads);
		worker_fini(&member->worker);
		break;
	}
	if (rc)
		atomic_store(&crew.stop, true);
	if (dismiss(members, started, counts))
		rc = -1;
	free(members);
	return rc;
}

uint64_t worker_share(const struct worker *worker, uint64_t total, uint64_t threads)
{
	return total / threads + (worker->author.worker < total % threads);
}

void worker_count(struct worker *worker, enum operation operation, uint32_t file, uint64_t offset,
		  uint64_t bytes)
{
	const uint64_t what[] = {operation, file, offset, bytes};

	worker->counts.operations[operation]++;
	worker->counts.stream = fnv1a_update(worker->counts.stream, what, sizeof(what));
}

void worker_wrote(struct worker *worker, uint64_t offset, uint64_t bytes)
{
	worker->counts.written_bytes += bytes;
	worker->counts.written_chunks +=
		(offset + bytes + CHUNK_BYTES - 1) / CHUNK_BYTES - offset / CHUNK_BYTES;
}

static int write_piece(int fd, const char *from, uint64_t offset, size_t bytes, bool where_it_is)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = where_it_is ? write(fd, from + done, bytes - done)
					: pwrite(fd, from + done, bytes - done, offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(errno,
					  "a workload's file could not be written at "
					  "offset %llu; has the disk room for it?",
					  (unsigned long long)(offset + done));
		done += n;
	}
	return 0;
}

static int write_pieces(struct worker *worker, int fd, uint32_t file, uint64_t offset,
			uint64_t bytes, bool where_it_is)
{
	while (bytes) {
		size_t piece = bytes < worker->buffer_bytes ? bytes : worker->buffer_bytes;

		worker->author.version++;
		content_fill(worker->buffer, &worker->author, file, offset, piece);
		if (write_piece(fd, worker->buffer, offset, piece, where_it_is))
			return -1;
		worker_wrote(worker, offset, piece);
		offset += piece;
		bytes -= piece;
	}
	return 0;
}

int worker_write(struct worker *worker, int fd, uint32_t file, uint64_t offset, uint64_t bytes)
{
	return write_pieces(worker, fd, file, offset, bytes, true);
}

int worker_pwrite(struct worker *worker, int fd, uint32_t file, uint64_t offset, uint64_t bytes)
{
	return write_pieces(worker, fd, file, offset, bytes, false);
}

/* Judges what a read of that place returned. */
static int64_t take(struct worker *worker, uint32_t file, uint64_t offset, ssize_t n)
{
	if (n < 0)
		return fail_errno(errno, "file %u of a workload could not be read at offset %llu",
				  file, (unsigned long long)offset);
	if (!content_belongs(worker->buffer, file, offset, n))
		return fail("file %u of a workload does not hold at offset %llu what was written "
			    "there; if another workload used its folder, remove that first",
			    file, (unsigned long long)offset);
	worker->counts.read_bytes += n;
	return n;
}

int64_t worker_read(struct worker *worker, int fd, uint32_t file, uint64_t offset)
{
	int64_t total = 0, n;

	do {
		n = take(worker, file, offset + total,
			 read(fd, worker->buffer, worker->buffer_bytes));
		if (n < 0)
			return -1;
		total += n;
	} while (n);
	return total;
}

int64_t worker_pread(struct worker *worker, int fd, uint32_t file, uint64_t offset, size_t bytes)
{
	return take(worker, file, offset, pread(fd, worker->buffer, bytes, offset));
}

void counts_add(struct workload_counts *a, const struct workload_counts *b)
{
	for (unsigned kind = 0; kind < OPERATION_KINDS; kind++)
		a->operations[kind] += b->operations[kind];
	a->read_bytes += b->read_bytes;
	a->written_bytes += b->written_bytes;
	a->written_chunks += b->written_chunks;
	a->stream =
		fnv1a_update(a->stream ? a->stream : FNV1A_BASIS, &b->stream, sizeof(b->stream));
}
