/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FNV-1a, 64 bits: the checksum of the paper (4.4).
 *
 * Fowler, Noll, Vo; http://www.isthe.com/chongo/tech/comp/fnv/. A byte costs a
 * multiplication that depends on the one before it, so one chunk alone runs
 * at the multiplier's latency; fnv1a_chunks() takes eight chunks side by side.
 */
#ifndef SKY_FNV1A_H
#define SKY_FNV1A_H

#include <stddef.h>
#include <stdint.h>

#define FNV1A_BASIS 0xcbf29ce484222325u
#define FNV1A_PRIME 0x100000001b3u

/* Continues a checksum over more bytes; start with FNV1A_BASIS. */
uint64_t fnv1a_update(uint64_t state, const void *data, size_t bytes);

/* Continues it over zeros: H(x | 0^n) = H(x) * prime^n. */
uint64_t fnv1a_zeros(uint64_t state, size_t bytes);

/* sums[i] = FNV-1a of the i-th chunk of chunk_bytes. */
void fnv1a_chunks(const void *data, size_t chunks, size_t chunk_bytes, uint64_t *sums);

#endif
