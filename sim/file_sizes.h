/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large files were, as far as the truth shows it.
 *
 * The truth names a file's chunk but not the file's size; the farthest chunk
 * that was ever submitted or allocated is a file's size. A size class by truth
 * therefore needs a pass over the trace of its own.
 */
#ifndef SKY_FILE_SIZES_H
#define SKY_FILE_SIZES_H

#include <stdint.h>

struct file_sizes;

/* NULL if out of memory. */
struct file_sizes *file_sizes_new(void);
void file_sizes_free(struct file_sizes *sizes);

/* The file has at least this many bytes; 0 or -ENOMEM. */
int file_sizes_note(struct file_sizes *sizes, uint64_t device, uint64_t inode, uint64_t bytes);

/* 0 if the file was never noted. */
uint64_t file_sizes_get(const struct file_sizes *sizes, uint64_t device, uint64_t inode);

#endif
