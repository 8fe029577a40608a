/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes as users type them: 4096, 64K, 2G.
 */
#ifndef SKY_SIZE_H
#define SKY_SIZE_H

#include <stdint.h>

/* A number with an optional K, M, G or T (powers of 1024); 0 or -EINVAL, -ERANGE. */
int size_parse(const char *text, uint64_t *number);

/*
 * A capacity: a bare number counts entries, a suffix means bytes, % is of the
 * distinct blocks (fractions allowed).
 */
enum capacity_unit { CAPACITY_ENTRIES, CAPACITY_BYTES, CAPACITY_PERCENT };

struct capacity {
	enum capacity_unit unit;
	double value;
};

int capacity_parse(const char *text, struct capacity *capacity);

/* "1.5 GiB" into text, which has room for at least 16 bytes; returns text. */
char *size_format(char *text, uint64_t bytes);

#endif
