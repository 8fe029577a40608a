/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many of the chunks read a cache would have served, by its size: plain
 * lru, icache with Sky's hints, icache with the truth.
 */
#include <string.h>

#include "common/size.h"
#include "plot.h"

static const struct {
	const char *cache, *hints, *label, *style;
} curves[] = {
	{"lru", "none", "lru, no hints", "lc rgb \"#777777\" lw 2 pt 5 ps 0.8"},
	{"icache", "sky", "icache, Sky's hints", "lc rgb \"#d55e00\" lw 3 pt 7 ps 0.9"},
	{"icache", "truth", "icache, the truth", "lc rgb \"#0072b2\" lw 1.5 dt 2 pt 6"},
};
#define CURVES (sizeof(curves) / sizeof(curves[0]))

static bool is_curve(const json_t *result, size_t curve)
{
	return !strcmp(json_string_value(json_object_get(result, "cache")), curves[curve].cache) &&
	       !strcmp(json_string_value(json_object_get(result, "hints")), curves[curve].hints);
}

/* Returns how many points there are. */
static size_t draw_points(FILE *script, const json_t *caches, size_t curve)
{
	const json_t *result;
	size_t i, points = 0;
	double percent;

	fprintf(script, "$curve%zu << EOD\n", curve);
	json_array_foreach (json_object_get(caches, "results"), i, result) {
		if (!is_curve(result, curve) || !result_read_hits(result, &percent))
			continue;
		fprintf(script, "%.9g %.9g\n", result_bytes(result) / (1 << 20), percent);
		points++;
	}
	fputs("EOD\n", script);
	return points;
}

static int draw(struct results *results, FILE *script)
{
	json_t *caches = results_caches(results);
	size_t points[CURVES], drawn = 0;

	if (!caches)
		return -1;
	for (size_t i = 0; i < CURVES; i++)
		points[i] = draw_points(script, caches, i);
	fputs("set title \"Reads that a cache would have served\"\n"
	      "set xlabel \"cache size (MiB)\"\nset ylabel \"hits (% of the chunks read)\"\n"
	      "set logscale x 2\nset yrange [0:100]\n"
	      "set lmargin at screen 0.09\nset rmargin at screen 0.73\n"
	      "set key at screen 0.74,0.88 left top Left reverse samplen 2\n",
	      script);
	for (size_t i = 0; i < CURVES; i++) {
		if (!points[i])
			continue;
		fprintf(script, "%s$curve%zu using 1:2 with linespoints %s title ",
			drawn++ ? ", " : "plot ", i, curves[i].style);
		draw_string(script, curves[i].label);
	}
	fputc('\n', script);
	return drawn ? 0 : FIGURE_EMPTY;
}

static void tabulate_size(FILE *page, const json_t *caches, const json_t *plain)
{
	const char *size = json_string_value(json_object_get(plain, "size"));
	char text[16];

	fprintf(page, "<tr><td>%s</td><td>%s</td>", size_format(text, result_bytes(plain)), size);
	for (size_t i = 0; i < CURVES; i++) {
		const json_t *result = result_find(caches, curves[i].cache, curves[i].hints, size);
		double percent;

		if (result_read_hits(result, &percent))
			fprintf(page, "<td>%.2f%%</td>", percent);
		else
			fputs("<td>n/a</td>", page);
	}
	fputs("</tr>\n", page);
}

static void tabulate(struct results *results, FILE *page)
{
	json_t *caches = results_caches(results);
	const json_t *result;
	size_t i;

	fputs("<table><tr><th>Cache size</th><th>of the blocks used</th>", page);
	for (i = 0; i < CURVES; i++)
		fprintf(page, "<th>%s</th>", curves[i].label);
	fputs("</tr>\n", page);
	json_array_foreach (json_object_get(caches, "results"), i, result)
		if (is_curve(result, 0))
			tabulate_size(page, caches, result);
	fputs("</table>\n", page);
}

static const struct figure hit_ratio = {
	.head = {.kind = "figure",
		 .name = "hit-ratio",
		 .summary = "reads that caches of several sizes would have served"},
	.position = 30,
	.heading = "What a cache would have served",
	.reading =
		"Each point is one cache over the whole trace; where the orange line is above the "
		"grey one, knowing the classes helped, and the dashed line is the same with hints "
		"that are always right and known at once.",
	.lacking = "nothing was read",
	.height_pixels = 380,
	.tabulate = tabulate,
	.draw = draw,
};
COMPONENT(hit_ratio, hit_ratio.head);
