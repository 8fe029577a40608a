/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long blocks live (the paper's figures 4 and 5): of one trace by what calls
 * tell and by what the disk sees, of several by what calls tell.
 */
#include <string.h>

#include "capture/event.h"
#include "plot.h"
#include "sim/lifetimes.h"

/* The time axis begins here; what ends earlier is in the first point. */
#define LEAST_S 0.001

struct curve {
	const char *way, *label, *style;
};

/* Later ones lie upon earlier ones, and are thinner. */
static const struct curve ways[] = {
	{"sky", "Sky", "lc rgb \"#d55e00\" lw 4"},
	{"naive", "naive, all", "lc rgb \"#999999\" lw 2.5"},
	{"naive_data", "naive, data", "lc rgb \"#0072b2\" lw 1.5"},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* Colours that stay apart for the colour-blind (Okabe, Ito 2008). */
static const char *const colours[] = {"#d55e00", "#0072b2", "#009e73", "#cc79a7",
				      "#e69f00", "#56b4e9", "#000000"};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const json_t *way_of(const json_t *result, const char *way)
{
	return json_object_get(json_object_get(result, "lifetimes"), way);
}

/* Steps from the left edge of the picture to the longest age that could be observed. */
static void draw_points(FILE *script, const json_t *way, double observed_s, unsigned curve)
{
	const json_t *point;
	size_t i;

	fprintf(script, "$curve%u << EOD\n%.9g %.9g\n", curve, LEAST_S,
		lifetimes_share(way, LEAST_S * 1e9));
	json_array_foreach (json_object_get(way, "cdf"), i, point) {
		double age_ns = json_number_value(json_array_get(point, 0));

		if (age_ns > LEAST_S * 1e9)
			fprintf(script, "%.9g %.9g\n", age_ns / 1e9, lifetimes_share(way, age_ns));
	}
	fprintf(script, "%.9g %.9g\nEOD\n", observed_s, lifetimes_share(way, observed_s * 1e9));
}

/* "varmail: 12.34% alive" */
static void draw_legend(FILE *script, const char *label, const json_t *way)
{
	char text[128], share[SHARE_ROOM];

	snprintf(text, sizeof(text), "%.80s: %s alive", label,
		 draw_share(share, number(way, "alive"), number(way, "born")));
	draw_string(script, text);
}

static void draw_axes(FILE *script, double longest_s)
{
	fprintf(script,
		"set title \"Ages that blocks have reached when they end\"\n"
		"set xlabel \"lifetime (s)\"\nset ylabel \"ended, of the blocks written\"\n"
		"set logscale x 10\nset format x \"%%g\"\nset xrange [%g:%.9g]\n"
		"set yrange [0:1.02]\nset ytics 0.2\n"
		"set lmargin at screen 0.09\nset rmargin at screen 0.68\n"
		"set key at screen 0.69,0.88 left top Left reverse samplen 3\n",
		LEAST_S, longest_s > 10 * LEAST_S ? 1.5 * longest_s : 10 * LEAST_S);
}

static double observed_s(const json_t *result)
{
	return number(result, "observed_ns") / 1e9;
}

static int draw_one(struct results *results, FILE *script)
{
	const json_t *result = results_lifetimes(results);

	if (!result)
		return -1;
	if (!number(way_of(result, "naive"), "born") && !number(way_of(result, "sky"), "born"))
		return FIGURE_EMPTY;
	draw_axes(script, observed_s(result));
	for (unsigned i = 0; i < WAYS; i++)
		draw_points(script, way_of(result, ways[i].way), observed_s(result), i);
	for (unsigned i = 0; i < WAYS; i++) {
		fprintf(script, "%s$curve%u using 1:2 with steps %s title ", i ? ", " : "plot ", i,
			ways[i].style);
		draw_legend(script, ways[i].label, way_of(result, ways[i].way));
	}
	fputc('\n', script);
	return 0;
}

/* The file's name without folders and ending. */
static const char *short_name(const char *path, char *text, size_t bytes)
{
	const char *slash = strrchr(path, '/');
	char *dot;

	snprintf(text, bytes, "%s", slash ? slash + 1 : path);
	dot = strrchr(text, '.');
	if (dot && dot != text)
		*dot = '\0';
	return text;
}

static int draw_several(struct results *results, FILE *script)
{
	double longest_s = 0;
	unsigned curves = 0;

	for (struct results *r = results; r; r = r->next) {
		const json_t *result = results_lifetimes(r);

		if (!result)
			return -1;
		draw_points(script, way_of(result, "sky"), observed_s(result), curves++);
		longest_s = observed_s(result) > longest_s ? observed_s(result) : longest_s;
	}
	draw_axes(script, longest_s);
	curves = 0;
	for (struct results *r = results; r; r = r->next) {
		char name[80];

		fprintf(script, "%s$curve%u using 1:2 with steps lw 2.5 lc rgb \"%s\" title ",
			curves ? ", " : "plot ", curves, colours[curves % COLOURS]);
		draw_legend(script, short_name(r->path, name, sizeof(name)),
			    way_of(results_lifetimes(r), "sky"));
		curves++;
	}
	fputc('\n', script);
	return 0;
}

static int draw(struct results *results, FILE *script)
{
	return results->next ? draw_several(results, script) : draw_one(results, script);
}

static void tabulate(struct results *results, FILE *page)
{
	static const struct {
		const char *key, *label;
	} rows[] = {
		{"born", "written"},	    {"overwritten", "written again"},
		{"cut", "cut off"},	    {"deleted", "deleted"},
		{"discarded", "discarded"}, {"alive", "alive at the end"},
	};
	const json_t *result = results_lifetimes(results);
	char count[48];

	fputs("<table><tr><th>Blocks of 4 KiB</th>", page);
	for (size_t i = 0; i < WAYS; i++)
		fprintf(page, "<th>%s</th>", ways[i].label);
	fputs("</tr>\n", page);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		fprintf(page, "<tr><td>%s</td>", rows[row].label);
		for (size_t i = 0; i < WAYS; i++)
			fprintf(page, "<td>%s</td>",
				draw_count(count,
					   number(way_of(result, ways[i].way), rows[row].key)));
		fputs("</tr>\n", page);
	}
	fputs("</table>\n", page);
}

static const struct figure lifetimes = {
	.head = {.kind = "figure",
		 .name = "lifetimes",
		 .summary = "how long blocks live (of several traces, beside each other)"},
	.position = 40,
	.heading = "How long blocks live",
	.reading = "Each curve climbs to the share of the blocks that had ended at that age; what "
		   "it lacks to 1 was alive at the end. By calls, Sky knows of deletions and "
		   "truncations; without them a block ends when it is written again.",
	.lacking = "nothing was written",
	.height_pixels = 380,
	.several = true,
	.tabulate = tabulate,
	.draw = draw,
};
COMPONENT(lifetimes, lifetimes.head);
