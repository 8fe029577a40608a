/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * find: looks through a tree of small files for a name that isn't there.
 *
 * All it needs is metadata (paper, 7.2.1, where the tree had 450,000 files).
 */
#include "capture/event.h"
#include "common/error.h"
#include "workloads/big_file.h"
#include "workloads/file_set.h"

struct settings {
	uint64_t files, width, file_bytes, seed;
};

#define OFFSET(member) offsetof(struct settings, member)

static const struct parameter parameters[] = {
	{"files", "of the tree", 1, 10000000, 20000, OFFSET(files)},
	{"width", "entries of a folder", 2, 10000000, 20, OFFSET(width)},
	{"file-size", "mean size of a file; sizes are gamma-distributed, shape 1.5", TAG_BYTES,
	 1ull << 32, 12 << 10, OFFSET(file_bytes)},
	{"seed", "of sizes and contents", 0, UINT64_MAX, 1, OFFSET(seed)},
	{NULL},
};

static int prepare(const struct workload *self, const void *settings,
		   struct workload_counts *counts)
{
	const struct settings *s = settings;
	const struct file_set_form form = {
		.folder = self->head.name,
		.files = s->files,
		.width = s->width,
		.seed = s->seed,
		.mean_bytes = s->file_bytes,
	};
	struct file_set set;
	struct worker worker;
	int rc;

	if (file_set_init(&set, &form))
		return -1;
	rc = worker_init(&worker, 1, s->seed, 1 << 20);
	if (!rc)
		rc = file_set_make(&set, &worker, NULL, NULL);
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	file_set_fini(&set);
	return rc;
}

static int run(const struct workload *self, const void *settings, struct workload_counts *counts)
{
	const char *const argv[] = {"find", self->head.name, "-name", "no-such-file", NULL};
	struct worker worker;
	int rc;

	if (worker_init(&worker, 0, 0, CHUNK_BYTES))
		return -1;
	rc = program_run(&worker, argv, "findutils");
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	return rc;
}

static const struct workload find_workload = {
	.head =
		{
			.kind = "workload",
			.name = "find",
			.summary = "the program find looks for a missing name in a tree of files",
			.source = "Arulraj et al., VEE 2017, table 4 and section 7.2.1",
			.parameters = parameters,
		},
	.settings_bytes = sizeof(struct settings),
	.prepare = prepare,
	.run = run,
};
COMPONENT(find_workload, find_workload.head);
