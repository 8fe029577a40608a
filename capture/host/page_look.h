/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at what the page cache holds of files that are open here.
 */
#ifndef SKY_PAGE_LOOK_H
#define SKY_PAGE_LOOK_H

#include <pthread.h>
#include <stdint.h>

#include "capture/event.h"
#include "capture/host/ring.h"

struct watched_file {
	int fd;
	uint64_t device, inode;
	uint64_t look; /* the latest at which somebody mapped it */

	/* for looks at reads */
	uint64_t pages;	    /* there is room for: */
	uint64_t looked_at; /* pages that it had at the last look */
	uint8_t *map;	    /* the file; read through the kernel only, as it may be cut off */
	uint8_t *known;	    /* a page: was in the cache at the last look at reads */
	uint16_t *cached;   /* a block of pages: how many of it were */
};

/* 0, or -1: then the file can't be watched. */
int watched_open(struct watched_file *file, const char *path);
void watched_close(struct watched_file *file);

/* Where several looks tell of what they see. */
struct look_output {
	struct ring *ring;
	pthread_mutex_t lock;
};

struct look;

/* What one thread needs to look; NULL if out of memory. */
struct look *look_new(struct look_output *output);
void look_free(struct look *look);

/*
 * Before a write with these checksums: tells of pages under write-back, as if of
 * msync(), unless all the checksums were told lately. Waits for no page.
 */
void look_at_writes(struct look *look, struct watched_file *files, unsigned count,
		    const struct words *sums);

/*
 * After a read: tells of the pages that came into the cache, as if of mmap(). It may
 * wait for a page that is locked.
 */
void look_at_reads(struct look *look, struct watched_file *files, unsigned count);

#endif
