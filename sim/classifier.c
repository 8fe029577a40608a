/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classifiers from what the user typed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "sim/classifier.h"

#define CLASSIFIERS_MAX 32

const char *classifier_names(void)
{
	static char names[256];
	const struct component *list[CLASSIFIERS_MAX];
	size_t count = component_collect("classifier", list, CLASSIFIERS_MAX), used = 0;

	for (size_t i = 0; i < count && used < sizeof(names); i++)
		used += snprintf(names + used, sizeof(names) - used, "%s%s",
				 i == 0		 ? ""
				 : i + 1 < count ? ", "
						 : " or ",
				 list[i]->name);
	return names;
}

const struct classifier_ops *classifier_find(const char *spec)
{
	char name[64];
	const struct component *found = NULL;
	size_t length = strcspn(spec, ":");

	if (length < sizeof(name)) {
		memcpy(name, spec, length);
		name[length] = '\0';
		found = component_find("classifier", name);
	}
	if (found)
		return container_of(found, struct classifier_ops, head);
	fail("there are no hints \"%.*s\": they are %s", (int)length, spec, classifier_names());
	return NULL;
}

int classifier_open(struct classifier *c, const char *spec, const struct classifier_setup *setup)
{
	const char *parameters = strchr(spec, ':');

	*c = (struct classifier){.ops = classifier_find(spec)};
	if (!c->ops)
		return -1;
	c->state = calloc(1, c->ops->state_bytes);
	if (!c->state)
		return fail("out of memory for the hints \"%s\"", spec);
	if (component_set_parameters(&c->ops->head, c->state, parameters ? parameters + 1 : NULL))
		return -1;
	return c->ops->init(c->state, setup);
}

void classifier_close(struct classifier *c)
{
	if (!c->state)
		return;
	c->ops->fini(c->state);
	free(c->state);
	c->state = NULL;
}
