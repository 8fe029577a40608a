/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events as text: one line each, lossless, for people, grep and scenario tests.
 *
 *   time_ns vcpu space stack kind [bare value] name=value ...
 *
 * A value that the reader assumes anyway is left out; docs/trace-format.md has
 * the grammar, text_read.c reads it back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/component.h"
#include "common/error.h"
#include "source.h"
#include "text.h"

struct text_sink {
	struct sink sink;
	char *name;
	FILE *file;
	uint64_t last_seq;
	uint8_t abi; /* that the reader assumes */
};

static void put_string(FILE *out, const struct text *text)
{
	putc_unlocked('"', out);
	for (uint32_t i = 0; i < text->count; i++) {
		unsigned char c = text->at[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			putc_unlocked(c, out);
	}
	putc_unlocked('"', out);
}

static void put_words(FILE *out, const struct words *words, bool hex)
{
	putc_unlocked('[', out);
	for (uint32_t i = 0; i < words->count; i++) {
		if (i)
			putc_unlocked(',', out);
		fprintf(out, hex ? "%" PRIx64 : "%" PRIu64, words->at[i]);
	}
	putc_unlocked(']', out);
}

static void put_bits(FILE *out, const struct field *f, uint64_t value)
{
	const char *separator = "";

	for (int i = 0; f->names[i]; i++) {
		if (!(value & 1ull << i))
			continue;
		fprintf(out, "%s%s", separator, f->names[i]);
		separator = "|";
		value &= ~(1ull << i);
	}
	if (value)
		fprintf(out, "%s0x%" PRIx64, separator, value);
}

/* The ABI under whose numbers a call of this event is named; insights ask Linux questions. */
static enum abi abi_of(const struct event *event)
{
	if (event->kind == EVENT_ENTRY)
		return event->entry.abi;
	return event->kind == EVENT_EXIT ? event->exit.abi : ABI_LINUX64;
}

/* A line of its own where the ABI changes, since the names of all that follow depend on it. */
static void put_guest(struct text_sink *t, const struct event *event)
{
	static const char *const names[] = {"linux64", "freebsd64"};
	enum abi abi = abi_of(event);

	if ((event->kind != EVENT_ENTRY && event->kind != EVENT_EXIT) || abi == t->abi)
		return;
	fprintf(t->file, "guest %s\n", names[abi]);
	t->abi = abi;
}

static void put_call(FILE *out, const struct event *event, uint32_t number)
{
	enum call call = call_by_number(abi_of(event), number);

	if (call)
		fputs(call_name(abi_of(event), call), out);
	else
		fprintf(out, "%" PRIu32, number);
}

static void put_number(FILE *out, const struct event *event, const struct field *f)
{
	uint64_t value = field_get(event, f);

	if (f->style == STYLE_HEX)
		fprintf(out, "0x%" PRIx64, value);
	else if (f->style == STYLE_DEVICE)
		fprintf(out, "%u:%u", major(value), minor(value));
	else if (f->style == STYLE_NAME)
		fputs(name_of(f->names, value) ?: "?", out);
	else if (f->style == STYLE_BITS)
		put_bits(out, f, value);
	else if (f->style == STYLE_CALL)
		put_call(out, event, value);
	else if (f->type == FIELD_I32 || f->type == FIELD_I64)
		fprintf(out, "%" PRId64, (int64_t)value);
	else
		fprintf(out, "%" PRIu64, value);
}

static void put_arguments(FILE *out, const struct entry_event *entry)
{
	enum call call = call_by_number(entry->abi, entry->number);
	int magic = call_magic_argument(entry->abi, call);

	for (int i = 0; i < 6; i++) {
		const struct argument *a = &call_arguments(entry->abi, call)[i];
		const struct argument_form *form = &argument_forms[a->style];

		if (magic && i == magic && entry->argument[i] == CLASS_MAGIC) {
			fprintf(out, " class=%" PRIu64, entry->argument[++i]);
			continue;
		}
		if (!entry->argument[i] && !form->shown)
			continue;
		if (a->name)
			fprintf(out, " %s=", a->name);
		else
			fprintf(out, " arg%d=", i);
		form->put(out, entry->argument[i]);
	}
}

static bool left_out(const struct event *event, const struct field *f)
{
	if (f->type == FIELD_WORDS)
		return !field_words(event, f)->count;
	if (f->type == FIELD_TEXT)
		return !field_text(event, f)->count;
	return !f->shown && field_get(event, f) == f->preset;
}

static void put_field(FILE *out, const struct event *event, const struct field *f)
{
	if (f->style == STYLE_ARGUMENTS) {
		put_arguments(out, &event->entry);
		return;
	}
	if (f->style == STYLE_HIDDEN || f->style == STYLE_ABI || left_out(event, f))
		return;
	fprintf(out, " %s=", f->name);
	if (f->type == FIELD_TEXT)
		put_string(out, field_text(event, f));
	else if (f->type == FIELD_WORDS)
		put_words(out, field_words(event, f), f->style == STYLE_SUMS);
	else
		put_number(out, event, f);
}

/* The columns in front; what is not known is a dash. */
static void put_columns(FILE *out, const struct event *event)
{
	char vcpu[8] = "-", space[24] = "-", stack[24] = "-";

	if (event->vcpu != VCPU_UNKNOWN)
		snprintf(vcpu, sizeof(vcpu), "%u", event->vcpu);
	if (event->space)
		snprintf(space, sizeof(space), "0x%" PRIx64, event->space);
	if (event->stack)
		snprintf(stack, sizeof(stack), "0x%" PRIx64, event->stack);
	fprintf(out, "%14" PRIu64 " %3s %8s %14s  %-9s", event->time_ns, vcpu, space, stack,
		event_kinds[event->kind].name);
}

static void put_header_fields(FILE *out, const struct event *event, uint64_t next_seq)
{
	for (const struct text_header_field *h = text_header_fields; h->name; h++) {
		struct field f = {.type = h->type, .offset = h->offset};
		uint64_t value = field_get(event, &f);
		uint64_t assumed = h->offset == offsetof(struct event, seq) ? next_seq : 0;

		if (value != assumed)
			fprintf(out, h->hex ? " %s=0x%" PRIx64 : " %s=%" PRIu64, h->name, value);
	}
}

static void put_event(FILE *out, const struct event *event, uint64_t next_seq)
{
	const struct field *fields = event_kinds[event->kind].fields;

	put_columns(out, event);
	for (const struct field *f = fields; f->name; f++)
		if (f->bare) {
			putc_unlocked(' ', out);
			put_number(out, event, f);
		}
	put_header_fields(out, event, next_seq);
	for (const struct field *f = fields; f->name; f++)
		if (!f->bare)
			put_field(out, event, f);
	putc_unlocked('\n', out);
}

static int report(struct text_sink *t)
{
	return fail_errno(errno, "cannot write %s", t->name);
}

static int text_write(struct sink *sink, const struct event *events, size_t count)
{
	struct text_sink *t = container_of(sink, struct text_sink, sink);

	for (size_t i = 0; i < count; i++) {
		put_guest(t, &events[i]);
		put_event(t->file, &events[i], text_next_seq(events[i].kind, t->last_seq));
		t->last_seq = events[i].seq;
	}
	return ferror(t->file) ? report(t) : 0;
}

static int text_flush(struct sink *sink)
{
	struct text_sink *t = container_of(sink, struct text_sink, sink);

	return fflush(t->file) || ferror(t->file) ? report(t) : 0;
}

static void text_abandon(struct sink *sink)
{
	struct text_sink *t = container_of(sink, struct text_sink, sink);

	fclose(t->file);
	free(t->name);
	free(t);
}

static int text_commit(struct sink *sink)
{
	int rc = text_flush(sink);

	text_abandon(sink);
	return rc;
}

static const struct sink_ops text_ops = {
	.write = text_write,
	.flush = text_flush,
	.commit = text_commit,
	.abandon = text_abandon,
};

struct sink *text_create(int fd, const char *name)
{
	struct text_sink *t = calloc(1, sizeof(*t));

	if (!t || !(t->name = strdup(name)) || !(t->file = fdopen(fd, "w"))) {
		fail_errno(errno, "cannot begin %s", name);
		close(fd);
		if (t)
			free(t->name);
		free(t);
		return NULL;
	}
	t->sink.ops = &text_ops;
	return &t->sink;
}
