/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FNV-1a 64 of chunks, and what a chunk looks like: the kernel's counterpart of
 * common/fnv1a.c and capture/host/marker.c, which give the same numbers.
 */
#ifndef SKY_HASH_H
#define SKY_HASH_H

#include <linux/types.h>

#define SKY_CHUNK_BYTES	  4096u
#define SKY_CHUNK_SECTORS 8u
#define SKY_SUM_UNKNOWN	  0

#define SKY_FNV_BASIS 0xcbf29ce484222325ull /* draft-eastlake-fnv */
#define SKY_FNV_PRIME 0x100000001b3ull

u64 sky_fnv1a(u64 state, const void *data, size_t bytes);

#define SKY_HASH_LANES 4
/* That many runs of bytes side by side, one to SKY_HASH_LANES: each goes on from its state. */
void sky_fnv1a_lanes(u64 *state, const u8 *const *from, unsigned int lanes, size_t bytes);
/* Best in multiples of SKY_HASH_LANES. */
void sky_fnv1a_chunks(const u8 *const *chunk, unsigned int count, u64 *sums);

/* The enum marker of the event model, by the first bytes of a chunk and its checksum. */
u64 sky_marker(const void *head, u64 sum);
#define SKY_MARKER_BYTES 16u /* that it looks at */

#endif
