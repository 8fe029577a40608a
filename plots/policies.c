/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every policy, alone and under a rule, with each kind of hints: a row a policy, a mark for each
 * way to run it, a panel a size of cache. `sky sim --plot` draws what it simulated, `sky plot
 * policies` all policies and icache over them.
 */
#include <math.h>
#include <string.h>

#include "common/size.h"
#include "plot.h"
#include "side_by_side.h"

#define PANELS_MAX 4

/* Edges of the picture's parts, as shares of its width. */
#define LEFT  0.105
#define RIGHT 0.975
#define GAP   0.03

/* By hints; marks that may lie on each other are of different sizes, the largest hollow. */
static const struct mark {
	const char *hints, *style;
} marks[] = {
	{"none", "pt 2 ps 0.7 lw 1.2 lc rgb \"#777777\""},
	{"flags", "pt 8 ps 1.5 lw 1.3 lc rgb \"#009e73\""},
	{"sequential", "pt 1 ps 1.0 lw 1.5 lc rgb \"#cc79a7\""},
	{"sky", "pt 7 ps 0.8 lc rgb \"#d55e00\""},
	{"truth", "pt 6 ps 1.3 lw 1.3 lc rgb \"#0072b2\""},
};
#define OTHER_STYLE "pt 12 ps 1.2 lw 1.2 lc rgb \"#e69f00\""
#define ALONE_STYLE "pt 5 ps 0.8 lc rgb \"#b0b0b0\""

static const char *style_of(const struct side_by_side_column *column)
{
	if (!*column->rule)
		return ALONE_STYLE;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (!strcmp(marks[i].hints, column->hints))
			return marks[i].style;
	return OTHER_STYLE;
}

static void label_column(FILE *script, const struct side_by_side_column *column)
{
	char label[2 * SIDE_BY_SIDE_NAME];

	snprintf(label, sizeof(label), "%s%s%s", *column->rule ? column->rule : "alone",
		 column->hints ? ", " : "", column->hints ? column->hints : "");
	draw_string(script, label);
}

/* Returns how many marks there are. */
static size_t draw_marks(FILE *script, const struct side_by_side *grid, size_t size, size_t column)
{
	size_t count = 0;

	fprintf(script, "$marks%zu_%zu << EOD\n", size, column);
	for (size_t policy = 0; policy < grid->policies; policy++) {
		double percent = side_by_side_at(grid, size, policy, column);

		if (isnan(percent))
			continue;
		fprintf(script, "%.9g %zu\n", percent, policy);
		count++;
	}
	fputs("EOD\n", script);
	return count;
}

/* More time than without a cache is less than nothing saved. */
static double least_percent(const struct side_by_side *grid)
{
	double least = 0;

	for (size_t i = 0; i < grid->sizes * grid->policies * grid->columns; i++)
		least = grid->percent[i] < least ? grid->percent[i] : least;
	return least;
}

/* "5% (113.1 MiB)"; start keys have no bytes. */
static void title_panel(FILE *script, const json_t *result, bool start_keys)
{
	double entries = json_number_value(json_object_get(result, "size_entries"));
	char title[96], text[48];

	if (start_keys)
		draw_count(text, entries);
	else
		size_format(text, result_bytes(result));
	snprintf(title, sizeof(title), "%.32s (%s)",
		 json_string_value(json_object_get(result, "size")), text);
	fputs(")\nset title ", script);
	draw_string(script, title);
	fputs(" offset 0,-0.5\n", script);
}

static void draw_axes(FILE *script, const struct side_by_side *grid, size_t panel, size_t panels)
{
	double width = (RIGHT - LEFT + GAP) / panels;

	fprintf(script,
		"set lmargin at screen %.4f\nset rmargin at screen %.4f\n"
		"set tmargin at screen 0.94\nset bmargin at screen 0.19\n"
		"set xrange [%.9g:100]\nset yrange [%g:-0.6]\nset ytics (",
		LEFT + panel * width, LEFT + (panel + 1) * width - GAP, floor(least_percent(grid)),
		grid->policies - 0.4);
	for (size_t i = 0; i < grid->policies; i++) {
		fputs(i ? ", " : "", script);
		draw_string(script, panel ? "" : grid->policy[i]);
		fprintf(script, " %zu", i);
	}
	title_panel(script, grid->size[panel], grid->start_keys);
}

static size_t draw_panel(FILE *script, const struct side_by_side *grid, size_t panel, size_t panels)
{
	size_t drawn = 0;

	for (size_t i = 0; i < grid->columns; i++)
		drawn += draw_marks(script, grid, panel, i);
	if (!drawn)
		return 0;
	draw_axes(script, grid, panel, panels);
	for (size_t i = 0; i < grid->columns; i++)
		fprintf(script, "%s$marks%zu_%zu using 1:2 with points %s", i ? ", " : "plot ",
			panel, i, style_of(&grid->column[i]));
	fputc('\n', script);
	return drawn;
}

/* A last plot below the panels and as wide as all of them, with nothing in it. */
static void draw_legend(FILE *script, const struct side_by_side *grid)
{
	fprintf(script,
		"set lmargin at screen %g\nset rmargin at screen %g\nset tmargin at screen 0.08\n"
		"set bmargin at screen 0.01\nset xrange [0:1]\nset yrange [0:1]\n"
		"unset border\nunset tics\nunset grid\nunset title\nset label 1 ",
		LEFT, RIGHT);
	draw_string(script, grid->measure->label);
	fprintf(script,
		" at screen %g,0.115 center\nset key center center horizontal Left reverse "
		"samplen 1 width 1\n",
		(LEFT + RIGHT) / 2);
	for (size_t i = 0; i < grid->columns; i++) {
		fprintf(script, "%sNaN with points %s title ", i ? ", " : "plot ",
			style_of(&grid->column[i]));
		label_column(script, &grid->column[i]);
	}
	fputc('\n', script);
}

static int draw_grid(FILE *script, const struct side_by_side *grid)
{
	size_t panels = grid->sizes < PANELS_MAX ? grid->sizes : PANELS_MAX, drawn = 0;

	fputs("set multiplot\nset xtics 25\nset grid x y lc rgb \"#dddddd\" lt 1 lw 1\n"
	      "unset key\n",
	      script);
	for (size_t panel = 0; panel < panels; panel++)
		drawn += draw_panel(script, grid, panel, panels);
	draw_legend(script, grid);
	fputs("unset multiplot\n", script);
	return drawn ? 0 : FIGURE_EMPTY;
}

static int draw(struct results *results, FILE *script)
{
	const json_t *json = results_policies(results);
	struct side_by_side grid;
	int rc;

	if (!json)
		return -1;
	rc = side_by_side_init(&grid, json,
			       results->measure ? results->measure : measure_find("reads"));
	if (!rc)
		rc = draw_grid(script, &grid);
	side_by_side_fini(&grid);
	return rc;
}

const struct figure policies_figure = {
	.head = {.kind = "figure",
		 .name = "policies",
		 .summary = "every policy alone and under icache, with all kinds of hints"},
	.position = 60,
	.lacking = "nothing was read, or the trace has nothing that the hints come from",
	.height_pixels = 560,
	.draw = draw,
};
COMPONENT(policies_figure, policies_figure.head);
