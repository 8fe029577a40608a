/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file's bytes where they lie, for readers of records of a fixed size.
 *
 * A file must not be cut while it is mapped: the kernel then ends the program.
 */
#ifndef SKY_MAPPED_FILE_H
#define SKY_MAPPED_FILE_H

#include <stddef.h>
#include <stdint.h>

struct mapped_file {
	const uint8_t *at;
	size_t bytes;
};

/* A regular file that is not empty. 0, or -1 after saying what is wrong. */
int mapped_file_open(struct mapped_file *file, const char *path);

/* Harmless if it isn't open. */
void mapped_file_close(struct mapped_file *file);

#endif
