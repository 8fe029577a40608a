/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky info`: what, when, where from, how much, and what is missing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive.h"
#include "common/command.h"
#include "common/error.h"
#include "common/json.h"
#include "common/progress.h"
#include "common/size.h"
#include "info.h"
#include "source.h"

struct facts {
	uint64_t kinds[EVENT_KINDS];
	uint64_t requests[BLOCK_OPS], bytes[BLOCK_OPS];
	uint64_t first_seq, last_seq, first_ns, last_ns;
	uint64_t recorded; /* events that have a seq of their own */
	uint64_t lost;
	json_t *attributes, *marks;
};

static void take_attribute(struct facts *f, const struct event *e)
{
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)e->attribute.name.count, e->attribute.name.at);
	json_object_set_new(f->attributes, name,
			    text_json(e->attribute.value.at, e->attribute.value.count));
}

static void take_block(struct facts *f, const struct event *e)
{
	f->requests[e->block.op]++;
	f->bytes[e->block.op] += (uint64_t)e->block.sectors * SECTOR_BYTES;
}

static void take_loss(struct facts *f, const struct event *e)
{
	f->lost += e->loss.count;
}

static void take_mark(struct facts *f, const struct event *e)
{
	json_array_append_new(f->marks,
			      json_pack("{s:I, s:o}", "time_ns", (json_int_t)e->time_ns, "name",
					text_json(e->mark.name.at, e->mark.name.count)));
}

static void (*const takers[EVENT_KINDS])(struct facts *, const struct event *) = {
	[EVENT_ATTRIBUTE] = take_attribute,
	[EVENT_BLOCK] = take_block,
	[EVENT_LOSS] = take_loss,
	[EVENT_MARK] = take_mark,
};

static void take(struct facts *f, const struct event *e)
{
	if (!f->recorded) {
		f->first_seq = e->seq;
		f->first_ns = e->time_ns;
	}
	f->kinds[e->kind]++;
	f->recorded += !event_kinds[e->kind].derived;
	f->last_seq = e->seq;
	if (e->time_ns > f->last_ns)
		f->last_ns = e->time_ns;
	if (takers[e->kind])
		takers[e->kind](f, e);
}

static int gather(struct source *source, struct facts *f)
{
	static struct event events[BATCH_EVENTS];
	ssize_t count;

	progress_begin("reading", source->total_bytes);
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		for (ssize_t i = 0; i < count; i++)
			take(f, &events[i]);
		progress_update(source->read_bytes);
	}
	progress_end();
	return count;
}

static json_t *kinds_json(const struct facts *f, uint64_t *total)
{
	json_t *kinds = json_object();

	*total = 0;
	for (int kind = 0; kind < EVENT_KINDS; kind++) {
		*total += f->kinds[kind];
		if (f->kinds[kind])
			json_object_set_new(kinds, event_kinds[kind].name,
					    json_integer(f->kinds[kind]));
	}
	return kinds;
}

static json_t *requests_json(const struct facts *f)
{
	json_t *requests = json_object();

	for (int op = 0; op < BLOCK_OPS; op++)
		if (f->requests[op])
			json_object_set_new(requests, block_op_words[op],
					    json_pack("{s:I, s:I}", "count",
						      (json_int_t)f->requests[op], "bytes",
						      (json_int_t)f->bytes[op]));
	return requests;
}

static json_t *facts_json(const char *path, const struct source *source, const struct facts *f)
{
	struct stat st = {0};
	uint64_t events;
	json_t *kinds = kinds_json(f, &events);
	bool archive = !strcmp(source->ops->form, "archive");

	(void)stat(path, &st); /* a pipe has no size */
	return json_pack(
		"{s:o, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:O, s:O, s:o}",
		"trace", text_json(path, strlen(path)), "form", source->ops->form, "file_bytes",
		(json_int_t)st.st_size, "events", (json_int_t)events, "kinds", kinds, "first_ns",
		events ? json_integer(f->first_ns) : json_null(), "last_ns",
		events ? json_integer(f->last_ns) : json_null(), "duration_ns",
		events ? json_integer(f->last_ns - f->first_ns) : json_null(), "requests",
		requests_json(f), "lost_events", (json_int_t)f->lost, "missing_seqs",
		(json_int_t)(f->recorded ? f->last_seq - f->first_seq + 1 - f->recorded : 0),
		"cut_bytes", (json_int_t)source->cut_bytes, "attributes", f->attributes, "marks",
		f->marks, "storage", archive ? archive_storage(path) : json_null());
}

json_t *trace_info(const char *path)
{
	struct source *source = trace_open(path, KINDS_ALL);
	struct facts f = {.attributes = json_object(), .marks = json_array()};
	json_t *info = NULL;

	if (source && !gather(source, &f)) {
		info = facts_json(path, source, &f);
		if (!info)
			fail("out of memory for the facts of %s", path);
	}
	json_decref(f.attributes);
	json_decref(f.marks);
	source_close(source);
	return info;
}

static void print_attributes(const json_t *info)
{
	const char *name;
	json_t *value;

	json_object_foreach (json_object_get(info, "attributes"), name, value)
		printf("  %-22s %s\n", name, json_string_value(value));
}

static void print_counts(const json_t *info)
{
	const char *name;
	json_t *value;
	char size[16];

	printf("\nevents%18" JSON_INTEGER_FORMAT "\n",
	       json_integer_value(json_object_get(info, "events")));
	json_object_foreach (json_object_get(info, "kinds"), name, value)
		printf("  %-12s %9" JSON_INTEGER_FORMAT "\n", name, json_integer_value(value));
	printf("\nrequests\n");
	json_object_foreach (json_object_get(info, "requests"), name, value)
		printf("  %-12s %9" JSON_INTEGER_FORMAT "  %s\n", name,
		       json_integer_value(json_object_get(value, "count")),
		       size_format(size, json_integer_value(json_object_get(value, "bytes"))));
}

static void print_missing(const json_t *info)
{
	json_int_t lost = json_integer_value(json_object_get(info, "lost_events"));
	json_int_t gaps = json_integer_value(json_object_get(info, "missing_seqs"));
	json_int_t cut = json_integer_value(json_object_get(info, "cut_bytes"));

	printf("\nlost events %" JSON_INTEGER_FORMAT
	       ", missing sequence numbers %" JSON_INTEGER_FORMAT
	       ", bytes cut off at the end %" JSON_INTEGER_FORMAT "\n",
	       lost, gaps, cut);
}

static void print_storage(const json_t *info)
{
	json_t *groups = json_object_get(json_object_get(info, "storage"), "groups"), *group;
	const char *name;

	if (!groups)
		return;
	printf("\nstored bytes an event\n");
	json_object_foreach (groups, name, group) {
		double rows = json_number_value(json_object_get(group, "rows"));

		if (rows > 0)
			printf("  %-12s %9.1f\n", name,
			       json_number_value(json_object_get(group, "stored_bytes")) / rows);
	}
}

static void print_info(const json_t *info)
{
	json_t *duration = json_object_get(info, "duration_ns");
	char size[16];

	printf("%s: %s, %s", json_string_value(json_object_get(info, "trace")),
	       json_string_value(json_object_get(info, "form")),
	       size_format(size, json_integer_value(json_object_get(info, "file_bytes"))));
	if (json_is_integer(duration))
		printf(", %.3f s", json_integer_value(duration) / 1e9);
	printf("\n");
	print_attributes(info);
	print_counts(info);
	print_missing(info);
	print_storage(info);
}

struct arguments {
	const char *path;
	bool json;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'j':
		a->json = true;
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

static const struct argp_option info_options[] = {
	{"json", 'j', NULL, 0, "one JSON object", 0},
	{0},
};

static int run_info(int argc, char **argv)
{
	static const struct argp argp = {
		.options = info_options,
		.parser = parse_option,
		.args_doc = "TRACE",
		.doc = "Say what a trace holds: where it comes from, how long it is, how many "
		       "events of "
		       "each kind, what was lost, and what it costs on disk.",
	};
	struct arguments a = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return command_result(trace_info(a.path), a.json, print_info);
}

SKY_COMMAND(info, "info", "say what a trace holds, and what is missing from it", run_info);
