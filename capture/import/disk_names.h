/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks that other programs name get numbers, in the order of their appearance.
 */
#ifndef SKY_DISK_NAMES_H
#define SKY_DISK_NAMES_H

#include <stdint.h>

#include "common/table.h"

#define DISK_NAMES_MAX	65536u
#define DISK_NAME_BYTES 64 /* with a NUL at the end */

struct disk_names {
	struct table table;
	char (*name)[DISK_NAME_BYTES];
	uint32_t count, room, last; /* last: the one asked for before */
};

/* 0 or -ENOMEM. */
int disk_names_init(struct disk_names *names);
void disk_names_fini(struct disk_names *names);

/* NULL and the disk's number, or what is wrong with it. */
const char *disk_names_find(struct disk_names *names, const char *at, const char *end,
			    uint32_t *disk);

#endif
