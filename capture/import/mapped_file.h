/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file's bytes where they lie, for readers of records of a fixed size.
 *
 * Who touches what a file no longer has gets SIGBUS. Where that is a file mapped here, zeros take
 * the place of what is gone, and the reader is told when it takes bytes.
 */
#ifndef SKY_MAPPED_FILE_H
#define SKY_MAPPED_FILE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

struct mapped_file {
	const uint8_t *at;
	size_t bytes;
	const char *path; /* the caller's */
	int fd;
	volatile sig_atomic_t cut; /* something was gone when it was touched */
};

/*
 * A regular file that is not empty; neither the struct nor the path may move until it is
 * closed. 0, or -1 after saying what is wrong.
 */
int mapped_file_open(struct mapped_file *file, const char *path);

/* Harmless if it isn't open, but zeroed. */
void mapped_file_close(struct mapped_file *file);

/* 0, or -1 after saying that the file isn't as long as it was, or that bytes of it were gone. */
int mapped_file_copy(struct mapped_file *file, size_t from, size_t bytes, void *to);

#define MAPPED_RECORDS 4096

/*
 * Of `count` records of so many bytes each, from the file's first on, the next one. So many as
 * MAPPED_RECORDS are copied at a time into the window, which has room for them. NULL as above.
 */
const uint8_t *mapped_file_record(struct mapped_file *file, uint64_t number, uint64_t count,
				  size_t bytes, uint8_t *window);

#endif
