/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hints held against the truth: a matrix for each direction, rows what a
 * chunk was, columns what the hint said, with the error in the title.
 */
#include <math.h>
#include <string.h>

#include "plot.h"

static const struct {
	const char *key, *label;
} rows[] = {{"metadata", "was metadata"}, {"data", "was data"}},
  columns[] = {{"metadata", "metadata"},
	       {"data", "data"},
	       {"unconsumed", "unconsumed"},
	       {"unknown", "none"}};

#define ROWS	(sizeof(rows) / sizeof(rows[0]))
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static double count_of(const json_t *confusion, size_t row, size_t column)
{
	return json_number_value(
		json_object_get(json_object_get(confusion, rows[row].key), columns[column].key));
}

static double row_sum(const json_t *confusion, size_t row)
{
	double sum = 0;

	for (size_t column = 0; column < COLUMNS; column++)
		sum += count_of(confusion, row, column);
	return sum;
}

/* White where there is nothing, blue for right, vermilion for wrong, grey for undecided. */
static void draw_cell(FILE *script, size_t row, size_t column, double count, double sum)
{
	static const unsigned tint[3][3] = {{0, 114, 178}, {213, 94, 0}, {130, 130, 130}};
	const unsigned *full = tint[column >= ROWS ? 2 : row != column];
	/* a few wrong ones among many must show */
	double strength = count ? 0.25 + 0.45 * sqrt(count / sum) : 0.02;
	unsigned colour = 0;
	char text[48];

	for (int i = 0; i < 3; i++)
		colour = colour << 8 | (unsigned)lround(255 - strength * (255 - full[i]));
	fprintf(script,
		"set object rect from %zu,%zu to %zu,%zu fc rgb \"#%06x\" fs solid border lc rgb "
		"\"white\" lw 3\n",
		column, row, column + 1, row + 1, colour);
	fprintf(script, "set label \"%s\" at %g,%g center\n", draw_count(text, count), column + 0.5,
		row + 0.4);
	if (count)
		fprintf(script, "set label \"%s\" at %g,%g center tc rgb \"#333333\"\n",
			draw_share(text, count, sum), column + 0.5, row + 0.7);
}

static void draw_matrix(FILE *script, const json_t *confusion, const char *title, double left,
			double right, bool row_names)
{
	fputs("unset object\nunset label\n", script);
	for (size_t row = 0; row < ROWS; row++)
		for (size_t column = 0; column < COLUMNS; column++)
			draw_cell(script, row, column, count_of(confusion, row, column),
				  row_sum(confusion, row));
	fprintf(script, "set lmargin at screen %g\nset rmargin at screen %g\nset title ", left,
		right);
	draw_string(script, title);
	fputs("\nset xtics (", script);
	for (size_t column = 0; column < COLUMNS; column++)
		fprintf(script, "%s\"%s\" %g", column ? ", " : "", columns[column].label,
			column + 0.5);
	fputs(")\nset ytics (", script);
	for (size_t row = 0; row < ROWS; row++)
		fprintf(script, "%s\"%s\" %g", row ? ", " : "", row_names ? rows[row].label : "",
			row + 0.5);
	fputs(")\nplot NaN notitle\n", script);
}

static void error_text(const json_t *classes, const char *key, char *text, size_t room)
{
	const json_t *percent = json_object_get(classes, key);

	if (json_is_number(percent))
		snprintf(text, room, "%.2g%%", json_number_value(percent));
	else
		snprintf(text, room, "n/a");
}

static int draw(struct results *results, FILE *script)
{
	json_t *classes = results_classes(results);
	const json_t *confusion;
	char title[128], error[32];

	if (!classes)
		return -1;
	if (!json_is_true(json_object_get(classes, "truth")))
		return FIGURE_EMPTY;
	confusion = json_object_get(classes, "confusion");
	fputs("set multiplot\nunset border\nunset grid\nset tics scale 0\nset xrange [0:4]\n"
	      "set yrange [2:0]\nset tmargin at screen 0.86\nset bmargin at screen 0.24\n"
	      "set xlabel \"the hint said\"\n",
	      script);
	error_text(classes, "read_error_percent", error, sizeof(error));
	snprintf(title, sizeof(title), "Chunks read, %s wrong", error);
	draw_matrix(script, json_object_get(confusion, "read"), title, 0.14, 0.56, true);
	error_text(classes, "write_error_percent", error, sizeof(error));
	snprintf(title, sizeof(title), "Chunks written, %s wrong", error);
	draw_matrix(script, json_object_get(confusion, "write"), title, 0.575, 0.995, false);
	fputs("unset multiplot\n", script);
	return 0;
}

static void tabulate_direction(FILE *page, const json_t *classes, const char *op, const char *label)
{
	static const char *const counts[] = {"chunks_judged", "errors", "chunks_without_truth",
					     "chunks_without_hint"};
	char key[64], text[48];

	fprintf(page, "<tr><td>%s</td>", label);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		snprintf(key, sizeof(key), "%s_%s", op, counts[i]);
		fprintf(page, "<td>%s</td>",
			draw_count(text, json_number_value(json_object_get(classes, key))));
	}
	snprintf(key, sizeof(key), "%s_error_percent", op);
	error_text(classes, key, text, sizeof(text));
	fprintf(page, "<td>%s</td></tr>\n", text);
}

static void tabulate(struct results *results, FILE *page)
{
	json_t *classes = results_classes(results);
	char text[48];

	fputs("<table><tr><th>Chunks</th><th>with truth and hint</th><th>wrong</th>"
	      "<th>without truth</th><th>without hint</th><th>error</th></tr>\n",
	      page);
	tabulate_direction(page, classes, "read", "read");
	tabulate_direction(page, classes, "write", "written");
	fprintf(page,
		"</table>\n<p class=\"note\">Read ahead and never asked for: %s chunks, "
		"counted as neither right nor wrong. ",
		draw_count(text, json_number_value(json_object_get(classes, "unconsumed_chunks"))));
	error_text(json_object_get(classes, "paper"), "error_percent", text, sizeof(text));
	fprintf(page,
		"By the paper's measure (section 6.1), which compares only the numbers of data "
		"chunks in calls and at the disk: %s.</p>\n",
		text);
}

static const struct figure accuracy = {
	.head = {.kind = "figure",
		 .name = "accuracy",
		 .summary = "hints against the truth, for reads and for writes"},
	.position = 20,
	.heading = "How often the hints were right",
	.reading =
		"Rows are what the kernel knew a chunk to be, columns what Sky found out without "
		"asking it; blue is right, orange is wrong, grey is left open.",
	.lacking = "the trace does not say what its chunks really were (it was recorded without "
		   "BPF, or imported)",
	.height_pixels = 280,
	.tabulate = tabulate,
	.draw = draw,
};
COMPONENT(accuracy, accuracy.head);
