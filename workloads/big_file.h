/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For workloads on one file: it is made, and programs are run on it.
 */
#ifndef SKY_BIG_FILE_H
#define SKY_BIG_FILE_H

#include "capture/event.h"
#include "workloads/worker.h"

#define BIG_FILE 0 /* its number in the tags */

/* Makes the file anew and syncs it. 0 or -1. */
int big_file_make(struct worker *worker, const char *path, uint64_t bytes);

/* A workload that works on one file, NAME.source. */
struct big_file_settings {
	uint64_t bytes, seed;
};

#define BIG_FILE_PARAMETERS                                                             \
	{                                                                               \
		{"size",     "of the file", CHUNK_BYTES,                                \
		 1ull << 40, 500 << 20,	    offsetof(struct big_file_settings, bytes)}, \
			{"seed", "of its content",                                      \
			 0,	 UINT64_MAX,                                            \
			 1,	 offsetof(struct big_file_settings, seed)},             \
			{NULL},                                                         \
	}

/* prepare() of such a workload: makes NAME.source. */
int big_file_prepare(const struct workload *self, const void *settings,
		     struct workload_counts *counts);

/* What a program has written to path counts as written by the worker. 0 or -1. */
int big_file_adopt(struct worker *worker, const char *path);

/*
 * Runs a program found in PATH and waits for it; what it prints goes to stderr.
 * -1 after saying why: it is not installed (the sentence names the package)
 * or it failed.
 */
int program_run(struct worker *worker, const char *const argv[], const char *package);

#endif
