/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky import`: another program's trace becomes one of ours.
 */
#include <string.h>

#include "common/command.h"
#include "common/error.h"
#include "common/progress.h"
#include "foreign.h"
#include "import.h"

static bool could_be(const struct importer *importer, const void *head, size_t bytes)
{
	return importer->recognise ? importer->recognise(head, bytes)
				   : foreign_recognise(importer->format, head, bytes);
}

static const struct importer *recognise(const void *head, size_t bytes)
{
	component_for_each (entry) {
		const struct importer *importer = container_of(*entry, struct importer, head);

		if (!strcmp((*entry)->kind, "import") && could_be(importer, head, bytes))
			return importer;
	}
	return NULL;
}

static bool is_of_format(const struct importer *importer, const char *path, const void *head,
			 size_t bytes, const struct import_options *options)
{
	const struct importer *other;

	if (bytes &&
	    ((importer->takes_columns && options->columns) || could_be(importer, head, bytes)))
		return true;
	other = recognise(head, bytes);
	if (!bytes)
		fail("%s is empty", path);
	else if (other)
		fail("%s is no %s trace; it looks like %s: try `sky import %s`", path,
		     importer->head.name, other->head.name, other->head.name);
	else
		fail("%s is no %s trace; `sky list import` shows the formats that are known", path,
		     importer->head.name);
	return false;
}

/* Is the file of the format? Finds out whether it is packed. */
static bool check_format(const struct importer *importer, const char *path,
			 struct import_options *options)
{
	struct byte_reader *reader;
	const char *head;
	size_t bytes;
	bool good;

	if (options->columns && !importer->takes_columns) {
		fail("the columns of %s are fixed; leave out --columns, or import it as csv",
		     importer->head.name);
		return false;
	}
	reader = byte_reader_open(path);
	good = reader && !byte_reader_peek(reader, IMPORT_HEAD_BYTES, &head, &bytes) &&
	       is_of_format(importer, path, head, bytes, options);
	options->packed = reader && reader->packed;
	byte_reader_close(reader);
	return good;
}

struct source *import_open(const struct importer *importer, const char *path,
			   const struct import_options *given)
{
	struct import_options options = given ? *given : (struct import_options){0};

	if (!check_format(importer, path, &options))
		return NULL;
	return importer->format ? foreign_open(importer->format, path, &options)
				: importer->open(path, &options);
}

struct request_source *import_requests(const struct importer *importer, const char *path,
				       const struct import_options *given)
{
	struct import_options options = given ? *given : (struct import_options){0};

	if (!check_format(importer, path, &options))
		return NULL;
	if (importer->format)
		return foreign_requests(importer->format, path, &options);
	return importer->requests ? importer->requests(path, &options)
				  : requests_of_events(importer->open(path, &options));
}

static int copy_events(struct source *source, struct sink *sink)
{
	static struct event events[BATCH_EVENTS];
	ssize_t count;

	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		if (sink_write(sink, events, count))
			return -1;
		progress_update(source->read_bytes);
	}
	return count;
}

int import_file(const struct importer *importer, const char *path,
		const struct import_options *options, const char *output)
{
	struct source *source = import_open(importer, path, options);
	struct sink *sink = source ? trace_new(output, NULL) : NULL;
	int rc = -1;

	if (!sink)
		goto out;
	progress_begin("importing", source->total_bytes);
	rc = copy_events(source, sink);
	progress_end();
	if (rc)
		sink_abandon(sink);
	else
		rc = sink_commit(sink);
out:
	source_close(source);
	return rc;
}

struct arguments {
	const char *format, *input, *output;
	struct import_options options;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'o':
		a->output = argument;
		return 0;
	case 'c':
		a->options.columns = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (!a->format)
			a->format = argument;
		else if (!a->input)
			a->input = argument;
		else
			argp_error(state, "one file at a time");
		return 0;
	case ARGP_KEY_END:
		if (!a->input)
			argp_error(state, "which format and which file? `sky list import` shows "
					  "the formats");
		if (!a->output)
			argp_error(state, "where to? Say -o FILE");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "the new trace: .h5, .pcap or .events says its form", 0},
	{"columns", 'c', "NAME,...", 0,
	 "what the columns of a csv without such a first line are, as in "
	 "time_us,op,offset_bytes,length_bytes; - is one that isn't used",
	 0},
	{0},
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "FORMAT FILE",
	.doc = "Makes a trace of what another program recorded. Such traces have block requests "
	       "only: what the requests were (metadata, data of which file) stays unknown. FILE "
	       "may be "
	       "compressed by gzip, bzip2, xz, zstd or lz4, also in a tar of its own."
	       "\vExamples: sky import vscsi cloudPhysicsIO.vscsi -o c.h5\n"
	       "sky import csv t.csv --columns time_us,op,offset_bytes,length_bytes -o t.h5",
};

static int run_import(int argc, char **argv)
{
	const struct component *format;
	struct arguments a = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	format = component_find("import", a.format);
	if (!format) {
		fail("there is no importer \"%s\"; `sky list import` shows what there is",
		     a.format);
		return 2;
	}
	if (import_file(container_of(format, struct importer, head), a.input, &a.options, a.output))
		return 1;
	return command_finish();
}

SKY_COMMAND(import, "import", "make a trace of another program's", run_import);
