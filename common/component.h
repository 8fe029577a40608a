/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Sky is made of: commands, importers, cache policies, workloads, figures.
 *
 * Each lives in a file of its own and registers itself: its ops struct begins
 * with a struct component, and COMPONENT() leaves a pointer to it in a linker
 * section that `sky list`, the help texts and component_find() walk. Adding
 * one is adding a file.
 */
#ifndef SKY_COMPONENT_H
#define SKY_COMPONENT_H

#include <stddef.h>
#include <stdint.h>

/* One number that a user may set, as in `clock:bits=2`. */
struct parameter {
	const char *name, *help;
	uint64_t min, max, preset;
	size_t offset; /* of the uint64_t inside the component's state */
};

/*
 * The one parameter that names another component, as in `icache:base=clock,bits=2`:
 * what the outer component doesn't know itself is a parameter of the chosen one.
 */
struct choice {
	const char *name, *help;
	const char *kind;   /* of what can be chosen */
	const char *preset; /* the name of the component that is taken otherwise */
	size_t offset;	    /* of the struct chosen inside the component's state */
};

struct chosen {
	const struct component *component;
	char parameters[256]; /* for component_set_parameters() */
};

struct component {
	const char *kind;    /* "command", "recorder", "cache", "import", "workload", "figure" */
	const char *name;    /* as the user types it */
	const char *summary; /* one line for `sky list` */
	const char *source;  /* where it was published or specified; NULL if it is our own */
	const struct parameter *parameters; /* ends with a NULL name; NULL if there are none */
	const struct choice *choice;	    /* NULL if there is none */
};

#define COMPONENT(identifier, head)                             \
	static const struct component *const identifier##_entry \
		__attribute__((used, section("sky_components"))) = &(head)

extern const struct component *const __start_sky_components[];
extern const struct component *const __stop_sky_components[];

#define component_for_each(entry)                                           \
	for (const struct component *const *entry = __start_sky_components; \
	     entry < __stop_sky_components; entry++)

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/*
 * Adds one that came while the program runs, from a shared object, and stays. 0;
 * -EEXIST if there is one of that kind and name, -ENOSPC if there are too many.
 */
int component_add(const struct component *component);
#define COMPONENTS_ADDED_MAX 64

/* NULL if there is none of that kind and name. */
const struct component *component_find(const char *kind, const char *name);

/* All components of a kind (NULL = every kind), sorted by kind, then name; returns how many. */
size_t component_collect(const char *kind, const struct component **list, size_t max);

/*
 * Sets the parameters and the choice inside state from "name=value,name=value"
 * (NULL or "" = presets only). Says what is wrong and returns -1 on an unknown
 * name or a value out of range; the parameters of a chosen component are kept
 * for it and not looked at.
 */
int component_set_parameters(const struct component *c, void *state, const char *text);

#endif
