/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One recording, or one result that a command printed as JSON, as named
 * numbers: what two of them can be compared by.
 */
#ifndef SKY_MEASURE_H
#define SKY_MEASURE_H

#include <stdbool.h>

#include <jansson.h>

#include "capture/event.h"
#include "common/histogram.h"
#include "order.h"

/* What recordings have whole distributions of. */
enum distribution {
	BYTES_READ,
	BYTES_WRITTEN,
	BYTES_DISCARDED,
	GAP,
	LATENCY_READ,
	LATENCY_WRITE,
	LATENCY_FLUSH,
	LIFETIME_SKY,
	LIFETIME_NAIVE,
	DISTRIBUTIONS
};

extern const char *const distribution_names[DISTRIBUTIONS];

/* What is told of a distribution. */
#define QUANTILES 4
extern const struct quantile {
	const char *name;
	unsigned percent;
} quantiles[QUANTILES];

struct measurement {
	const char *path;
	bool recording;
	json_t *numbers; /* name: integer, real, or null where it isn't known */
	json_t *words;	 /* name: string; settings and labels, which are no numbers */
	json_t *counted; /* beginnings of names of which those that are absent are 0 */
	struct histogram *distribution; /* DISTRIBUTIONS; NULL of a result */
	struct order_list requests;
};

/*
 * Takes a file for what its first byte says: '{' is a result, anything else a
 * recording, whose requests are classified with these hints (a classifier as
 * users type it; NULL: not at all). 0, or -1 after saying what is wrong;
 * measurement_free() may follow either.
 */
int measure(struct measurement *measurement, const char *path, const char *hints);
void measurement_free(struct measurement *measurement);

/*
 * Adds all leaves of a JSON value under their paths: members and elements
 * joined by dots, as in by_class.data:4.read_chunks. Of an array of objects, an
 * element is called by its texts and its io_class, or by its place where these
 * don't tell all of them apart. Of more than 16 numbers their count, mean, least
 * and greatest are taken, and of a curve's points (arrays of numbers) those of
 * each column. 0, or -1 after saying what is wrong.
 */
int flatten(struct measurement *measurement, const char *name, const json_t *value);

#endif
