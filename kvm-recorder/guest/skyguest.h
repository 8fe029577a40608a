/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O with a class that the application chose (paper, section 3.6).
 *
 * Each function is its namesake of libc with a class as its last argument. It
 * makes the same system call with two arguments more, which the kernel ignores:
 * SKYGUEST_MAGIC and the class. Where nobody records, it costs what the plain
 * call costs. A recorder hands both on, and the classification takes the class
 * as it is, instead of finding out one by itself.
 *
 * Results and errno are the plain call's. Unlike that, these are no
 * cancellation points: pthread_cancel() waits for the next one. All may be
 * called by several threads and from signal handlers. Link with
 * `pkg-config --cflags --libs skyguest`; iread(3) has the rest.
 */
#ifndef SKYGUEST_H
#define SKYGUEST_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The argument behind the call's own; the class follows it. */
#define SKYGUEST_MAGIC 0x536b79436c617373ul /* "SkyClass" */

/* Classes are 0..31; 0 to 5 mean what they mean to Sky, 6 to 31 are free. */
#define SKYGUEST_CLASSES 32

/* EINVAL, and no I/O, if the class is not one of them. */
ssize_t iread(int fd, void *buffer, size_t bytes, unsigned io_class);
ssize_t iwrite(int fd, const void *buffer, size_t bytes, unsigned io_class);
ssize_t ipread(int fd, void *buffer, size_t bytes, off_t offset, unsigned io_class);
ssize_t ipwrite(int fd, const void *buffer, size_t bytes, off_t offset, unsigned io_class);
ssize_t ireadv(int fd, const struct iovec *parts, int count, unsigned io_class);
ssize_t iwritev(int fd, const struct iovec *parts, int count, unsigned io_class);

#ifdef __cplusplus
}
#endif

#endif
