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
#include "plot.h"
#include "side_by_side.h"
#include "sim/cache_options.h"
#include "sim_table.h"

enum {
	OPTION_DEVICE = CACHE_OPTIONS_KEYS,
	OPTION_WARM_UP,
	OPTION_LARGEST,
	OPTION_WINDOW,
	OPTION_BY,
	OPTION_SIDE_BY_SIDE,
	OPTION_PLOT,
};

#define MEASURES_MAX 8

struct arguments {
	struct cache_options cache;
	struct cache_sim_options options;
	bool by_class; /* in the table; the object always has it */
	const struct measure *measures[MEASURES_MAX];
	size_t measure_count;
	const char *picture;
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

static const struct {
	const char *name;
	unsigned int by; /* BY_*; 0: the classes that hints give */
} breakdowns[] = {
	{"class", 0},
	{"truth", BY_TRUE_CLASS},
	{"size", BY_FILE_SIZE},
	{"disk", BY_DISK},
};

static void add_breakdown(struct arguments *a, const char *name, size_t length,
			  struct argp_state *state)
{
	for (size_t i = 0; i < sizeof(breakdowns) / sizeof(*breakdowns); i++)
		if (strlen(breakdowns[i].name) == length &&
		    !memcmp(breakdowns[i].name, name, length)) {
			a->options.by |= breakdowns[i].by;
			a->by_class |= !breakdowns[i].by;
			return;
		}
	argp_error(state, "there are no results by \"%.*s\": it is class, truth, size or disk",
		   (int)length, name);
}

static void add_breakdowns(struct arguments *a, const char *names, struct argp_state *state)
{
	for (;; names++) {
		size_t length = strcspn(names, ",");

		add_breakdown(a, names, length, state);
		names += length;
		if (!*names)
			return;
	}
}

static void add_measure(struct arguments *a, const char *name, const struct argp_state *state)
{
	const struct measure *measure = measure_find(name);

	if (!measure)
		argp_error(state,
			   "\"%s\" can't stand side by side: it is hits, reads, writes or time",
			   name);
	if (a->measure_count == MEASURES_MAX)
		argp_error(state, "no more than %d tables side by side", MEASURES_MAX);
	a->measures[a->measure_count++] = measure;
}

static bool needs_device(const struct arguments *a)
{
	for (size_t i = 0; i < a->measure_count; i++)
		if (a->measures[i] == measure_find("time"))
			return !a->options.device;
	return false;
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
	case OPTION_BY:
		add_breakdowns(a, argument, state);
		return 0;
	case OPTION_SIDE_BY_SIDE:
		add_measure(a, argument, state);
		return 0;
	case OPTION_PLOT:
		if (figure_format(argument) < 0)
			argp_error(state, "%s ends neither in .svg nor in .png", argument);
		a->picture = argument;
		return 0;
	case ARGP_KEY_END:
		if (!a->options.size_count)
			argp_error(state, "how large should the cache be? Say --size N");
		if (needs_device(a))
			argp_error(state, "of which device the time? Say --device, as in hdd");
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
	{"by", OPTION_BY, "WHAT,...", 0,
	 "show results apart, too: by class, as the hints say; by truth, the true class whatever "
	 "they say; by size of the file; by disk",
	 0},
	{"side-by-side", OPTION_SIDE_BY_SIDE, "WHAT", 0,
	 "show in percent, a line a policy, what rules and hints make of it: hits, reads or writes "
	 "(those among them), or time, that of the device which is saved (may be repeated)",
	 0},
	{"plot", OPTION_PLOT, "FILE", 0,
	 "draw the first of these, too (default: reads): FILE.svg or FILE.png", 0},
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

static int print_side_by_side(const json_t *json, const struct measure *measure)
{
	struct side_by_side grid;
	int rc = side_by_side_init(&grid, json, measure);

	if (!rc)
		side_by_side_print(&grid);
	side_by_side_fini(&grid);
	return rc;
}

static int print(const json_t *json, const struct arguments *a)
{
	if (!a->measure_count) {
		sim_table_print(json, a->by_class);
		return 0;
	}
	sim_table_head(json);
	for (size_t i = 0; i < a->measure_count; i++) {
		if (i)
			printf("\n");
		if (print_side_by_side(json, a->measures[i]))
			return -1;
	}
	return 0;
}

/* The picture first: a table without it would look like success. */
static int draw_and_print(json_t *json, const struct arguments *a)
{
	struct results results = {
		.path = a->cache.trace, .policies = json, .measure = a->measures[0]};

	if (a->picture && figure_save(&policies_figure, &results, a->picture))
		return -1;
	return a->cache.json ? 0 : print(json, a);
}

static int run_sim(int argc, char **argv)
{
	struct arguments a = {0};

	json_t *json;

	cache_options_init(&a.cache, &a.options);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	json = cache_simulate(a.cache.trace, &a.options);
	if (json && draw_and_print(json, &a)) {
		json_decref(json);
		json = NULL;
	}
	if (!json || a.cache.json)
		return command_result(json, true, NULL);
	json_decref(json);
	return command_finish();
}

SKY_COMMAND(sim, "sim", "simulate caches over a trace, untimed: hits, misses, contents", run_sim);
