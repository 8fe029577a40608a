/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * write-wait-delete: what the paper's figure 4 shows the block lifetimes of.
 *
 * 80 MB are written and reach the disk; 30 s later the files are deleted. So
 * every block of data lives that long, which only an observer of the deletion
 * can know. The paper doesn't say how many files it were.
 */
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "workloads/file_set.h"

struct settings {
	uint64_t bytes, files, wait_seconds, seed;
};

#define OFFSET(member) offsetof(struct settings, member)

static const struct parameter parameters[] = {
	{"size", "written in all", 1 << 20, 1ull << 40, 80 << 20, OFFSET(bytes)},
	{"files", "among which it is divided", 1, 1 << 15, 80, OFFSET(files)},
	{"wait", "seconds until they are deleted", 0, 86400, 30, OFFSET(wait_seconds)},
	{"seed", "of contents", 0, UINT64_MAX, 1, OFFSET(seed)},
	{NULL},
};

/* Nothing has to be there: the writes are the workload. */
static int prepare(const struct workload *self, const void *settings,
		   struct workload_counts *counts)
{
	return 0;
}

static int sync_files(struct file_set *set, struct worker *worker)
{
	for (uint32_t i = 0; i < set->files; i++) {
		int fd = file_set_open(set, i, 0), rc;

		if (fd < 0)
			return -1;
		rc = fsync(fd);
		close(fd);
		if (rc)
			return fail_errno(errno, "a written file could not be synced");
		worker_count(worker, OPERATION_SYNC, i, 0, 0);
	}
	return 0;
}

static int delete_files(struct file_set *set, struct worker *worker)
{
	for (uint32_t i = 0; i < set->files; i++) {
		char path[PATH_BYTES];

		file_set_path(set, i, path);
		if (unlink(path))
			return fail_errno(errno, "%s could not be deleted", path);
		worker_count(worker, OPERATION_DELETE, i, 0, 0);
	}
	return 0;
}

static void wait_until(struct timespec *time, uint64_t seconds)
{
	time->tv_sec += seconds;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, time, NULL) == EINTR)
		;
}

static int write_wait_delete(struct file_set *set, struct worker *worker, uint64_t seconds)
{
	struct timespec time;

	if (file_set_make(set, worker, NULL, NULL) || sync_files(set, worker))
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &time);
	wait_until(&time, seconds);
	return delete_files(set, worker);
}

static int run(const struct workload *self, const void *settings, struct workload_counts *counts)
{
	const struct settings *s = settings;
	const struct file_set_form form = {
		.folder = self->head.name,
		.files = s->files,
		.width = s->files,
		.seed = s->seed,
		.mean_bytes = (double)s->bytes / s->files,
		.equal = true,
	};
	struct file_set set;
	struct worker worker;
	int rc;

	if (file_set_init(&set, &form))
		return -1;
	rc = worker_init(&worker, 0, s->seed, 1 << 20);
	if (!rc)
		rc = write_wait_delete(&set, &worker, s->wait_seconds);
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	file_set_fini(&set);
	return rc;
}

static const struct workload write_wait_delete_workload = {
	.head =
		{
			.kind = "workload",
			.name = "write-wait-delete",
			.summary = "writes files, waits, deletes them: blocks of one lifetime",
			.source = "Arulraj et al., VEE 2017, figure 4",
			.parameters = parameters,
		},
	.settings_bytes = sizeof(struct settings),
	.prepare = prepare,
	.run = run,
};
COMPONENT(write_wait_delete_workload, write_wait_delete_workload.head);
