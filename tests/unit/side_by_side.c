/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results side by side: which line and column they come to.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plots/side_by_side.h"

struct line {
	const char *cache, *hints, *size;
	int hits; /* of 100 references; below 0: not known */
};

static json_t *results_of(const struct line *lines, size_t count)
{
	json_t *list = json_array();

	for (const struct line *l = lines; l < lines + count; l++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "cache", l->cache, "hints",
				  l->hints, "size", l->size, "size_entries", 10, "hits",
				  l->hits < 0 ? json_null() : json_integer(l->hits), "miss_ratio",
				  l->hits < 0 ? json_null() : json_real(1 - l->hits / 100.0)));
	return json_pack("{s:s, s:o}", "granularity", "4k", "results", list);
}

/* "rule/hints rule/hints | policy policy | percent ..." */
static const char *grid_of(const struct line *lines, size_t count)
{
	static char text[512];
	json_t *json = results_of(lines, count);
	struct side_by_side grid;
	size_t used = 0, cells;

	cr_assert_eq(side_by_side_init(&grid, json, measure_find("hits")), 0);
	for (size_t i = 0; i < grid.columns; i++)
		used += snprintf(text + used, sizeof(text) - used, "%s/%s ", grid.column[i].rule,
				 grid.column[i].hints ? grid.column[i].hints : "");
	used += snprintf(text + used, sizeof(text) - used, "|");
	for (size_t i = 0; i < grid.policies; i++)
		used += snprintf(text + used, sizeof(text) - used, " %s", grid.policy[i]);
	used += snprintf(text + used, sizeof(text) - used, " |");
	cells = grid.sizes * grid.policies * grid.columns;
	for (size_t i = 0; i < cells; i++)
		used += isnan(grid.percent[i]) ? snprintf(text + used, sizeof(text) - used, " -")
					       : snprintf(text + used, sizeof(text) - used, " %.0f",
							  grid.percent[i]);
	side_by_side_fini(&grid);
	json_decref(json);
	return text;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

Test(side_by_side, a_policy_alone_has_one_column_for_all_hints)
{
	static const struct line lines[] = {
		{"lru", "none", "10", 5},
		{"lru", "sky", "10", 5},
		{"arc", "none", "10", 7},
		{"arc", "sky", "10", 7},
		{"icache", "none", "10", 5},
		{"icache", "sky", "10", 30},
		{"icache:base=arc", "none", "10", 7},
		{"icache:base=arc", "sky", "10", 40},
	};

	cr_expect_str_eq(grid_of(lines, COUNT_OF(lines)),
			 "/ icache/none icache/sky | lru arc | 5 5 30 7 7 40");
}

Test(side_by_side, it_has_more_where_hints_make_a_difference)
{
	static const struct line lines[] = {
		{"mine", "none", "10", 5}, {"mine", "sky", "10", 6}, {"lru", "none", "10", 5}};

	cr_expect_str_eq(grid_of(lines, COUNT_OF(lines)), "/none /sky | mine lru | 5 6 5 -");
}

Test(side_by_side, what_is_not_known_hides_nothing)
{
	static const struct line lines[] = {
		{"lru", "sky", "10", -1},
		{"lru", "none", "10", 5},
		{"icache", "sky", "10", -1},
		{"icache", "none", "10", 5},
	};

	cr_expect_str_eq(grid_of(lines, COUNT_OF(lines)), "/ icache/sky icache/none | lru | 5 - 5");
}

Test(side_by_side, a_rule_keeps_its_parameters)
{
	static const struct line lines[] = {
		{"icache:base=arc,journal=1", "sky", "10", 1},
		{"icache:journal=1,base=arc", "sky", "10", 2},
		{"partition:class0=9,base=lru,journal=1", "sky", "10", 3},
		{"s3fifo:small=20", "sky", "10", 4},
	};

	cr_expect_str_eq(grid_of(lines, COUNT_OF(lines)),
			 "icache:journal=1/sky partition:class0=9,journal=1/sky / | arc lru "
			 "s3fifo:small=20 | 2 - - - 3 - - - 4");
}

Test(side_by_side, sizes_are_apart)
{
	static const struct line lines[] = {
		{"lru", "sky", "10", 1}, {"lru", "sky", "20", 2}, {"arc", "sky", "20", 3}};

	cr_expect_str_eq(grid_of(lines, COUNT_OF(lines)), "/ | lru arc | 1 - 2 3");
}
