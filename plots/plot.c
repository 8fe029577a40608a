/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register of figures, in the report's order, and where pictures go.
 */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
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
	FILE *file = fopen(output->part, "we");
	size_t written;

	if (!file) {
		fail_errno(errno, "cannot create %s", output->part);
		output_abandon(output);
		return -1;
	}
	written = fwrite(bytes, 1, count, file);
	if (fclose(file) || written != count) {
		fail_errno(errno, "cannot write %s (is the disk full?)", output->path);
		output_abandon(output);
		return -1;
	}
	return output_commit(output);
}
