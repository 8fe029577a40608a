/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cp: copies a large file. Today's cp lets the kernel copy where it can; the
 * recorder's --no-copy-offload makes it read and write.
 */
#include "workloads/big_file.h"

static const struct parameter parameters[] = BIG_FILE_PARAMETERS;

static int run(const struct workload *self, const void *settings, struct workload_counts *counts)
{
	const char *const argv[] = {"cp", "cp.source", "cp.copy", NULL};
	struct worker worker;
	int rc;

	if (worker_init(&worker, 0, 0, CHUNK_BYTES))
		return -1;
	rc = program_run(&worker, argv, "coreutils");
	if (!rc)
		rc = big_file_adopt(&worker, "cp.copy");
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	return rc;
}

static const struct workload cp_workload = {
	.head =
		{
			.kind = "workload",
			.name = "cp",
			.summary = "the program cp copies a large file",
			.source = "Arulraj et al., VEE 2017, table 4",
			.parameters = parameters,
		},
	.settings_bytes = sizeof(struct big_file_settings),
	.prepare = big_file_prepare,
	.run = run,
};
COMPONENT(cp_workload, cp_workload.head);
