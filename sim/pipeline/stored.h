/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the disk was given last at its newest places (stored.c).
 */
#ifndef SKY_PIPELINE_STORED_H
#define SKY_PIPELINE_STORED_H

#include <stdint.h>

struct pipeline;

/* At most so many chunks of file data, the newest (1 GiB). */
#define STORED_MAX 262144u

/* A chunk of file data on a disk; sum SUM_UNKNOWN: none. */
struct stored {
	uint64_t sector, sum;
	uint64_t device, inode, index;
	uint32_t disk;
};

/* The disk is given this chunk of the file (0: of none) there. */
void stored_note(struct pipeline *p, uint32_t disk, uint64_t sector, uint64_t sum, uint32_t file,
		 uint64_t index);

/* The file data that it was given there, if it is known and had that content; or NULL. */
const struct stored *stored_find(const struct pipeline *p, uint32_t disk, uint64_t sector,
				 uint64_t sum);

#endif
