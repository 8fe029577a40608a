/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register of components and the grammar of their parameters.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "component.h"
#include "error.h"
#include "size.h"

static const struct component *added[COMPONENTS_ADDED_MAX];
static size_t added_count;

int component_add(const struct component *component)
{
	if (component_find(component->kind, component->name))
		return -EEXIST;
	if (added_count == COMPONENTS_ADDED_MAX)
		return -ENOSPC;
	added[added_count++] = component;
	return 0;
}

const struct component *component_find(const char *kind, const char *name)
{
	component_for_each (entry)
		if (!strcmp((*entry)->kind, kind) && !strcmp((*entry)->name, name))
			return *entry;
	for (size_t i = 0; i < added_count; i++)
		if (!strcmp(added[i]->kind, kind) && !strcmp(added[i]->name, name))
			return added[i];
	return NULL;
}

static int by_kind_and_name(const void *a, const void *b)
{
	const struct component *const *x = a, *const *y = b;
	int order = strcmp((*x)->kind, (*y)->kind);

	return order ? order : strcmp((*x)->name, (*y)->name);
}

size_t component_collect(const char *kind, const struct component **list, size_t max)
{
	size_t n = 0;

	component_for_each (entry)
		if (n < max && (!kind || !strcmp((*entry)->kind, kind)))
			list[n++] = *entry;
	for (size_t i = 0; i < added_count; i++)
		if (n < max && (!kind || !strcmp(added[i]->kind, kind)))
			list[n++] = added[i];
	qsort(list, n, sizeof(*list), by_kind_and_name);
	return n;
}

static bool is_name(const char *name, const char *text, size_t length)
{
	return !strncmp(name, text, length) && !name[length];
}

static int choose(const struct component *c, struct chosen *chosen, const char *name)
{
	chosen->component = component_find(c->choice->kind, name);
	if (!chosen->component)
		return fail("%s %s: there is no %s \"%s\" for its %s; `sky list %s` shows what "
			    "there is",
			    c->kind, c->name, c->choice->kind, name, c->choice->name,
			    c->choice->kind);
	return 0;
}

static int pass_on(const struct component *c, struct chosen *chosen, const char *text,
		   size_t length)
{
	size_t used = strlen(chosen->parameters);

	if (used + length + 2 > sizeof(chosen->parameters))
		return fail("%s %s: the parameters of its %s are too long", c->kind, c->name,
			    c->choice->name);
	if (used)
		chosen->parameters[used++] = ',';
	memcpy(chosen->parameters + used, text, length);
	chosen->parameters[used + length] = '\0';
	return 0;
}

static int set_number(const struct component *c, void *state, const struct parameter *p,
		      const char *value)
{
	uint64_t number;

	if (size_parse(value, &number) || number < p->min || number > p->max)
		return fail("%s %s: %s=%s is not a number from %llu to %llu", c->kind, c->name,
			    p->name, value, (unsigned long long)p->min, (unsigned long long)p->max);
	*(uint64_t *)((char *)state + p->offset) = number;
	return 0;
}

static int set_one(const struct component *c, void *state, const char *text, size_t length)
{
	struct chosen *chosen = c->choice ? (void *)((char *)state + c->choice->offset) : NULL;
	const char *equals = memchr(text, '=', length);
	const struct parameter *p;
	char value[64];
	size_t name_length;

	if (!equals)
		return fail("%s %s: \"%.*s\" should be NAME=VALUE; `sky list %s` shows the names",
			    c->kind, c->name, (int)length, text, c->kind);
	name_length = equals - text;
	for (p = c->parameters; p && p->name; p++)
		if (is_name(p->name, text, name_length))
			break;
	if (!p || !p->name) {
		if (!chosen)
			return fail("%s %s has no parameter \"%.*s\"; `sky list %s` shows what "
				    "it has",
				    c->kind, c->name, (int)name_length, text, c->kind);
		if (!is_name(c->choice->name, text, name_length))
			return pass_on(c, chosen, text, length);
	}
	length -= name_length + 1;
	if (length >= sizeof(value))
		return fail("%s %s: the value of %.*s is too long", c->kind, c->name,
			    (int)name_length, text);
	memcpy(value, equals + 1, length);
	value[length] = '\0';
	return p && p->name ? set_number(c, state, p, value) : choose(c, chosen, value);
}

int component_set_parameters(const struct component *c, void *state, const char *text)
{
	for (const struct parameter *p = c->parameters; p && p->name; p++)
		*(uint64_t *)((char *)state + p->offset) = p->preset;
	if (c->choice) {
		struct chosen *chosen = (void *)((char *)state + c->choice->offset);

		chosen->parameters[0] = '\0';
		if (choose(c, chosen, c->choice->preset))
			return -1;
	}
	while (text && *text) {
		size_t length = strcspn(text, ",");

		if (set_one(c, state, text, length))
			return -1;
		text += length + (text[length] == ',');
	}
	return 0;
}
