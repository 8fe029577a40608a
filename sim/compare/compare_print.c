/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A comparison as a page for a person, made from its JSON object.
 *
 * What stands in the files goes to a terminal: control characters are shown as '?'.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/command.h"
#include "compare.h"

#define NAME_WIDTH  24 /* of a column of names, at least */
#define VALUE_BYTES 64

/* How the table of numbers is laid out. */
struct layout {
	bool all, repetitions;
	int name_width, value_width;
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static double number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static long long count_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_name(const char *name, int width)
{
	int length = strlen(name);

	printf("  ");
	print_clean(name);
	printf("%*s", length < width ? width - length : 0, "");
}

/* Counts in full, the rest in six digits; "-" where it isn't known. */
static const char *format(char *text, double value)
{
	if (isnan(value))
		snprintf(text, VALUE_BYTES, "-");
	else if (value == floor(value) && fabs(value) < 1e15)
		snprintf(text, VALUE_BYTES, "%.0f", value);
	else
		snprintf(text, VALUE_BYTES, "%.6g", value);
	return text;
}

/* "0.03", or "<0.001" for what is smaller. */
static const char *format_p(char *text, double p)
{
	if (isnan(p))
		snprintf(text, VALUE_BYTES, "-");
	else if (p < 0.001)
		snprintf(text, VALUE_BYTES, "<0.001");
	else
		snprintf(text, VALUE_BYTES, "%.3f", p);
	return text;
}

static const char *format_percent(char *text, const char *pattern, double value)
{
	if (isnan(value))
		snprintf(text, VALUE_BYTES, "-");
	else
		snprintf(text, VALUE_BYTES, pattern, value);
	return text;
}

static const char *format_side(char *text, const json_t *side)
{
	double sd = number_of(side, "sd");
	char mean[VALUE_BYTES];

	format(mean, number_of(side, "mean"));
	if (isnan(sd))
		snprintf(text, 2 * VALUE_BYTES, "%s", mean);
	else
		snprintf(text, 2 * VALUE_BYTES, "%s ±%.3g", mean, sd);
	return text;
}

/* A text with ± in it is a byte longer than it looks. */
static void print_right(const char *text, int width)
{
	printf("%*s", width + (strstr(text, "±") != NULL), text);
}

static void print_mark(const json_t *row)
{
	printf("%s\n", json_is_true(json_object_get(row, "exceeds")) ? "  !" : "");
}

/* "-12.5..40" */
static const char *format_interval(char *text, const json_t *test)
{
	if (!json_is_object(test))
		return "-";
	snprintf(text, VALUE_BYTES, "%.4g..%.4g", number_of(test, "low"), number_of(test, "high"));
	return text;
}

static void print_test(const json_t *test)
{
	char text[VALUE_BYTES];

	printf("%24s", format_interval(text, test));
	printf("%9s", format_percent(text, "%+.1f", number_of(test, "effect")));
	printf("%8s", format_p(text, number_of(test, "p_corrected")));
}

static void print_number(const json_t *row, const struct layout *layout)
{
	char text[2 * VALUE_BYTES];

	print_name(text_of(row, "name"), layout->name_width);
	print_right(format_side(text, json_object_get(row, "a")), layout->value_width);
	print_right(format_side(text, json_object_get(row, "b")), layout->value_width);
	printf("%11s", format_percent(text, "%+.2f%%", number_of(row, "relative_percent")));
	if (layout->repetitions)
		print_test(json_object_get(row, "test"));
	print_mark(row);
}

static void print_heading(const struct layout *layout)
{
	printf("\n  %*s", layout->name_width, "");
	print_right(layout->repetitions ? "A ±sd" : "A", layout->value_width);
	print_right(layout->repetitions ? "B ±sd" : "B", layout->value_width);
	printf("%11s", "B to A");
	if (layout->repetitions)
		printf("%24s%9s%8s", "difference, 95%", "effect", "p");
	printf("\n");
}

static bool is_shown(const json_t *row, bool all)
{
	const char *verdict = text_of(row, "verdict");

	return all || (strcmp(verdict, "same") && strcmp(verdict, "unknown"));
}

static struct layout layout_of(const json_t *result, bool all)
{
	bool repetitions = json_is_true(json_object_get(result, "repetitions"));
	struct layout layout = {all, repetitions, NAME_WIDTH, repetitions ? 22 : 16};
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(result, "numbers"), i, row) {
		int length = strlen(text_of(row, "name"));

		if (is_shown(row, all) && length > layout.name_width)
			layout.name_width = length;
	}
	return layout;
}

static void print_numbers(const json_t *result, bool all)
{
	const json_t *verdicts = json_object_get(result, "verdicts"), *row;
	struct layout layout = layout_of(result, all);
	bool first = true;
	size_t i;

	printf("%lld numbers are the same, %lld differ, %lld are in A only, %lld in B only\n",
	       count_of(verdicts, "same"), count_of(verdicts, "differ"),
	       count_of(verdicts, "only_a"), count_of(verdicts, "only_b"));
	json_array_foreach (json_object_get(result, "numbers"), i, row) {
		if (!is_shown(row, all))
			continue;
		if (first)
			print_heading(&layout);
		first = false;
		print_number(row, &layout);
	}
}

static void print_distributions(const json_t *result)
{
	const json_t *rows = json_object_get(result, "distributions"), *row;
	size_t i;

	if (json_array_size(rows))
		printf("\n  %-24s%10s%10s%12s%12s%12s%12s%10s%8s\n", "distributions", "count A",
		       "count B", "median A", "median B", "99% A", "99% B", "distance", "p");
	json_array_foreach (rows, i, row) {
		const json_t *a = json_object_get(row, "a"), *b = json_object_get(row, "b");
		char text[VALUE_BYTES];

		printf("  %-24s%10lld%10lld", text_of(row, "name"), count_of(a, "count"),
		       count_of(b, "count"));
		printf("%12s", format(text, number_of(a, "p50")));
		printf("%12s", format(text, number_of(b, "p50")));
		printf("%12s", format(text, number_of(a, "p99")));
		printf("%12s", format(text, number_of(b, "p99")));
		printf("%10s", format_percent(text, "%.4f", number_of(row, "distance")));
		printf("%8s",
		       format_p(text, number_of(json_object_get(row, "test"), "p_corrected")));
		print_mark(row);
	}
}

static void print_order(const json_t *result)
{
	const json_t *rows = json_object_get(result, "order"), *row;
	bool repetitions = json_is_true(json_object_get(result, "repetitions"));
	size_t i;

	if (!json_array_size(rows))
		return;
	printf("\n  %-32s%12s%s\n", "requests", "A and B",
	       repetitions ? "    within A    within B" : "");
	json_array_foreach (rows, i, row) {
		char text[VALUE_BYTES];

		printf("  %-32s%12s", text_of(row, "name"),
		       format_percent(text, "%.2f%%", number_of(row, "between")));
		if (repetitions) {
			printf("%12s", format_percent(text, "%.2f%%", number_of(row, "within_a")));
			printf("%12s", format_percent(text, "%.2f%%", number_of(row, "within_b")));
		}
		print_mark(row);
	}
}

static void print_words(const json_t *result)
{
	const json_t *rows = json_object_get(result, "words"), *row;
	size_t i;

	if (json_array_size(rows))
		printf("\n  what is no number and differs\n");
	json_array_foreach (rows, i, row) {
		const char *a = text_of(row, "a"), *b = text_of(row, "b");

		print_name(text_of(row, "name"), 32);
		printf("  ");
		print_clean(a ? a : "-");
		printf(" | ");
		print_clean(b ? b : "-");
		printf("\n");
	}
}

/* What a p in one of the tables is of; after an empty line if it is the first. */
static bool print_test_of(const json_t *result, const char *key, bool first)
{
	const json_t *tests = json_object_get(result, "tests");
	const json_t *of = json_object_get(tests, key);
	long long count = count_of(of, "tests");

	if (!count)
		return first;
	printf("%s  p of %s: %s, of \"%s\", corrected (%s) for %lld test%s\n", first ? "\n" : "",
	       key, text_of(of, "test"), text_of(of, "hypothesis"), text_of(tests, "correction"),
	       count, count == 1 ? "" : "s");
	return false;
}

static void print_side(const json_t *result, const char *key, char letter)
{
	const json_t *path;
	size_t i;

	printf("%c:", letter);
	json_array_foreach (json_object_get(result, key), i, path) {
		printf(" ");
		print_clean(json_string_value(path));
	}
	printf("\n");
}

void compare_print(const json_t *result, bool all)
{
	print_side(result, "a", 'A');
	print_side(result, "b", 'B');
	printf("\n");
	print_numbers(result, all);
	print_distributions(result);
	print_order(result);
	print_words(result);
	print_test_of(result, "distributions", print_test_of(result, "numbers", true));
}
