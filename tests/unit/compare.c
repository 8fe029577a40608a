/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky compare` over small results and traces: names, verdicts, tolerances, what is refused.
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/compare/compare.h"

#define FILES 8

/* Each test runs in a process of its own: its files are its own, too. */
static char paths[FILES][64];
static size_t path_count;

static const char *file_of(const char *text)
{
	char *path = paths[path_count++];
	FILE *file;

	cr_assert(path_count <= FILES);
	snprintf(path, sizeof(paths[0]), "/tmp/sky-compare-%d-%zu", getpid(), path_count);
	file = fopen(path, "w");
	cr_assert(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void remove_files(void)
{
	while (path_count)
		unlink(paths[--path_count]);
}

static void add_a(struct compare_options *o, const char *text)
{
	o->sides[0].paths[o->sides[0].count++] = file_of(text);
}

static void add_b(struct compare_options *o, const char *text)
{
	o->sides[1].paths[o->sides[1].count++] = file_of(text);
}

static json_t *compare(struct compare_options *o)
{
	json_t *result = compare_sides(o);

	remove_files();
	return result;
}

static json_t *compare_two(const char *a, const char *b)
{
	struct compare_options o = {.hints = "sky"};

	add_a(&o, a);
	add_b(&o, b);
	return compare(&o);
}

static const json_t *row_of(const json_t *result, const char *list, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(result, list), i, row)
		if (!strcmp(json_string_value(json_object_get(row, "name")), name))
			return row;
	cr_assert(false, "there is no \"%s\"", name);
	return NULL;
}

static const char *verdict(const json_t *result, const char *name)
{
	return json_string_value(json_object_get(row_of(result, "numbers", name), "verdict"));
}

static double mean(const json_t *result, const char *name, const char *side)
{
	const json_t *row = row_of(result, "numbers", name);

	return json_number_value(json_object_get(json_object_get(row, side), "mean"));
}

static long long verdicts(const json_t *result, const char *which)
{
	return json_integer_value(json_object_get(json_object_get(result, "verdicts"), which));
}

static void expect_refused(const char *a, const char *b, const char *reason)
{
	char said[1024] = "";
	FILE *error;

	cr_redirect_stderr();
	error = cr_get_redirected_stderr();
	cr_expect_null(compare_two(a, b));
	fflush(stderr);
	cr_expect(fgets(said, sizeof(said), error) && strstr(said, reason), "%s", said);
	cr_expect_eq(fgetc(error), EOF, "more than one sentence");
}

static const char result_a[] =
	"{\"trace\": \"a.h5\", \"count\": 10, \"ratio\": 0.5, \"unknown\": null, \"known\": 1,\n"
	" \"truth\": true, \"bounds\": [4, 2], \"by_class\": [\n"
	"  {\"what\": \"metadata\", \"io_class\": 5, \"chunks\": 7},\n"
	"  {\"what\": \"data\", \"io_class\": 4, \"chunks\": 3},\n"
	"  {\"what\": \"data\", \"io_class\": null, \"chunks\": 1}]}";

/* Another order of the rows, one row less, one more. */
static const char result_b[] =
	"{\"trace\": \"b.h5\", \"count\": 11, \"ratio\": 0.5, \"unknown\": null, \"known\": null,\n"
	" \"truth\": false, \"bounds\": [4, 1], \"by_class\": [\n"
	"  {\"what\": \"data\", \"io_class\": 7, \"chunks\": 2},\n"
	"  {\"what\": \"data\", \"io_class\": null, \"chunks\": 1},\n"
	"  {\"what\": \"metadata\", \"io_class\": 5, \"chunks\": 8}]}";

Test(compare, finds_nothing_between_a_result_and_itself)
{
	json_t *result = compare_two(result_a, result_a);

	cr_assert(result);
	cr_expect_eq(verdicts(result, "differ") + verdicts(result, "only_a") +
			     verdicts(result, "only_b"),
		     0);
	cr_expect_eq(verdicts(result, "same"), 8);
	cr_expect_eq(verdicts(result, "unknown"), 1);
	cr_expect_eq(json_array_size(json_object_get(result, "words")), 0);
	json_decref(result);
}

Test(compare, names_rows_by_their_labels)
{
	json_t *result = compare_two(result_a, result_b);
	const json_t *row = row_of(result, "numbers", "count");

	cr_expect_str_eq(verdict(result, "by_class.metadata:5.chunks"), "differs");
	cr_expect_str_eq(verdict(result, "by_class.data.chunks"), "same");
	cr_expect_str_eq(verdict(result, "by_class.data:4.chunks"), "only a");
	cr_expect_str_eq(verdict(result, "by_class.data:7.chunks"), "only b");
	cr_expect_str_eq(verdict(result, "bounds.1"), "differs");
	cr_expect_str_eq(verdict(result, "known"), "only a");
	cr_expect_str_eq(verdict(result, "unknown"), "unknown");
	cr_expect_eq(json_number_value(json_object_get(row, "difference")), 1);
	cr_expect_float_eq(json_number_value(json_object_get(row, "relative_percent")), 10, 1e-12);
	cr_expect_eq(json_array_size(json_object_get(result, "words")), 2, "trace and truth");
	json_decref(result);
}

Test(compare, names_rows_by_place_where_labels_are_not_enough)
{
	json_t *result =
		compare_two("{\"a\": [{\"k\": \"x\", \"n\": 1}, {\"k\": \"x\", \"n\": 2}]}",
			    "{\"a\": [{\"k\": \"x\", \"n\": 1}, {\"k\": \"x\", \"n\": 3}]}");

	cr_expect_str_eq(verdict(result, "a.0.n"), "same");
	cr_expect_str_eq(verdict(result, "a.1.n"), "differs");
	json_decref(result);
}

Test(compare, sums_long_series_up)
{
	const char *a = "{\"s\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}";
	const char *b = "{\"s\": [17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1,18]}";
	json_t *result = compare_two(a, b);

	cr_expect_eq(mean(result, "s.count", "a"), 17);
	cr_expect_eq(mean(result, "s.mean", "a"), 9);
	cr_expect_eq(mean(result, "s.mean", "b"), 9.5);
	cr_expect_eq(mean(result, "s.max", "b"), 18);
	cr_expect_str_eq(verdict(result, "s.min"), "same");
	json_decref(result);
}

Test(compare, sums_curves_up_by_column)
{
	json_t *result = compare_two("{\"cdf\": [[1, 10], [3, 20]]}",
				     "{\"cdf\": [[1, 10], [2, 15], [6, 20]]}");

	cr_expect_eq(mean(result, "cdf.count", "b"), 3);
	cr_expect_eq(mean(result, "cdf.0.mean", "b"), 3);
	cr_expect_eq(mean(result, "cdf.0.max", "a"), 3);
	cr_expect_str_eq(verdict(result, "cdf.1.max"), "same");
	json_decref(result);
}

static void set_rules(struct compare_options *o, size_t count, const struct tolerance *rules)
{
	o->tolerance_count = count;
	memcpy(o->tolerances, rules, count * sizeof(*rules));
}

static long long exceeding(size_t count, const struct tolerance *rules)
{
	struct compare_options o = {0};
	long long places;
	json_t *result;

	set_rules(&o, count, rules);
	add_a(&o, "{\"a\": 100, \"b\": 100, \"zero\": 0, \"only\": 1, \"unknown\": null}");
	add_b(&o, "{\"a\": 101, \"b\": 98, \"zero\": 0.5, \"unknown\": null}");
	result = compare(&o);
	places = json_integer_value(json_object_get(result, "exceeding"));
	json_decref(result);
	return places;
}

Test(compare, holds_b_to_the_tolerances)
{
	static const struct tolerance percent[] = {
		{NULL, 1, LIMIT_PERCENT},      {"only", 0, LIMIT_NONE},
		{"zero", 0.5, LIMIT_ABSOLUTE}, {"b", 2, LIMIT_PERCENT},
		{"b", 1.99, LIMIT_PERCENT},    {"[ab]", 2, LIMIT_ABSOLUTE},
		{"a*", 0, LIMIT_ABSOLUTE},
	};

	cr_expect_eq(exceeding(0, percent), 0, "without a tolerance all is well");
	cr_expect_eq(exceeding(1, percent), 3, "b, zero, only");
	cr_expect_eq(exceeding(2, percent), 2, "b, zero");
	cr_expect_eq(exceeding(3, percent), 1, "b");
	cr_expect_eq(exceeding(4, percent), 0);
	cr_expect_eq(exceeding(5, percent), 1, "the last that matches holds");
	cr_expect_eq(exceeding(6, percent), 0);
	cr_expect_eq(exceeding(7, percent), 1);
}

Test(compare, looks_at_what_is_wanted)
{
	struct compare_options o = {
		.only = {"a*", "b"}, .only_count = 2, .ignored = {"*x"}, .ignored_count = 1};
	json_t *result;

	add_a(&o, "{\"a\": 1, \"ax\": 2, \"b\": 3, \"c\": 4, \"at\": \"one\", \"d\": \"one\"}");
	add_b(&o, "{\"a\": 2, \"ax\": 3, \"b\": 4, \"c\": 5, \"at\": \"two\", \"d\": \"two\"}");
	result = compare(&o);
	cr_expect_eq(json_array_size(json_object_get(result, "numbers")), 2);
	cr_expect_eq(json_array_size(json_object_get(result, "words")), 1);
	json_decref(result);
}

Test(compare, tests_repetitions_in_any_order)
{
	struct compare_options o = {0}, p = {0};
	json_t *result, *permuted;
	const json_t *row;

	for (int i = 0; i < 2; i++) {
		struct compare_options *to = i ? &p : &o;

		add_a(to, i ? "{\"n\": 3}" : "{\"n\": 1}");
		add_a(to, i ? "{\"n\": 1}" : "{\"n\": 3}");
		add_b(to, i ? "{\"n\": 7.5}" : "{\"n\": 6}");
		add_b(to, i ? "{\"n\": 6}" : "{\"n\": 7.5}");
	}
	result = compare_sides(&o);
	permuted = compare(&p);
	cr_expect(json_equal(json_object_get(result, "numbers"),
			     json_object_get(permuted, "numbers")));
	row = row_of(result, "numbers", "n");
	cr_expect_float_eq(json_number_value(json_object_get(json_object_get(row, "test"), "t")),
			   4.75 / 1.25, 1e-12);
	cr_expect_eq(mean(result, "n", "b"), 6.75);
	json_decref(result);
	json_decref(permuted);
}

/* A write, a read and their completions, and a call. */
static const char trace_a[] = "1000 - - - attribute name=\"fs\" value=\"ext4\"\n"
			      "2000 - 0x5 0x7 entry fsync pid=5 tid=5 fd=3\n"
			      "3000 - - - block W id=1 sector=8 count=8\n"
			      "4000 - - - complete id=1\n"
			      "5000 - - - block R id=2 sector=8 count=16\n"
			      "9000 - - - complete id=2\n";

static const char trace_b[] = "1000 - - - attribute name=\"fs\" value=\"xfs\"\n"
			      "3000 - - - block W id=1 sector=8 count=8\n"
			      "4500 - - - complete id=1\n"
			      "5000 - - - block R id=2 sector=16 count=8\n"
			      "6000 - - - complete id=2 error=-5\n"
			      "2000005001 - - - block D id=3 sector=0 count=8\n";

Test(compare, counts_what_a_trace_says)
{
	json_t *result = compare_two(trace_a, trace_b);
	const json_t *row;

	cr_assert(result);
	cr_expect_eq(mean(result, "calls.fsync", "a"), 1);
	cr_expect_eq(mean(result, "calls.fsync", "b"), 0,
		     "a call that nobody made was made 0 times");
	cr_expect_eq(mean(result, "requests.read.bytes", "a"), 8192);
	cr_expect_eq(mean(result, "requests.failed", "b"), 1);
	cr_expect_eq(mean(result, "requests.never_completed", "b"), 1);
	cr_expect_eq(mean(result, "gap_ns.mean", "b"), 1000001000.5);
	cr_expect_eq(mean(result, "latency_ns.write.max", "b"), 1500);
	cr_expect_str_eq(verdict(result, "latency_ns.read.mean"), "only a",
			 "an error has no latency");
	cr_expect_str_eq(verdict(result, "truth_by_class"), "unknown");
	row = row_of(result, "distributions", "request_bytes.read");
	cr_expect_eq(json_number_value(json_object_get(row, "distance")), 1);
	row = row_of(result, "distributions", "gap_ns");
	cr_expect_eq(json_number_value(json_object_get(json_object_get(row, "b"), "max")),
		     2000000001);
	row = row_of(result, "order", "order.same_order_percent");
	cr_expect_float_eq(json_number_value(json_object_get(row, "between")), 40, 1e-9);
	row = row_of(result, "words", "attribute.fs");
	cr_expect_str_eq(json_string_value(json_object_get(row, "b")), "xfs");
	json_decref(result);
}

Test(compare, finds_nothing_between_a_trace_and_itself)
{
	json_t *result = compare_two(trace_a, trace_a);
	const json_t *row;
	size_t i;

	cr_expect_eq(verdicts(result, "differ") + verdicts(result, "only_a") +
			     verdicts(result, "only_b"),
		     0);
	json_array_foreach (json_object_get(result, "distributions"), i, row)
		cr_expect_eq(json_number_value(json_object_get(row, "distance")), 0);
	json_array_foreach (json_object_get(result, "order"), i, row)
		cr_expect_eq(json_number_value(json_object_get(row, "between")), 100);
	json_decref(result);
}

Test(compare, refuses_two_kinds)
{
	expect_refused(trace_a, result_a, "compare two of a kind");
}

Test(compare, refuses_results_without_a_common_number)
{
	expect_refused("{\"a\": 1}", "{\"b\": 1}", "of the same command?");
}

Test(compare, refuses_half_a_result)
{
	expect_refused(result_a, "{\"a\": [1, 2", "is no JSON object");
}

Test(compare, refuses_more_than_one_object)
{
	expect_refused(result_a, "{\"a\": 1}\n{\"a\": 2}", "is no JSON object");
}

Test(compare, refuses_an_empty_file)
{
	expect_refused(result_a, "", "is empty");
}

Test(compare, refuses_two_numbers_of_one_name)
{
	expect_refused(result_a, "{\"a.b\": 1, \"a\": {\"b\": 2}}", "both called \"a.b\"");
}

Test(compare, refuses_names_without_end)
{
	char text[4096] = "";

	for (int i = 0; i < 600; i++)
		strcat(text, "{\"k\":");
	strcat(text, "1");
	for (int i = 0; i < 600; i++)
		strcat(text, "}");
	expect_refused(result_a, text, "is longer than 511");
}
