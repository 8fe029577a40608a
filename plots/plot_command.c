/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky plot FIGURE T.h5 -o FILE.svg|FILE.png
 */
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/error.h"
#include "arguments.h"
#include "plot.h"

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "where to draw to: FILE.svg or FILE.png", 0},
	{0},
};

static const struct argp parser = {
	.options = options,
	.parser = plot_parse_argument,
	.args_doc = "FIGURE TRACE...",
	.doc = "Draws a figure about a trace; `lifetimes` also about several.\vThe figures: `sky "
	       "list figure`. The same trace gives the same bytes. gnuplot draws; it must be "
	       "installed.",
};

static int run(int argc, char **argv)
{
	struct plot_arguments arguments = {
		.least = 2,
		.most = PLOT_WORDS_MAX,
		.needs = "a figure, its trace (or up to 16) and -o FILE.svg or -o FILE.png are "
			 "needed; `sky list figure` shows the figures"};
	const struct component *component;
	struct results results[PLOT_TRACES_MAX] = {0};
	const struct figure *figure;
	unsigned traces;
	int rc;

	argp_parse(&parser, argc, argv, 0, NULL, &arguments);
	traces = arguments.count - 1;
	component = component_find("figure", arguments.words[0]);
	if (!component) {
		fail("there is no figure \"%s\"; `sky list figure` shows those there are",
		     arguments.words[0]);
		return 2;
	}
	figure = container_of(component, const struct figure, head);
	if (traces > 1 && !figure->several) {
		fail("the figure %s is about one trace", arguments.words[0]);
		return 2;
	}
	if (figure_format(arguments.output) < 0) {
		fail("%s ends neither in .svg nor in .png, so its format is unknown",
		     arguments.output);
		return 2;
	}
	for (unsigned i = 0; i < traces; i++) {
		results[i].path = arguments.words[i + 1];
		results[i].next = i + 1 < traces ? &results[i + 1] : NULL;
	}
	rc = figure_save(figure, results, arguments.output);
	for (unsigned i = 0; i < traces; i++)
		results_free(&results[i]);
	return rc ? 1 : command_finish();
}

SKY_COMMAND(plot, "plot", "draw a figure about a trace (SVG, PNG)", run);
