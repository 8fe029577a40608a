/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was in the cache over time, by class: plain lru above, icache with
 * Sky's hints below, both of the size at which hints made the most difference.
 * lru takes no notice of hints; they only tell the classes of what it holds.
 */
#include <stdlib.h>

#include "capture/event.h"
#include "common/error.h"
#include "common/size.h"
#include "plot.h"

#define LAYERS_MAX 64

static const struct {
	const char *cache, *name, *title;
	double from, to;
} panels[] = {
	{"lru", "plain", "lru", 0.09, 0.43},
	{"icache", "hinted", "icache with Sky's hints", 0.53, 0.87},
};
#define PANELS (sizeof(panels) / sizeof(panels[0]))

static void add_layer(struct layer *layer, const json_t *class)
{
	const json_t *io_class = json_object_get(class, "io_class");

	*layer = (struct layer){
		.label = json_string_value(json_object_get(class, "label")),
		.colour = class_colour(json_is_integer(io_class) ? json_integer_value(io_class)
								 : CLASS_UNDECIDED),
		.values = json_object_get(class, "blocks"),
	};
}

/* Results list the highest class first and the undecided last; a stack begins at the bottom. */
static size_t collect_layers(const json_t *classes, struct layer *layers)
{
	const json_t *undecided = NULL;
	size_t n = 0;

	for (size_t i = json_array_size(classes); i-- > 0 && n < LAYERS_MAX - 1;) {
		const json_t *class = json_array_get(classes, i);

		if (json_is_null(json_object_get(class, "io_class")))
			undecided = class;
		else
			add_layer(&layers[n++], class);
	}
	if (undecided)
		add_layer(&layers[n++], undecided);
	return n;
}

static int draw_panel(FILE *script, const json_t *result, const json_t *marks, size_t panel)
{
	const json_t *contents = json_object_get(result, "contents");
	const json_t *time_ns = json_object_get(contents, "time_ns");
	size_t steps = json_array_size(time_ns);
	struct layer layers[LAYERS_MAX];
	struct stack stack = {
		.name = panels[panel].name,
		.y_label = "MiB",
		.from = panels[panel].from,
		.to = panels[panel].to,
		.layers = layers,
		.layer_count = collect_layers(json_object_get(contents, "classes"), layers),
		.steps = steps,
		.scale = (double)CHUNK_BYTES / (1 << 20),
		.start_ns = json_number_value(json_array_get(time_ns, 0)),
		.marks = marks,
		.legend = panel == 0,
		.last = panel + 1 == PANELS,
	};
	double *times = calloc(steps, sizeof(*times));

	if (!times)
		return fail("out of memory for %zu time steps", steps);
	for (size_t i = 0; i < steps; i++)
		times[i] = (json_number_value(json_array_get(time_ns, i)) - stack.start_ns) / 1e9;
	stack.times = times;
	stack.end = times[steps - 1];
	draw_stack(script, &stack);
	free(times);
	return 0;
}

static int draw(struct results *results, FILE *script)
{
	json_t *info = results_info(results), *caches;
	const json_t *result;
	const char *size;
	double gain;
	char text[16];

	caches = info ? results_caches(results) : NULL;
	if (!caches)
		return -1;
	size = telling_size(caches, &gain);
	if (!size)
		return FIGURE_EMPTY;
	fputs("set multiplot\n", script);
	for (size_t i = 0; i < PANELS; i++) {
		result = result_find(caches, panels[i].cache, "sky", size);
		fprintf(script, "set title \"%s, %s\" offset 0,-0.6\n", panels[i].title,
			size_format(text, result_bytes(result)));
		if (draw_panel(script, result, json_object_get(info, "marks"), i))
			return -1;
	}
	fputs("unset multiplot\n", script);
	return 0;
}

static const struct figure cache_contents = {
	.head = {.kind = "figure",
		 .name = "cache-contents",
		 .summary = "what was in the cache over time, by class"},
	.position = 40,
	.heading = "What the cache held",
	.reading =
		"The height of a band is how much of the cache held chunks of that class; above a "
		"cache that knows nothing, below one of the same size with Sky's hints.",
	.lacking = "there are no hints for this trace, or nothing was read",
	.height_pixels = 520,
	.draw = draw,
};
COMPONENT(cache_contents, cache_contents.head);
