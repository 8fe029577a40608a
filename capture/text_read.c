/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text form back into events.
 *
 * Input -> lines -> words (comments dropped, quoted strings unescaped in
 * place) -> the kind's fields. A line that isn't understood is an error with
 * its number; nothing is guessed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/component.h"
#include "common/error.h"
#include "input.h"
#include "text.h"

#define LINE_BYTES_MAX (256u << 20)

struct text_source {
	struct source source;
	struct input input;
	char *line; /* bytes read: the current line and what follows */
	size_t begin, end, room;
	uint64_t number; /* of the current line */
	uint64_t last_seq;
	enum abi abi; /* of the calls that follow: set by lines "guest freebsd64" */
	bool ended;
	/* The event's arrays and texts: texts point into the line, words here. */
	uint64_t *words;
	size_t words_used, words_room;
};

/* Complaints name the line. */
static int wrong(struct text_source *s, const char *what, const char *word)
{
	return fail("%s:%" PRIu64 ": %s \"%.60s\"", s->input.name, s->number, what, word);
}

static int fill(struct text_source *s)
{
	ssize_t got;

	if (s->begin) {
		memmove(s->line, s->line + s->begin, s->end - s->begin);
		s->end -= s->begin;
		s->begin = 0;
	}
	if (s->end + 1 >= s->room) {
		size_t room = s->room ? 2 * s->room : 1u << 16;
		char *larger = room <= LINE_BYTES_MAX ? realloc(s->line, room) : NULL;

		if (!larger)
			return fail("%s:%" PRIu64 ": a line that is too long", s->input.name,
				    s->number + 1);
		s->line = larger;
		s->room = room;
	}
	got = input_read(&s->input, s->line + s->end, s->room - s->end - 1);
	if (got < 0)
		return fail_errno(errno, "cannot read %s", s->input.name);
	s->ended = !got;
	s->end += got;
	s->source.read_bytes += got;
	return 0;
}

/* 1 and a terminated line, 0 at the end, -1 on an error. */
static int next_line(struct text_source *s, char **line)
{
	size_t searched = 0;

	for (;;) {
		size_t have = s->end - s->begin;
		char *newline = have > searched ? memchr(s->line + s->begin + searched, '\n',
							 have - searched)
						: NULL;

		if (newline || (s->ended && have)) {
			*line = s->line + s->begin;
			s->begin = newline ? (size_t)(newline + 1 - s->line) : s->end;
			s->line[newline ? (size_t)(newline - s->line) : s->end] = '\0';
			s->number++;
			if (strlen(*line) != (newline ? (size_t)(newline - *line) : have))
				return wrong(s, "a NUL byte in the line", *line);
			return 1;
		}
		if (s->ended)
			return 0;
		searched = have;
		if (fill(s))
			return -1;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Unescapes a quoted string in place; the position after it, or NULL if it isn't closed. */
static char *unquote(char *at, struct text *text)
{
	char *out = at;

	text->at = at;
	while (*at && *at != '"') {
		if (*at != '\\') {
			*out++ = *at++;
			continue;
		}
		at++;
		if (*at == 'x') {
			int high = hex_digit(at[1]), low = high < 0 ? -1 : hex_digit(at[2]);

			if (low < 0)
				return NULL;
			*out++ = high << 4 | low;
			at += 3;
		} else if (*at == '"' || *at == '\\') {
			*out++ = *at++;
		} else {
			return NULL;
		}
	}
	text->count = out - text->at;
	return *at ? at + 1 : NULL;
}

/*
 * Cuts the next word off: NAME=VALUE gives both, a bare word only a value.
 * False at the end of the line; a quoted value is in *quoted.
 */
struct word {
	char *name, *value;
	struct text quoted; /* at NULL: the value was not quoted */
};

static int next_word(struct text_source *s, char **line, struct word *word)
{
	char *at = *line + strspn(*line, " \t\r");
	size_t length;

	*word = (struct word){0};
	if (!*at || *at == '#')
		return 0;
	length = strcspn(at, " \t\r=");
	word->value = at;
	if (at[length] == '=') {
		at[length] = '\0';
		word->name = at;
		word->value = at + length + 1;
		if (*word->value == '"') {
			at = unquote(word->value + 1, &word->quoted);
			if (!at || (*at && !strchr(" \t\r", *at)))
				return wrong(s,
					     "a string that is not closed or escaped rightly, of",
					     word->name);
			*line = at;
			return 1;
		}
		at = word->value;
		length = strcspn(at, " \t\r");
	}
	*line = at + length + (at[length] != '\0');
	at[length] = '\0';
	return 1;
}

static bool parse_device(const char *text, uint64_t *value)
{
	unsigned long long high, low;
	char *end;

	errno = 0;
	high = strtoull(text, &end, 10);
	if (end == text || *end != ':')
		return false;
	text = end + 1;
	low = strtoull(text, &end, 10);
	if (errno || end == text || *end || high > UINT32_MAX || low > UINT32_MAX)
		return false;
	*value = makedev(high, low);
	return true;
}

static bool parse_name(const char *text, const char *const *names, uint64_t *value)
{
	for (*value = 0; names[*value]; ++*value)
		if (!strcmp(names[*value], text))
			return true;
	return false;
}

static bool parse_call(enum abi abi, const char *text, uint64_t *value)
{
	enum call call = call_by_name(abi, text, strlen(text));

	if (!call || call_number(abi, call) < 0)
		return text_parse_number(text, value);
	*value = call_number(abi, call);
	return true;
}

static bool fits(enum field_type type, const char *text, uint64_t value)
{
	int64_t as_signed = value;

	if (type == FIELD_I64)
		return true;
	if (type == FIELD_I32)
		return as_signed >= INT32_MIN && as_signed <= INT32_MAX;
	return *text != '-' && (field_width(type) == 8 || value >> 8 * field_width(type) == 0);
}

static bool parse_value(const struct field *f, enum abi abi, const char *text, uint64_t *value)
{
	bool ok;

	if (f->style == STYLE_DEVICE)
		ok = parse_device(text, value);
	else if (f->style == STYLE_NAME)
		ok = parse_name(text, f->names, value);
	else if (f->style == STYLE_BITS)
		ok = text_parse_bits(text, f->names, value);
	else if (f->style == STYLE_CALL)
		ok = parse_call(abi, text, value);
	else
		ok = text_parse_number(text, value);
	return ok && fits(f->type, text, *value);
}

static int add_word(struct text_source *s, uint64_t value)
{
	if (s->words_used == s->words_room) {
		size_t room = s->words_room ? 2 * s->words_room : 1024;
		uint64_t *larger = realloc(s->words, room * sizeof(*larger));

		if (!larger)
			return fail("out of memory while reading %s", s->input.name);
		s->words = larger;
		s->words_room = room;
	}
	s->words[s->words_used++] = value;
	return 0;
}

/*
 * [a,b,c]. The array may move while it grows, so the field holds its index
 * until the line is through (settle_words).
 */
static int parse_words(struct text_source *s, struct words *words, const char *text, int base)
{
	const char *at = text;
	size_t first = s->words_used;

	if (*at++ != '[')
		return wrong(s, "not a list in brackets:", text);
	while (*at != ']' || at[1]) {
		char *end;
		uint64_t value;

		errno = 0;
		value = strtoull(at, &end, base);
		if (end == at || errno || *at == '-' || *at == '+' || (*end != ',' && *end != ']'))
			return wrong(s, "not a list of numbers:", text);
		if (add_word(s, value))
			return -1;
		at = *end == ',' ? end + 1 : end;
	}
	words->at = (const uint64_t *)(first + 1);
	words->count = s->words_used - first;
	return 0;
}

static void settle_words(struct text_source *s, struct event *event)
{
	for (const struct field *f = event_kinds[event->kind].fields; f->name; f++) {
		struct words *words = (struct words *)((char *)event + f->offset);

		if (f->type == FIELD_WORDS && words->at)
			words->at = s->words + (size_t)words->at - 1;
	}
}

static int set_text(struct event *event, const struct field *f, const struct word *w)
{
	struct text *text = (struct text *)((char *)event + f->offset);

	*text = w->quoted.at ? w->quoted : (struct text){w->value, strlen(w->value)};
	return 0;
}

static int set_field(struct text_source *s, struct event *event, const struct field *f,
		     const struct word *w)
{
	uint64_t value;

	if (f->type == FIELD_TEXT)
		return set_text(event, f, w);
	if (w->quoted.at)
		return wrong(s, "a string where a number belongs:", w->name);
	if (f->type == FIELD_WORDS)
		return parse_words(s, (struct words *)((char *)event + f->offset), w->value,
				   f->style == STYLE_SUMS ? 16 : 10);
	/* the recorder asks its own questions under Linux numbers */
	if (!parse_value(f, event->kind == EVENT_INSIGHT ? ABI_LINUX64 : s->abi, w->value, &value))
		return wrong(s, "a value that can't be:", w->value);
	field_set(event, f, value);
	return 0;
}

static const struct field *find_field(const struct event *event, const char *name)
{
	for (const struct field *f = event_kinds[event->kind].fields; f->name; f++)
		if (!f->bare && f->style != STYLE_HIDDEN && f->style != STYLE_ABI &&
		    f->style != STYLE_ARGUMENTS && !strcmp(f->name, name))
			return f;
	return NULL;
}

/* An argument by the name that the call gives it, or as argN. */
static int find_argument(const struct entry_event *entry, const char *name)
{
	enum call call = call_by_number(entry->abi, entry->number);

	for (int i = 0; i < 6; i++) {
		const struct argument *a = &call_arguments(entry->abi, call)[i];

		if (a->name ? !strcmp(a->name, name)
			    : !strncmp(name, "arg", 3) && name[3] == '0' + i && !name[4])
			return i;
	}
	return -1;
}

static int set_argument(struct text_source *s, struct entry_event *entry, int i,
			const struct word *w)
{
	enum call call = call_by_number(entry->abi, entry->number);
	const struct argument *a = &call_arguments(entry->abi, call)[i];

	if (w->quoted.at || !argument_forms[a->style].parse(w->value, &entry->argument[i]))
		return wrong(s, "a value that can't be:", w->value);
	return 0;
}

/* An application's class stands for the magic and for itself. */
static bool names_class(const struct event *event, const struct word *w)
{
	const struct entry_event *entry = &event->entry;

	return event->kind == EVENT_ENTRY && !strcmp(w->name, "class") &&
	       call_magic_argument(entry->abi, call_by_number(entry->abi, entry->number));
}

static int set_class(struct text_source *s, struct entry_event *entry, const struct word *w)
{
	enum call call = call_by_number(entry->abi, entry->number);
	unsigned magic = call_magic_argument(entry->abi, call);

	if (w->quoted.at || !text_parse_number(w->value, &entry->argument[magic + 1]))
		return wrong(s, "a value that can't be:", w->value);
	entry->argument[magic] = CLASS_MAGIC;
	return 0;
}

static const struct text_header_field *find_header_field(const char *name)
{
	const struct text_header_field *h = text_header_fields;

	while (h->name && strcmp(h->name, name))
		h++;
	return h->name ? h : NULL;
}

static int set_named(struct text_source *s, struct event *event, const struct word *w)
{
	const struct text_header_field *h = find_header_field(w->name);
	const struct field *f;
	int argument;

	if (h) {
		struct field header = {.type = h->type, .offset = h->offset};

		return set_field(s, event, &header, w);
	}
	if (names_class(event, w))
		return set_class(s, &event->entry, w);
	argument = event->kind == EVENT_ENTRY ? find_argument(&event->entry, w->name) : -1;
	if (argument >= 0)
		return set_argument(s, &event->entry, argument, w);
	f = find_field(event, w->name);
	if (!f)
		return fail("%s:%" PRIu64 ": %s has no \"%.60s\"", s->input.name, s->number,
			    event_kinds[event->kind].name, w->name);
	return set_field(s, event, f, w);
}

/* Bare values come right after the kind, in the order of the table. */
static int set_bare(struct text_source *s, struct event *event, char **line)
{
	for (const struct field *f = event_kinds[event->kind].fields; f->name; f++) {
		struct word w;
		int rc;

		if (!f->bare)
			continue;
		rc = next_word(s, line, &w);
		if (rc < 0)
			return -1;
		if (!rc || w.name)
			return wrong(s, "after the kind should stand its", f->name);
		if (set_field(s, event, f, &w))
			return -1;
	}
	return 0;
}

static int find_kind(const char *name)
{
	for (int kind = 0; kind < EVENT_KINDS; kind++)
		if (!strcmp(event_kinds[kind].name, name))
			return kind;
	return -1;
}

/* "-" or a number */
static bool parse_column(const char *text, uint64_t unknown, uint64_t max, uint64_t *value)
{
	*value = unknown;
	return !strcmp(text, "-") ||
	       (*text != '-' && text_parse_number(text, value) && *value <= max);
}

static int set_columns(struct text_source *s, struct event *event, char **line, char *time)
{
	static const struct {
		const char *name;
		size_t offset;
		enum field_type type;
		uint64_t unknown, max;
	} columns[] = {
		{"virtual CPU", offsetof(struct event, vcpu), FIELD_U16, VCPU_UNKNOWN, UINT16_MAX},
		{"address space", offsetof(struct event, space), FIELD_U64, 0, UINT64_MAX},
		{"stack pointer", offsetof(struct event, stack), FIELD_U64, 0, UINT64_MAX},
	};
	struct event columns_of = {0};
	struct word w;
	int kind;

	if (*time == '-' || !text_parse_number(time, &columns_of.time_ns))
		return wrong(s, "a line should begin with a time in ns, not", time);
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		struct field f = {.type = columns[i].type, .offset = columns[i].offset};
		uint64_t value;
		int rc = next_word(s, line, &w);

		if (rc < 0)
			return -1;
		if (!rc || w.name ||
		    !parse_column(w.value, columns[i].unknown, columns[i].max, &value))
			return wrong(s, "a missing or impossible", columns[i].name);
		field_set(&columns_of, &f, value);
	}
	if (next_word(s, line, &w) <= 0 || w.name || (kind = find_kind(w.value)) < 0)
		return wrong(s, "no such kind of event:", w.value ? w.value : "");
	event_init(event, kind);
	event->time_ns = columns_of.time_ns;
	event->vcpu = columns_of.vcpu;
	event->space = columns_of.space;
	event->stack = columns_of.stack;
	return 0;
}

static void set_abi(struct event *event, enum abi abi)
{
	if (event->kind == EVENT_ENTRY)
		event->entry.abi = abi;
	if (event->kind == EVENT_EXIT)
		event->exit.abi = abi;
}

static int parse_event(struct text_source *s, struct event *event, char *line, char *time)
{
	const char *problem;
	struct word w;
	int rc;

	if (set_columns(s, event, &line, time))
		return -1;
	s->words_used = 0;
	event->seq = text_next_seq(event->kind, s->last_seq);
	set_abi(event, s->abi);
	rc = set_bare(s, event, &line);
	while (!rc) {
		rc = next_word(s, &line, &w);
		if (rc <= 0)
			break;
		rc = w.name ? set_named(s, event, &w) : wrong(s, "not NAME=VALUE:", w.value);
	}
	if (rc)
		return -1;
	settle_words(s, event);
	problem = event_check(event);
	if (problem)
		return wrong(s, problem, "");
	if (event_kinds[event->kind].derived ? event->seq < s->last_seq : event->seq <= s->last_seq)
		return wrong(s, "a seq that doesn't rise, at", time);
	s->last_seq = event->seq;
	return 1;
}

/* guest linux64|freebsd64: the ABI of the calls from here on. */
static int parse_guest(struct text_source *s, char **line)
{
	struct word w;

	if (next_word(s, line, &w) > 0 && !w.name) {
		if (!strcmp(w.value, "linux64") || !strcmp(w.value, "freebsd64")) {
			s->abi = *w.value == 'l' ? ABI_LINUX64 : ABI_FREEBSD64;
			return 0;
		}
	}
	return wrong(s, "a guest is linux64 or freebsd64, not", w.value ? w.value : "");
}

/* One event a batch: its texts lie in the line, which the next line overwrites. */
static ssize_t text_read(struct source *source, struct event *events, size_t max)
{
	struct text_source *s = container_of(source, struct text_source, source);

	for (;;) {
		struct word w;
		char *line;
		int rc = next_line(s, &line);

		if (rc <= 0)
			return rc;
		rc = next_word(s, &line, &w);
		if (rc < 0)
			return -1;
		if (!rc)
			continue;
		if (w.name)
			return wrong(s, "a line should begin with a time in ns, not", w.name);
		if (strcmp(w.value, "guest"))
			return parse_event(s, events, line, w.value);
		if (parse_guest(s, &line))
			return -1;
	}
}

static void text_close(struct source *source)
{
	struct text_source *s = container_of(source, struct text_source, source);

	input_close(&s->input);
	free(s->line);
	free(s->words);
	free(s);
}

static const struct source_ops text_ops = {
	.form = "text",
	.read = text_read,
	.close = text_close,
};

struct source *text_open_input(struct input *input)
{
	struct text_source *s = calloc(1, sizeof(*s));

	if (!s) {
		fail("out of memory while opening %s", input->name);
		input_close(input);
		return NULL;
	}
	s->source.ops = &text_ops;
	s->source.total_bytes = input->total_bytes;
	s->input = *input;
	return &s->source;
}

struct source *text_open(int fd, const char *name)
{
	struct input input;

	return input_open(&input, fd, name) ? NULL : text_open_input(&input);
}
