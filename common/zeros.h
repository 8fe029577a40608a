/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SKY_ZEROS_H
#define SKY_ZEROS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Are all bytes (8 at least) 0? Memory that equals itself one word on is that word all over. */
static inline bool all_zero(const void *data, size_t bytes)
{
	uint64_t first;

	memcpy(&first, data, sizeof(first));
	return !first && !memcmp(data, (const char *)data + sizeof(first), bytes - sizeof(first));
}

#endif
