/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results of `sky sim` as a grid for each size of cache: policies down; across, alone and
 * under each rule with each kind of hints. As a table here, as a picture in policies.c.
 */
#ifndef SKY_SIDE_BY_SIDE_H
#define SKY_SIDE_BY_SIDE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* What is compared: percents, of which more is better. */
struct measure {
	const char *name;				   /* as the user types it */
	const char *label;				   /* with the unit */
	bool (*of)(const json_t *result, double *percent); /* false: that isn't known */
};

/* NULL if there is none of that name. */
const struct measure *measure_find(const char *name);

#define SIDE_BY_SIDE_NAME 96

struct side_by_side_column {
	char rule[SIDE_BY_SIDE_NAME]; /* "" = the policy alone */
	const char *hints;	      /* NULL = any, which make no difference */
};

struct side_by_side {
	const struct measure *measure;
	bool start_keys;		 /* caches of start keys, not of blocks */
	size_t sizes, policies, columns; /* how many */
	const json_t **size;		 /* a result of that size */
	char (*policy)[SIDE_BY_SIDE_NAME];
	struct side_by_side_column *column;
	double *percent; /* NAN: not known, or not simulated */
};

/*
 * Borrows from json, cache_simulate()'s. 0, or -1 after saying what is wrong; fini may follow
 * a failure.
 */
int side_by_side_init(struct side_by_side *grid, const json_t *json, const struct measure *measure);
void side_by_side_fini(struct side_by_side *grid);

double side_by_side_at(const struct side_by_side *grid, size_t size, size_t policy, size_t column);

void side_by_side_print(const struct side_by_side *grid);

#endif
