/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/far_copy.h"
#include "common/fnv1a.h"
#include "common/output.h"
#include "common/size.h"

/* The published vectors of the algorithm's authors. */
Test(fnv1a, has_the_published_values)
{
	cr_expect_eq(fnv1a_update(FNV1A_BASIS, "", 0), 0xcbf29ce484222325u);
	cr_expect_eq(fnv1a_update(FNV1A_BASIS, "a", 1), 0xaf63dc4c8601ec8cu);
	cr_expect_eq(fnv1a_update(FNV1A_BASIS, "foobar", 6), 0x85944171f73967e8u);
}

Test(fnv1a, of_chunks_side_by_side_is_that_of_each)
{
	static uint8_t data[37 * 4096];
	uint64_t sums[37];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * i >> 5;
	fnv1a_chunks(data, 37, 4096, sums);
	for (int i = 0; i < 37; i++)
		cr_expect_eq(sums[i], fnv1a_update(FNV1A_BASIS, data + 4096 * i, 4096));
}

Test(fnv1a, of_zero_chunks_and_nearly_zero_chunks_is_that_of_each)
{
	static uint8_t data[40 * 4096];
	uint64_t sums[40];

	data[4096 * 9 + 4095] = 1; /* the second batch of eight */
	data[4096 * 16] = 1;	   /* the third begins with it */
	data[4096 * 31 + 8] = 1;
	fnv1a_chunks(data, 40, 4096, sums);
	for (int i = 0; i < 40; i++)
		cr_expect_eq(sums[i], fnv1a_update(FNV1A_BASIS, data + 4096 * i, 4096));
}

Test(fnv1a, over_zeros_is_that_of_zero_bytes)
{
	static const uint8_t zeros[4096];
	uint64_t state = fnv1a_update(FNV1A_BASIS, "head", 4);

	for (size_t n = 0; n <= 4096; n = 2 * n + 1)
		cr_expect_eq(fnv1a_zeros(state, n), fnv1a_update(state, zeros, n));
}

Test(far_copy, copies_what_memcpy_copies_and_nothing_else)
{
	static uint8_t from[1024], to[1024], expected[1024];

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = i * 31 + (i >> 8);
	for (size_t at = 0; at < 70; at++)
		for (size_t bytes = 0; bytes < 400; bytes += 1 + bytes / 40) {
			memset(to, 0xee, sizeof(to));
			memset(expected, 0xee, sizeof(expected));
			far_copy(to + at, from + at * 3 % 17, bytes);
			memcpy(expected + at, from + at * 3 % 17, bytes);
			cr_assert_arr_eq(to, expected, sizeof(to));
		}
}

Test(size, understands_suffixes_and_refuses_the_rest)
{
	static const char *const wrong[] = {"", "K", "4X", "4KB", "-1", "1.5G", "99999999999999T"};
	uint64_t n;

	cr_expect(!size_parse("4096", &n) && n == 4096);
	cr_expect(!size_parse("64K", &n) && n == 65536);
	cr_expect(!size_parse("2g", &n) && n == 2ull << 30);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect_neq(size_parse(wrong[i], &n), 0, "%s", wrong[i]);
}

Test(size, of_a_capacity_is_entries_bytes_or_percent)
{
	struct capacity c;

	cr_expect(!capacity_parse("490", &c) && c.unit == CAPACITY_ENTRIES && c.value == 490);
	cr_expect(!capacity_parse("1M", &c) && c.unit == CAPACITY_BYTES && c.value == 1 << 20);
	cr_expect(!capacity_parse("2.5%", &c) && c.unit == CAPACITY_PERCENT && c.value == 2.5);
	cr_expect(capacity_parse("0", &c) && capacity_parse("101%", &c) && capacity_parse("%", &c));
}

Test(output, appears_only_when_committed)
{
	char folder[] = "/tmp/sky-output-XXXXXX", path[64], part[80];
	struct output o;
	FILE *f;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.h5", folder);
	snprintf(part, sizeof(part), "%s.part", path);
	cr_assert_eq(output_begin(&o, path), 0);
	f = fopen(o.part, "w");
	cr_assert_not_null(f);
	fclose(f);
	cr_expect_neq(access(path, F_OK), 0);
	cr_assert_eq(output_commit(&o), 0);
	cr_expect_eq(access(path, F_OK), 0);
	cr_expect_neq(access(part, F_OK), 0);
	cr_assert_eq(output_begin(&o, path), 0);
	f = fopen(o.part, "w");
	fclose(f);
	output_abandon(&o);
	cr_expect_neq(access(part, F_OK), 0);
	unlink(path);
	rmdir(folder);
}
