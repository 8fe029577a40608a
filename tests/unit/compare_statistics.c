/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The statistics of `sky compare` against published values and slow formulas.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "sim/compare/statistics.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Student's sleep data (Biometrika 6, 1908): hours gained with two drugs. */
static const double first_drug[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
static const double second_drug[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

static struct summary summary_of_constants(const double *values, size_t count)
{
	double copy[64];

	for (size_t i = 0; i < count; i++)
		copy[i] = values[i];
	return summary_of(copy, count);
}

/* Twice the area beyond t under Student's density, by Simpson's rule from 0 to t. */
static double slow_p(double t, double df)
{
	double scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * M_PI), sum = 0;
	int steps = 20000;

	for (int i = 0; i <= steps; i++) {
		double x = t * i / steps, weight = i == 0 || i == steps ? 1 : i % 2 ? 4 : 2;

		sum += weight * scale * pow(1 + x * x / df, -(df + 1) / 2);
	}
	return 1 - 2 * sum * t / steps / 3;
}

Test(statistics, welch_has_the_published_values_of_the_sleep_data)
{
	struct summary a = summary_of_constants(first_drug, COUNT_OF(first_drug));
	struct summary b = summary_of_constants(second_drug, COUNT_OF(second_drug));
	struct welch w;

	cr_assert(welch_test(&a, &b, &w));
	cr_expect_float_eq(a.mean, 0.75, 1e-12);
	cr_expect_float_eq(b.mean, 2.33, 1e-12);
	cr_expect_float_eq(w.t, 1.860813, 1e-6);
	cr_expect_float_eq(w.degrees_of_freedom, 17.77647, 1e-5);
	cr_expect_float_eq(w.p, 0.07939414, 1e-8);
	cr_expect_float_eq(w.low, -0.2054832, 1e-7);
	cr_expect_float_eq(w.high, 3.3654832, 1e-7);
}

Test(statistics, welch_agrees_with_the_area_under_the_density)
{
	srand(1);
	for (int round = 0; round < 50; round++) {
		double x[8], y[8];
		size_t of_x = 2 + rand() % 7, of_y = 2 + rand() % 7;
		struct summary a, b;
		struct welch w;

		for (size_t i = 0; i < 8; i++) {
			x[i] = rand() % 1000;
			y[i] = rand() % 4000;
		}
		a = summary_of(x, of_x);
		b = summary_of(y, of_y);
		if (!welch_test(&a, &b, &w))
			continue;
		cr_expect_float_eq(w.p, slow_p(fabs(w.t), w.degrees_of_freedom), 1e-7);
		cr_expect_eq(w.p<0.05, w.low> 0 || w.high < 0, "interval and p disagree");
	}
}

Test(statistics, effect_of_equal_variances_is_the_difference_in_standard_deviations)
{
	double x[] = {1, 2, 3, 4, 5}, y[] = {4, 5, 6, 7, 8};
	struct summary a = summary_of(x, 5), b = summary_of(y, 5);
	double d = 3 / sqrt(2.5), reach = 1.959963984540054 * sqrt(d * d / 16 + 0.5);
	struct welch w;

	cr_assert(welch_test(&a, &b, &w));
	cr_expect_float_eq(w.effect, d, 1e-12);
	cr_expect_float_eq(w.effect_low, d - reach, 1e-9);
	cr_expect_float_eq(w.effect_high, d + reach, 1e-9);
}

Test(statistics, welch_is_the_same_with_the_sides_swapped)
{
	struct summary a = summary_of_constants(first_drug, COUNT_OF(first_drug));
	struct summary b = summary_of_constants(second_drug, COUNT_OF(second_drug));
	struct welch w, swapped;

	cr_assert(welch_test(&a, &b, &w) && welch_test(&b, &a, &swapped));
	cr_expect_eq(w.p, swapped.p);
	cr_expect_eq(w.t, -swapped.t);
	cr_expect_eq(w.low, -swapped.high);
}

Test(statistics, welch_needs_two_values_a_side_and_some_spread)
{
	double one[] = {1}, same[] = {2, 2, 2}, other[] = {3, 3, 3}, huge[] = {-1e308, 1e308};
	struct summary a = summary_of(one, 1), b = summary_of(same, 3), c = summary_of(other, 3);
	struct summary d = summary_of(huge, 2);
	struct welch w;

	cr_expect_not(welch_test(&a, &b, &w));
	cr_expect_not(welch_test(&b, &c, &w));
	cr_expect_not(welch_test(&b, &d, &w));
	cr_expect(isnan(a.sd) && isnan(summary_of(one, 0).mean));
}

Test(statistics, summary_does_not_depend_on_the_order)
{
	double x[] = {0.1, 1e16, 0.3, -1e16, 7, 1.0 / 3}, y[] = {7, -1e16, 1.0 / 3, 0.3, 1e16, 0.1};
	struct summary a = summary_of(x, 6), b = summary_of(y, 6);

	cr_expect(a.mean == b.mean && a.sd == b.sd);
}

/* The distance of two samples at every value of either, straight from its definition. */
static double slow_distance(const uint64_t *x, size_t of_x, const uint64_t *y, size_t of_y)
{
	double most = 0;

	for (size_t i = 0; i < of_x + of_y; i++) {
		uint64_t at = i < of_x ? x[i] : y[i - of_x];
		size_t below_x = 0, below_y = 0;

		for (size_t j = 0; j < of_x; j++)
			below_x += x[j] <= at;
		for (size_t j = 0; j < of_y; j++)
			below_y += y[j] <= at;
		most = fmax(most, fabs((double)below_x / of_x - (double)below_y / of_y));
	}
	return most;
}

static double distance_of(const uint64_t *x, size_t of_x, const uint64_t *y, size_t of_y)
{
	struct histogram a = {0}, b = {0};

	for (size_t i = 0; i < of_x; i++)
		histogram_add(&a, x[i], 1);
	for (size_t i = 0; i < of_y; i++)
		histogram_add(&b, y[i], 1);
	return ks_distance(&a, &b);
}

Test(statistics, distance_is_that_of_the_definition_or_less)
{
	srand(2);
	for (int round = 0; round < 100; round++) {
		uint64_t x[200], y[200];
		size_t of_x = 1 + rand() % 200, of_y = 1 + rand() % 200;
		uint64_t range = round % 2 ? 32 : 1 << (round % 25 + 5);
		double found, truth;

		for (size_t i = 0; i < 200; i++) {
			x[i] = rand() % range;
			y[i] = rand() % range / (round % 3 + 1);
		}
		found = distance_of(x, of_x, y, of_y);
		truth = slow_distance(x, of_x, y, of_y);
		if (range <= 32)
			cr_expect_float_eq(found, truth, 1e-12);
		else
			cr_expect(found <= truth + 1e-12 && found > truth - 0.25);
		cr_expect_float_eq(distance_of(y, of_y, x, of_x), found, 1e-12);
	}
}

Test(statistics, distance_of_nothing_is_not_known)
{
	struct histogram some = {0}, none = {0};

	histogram_add(&some, 7, 3);
	cr_expect(isnan(ks_distance(&some, &none)));
	cr_expect(isnan(ks_p(NAN, 3, 0)));
	cr_expect_eq(ks_distance(&some, &some), 0);
	cr_expect_eq(ks_p(0, 3, 3), 1);
}

/* The textbook's critical values of Kolmogorov's distribution, and its plain series. */
Test(statistics, p_of_a_distance_is_kolmogorovs)
{
	static const struct {
		double x, p;
	} critical[] = {{1.2238, 0.1}, {1.3581, 0.05}, {1.6276, 0.01}, {1.9495, 0.001}};
	const double many = 1e12, root = sqrt(many / 2);

	for (size_t i = 0; i < COUNT_OF(critical); i++)
		cr_expect_float_eq(ks_p(critical[i].x / root, many, many), critical[i].p,
				   critical[i].p / 1000);
	for (double x = 0.3; x < 3; x += 0.01) {
		double sum = 0;

		for (int j = 1; j <= 1000; j++)
			sum += (j % 2 ? 2 : -2) * exp(-2.0 * j * j * x * x);
		cr_expect_float_eq(ks_p(x / root, many, many), sum, 1e-6);
	}
}

Test(statistics, holm_has_the_published_procedures_values)
{
	static const double p[] = {0.01, NAN, 0.04, 0.03, 0.005}, all[] = {0.9, 0.8};
	static const double corrected[] = {0.03, NAN, 0.06, 0.06, 0.02};
	double found[5];

	holm_correct(p, 5, found);
	for (int i = 0; i < 5; i++)
		cr_expect(isnan(corrected[i]) ? isnan(found[i])
					      : fabs(found[i] - corrected[i]) < 1e-12);
	holm_correct(all, 2, found);
	cr_expect(found[0] == 1 && found[1] == 1, "a p is never above 1");
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

Test(histogram, quantiles_are_values_that_were_seen_and_near)
{
	static uint64_t values[1000];
	struct histogram h = {0};

	srand(3);
	for (int i = 0; i < 1000; i++) {
		values[i] = (uint64_t)rand() << rand() % 30;
		histogram_add(&h, values[i], 1);
	}
	qsort(values, 1000, sizeof(*values), by_value);
	for (unsigned percent = 0; percent < 100; percent++) {
		uint64_t found = histogram_quantile(&h, percent), truth = values[10 * percent];

		cr_expect(bsearch(&found, values, 1000, sizeof(found), by_value));
		cr_expect(found >= truth && found - truth <= truth / 16, "%u%%", percent);
	}
	cr_expect_eq(histogram_quantile(&h, 100), values[999]);
}

Test(histogram, merged_is_that_of_all_values)
{
	struct histogram a = {0}, b = {0}, all = {0};

	for (uint64_t i = 0; i < 64; i++) {
		histogram_add(i % 3 ? &a : &b, UINT64_MAX >> i, i);
		histogram_add(&all, UINT64_MAX >> i, i);
	}
	histogram_merge(&a, &b);
	cr_expect_eq(a.count, all.count);
	cr_expect_arr_eq(a.bucket, all.bucket, sizeof(a.bucket));
	cr_expect_arr_eq(a.largest, all.largest, sizeof(a.largest));
	cr_expect_eq(histogram_quantile(&(struct histogram){0}, 50), 0);
}
