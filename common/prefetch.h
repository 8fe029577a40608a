/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For functions that only fetch memory early.
 *
 * GCC takes a function that does nothing else for one without effect and
 * drops the calls of it, unless it was inlined before that is looked at.
 */
#ifndef SKY_PREFETCH_H
#define SKY_PREFETCH_H

#define PREFETCHING static inline __attribute__((always_inline))

#endif
