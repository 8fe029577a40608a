/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows from measurements.
 *
 * Numbers and distributions are two families of tests, each corrected for how
 * many it has: those of numbers take a repetition for one observation, those of
 * distributions a request.
 */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/json.h"
#include "compare.h"
#include "measure.h"
#include "statistics.h"

/* What a row says of its two sides. */
static const char *const verdicts[] = {"unknown", "only a", "only b", "same", "differs"};
enum verdict { UNKNOWN, ONLY_A, ONLY_B, SAME, DIFFERS };

struct comparison {
	const struct compare_options *options;
	struct measurement *of[2];
	size_t count[2];
	json_t *rows;
	size_t verdicts[5], exceeding;
};

static bool matches_one(const char *const *patterns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!fnmatch(patterns[i], name, 0))
			return true;
	return false;
}

static bool is_wanted(const struct compare_options *o, const char *name)
{
	if (matches_one(o->ignored, o->ignored_count, name))
		return false;
	return !o->only_count || matches_one(o->only, o->only_count, name);
}

/* NULL where there is none. A limit without a pattern is for numbers. */
static const struct tolerance *tolerance_of(const struct compare_options *o, const char *name,
					    bool number)
{
	for (size_t i = o->tolerance_count; i--;) {
		const struct tolerance *t = &o->tolerances[i];

		if (t->pattern ? !fnmatch(t->pattern, name, 0) : number)
			return t->unit == LIMIT_NONE ? NULL : t;
	}
	return NULL;
}

static json_t *number_json(double number)
{
	return isfinite(number) ? json_real(number) : json_null();
}

/* Adds "exceeds" to a row: whether the distance is beyond its tolerance, null without one. */
static void judge(struct comparison *c, json_t *row, bool number, double distance, double of)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	const struct tolerance *t = tolerance_of(c->options, name, number);
	double limit = t && t->unit == LIMIT_PERCENT ? t->limit / 100 * of : t ? t->limit : 0;
	bool exceeds = t && !(distance <= limit);

	c->exceeding += exceeds;
	json_object_set_new(row, "exceeds", t ? json_boolean(exceeds) : json_null());
}

/* Is the number known to be 0 where it isn't there? */
static bool is_counted(const struct measurement *m, const char *name)
{
	const json_t *beginning;
	size_t i;

	json_array_foreach (m->counted, i, beginning) {
		const char *text = json_string_value(beginning);

		if (!strncmp(text, name, strlen(text)))
			return true;
	}
	return false;
}

/* What a side has under the name; measurements that don't know it are left out. */
static struct summary summary_of_side(const struct comparison *c, int side, const char *name)
{
	double values[COMPARE_FILES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < c->count[side]; i++) {
		const struct measurement *m = &c->of[side][i];
		const json_t *value = json_object_get(m->numbers, name);

		if (json_is_number(value))
			values[count++] = json_number_value(value);
		else if (!value && is_counted(m, name))
			values[count++] = 0;
	}
	return summary_of(values, count);
}

static enum verdict verdict_of(const struct summary *a, const struct summary *b)
{
	if (!a->count || !b->count)
		return a->count ? ONLY_A : b->count ? ONLY_B : UNKNOWN;
	return a->mean == b->mean && (a->sd == b->sd || isnan(a->sd) || isnan(b->sd)) ? SAME
										      : DIFFERS;
}

static json_t *summary_json(const struct summary *s)
{
	return json_pack("{s:I, s:o, s:o}", "count", (json_int_t)s->count, "mean",
			 number_json(s->mean), "sd", number_json(s->sd));
}

static json_t *test_json(const struct summary *a, const struct summary *b)
{
	struct welch w;

	if (!welch_test(a, b, &w))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "low", number_json(w.low),
			 "high", number_json(w.high), "effect", number_json(w.effect), "effect_low",
			 number_json(w.effect_low), "effect_high", number_json(w.effect_high), "t",
			 number_json(w.t), "degrees_of_freedom", number_json(w.degrees_of_freedom),
			 "p", number_json(w.p));
}

static double relative_percent(double a, double b)
{
	return a == b ? 0 : 100 * (b - a) / fabs(a);
}

static void add_number(struct comparison *c, const char *name)
{
	struct summary a = summary_of_side(c, 0, name), b = summary_of_side(c, 1, name);
	enum verdict verdict = verdict_of(&a, &b);
	double difference = b.mean - a.mean;
	json_t *row =
		json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "name", name, "verdict",
			  verdicts[verdict], "a", summary_json(&a), "b", summary_json(&b),
			  "difference", number_json(difference), "relative_percent",
			  number_json(relative_percent(a.mean, b.mean)), "test", test_json(&a, &b));

	c->verdicts[verdict]++;
	/* what neither side knows is no further away than any limit */
	judge(c, row, true, verdict == UNKNOWN ? 0 : fabs(difference),
	      verdict == UNKNOWN ? 0 : fabs(a.mean));
	json_array_append_new(c->rows, row);
}

/* All names of either side, each once: A's in A's order, then those that only B has. */
static void add_numbers(struct comparison *c)
{
	json_t *seen = json_object(), *value;
	const char *name;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < c->count[side]; i++)
			json_object_foreach (c->of[side][i].numbers, name, value) {
				if (json_object_get(seen, name) || !is_wanted(c->options, name))
					continue;
				json_object_set_new(seen, name, json_true());
				add_number(c, name);
			}
	json_decref(seen);
}

/* Corrects the p of all rows' tests together. */
static size_t correct(json_t *rows)
{
	size_t count = json_array_size(rows), i, tests = 0;
	double *p = calloc(2 * count + 1, sizeof(*p));
	json_t *row;

	if (!p)
		return 0;
	json_array_foreach (rows, i, row) {
		json_t *known = json_object_get(json_object_get(row, "test"), "p");

		p[i] = json_is_number(known) ? json_number_value(known) : NAN;
		tests += !isnan(p[i]);
	}
	holm_correct(p, count, p + count);
	json_array_foreach (rows, i, row) {
		json_t *test = json_object_get(row, "test");

		if (json_is_object(test))
			json_object_set_new(test, "p_corrected", number_json(p[count + i]));
	}
	free(p);
	return tests;
}

static json_t *quantiles_json(const struct histogram *h)
{
	json_t *object = json_pack("{s:I, s:o}", "count", (json_int_t)h->count, "mean",
				   number_json(h->sum / h->count));

	for (size_t i = 0; i < QUANTILES; i++) {
		double quantile = histogram_quantile(h, quantiles[i].percent);

		json_object_set_new(object, quantiles[i].name,
				    number_json(h->count ? quantile : NAN));
	}
	return object;
}

/* Repetitions together. */
static void add_distribution(struct comparison *c, enum distribution d, struct histogram *sum)
{
	double distance;
	json_t *row;

	memset(sum, 0, 2 * sizeof(*sum));
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < c->count[side]; i++)
			histogram_merge(&sum[side], &c->of[side][i].distribution[d]);
	if (!sum[0].count && !sum[1].count)
		return;
	distance = ks_distance(&sum[0], &sum[1]);
	row = json_pack("{s:s, s:o, s:o, s:o, s:{s:o}}", "name", distribution_names[d], "a",
			quantiles_json(&sum[0]), "b", quantiles_json(&sum[1]), "distance",
			number_json(distance), "test", "p",
			number_json(ks_p(distance, sum[0].count, sum[1].count)));
	judge(c, row, false, distance, 1);
	json_array_append_new(c->rows, row);
}

static int add_distributions(struct comparison *c)
{
	struct histogram *sum = calloc(2, sizeof(*sum));

	if (!sum)
		return fail("out of memory for the distributions");
	for (unsigned d = 0; d < DISTRIBUTIONS; d++)
		if (is_wanted(c->options, distribution_names[d]))
			add_distribution(c, d, sum);
	free(sum);
	return 0;
}

/* The mean likeness of all pairs of different recordings of two sides, or of one. */
static int likeness_of_sides(const struct comparison *c, int first, int second, double *mean)
{
	double sum[3] = {0};
	size_t pairs = 0;

	for (size_t i = 0; i < c->count[first]; i++) {
		for (size_t j = first == second ? i + 1 : 0; j < c->count[second]; j++) {
			struct order_likeness one;

			if (order_compare(&c->of[first][i].requests, &c->of[second][j].requests,
					  &one))
				return fail("out of memory for the order of the requests");
			sum[0] += one.requests;
			sum[1] += one.order;
			sum[2] += one.bytes;
			pairs++;
		}
	}
	for (int i = 0; i < 3; i++)
		mean[i] = pairs ? sum[i] / pairs : NAN;
	return 0;
}

static int add_order(struct comparison *c)
{
	static const char *const names[] = {"order.same_requests_percent",
					    "order.same_order_percent", "order.same_bytes_percent"};
	double between[3], within[2][3];
	bool wanted = false;

	for (int i = 0; i < 3; i++)
		wanted |= is_wanted(c->options, names[i]);
	if (!wanted)
		return 0;
	if (likeness_of_sides(c, 0, 1, between) || likeness_of_sides(c, 0, 0, within[0]) ||
	    likeness_of_sides(c, 1, 1, within[1]))
		return -1;
	for (int i = 0; i < 3; i++) {
		json_t *row;

		if (!is_wanted(c->options, names[i]))
			continue;
		row = json_pack("{s:s, s:o, s:o, s:o}", "name", names[i], "between",
				number_json(between[i]), "within_a", number_json(within[0][i]),
				"within_b", number_json(within[1][i]));
		judge(c, row, false, isnan(between[i]) ? 0 : 100 - between[i], 100);
		json_array_append_new(c->rows, row);
	}
	return 0;
}

/* Settings and labels of the first of each side that differ. */
static json_t *words_json(const struct comparison *c)
{
	json_t *rows = json_array(), *seen = json_object(), *value;
	const char *name;

	for (int side = 0; side < 2; side++)
		json_object_foreach (c->of[side][0].words, name, value) {
			json_t *a = json_object_get(c->of[0][0].words, name);
			json_t *b = json_object_get(c->of[1][0].words, name);

			if ((a && b && json_equal(a, b)) || json_object_get(seen, name) ||
			    !is_wanted(c->options, name))
				continue;
			json_object_set_new(seen, name, json_true());
			json_array_append_new(
				rows, json_pack("{s:s, s:O?, s:O?}", "name", name, "a", a, "b", b));
		}
	json_decref(seen);
	return rows;
}

/* Takes what was gathered; the next rows begin anew. */
static json_t *take_rows(struct comparison *c)
{
	json_t *rows = c->rows;

	c->rows = json_array();
	return rows;
}

static json_t *paths_json(const struct compare_side *side)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < side->count; i++)
		json_array_append_new(paths, text_json(side->paths[i], strlen(side->paths[i])));
	return paths;
}

static json_t *tests_json(size_t numbers, size_t distributions)
{
	return json_pack("{s:f, s:s, s:{s:s, s:s, s:I}, s:{s:s, s:s, s:I}}", "confidence",
			 CONFIDENCE, "correction", "Holm", "numbers", "test",
			 "Welch's t, two-sided", "hypothesis",
			 "both sides' repetitions have the same mean", "tests", (json_int_t)numbers,
			 "distributions", "test", "Kolmogorov-Smirnov, two samples", "hypothesis",
			 "both sides' requests, taken as independent, have the same distribution",
			 "tests", (json_int_t)distributions);
}

static json_t *verdicts_json(const struct comparison *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "same", (json_int_t)c->verdicts[SAME],
			 "differ", (json_int_t)c->verdicts[DIFFERS], "only_a",
			 (json_int_t)c->verdicts[ONLY_A], "only_b", (json_int_t)c->verdicts[ONLY_B],
			 "unknown", (json_int_t)c->verdicts[UNKNOWN]);
}

static json_t *compare_all(struct comparison *c)
{
	bool recordings = c->of[0][0].recording;
	json_t *numbers, *distributions, *order, *result;
	size_t number_tests, distribution_tests;

	c->rows = json_array();
	add_numbers(c);
	number_tests = correct(c->rows);
	numbers = take_rows(c);
	if (recordings && add_distributions(c))
		goto fail_distributions;
	distribution_tests = correct(c->rows);
	distributions = take_rows(c);
	if (recordings && add_order(c))
		goto fail_order;
	order = take_rows(c);
	json_decref(c->rows);
	result = json_pack(
		"{s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "kind",
		recordings ? "recordings" : "results", "a", paths_json(&c->options->sides[0]), "b",
		paths_json(&c->options->sides[1]), "repetitions",
		c->count[0] > 1 || c->count[1] > 1, "verdicts", verdicts_json(c), "numbers",
		numbers, "distributions", distributions, "order", order, "words", words_json(c),
		"tests", tests_json(number_tests, distribution_tests), "exceeding",
		(json_int_t)c->exceeding);
	if (!result)
		fail("out of memory for the comparison");
	return result;
fail_order:
	json_decref(distributions);
fail_distributions:
	json_decref(numbers);
	json_decref(c->rows);
	return NULL;
}

/* All of one kind, and at least one number in common: else there is nothing to compare. */
static int check_kinds(const struct comparison *c)
{
	const struct measurement *first = &c->of[0][0], *other = NULL;
	json_t *value;
	const char *name;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < c->count[side]; i++)
			if (c->of[side][i].recording != first->recording)
				other = &c->of[side][i];
	if (other)
		return fail("%s is a %s, %s a %s: compare two of a kind", first->path,
			    first->recording ? "recording" : "result", other->path,
			    other->recording ? "recording" : "result");
	for (size_t i = 0; i < c->count[0]; i++)
		json_object_foreach (c->of[0][i].numbers, name, value)
			if (json_object_get(c->of[1][0].numbers, name))
				return 0;
	return fail("%s and %s have no number of the same name: are they of the same command?",
		    first->path, c->of[1][0].path);
}

static int measure_all(struct comparison *c)
{
	for (int side = 0; side < 2; side++) {
		const struct compare_side *from = &c->options->sides[side];

		c->of[side] = calloc(from->count, sizeof(*c->of[side]));
		if (!c->of[side])
			return fail("out of memory for %zu files", from->count);
		for (size_t i = 0; i < from->count; i++) {
			c->count[side]++;
			if (measure(&c->of[side][i], from->paths[i], c->options->hints))
				return -1;
		}
	}
	return 0;
}

json_t *compare_sides(const struct compare_options *options)
{
	struct comparison c = {.options = options};
	json_t *result = NULL;

	if (!measure_all(&c) && !check_kinds(&c))
		result = compare_all(&c);
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < c.count[side]; i++)
			measurement_free(&c.of[side][i]);
		free(c.of[side]);
	}
	return result;
}
