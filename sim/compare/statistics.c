/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>
#include <math.h>
#include <stdlib.h>

#include "statistics.h"

struct summary summary_of(double *values, size_t count)
{
	struct summary s = {.count = count, .mean = NAN, .sd = NAN};

	gsl_sort(values, 1, count);
	if (count)
		s.mean = gsl_stats_mean(values, 1, count);
	if (count > 1)
		s.sd = gsl_stats_sd(values, 1, count);
	return s;
}

static void effect_size(const struct summary *a, const struct summary *b, struct welch *w)
{
	double va = a->sd * a->sd, vb = b->sd * b->sd;
	double unit = sqrt((va + vb) / 2), df_a = a->count - 1.0, df_b = b->count - 1.0;
	double d = (b->mean - a->mean) / unit;
	double variance = d * d * (va * va / df_a + vb * vb / df_b) / (8 * pow(unit, 4)) +
			  (va / df_a + vb / df_b) / (unit * unit);
	double reach = gsl_cdf_ugaussian_Pinv(0.5 + CONFIDENCE / 2) * sqrt(variance);

	w->effect = d;
	w->effect_low = d - reach;
	w->effect_high = d + reach;
}

bool welch_test(const struct summary *a, const struct summary *b, struct welch *w)
{
	double of_a, of_b, error, difference = b->mean - a->mean, reach;

	if (a->count < 2 || b->count < 2)
		return false;
	of_a = a->sd * a->sd / a->count;
	of_b = b->sd * b->sd / b->count;
	error = sqrt(of_a + of_b);
	w->degrees_of_freedom =
		pow(of_a + of_b, 2) / (of_a * of_a / (a->count - 1) + of_b * of_b / (b->count - 1));
	/* no spread at all, or numbers whose squares no double holds */
	if (!(error > 0) || !isfinite(error) || !isfinite(w->degrees_of_freedom) ||
	    !isfinite(difference))
		return false;
	w->t = difference / error;
	w->p = 2 * gsl_cdf_tdist_Q(fabs(w->t), w->degrees_of_freedom);
	reach = gsl_cdf_tdist_Pinv(0.5 + CONFIDENCE / 2, w->degrees_of_freedom) * error;
	w->low = difference - reach;
	w->high = difference + reach;
	effect_size(a, b, w);
	return true;
}

double ks_distance(const struct histogram *a, const struct histogram *b)
{
	uint64_t below_a = 0, below_b = 0;
	double most = 0;

	if (!a->count || !b->count)
		return NAN;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below_a += a->bucket[i];
		below_b += b->bucket[i];
		most = fmax(most, fabs((double)below_a / a->count - (double)below_b / b->count));
	}
	return most;
}

/*
 * P(K > x) of Kolmogorov's distribution K. Two series for the same function: the
 * first converges quickly where x is small, the second where it is large.
 */
static double kolmogorov(double x)
{
	double sum = 0;

	if (x <= 0)
		return 1;
	if (x < 1.18) {
		for (int j = 1; j <= 7; j += 2)
			sum += exp(-pow(j * M_PI / x, 2) / 8);
		return 1 - sqrt(2 * M_PI) / x * sum;
	}
	for (int j = 1; j <= 4; j++)
		sum += (j % 2 ? 2 : -2) * exp(-2 * pow(j * x, 2));
	return sum;
}

double ks_p(double distance, double count_a, double count_b)
{
	double root = sqrt(count_a * count_b / (count_a + count_b));

	if (isnan(distance))
		return NAN;
	return kolmogorov((root + 0.12 + 0.11 / root) * distance);
}

struct ranked {
	double p;
	size_t at;
};

/* NANs last. */
static int by_p(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (isnan(x->p) || isnan(y->p))
		return isnan(x->p) - isnan(y->p);
	return (x->p > y->p) - (x->p < y->p);
}

void holm_correct(const double *p, size_t count, double *corrected)
{
	struct ranked *ranked = calloc(count ? count : 1, sizeof(*ranked));
	size_t tests = 0;
	double least = 0;

	for (size_t i = 0; i < count; i++) {
		corrected[i] = NAN;
		tests += !isnan(p[i]);
		if (ranked)
			ranked[i] = (struct ranked){p[i], i};
	}
	if (!ranked)
		return;
	qsort(ranked, count, sizeof(*ranked), by_p);
	for (size_t i = 0; i < tests; i++) {
		least = fmax(least, fmin(1, (tests - i) * ranked[i].p));
		corrected[ranked[i].at] = least;
	}
	free(ranked);
}
