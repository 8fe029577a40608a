/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page of a file as one number, for tables that remember what was told of pages.
 */
#ifndef SKY_PAGE_KEY_H
#define SKY_PAGE_KEY_H

#include <stdint.h>

/* Never 0; two pages may share one. Multiplier: 2^64 over the golden ratio (Knuth, vol. 3, 6.4). */
static inline uint64_t page_key(uint64_t device, uint64_t inode, uint64_t index)
{
	const uint64_t golden = 0x9e3779b97f4a7c15u;
	uint64_t key = (inode ^ device << 40) * golden;

	return ((key ^ key >> 29) + index) * golden | 1;
}

/* The slot of a table of 2^n that belongs to the key. */
static inline uint64_t page_slot(uint64_t key, uint64_t slots)
{
	return key >> 40 & (slots - 1);
}

#endif
