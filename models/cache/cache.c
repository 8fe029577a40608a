/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Caches from what the user typed.
 */
#include <stdlib.h>
#include <string.h>

#include "cache_model.h"
#include "common/error.h"

static const struct cache_model *model_of(const char *spec, const char **parameters)
{
	size_t length = strcspn(spec, ":");
	char *name = strndup(spec, length);
	const struct component *found;

	if (!name) {
		fail("out of memory for the cache \"%s\"", spec);
		return NULL;
	}
	found = component_find("cache", name);
	free(name);
	if (!found) {
		fail("there is no cache policy \"%.*s\"; `sky list cache` shows what there is",
		     (int)length, spec);
		return NULL;
	}
	*parameters = spec[length] ? spec + length + 1 : NULL;
	return container_of(found, struct cache_model, head);
}

int cache_open(struct cache *cache, const char *spec, uint32_t capacity)
{
	const char *parameters;
	int rc;

	*cache = (struct cache){.model = model_of(spec, &parameters), .capacity = capacity};
	if (!cache->model)
		return -1;
	if (!capacity || capacity > CACHE_CAPACITY_MAX)
		return fail("a cache of %u blocks is out of range: 1 to %u are possible", capacity,
			    CACHE_CAPACITY_MAX);
	cache->state = calloc(1, cache->model->state_bytes);
	if (!cache->state)
		return fail("out of memory for the cache \"%s\"", spec);
	if (component_set_parameters(&cache->model->head, cache->state, parameters)) {
		free(cache->state);
		cache->state = NULL;
		return -1;
	}
	rc = cache->model->init(cache->state, capacity);
	if (!rc)
		return 0;
	cache_close(cache);
	if (rc == -EINVAL)
		return -1;
	return fail_errno(rc, "the cache \"%s\" of %u blocks cannot be made", spec, capacity);
}

void cache_close(struct cache *cache)
{
	if (!cache->state)
		return;
	cache->model->fini(cache->state);
	free(cache->state);
	cache->state = NULL;
}

unsigned int cache_needs(const struct cache *cache)
{
	const struct cache_model *model = cache->model;

	return model->needs_of ? model->needs_of(cache->state) : model->needs;
}

uint64_t cache_bytes(const struct cache *cache)
{
	return cache->model->state_bytes + cache->model->bytes(cache->state, cache->capacity);
}
