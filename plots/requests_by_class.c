/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was asked of the disk over time: reads above, writes below, stacked by
 * class. classify_trace() has counted the chunks into steps of equal width.
 */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "plot.h"

/* From the bottom up. */
static const struct {
	const char *label, *colour;
} kinds[] = {
	{"large-file data", "#9ecae1"},	 {"small-file data", "#08519c"}, {"metadata", "#d55e00"},
	{"application data", "#009e73"}, {"unconsumed", "#b9a9cc"},	 {"unknown", "#c8c8c8"},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct {
	const char *op, *y_label;
	double from, to;
} panels[] = {
	{"read", "read (chunks/s)", 0.09, 0.45},
	{"write", "written (chunks/s)", 0.51, 0.87},
};
#define PANELS (sizeof(panels) / sizeof(panels[0]))

static const json_t *find_chunks(const json_t *over_time, const char *op, const char *label)
{
	const json_t *series;
	size_t i;

	json_array_foreach (json_object_get(over_time, "series"), i, series)
		if (!strcmp(json_string_value(json_object_get(series, "op")), op) &&
		    !strcmp(json_string_value(json_object_get(series, "label")), label))
			return json_object_get(series, "chunks");
	return NULL;
}

static bool any(const json_t *chunks)
{
	const json_t *value;
	size_t i;

	json_array_foreach (chunks, i, value)
		if (json_integer_value(value))
			return true;
	return false;
}

/* The layers of a direction that aren't empty throughout. */
static size_t collect_layers(const json_t *over_time, const char *op, struct layer *layers)
{
	size_t n = 0;

	for (size_t i = 0; i < KINDS; i++) {
		const json_t *chunks = find_chunks(over_time, op, kinds[i].label);

		if (any(chunks))
			layers[n++] = (struct layer){kinds[i].label, kinds[i].colour, chunks};
	}
	return n;
}

static size_t draw_panels(FILE *script, const json_t *over_time, const json_t *marks,
			  const double *times, size_t steps)
{
	double width = json_number_value(json_object_get(over_time, "bin_ns")) / 1e9;
	struct layer layers[PANELS][KINDS];
	size_t count[PANELS + 1] = {0}, drawn = 0;

	for (size_t i = 0; i < PANELS; i++)
		count[i] = collect_layers(over_time, panels[i].op, layers[i]);
	fputs("set multiplot title \"What the disk was asked for (chunks of 4 KiB)\"\n", script);
	for (size_t i = 0; i < PANELS; i++) {
		struct stack stack = {
			.name = panels[i].op,
			.y_label = panels[i].y_label,
			.from = panels[i].from,
			.to = panels[i].to,
			.layers = layers[i],
			.layer_count = count[i],
			.steps = steps,
			.times = times,
			.end = times[steps - 1] + width,
			.scale = 1 / width,
			.start_ns = json_number_value(json_object_get(over_time, "start_ns")),
			.marks = marks,
			.mark_names = !drawn,
			.legend = true,
			.last = !count[i + 1],
		};

		if (!count[i])
			continue;
		draw_stack(script, &stack);
		drawn++;
	}
	fputs("unset multiplot\n", script);
	return drawn;
}

static int draw(struct results *results, FILE *script)
{
	json_t *info = results_info(results), *classes;
	const json_t *over_time;
	size_t steps, drawn;
	double *times;

	classes = info ? results_classes(results) : NULL;
	if (!classes)
		return -1;
	over_time = json_object_get(classes, "over_time");
	steps = json_array_size(find_chunks(over_time, "read", "metadata"));
	if (!steps)
		return FIGURE_EMPTY;
	times = calloc(steps, sizeof(*times));
	if (!times)
		return fail("out of memory for %zu time steps", steps);
	for (size_t i = 0; i < steps; i++)
		times[i] = i * json_number_value(json_object_get(over_time, "bin_ns")) / 1e9;
	drawn = draw_panels(script, over_time, json_object_get(info, "marks"), times, steps);
	free(times);
	return drawn ? 0 : FIGURE_EMPTY;
}

static const struct figure requests_by_class = {
	.head = {.kind = "figure",
		 .name = "requests-by-class",
		 .summary = "what the disk was asked for over time, by class"},
	.position = 10,
	.heading = "What the disk was asked for",
	.reading = "The height of a band is the rate at which chunks of that class were asked for; "
		   "reads are above, writes below, each with its own scale.",
	.lacking = "the trace has no reads and no writes",
	.height_pixels = 520,
	.draw = draw,
};
COMPONENT(requests_by_class, requests_by_class.head);
