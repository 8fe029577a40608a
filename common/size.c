/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "size.h"

static int suffix_shift(char c)
{
	static const char suffixes[] = "KMGT";
	const char *at = c ? strchr(suffixes, toupper((unsigned char)c)) : NULL;

	return at ? 10 * (int)(at - suffixes + 1) : -1;
}

int size_parse(const char *text, uint64_t *number)
{
	uint64_t value;
	char *end;
	int shift;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	if (*end) {
		shift = suffix_shift(*end);
		if (shift < 0 || end[1])
			return -EINVAL;
		if (value > UINT64_MAX >> shift)
			return -ERANGE;
		value <<= shift;
	}
	*number = value;
	return 0;
}

int capacity_parse(const char *text, struct capacity *capacity)
{
	uint64_t number;
	size_t length = strlen(text);
	char *end;

	if (length && text[length - 1] == '%') {
		capacity->unit = CAPACITY_PERCENT;
		capacity->value = strtod(text, &end);
		if (end != text + length - 1 || end == text || !(capacity->value > 0) ||
		    capacity->value > 100)
			return -EINVAL;
		return 0;
	}
	if (size_parse(text, &number) || !number)
		return -EINVAL;
	capacity->unit =
		isdigit((unsigned char)text[length - 1]) ? CAPACITY_ENTRIES : CAPACITY_BYTES;
	capacity->value = number;
	return 0;
}

char *size_format(char *text, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	double value = bytes;
	int unit = 0;

	while (value >= 1024 && unit < 6) {
		value /= 1024;
		unit++;
	}
	if (unit)
		snprintf(text, 16, "%.1f %ciB", value, units[unit]);
	else
		snprintf(text, 16, "%u B", (unsigned)bytes);
	return text;
}
