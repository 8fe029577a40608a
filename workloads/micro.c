/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The six micro-benchmarks of the paper's table 4: one thread reads or writes
 * one file at random, in order, or always at its beginning.
 *
 * The paper gives no sizes. With these presets the sequential ones pass once
 * over a file of 256 MiB, and the random ones ask as often. The repeated ones
 * never wait for the disk, which makes them the worst case for an observer of
 * calls; so they don't sync either.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "capture/event.h"
#include "common/error.h"
#include "workloads/big_file.h"

struct settings {
	uint64_t operations, seed;
	uint64_t file_bytes, request_bytes;
};

struct micro {
	struct workload workload;
	uint64_t (*place)(struct worker *worker, uint64_t request, uint64_t requests);
	bool writes, syncs;
};

#define OFFSET(member) offsetof(struct settings, member)

static const struct parameter parameters[] = {
	{"operations", "reads or writes", 1, UINT32_MAX, 65536, OFFSET(operations)},
	{"file-size", "of the one file", CHUNK_BYTES, 1ull << 40, 256 << 20, OFFSET(file_bytes)},
	{"request-size", "of each read or write", TAG_BYTES, 1 << 30, CHUNK_BYTES,
	 OFFSET(request_bytes)},
	{"seed", "of places and contents", 0, UINT64_MAX, 1, OFFSET(seed)},
	{NULL},
};

static uint64_t random_place(struct worker *worker, uint64_t request, uint64_t requests)
{
	return prng_below(&worker->prng, requests);
}

static uint64_t sequential_place(struct worker *worker, uint64_t request, uint64_t requests)
{
	return request % requests;
}

static uint64_t repeated_place(struct worker *worker, uint64_t request, uint64_t requests)
{
	return 0;
}

static void file_path(const struct workload *self, char *path, size_t bytes)
{
	snprintf(path, bytes, "%s.data", self->head.name);
}

static int check(const struct settings *s)
{
	if (s->request_bytes % TAG_BYTES)
		return fail("request-size must be a multiple of %d bytes", TAG_BYTES);
	if (s->request_bytes > s->file_bytes)
		return fail("request-size is larger than file-size");
	return 0;
}

static int prepare(const struct workload *self, const void *settings,
		   struct workload_counts *counts)
{
	const struct settings *s = settings;
	struct worker worker;
	char path[64];
	int rc;

	if (check(s) || worker_init(&worker, 1, s->seed, 1 << 20))
		return -1;
	file_path(self, path, sizeof(path));
	rc = big_file_make(&worker, path, s->file_bytes / s->request_bytes * s->request_bytes);
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	return rc;
}

static int do_request(const struct micro *micro, const struct settings *s, struct worker *worker,
		      int fd, uint64_t request)
{
	uint64_t offset =
		s->request_bytes * micro->place(worker, request, s->file_bytes / s->request_bytes);

	if (micro->writes) {
		worker_count(worker, OPERATION_WRITE, BIG_FILE, offset, s->request_bytes);
		return worker_pwrite(worker, fd, BIG_FILE, offset, s->request_bytes);
	}
	worker_count(worker, OPERATION_READ, BIG_FILE, offset, s->request_bytes);
	return worker_pread(worker, fd, BIG_FILE, offset, s->request_bytes) < 0 ? -1 : 0;
}

static int do_requests(const struct micro *micro, const struct settings *s, struct worker *worker,
		       int fd)
{
	for (uint64_t i = 0; i < s->operations; i++)
		if (do_request(micro, s, worker, fd, i))
			return -1;
	if (!micro->syncs)
		return 0;
	worker_count(worker, OPERATION_SYNC, BIG_FILE, 0, 0);
	return fsync(fd) ? fail_errno(errno, "the file could not be synced") : 0;
}

static int run(const struct workload *self, const void *settings, struct workload_counts *counts)
{
	const struct micro *micro = container_of(self, struct micro, workload);
	const struct settings *s = settings;
	struct worker worker;
	char path[64];
	int fd, rc;

	if (check(s) || worker_init(&worker, 0, s->seed, s->request_bytes))
		return -1;
	file_path(self, path, sizeof(path));
	fd = open(path, (micro->writes ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	if (fd < 0) {
		rc = fail_errno(errno, "%s could not be opened; make it with --phase prepare",
				path);
		goto out;
	}
	rc = do_requests(micro, s, &worker, fd);
	close(fd);
out:
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	return rc;
}

#define MICRO(identifier, called, says, where, is_write, with_sync)                    \
	static const struct micro identifier##_micro = {                               \
		.workload =                                                            \
			{                                                              \
				.head =                                                \
					{                                              \
						.kind = "workload",                    \
						.name = called,                        \
						.summary = says,                       \
						.source = "Arulraj et al., VEE 2017, " \
							  "table 4",                   \
						.parameters = parameters,              \
					},                                             \
				.settings_bytes = sizeof(struct settings),             \
				.prepare = prepare,                                    \
				.run = run,                                            \
			},                                                             \
		.place = where,                                                        \
		.writes = is_write,                                                    \
		.syncs = with_sync,                                                    \
	};                                                                             \
	COMPONENT(identifier##_micro, identifier##_micro.workload.head)

MICRO(random_reads, "random-reads", "reads at random places of a file", random_place, false, false);
MICRO(random_writes, "random-writes", "writes at random places of a file, synced at the end",
      random_place, true, true);
MICRO(sequential_reads, "sequential-reads", "reads a file in order", sequential_place, false,
      false);
MICRO(sequential_writes, "sequential-writes", "rewrites a file in order, synced at the end",
      sequential_place, true, true);
MICRO(repeated_reads, "repeated-reads", "reads the beginning of a file again and again",
      repeated_place, false, false);
MICRO(repeated_writes, "repeated-writes", "writes the beginning of a file again and again",
      repeated_place, true, false);
