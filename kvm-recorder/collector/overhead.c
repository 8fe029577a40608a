/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky overhead`: what an exit and a checksum cost on this machine, and what recording a trace cost its guest.
 */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/source.h"
#include "common/command.h"
#include "common/error.h"
#include "overhead.h"
#include "unit_costs.h"

void overhead_add(struct overhead *o, const struct event *event)
{
	if (!o->first_ns)
		o->first_ns = event->time_ns;
	o->last_ns = event->time_ns;
	switch (event->kind) {
	case EVENT_ENTRY:
		o->calls++;
		o->call_chunks += event->entry.sums.count;
		break;
	case EVENT_EXIT:
		o->returns++;
		o->call_chunks += event->exit.sums.count + event->exit.written.count;
		break;
	case EVENT_INSIGHT:
		o->insights++;
		o->call_chunks += event->insight.sums.count;
		break;
	case EVENT_BLOCK:
		o->request_chunks += event->block.sums.count;
		break;
	case EVENT_COMPLETE:
		o->request_chunks += event->complete.sums.count;
		break;
	default:
		break;
	}
}

struct overhead_share overhead_share(const struct overhead *o, double exit_ns, double chunk_ns)
{
	return (struct overhead_share){
		.exits_ns = (o->calls + o->returns) * exit_ns,
		.interception_ns = o->call_chunks * chunk_ns,
		/* A return, which is at once the entry behind it. */
		.insights_ns = o->insights * exit_ns,
	};
}

struct arguments {
	const char *path;
	double exit_ns, chunk_ns;
	bool json;
};

static json_t *trace_overhead(const struct arguments *a)
{
	static struct event events[BATCH_EVENTS];
	struct source *source = trace_open(a->path, KINDS_ALL);
	struct overhead o = {0};
	struct overhead_share share;
	ssize_t count = -1;

	if (!source)
		return NULL;
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < count; i++)
			overhead_add(&o, &events[i]);
	source_close(source);
	if (count < 0)
		return NULL;
	share = overhead_share(&o, a->exit_ns, a->chunk_ns);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "trace", a->path,
			 "calls", (json_int_t)o.calls, "returns", (json_int_t)o.returns, "insights",
			 (json_int_t)o.insights, "call_chunks", (json_int_t)o.call_chunks,
			 "request_chunks", (json_int_t)o.request_chunks, "duration_s",
			 (o.last_ns - o.first_ns) / 1e9, "exits_s", share.exits_ns / 1e9,
			 "interception_s", share.interception_ns / 1e9, "insights_s",
			 share.insights_ns / 1e9);
}

static json_t *find_overhead(struct arguments *a)
{
	json_t *result, *trace = NULL;

	if (a->exit_ns < 0 && measure_exit(&a->exit_ns))
		return NULL;
	if (a->chunk_ns < 0)
		a->chunk_ns = measure_chunk();
	if (a->path) {
		trace = trace_overhead(a);
		if (!trace)
			return NULL;
	}
	result = json_pack("{s:f, s:f, s:o*}", "exit_ns", a->exit_ns, "chunk_ns", a->chunk_ns,
			   "recording", trace);
	if (!result)
		fail("out of memory for the costs");
	return result;
}

static double number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void print_share(const char *what, double seconds, double duration_s)
{
	printf("  %-44s %12.6f s", what, seconds);
	if (duration_s > 0)
		printf(" %8.3f%%", 100 * seconds / duration_s);
	printf("\n");
}

static void print_recording(const json_t *r)
{
	double duration_s = number(r, "duration_s");

	printf("\n");
	print_clean(json_string_value(json_object_get(r, "trace")));
	printf(": %.0f calls, %.0f insight-calls, %.0f chunks of calls in %.3f s\n",
	       number(r, "calls"), number(r, "insights"), number(r, "call_chunks"), duration_s);
	print_share("exits, two a call", number(r, "exits_s"), duration_s);
	print_share("checksums of calls' buffers", number(r, "interception_s"), duration_s);
	print_share("exits of insight-calls", number(r, "insights_s"), duration_s);
	print_share("all that the guest waited for",
		    number(r, "exits_s") + number(r, "interception_s") + number(r, "insights_s"),
		    duration_s);
}

static void print_overhead(const json_t *result)
{
	const json_t *recording = json_object_get(result, "recording");

	printf("an exit      %10.1f ns\na checksum   %10.1f ns (of %u bytes)\n",
	       number(result, "exit_ns"), number(result, "chunk_ns"), CHUNK_BYTES);
	if (recording)
		print_recording(recording);
}

static double cost(const char *text, const char *option, struct argp_state *state)
{
	char *end;
	double ns = strtod(text, &end);

	if (*end || end == text || !(ns >= 0 && ns < 1e9))
		argp_error(state, "--%s is a time in ns, from 0 to 1e9, not \"%s\"", option, text);
	return ns;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'e':
		a->exit_ns = cost(argument, "exit-ns", state);
		return 0;
	case 'c':
		a->chunk_ns = cost(argument, "chunk-ns", state);
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->path)
			argp_error(state, "one trace at a time");
		a->path = argument;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option overhead_options[] = {
	{"exit-ns", 'e', "NS", 0, "What an exit costs, in place of measuring it", 0},
	{"chunk-ns", 'c', "NS", 0, "What a checksum of 4096 bytes costs, in place of measuring it",
	 0},
	{"json", 'j', NULL, 0, "one JSON object", 0},
	{0},
};

static int run_overhead(int argc, char **argv)
{
	static const struct argp argp = {
		.options = overhead_options,
		.parser = parse_option,
		.args_doc = "[TRACE]",
		.doc = "Measure what leaving a virtual machine for KVM and coming back costs here, "
		       "and a checksum; and reckon what recording TRACE cost its guest."
		       "\vAn exit is measured at /dev/kvm, where CPUID makes KVM do next to "
		       "nothing: what Sky does in one comes on top.",
	};
	struct arguments a = {.exit_ns = -1, .chunk_ns = -1};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return command_result(find_overhead(&a), a.json, print_overhead);
}

SKY_COMMAND(overhead, "overhead", "say what recording a virtual machine costs", run_overhead);
