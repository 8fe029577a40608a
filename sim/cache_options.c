/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_options.h"
#include "common/error.h"
#include "common/size.h"
#include "models/cache/cache_model.h"
#include "sim/classifier.h"

#define THREADS_MAX 1024

/* Every policy, or every policy under a rule. */
#define ALL	 "all"
#define BASE_ALL "base=" ALL

enum {
	KEY_COLUMNS = 256,
	KEY_MEMORY_LIMIT,
};

static void add_cache(struct cache_options *o, const char *spec, const struct argp_state *state)
{
	if (o->sim->cache_count == CACHE_OPTIONS_CACHES_MAX)
		argp_error(state, "no more than %d caches at a time", CACHE_OPTIONS_CACHES_MAX);
	o->caches[o->sim->cache_count++] = spec;
}

/* A policy in the place of `all`, which is so many letters long. */
static void add_made(struct cache_options *o, const char *spec, const char *all, const char *policy,
		     const struct argp_state *state)
{
	size_t place = o->sim->cache_count;

	add_cache(o, spec, state);
	if (snprintf(o->made[place], sizeof(o->made[place]), "%.*s%s%s", (int)(all - spec), spec,
		     policy, all + strlen(ALL)) >= (int)sizeof(o->made[place]))
		argp_error(state, "\"%s\" is too long", spec);
	o->caches[place] = o->made[place];
}

/* Without rules over policies. */
static void add_all(struct cache_options *o, const char *spec, const char *all,
		    const struct argp_state *state)
{
	const struct component *list[CACHE_OPTIONS_CACHES_MAX];
	size_t count = component_collect("cache", list, CACHE_OPTIONS_CACHES_MAX);

	for (size_t i = 0; i < count; i++)
		if (!list[i]->choice)
			add_made(o, spec, all, list[i]->name, state);
}

/* Where `all` stands, as the policy or as a rule's base; NULL: nowhere. */
static const char *find_all(const char *spec)
{
	const char *base = strstr(spec, BASE_ALL);

	if (!strcmp(spec, ALL))
		return spec;
	if (!base || (base[strlen(BASE_ALL)] && base[strlen(BASE_ALL)] != ','))
		return NULL;
	return base + strlen(BASE_ALL) - strlen(ALL);
}

static void add_caches(struct cache_options *o, const char *spec, const struct argp_state *state)
{
	const char *all = find_all(spec);

	if (all)
		add_all(o, spec, all, state);
	else
		add_cache(o, spec, state);
}

/* At the end, since models may be loaded by a later option. */
static void check_caches(const struct cache_options *o)
{
	struct cache cache;

	for (size_t i = 0; i < o->sim->cache_count; i++) {
		if (cache_open(&cache, o->caches[i], 1))
			exit(argp_err_exit_status);
		cache_close(&cache);
	}
}

static void load_model(const char *path)
{
	if (cache_module_load(path))
		exit(EXIT_FAILURE);
}

static void add_size(struct cache_options *o, const char *size, const struct argp_state *state)
{
	struct capacity capacity;

	if (o->sim->size_count == CACHE_OPTIONS_SIZES_MAX)
		argp_error(state, "no more than %d sizes at a time", CACHE_OPTIONS_SIZES_MAX);
	if (capacity_parse(size, &capacity))
		argp_error(state,
			   "\"%s\" is no size: a number of entries, bytes with K, M, G or "
			   "T, or %% of the distinct blocks",
			   size);
	o->sizes[o->sim->size_count++] = size;
}

static void add_hints(struct cache_options *o, const char *spec, const struct argp_state *state)
{
	if (strcmp(spec, HINTS_NONE) && !classifier_find(spec))
		exit(argp_err_exit_status);
	for (size_t i = 0; i < o->sim->hint_count; i++)
		if (!strcmp(o->hints[i], spec))
			argp_error(state, "the hints %s are given twice", spec);
	if (o->sim->hint_count == HINT_MODES_MAX)
		argp_error(state, "no more than %d kinds of hints at a time", HINT_MODES_MAX);
	o->hints[o->sim->hint_count++] = spec;
}

static enum granularity granularity_of(const char *name, const struct argp_state *state)
{
	if (!strcmp(name, "4k"))
		return GRANULARITY_4K;
	if (strcmp(name, "start"))
		argp_error(state, "there is no granularity \"%s\": it is 4k or start", name);
	return GRANULARITY_START;
}

uint64_t cache_options_number(const char *text, uint64_t least, uint64_t most, const char *what,
			      const struct argp_state *state)
{
	uint64_t number;

	if (size_parse(text, &number) || number < least || number > most)
		argp_error(state, "\"%s\" is no %s from %llu to %llu", text, what,
			   (unsigned long long)least, (unsigned long long)most);
	return number;
}

static void set_memory_limit(struct cache_options *o, const char *text,
			     const struct argp_state *state)
{
	if (size_parse(text, &o->sim->memory_limit_bytes) || !o->sim->memory_limit_bytes)
		argp_error(state, "\"%s\" is no amount of memory, as in 2G", text);
}

static void end_options(struct cache_options *o, const struct argp_state *state)
{
	if (o->sim->columns && !o->sim->format)
		argp_error(state, "--columns are those of a foreign --format");
	if (!o->sim->cache_count)
		add_cache(o, "lru", state);
	check_caches(o);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct cache_options *o = state->input;

	switch (key) {
	case 'c':
	case 'p': /* an alias */
		add_caches(o, argument, state);
		return 0;
	case 'm':
		load_model(argument);
		return 0;
	case 's':
		add_size(o, argument, state);
		return 0;
	case 'H':
		add_hints(o, argument, state);
		return 0;
	case 'g':
		o->sim->granularity = granularity_of(argument, state);
		return 0;
	case 'f':
		o->sim->format = argument;
		return 0;
	case KEY_COLUMNS:
		o->sim->columns = argument;
		return 0;
	case 't':
		o->sim->threads =
			cache_options_number(argument, 1, THREADS_MAX, "number of threads", state);
		return 0;
	case KEY_MEMORY_LIMIT:
		set_memory_limit(o, argument, state);
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->trace)
			argp_error(state, "one trace at a time");
		o->trace = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		return 0;
	case ARGP_KEY_END:
		end_options(o, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{"cache", 'c', "SPEC", 0,
	 "a policy, as in lru or icache:base=fifo (may be repeated; default lru); all and "
	 "icache:base=all: every one of `sky list cache` but rules over others",
	 0},
	{"policy", 'p', NULL, OPTION_ALIAS, NULL, 0},
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
	{"format", 'f', "NAME", 0,
	 "TRACE is another program's, read as it is: one of `sky list import`", 0},
	{"columns", KEY_COLUMNS, "NAME,...", 0,
	 "what the columns of --format csv are, as `sky import` takes them", 0},
	{"threads", 't', "N", 0, "default: one a processor; the results are the same for any", 0},
	{"memory-limit", KEY_MEMORY_LIMIT, "SIZE", 0,
	 "refuse what would take more (default: what the machine has available)", 0},
	{"json", 'j', NULL, 0, "print one JSON object", 0},
	{0},
};

const struct argp cache_options_argp = {
	.options = options,
	.parser = parse_option,
};

void cache_options_init(struct cache_options *o, struct cache_sim_options *sim)
{
	*o = (struct cache_options){.sim = sim};
	sim->caches = o->caches;
	sim->sizes = o->sizes;
	sim->hints = o->hints;
}
