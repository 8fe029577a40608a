/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky compare: options in, JSON or a page for a person out; the exit status says
 * whether B is within the tolerances.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/error.h"
#include "compare.h"
#include "sim/classifier.h"

struct arguments {
	struct compare_options options;
	int side; /* that the next file is of */
	bool json, all;
};

enum key {
	KEY_TOLERANCE = 't',
	KEY_HINTS = 'H',
	KEY_JSON = 'j',
	KEY_ALL = 'a',
	KEY_WITH = 0x100,
	KEY_ONLY,
	KEY_IGNORE,
};

static const struct argp_option options[] = {
	{"with", KEY_WITH, NULL, 0,
	 "the files that follow are side B's (without it: two files, one a side)", 0},
	{"tolerance", KEY_TOLERANCE, "[NAME=]LIMIT", 0,
	 "exit with 1 if a number of B is further than this from A's: 1% of A's, 5 as an "
	 "absolute difference, or any. NAME may have wildcards; the last that matches holds. "
	 "Without NAME it is for all numbers; distributions (their distance) and order "
	 "(what is not the same) have a limit only by name. May be repeated",
	 0},
	{"only", KEY_ONLY, "NAME", 0, "compare only what is called so (wildcards; may be repeated)",
	 0},
	{"ignore", KEY_IGNORE, "NAME", 0,
	 "leave out what is called so (wildcards; may be repeated)", 0},
	{"hints", KEY_HINTS, "NAME", 0,
	 "who classifies the requests of recordings: none, or one of `sky list classifier` "
	 "(sky)",
	 0},
	{"all", KEY_ALL, NULL, 0, "show numbers that are the same, too", 0},
	{"json", KEY_JSON, NULL, 0, "one JSON object", 0},
	{0},
};

static void add_file(struct arguments *a, const char *path, struct argp_state *state)
{
	struct compare_side *side = &a->options.sides[a->side];

	if (side->count == COMPARE_FILES_MAX)
		argp_error(state, "no more than %d files a side", COMPARE_FILES_MAX);
	side->paths[side->count++] = path;
}

static void add_pattern(const char **patterns, size_t *count, const char *pattern,
			struct argp_state *state)
{
	if (*count == COMPARE_RULES_MAX)
		argp_error(state, "no more than %d patterns", COMPARE_RULES_MAX);
	patterns[(*count)++] = pattern;
}

/* Names hold '=' hardly ever, limits never: the last one ends the name. */
static void add_tolerance(struct arguments *a, char *text, struct argp_state *state)
{
	struct tolerance t = {.unit = LIMIT_ABSOLUTE};
	char *equals = strrchr(text, '='), *end;
	const char *limit = equals ? equals + 1 : text;

	if (a->options.tolerance_count == COMPARE_RULES_MAX)
		argp_error(state, "no more than %d tolerances", COMPARE_RULES_MAX);
	if (equals) {
		*equals = '\0';
		t.pattern = text;
	}
	if (!strcmp(limit, "any")) {
		t.unit = LIMIT_NONE;
	} else {
		t.limit = strtod(limit, &end);
		if (*end == '%' && end > limit) {
			t.unit = LIMIT_PERCENT;
			end++;
		}
		if (end == limit || *end || !isdigit((unsigned char)*limit) || !isfinite(t.limit))
			argp_error(state,
				   "\"%s\" is no tolerance: it is a number, a percentage "
				   "as in 1%%, or any",
				   limit);
	}
	a->options.tolerances[a->options.tolerance_count++] = t;
}

static void set_hints(struct arguments *a, const char *name)
{
	a->options.hints = strcmp(name, "none") ? name : NULL;
	if (a->options.hints && !classifier_find(name))
		exit(argp_err_exit_status);
}

static void check_files(const struct arguments *a, struct argp_state *state)
{
	size_t of_a = a->options.sides[0].count, of_b = a->options.sides[1].count;

	if (!a->side)
		argp_error(state, "two files, or repetitions as in A1 A2 --with B1 B2, are needed");
	if (!of_a || !of_b)
		argp_error(state, "side %c has no files", of_a ? 'B' : 'A');
}

static void begin_side_b(struct arguments *a, struct argp_state *state)
{
	if (a->side)
		argp_error(state, "--with can be said once");
	a->side = 1;
}

/* Without --with, two files are one a side. */
static void split_sides(struct arguments *a)
{
	struct compare_side *sides = a->options.sides;

	if (a->side || sides[0].count != 2)
		return;
	sides[1].paths[sides[1].count++] = sides[0].paths[--sides[0].count];
	a->side = 1;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;
	struct compare_options *o = &a->options;

	switch (key) {
	case KEY_WITH:
		begin_side_b(a, state);
		return 0;
	case KEY_TOLERANCE:
		add_tolerance(a, argument, state);
		return 0;
	case KEY_ONLY:
		add_pattern(o->only, &o->only_count, argument, state);
		return 0;
	case KEY_IGNORE:
		add_pattern(o->ignored, &o->ignored_count, argument, state);
		return 0;
	case KEY_HINTS:
		set_hints(a, argument);
		return 0;
	case KEY_ALL:
		a->all = true;
		return 0;
	case KEY_JSON:
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		add_file(a, argument, state);
		return 0;
	case ARGP_KEY_END:
		split_sides(a);
		check_files(a, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "A B\nA... --with B...",
	.doc = "Compare two recordings, or two results that commands printed with --json, or two "
	       "sets of repetitions: counts by kind and class, sizes, gaps and latencies, "
	       "accuracy, and the order of the requests."
	       "\vWith repetitions on both sides each number's means are tested (Welch's t); "
	       "distributions are tested by Kolmogorov and Smirnov; p is corrected for the "
	       "number of tests (Holm)."
	       "\n\nExamples: sky compare a.h5 b.h5 --tolerance 1% --tolerance 'gap_ns.*=any'\n"
	       "sky compare off1.h5 off2.h5 off3.h5 --with on1.h5 on2.h5 on3.h5",
};

static void print_differences(const json_t *result)
{
	compare_print(result, false);
}

static void print_everything(const json_t *result)
{
	compare_print(result, true);
}

static int run_compare(int argc, char **argv)
{
	struct arguments a = {.options.hints = "sky"};
	long long exceeding;
	json_t *result;
	int status;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
	result = compare_sides(&a.options);
	exceeding = json_integer_value(json_object_get(result, "exceeding"));
	status = command_result(result, a.json, a.all ? print_everything : print_differences);
	if (!status && exceeding) {
		fail("B is further from A than --tolerance allows in %lld place%s, marked with ! "
		     "(in JSON: exceeds)",
		     exceeding, exceeding == 1 ? "" : "s");
		status = 1;
	}
	return status;
}

SKY_COMMAND(compare, "compare",
	    "hold two recordings or results, or sets of them, against each other", run_compare);
