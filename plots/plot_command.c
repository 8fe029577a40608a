/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky plot FIGURE T.h5 -o FILE.svg|FILE.png
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/command.h"
#include "common/error.h"
#include "common/output.h"
#include "plot.h"

struct arguments {
	const char *figure, *trace, *output;
};

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "where to draw to: FILE.svg or FILE.png", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'o':
		arguments->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (!arguments->figure)
			arguments->figure = arg;
		else if (!arguments->trace)
			arguments->trace = arg;
		else
			argp_error(state, "one figure and one trace, please");
		return 0;
	case ARGP_KEY_END:
		if (!arguments->trace)
			argp_error(state, "a figure and a trace are needed; `sky list figure` "
					  "shows the figures");
		if (!arguments->output)
			argp_error(state, "-o FILE.svg or -o FILE.png is needed");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
	.options = options,
	.parser = parse,
	.args_doc = "FIGURE TRACE",
	.doc = "Draws a figure about a trace.\vThe figures: `sky list figure`. The same trace "
	       "gives the same bytes. gnuplot draws; it must be installed.",
};

/* By the file's ending; -1 if it is neither. */
static int format_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && !strcasecmp(dot, ".svg"))
		return IMAGE_SVG;
	if (dot && !strcasecmp(dot, ".png"))
		return IMAGE_PNG;
	return -1;
}

static int draw_to(const struct figure *figure, struct results *results, const char *path,
		   enum image_format format)
{
	struct output output;
	char *image = NULL;
	size_t bytes = 0;
	int rc;

	if (output_begin(&output, path))
		return -1;
	rc = figure_render(figure, results, format, &image, &bytes);
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

static int run(int argc, char **argv)
{
	struct arguments arguments = {0};
	const struct component *component;
	struct results results = {0};
	int format, rc;

	argp_parse(&parser, argc, argv, 0, NULL, &arguments);
	component = component_find("figure", arguments.figure);
	if (!component) {
		fail("there is no figure \"%s\"; `sky list figure` shows those there are",
		     arguments.figure);
		return 2;
	}
	format = format_of(arguments.output);
	if (format < 0) {
		fail("%s ends neither in .svg nor in .png, so its format is unknown",
		     arguments.output);
		return 2;
	}
	results.path = arguments.trace;
	rc = draw_to(container_of(component, const struct figure, head), &results, arguments.output,
		     format);
	results_free(&results);
	return rc ? 1 : command_finish();
}

SKY_COMMAND(plot, "plot", "draw a figure about a trace (SVG, PNG)", run);
