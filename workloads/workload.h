/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a workload of `sky workload NAME` is.
 *
 * It has two phases, both in the current folder: prepare() makes the files that
 * it needs, run() is what is to be observed. Both count what they did, so that
 * a classification can be held against it (paper, 6.1). Its parameters, a table
 * of the component, are the options of its command line.
 */
#ifndef SKY_WORKLOAD_H
#define SKY_WORKLOAD_H

#include <stdint.h>

#include "common/component.h"

enum operation {
	OPERATION_CREATE,
	OPERATION_OPEN,
	OPERATION_CLOSE,
	OPERATION_READ,
	OPERATION_WRITE,
	OPERATION_APPEND,
	OPERATION_SYNC,
	OPERATION_STAT,
	OPERATION_DELETE,
	OPERATION_PROGRAM, /* a program was run */
	OPERATION_KINDS,
};

struct workload_counts {
	uint64_t operations[OPERATION_KINDS];
	uint64_t read_bytes, written_bytes;
	uint64_t written_chunks; /* of 4096 bytes; whole or in part, once a write */
	uint64_t stream;	 /* FNV-1a of each thread's operations in order, over all threads */
};

struct workload {
	struct component head; /* of kind "workload" */
	size_t settings_bytes; /* of what the parameters are set in */

	/* 0, or -1 after saying what went wrong. */
	int (*prepare)(const struct workload *self, const void *settings,
		       struct workload_counts *counts);
	int (*run)(const struct workload *self, const void *settings,
		   struct workload_counts *counts);
};

/* Every operation of every kind. */
uint64_t workload_operations(const struct workload_counts *counts);

#endif
