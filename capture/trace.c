/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening and creating traces without knowing their form.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/component.h"
#include "common/error.h"
#include "common/output.h"
#include "input.h"
#include "requests.h"
#include "stream.h"

static const uint8_t hdf5_signature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

static bool starts_with(const struct input *input, const void *bytes, size_t count)
{
	return input->head_bytes >= count && !memcmp(input->head, bytes, count);
}

static bool looks_like_text(const struct input *input)
{
	for (size_t i = 0; i < input->head_bytes; i++) {
		unsigned char c = input->head[i];

		if (c < 0x20 && !isspace(c))
			return false;
	}
	return input->head_bytes > 0;
}

static struct source *unknown_form(struct input *input)
{
	if (!input->head_bytes)
		fail("%s is empty; nothing was recorded in it", input->name);
	else
		fail("%s is neither an archive, a stream nor a text of Sky; `sky import` reads "
		     "other programs' traces",
		     input->name);
	input_close(input);
	return NULL;
}

static struct source *open_trace(const char *path, uint32_t kinds, bool follow)
{
	static const uint32_t magic = STREAM_MAGIC;
	bool piped = !strcmp(path, "-");
	int fd = piped ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	struct input input;

	if (fd < 0) {
		fail_errno(errno, "cannot open %s", path);
		return NULL;
	}
	if (input_open(&input, fd, piped ? "standard input" : path))
		return NULL;
	if (starts_with(&input, hdf5_signature, sizeof(hdf5_signature))) {
		input_close(&input);
		if (!piped)
			return archive_open(path, kinds);
		fail("an archive can't be read from a pipe; name its file");
		return NULL;
	}
	if (starts_with(&input, &magic, sizeof(magic))) {
		input.grows = follow && input.total_bytes;
		if (input.grows)
			input.total_bytes = 0;
		return stream_open_input(&input);
	}
	if (looks_like_text(&input))
		return text_open_input(&input);
	return unknown_form(&input);
}

struct source *trace_open(const char *path, uint32_t kinds)
{
	return open_trace(path, kinds, false);
}

static bool is_archive(const char *path)
{
	uint8_t head[sizeof(hdf5_signature)];
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : NULL;
	bool is = f && fread(head, sizeof(head), 1, f) == 1 &&
		  !memcmp(head, hdf5_signature, sizeof(head));

	if (f)
		fclose(f);
	return is;
}

struct request_source *trace_requests(const char *path, struct crew *crew)
{
	if (is_archive(path))
		return archive_requests(path, crew);
	return requests_of_events(trace_open(path, KIND_BIT(EVENT_BLOCK)));
}

struct source *trace_follow(const char *path, uint32_t kinds)
{
	return open_trace(path, kinds, true);
}

/* A stream or a text that becomes a file: under its .part name until it is whole. */
struct file_sink {
	struct sink sink;
	struct sink *inner;
	struct output output;
};

static int file_write(struct sink *sink, const struct event *events, size_t count)
{
	return sink_write(container_of(sink, struct file_sink, sink)->inner, events, count);
}

static int file_commit(struct sink *sink)
{
	struct file_sink *f = container_of(sink, struct file_sink, sink);
	int rc = sink_commit(f->inner);

	if (rc)
		output_abandon(&f->output);
	else
		rc = output_commit(&f->output);
	free(f);
	return rc;
}

static void file_abandon(struct sink *sink)
{
	struct file_sink *f = container_of(sink, struct file_sink, sink);

	sink_abandon(f->inner);
	output_abandon(&f->output);
	free(f);
}

static const struct sink_ops file_ops = {
	.write = file_write,
	.commit = file_commit,
	.abandon = file_abandon,
};

static struct sink *file_create(const char *path, struct sink *(*create)(int fd, const char *name))
{
	struct file_sink *f = calloc(1, sizeof(*f));
	int fd;

	if (!f || output_begin(&f->output, path)) {
		free(f);
		return NULL;
	}
	f->sink.ops = &file_ops;
	fd = open(f->output.part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		fail_errno(errno, "cannot create %s", f->output.part);
	else
		f->inner = create(fd, path);
	if (!f->inner) {
		output_abandon(&f->output);
		free(f);
		return NULL;
	}
	return &f->sink;
}

static struct sink *archive_to_file(const char *path)
{
	return archive_create(path);
}

static struct sink *stream_to_file(const char *path)
{
	return file_create(path, stream_create);
}

static struct sink *text_to_file(const char *path)
{
	return file_create(path, text_create);
}

static const struct trace_form {
	const char *name, *endings;
	struct sink *(*to_file)(const char *path);
	struct sink *(*to_pipe)(int fd, const char *name); /* NULL: needs a file */
} forms[] = {
	{"archive", ".h5 .hdf5", archive_to_file, NULL},
	{"stream", ".pcap .stream", stream_to_file, stream_create},
	{"text", ".events .txt", text_to_file, text_create},
};

static bool ends_with_one_of(const char *path, const char *endings)
{
	const char *dot = strrchr(path, '.');
	const char *at = dot ? strstr(endings, dot) : NULL;

	return at && strchr(" ", at[strlen(dot)]);
}

static const struct trace_form *find_form(const char *path, const char *name)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (name ? !strcmp(forms[i].name, name) : ends_with_one_of(path, forms[i].endings))
			return &forms[i];
	return NULL;
}

struct sink *trace_new(const char *path, const char *form)
{
	bool piped = !strcmp(path, "-");
	const struct trace_form *f = find_form(path, piped && !form ? "text" : form);

	if (!f) {
		if (form)
			fail("there is no form \"%s\"; it is archive, stream or text", form);
		else
			fail("what should %s be? Name it .h5, .pcap or .events, or say --to", path);
		return NULL;
	}
	if (!piped)
		return f->to_file(path);
	if (!f->to_pipe) {
		fail("an archive can't be written to a pipe; name a file with -o");
		return NULL;
	}
	return f->to_pipe(dup(STDOUT_FILENO), "standard output");
}
