/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Models that are not part of Sky: shared objects, made of a model's file by
 * compiling it with -DSKY_MODULE. They stay until the program ends.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "cache_model.h"
#include "common/error.h"

/* Of what the user wrote, since dlopen() searches other folders for a name without one. */
static void *load(const char *path)
{
	char *whole = realpath(path, NULL);
	void *object;

	if (!whole) {
		fail_errno(errno, "cannot load the model %s", path);
		return NULL;
	}
	object = dlopen(whole, RTLD_NOW | RTLD_LOCAL);
	if (!object)
		fail("cannot load the model %s: %s", path, dlerror());
	free(whole);
	return object;
}

static int check_version(const struct cache_module *module, const char *path)
{
	if (!module)
		return fail("%s has no cache model that Sky could use: compile the model's file "
			    "with -DSKY_MODULE",
			    path);
	if (module->version != CACHE_INTERFACE_VERSION)
		return fail("%s was compiled for version %u of the interface of cache models, this "
			    "is version %u: compile it anew",
			    path, module->version, CACHE_INTERFACE_VERSION);
	if (module->begin == module->end)
		return fail("%s has no cache model in it", path);
	return 0;
}

/* What the host calls without asking must be there. */
static bool is_complete(const struct cache_model *m)
{
	return m->head.name && m->head.summary && m->init && m->fini && m->bytes && m->access &&
	       m->contains && m->remove && m->set_class && m->evict && m->contents;
}

static int add_model(const struct component *component, const char *path)
{
	int rc;

	if (!component->kind || strcmp(component->kind, "cache"))
		return fail("%s has something in it that is no cache model", path);
	if (!is_complete(container_of(component, struct cache_model, head)))
		return fail("%s: its cache model lacks an operation or its name", path);
	rc = component_add(component);
	if (rc == -EEXIST)
		return fail("%s: there is a cache policy \"%s\" already; give this one another "
			    "name",
			    path, component->name);
	return rc ? fail("%s: more than %d models were loaded", path, COMPONENTS_ADDED_MAX) : 0;
}

int cache_module_load(const char *path)
{
	void *object = load(path);
	const struct cache_module *module;

	if (!object)
		return -1;
	module = dlsym(object, "sky_cache_module");
	if (check_version(module, path)) {
		dlclose(object);
		return -1;
	}
	for (const struct component *const *c = module->begin; c < module->end; c++)
		if (add_model(*c, path))
			return -1;
	return 0;
}
