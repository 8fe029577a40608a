/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory a run may take: predicted before it begins, watched while it runs.
 */
#ifndef SKY_MEMORY_LIMIT_H
#define SKY_MEMORY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_limit {
	uint64_t limit_bytes;
	uint64_t unchecked; /* steps since the process was looked at */
};

/* 0 bytes: what the machine has available now. 0, or -1 after saying what is wrong. */
int memory_limit_init(struct memory_limit *memory, uint64_t limit_bytes);

/*
 * Shows on a terminal what a run will take. 0, or -1 after saying that it is too much, and
 * how many of all caches would not be.
 */
int memory_limit_predict(const struct memory_limit *memory, uint64_t bytes, size_t fit, size_t all);

/* So many steps further: 0, or -1 after saying that the process has more than it may. */
int memory_limit_check(struct memory_limit *memory, size_t steps);

#endif
