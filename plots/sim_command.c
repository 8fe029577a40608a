/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky sim`: what caches would have made of a trace.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/event.h"
#include "common/command.h"
#include "common/duration.h"
#include "common/error.h"
#include "common/size.h"
#include "models/device/device_model.h"
#include "sim/cache_options.h"

enum {
	OPTION_DEVICE = CACHE_OPTIONS_KEYS,
	OPTION_WARM_UP,
	OPTION_LARGEST,
	OPTION_WINDOW,
};

struct arguments {
	struct cache_options cache;
	struct cache_sim_options options;
};

static int find_name(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
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
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->cache;
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
	case ARGP_KEY_END:
		if (!a->options.size_count)
			argp_error(state, "how large should the cache be? Say --size N");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
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
	{0},
};

static const struct argp_child children[] = {{&cache_options_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.children = children,
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

	cache_options_init(&a.cache, &a.options);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return command_result(cache_simulate(a.cache.trace, &a.options), a.cache.json, print_table);
}

SKY_COMMAND(sim, "sim", "simulate caches over a trace, untimed: hits, misses, contents", run_sim);
