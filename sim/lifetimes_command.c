/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky lifetimes, the command half: JSON, a page for a person, or points to draw.
 */
#include <stdio.h>

#include "common/command.h"
#include "common/output.h"
#include "sim/lifetimes.h"

struct arguments {
	const char *path, *data;
	bool json;
};

static const struct {
	const char *key, *label;
} ways[] = {
	{"sky", "Sky"},
	{"naive", "naive"},
	{"naive_data", "naive, data"},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

static const json_t *way_of(const json_t *result, size_t way)
{
	return json_object_get(json_object_get(result, "lifetimes"), ways[way].key);
}

static void print_counts(const json_t *result, const char *label, const char *key)
{
	printf("%-28s", label);
	for (size_t i = 0; i < WAYS; i++)
		printf("%14" JSON_INTEGER_FORMAT,
		       json_integer_value(json_object_get(way_of(result, i), key)));
	printf("\n");
}

static void print_shares(const json_t *result)
{
	static const struct {
		double ns;
		const char *label;
	} ages[] = {
		{1e6, "1 ms"},	  {1e7, "10 ms"},    {1e8, "100 ms"}, {1e9, "1 s"},
		{5e9, "5 s"},	  {10e9, "10 s"},    {30e9, "30 s"},  {35e9, "35 s"},
		{120e9, "2 min"}, {600e9, "10 min"}, {3600e9, "1 h"},
	};
	double observed_ns = json_number_value(json_object_get(result, "observed_ns"));
	bool more = true;

	printf("\nended at that age or before\n");
	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages) && more; i++) {
		printf("  %-26s", ages[i].label);
		for (size_t way = 0; way < WAYS; way++)
			printf("%13.2f%%", 100 * lifetimes_share(way_of(result, way), ages[i].ns));
		printf("\n");
		more = ages[i].ns < observed_ns;
	}
}

static void print_ages(const json_t *result)
{
	static const struct {
		const char *key, *label;
	} rows[] = {{"p10_ns", "10%"}, {"p50_ns", "half"}, {"p90_ns", "90%"}, {"max_ns", "all"}};

	printf("\nof those that ended, so many by the age of (s)\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		printf("  %-26s", rows[i].label);
		for (size_t way = 0; way < WAYS; way++) {
			const json_t *age = json_object_get(way_of(result, way), rows[i].key);

			if (json_is_integer(age))
				printf("%14.6f", json_integer_value(age) / 1e9);
			else
				printf("%14s", "n/a");
		}
		printf("\n");
	}
}

static void print_remarks(const json_t *result)
{
	json_int_t unplaced = json_integer_value(json_object_get(result, "unplaced_bytes"));
	json_int_t lost = json_integer_value(json_object_get(result, "lost_events"));

	if (!json_is_true(json_object_get(result, "evidence")))
		printf("\nThe trace has no calls: of files nothing is known.\n");
	if (unplaced)
		printf("\n%" JSON_INTEGER_FORMAT " bytes were written to files or places that "
		       "nobody told of; they are not among the blocks.\n",
		       unplaced);
	if (lost)
		printf("\n%" JSON_INTEGER_FORMAT " events were lost: blocks may have ended "
		       "unseen.\n",
		       lost);
}

static void print_result(const json_t *result)
{
	printf("%s: lifetimes of blocks of 4 KiB, observed for %.1f s\n\n%-28s",
	       json_string_value(json_object_get(result, "trace")),
	       json_number_value(json_object_get(result, "observed_ns")) / 1e9, "");
	for (size_t i = 0; i < WAYS; i++)
		printf("%14s", ways[i].label);
	printf("\n");
	print_counts(result, "blocks born", "born");
	print_counts(result, "  overwritten", "overwritten");
	print_counts(result, "  truncated or punched", "cut");
	print_counts(result, "  deleted with their file", "deleted");
	print_counts(result, "  discarded by their disk", "discarded");
	print_counts(result, "  alive at the end", "alive");
	print_shares(result);
	print_ages(result);
	printf("\n");
	print_counts(result, "ended, older than the trace", "ended_found");
	print_remarks(result);
}

static void write_points(const json_t *result, FILE *file)
{
	fprintf(file, "way,lifetime_s,share_ended\n");
	for (size_t i = 0; i < WAYS; i++) {
		const json_t *way = way_of(result, i), *point;
		double born = json_number_value(json_object_get(way, "born"));
		size_t j;

		json_array_foreach (json_object_get(way, "cdf"), j, point)
			fprintf(file, "%s,%.9f,%.9f\n", ways[i].key,
				json_number_value(json_array_get(point, 0)) / 1e9,
				json_number_value(json_array_get(point, 1)) / born);
	}
}

static int save_points(const json_t *result, struct output *output)
{
	FILE *file = output_open(output);

	if (!file)
		return -1;
	write_points(result, file);
	return output_close(output, file);
}

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "one JSON object, with all points of the distributions", 0},
	{"data", 'd', "FILE", 0,
	 "also write the points of the distributions to FILE, as CSV: the way, the lifetime in "
	 "seconds, the share of the blocks born that had ended by then",
	 0},
	{0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'j':
		a->json = true;
		return 0;
	case 'd':
		a->data = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (a->path)
			argp_error(state, "one trace at a time");
		a->path = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
	.options = options,
	.parser = parse,
	.args_doc = "TRACE",
	.doc = "Tell how long blocks live: chunks of 4 KiB that are written to files, until they "
	       "are written again, cut off, or deleted with their file; and, for comparison, what "
	       "can be told of the disk's blocks without knowing the files, which is when they are "
	       "written again (naive; of all blocks, and of those that hold data).\v"
	       "After section 6.2 of the paper (Sky, VEE'17). `sky plot lifetimes` draws it.",
};

static int run_lifetimes(int argc, char **argv)
{
	struct arguments a = {0};
	struct output output;
	json_t *result;

	argp_parse(&parser, argc, argv, 0, NULL, &a);
	if (a.data && output_begin(&output, a.data))
		return 1;
	result = lifetimes_of_trace(a.path);
	if (a.data && !result)
		output_abandon(&output);
	else if (a.data && save_points(result, &output)) {
		json_decref(result);
		return 1;
	}
	return command_result(result, a.json, print_result);
}

SKY_COMMAND(lifetimes, "lifetimes", "tell how long blocks live", run_lifetimes);
