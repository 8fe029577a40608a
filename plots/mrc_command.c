/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky mrc`: miss-ratio curves of a trace, as a table, JSON or a picture.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/error.h"
#include "plot.h"
#include "sim/cache_options.h"
#include "sim/mrc.h"

#define BLOCKS_MAX (1u << 30)

enum {
	OPTION_RATE = CACHE_OPTIONS_KEYS,
	OPTION_SAMPLE_BLOCKS,
	OPTION_SAMPLES,
	OPTION_SEED,
	OPTION_PLOT,
};

static_assert(CACHE_OPTIONS_SIZES_MAX <= MRC_SIZES_MAX, "each size that is taken has a place");

struct arguments {
	struct cache_options cache;
	struct mrc_options options;
	const char *picture;
};

static double rate_of(const char *text, struct argp_state *state)
{
	char *end;
	double rate = strtod(text, &end);

	if (end == text || *end || !(rate > 0 && rate <= 1))
		argp_error(state, "\"%s\" is no rate: above 0, up to 1", text);
	return rate;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->cache;
		return 0;
	case OPTION_RATE:
		a->options.rate = rate_of(argument, state);
		return 0;
	case OPTION_SAMPLE_BLOCKS:
		a->options.sample_blocks =
			cache_options_number(argument, 1, BLOCKS_MAX, "number of blocks", state);
		return 0;
	case OPTION_SAMPLES:
		a->options.samples = cache_options_number(argument, 1, MRC_SAMPLES_MAX,
							  "number of samples", state);
		return 0;
	case OPTION_SEED:
		a->options.seed = cache_options_number(argument, 0, UINT32_MAX, "seed", state);
		return 0;
	case OPTION_PLOT:
		if (figure_format(argument) < 0)
			argp_error(state, "%s ends neither in .svg nor in .png", argument);
		a->picture = argument;
		return 0;
	case ARGP_KEY_END:
		if (a->options.rate && a->options.sample_blocks)
			argp_error(state, "a rate and a number of blocks are two ways to sample: "
					  "give one");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{"rate", OPTION_RATE, "R", 0,
	 "look at this share of the blocks, as in 0.01; 1: at all (default: lru at all, others see "
	 "--sample-blocks)",
	 0},
	{"sample-blocks", OPTION_SAMPLE_BLOCKS, "N", 0,
	 "look at so many of the blocks (default 16384 for others than lru)", 0},
	{"samples", OPTION_SAMPLES, "N", 0,
	 "of so many samples, each by its own hash, the mean is shown (default 8)", 0},
	{"seed", OPTION_SEED, "N", 0, "of the first sample's hash (default 0)", 0},
	{"plot", OPTION_PLOT, "FILE", 0, "draw the curves, too: FILE.svg or FILE.png", 0},
	{0},
};

static const struct argp_child children[] = {{&cache_options_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.children = children,
	.args_doc = "TRACE",
	.doc = "Shows which share of the references caches of each size would miss, untimed. The "
	       "curve of lru is exact unless a sample is asked for; those of other policies come "
	       "from caches scaled down to samples of the blocks, with a 95% confidence interval. "
	       "Without --size there are 21 sizes from 0.1% to 100%."
	       "\vExample: sky mrc a.h5 --policy lru --policy s3fifo --plot curves.png",
};

static void print_ratio(const json_t *point, const char *name)
{
	const json_t *value = json_object_get(point, name);

	if (json_is_real(value))
		printf("%10.4f", json_real_value(value));
	else
		printf("%10s", "n/a");
}

static void print_rate(const json_t *point)
{
	const json_t *rate = json_object_get(point, "rate");

	if (json_is_real(rate))
		printf("%10.4g", json_real_value(rate));
	else
		printf("%10s", "falls");
}

static void print_curve(const json_t *curve)
{
	const json_t *points = json_object_get(curve, "points"), *point;
	size_t i;

	printf("\n%s, hints %s%s\n", json_string_value(json_object_get(curve, "cache")),
	       json_string_value(json_object_get(curve, "hints")),
	       json_is_null(points) ? ": n/a" : "");
	if (!json_array_size(points))
		return;
	printf("%12s%12s%10s%10s%10s%10s%10s\n", "blocks", "miss ratio", "low", "high", "bytes",
	       "rate", "samples");
	json_array_foreach (points, i, point) {
		printf("%12" JSON_INTEGER_FORMAT "  ",
		       json_integer_value(json_object_get(point, "size_entries")));
		print_ratio(point, "miss_ratio");
		print_ratio(point, "low");
		print_ratio(point, "high");
		print_ratio(point, "byte_miss_ratio");
		print_rate(point);
		printf("%10" JSON_INTEGER_FORMAT "\n",
		       json_integer_value(json_object_get(point, "samples")));
	}
}

static void print_curves(const json_t *json)
{
	const json_t *curve;
	size_t i;

	printf("%s: %" JSON_INTEGER_FORMAT " requests, %" JSON_INTEGER_FORMAT
	       " references to %s%" JSON_INTEGER_FORMAT " distinct blocks (%s)\n",
	       json_string_value(json_object_get(json, "trace")),
	       json_integer_value(json_object_get(json, "requests")),
	       json_integer_value(json_object_get(json, "references")),
	       json_is_true(json_object_get(json, "distinct_exact")) ? "" : "about ",
	       json_integer_value(json_object_get(json, "distinct_blocks")),
	       json_string_value(json_object_get(json, "granularity")));
	json_array_foreach (json_object_get(json, "curves"), i, curve)
		print_curve(curve);
}

/* The picture first: a table without it would look like success. */
static int draw(json_t *json, const struct arguments *a)
{
	struct results results = {.path = a->cache.trace, .curves = json};

	return a->picture ? figure_save(&miss_ratio_figure, &results, a->picture) : 0;
}

static int run_mrc(int argc, char **argv)
{
	struct arguments a = {0};
	json_t *json;

	cache_options_init(&a.cache, &a.options.sim);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	json = mrc_trace(a.cache.trace, &a.options);
	if (json && draw(json, &a)) {
		json_decref(json);
		json = NULL;
	}
	return command_result(json, a.cache.json, print_curves);
}

SKY_COMMAND(mrc, "mrc", "miss-ratio curves: what caches of every size would have missed", run_mrc);
