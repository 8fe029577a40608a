/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How alike two streams of requests are, against slow and obvious ways to find out.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/compare/order.h"

#define SECTORS 64
#define LONGEST 700

static void add(struct order_list *list, uint8_t op, uint64_t sector, uint32_t sectors)
{
	struct event event;

	event_init(&event, EVENT_BLOCK);
	event.block.op = op;
	event.block.sector = sector;
	event.block.sectors = sectors;
	cr_assert_eq(order_add(list, &event), 0);
}

/* Few different requests, so that many repeat. */
static void fill(struct order_list *list, size_t count, unsigned places)
{
	for (size_t i = 0; i < count; i++)
		add(list, rand() % 2, rand() % places, 1 + rand() % 2 * 7);
}

static bool equal(const struct order_request *x, const struct order_request *y)
{
	return x->op == y->op && x->sector == y->sector && x->sectors == y->sectors;
}

static double share(double common, double a, double b)
{
	return 100 * 2 * common / (a + b);
}

/* The textbook's table of the longest common subsequence. */
static double slow_order(const struct order_list *a, const struct order_list *b)
{
	static unsigned table[LONGEST + 1][LONGEST + 1];

	for (size_t i = 1; i <= a->count; i++)
		for (size_t j = 1; j <= b->count; j++) {
			unsigned left = table[i][j - 1], up = table[i - 1][j];

			table[i][j] = equal(&a->at[i - 1], &b->at[j - 1]) ? table[i - 1][j - 1] + 1
				      : left > up			  ? left
									  : up;
		}
	return share(table[a->count][b->count], a->count, b->count);
}

static double slow_requests(const struct order_list *a, const struct order_list *b)
{
	bool *taken = calloc(b->count, sizeof(*taken));
	size_t common = 0;

	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < b->count; j++)
			if (!taken[j] && equal(&a->at[i], &b->at[j])) {
				taken[j] = true;
				common++;
				break;
			}
	free(taken);
	return share(common, a->count, b->count);
}

static double slow_bytes(const struct order_list *a, const struct order_list *b)
{
	const struct order_list *lists[] = {a, b};
	unsigned asked[2][2][SECTORS] = {0}, sum[2] = {0}, common = 0;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < lists[side]->count; i++)
			for (unsigned s = 0; s < lists[side]->at[i].sectors; s++)
				asked[side][lists[side]->at[i].op][lists[side]->at[i].sector + s]++;
	for (int op = 0; op < 2; op++)
		for (int s = 0; s < SECTORS; s++) {
			unsigned of_a = asked[0][op][s], of_b = asked[1][op][s];

			sum[0] += of_a;
			sum[1] += of_b;
			common += of_a < of_b ? of_a : of_b;
		}
	return share(common, sum[0], sum[1]);
}

Test(order, is_that_of_the_slow_ways)
{
	srand(4);
	for (int round = 0; round < 40; round++) {
		struct order_list a = {0}, b = {0};
		struct order_likeness found, swapped;
		unsigned places = 1 + rand() % (round % 2 ? 3 : SECTORS - 8);

		fill(&a, 1 + rand() % LONGEST, places);
		fill(&b, 1 + rand() % LONGEST, places);
		cr_assert_eq(order_compare(&a, &b, &found), 0);
		cr_assert_eq(order_compare(&b, &a, &swapped), 0);
		cr_expect_float_eq(found.order, slow_order(&a, &b), 1e-9);
		cr_expect_float_eq(found.requests, slow_requests(&a, &b), 1e-9);
		cr_expect_float_eq(found.bytes, slow_bytes(&a, &b), 1e-9);
		cr_expect(found.order == swapped.order && found.bytes == swapped.bytes);
		order_free(&a);
		order_free(&b);
	}
}

Test(order, of_a_stream_and_itself_is_all)
{
	struct order_list a = {0};
	struct order_likeness found;

	srand(5);
	fill(&a, 1000, 50);
	add(&a, BLOCK_FLUSH, 0, 0);
	add(&a, BLOCK_READ, UINT64_MAX, UINT32_MAX);
	cr_assert_eq(order_compare(&a, &a, &found), 0);
	cr_expect(found.order == 100 && found.requests == 100 && found.bytes == 100);
	order_free(&a);
}

Test(order, sees_the_same_bytes_in_other_requests)
{
	struct order_list a = {0}, b = {0};
	struct order_likeness found;

	add(&a, BLOCK_WRITE, 0, 16);
	add(&b, BLOCK_WRITE, 8, 8);
	add(&b, BLOCK_WRITE, 0, 8);
	cr_assert_eq(order_compare(&a, &b, &found), 0);
	cr_expect(found.order == 0 && found.requests == 0 && found.bytes == 100);
	order_free(&a);
	order_free(&b);
}

Test(order, of_nothing_is_not_known)
{
	struct order_list a = {0};
	struct order_likeness found;

	cr_assert_eq(order_compare(&a, &a, &found), 0);
	cr_expect(isnan(found.order) && isnan(found.requests) && isnan(found.bytes));
}

Test(order, takes_no_more_requests_than_it_may)
{
	struct order_list a = {0};

	for (size_t i = 0; i < ORDER_REQUESTS_MAX + 10; i++)
		add(&a, BLOCK_WRITE, i, 1);
	cr_expect_eq(a.count, ORDER_REQUESTS_MAX);
	order_free(&a);
}
