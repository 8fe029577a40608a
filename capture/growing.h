/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that somebody may still be writing.
 */
#ifndef SKY_GROWING_H
#define SKY_GROWING_H

#include <stdbool.h>
#include <stdint.h>

enum growth {
	GROWTH_MORE,	/* it is longer than that now */
	GROWTH_NONE,	/* it is not, and nobody writes it any more */
	GROWTH_CUT,	/* it is shorter: somebody truncated it */
	GROWTH_STOPPED, /* stop_fd became readable */
};

/* Waits until one of these is so of a regular file, of which read_bytes have been read. */
enum growth growing_wait(int fd, uint64_t read_bytes, int stop_fd);

/* Whoever will append to the file says so to readers that may not ask otherwise, until it ends. */
void growing_announce(int fd);

#endif
