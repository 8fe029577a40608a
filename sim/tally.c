/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters a class, histograms of delays, bins of time.
 *
 * Neither the length of the trace nor its end is known while it is read, so
 * bins double their width whenever time runs past the last one, and delays go
 * into histograms.
 */
#include <stdlib.h>
#include <string.h>

#include "common/histogram.h"
#include "sim/score.h"
#include "sim/tally.h"

#define OPS	 2
#define WHATS	 4 /* enum chunk_class */
#define CLASSES	 (CLASS_COUNT + 1)
#define NO_CLASS CLASS_COUNT
#define DEDUPS	 3 /* enum dedup_hint */

/* Between half as many and that many bins come out. */
#define BINS	     256
#define BIN_FIRST_NS 1000000u

enum label {
	LABEL_METADATA,
	LABEL_SMALL,
	LABEL_LARGE,
	LABEL_APPLICATION,
	LABEL_UNCONSUMED,
	LABEL_UNKNOWN,
	LABELS
};

static const char *const label_names[] = {"metadata",	      "small-file data", "large-file data",
					  "application data", "unconsumed",	 "unknown"};
static const char *const op_names[] = {"read", "write"};

struct tally {
	uint64_t found[OPS][WHATS][CLASSES], truth[OPS][WHATS][CLASSES];
	struct histogram *delay[OPS][WHATS][CLASSES]; /* where there are any */
	uint64_t dedup[OPS][WHATS][DEDUPS];
	uint64_t journal[OPS];
	uint64_t application[OPS][CLASSES]; /* classed by it */
	uint64_t start_ns, bin_ns;
	uint64_t bins[OPS][LABELS][BINS];
};

struct tally *tally_new(void)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (t)
		t->bin_ns = BIN_FIRST_NS;
	return t;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	for (int op = 0; op < OPS; op++)
		for (int what = 0; what < WHATS; what++)
			for (int c = 0; c < CLASSES; c++)
				free(t->delay[op][what][c]);
	free(t);
}

static void count_delay(struct tally *t, const struct judged *judged, unsigned what, unsigned c)
{
	uint64_t known_ns = judged->hint->time_ns;
	uint64_t after_ns = known_ns > judged->issued_ns ? known_ns - judged->issued_ns : 0;
	struct histogram **delay = &t->delay[judged->op][what][c];

	if (!*delay)
		*delay = calloc(1, sizeof(**delay));
	if (*delay)
		histogram_add(*delay, after_ns, 1);
}

static void halve(struct tally *t)
{
	for (int op = 0; op < OPS; op++) {
		for (int label = 0; label < LABELS; label++) {
			uint64_t *bins = t->bins[op][label];

			for (int i = 0; i < BINS / 2; i++)
				bins[i] = bins[2 * i] + bins[2 * i + 1];
			memset(bins + BINS / 2, 0, BINS / 2 * sizeof(*bins));
		}
	}
	t->bin_ns *= 2;
}

static enum label label_of(unsigned what, unsigned c)
{
	switch (what) {
	case CHUNK_METADATA:
		return LABEL_METADATA;
	case CHUNK_DATA:
		return c == CLASS_REST || c == NO_CLASS ? LABEL_LARGE : LABEL_SMALL;
	case CHUNK_UNCONSUMED:
		return LABEL_UNCONSUMED;
	default:
		return LABEL_UNKNOWN;
	}
}

void tally_begin(struct tally *t, uint64_t time_ns)
{
	t->start_ns = time_ns;
}

static void count_time(struct tally *t, const struct judged *judged, enum label label)
{
	uint64_t after_ns = judged->issued_ns > t->start_ns ? judged->issued_ns - t->start_ns : 0;

	while (after_ns / t->bin_ns >= BINS)
		halve(t);
	t->bins[judged->op][label][after_ns / t->bin_ns] += judged->chunks;
}

void tally_chunk(struct tally *t, const struct judged *judged)
{
	const struct hint_event *hint = judged->hint ? &judged->hint->hint : NULL;
	unsigned what = hint ? hint->what : CHUNK_UNKNOWN;
	unsigned c = hint && hint->io_class < CLASS_COUNT ? hint->io_class : NO_CLASS;
	unsigned truth = judged->truth.what < WHATS ? judged->truth.what : CHUNK_UNKNOWN;
	bool data = truth == CHUNK_DATA && (what == CHUNK_DATA || what == CHUNK_UNCONSUMED);

	t->found[judged->op][what][c] += judged->chunks;
	t->truth[judged->op][truth][truth == CHUNK_METADATA ? CLASS_METADATA
				    : data		    ? c
							    : NO_CLASS] += judged->chunks;
	if (hint) {
		count_delay(t, judged, what, c);
		t->dedup[judged->op][what][hint->dedup] += judged->chunks;
		t->journal[judged->op] += hint->reason == REASON_JOURNAL;
	}
	if (hint && hint->reason == REASON_APPLICATION) {
		t->application[judged->op][c] += judged->chunks;
		count_time(t, judged, LABEL_APPLICATION);
		return;
	}
	count_time(t, judged, label_of(what, c));
}

uint64_t tally_found(const struct tally *t, unsigned op, enum chunk_class what)
{
	uint64_t chunks = 0;

	for (int c = 0; c < CLASSES; c++)
		chunks += t->found[op][what][c];
	return chunks;
}

uint64_t tally_chunks(const struct tally *t, unsigned op)
{
	uint64_t chunks = 0;

	for (int what = 0; what < WHATS; what++)
		chunks += tally_found(t, op, what);
	return chunks;
}

/* The order in which people read them; each from the highest class down. */
static const enum chunk_class shown[] = {CHUNK_METADATA, CHUNK_DATA, CHUNK_UNCONSUMED,
					 CHUNK_UNKNOWN};

static json_t *class_json(int c)
{
	return c == NO_CLASS ? json_null() : json_integer(c);
}

/* Rows that everybody expects are there even if they are 0. */
static bool is_usual(enum chunk_class what, int c)
{
	return what == CHUNK_METADATA ? c == CLASS_METADATA
				      : what == CHUNK_DATA && c < CLASS_METADATA;
}

static json_t *rows_json(const uint64_t (*counts)[WHATS][CLASSES])
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < WHATS; i++) {
		enum chunk_class what = shown[i];

		for (int c = NO_CLASS; c >= 0; c--) {
			uint64_t reads = counts[BLOCK_READ][what][c];
			uint64_t writes = counts[BLOCK_WRITE][what][c];

			if (!reads && !writes && !is_usual(what, c))
				continue;
			json_array_append_new(rows, json_pack("{s:s, s:o, s:I, s:I}", "what",
							      chunk_class_names[what], "io_class",
							      class_json(c), "read_chunks",
							      (json_int_t)reads, "write_chunks",
							      (json_int_t)writes));
		}
	}
	return rows;
}

json_t *tally_by_class(const struct tally *t)
{
	return rows_json(t->found);
}

json_t *tally_truth_by_class(const struct tally *t)
{
	return rows_json(t->truth);
}

static json_t *delay_json(const struct tally *t, unsigned op, enum chunk_class what, int c)
{
	const struct histogram *delay = t->delay[op][what][c];

	return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I}", "op", op_names[op], "what",
			 chunk_class_names[what], "io_class", class_json(c), "chunks",
			 (json_int_t)delay->count, "p50", (json_int_t)histogram_quantile(delay, 50),
			 "p90", (json_int_t)histogram_quantile(delay, 90), "p99",
			 (json_int_t)histogram_quantile(delay, 99), "max",
			 (json_int_t)histogram_quantile(delay, 100));
}

json_t *tally_known_after(const struct tally *t)
{
	json_t *rows = json_array();

	for (unsigned op = 0; op < OPS; op++)
		for (unsigned i = 0; i < WHATS; i++)
			for (int c = NO_CLASS; c >= 0; c--)
				if (t->delay[op][shown[i]][c])
					json_array_append_new(rows, delay_json(t, op, shown[i], c));
	return rows;
}

static json_t *series_json(const uint64_t *bins, unsigned used, unsigned op, unsigned label)
{
	json_t *chunks = json_array();

	for (unsigned i = 0; i < used; i++)
		json_array_append_new(chunks, json_integer(bins[i]));
	return json_pack("{s:s, s:s, s:o}", "op", op_names[op], "label", label_names[label],
			 "chunks", chunks);
}

static unsigned bins_used(const struct tally *t)
{
	unsigned used = BINS;

	for (; used; used--)
		for (unsigned op = 0; op < OPS; op++)
			for (unsigned label = 0; label < LABELS; label++)
				if (t->bins[op][label][used - 1])
					return used;
	return 0;
}

json_t *tally_over_time(const struct tally *t)
{
	json_t *series = json_array();
	unsigned used = bins_used(t);

	for (unsigned op = 0; op < OPS; op++)
		for (unsigned label = 0; label < LABELS; label++)
			json_array_append_new(series,
					      series_json(t->bins[op][label], used, op, label));
	return json_pack("{s:I, s:I, s:o}", "start_ns", (json_int_t)t->start_ns, "bin_ns",
			 (json_int_t)t->bin_ns, "series", series);
}

json_t *tally_dedup(const struct tally *t)
{
	json_t *rows = json_array();

	for (unsigned dedup = DEDUP_UNIQUE; dedup < DEDUPS; dedup++) {
		for (unsigned i = 0; i < WHATS; i++) {
			uint64_t reads = t->dedup[BLOCK_READ][shown[i]][dedup];
			uint64_t writes = t->dedup[BLOCK_WRITE][shown[i]][dedup];

			if (reads || writes)
				json_array_append_new(
					rows, json_pack("{s:s, s:s, s:I, s:I}", "dedup",
							dedup_hint_names[dedup], "what",
							chunk_class_names[shown[i]], "read_chunks",
							(json_int_t)reads, "write_chunks",
							(json_int_t)writes));
		}
	}
	return rows;
}

json_t *tally_application(const struct tally *t)
{
	json_t *rows = json_array();

	for (int c = CLASS_COUNT - 1; c >= 0; c--) {
		uint64_t reads = t->application[BLOCK_READ][c];
		uint64_t writes = t->application[BLOCK_WRITE][c];

		if (reads || writes)
			json_array_append_new(rows, json_pack("{s:i, s:I, s:I}", "io_class", c,
							      "read_chunks", (json_int_t)reads,
							      "write_chunks", (json_int_t)writes));
	}
	return rows;
}

json_t *tally_journal(const struct tally *t)
{
	return json_pack("{s:I, s:I}", "write_chunks", (json_int_t)t->journal[BLOCK_WRITE],
			 "metadata_write_chunks",
			 (json_int_t)tally_found(t, BLOCK_WRITE, CHUNK_METADATA));
}
