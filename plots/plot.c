/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register of figures, in the report's order, and where pictures go.
 */
#include <stdlib.h>
#include <string.h>

#include "common/output.h"
#include "plot.h"

static int by_position(const void *a, const void *b)
{
	const struct figure *const *x = a, *const *y = b;

	return ((*x)->position > (*y)->position) - ((*x)->position < (*y)->position);
}

size_t figures_collect(const struct figure **list, size_t max)
{
	size_t n = 0;

	component_for_each (entry)
		if (n < max && !strcmp((*entry)->kind, "figure"))
			list[n++] = container_of(*entry, const struct figure, head);
	qsort(list, n, sizeof(*list), by_position);
	return n;
}

int output_save(struct output *output, const char *bytes, size_t count)
{
	FILE *file = output_open(output);

	if (!file)
		return -1;
	fwrite(bytes, 1, count, file); /* what fails is found when it is closed */
	return output_close(output, file);
}
