/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky import`: another program's trace becomes one of ours.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/command.h"
#include "common/error.h"
#include "common/progress.h"
#include "import.h"

static ssize_t read_head(const char *path, void *head)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t bytes = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		fail_errno(errno, "cannot open %s", path);
	} else if (!S_ISREG(st.st_mode)) {
		fail("%s is not a regular file; an importer needs one", path);
	} else {
		bytes = read(fd, head, IMPORT_HEAD_BYTES);
		if (bytes < 0)
			fail_errno(errno, "cannot read %s", path);
	}
	if (fd >= 0)
		close(fd);
	return bytes;
}

static const struct importer *recognise(const void *head, size_t bytes)
{
	component_for_each (entry) {
		const struct importer *importer = container_of(*entry, struct importer, head);

		if (!strcmp((*entry)->kind, "import") && importer->recognise(head, bytes))
			return importer;
	}
	return NULL;
}

static bool is_of_format(const struct importer *importer, const char *path)
{
	uint8_t head[IMPORT_HEAD_BYTES];
	ssize_t bytes = read_head(path, head);
	const struct importer *other;

	if (bytes < 0)
		return false;
	if (importer->recognise(head, bytes))
		return true;
	other = recognise(head, bytes);
	if (!bytes)
		fail("%s is empty", path);
	else if (other)
		fail("%s is not a %s trace; it looks like %s: try `sky import %s`", path,
		     importer->head.name, other->head.name, other->head.name);
	else
		fail("%s is not a %s trace; `sky list import` shows the formats that are known",
		     path, importer->head.name);
	return false;
}

struct source *import_open(const struct importer *importer, const char *path)
{
	return is_of_format(importer, path) ? importer->open(path) : NULL;
}

struct request_source *import_requests(const struct importer *importer, const char *path)
{
	if (!is_of_format(importer, path))
		return NULL;
	return importer->requests ? importer->requests(path)
				  : requests_of_events(importer->open(path));
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

int import_file(const struct importer *importer, const char *path, const char *output)
{
	struct source *source = import_open(importer, path);
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
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'o':
		a->output = argument;
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
	{0},
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "FORMAT FILE",
	.doc = "Makes a trace of what another program recorded. Such traces have block requests "
	       "only: what the requests were (metadata, data of which file) stays unknown."
	       "\vExample: sky import vscsi cloudPhysicsIO.vscsi -o c.h5",
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
	if (import_file(container_of(format, struct importer, head), a.input, a.output))
		return 1;
	return command_finish();
}

SKY_COMMAND(import, "import", "make a trace of another program's", run_import);
