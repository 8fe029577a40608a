/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register of figures, in the report's order, and where pictures go.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
	FILE *file = output_open(output);

	if (!file)
		return -1;
	fwrite(bytes, 1, count, file); /* what fails is found when it is closed */
	return output_close(output, file);
}

int figure_format(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && !strcasecmp(dot, ".svg"))
		return IMAGE_SVG;
	if (dot && !strcasecmp(dot, ".png"))
		return IMAGE_PNG;
	return -1;
}

int figure_save(const struct figure *figure, struct results *results, const char *path)
{
	struct output output;
	char *image = NULL;
	size_t bytes = 0;
	int rc;

	if (output_begin(&output, path))
		return -1;
	rc = figure_render(figure, results, figure_format(path), &image, &bytes);
	if (rc == FIGURE_EMPTY)
		rc = fail("%s: there is nothing to draw for %s: %s", results->path,
			  figure->head.name, figure->lacking);
	if (rc)
		output_abandon(&output);
	else
		rc = output_save(&output, image, bytes);
	free(image);
	return rc;
}
