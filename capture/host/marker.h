/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a chunk of a disk looks like, by the magic numbers in its first bytes.
 *
 * A cross-check of the truth, never its base: a file may hold such bytes too.
 */
#ifndef SKY_MARKER_H
#define SKY_MARKER_H

#include <stdint.h>

/* The enum marker of CHUNK_BYTES bytes. */
uint64_t marker_of(const void *chunk);

#endif
