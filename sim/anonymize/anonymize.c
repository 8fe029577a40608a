/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events keyed, a batch at a time.
 *
 * The rules say once what of each kind is to be keyed. For a batch the room that
 * all its arrays and texts can need is made first, so that nothing moves while
 * they are written one after the other. Memory is that of the largest batch.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "sim/anonymize/anonymize.h"
#include "sim/anonymize/rules.h"

#define KEYED_FIELDS_MAX 8

/* Arrays are of 64-bit words. */
#define ALIGNED(bytes) (((bytes) + 7) & ~(size_t)7)

struct keyed_field {
	const struct field *field; /* NULL: no more */
	enum treatment treatment;
};

struct anonymizer {
	const struct anonymize_key *key;
	struct names names;
	struct keyed_field fields[EVENT_KINDS][KEYED_FIELDS_MAX + 1];
	char *room;
	size_t room_bytes;
};

static int add_fields(struct keyed_field *keyed, size_t max, unsigned rules_of,
		      const struct field *fields)
{
	size_t count = 0;

	for (const struct field *f = fields; f->name; f++) {
		enum treatment treatment = field_treatment(rules_of, f->name);

		if (treatment == TREATMENT_KEPT)
			continue;
		if (treatment == TREATMENT_NONE || count == max)
			return fail("nothing says whether \"%s\" of %s may be published; this "
				    "version of Sky can't anonymize",
				    f->name,
				    rules_of < EVENT_KINDS ? event_kinds[rules_of].name : "events");
		keyed[count++] = (struct keyed_field){f, treatment};
	}
	return 0;
}

static int add_rules(struct anonymizer *a)
{
	/* the header is kept as a whole */
	if (add_fields(NULL, 0, EVENT_KINDS, event_header))
		return -1;
	for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
		if (add_fields(a->fields[kind], KEYED_FIELDS_MAX, kind,
			       event_kinds[kind].fields))
			return -1;
	return 0;
}

struct anonymizer *anonymizer_new(const struct anonymize_key *key, const char *kept)
{
	struct anonymizer *a = calloc(1, sizeof(*a));

	if (!a) {
		fail("out of memory for the anonymizer");
		return NULL;
	}
	a->key = key;
	a->names = (struct names){key, kept};
	if (add_rules(a)) {
		anonymizer_free(a);
		return NULL;
	}
	return a;
}

void anonymizer_free(struct anonymizer *a)
{
	if (a)
		free(a->room);
	free(a);
}

static size_t bytes_of(const struct event *event, const struct field *field)
{
	if (field->type == FIELD_TEXT)
		return ALIGNED(names_room(field_text(event, field)->count));
	if (field->type == FIELD_WORDS)
		return field_words(event, field)->count * sizeof(uint64_t);
	return 0;
}

static int make_room(struct anonymizer *a, const struct event *events, size_t count)
{
	size_t bytes = 0;
	char *room;

	for (size_t i = 0; i < count; i++)
		for (const struct keyed_field *k = a->fields[events[i].kind]; k->field; k++)
			bytes += bytes_of(&events[i], k->field);
	if (bytes <= a->room_bytes)
		return 0;
	room = realloc(a->room, bytes);
	if (!room)
		return fail("out of memory for the texts and checksums of %zu events", count);
	a->room = room;
	a->room_bytes = bytes;
	return 0;
}

static void key_words(const struct anonymize_key *key, struct words *words, char *at)
{
	uint64_t *keyed = (uint64_t *)at;

	for (uint32_t i = 0; i < words->count; i++)
		keyed[i] = key_sum(key, words->at[i]);
	words->at = keyed;
}

static size_t copy_text(const struct text *text, size_t count, char *at)
{
	if (count)
		memcpy(at, text->at, count);
	return count;
}

static size_t key_text(const struct names *names, const struct event *event,
		       const struct text *text, char *at)
{
	return is_own_word(text) ? copy_text(text, text->count, at)
				 : names_key_text(names, text, at);
}

static size_t key_path(const struct names *names, const struct event *event,
		       const struct text *path, char *at)
{
	return names_key_path(names, path, at);
}

static size_t key_attribute(const struct names *names, const struct event *event,
			    const struct text *name, char *at)
{
	if (attribute_rule(name) == ATTRIBUTE_KEYED)
		return names_key_text(names, name, at);
	return copy_text(name, name->count, at);
}

static size_t leading_numbers(const struct text *text)
{
	size_t count = 0;

	while (count < text->count && strchr("0123456789.", text->at[count]))
		count++;
	return count;
}

static size_t key_value(const struct names *names, const struct event *event,
			const struct text *value, char *at)
{
	static const char keyed[] = "keyed ";

	switch (attribute_rule(&event->attribute.name)) {
	case ATTRIBUTE_WORD:
		return copy_text(value, value->count, at);
	case ATTRIBUTE_NUMBERS:
		return is_numbers(value) ? copy_text(value, value->count, at)
					 : names_key_text(names, value, at);
	case ATTRIBUTE_VERSION:
		return copy_text(value, leading_numbers(value), at);
	case ATTRIBUTE_PATH:
		return names_key_path(names, value, at);
	case ATTRIBUTE_SUM:
		memcpy(at, keyed, strlen(keyed));
		return strlen(keyed) + copy_text(value, value->count, at + strlen(keyed));
	case ATTRIBUTE_KEYED:
	case ATTRIBUTE_TEXT:
		break;
	}
	return names_key_text(names, value, at);
}

/* The event is as it was recorded; these return how many bytes they wrote. */
static size_t (*const key_texts[TREATMENTS])(const struct names *names, const struct event *event,
					     const struct text *text, char *at) = {
	[TREATMENT_PATH] = key_path,
	[TREATMENT_TEXT] = key_text,
	[TREATMENT_ATTRIBUTE] = key_attribute,
	[TREATMENT_VALUE] = key_value,
};

static void key_field(const struct anonymizer *a, const struct keyed_field *keyed,
		      const struct event *before, struct event *event, char *at)
{
	const struct field *field = keyed->field;
	struct text *text = (struct text *)field_text(event, field);

	if (keyed->treatment != TREATMENT_SUMS) {
		text->count = key_texts[keyed->treatment](&a->names, before,
							  field_text(before, field), at);
		text->at = at;
	} else if (field->type == FIELD_WORDS) {
		key_words(a->key, (struct words *)field_words(event, field), at);
	} else {
		field_set(event, field, key_sum(a->key, field_get(event, field)));
	}
}

int anonymizer_change(void *anonymizer, struct event *events, size_t count)
{
	struct anonymizer *a = anonymizer;
	char *at;

	if (make_room(a, events, count))
		return -1;
	at = a->room;
	for (size_t i = 0; i < count; i++) {
		const struct event before = events[i];

		for (const struct keyed_field *k = a->fields[before.kind]; k->field; k++) {
			key_field(a, k, &before, &events[i], at);
			at += bytes_of(&before, k->field);
		}
	}
	return 0;
}
