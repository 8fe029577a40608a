/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky mrc`: miss-ratio curves of a trace, as a table, JSON or a picture.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/error.h"
#include "common/size.h"
#include "models/cache/cache_model.h"
#include "plot.h"
#include "sim/classifier.h"
#include "sim/mrc.h"

#define POLICIES_MAX 64
#define THREADS_MAX  1024
#define BLOCKS_MAX   (1u << 30)

enum {
	OPTION_MEMORY_LIMIT = 256,
	OPTION_RATE,
	OPTION_SAMPLE_BLOCKS,
	OPTION_SAMPLES,
	OPTION_SEED,
	OPTION_PLOT,
};

struct arguments {
	const char *trace, *picture;
	const char *policies[POLICIES_MAX], *sizes[MRC_SIZES_MAX], *hints[HINT_MODES_MAX];
	struct mrc_options options;
	bool json;
};

static void add_policy(struct arguments *a, const char *spec, struct argp_state *state)
{
	if (a->options.sim.cache_count == POLICIES_MAX)
		argp_error(state, "no more than %d policies at a time", POLICIES_MAX);
	a->policies[a->options.sim.cache_count++] = spec;
}

/* Without icache, which is what its base makes of hints. */
static void add_all_policies(struct arguments *a, struct argp_state *state)
{
	const struct component *list[POLICIES_MAX];
	size_t count = component_collect("cache", list, POLICIES_MAX);

	for (size_t i = 0; i < count; i++)
		if (!list[i]->choice)
			add_policy(a, list[i]->name, state);
}

/* Models may be loaded by a later option. */
static void check_policies(const struct arguments *a)
{
	struct cache cache;

	for (size_t i = 0; i < a->options.sim.cache_count; i++) {
		if (cache_open(&cache, a->policies[i], 1))
			exit(argp_err_exit_status);
		cache_close(&cache);
	}
}

static void add_size(struct arguments *a, const char *size, struct argp_state *state)
{
	struct capacity capacity;

	if (a->options.sim.size_count == MRC_SIZES_MAX)
		argp_error(state, "no more than %d sizes at a time", MRC_SIZES_MAX);
	if (capacity_parse(size, &capacity))
		argp_error(state,
			   "\"%s\" is no size: a number of entries, bytes with K, M, G or "
			   "T, or %% of the distinct blocks",
			   size);
	a->sizes[a->options.sim.size_count++] = size;
}

static void add_hints(struct arguments *a, const char *spec, struct argp_state *state)
{
	if (strcmp(spec, HINTS_NONE) && !classifier_find(spec))
		exit(argp_err_exit_status);
	if (a->options.sim.hint_count == HINT_MODES_MAX)
		argp_error(state, "no more than %d kinds of hints at a time", HINT_MODES_MAX);
	a->hints[a->options.sim.hint_count++] = spec;
}

static uint64_t number_of(const char *text, uint64_t least, uint64_t most, const char *what,
			  struct argp_state *state)
{
	uint64_t number;

	if (size_parse(text, &number) || number < least || number > most)
		argp_error(state, "\"%s\" is no %s from %llu to %llu", text, what,
			   (unsigned long long)least, (unsigned long long)most);
	return number;
}

static double rate_of(const char *text, struct argp_state *state)
{
	char *end;
	double rate = strtod(text, &end);

	if (end == text || *end || !(rate > 0 && rate <= 1))
		argp_error(state, "\"%s\" is no rate: above 0, up to 1", text);
	return rate;
}

static enum granularity granularity_of(const char *name, struct argp_state *state)
{
	if (!strcmp(name, "4k"))
		return GRANULARITY_4K;
	if (strcmp(name, "start"))
		argp_error(state, "there is no granularity \"%s\": it is 4k or start", name);
	return GRANULARITY_START;
}

static void end_arguments(struct arguments *a, struct argp_state *state)
{
	if (a->options.rate && a->options.sample_blocks)
		argp_error(state, "a rate and a number of blocks are two ways to sample: give one");
	if (!a->options.sim.cache_count)
		add_policy(a, "lru", state);
	check_policies(a);
}

static error_t parse_sampling(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case OPTION_RATE:
		a->options.rate = rate_of(argument, state);
		return 0;
	case OPTION_SAMPLE_BLOCKS:
		a->options.sample_blocks =
			number_of(argument, 1, BLOCKS_MAX, "number of blocks", state);
		return 0;
	case OPTION_SAMPLES:
		a->options.samples =
			number_of(argument, 1, MRC_SAMPLES_MAX, "number of samples", state);
		return 0;
	case OPTION_SEED:
		a->options.seed = number_of(argument, 0, UINT32_MAX, "seed", state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'p':
		if (!strcmp(argument, "all"))
			add_all_policies(a, state);
		else
			add_policy(a, argument, state);
		return 0;
	case 'm':
		if (cache_module_load(argument))
			exit(EXIT_FAILURE);
		return 0;
	case 's':
		add_size(a, argument, state);
		return 0;
	case 'H':
		add_hints(a, argument, state);
		return 0;
	case 'g':
		a->options.sim.granularity = granularity_of(argument, state);
		return 0;
	case 'f':
		a->options.sim.format = argument;
		return 0;
	case 't':
		a->options.sim.threads =
			number_of(argument, 1, THREADS_MAX, "number of threads", state);
		return 0;
	case OPTION_MEMORY_LIMIT:
		a->options.sim.memory_limit_bytes =
			number_of(argument, 1, UINT64_MAX, "amount of memory", state);
		return 0;
	case OPTION_PLOT:
		if (figure_format(argument) < 0)
			argp_error(state, "%s ends neither in .svg nor in .png", argument);
		a->picture = argument;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->trace)
			argp_error(state, "one trace at a time");
		a->trace = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		return 0;
	case ARGP_KEY_END:
		end_arguments(a, state);
		return 0;
	}
	return parse_sampling(key, argument, state);
}

static const struct argp_option options[] = {
	{"policy", 'p', "SPEC", 0,
	 "as in s3fifo or icache:base=fifo (may be repeated; default lru); all: every one of "
	 "`sky list cache` but icache",
	 0},
	{"model", 'm', "FILE.so", 0,
	 "a policy that is no part of Sky, to be named by --policy (may be repeated)", 0},
	{"size", 's', "N", 0,
	 "entries, bytes with K, M, G or T, or % of the distinct blocks (may be repeated; default: "
	 "21 sizes from 0.1% to 100%)",
	 0},
	{"rate", OPTION_RATE, "R", 0,
	 "look at this share of the blocks, as in 0.01; 1: at all (default: lru at all, others see "
	 "--sample-blocks)",
	 0},
	{"sample-blocks", OPTION_SAMPLE_BLOCKS, "N", 0,
	 "look at so many of the blocks (default 16384 for others than lru)", 0},
	{"samples", OPTION_SAMPLES, "N", 0,
	 "of so many samples, each by its own hash, the mean is shown (default 8)", 0},
	{"seed", OPTION_SEED, "N", 0, "of the first sample's hash (default 0)", 0},
	{"hints", 'H', "NAME", 0,
	 "who tells the cache the blocks' classes: none, or one of `sky list classifier` (may be "
	 "repeated; default: sky where the trace has evidence for it)",
	 0},
	{"granularity", 'g', "4k|start", 0,
	 "requests are split into 4096-byte blocks (default), or known by their start sector alone",
	 0},
	{"format", 'f', "NAME", 0,
	 "TRACE is another program's, read as it is: one of `sky list import`", 0},
	{"threads", 't', "N", 0, "default: one a processor; the results are the same for any", 0},
	{"memory-limit", OPTION_MEMORY_LIMIT, "SIZE", 0,
	 "refuse what would take more (default: what the machine has available)", 0},
	{"plot", OPTION_PLOT, "FILE", 0, "draw the curves, too: FILE.svg or FILE.png", 0},
	{"json", 'j', NULL, 0, "print one JSON object", 0},
	{0},
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "TRACE",
	.doc = "Shows which share of the references caches of each size would miss, untimed. The "
	       "curve of lru is exact unless a sample is asked for; those of other policies come "
	       "from caches scaled down to samples of the blocks, with a 95% confidence interval."
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
	struct results results = {.path = a->trace, .curves = json};

	return a->picture ? figure_save(&miss_ratio_figure, &results, a->picture) : 0;
}

static int run_mrc(int argc, char **argv)
{
	struct arguments a = {0};
	json_t *json;

	a.options.sim.caches = a.policies;
	a.options.sim.sizes = a.sizes;
	a.options.sim.hints = a.hints;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	json = mrc_trace(a.trace, &a.options);
	if (json && draw(json, &a)) {
		json_decref(json);
		json = NULL;
	}
	return command_result(json, a.json, print_curves);
}

SKY_COMMAND(mrc, "mrc", "miss-ratio curves: what caches of every size would have missed", run_mrc);
