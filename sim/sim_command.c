/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky sim`: what caches would have made of a trace.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_sim.h"
#include "common/command.h"
#include "common/duration.h"
#include "common/error.h"
#include "common/size.h"
#include "models/cache/cache_model.h"
#include "models/device/device_model.h"
#include "sim/classifier.h"

#define LIST_MAX	    64
#define THREADS_MAX	    1024
#define OPTION_MEMORY_LIMIT 256
#define OPTION_COLUMNS	    257
#define OPTION_DEVICE	    263
#define OPTION_WARM_UP	    260
#define OPTION_LARGEST	    261
#define OPTION_WINDOW	    262

struct arguments {
	const char *trace;
	const char *caches[LIST_MAX], *sizes[LIST_MAX];
	const char *hints[HINT_MODES_MAX];
	struct cache_sim_options options;
	bool json;
};

static int find_name(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static void add_cache(struct arguments *a, const char *spec, struct argp_state *state)
{
	if (a->options.cache_count == LIST_MAX)
		argp_error(state, "no more than %d caches at a time", LIST_MAX);
	a->caches[a->options.cache_count++] = spec;
}

/* Models may be loaded by a later option. */
static void check_caches(const struct arguments *a)
{
	struct cache cache;

	for (size_t i = 0; i < a->options.cache_count; i++) {
		if (cache_open(&cache, a->caches[i], 1))
			exit(argp_err_exit_status);
		cache_close(&cache);
	}
}

static void load_model(const char *path)
{
	if (cache_module_load(path))
		exit(EXIT_FAILURE);
}

static void add_size(struct arguments *a, const char *size, struct argp_state *state)
{
	struct capacity capacity;

	if (a->options.size_count == LIST_MAX)
		argp_error(state, "no more than %d sizes at a time", LIST_MAX);
	if (capacity_parse(size, &capacity))
		argp_error(state,
			   "\"%s\" is no size: a number of entries, bytes with K, M, G or "
			   "T, or %% of the distinct blocks",
			   size);
	a->sizes[a->options.size_count++] = size;
}

static void add_hints(struct arguments *a, const char *spec, struct argp_state *state)
{
	if (strcmp(spec, HINTS_NONE) && !classifier_find(spec))
		exit(argp_err_exit_status);
	for (size_t i = 0; i < a->options.hint_count; i++)
		if (!strcmp(a->hints[i], spec))
			return;
	if (a->options.hint_count == HINT_MODES_MAX)
		argp_error(state, "no more than %d kinds of hints at a time", HINT_MODES_MAX);
	a->hints[a->options.hint_count++] = spec;
}

static void set_granularity(struct arguments *a, const char *name, struct argp_state *state)
{
	static const char *const names[] = {
		[GRANULARITY_4K] = "4k", [GRANULARITY_START] = "start", NULL};
	int granularity = find_name(names, name);

	if (granularity < 0)
		argp_error(state, "there is no granularity \"%s\": it is 4k or start", name);
	a->options.granularity = granularity;
}

static void set_threads(struct arguments *a, const char *text, struct argp_state *state)
{
	uint64_t threads;

	if (size_parse(text, &threads) || !threads || threads > THREADS_MAX)
		argp_error(state, "\"%s\" is no number of threads from 1 to %d", text, THREADS_MAX);
	a->options.threads = threads;
}

static void set_memory_limit(struct arguments *a, const char *text, struct argp_state *state)
{
	if (size_parse(text, &a->options.memory_limit_bytes) || !a->options.memory_limit_bytes)
		argp_error(state, "\"%s\" is no amount of memory, as in 2G", text);
}

static void set_writes(struct arguments *a, const char *name, struct argp_state *state)
{
	int mode = find_name(cache_write_modes, name);

	if (mode < 0)
		argp_error(state,
			   "there is no way to write \"%s\": it is through, back, update or around",
			   name);
	a->options.rules.writes = mode;
}

static void set_warm_up(struct arguments *a, const char *text, struct argp_state *state)
{
	struct cache_rules *rules = &a->options.rules;

	rules->warm_up_requests = rules->warm_up_ns = 0;
	if (!size_parse(text, &rules->warm_up_requests))
		return;
	rules->warm_up_requests = 0;
	if (duration_parse(text, &rules->warm_up_ns))
		argp_error(state, "\"%s\" is no warm-up: a number of requests, or a time as in 30s",
			   text);
}

static void set_largest(struct arguments *a, const char *text, struct argp_state *state)
{
	uint64_t bytes;

	if (size_parse(text, &bytes) || bytes < SECTOR_BYTES)
		argp_error(state, "\"%s\" is no size of a request, as in 1M", text);
	a->options.rules.largest_sectors = bytes / SECTOR_BYTES;
}

static void set_device(struct arguments *a, const char *spec)
{
	struct device device;

	if (device_open(&device, spec))
		exit(argp_err_exit_status);
	device_close(&device);
	a->options.device = spec;
}

static void set_window(struct arguments *a, const char *text, struct argp_state *state)
{
	if (duration_parse(text, &a->options.rules.window_ns))
		argp_error(state, "\"%s\" is no time, as in 10s", text);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'c':
		add_cache(a, argument, state);
		return 0;
	case 'm':
		load_model(argument);
		return 0;
	case 's':
		add_size(a, argument, state);
		return 0;
	case 'H':
		add_hints(a, argument, state);
		return 0;
	case 'g':
		set_granularity(a, argument, state);
		return 0;
	case 'f':
		a->options.format = argument;
		return 0;
	case OPTION_COLUMNS:
		a->options.columns = argument;
		return 0;
	case 'w':
		set_writes(a, argument, state);
		return 0;
	case OPTION_DEVICE:
		set_device(a, argument);
		return 0;
	case OPTION_WARM_UP:
		set_warm_up(a, argument, state);
		return 0;
	case OPTION_LARGEST:
		set_largest(a, argument, state);
		return 0;
	case OPTION_WINDOW:
		set_window(a, argument, state);
		return 0;
	case 't':
		set_threads(a, argument, state);
		return 0;
	case OPTION_MEMORY_LIMIT:
		set_memory_limit(a, argument, state);
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
		if (!a->options.size_count)
			argp_error(state, "how large should the cache be? Say --size N");
		if (a->options.columns && !a->options.format)
			argp_error(state, "--columns are those of a foreign --format");
		check_caches(a);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{"cache", 'c', "SPEC", 0,
	 "a policy, as in lru or icache:base=fifo (may be repeated; default lru); "
	 "`sky list cache` shows what there is",
	 0},
	{"model", 'm', "FILE.so", 0,
	 "a policy that is no part of Sky, to be named by --cache (may be repeated)", 0},
	{"size", 's', "N", 0,
	 "entries, bytes with K, M, G or T, or % of the distinct blocks (may be repeated)", 0},
	{"hints", 'H', "NAME", 0,
	 "who tells the cache the blocks' classes: none, or one of `sky list classifier` (may be "
	 "repeated; default: sky where the trace has evidence for it)",
	 0},
	{"granularity", 'g', "4k|start", 0,
	 "requests are split into 4096-byte blocks (default), or known by their start sector alone",
	 0},
	{"writes", 'w', "HOW", 0,
	 "through: all are cached and go to the device at once (default); back: the device gets a "
	 "block when it leaves; update: only blocks that are cached take them; around: the cache "
	 "drops the block",
	 0},
	{"largest", OPTION_LARGEST, "SIZE", 0, "longer requests bring nothing into the cache", 0},
	{"device", OPTION_DEVICE, "SPEC", 0,
	 "count how long the misses keep a device busy: one of `sky list device`, as in hdd", 0},
	{"warm-up", OPTION_WARM_UP, "N|TIME", 0,
	 "the first N requests, or those within TIME (30s), are not counted", 0},
	{"window", OPTION_WINDOW, "TIME", 0,
	 "results over time are for windows this long (default: up to 255 alike)", 0},
	{"format", 'f', "NAME", 0,
	 "TRACE is another program's, read as it is: one of `sky list import`", 0},
	{"columns", OPTION_COLUMNS, "NAME,...", 0,
	 "what the columns of --format csv are, as `sky import` takes them", 0},
	{"threads", 't', "N", 0, "default: one a processor; the results are the same for any", 0},
	{"memory-limit", OPTION_MEMORY_LIMIT, "SIZE", 0,
	 "refuse what would take more (default: what the machine has available)", 0},
	{"json", 'j', NULL, 0, "print one JSON object", 0},
	{0},
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "TRACE",
	.doc = "Simulates caches, untimed: every cache at every size under every kind of hints, "
	       "in one pass. Requests count when they are issued; reads and, unless --writes says "
	       "otherwise, writes allocate; "
	       "discarded blocks leave; flushes have no effect."
	       "\vExample: sky sim a.h5 --cache lru --cache icache:base=lru --size 5% --size 10% "
	       "--hints sky --hints truth",
};

static void print_count(const json_t *object, const char *name, int width)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value))
		printf("%*" JSON_INTEGER_FORMAT, width, json_integer_value(value));
	else
		printf("%*s", width, "n/a");
}

static void print_ratio(const json_t *object, int width)
{
	const json_t *value = json_object_get(object, "miss_ratio");

	if (json_is_real(value))
		printf("%*.4f", width, json_real_value(value));
	else
		printf("%*s", width, "n/a");
}

/* Of a device's time, where somebody asked for it. */
static void print_seconds(const json_t *device, int width)
{
	const json_t *saved = json_object_get(device, "device_ns_saved");

	if (saved)
		printf("%*.2f", width, json_integer_value(saved) / 1e9);
}

static const json_t *class_of(const json_t *result, int io_class)
{
	const json_t *object;
	size_t i;

	json_array_foreach (json_object_get(result, "by_class"), i, object)
		if (json_integer_value(json_object_get(object, "io_class")) == io_class &&
		    json_is_integer(json_object_get(object, "io_class")))
			return object;
	return NULL;
}

static int longest(const json_t *results, const char *name, int least)
{
	const json_t *result;
	size_t i;

	json_array_foreach (results, i, result) {
		int length = strlen(json_string_value(json_object_get(result, name)));

		least = length > least ? length : least;
	}
	return least;
}

static void print_result(const json_t *result, int cache_width, int hints_width, int size_width)
{
	printf("%-*s  %-*s  %*s", cache_width, json_string_value(json_object_get(result, "cache")),
	       hints_width, json_string_value(json_object_get(result, "hints")), size_width,
	       json_string_value(json_object_get(result, "size")));
	print_count(result, "size_entries", 12);
	print_count(result, "hits", 14);
	print_count(result, "misses", 14);
	print_ratio(result, 12);
	print_ratio(json_object_get(result, "reads"), 10);
	print_ratio(json_object_get(result, "writes"), 10);
	print_ratio(class_of(result, CLASS_METADATA), 10);
	print_seconds(json_object_get(result, "device"), 12);
	printf("\n");
}

static bool has_device(const json_t *results)
{
	const json_t *result = json_array_get(results, 0);

	return json_object_get(json_object_get(result, "device"), "device_ns") != NULL;
}

static void print_table(const json_t *json)
{
	const json_t *results = json_object_get(json, "results"), *result;
	int cache_width = longest(results, "cache", 5), size_width = longest(results, "size", 4);
	int hints_width = longest(results, "hints", 5);
	size_t i;

	printf("%s: %" JSON_INTEGER_FORMAT " requests, %" JSON_INTEGER_FORMAT
	       " references to %" JSON_INTEGER_FORMAT " distinct blocks (%s)\n\n",
	       json_string_value(json_object_get(json, "trace")),
	       json_integer_value(json_object_get(json, "requests")),
	       json_integer_value(json_object_get(json, "references")),
	       json_integer_value(json_object_get(json, "distinct_blocks")),
	       json_string_value(json_object_get(json, "granularity")));
	printf("%-*s  %-*s  %*s%12s%14s%14s%12s%10s%10s%10s", cache_width, "cache", hints_width,
	       "hints", size_width, "size", "blocks", "hits", "misses", "miss ratio", "reads",
	       "writes", "metadata");
	printf("%s\n", has_device(results) ? "     s saved" : "");
	json_array_foreach (results, i, result)
		print_result(result, cache_width, hints_width, size_width);
}

static int run_sim(int argc, char **argv)
{
	struct arguments a = {0};

	a.options.caches = a.caches;
	a.options.sizes = a.sizes;
	a.options.hints = a.hints;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (!a.options.cache_count)
		a.caches[a.options.cache_count++] = "lru";
	return command_result(cache_simulate(a.trace, &a.options), a.json, print_table);
}

SKY_COMMAND(sim, "sim", "simulate caches over a trace, untimed: hits, misses, contents", run_sim);
