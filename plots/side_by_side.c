/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/component.h"
#include "common/error.h"
#include "plot.h"
#include "side_by_side.h"

#define BASE "base="

static const char *text_of(const json_t *result, const char *name)
{
	return json_string_value(json_object_get(result, name));
}

static bool percent_of_hits(const json_t *counts, double *percent)
{
	const json_t *miss_ratio = json_object_get(counts, "miss_ratio");

	if (!json_is_number(miss_ratio))
		return false;
	*percent = 100 * (1 - json_number_value(miss_ratio));
	return true;
}

static bool write_hits(const json_t *result, double *percent)
{
	return percent_of_hits(json_object_get(result, "writes"), percent);
}

static bool time_saved(const json_t *result, double *percent)
{
	const json_t *device = json_object_get(result, "device");
	double bare = json_number_value(json_object_get(device, "device_ns_without_cache"));

	if (!bare)
		return false;
	*percent = 100 * json_number_value(json_object_get(device, "device_ns_saved")) / bare;
	return true;
}

static const struct measure measures[] = {
	{"hits", "hits (% of the chunks)", percent_of_hits},
	{"reads", "hits (% of the chunks read)", result_read_hits},
	{"writes", "hits (% of the chunks written)", write_hits},
	{"time", "time of the device that is saved (%)", time_saved},
};

const struct measure *measure_find(const char *name)
{
	for (size_t i = 0; i < sizeof(measures) / sizeof(*measures); i++)
		if (!strcmp(measures[i].name, name))
			return &measures[i];
	return NULL;
}

/* The rule of a spec, or NULL; what it says of the base is *base. */
static const struct component *rule_of(const char *spec, const char **base)
{
	const char *colon = strchr(spec, ':');
	char name[SIDE_BY_SIDE_NAME];
	const struct component *rule;

	snprintf(name, sizeof(name), "%.*s", colon ? (int)(colon - spec) : (int)strlen(spec), spec);
	rule = component_find("cache", name);
	if (!rule || !rule->choice)
		return NULL;
	*base = colon ? strstr(colon, BASE) : NULL;
	return rule;
}

/* "icache:base=arc,journal=1" is the policy arc under the rule icache:journal=1. */
static void split_spec(const char *spec, char *rule, char *policy)
{
	const char *base = NULL, *after;
	const struct component *found = rule_of(spec, &base);

	rule[0] = '\0';
	if (!found) {
		snprintf(policy, SIDE_BY_SIDE_NAME, "%s", spec);
		return;
	}
	if (!base) {
		snprintf(policy, SIDE_BY_SIDE_NAME, "%s", found->choice->preset);
		snprintf(rule, SIDE_BY_SIDE_NAME, "%s", spec);
		return;
	}
	after = base + strcspn(base, ",");
	snprintf(policy, SIDE_BY_SIDE_NAME, "%.*s", (int)(after - base - strlen(BASE)),
		 base + strlen(BASE));
	/* without the comma, or the colon, that there is one too many of */
	snprintf(rule, SIDE_BY_SIDE_NAME, "%.*s%s", (int)(base - spec) - !*after, spec,
		 after + (*after != '\0'));
}

static size_t find_size(struct side_by_side *g, const json_t *result)
{
	size_t i = 0;

	while (i < g->sizes && strcmp(text_of(g->size[i], "size"), text_of(result, "size")))
		i++;
	if (i == g->sizes)
		g->size[g->sizes++] = result;
	return i;
}

static size_t find_policy(struct side_by_side *g, const char *policy)
{
	size_t i = 0;

	while (i < g->policies && strcmp(g->policy[i], policy))
		i++;
	if (i == g->policies)
		strcpy(g->policy[g->policies++], policy);
	return i;
}

static size_t find_column(struct side_by_side *g, const char *rule, const char *hints)
{
	size_t i = 0;

	while (i < g->columns &&
	       (strcmp(g->column[i].rule, rule) || strcmp(g->column[i].hints, hints)))
		i++;
	if (i == g->columns) {
		strcpy(g->column[i].rule, rule);
		g->column[g->columns++].hints = hints;
	}
	return i;
}

struct place {
	size_t size, policy, column;
};

static struct place place_of(struct side_by_side *g, const json_t *result)
{
	char rule[SIDE_BY_SIDE_NAME], policy[SIDE_BY_SIDE_NAME];

	split_spec(text_of(result, "cache"), rule, policy);
	return (struct place){
		.size = find_size(g, result),
		.policy = find_policy(g, policy),
		.column = find_column(g, rule, text_of(result, "hints")),
	};
}

static double *cell(const struct side_by_side *g, size_t size, size_t policy, size_t column)
{
	return &g->percent[(size * g->policies + policy) * g->columns + column];
}

double side_by_side_at(const struct side_by_side *g, size_t size, size_t policy, size_t column)
{
	return *cell(g, size, policy, column);
}

static int fill_cells(struct side_by_side *g, const json_t *results)
{
	size_t count = g->sizes * g->policies * g->columns, i;
	const json_t *result;

	g->percent = calloc(count + 1, sizeof(*g->percent));
	if (!g->percent)
		return -1;
	for (i = 0; i < count; i++)
		g->percent[i] = NAN;
	json_array_foreach (results, i, result) {
		struct place place = place_of(g, result);

		if (!g->measure->of(result, cell(g, place.size, place.policy, place.column)))
			*cell(g, place.size, place.policy, place.column) = NAN;
	}
	return 0;
}

static bool same_hits(const json_t *a, const json_t *b)
{
	return json_equal(json_object_get(a, "hits"), json_object_get(b, "hits")) ||
	       json_is_null(json_object_get(a, "hits")) || json_is_null(json_object_get(b, "hits"));
}

/* Do hints make no difference to any policy alone? Results have the hints innermost. */
static bool alone_is_alike(const json_t *results)
{
	const json_t *result, *before = NULL;
	const char *base;
	size_t i;

	json_array_foreach (results, i, result) {
		if (before && !rule_of(text_of(result, "cache"), &base) &&
		    !strcmp(text_of(before, "cache"), text_of(result, "cache")) &&
		    !strcmp(text_of(before, "size"), text_of(result, "size")) &&
		    !same_hits(before, result))
			return false;
		before = result;
	}
	return true;
}

static size_t known_cells(const struct side_by_side *g, size_t column)
{
	size_t known = 0;

	for (size_t size = 0; size < g->sizes; size++)
		for (size_t policy = 0; policy < g->policies; policy++)
			known += !isnan(*cell(g, size, policy, column));
	return known;
}

static void remove_column(struct side_by_side *g, size_t column)
{
	size_t rows = g->sizes * g->policies, left = g->columns - column - 1, to = 0;

	for (size_t from = 0; from < rows * g->columns; from++)
		if (from % g->columns != column)
			g->percent[to++] = g->percent[from];
	memmove(&g->column[column], &g->column[column + 1], left * sizeof(*g->column));
	g->columns--;
}

/* Of a policy alone one column is left: that of which most is known. */
static void join_alone(struct side_by_side *g)
{
	size_t best = g->columns;

	for (size_t i = 0; i < g->columns; i++)
		if (!*g->column[i].rule &&
		    (best == g->columns || known_cells(g, i) > known_cells(g, best)))
			best = i;
	if (best == g->columns)
		return;
	g->column[best].hints = NULL;
	for (size_t i = g->columns; i-- > 0;)
		if (!*g->column[i].rule && g->column[i].hints)
			remove_column(g, i);
}

int side_by_side_init(struct side_by_side *g, const json_t *json, const struct measure *measure)
{
	const json_t *results = json_object_get(json, "results"), *result;
	size_t count = json_array_size(results), i;

	*g = (struct side_by_side){
		.measure = measure,
		.start_keys = !strcmp(text_of(json, "granularity"), "start"),
	};
	g->size = calloc(count + 1, sizeof(*g->size));
	g->policy = calloc(count + 1, sizeof(*g->policy));
	g->column = calloc(count + 1, sizeof(*g->column));
	if (!g->size || !g->policy || !g->column)
		return fail("out of memory for %zu results side by side", count);
	json_array_foreach (results, i, result)
		place_of(g, result);
	if (fill_cells(g, results))
		return fail("out of memory for %zu results side by side", count);
	if (alone_is_alike(results))
		join_alone(g);
	return 0;
}

void side_by_side_fini(struct side_by_side *g)
{
	free(g->size);
	free(g->policy);
	free(g->column);
	free(g->percent);
}

/* What stands above a column: its rule, and beneath it the hints. */
static const char *rule_text(const struct side_by_side *g, size_t column)
{
	const char *rule = g->column[column].rule;

	if (column && !strcmp(rule, g->column[column - 1].rule))
		return "";
	return *rule ? rule : "alone";
}

static const char *hints_text(const struct side_by_side *g, size_t column)
{
	return g->column[column].hints ? g->column[column].hints : "";
}

static int column_width(const struct side_by_side *g, size_t column)
{
	size_t rule = strlen(rule_text(g, column)), hints = strlen(hints_text(g, column));
	size_t most = rule > hints ? rule : hints;

	return 2 + (most > 6 ? most : 6);
}

/* A line above the columns, without blanks at its end. */
static void print_above(const struct side_by_side *g,
			const char *(*text)(const struct side_by_side *g, size_t column))
{
	int blanks = 0;

	for (size_t i = 0; i < g->columns; i++) {
		int width = column_width(g, i);

		if (*text(g, i)) {
			printf("%*s", blanks + width, text(g, i));
			blanks = 0;
		} else {
			blanks += width;
		}
	}
	printf("\n");
}

static void print_head(const struct side_by_side *g, size_t size, int width)
{
	const json_t *json = g->size[size];

	printf("%s, size %s (%" JSON_INTEGER_FORMAT " %s)\n\n%*s", g->measure->label,
	       text_of(json, "size"), json_integer_value(json_object_get(json, "size_entries")),
	       g->start_keys ? "start keys" : "blocks", width, "");
	print_above(g, rule_text);
	printf("%-*s", width, "policy");
	print_above(g, hints_text);
}

static void print_row(const struct side_by_side *g, size_t size, size_t policy, int width)
{
	printf("%-*s", width, g->policy[policy]);
	for (size_t i = 0; i < g->columns; i++) {
		double percent = side_by_side_at(g, size, policy, i);

		if (isnan(percent))
			printf("%*s", column_width(g, i), "n/a");
		else
			printf("%*.2f", column_width(g, i), percent);
	}
	printf("\n");
}

void side_by_side_print(const struct side_by_side *g)
{
	size_t width = strlen("policy");

	for (size_t i = 0; i < g->policies; i++)
		width = strlen(g->policy[i]) > width ? strlen(g->policy[i]) : width;
	for (size_t size = 0; size < g->sizes; size++) {
		if (size)
			printf("\n");
		print_head(g, size, width);
		for (size_t policy = 0; policy < g->policies; policy++)
			print_row(g, size, policy, width);
	}
}
