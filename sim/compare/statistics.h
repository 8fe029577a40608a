/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is it chance? Tests of the difference between two sides.
 *
 * Welch's t for a number that was measured repeatedly on both, Kolmogorov and
 * Smirnov's D for two distributions, Holm's correction where many are tested.
 * What can't be computed is NAN.
 */
#ifndef SKY_STATISTICS_H
#define SKY_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/histogram.h"

#define CONFIDENCE 0.95 /* of all intervals */

struct summary {
	size_t count;
	double mean; /* NAN of none */
	double sd;   /* of the sample (n - 1); NAN below two values */
};

/* Sorts the values, so that their order doesn't matter to the last bit. */
struct summary summary_of(double *values, size_t count);

struct welch {
	double t, degrees_of_freedom;
	double p;			/* two-sided */
	double low, high;		/* confidence interval of b's mean less a's */
	double effect;			/* the same difference in standard deviations */
	double effect_low, effect_high; /* its confidence interval */
};

/*
 * Welch, "The generalization of 'Student's' problem when several different
 * population variances are involved", Biometrika 34 (1947). The effect and its
 * interval: Bonett, "Confidence intervals for standardized linear contrasts of
 * means", Psychological Methods 13 (2008), for two groups of unequal
 * variance. False where a side has fewer than two values, or neither varies.
 */
bool welch_test(const struct summary *a, const struct summary *b, struct welch *result);

/*
 * The largest vertical distance of the two distribution functions, looked at
 * between buckets: never more than the true one. NAN if one is empty.
 */
double ks_distance(const struct histogram *a, const struct histogram *b);

/*
 * How likely such a distance is by chance, if all observations are independent:
 * Kolmogorov's limit distribution with the correction for finite samples of
 * Stephens, "Use of the Kolmogorov-Smirnov, Cramer-von Mises and related
 * statistics without extensive tables", JRSS B 32 (1970).
 */
double ks_p(double distance, double count_a, double count_b);

/* Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979). */
void holm_correct(const double *p, size_t count, double *corrected);

#endif
