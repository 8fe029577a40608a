/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loop devices: block devices that stand on a file.
 */
#ifndef SKY_LOOP_H
#define SKY_LOOP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct loop {
	int fd; /* keeps the device while nothing is mounted; -1 = none */
	char path[32];
	dev_t device;
};

/*
 * A loop device on the file, with sectors of CHUNK_BYTES, direct I/O and
 * requests of at most request_bytes; it is called `name` (losetup's file
 * name, at most 63 bytes) and goes when its last user closes it. 0, or -1
 * after saying what is wrong.
 */
int loop_attach(struct loop *loop, int file, const char *name, unsigned request_bytes);

/* Gives the device up; it lives on while it is mounted. Harmless without one. */
void loop_release(struct loop *loop);

/* Drops what the kernel's page cache holds of the device. */
int loop_forget(const struct loop *loop);

/* Does a loop device stand on this file? */
bool loop_stands_on(const struct stat *file);

/* Asks the devices of that name to go, at their last close if they are in use; how many. */
int loop_detach_named(const char *name);

#endif
