/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The longest common subsequence by bits: Hyyroe, "Bit-parallel LCS-length
 * computation revisited" (2004). A word holds 64 places of B, so it takes
 * |A| * |B| / 64 steps whatever repeats how often; no table of both is kept.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"

#define WORD_BITS 64

int order_add(struct order_list *list, const struct event *block)
{
	struct order_request *at = list->at;

	if (list->count == ORDER_REQUESTS_MAX)
		return 0;
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 1024;

		at = reallocarray(at, room, sizeof(*at));
		if (!at)
			return -ENOMEM;
		list->at = at;
		list->room = room;
	}
	at[list->count++] = (struct order_request){
		.sector = block->block.sector,
		.sectors = block->block.sectors,
		.disk = block->block.disk,
		.op = block->block.op,
	};
	return 0;
}

void order_free(struct order_list *list)
{
	free(list->at);
	*list = (struct order_list){0};
}

static int compare_requests(const struct order_request *x, const struct order_request *y)
{
	if (x->op != y->op)
		return x->op < y->op ? -1 : 1;
	if (x->disk != y->disk)
		return x->disk < y->disk ? -1 : 1;
	if (x->sector != y->sector)
		return x->sector < y->sector ? -1 : 1;
	return (x->sectors > y->sectors) - (x->sectors < y->sectors);
}

/* A request and its place in the stream. */
struct placed {
	struct order_request request;
	uint32_t place;
};

static int by_request(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int order = compare_requests(&x->request, &y->request);

	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static struct placed *sorted(const struct order_list *list)
{
	struct placed *placed = calloc(list->count + 1, sizeof(*placed));

	for (size_t i = 0; placed && i < list->count; i++)
		placed[i] = (struct placed){list->at[i], i};
	if (placed)
		qsort(placed, list->count, sizeof(*placed), by_request);
	return placed;
}

static size_t run_length(const struct placed *placed, size_t count)
{
	size_t run = 1;

	while (run < count && !compare_requests(&placed->request, &placed[run].request))
		run++;
	return run;
}

/* A run of equal requests in sorted B, for each place of A; count 0 where B has none. */
struct run {
	uint32_t first, count;
	uint64_t *bits; /* runs that are long: where they are in B */
};

static void set_bits(uint64_t *bits, const struct placed *b, const struct run *run)
{
	for (uint32_t i = run->first; i < run->first + run->count; i++)
		bits[b[i].place / WORD_BITS] |= 1ull << b[i].place % WORD_BITS;
}

static void clear_bits(uint64_t *bits, const struct placed *b, const struct run *run)
{
	for (uint32_t i = run->first; i < run->first + run->count; i++)
		bits[b[i].place / WORD_BITS] = 0;
}

/*
 * Fills runs[place in A]; returns how many requests both have. Runs that are longer
 * than a row of bits get a row of their own (there are at most 64 such), so
 * that no row costs more than its words.
 */
static ssize_t find_runs(const struct placed *a, size_t a_count, const struct placed *b,
			 size_t b_count, struct run *runs)
{
	size_t words = b_count / WORD_BITS + 1, common = 0;

	for (size_t i = 0, j = 0; i < a_count;) {
		size_t of_a = run_length(&a[i], a_count - i), of_b = 0;
		struct run run = {0};

		while (j < b_count && compare_requests(&b[j].request, &a[i].request) < 0)
			j++;
		if (j < b_count && !compare_requests(&b[j].request, &a[i].request))
			of_b = run_length(&b[j], b_count - j);
		run.first = j;
		run.count = of_b;
		if (of_b > words) {
			run.bits = calloc(words, sizeof(*run.bits));
			if (!run.bits)
				return -ENOMEM;
			set_bits(run.bits, b, &run);
		}
		for (size_t k = 0; k < of_a; k++)
			runs[a[i + k].place] = run;
		/* the row belongs to the first of them, which frees it */
		common += of_a < of_b ? of_a : of_b;
		i += of_a;
		j += of_b;
	}
	return common;
}

/* One row: free places of B that the request can take move the sequence's ends forward. */
static void step(uint64_t *ends, const uint64_t *match, size_t words)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < words; i++) {
		uint64_t take = ends[i] & match[i], sum;

		carry = __builtin_add_overflow(ends[i], carry, &sum);
		carry |= __builtin_add_overflow(sum, take, &sum);
		ends[i] = sum | (ends[i] & ~match[i]);
	}
}

static ssize_t longest(const struct run *runs, size_t a_count, const struct placed *b,
		       size_t b_count)
{
	size_t words = b_count / WORD_BITS + 1, length = 0;
	uint64_t *ends = malloc(words * sizeof(*ends));
	uint64_t *match = calloc(words, sizeof(*match));

	if (!ends || !match) {
		free(ends);
		free(match);
		return -ENOMEM;
	}
	memset(ends, 0xff, words * sizeof(*ends));
	for (size_t i = 0; i < a_count; i++) {
		if (!runs[i].count)
			continue;
		if (runs[i].bits) {
			step(ends, runs[i].bits, words);
			continue;
		}
		set_bits(match, b, &runs[i]);
		step(ends, match, words);
		clear_bits(match, b, &runs[i]);
	}
	for (size_t i = 0; i < words; i++)
		length += WORD_BITS - __builtin_popcountll(ends[i]);
	free(ends);
	free(match);
	return length;
}

static void free_runs(struct run *runs, const struct placed *a, size_t a_count)
{
	for (size_t i = 0; runs && i < a_count; i += run_length(&a[i], a_count - i))
		free(runs[a[i].place].bits);
	free(runs);
}

static double likeness_of(double common, double of_a, double of_b)
{
	return of_a + of_b > 0 ? 100 * 2 * common / (of_a + of_b) : NAN;
}

/* Where a side's requests begin or end to cover sectors. */
struct edge {
	struct order_request at; /* sectors 0 */
	int8_t a, b;		 /* how many more or less cover what follows */
};

static int by_place(const void *a, const void *b)
{
	return compare_requests(&((const struct edge *)a)->at, &((const struct edge *)b)->at);
}

static size_t add_edges(struct edge *edges, const struct order_list *list, bool of_a)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct order_request first = list->at[i], end = first;

		if (__builtin_add_overflow(first.sector, first.sectors, &end.sector))
			end.sector = UINT64_MAX;
		first.sectors = end.sectors = 0;
		edges[count++] = (struct edge){first, of_a, !of_a};
		edges[count++] = (struct edge){end, -of_a, -!of_a};
	}
	return count;
}

/* Sectors that both cover, as often as both do: a walk along all edges. */
static int compare_bytes(const struct order_list *a, const struct order_list *b, double *likeness)
{
	struct edge *edges = calloc(2 * (a->count + b->count) + 1, sizeof(*edges));
	double common = 0, of_a = 0, of_b = 0;
	int64_t on_a = 0, on_b = 0;
	size_t count;

	if (!edges)
		return -ENOMEM;
	count = add_edges(edges, a, true);
	count += add_edges(edges + count, b, false);
	qsort(edges, count, sizeof(*edges), by_place);
	for (size_t i = 0; i + 1 < count; i++) {
		double sectors = edges[i + 1].at.sector - edges[i].at.sector;

		on_a += edges[i].a;
		on_b += edges[i].b;
		if (!on_a && !on_b) /* the next may be of another operation or disk */
			continue;
		common += sectors * (on_a < on_b ? on_a : on_b);
		of_a += sectors * on_a;
		of_b += sectors * on_b;
	}
	free(edges);
	*likeness = likeness_of(common, of_a, of_b);
	return 0;
}

int order_compare(const struct order_list *a, const struct order_list *b,
		  struct order_likeness *likeness)
{
	struct placed *in_a = sorted(a), *in_b = sorted(b);
	struct run *runs = calloc(a->count + 1, sizeof(*runs));
	ssize_t common = -ENOMEM, length = -ENOMEM;

	if (in_a && in_b && runs)
		common = find_runs(in_a, a->count, in_b, b->count, runs);
	if (common >= 0)
		length = longest(runs, a->count, in_b, b->count);
	if (in_a)
		free_runs(runs, in_a, a->count);
	else
		free(runs);
	free(in_a);
	free(in_b);
	if (length < 0)
		return -ENOMEM;
	likeness->requests = likeness_of(common, a->count, b->count);
	likeness->order = likeness_of(length, a->count, b->count);
	return compare_bytes(a, b, &likeness->bytes);
}
