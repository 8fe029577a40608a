/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky convert` and `sky dump`: any form in, any form out, in bounded memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/error.h"
#include "common/progress.h"
#include "convert.h"
#include "source.h"

/* What a batch left behind, for an attribute that may follow the last event. */
struct position {
	uint64_t seq, time_ns;
};

static int copy_events(const struct trace_copy *copy, struct source *source, struct sink *sink,
		       struct position *last)
{
	static struct event events[BATCH_EVENTS];
	ssize_t count;

	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		size_t kept = 0;

		*last = (struct position){events[count - 1].seq, events[count - 1].time_ns};
		for (ssize_t i = 0; i < count; i++)
			if (copy->kinds & KIND_BIT(events[i].kind))
				events[kept++] = events[i];
		if (copy->change && copy->change(copy->context, events, kept))
			return -1;
		if (sink_write(sink, events, kept))
			return -1;
		progress_update(source->read_bytes);
	}
	return count;
}

static int note_cut(struct source *source, struct sink *sink, const char *input,
		    const struct position *last)
{
	struct event event;
	char bytes[24];

	if (!source->cut_bytes)
		return 0;
	warn("%s ends in the middle of a record: its last %" PRIu64 " bytes are lost", input,
	     source->cut_bytes);
	event_init(&event, EVENT_ATTRIBUTE);
	event.seq = last->seq + 1;
	event.time_ns = last->time_ns;
	event.attribute.name = (struct text){"cut_bytes", strlen("cut_bytes")};
	event.attribute.value.at = bytes;
	event.attribute.value.count = snprintf(bytes, sizeof(bytes), "%" PRIu64, source->cut_bytes);
	return sink_write(sink, &event, 1);
}

int trace_copy(const struct trace_copy *copy)
{
	struct source *source = trace_open(copy->input, copy->kinds);
	struct sink *sink = source ? trace_new(copy->output, copy->form) : NULL;
	struct position last = {0};
	int rc = -1;

	if (!sink)
		goto out;
	progress_begin(copy->label, source->total_bytes);
	rc = copy_events(copy, source, sink, &last);
	progress_end();
	if (!rc)
		rc = note_cut(source, sink, copy->input, &last);
	if (rc)
		sink_abandon(sink);
	else
		rc = sink_commit(sink);
out:
	source_close(source);
	return rc;
}

int convert_file(const char *input, const char *output)
{
	return trace_copy(&(struct trace_copy){
		.input = input, .output = output, .kinds = KINDS_ALL, .label = "converting"});
}

static int kinds_of(const char *list, uint32_t *kinds)
{
	*kinds = 0;
	while (*list) {
		size_t length = strcspn(list, ",");
		int kind = 0;

		while (kind < EVENT_KINDS && (strncmp(event_kinds[kind].name, list, length) ||
					      event_kinds[kind].name[length]))
			kind++;
		if (kind == EVENT_KINDS)
			return fail("there are no events of kind \"%.*s\"; `sky info` names those "
				    "of a trace",
				    (int)length, list);
		*kinds |= KIND_BIT(kind);
		list += length + (list[length] == ',');
	}
	return 0;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct trace_copy *a = state->input;

	switch (key) {
	case 'o':
		a->output = argument;
		return 0;
	case 't':
		a->form = argument;
		return 0;
	case 'k':
		if (kinds_of(argument, &a->kinds))
			exit(argp_err_exit_status);
		return 0;
	case ARGP_KEY_ARG:
		if (a->input)
			argp_error(state, "one trace at a time");
		a->input = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		return 0;
	case ARGP_KEY_END:
		if (!a->output)
			argp_error(state, "where to? Say -o FILE");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option convert_options[] = {
	{"output", 'o', "FILE", 0, "the new trace; - is standard output (as text)", 0},
	{"to", 't', "FORM", 0, "archive, stream or text, where FILE's ending doesn't say", 0},
	{"kinds", 'k', "KIND,...", 0, "only events of these kinds", 0},
	{0},
};

static int run_convert(int argc, char **argv)
{
	static const struct argp argp = {
		.options = convert_options,
		.parser = parse_option,
		.args_doc = "TRACE",
		.doc = "Copy a trace from one form to another: archive (.h5), stream (.pcap) or "
		       "text "
		       "(.events).\vA TRACE of - is standard input. A stream that was cut by a "
		       "crash "
		       "is taken up to its last whole record.",
	};
	struct trace_copy a = {.kinds = KINDS_ALL, .label = "converting"};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return trace_copy(&a) ? 1 : command_finish();
}

SKY_COMMAND(convert, "convert", "copy a trace from one form to another", run_convert);

static const struct argp_option dump_options[] = {
	{"kinds", 'k', "KIND,...", 0, "only events of these kinds", 0},
	{0},
};

static int run_dump(int argc, char **argv)
{
	static const struct argp argp = {
		.options = dump_options,
		.parser = parse_option,
		.args_doc = "TRACE",
		.doc = "Print a trace as text, one event a line.\vThe text is lossless: `sky "
		       "convert` "
		       "makes a trace of it again.",
	};
	struct trace_copy a = {
		.output = "-", .form = "text", .kinds = KINDS_ALL, .label = "printing"};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return trace_copy(&a) ? 1 : command_finish();
}

SKY_COMMAND(dump, "dump", "print a trace as text", run_dump);
