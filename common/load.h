/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of a given byte order from bytes that lie anywhere.
 */
#ifndef SKY_LOAD_H
#define SKY_LOAD_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define LOAD(bits, order)                                                 \
	static inline uint##bits##_t load_##order##bits(const void *from) \
	{                                                                 \
		uint##bits##_t value;                                     \
                                                                          \
		memcpy(&value, from, sizeof(value));                      \
		return order##bits##toh(value);                           \
	}

LOAD(16, le)
LOAD(32, le)
LOAD(64, le)
LOAD(16, be)
LOAD(32, be)
LOAD(64, be)
#undef LOAD

#endif
