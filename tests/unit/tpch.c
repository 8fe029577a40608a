/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of TPC-H are those of the specification, and always the same.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/tpch/tables.h"

enum { PART, PARTSUPP, SUPPLIER };

static struct tpch tpch_of(uint32_t suppliers, uint64_t seed)
{
	struct tpch tpch = {.seed = seed, .suppliers = suppliers};
	struct prng prng;

	prng_seed(&prng, seed, 0);
	cr_assert_eq(tpch_text_make(&tpch.text, 1 << 20, &prng), 0);
	return tpch;
}

/* The whole table as a string. */
static char *table_text(uint32_t suppliers, uint64_t seed, unsigned table)
{
	struct tpch tpch = tpch_of(suppliers, seed);
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	cr_assert(file);
	cr_assert_eq(tpch_write_table(&tpch, &tpch_tables[table], file, "memory"), 0);
	fclose(file);
	tpch_text_free(&tpch.text);
	return text;
}

static unsigned lines_of(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

Test(tpch, prices_follow_the_formula)
{
	cr_assert_eq(tpch_retail_price(1), 90100);
	cr_assert_eq(tpch_retail_price(999), 90000 + 99 + 99900);
	cr_assert_eq(tpch_retail_price(1000), 90100);
	cr_assert_eq(tpch_retail_price(200009), 90000 + 20000 + 900);
	cr_assert_eq(tpch_retail_price(200010), 90000 + 1000);
}

Test(tpch, a_part_has_four_different_suppliers)
{
	for (uint32_t suppliers = TPCH_SUPPLIERS_STEP; suppliers <= 2000;
	     suppliers += TPCH_SUPPLIERS_STEP)
		for (uint32_t part = 1; part <= 20 * suppliers; part++)
			for (unsigned i = 0; i < TPCH_SUPPLIERS_OF_PART; i++) {
				uint32_t one = tpch_supplier_of(part, i, suppliers);

				cr_assert(one >= 1 && one <= suppliers);
				for (unsigned j = 0; j < i; j++)
					cr_assert_neq(one, tpch_supplier_of(part, j, suppliers));
			}
}

Test(tpch, rows_are_as_many_as_the_scale_factor_says)
{
	static const unsigned rows[] = {[PART] = 20000, [PARTSUPP] = 80000, [SUPPLIER] = 1000};

	for (unsigned table = 0; table < TPCH_TABLES; table++) {
		char *text = table_text(1000, 1, table);

		cr_assert_eq(lines_of(text), rows[table], "%s", tpch_tables[table].name);
		free(text);
	}
}

Test(tpch, tables_depend_on_the_seed_alone)
{
	for (unsigned table = 0; table < TPCH_TABLES; table++) {
		char *one = table_text(100, 1, table), *again = table_text(100, 1, table);
		char *other = table_text(100, 2, table);

		cr_assert_str_eq(one, again);
		cr_assert_str_neq(one, other);
		free(one);
		free(again);
		free(other);
	}
}

/* How many lines hold begin and, behind it, end. */
static unsigned lines_with(const char *text, const char *begin, const char *end)
{
	char *copy = strdup(text), *state = NULL, *found;
	unsigned lines = 0;

	for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		found = strstr(line, begin);
		lines += found && strstr(found + strlen(begin), end);
	}
	free(copy);
	return lines;
}

Test(tpch, five_of_ten_thousand_suppliers_have_complaints_and_five_praise)
{
	static const struct {
		uint32_t suppliers;
		unsigned each;
	} cases[] = {{100, 1}, {1000, 1}, {10000, 5}, {17000, 9}, {100000, 50}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = table_text(cases[i].suppliers, 7, SUPPLIER);

		cr_assert_eq(lines_with(text, "Customer", "Complaints"), cases[i].each);
		cr_assert_eq(lines_with(text, "Customer", "Recommends"), cases[i].each);
		free(text);
	}
}

Test(tpch, text_is_sentences)
{
	struct tpch tpch = tpch_of(100, 1);
	unsigned terminators = 0;

	for (size_t i = 0; i < tpch.text.bytes; i++) {
		char c = tpch.text.at[i];

		cr_assert(strchr("abcdefghijklmnopqrstuvwxyzT' ,-.;:?!", c), "'%c'", c);
		terminators += c && strchr(".;:?!", c);
	}
	cr_assert(terminators > tpch.text.bytes / 100);
	tpch_text_free(&tpch.text);
}

Test(tpch, a_full_disk_is_an_error)
{
	struct tpch tpch = tpch_of(100, 1);
	FILE *full = fopen("/dev/full", "w");

	cr_assert(full);
	cr_assert_eq(tpch_write_table(&tpch, &tpch_tables[PARTSUPP], full, "/dev/full"), -1);
	fclose(full);
	tpch_text_free(&tpch.text);
}
