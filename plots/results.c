/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds out what figures and the report ask for, once each.
 *
 * The plain cache is lru without hints; against it stands icache over lru with
 * Sky's hints and, as a bound, with the truth. All of them are simulated in
 * one reading of the trace.
 */
#include <stdio.h>
#include <string.h>

#include "capture/event.h"
#include "capture/info.h"
#include "plot.h"
#include "sim/cache_sim.h"
#include "sim/classify.h"
#include "sim/lifetimes.h"

#define POLICIES_MAX 64
#define NAME_ROOM    96

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

json_t *results_info(struct results *results)
{
	if (!results->info)
		results->info = trace_info(results->path);
	return results->info;
}

json_t *results_classes(struct results *results)
{
	struct classify_options options;

	if (results->classes)
		return results->classes;
	classify_defaults(&options);
	results->classes = classify_trace(results->path, &options);
	return results->classes;
}

json_t *results_caches(struct results *results)
{
	static const char *const caches[] = {"lru", "icache"};
	static const char *const sizes[] = {"1%", "2%", "5%", "10%", "20%", "40%", "60%", "80%"};
	static const char *const hints[] = {HINTS_NONE, "sky", "truth"};
	static const struct cache_sim_options options = {
		.caches = caches,
		.cache_count = COUNT_OF(caches),
		.sizes = sizes,
		.size_count = COUNT_OF(sizes),
		.hints = hints,
		.hint_count = COUNT_OF(hints),
		.granularity = GRANULARITY_4K,
	};

	if (!results->caches)
		results->caches = cache_simulate(results->path, &options);
	return results->caches;
}

json_t *results_lifetimes(struct results *results)
{
	if (!results->lifetimes)
		results->lifetimes = lifetimes_of_trace(results->path);
	return results->lifetimes;
}

/* Every policy's name, then icache over each; made is for the names of these. Returns how many. */
static size_t name_policies(const char **names, char (*made)[NAME_ROOM])
{
	const struct component *list[POLICIES_MAX];
	size_t count = component_collect("cache", list, POLICIES_MAX), n = 0, policies;

	for (size_t i = 0; i < count; i++)
		if (!list[i]->choice)
			names[n++] = list[i]->name;
	policies = n;
	for (size_t i = 0; i < policies; i++) {
		snprintf(made[i], sizeof(made[i]), "icache:base=%s", names[i]);
		names[n++] = made[i];
	}
	return n;
}

json_t *results_policies(struct results *results)
{
	static const char *const sizes[] = {"1%", "5%", "20%"};
	static const char *const hints[] = {HINTS_NONE, "flags", "sequential", "sky", "truth"};
	char made[POLICIES_MAX][NAME_ROOM];
	const char *caches[2 * POLICIES_MAX];
	const struct cache_sim_options options = {
		.caches = caches,
		.cache_count = name_policies(caches, made),
		.sizes = sizes,
		.size_count = COUNT_OF(sizes),
		.hints = hints,
		.hint_count = COUNT_OF(hints),
		.granularity = GRANULARITY_4K,
	};

	if (!results->policies)
		results->policies = cache_simulate(results->path, &options);
	return results->policies;
}

void results_free(struct results *results)
{
	json_decref(results->lifetimes);
	json_decref(results->info);
	json_decref(results->policies);
	json_decref(results->classes);
	json_decref(results->caches);
}

const json_t *result_find(const json_t *caches, const char *cache, const char *hints,
			  const char *size)
{
	const json_t *result;
	size_t i;

	json_array_foreach (json_object_get(caches, "results"), i, result)
		if (!strcmp(json_string_value(json_object_get(result, "cache")), cache) &&
		    !strcmp(json_string_value(json_object_get(result, "hints")), hints) &&
		    !strcmp(json_string_value(json_object_get(result, "size")), size))
			return result;
	return NULL;
}

bool result_read_hits(const json_t *result, double *percent)
{
	const json_t *miss_ratio = json_object_get(json_object_get(result, "reads"), "miss_ratio");

	if (!json_is_number(miss_ratio))
		return false;
	*percent = 100 * (1 - json_number_value(miss_ratio));
	return true;
}

double result_bytes(const json_t *result)
{
	return json_number_value(json_object_get(result, "size_entries")) * CHUNK_BYTES;
}

const char *telling_size(const json_t *caches, double *gain)
{
	const json_t *result;
	const char *best = NULL;
	size_t i;

	*gain = 0;
	json_array_foreach (json_object_get(caches, "results"), i, result) {
		const char *size = json_string_value(json_object_get(result, "size"));
		double plain, hinted;

		if (!result_read_hits(result_find(caches, "lru", "none", size), &plain) ||
		    !result_read_hits(result_find(caches, "icache", "sky", size), &hinted))
			continue;
		if (best && hinted - plain <= *gain)
			continue;
		best = size;
		*gain = hinted - plain;
	}
	return best;
}
