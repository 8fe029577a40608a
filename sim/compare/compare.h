/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two sides, each one recording or result, or several repetitions of one:
 * what differs, by how much, and whether that may be chance.
 *
 *   file -> measure() -> names and numbers --+
 *                                            +-> a row a name -> one JSON object
 *   file -> measure() -> names and numbers --+
 */
#ifndef SKY_COMPARE_H
#define SKY_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define COMPARE_FILES_MAX 64 /* a side */
#define COMPARE_RULES_MAX 64

enum limit_unit { LIMIT_NONE, LIMIT_ABSOLUTE, LIMIT_PERCENT };

/* How far B may be from A. */
struct tolerance {
	const char *pattern; /* of names, as fnmatch(3) has it; NULL: every number */
	double limit;
	enum limit_unit unit;
};

struct compare_side {
	const char *paths[COMPARE_FILES_MAX];
	size_t count;
};

struct compare_options {
	struct compare_side sides[2];
	const char *hints;				/* for recordings; NULL: don't classify */
	struct tolerance tolerances[COMPARE_RULES_MAX]; /* the last that matches holds */
	size_t tolerance_count;
	const char *only[COMPARE_RULES_MAX], *ignored[COMPARE_RULES_MAX]; /* patterns */
	size_t only_count, ignored_count;
};

/*
 * The result as docs/compare.md describes it; its "exceeding" counts what
 * is outside the tolerances. NULL after saying what is wrong.
 */
json_t *compare_sides(const struct compare_options *options);

/* Prints it for a person; all: also the numbers that are the same. */
void compare_print(const json_t *result, bool all);

#endif
