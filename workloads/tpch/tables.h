/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of TPC-H that its query 16 needs: PART, PARTSUPP and SUPPLIER,
 * row by row, after the specification (revision 3, clause 4.2.3).
 *
 * A table depends on the seed and the number of suppliers alone, not on
 * whether the others are made.
 */
#ifndef SKY_TPCH_TABLES_H
#define SKY_TPCH_TABLES_H

#include <stdint.h>
#include <stdio.h>

#include "workloads/tpch/text.h"

/* Rows for a scale factor of 1. */
#define TPCH_SUPPLIERS 10000
#define TPCH_PARTS     200000

#define TPCH_SUPPLIERS_OF_PART 4

/*
 * A scale factor of 0.01. With other numbers of suppliers below 229, a part could
 * have a supplier twice.
 */
#define TPCH_SUPPLIERS_STEP 100

struct tpch {
	uint64_t seed;
	uint32_t suppliers; /* a multiple of TPCH_SUPPLIERS_STEP */
	struct tpch_text text;
};

struct writer;

struct tpch_table {
	const char *name;
	uint32_t rows_of_supplier; /* rows = suppliers times this */
	void (*write_row)(struct writer *writer, uint32_t row);
};

#define TPCH_TABLES 3
extern const struct tpch_table tpch_tables[TPCH_TABLES];

uint64_t tpch_rows(const struct tpch *tpch, const struct tpch_table *table);

/* In cents. Parts and suppliers count from 1. */
uint32_t tpch_retail_price(uint32_t part);

/* The nth (from 0) supplier of a part. */
uint32_t tpch_supplier_of(uint32_t part, unsigned nth, uint32_t suppliers);

/*
 * Writes a table as rows of columns, each ended by "|" (which no column holds), as
 * LOAD DATA takes it. 0, or -1 after saying what went wrong; name is for that.
 */
int tpch_write_table(const struct tpch *tpch, const struct tpch_table *table, FILE *file,
		     const char *name);

#endif
