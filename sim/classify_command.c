/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky classify, the command half: options in, JSON or a page for a person out.
 *
 * The page is made from the JSON object, so the two can't disagree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/duration.h"
#include "common/error.h"
#include "common/size.h"
#include "sim/classify.h"
#include "sim/not_covered.h"

struct arguments {
	const char *path;
	bool json;
	struct classify_options options;
};

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *percent_text(const json_t *object, const char *key, char *text, size_t bytes)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_number(value))
		return "n/a";
	snprintf(text, bytes, "%.3f%%", json_number_value(value));
	return text;
}

static const char *class_text(const json_t *row, char *text, size_t bytes)
{
	const json_t *value = json_object_get(row, "io_class");

	if (!json_is_integer(value))
		return "-";
	snprintf(text, bytes, "%lld", (long long)json_integer_value(value));
	return text;
}

static void print_class_table(const char *title, const json_t *rows)
{
	const json_t *row;
	size_t i;

	printf("%-12s %5s %14s %14s %12s %12s\n", title, "class", "read chunks", "written chunks",
	       "read", "written");
	json_array_foreach (rows, i, row) {
		char class_name[16], read[32], written[32];

		printf("%-12s %5s %14lld %14lld %12s %12s\n",
		       json_string_value(json_object_get(row, "what")),
		       class_text(row, class_name, sizeof(class_name)), number(row, "read_chunks"),
		       number(row, "write_chunks"),
		       size_format(read, number(row, "read_chunks") * CHUNK_BYTES),
		       size_format(written, number(row, "write_chunks") * CHUNK_BYTES));
	}
}

static void print_errors(const json_t *result, const char *title, const char *op)
{
	char key[64], text[32];
	long long errors, judged;

	snprintf(key, sizeof(key), "%s_errors", op);
	errors = number(result, key);
	snprintf(key, sizeof(key), "%s_chunks_judged", op);
	judged = number(result, key);
	snprintf(key, sizeof(key), "%s_error_percent", op);
	printf("  %-24s %10s  (%lld of %lld chunks)\n", title,
	       percent_text(result, key, text, sizeof(text)), errors, judged);
}

/* As the recorder said it; imports and older recordings say nothing. */
static void print_no_truth(const json_t *result)
{
	const char *why = json_string_value(json_object_get(result, "no_truth"));

	if (json_is_true(json_object_get(result, "truth")))
		return;
	printf("  The trace has no ground truth");
	if (why)
		printf(": ");
	print_clean(why ? why : "");
	printf("\n");
}

static void print_accuracy(const json_t *result)
{
	const json_t *paper = json_object_get(result, "paper");
	char text[32];

	printf("\nAccuracy against the truth\n");
	print_errors(result, "misclassified writes", "write");
	print_errors(result, "misclassified reads", "read");
	printf("  %-24s %10s  (%lld chunks)\n", "read ahead, unconsumed",
	       percent_text(result, "unconsumed_percent", text, sizeof(text)),
	       number(result, "unconsumed_chunks"));
	printf("  %-24s %10s  (%lld data chunks written, %lld found; paper, 6.1)\n", "by counts",
	       percent_text(paper, "error_percent", text, sizeof(text)),
	       number(paper, "data_chunks_written"), number(paper, "data_chunks_found"));
	print_no_truth(result);
}

static void print_examples(const json_t *result)
{
	const json_t *examples = json_object_get(result, "error_examples"), *e;
	size_t i;

	if (json_array_size(examples))
		printf("\nErrors, for example\n");
	json_array_foreach (examples, i, e)
		printf("  %.6f s: %s of sector %lld: truth %s (%s, inode %lld, chunk %lld), hint "
		       "%s (%s, inode %lld)\n",
		       number(e, "time_ns") / 1e9, json_string_value(json_object_get(e, "op")),
		       number(e, "sector"), json_string_value(json_object_get(e, "truth")),
		       json_string_value(json_object_get(e, "truth_source")),
		       number(e, "truth_inode"), number(e, "truth_index"),
		       json_string_value(json_object_get(e, "hint")),
		       json_string_value(json_object_get(e, "hint_reason")),
		       number(e, "hint_inode"));
}

/* What is told of the content besides its class. */
static void print_content(const json_t *result)
{
	const json_t *rows = json_object_get(result, "dedup"), *row;
	const json_t *journal = json_object_get(result, "journal");
	size_t i;

	if (json_array_size(rows))
		printf("\n%-12s %-12s %14s %14s\n", "for dedup", "", "read chunks",
		       "written chunks");
	json_array_foreach (rows, i, row)
		printf("%-12s %-12s %14lld %14lld\n",
		       json_string_value(json_object_get(row, "dedup")),
		       json_string_value(json_object_get(row, "what")), number(row, "read_chunks"),
		       number(row, "write_chunks"));
	if (number(journal, "write_chunks"))
		printf("\nOf %lld chunks of written metadata, %lld were the journal's.\n",
		       number(journal, "metadata_write_chunks"), number(journal, "write_chunks"));
	if (json_is_string(json_object_get(result, "only")))
		printf("\nOnly files below %s have classes by their size; %lld chunks were of "
		       "others.\n",
		       json_string_value(json_object_get(result, "only")),
		       number(json_object_get(result, "pipeline"), "chunks_unselected"));
}

/* What applications said themselves. */
static void print_application(const json_t *result)
{
	const json_t *rows = json_object_get(result, "application"), *row;
	const json_t *pipeline = json_object_get(result, "pipeline");
	size_t i;

	if (json_array_size(rows))
		printf("\n%-19s %5s %14s %14s\n", "given by programs", "class", "read chunks",
		       "written chunks");
	json_array_foreach (rows, i, row)
		printf("%-19s %5lld %14lld %14lld\n", "", number(row, "io_class"),
		       number(row, "read_chunks"), number(row, "write_chunks"));
	if (number(pipeline, "class_out_of_range"))
		printf("\n%lld calls named a class above %d, which is none: they were classified "
		       "as any other.\n",
		       number(pipeline, "class_out_of_range"), CLASS_COUNT - 1);
	if (number(pipeline, "class_in_handler"))
		printf("\n%lld calls of signal handlers seemed to have the class of the call that "
		       "was interrupted: they were classified as any other.\n",
		       number(pipeline, "class_in_handler"));
}

static void print_delays(const json_t *result)
{
	const json_t *rows = json_object_get(result, "known_after_ns"), *row;
	size_t i;

	if (json_array_size(rows))
		printf("\n%-6s %-12s %5s %14s %12s %12s %12s   (ms after the request)\n", "known",
		       "", "class", "chunks", "median", "99%", "latest");
	json_array_foreach (rows, i, row) {
		char class_name[16];

		printf("%-6s %-12s %5s %14lld %12.3f %12.3f %12.3f\n",
		       json_string_value(json_object_get(row, "op")),
		       json_string_value(json_object_get(row, "what")),
		       class_text(row, class_name, sizeof(class_name)), number(row, "chunks"),
		       number(row, "p50") / 1e6, number(row, "p99") / 1e6,
		       number(row, "max") / 1e6);
	}
}

static void print_not_covered(const json_t *result)
{
	const char *key;
	json_t *value, *all = json_object_get(result, "not_covered");
	bool first = true;

	json_object_foreach (all, key, value) {
		char words[64];

		if (!json_integer_value(value))
			continue;
		snprintf(words, sizeof(words), "%s", key);
		for (char *at = words; *at; at++)
			*at = *at == '_' ? ' ' : *at;
		printf("%s  %lld %s: %s\n", first ? "\nNot covered\n" : "",
		       (long long)json_integer_value(value), words, not_covered_why(key));
		first = false;
	}
	if (json_is_false(json_object_get(result, "evidence")))
		printf("\nThe trace has nothing that these hints come from (%s): nothing is known "
		       "of its requests.\n",
		       classifier_find(json_string_value(json_object_get(result, "hints")))
			       ->head.summary);
}

static long long largest_table(const json_t *tables, const char **name)
{
	long long most = 0;
	const char *key;
	json_t *table;

	json_object_foreach ((json_t *)tables, key, table)
		if (number(table, "peak_bytes") > most) {
			most = number(table, "peak_bytes");
			*name = key;
		}
	return most;
}

static void print_memory(const json_t *result)
{
	const json_t *pipeline = json_object_get(result, "pipeline");
	const char *name = "";
	char all[32], most[32];
	long long bytes = largest_table(json_object_get(pipeline, "tables"), &name);

	if (!json_is_object(pipeline))
		return;
	printf("\nMemory of the pipeline at its peak: %s in all tables, of them %s in \"%s\"; "
	       "the paper had 33 MB\n",
	       size_format(all, number(pipeline, "table_bytes")), size_format(most, bytes), name);
	printf("  at most %lld written and %lld read chunks waited, %lld calls were outstanding\n",
	       number(pipeline, "live_peak"), number(pipeline, "waiting_peak"),
	       number(pipeline, "outstanding_peak"));
}

static void print_result(const json_t *result)
{
	const json_t *chunks = json_object_get(result, "chunks");

	printf("%s: %lld chunks of 4 KiB read, %lld written; hints: %s\n\n",
	       json_string_value(json_object_get(result, "trace")), number(chunks, "read"),
	       number(chunks, "write"), json_string_value(json_object_get(result, "hints")));
	print_class_table("found", json_object_get(result, "by_class"));
	if (json_is_true(json_object_get(result, "truth"))) {
		printf("\n");
		print_class_table("truth", json_object_get(result, "truth_by_class"));
	}
	print_accuracy(result);
	print_examples(result);
	print_content(result);
	print_application(result);
	print_delays(result);
	print_not_covered(result);
	print_memory(result);
}

/* Four sizes, falling: "14M,10M,5M,2M". */
static int parse_bounds(const char *text, uint64_t *bound_bytes)
{
	char copy[128], *rest = copy, *word;
	int count = 0;

	if (strlen(text) >= sizeof(copy))
		return -1;
	strcpy(copy, text);
	while ((word = strsep(&rest, ","))) {
		if (count == 4 || size_parse(word, &bound_bytes[count]) ||
		    (count && bound_bytes[count] > bound_bytes[count - 1]))
			return -1;
		count++;
	}
	return count == 4 ? 0 : -1;
}

enum key {
	KEY_HINTS = 'H',
	KEY_JSON = 'j',
	KEY_OUTPUT = 'o',
	KEY_BOUNDS = 0x100,
	KEY_WINDOW,
	KEY_ONLY,
	KEY_COPIERS,
	KEY_ENCRYPTORS,
	KEY_EXTENSIONS,
};

static const struct argp_option classify_options[] = {
	{"json", KEY_JSON, NULL, 0, "one JSON object", 0},
	{"hints", KEY_HINTS, "NAME", 0,
	 "whose hints: sky (default), or another of `sky list classifier`, to compare", 0},
	{"output", KEY_OUTPUT, "OUT.h5", 0, "write a copy of the trace that holds the hints too",
	 0},
	{"size-bounds", KEY_BOUNDS, "A,B,C,D", 0,
	 "file sizes below which data is of class 1, 2, 3, 4 (14M,10M,5M,2M; reconstructed from "
	 "the paper's table 6)",
	 0},
	{"read-window", KEY_WINDOW, "TIME", 0,
	 "how long after a disk read a call may come for its data (4s)", 0},
	{"only", KEY_ONLY, "PREFIX", 0,
	 "give classes by size only to files below this path (relative: as seen from where the "
	 "recorded command began); data of others is of class 0",
	 0},
	{"copy-programs", KEY_COPIERS, "NAME,...", 0,
	 "executables that may be copying files (" COPY_PROGRAMS ")", 0},
	{"encryption-programs", KEY_ENCRYPTORS, "NAME,...", 0,
	 "executables that encrypt (" ENCRYPTION_PROGRAMS ")", 0},
	{"encryption-extensions", KEY_EXTENSIONS, "NAME,...", 0,
	 "extensions of the files that hold what they encrypted (" ENCRYPTION_EXTENSIONS ")", 0},
	{0},
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case KEY_JSON:
		a->json = true;
		return 0;
	case KEY_HINTS:
		if (!classifier_find(argument))
			exit(argp_err_exit_status);
		a->options.hints = argument;
		return 0;
	case KEY_OUTPUT:
		a->options.output = argument;
		return 0;
	case KEY_BOUNDS:
		if (parse_bounds(argument, a->options.pipeline.size_bound_bytes))
			argp_error(state,
				   "--size-bounds wants four sizes, the largest first, as in "
				   "14M,10M,5M,2M");
		return 0;
	case KEY_WINDOW:
		if (duration_parse(argument, &a->options.pipeline.read_window_ns))
			argp_error(state, "--read-window wants a time, as in 4s or 500ms");
		return 0;
	case KEY_ONLY:
		if (!*argument)
			argp_error(state, "--only wants a path");
		a->options.pipeline.only = argument;
		return 0;
	case KEY_COPIERS:
		a->options.pipeline.copy_programs = argument;
		return 0;
	case KEY_ENCRYPTORS:
		a->options.pipeline.encryption_programs = argument;
		return 0;
	case KEY_EXTENSIONS:
		a->options.pipeline.encryption_extensions = argument;
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

static int run_classify(int argc, char **argv)
{
	static const struct argp argp = {
		.options = classify_options,
		.parser = parse_option,
		.args_doc = "TRACE",
		.doc = "Find out what each disk request of a trace was: metadata, data of a small "
		       "or "
		       "a large file, or data read ahead that nobody took; and how right that is, "
		       "where the trace holds the truth.\v"
		       "Data is recognised by the checksums of what system calls wrote and read, "
		       "metadata by exclusion (Sky, VEE'17, section 3.4). The trace is never "
		       "changed.",
	};
	struct arguments a = {0};

	classify_defaults(&a.options);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return command_result(classify_trace(a.path, &a.options), a.json, print_result);
}

SKY_COMMAND(classify, "classify", "find out what the disk requests of a trace were", run_classify);
