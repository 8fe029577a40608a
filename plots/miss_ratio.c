/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Miss-ratio curves with their confidence bands: all policies in one picture; of
 * one policy alone its classes, too. `sky mrc --plot` draws it.
 */
#include <string.h>

#include "capture/event.h"
#include "plot.h"
#include "sim/cache_sim.h"

/* Okabe, Ito 2008: apart for the colour-blind; then again, dashed. */
static const char *const colours[] = {"#000000", "#e69f00", "#56b4e9", "#009e73",
				      "#0072b2", "#d55e00", "#cc79a7", "#8c6d31"};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))

/* One line of the picture, and the data block of its number. */
struct line {
	char label[96];
	const char *colour;
	size_t dash;
	const json_t *points;
};

#define LINES_MAX (128 * HINT_MODES_MAX)

static double x_of(const json_t *json, const json_t *point)
{
	double entries = json_number_value(json_object_get(point, "size_entries"));

	if (strcmp(json_string_value(json_object_get(json, "granularity")), "4k"))
		return entries;
	return entries * 4096 / (1 << 20);
}

/* A point that was sampled once has no band: it is the ratio itself. */
static double bound(const json_t *point, const char *name)
{
	const json_t *value = json_object_get(point, name);

	return json_number_value(json_is_number(value) ? value
						       : json_object_get(point, "miss_ratio"));
}

static void draw_points(FILE *script, const json_t *json, const struct line *line, size_t number)
{
	const json_t *point;
	size_t i;

	fprintf(script, "$line%zu << EOD\n", number);
	json_array_foreach (line->points, i, point)
		fprintf(script, "%.9g %.9g %.9g %.9g\n", x_of(json, point),
			json_number_value(json_object_get(point, "miss_ratio")),
			bound(point, "low"), bound(point, "high"));
	fputs("EOD\n", script);
}

static bool have_several_hints(const json_t *curves)
{
	const char *first = NULL, *hints;
	const json_t *curve;
	size_t i;

	json_array_foreach (curves, i, curve) {
		hints = json_string_value(json_object_get(curve, "hints"));
		if (first && strcmp(first, hints))
			return true;
		first = hints;
	}
	return false;
}

static size_t find_curves(const json_t *curves, struct line *lines)
{
	bool several = have_several_hints(curves);
	const json_t *curve;
	size_t i, n = 0;

	json_array_foreach (curves, i, curve) {
		const json_t *points = json_object_get(curve, "points");
		struct line *line = &lines[n];

		if (n == LINES_MAX || !json_array_size(points))
			continue;
		snprintf(line->label, sizeof(line->label), "%.60s%s%.30s",
			 json_string_value(json_object_get(curve, "cache")), several ? ", " : "",
			 several ? json_string_value(json_object_get(curve, "hints")) : "");
		line->colour = colours[n % COLOURS];
		line->dash = 1 + n / COLOURS;
		line->points = points;
		n++;
	}
	return n;
}

/* Returns how many lines there are then. */
static size_t add_classes(const json_t *curve, struct line *lines, size_t n)
{
	const json_t *class;
	size_t i;

	json_array_foreach (json_object_get(curve, "by_class"), i, class) {
		const json_t *io_class = json_object_get(class, "io_class");

		snprintf(lines[n].label, sizeof(lines[n].label), "%s",
			 json_string_value(json_object_get(class, "label")));
		lines[n].colour =
			class_colour(json_is_null(io_class) ? CLASS_UNDECIDED
							    : (int)json_integer_value(io_class));
		lines[n].dash = 2;
		lines[n++].points = json_object_get(class, "points");
	}
	return n;
}

static void draw_axes(FILE *script, const json_t *json)
{
	bool blocks = !strcmp(json_string_value(json_object_get(json, "granularity")), "4k");

	fputs("set title \"References that a cache would have missed\"\nset xlabel ", script);
	draw_string(script, blocks ? "cache size (MiB)" : "cache size (start keys)");
	fputs("\nset ylabel \"miss ratio\"\nset logscale x\nset autoscale xfix\nset yrange [0:1]\n"
	      "set style fill transparent solid 0.25 noborder\n"
	      "set lmargin at screen 0.09\nset rmargin at screen 0.73\n"
	      "set key at screen 0.74,0.92 left top Left reverse samplen 2\n",
	      script);
}

/* The bands first, so that they cover no line. */
static void draw_lines(FILE *script, const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(script, "%s$line%zu using 1:3:4 with filledcurves lc rgb \"%s\" notitle",
			i ? ", " : "plot ", i, lines[i].colour);
	for (size_t i = 0; i < n; i++) {
		fprintf(script,
			", $line%zu using 1:2 with lines lw 1.5 dt %zu lc rgb \"%s\" title ", i,
			lines[i].dash, lines[i].colour);
		draw_string(script, lines[i].label);
	}
	fputc('\n', script);
}

static int draw(struct results *results, FILE *script)
{
	static struct line lines[LINES_MAX + CLASS_COUNT + 1];
	const json_t *json = results->curves, *curves = json_object_get(json, "curves");
	size_t n = find_curves(curves, lines);

	if (!n)
		return FIGURE_EMPTY;
	if (json_array_size(curves) == 1)
		n = add_classes(json_array_get(curves, 0), lines, n);
	for (size_t i = 0; i < n; i++)
		draw_points(script, json, &lines[i], i);
	draw_axes(script, json);
	draw_lines(script, lines, n);
	return 0;
}

const struct figure miss_ratio_figure = {
	.head = {.kind = "figure", .name = "miss-ratio"},
	.lacking = "there are no references, or nothing that the hints come from",
	.height_pixels = 480,
	.draw = draw,
};
