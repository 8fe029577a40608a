/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual disk: a file served through FUSE by a process of its own.
 *
 * The recorder mounts the file system whose requests come from disk_fuse(), in
 * its own mount namespace; its root is not a folder but the disk. The process
 * that serves it knows nothing of that mount, so it doesn't keep it alive: it
 * ends when the kernel has unmounted it, also when the recorder was killed.
 */
#ifndef SKY_DISK_H
#define SKY_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/host/page_watch.h"
#include "capture/host/ring.h"
#include "capture/host/state.h"

#define DISK_REQUEST_BYTES (1u << 20) /* the longest request */

struct disk_options {
	const char *image;  /* a regular file; NULL = a temporary one */
	bool create;	    /* the image is made, and must not exist */
	uint64_t bytes;	    /* of a new disk; a multiple of CHUNK_BYTES */
	uint32_t number;    /* in the events */
	const char *folder; /* state.h; removed when the disk's process ends */
	struct ring *ring;  /* where the events go */
	struct page_watch *watch; /* is told of writes and reads; may be NULL */
};

struct disk;

/*
 * Opens the backing file, which nobody else may use, and starts the process.
 * NULL after saying what is wrong.
 */
struct disk *disk_start(const struct disk_options *options);

uint64_t disk_bytes(const struct disk *disk);
const struct process *disk_process(const struct disk *disk);

/* The descriptor of /dev/fuse to mount; it is gone after disk_serve(). */
int disk_fuse(const struct disk *disk);

/* The file system is mounted: serve it. */
void disk_serve(struct disk *disk);

/* Requests from now on give events, or don't; a request that has begun is completed as it began. */
void disk_record(struct disk *disk, bool on);

/*
 * Waits until the process has ended, which it does after the unmount (or at
 * once where disk_serve() was never called), and frees the disk. -1 if it
 * failed, after saying so.
 */
int disk_finish(struct disk *disk);

#endif
