/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky join, the command half: options in, JSON or a few lines for a person out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "join.h"

struct arguments {
	struct join_options options;
	bool json;
};

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_result(const json_t *result)
{
	long long lost = number(result, "truth_lost");

	printf("%s: %lld of %lld chunks of %lld requests have their truth\n",
	       json_string_value(json_object_get(result, "output")),
	       number(result, "chunks_with_truth"), number(result, "chunks"),
	       number(result, "requests"));
	printf("The truth is of %lld chunks, %lld of them from before the trace began",
	       number(result, "truth_chunks"), number(result, "truth_chunks_before_the_trace"));
	if (lost)
		printf("; %lld requests are missing in it", lost);
	printf(".\nIts clock is %+.6f s from the trace's (%lld chunks agree).\n",
	       number(result, "guest_minus_host_ns") / 1e9, number(result, "chunks_compared"));
}

static const struct argp_option join_options[] = {
	{"output", 'o', "OUT.h5", 0, "the new trace", 0},
	{"disk", 'd', "N", 0, "the number that the disk has in TRACE (0)", 0},
	{"json", 'j', NULL, 0, "one JSON object", 0},
	{0},
};

static uint32_t disk_number(struct argp_state *state, const char *text)
{
	char *end;
	unsigned long disk;

	errno = 0;
	disk = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || disk > UINT32_MAX)
		argp_error(state, "--disk %s is not the number of a disk", text);
	return disk;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'o':
		a->options.output = argument;
		return 0;
	case 'd':
		a->options.disk = disk_number(state, argument);
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!strcmp(argument, "-"))
			argp_error(state, "both are read twice; standard input can be read once");
		if (!a->options.trace)
			a->options.trace = argument;
		else if (!a->options.truth)
			a->options.truth = argument;
		else
			argp_error(state, "one trace and one truth at a time");
		return 0;
	case ARGP_KEY_END:
		if (!a->options.truth)
			argp_error(state, "which trace, and which truth?");
		if (!a->options.output)
			argp_error(state, "where to? Say -o OUT.h5");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int run_join(int argc, char **argv)
{
	static const struct argp argp = {
		.options = join_options,
		.parser = parse,
		.args_doc = "TRACE TRUTH",
		.doc = "Copy a trace, with the ground truth of one of its disks put in that was "
		       "recorded elsewhere, as by `sky record --truth` inside the virtual machine "
		       "that TRACE is of.\vRequests and truth meet by their sectors and their "
		       "order; "
		       "the clocks need not agree.",
	};
	struct arguments a = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return command_result(join_truth(&a.options), a.json, print_result);
}

SKY_COMMAND(join, "join", "put the ground truth that a guest recorded into its trace", run_join);
