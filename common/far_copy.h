/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies into memory that another processor will read next, and has read before.
 *
 * A usual store would first take each line from that processor's cache, which costs
 * more time than making what is stored: 28 ns a line where the two share no cache, or 2 GB/s;
 * stores that pass the caches by reach 27, and so does who reads them.
 */
#ifndef SKY_FAR_COPY_H
#define SKY_FAR_COPY_H

#include <stddef.h>

/*
 * memcpy() past the caches. What the caller stores after it, by atomic_store() too, is seen
 * after it.
 */
void far_copy(void *to, const void *from, size_t bytes);

#endif
