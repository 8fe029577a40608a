/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpg: encrypts a large file with a passphrase.
 *
 * gpg gets an empty home folder outside of the observed file system, no keyring
 * and a fixed key derivation count: without that it would start an agent that
 * outlives it. It doesn't compress, so that it writes as much as it reads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/error.h"
#include "workloads/big_file.h"

static const struct parameter parameters[] = BIG_FILE_PARAMETERS;

static int encrypt(struct worker *worker)
{
	char home[] = "/tmp/sky-gpg-XXXXXX";
	const char *const argv[] = {
		"gpg",
		"--homedir",
		home,
		"--batch",
		"--yes",
		"--no-options",
		"--no-keyring",
		"--no-random-seed-file",
		"--pinentry-mode",
		"loopback",
		"--passphrase",
		"sky",
		"--compress-algo",
		"none",
		"--s2k-count",
		"65011712",
		"--output",
		"gpg.source.gpg",
		"--symmetric",
		"gpg.source",
		NULL,
	};
	int rc;

	if (!mkdtemp(home))
		return fail_errno(errno, "a home folder for gpg could not be made in /tmp");
	rc = program_run(worker, argv, "gpg");
	if (rmdir(home))
		warn("%s, which was gpg's home folder, is left behind", home);
	return rc;
}

static int run(const struct workload *self, const void *settings, struct workload_counts *counts)
{
	struct worker worker;
	int rc;

	if (worker_init(&worker, 0, 0, CHUNK_BYTES))
		return -1;
	rc = encrypt(&worker);
	if (!rc)
		rc = big_file_adopt(&worker, "gpg.source.gpg");
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	return rc;
}

static const struct workload gpg_workload = {
	.head =
		{
			.kind = "workload",
			.name = "gpg",
			.summary = "the program gpg encrypts a large file",
			.source = "Arulraj et al., VEE 2017, table 4",
			.parameters = parameters,
		},
	.settings_bytes = sizeof(struct big_file_settings),
	.prepare = big_file_prepare,
	.run = run,
};
COMPONENT(gpg_workload, gpg_workload.head);
