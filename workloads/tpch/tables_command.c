/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky tpch-tables: makes the tables for `workloads/tpch/tpch`, files of a folder.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/error.h"
#include "common/json.h"
#include "common/output.h"
#include "common/size.h"
#include "workloads/tpch/tables.h"

/* 4.2.2.14: 300 MB, taken as a power of ten. */
#define TEXT_BYTES     300000000
#define TEXT_BYTES_MIN 4096
#define TEXT_BYTES_MAX (1ull << 32)

/* So that the number of a row has 32 bits. */
#define SCALE_FACTOR_MAX 1000

struct arguments {
	const char *folder;
	struct tpch tpch;
	uint64_t text_bytes;
	bool json;
};

enum key { KEY_DIRECTORY = 'd', KEY_JSON = 'j', KEY_SCALE = 's', KEY_SEED = 0x200, KEY_TEXT };

static void parse_scale(struct argp_state *state, const char *argument, uint32_t *suppliers)
{
	char *end;
	double factor = strtod(argument, &end), steps;

	steps = factor * TPCH_SUPPLIERS / TPCH_SUPPLIERS_STEP;
	if (end == argument || *end || !(factor > 0 && factor <= SCALE_FACTOR_MAX) ||
	    fabs(steps - round(steps)) > 1e-6)
		argp_error(state, "--scale-factor is a multiple of 0.01, up to %d",
			   SCALE_FACTOR_MAX);
	*suppliers = lround(steps) * TPCH_SUPPLIERS_STEP;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case KEY_DIRECTORY:
		a->folder = argument;
		return 0;
	case KEY_JSON:
		a->json = true;
		return 0;
	case KEY_SCALE:
		parse_scale(state, argument, &a->tpch.suppliers);
		return 0;
	case KEY_SEED:
		if (size_parse(argument, &a->tpch.seed))
			argp_error(state, "--seed is a number");
		return 0;
	case KEY_TEXT:
		if (size_parse(argument, &a->text_bytes) || a->text_bytes < TEXT_BYTES_MIN ||
		    a->text_bytes > TEXT_BYTES_MAX)
			argp_error(state, "--text-size is from 4K to 4G");
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "%s is not an option", argument);
		return 0;
	case ARGP_KEY_END:
		if (!a->folder)
			argp_error(state, "where to? --directory names a folder");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option tables_options[] = {
	{"directory", KEY_DIRECTORY, "FOLDER", 0,
	 "Where part.tbl, partsupp.tbl and supplier.tbl go", 0},
	{"scale-factor", KEY_SCALE, "S", 0,
	 "200000 parts, 800000 suppliers of parts and 10000 suppliers, times S (1)", 0},
	{"seed", KEY_SEED, "N", 0, "Of all that is random (1)", 0},
	{"text-size", KEY_TEXT, "SIZE", 0,
	 "Of the pseudo text that comments are cut from (300000000, the specification's)", 0},
	{"json", KEY_JSON, NULL, 0, "One JSON object", 0},
	{0},
};

static int write_file(const struct tpch *tpch, const struct tpch_table *table, const char *path)
{
	struct output output;
	FILE *file;

	if (output_begin(&output, path))
		return -1;
	file = output_open(&output);
	if (!file)
		return -1;
	if (!tpch_write_table(tpch, table, file, path))
		return output_close(&output, file);
	fclose(file);
	output_abandon(&output);
	return -1;
}

static json_t *table_made(const struct arguments *a, const struct tpch_table *table)
{
	json_t *made = NULL;
	char *path;

	if (asprintf(&path, "%s/%s.tbl", a->folder, table->name) < 0) {
		fail("out of memory for the name of a table");
		return NULL;
	}
	if (!write_file(&a->tpch, table, path))
		made = json_pack("{s:s, s:o, s:I}", "table", table->name, "file",
				 text_json(path, strlen(path)), "rows",
				 (json_int_t)tpch_rows(&a->tpch, table));
	free(path);
	return made;
}

static json_t *make_tables(struct arguments *a)
{
	json_t *tables = json_array(), *made;
	struct prng prng;
	int rc;

	prng_seed(&prng, a->tpch.seed, 0);
	rc = tpch_text_make(&a->tpch.text, a->text_bytes, &prng);
	for (unsigned i = 0; i < TPCH_TABLES && !rc; i++) {
		made = table_made(a, &tpch_tables[i]);
		rc = made ? json_array_append_new(tables, made) : -1;
	}
	tpch_text_free(&a->tpch.text);
	if (rc) {
		json_decref(tables);
		return NULL;
	}
	return json_pack("{s:f, s:I, s:o}", "scale_factor",
			 (double)a->tpch.suppliers / TPCH_SUPPLIERS, "seed",
			 (json_int_t)a->tpch.seed, "tables", tables);
}

static void print_tables(const json_t *result)
{
	size_t index;
	json_t *table;

	json_array_foreach (json_object_get(result, "tables"), index, table)
		printf("%-8s  %10" JSON_INTEGER_FORMAT " rows  %s\n",
		       json_string_value(json_object_get(table, "table")),
		       json_integer_value(json_object_get(table, "rows")),
		       json_string_value(json_object_get(table, "file")));
}

static int run_tables(int argc, char **argv)
{
	static const struct argp argp = {
		.options = tables_options,
		.parser = parse_option,
		.doc = "Make the tables of TPC-H that its query 16 needs, as the specification "
		       "says: "
		       "the same for the same seed, on any machine. workloads/tpch/tpch loads them "
		       "into a MariaDB."
		       "\vExample: sky tpch-tables --scale-factor 0.1 --directory /var/tmp",
	};
	struct arguments a = {
		.tpch = {.seed = 1, .suppliers = TPCH_SUPPLIERS},
		.text_bytes = TEXT_BYTES,
	};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return command_result(make_tables(&a), a.json, print_tables);
}

SKY_COMMAND(tpch_tables, "tpch-tables", "make tables of TPC-H for a database", run_tables);
