/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky workload NAME: does what a program of some kind does to a file system,
 * in the current folder, and says how much of it there was.
 *
 * The options of a workload are made from its table of parameters.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/command.h"
#include "common/error.h"
#include "common/size.h"
#include "workloads/workload.h"

#define PARAMETERS_MAX 16
#define PARAMETER_KEY  0x200 /* and counting, in the order of the table */

static const char *const operation_names[OPERATION_KINDS] = {
	[OPERATION_CREATE] = "create",	 [OPERATION_OPEN] = "open",   [OPERATION_CLOSE] = "close",
	[OPERATION_READ] = "read",	 [OPERATION_WRITE] = "write", [OPERATION_APPEND] = "append",
	[OPERATION_SYNC] = "sync",	 [OPERATION_STAT] = "stat",   [OPERATION_DELETE] = "delete",
	[OPERATION_PROGRAM] = "program",
};

struct phase {
	const char *name;
	bool wanted;
	double seconds;
	struct workload_counts counts;
};

enum { PREPARE, RUN, PHASES };

struct arguments {
	const struct workload *workload;
	char *settings_text; /* as component_set_parameters() takes it */
	bool json;
	struct phase phase[PHASES];
};

uint64_t workload_operations(const struct workload_counts *counts)
{
	uint64_t sum = 0;

	for (unsigned kind = 0; kind < OPERATION_KINDS; kind++)
		sum += counts->operations[kind];
	return sum;
}

static void choose_phase(struct argp_state *state, struct arguments *a, const char *name)
{
	bool all = !strcmp(name, "all"), known = all;

	for (int i = 0; i < PHASES; i++) {
		a->phase[i].wanted = all || !strcmp(name, a->phase[i].name);
		known |= a->phase[i].wanted;
	}
	if (!known)
		argp_error(state, "--phase is prepare, run or all");
}

static int add_setting(struct arguments *a, const char *name, const char *value)
{
	char *longer;

	if (strchr(value, ','))
		return fail("--%s %s: one number is wanted", name, value);
	if (asprintf(&longer, "%s%s%s=%s", a->settings_text ? a->settings_text : "",
		     a->settings_text ? "," : "", name, value) < 0)
		return fail("out of memory for the options");
	free(a->settings_text);
	a->settings_text = longer;
	return 0;
}

enum key { KEY_JSON = 'j', KEY_PHASE = 'p' };

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case KEY_JSON:
		a->json = true;
		return 0;
	case KEY_PHASE:
		choose_phase(state, a, argument);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "%s is not an option", argument);
		return 0;
	}
	if (key < PARAMETER_KEY || key >= PARAMETER_KEY + PARAMETERS_MAX)
		return ARGP_ERR_UNKNOWN;
	if (add_setting(a, a->workload->head.parameters[key - PARAMETER_KEY].name, argument))
		exit(argp_err_exit_status);
	return 0;
}

static const struct argp_option common_options[] = {
	{"phase", KEY_PHASE, "PHASE", 0,
	 "prepare: only make the files that it needs; run: use those made before with the same "
	 "options; all: both (default)",
	 1},
	{"json", KEY_JSON, NULL, 0, "One JSON object", 1},
	{0},
};

/* The preset as one would type it. */
static void format_preset(const struct parameter *p, char *text, size_t bytes)
{
	static const char suffixes[] = "GMK";
	unsigned shift = 30;

	for (const char *suffix = suffixes; *suffix; suffix++, shift -= 10) {
		if (!p->preset || p->preset % (1ull << shift))
			continue;
		snprintf(text, bytes, "%" PRIu64 "%c", p->preset >> shift, *suffix);
		return;
	}
	snprintf(text, bytes, "%" PRIu64, p->preset);
}

/* The options' texts are in texts[] and live as long as they do. */
static void make_options(const struct workload *workload, struct argp_option *options,
			 char texts[][160])
{
	unsigned count = 0;

	for (const struct parameter *p = workload->head.parameters; p && p->name; p++, count++) {
		char preset[24];

		format_preset(p, preset, sizeof(preset));
		snprintf(texts[count], sizeof(texts[count]), "%s (%s)", p->help, preset);
		options[count] = (struct argp_option){
			.name = p->name,
			.key = PARAMETER_KEY + count,
			.arg = "N",
			.doc = texts[count],
			.group = 2,
		};
	}
	memcpy(options + count, common_options, sizeof(common_options));
}

static void parse_arguments(struct arguments *a, int argc, char **argv)
{
	struct argp_option options[PARAMETERS_MAX + 3];
	char texts[PARAMETERS_MAX][160], doc[512];
	const struct component *head = &a->workload->head;
	const struct argp argp = {.options = options, .parser = parse_option, .doc = doc};

	make_options(a->workload, options, texts);
	snprintf(doc, sizeof(doc), "%s (%s). It works in the current folder.", head->summary,
		 head->source);
	argp_parse(&argp, argc, argv, 0, NULL, a);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int run_phases(struct arguments *a, const void *settings)
{
	const struct workload *w = a->workload;

	for (int i = 0; i < PHASES; i++) {
		struct phase *phase = &a->phase[i];
		double begun = now();

		if (!phase->wanted)
			continue;
		if ((i == PREPARE ? w->prepare : w->run)(w, settings, &phase->counts))
			return -1;
		phase->seconds = now() - begun;
	}
	return 0;
}

static json_t *phase_json(const struct phase *phase)
{
	const struct workload_counts *counts = &phase->counts;
	json_t *object, *kinds;
	char stream[24];

	if (!phase->wanted)
		return json_null();
	object = json_object();
	kinds = json_object();
	for (unsigned kind = 0; kind < OPERATION_KINDS; kind++)
		json_object_set_new(kinds, operation_names[kind],
				    json_integer(counts->operations[kind]));
	snprintf(stream, sizeof(stream), "%016" PRIx64, counts->stream);
	json_object_set_new(object, "operations", json_integer(workload_operations(counts)));
	json_object_set_new(object, "by_kind", kinds);
	json_object_set_new(object, "read_bytes", json_integer(counts->read_bytes));
	json_object_set_new(object, "written_bytes", json_integer(counts->written_bytes));
	json_object_set_new(object, "written_chunks", json_integer(counts->written_chunks));
	json_object_set_new(object, "stream", json_string(stream));
	json_object_set_new(object, "seconds", json_real(phase->seconds));
	return object;
}

static int print_json(const struct arguments *a, const void *settings)
{
	json_t *result = json_object(), *parameters = json_object();
	int rc;

	for (const struct parameter *p = a->workload->head.parameters; p && p->name; p++)
		json_object_set_new(
			parameters, p->name,
			json_integer(*(const uint64_t *)((const char *)settings + p->offset)));
	json_object_set_new(result, "workload", json_string(a->workload->head.name));
	json_object_set_new(result, "parameters", parameters);
	for (int i = 0; i < PHASES; i++)
		json_object_set_new(result, a->phase[i].name, phase_json(&a->phase[i]));
	rc = json_dumpf(result, stdout, JSON_INDENT(2));
	json_decref(result);
	putchar('\n');
	return rc ? fail("out of memory for the result") : 0;
}

static void print_phase(const struct phase *phase)
{
	const struct workload_counts *counts = &phase->counts;
	char read[32], written[32];

	if (!phase->wanted)
		return;
	printf("%-8s operations: %" PRIu64 " in %.2f s,", phase->name, workload_operations(counts),
	       phase->seconds);
	for (unsigned kind = 0; kind < OPERATION_KINDS; kind++)
		if (counts->operations[kind])
			printf(" %" PRIu64 " %s", counts->operations[kind], operation_names[kind]);
	printf("\n         %s read, %s written: %" PRIu64 " chunks of 4 KiB\n",
	       size_format(read, counts->read_bytes), size_format(written, counts->written_bytes),
	       counts->written_chunks);
}

static int print_result(const struct arguments *a, const void *settings)
{
	if (a->json)
		return print_json(a, settings);
	printf("%s\n", a->workload->head.name);
	for (int i = 0; i < PHASES; i++)
		print_phase(&a->phase[i]);
	return 0;
}

static int run_one(const struct workload *workload, int argc, char **argv)
{
	struct arguments a = {
		.workload = workload,
		.phase = {[PREPARE] = {.name = "prepare", .wanted = true},
			  [RUN] = {.name = "run", .wanted = true}},
	};
	void *settings = calloc(1, workload->settings_bytes);
	char title[64];
	int status = 1;

	snprintf(title, sizeof(title), "sky workload %s", workload->head.name);
	argv[0] = title;
	parse_arguments(&a, argc, argv);
	if (!settings) {
		fail("out of memory for the options");
		goto out;
	}
	if (component_set_parameters(&workload->head, settings, a.settings_text)) {
		status = argp_err_exit_status;
		goto out;
	}
	if (!run_phases(&a, settings) && !print_result(&a, settings))
		status = command_finish();
out:
	free(a.settings_text);
	free(settings);
	return status;
}

static error_t want_name(int key, char *argument, struct argp_state *state)
{
	if (key != ARGP_KEY_NO_ARGS)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "which workload? `sky list workload` shows them");
	return 0;
}

static int run_workload(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = want_name,
		.args_doc = "NAME [OPTION...]",
		.doc = "Do in the current folder what a program of some kind does to a file "
		       "system, and print what that was. `sky list workload` shows the "
		       "workloads, `sky workload NAME --help` the options of one."
		       "\vExample: sky record --host -o v.h5 -- sky workload varmail "
		       "--operations 10000",
	};
	const struct component *found;

	if (argc < 2 || argv[1][0] == '-') {
		argp_parse(&argp, argc, argv, 0, NULL, NULL);
		return argp_err_exit_status;
	}
	found = component_find("workload", argv[1]);
	if (!found) {
		fail("there is no workload \"%s\"; `sky list workload` shows what there is",
		     argv[1]);
		return argp_err_exit_status;
	}
	return run_one(container_of(found, struct workload, head), argc - 1, argv + 1);
}

SKY_COMMAND(workload, "workload", "do what programs of some kind do to a file system",
	    run_workload);
