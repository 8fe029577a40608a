/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"

static const struct {
	const char *name;
	double ns;
} units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"", 1e9}};

int duration_parse(const char *text, uint64_t *ns)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || !isdigit((unsigned char)*text))
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].name))
			continue;
		if (!(value * units[i].ns >= 1 && value * units[i].ns <= 86400e9))
			return -1;
		*ns = value * units[i].ns;
		return 0;
	}
	return -1;
}
