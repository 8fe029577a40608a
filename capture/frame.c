/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "frame.h"

static size_t variable_bytes(const struct event *event, const struct field *f)
{
	if (f->type == FIELD_TEXT)
		return 4 + field_text(event, f)->count;
	return 4 + 8ul * field_words(event, f)->count;
}

static size_t fields_bytes(const struct event *event, const struct field *fields)
{
	size_t bytes = 0;

	for (const struct field *f = fields; f->name; f++)
		bytes += field_width(f->type) ? field_width(f->type) : variable_bytes(event, f);
	return bytes;
}

size_t event_encoded_bytes(const struct event *event)
{
	return 1 + fields_bytes(event, event_header) +
	       fields_bytes(event, event_kinds[event->kind].fields);
}

static char *encode_variable(char *at, const void *data, uint32_t count, size_t bytes)
{
	memcpy(at, &count, 4);
	if (bytes)
		memcpy(at + 4, data, bytes);
	return at + 4 + bytes;
}

static char *encode_fields(char *at, const struct event *event, const struct field *fields)
{
	for (const struct field *f = fields; f->name; f++) {
		unsigned width = field_width(f->type);

		if (width) {
			memcpy(at, (const char *)event + f->offset, width);
			at += width;
		} else if (f->type == FIELD_TEXT) {
			const struct text *t = field_text(event, f);

			at = encode_variable(at, t->at, t->count, t->count);
		} else {
			const struct words *w = field_words(event, f);

			at = encode_variable(at, w->at, w->count, 8ul * w->count);
		}
	}
	return at;
}

size_t event_encode(const struct event *event, void *at)
{
	char *end = at;

	*end++ = event->kind;
	end = encode_fields(end, event, event_header);
	end = encode_fields(end, event, event_kinds[event->kind].fields);
	return end - (char *)at;
}

/* What is left to decode, and room for words. */
struct decoder {
	const char *at, *end;
	uint64_t *words;
};

static const char *decode_variable(struct decoder *d, struct event *event, const struct field *f)
{
	size_t element = f->type == FIELD_TEXT ? 1 : 8;
	uint32_t count;

	if (d->end - d->at < 4)
		return "an event that is too short";
	memcpy(&count, d->at, 4);
	d->at += 4;
	if ((size_t)(d->end - d->at) / element < count)
		return "a length beyond the end of its event";
	if (f->type == FIELD_TEXT) {
		struct text *t = (struct text *)((char *)event + f->offset);

		*t = (struct text){d->at, count};
	} else {
		struct words *w = (struct words *)((char *)event + f->offset);

		if (count)
			memcpy(d->words, d->at, 8ul * count);
		*w = (struct words){d->words, count};
		d->words += count;
	}
	d->at += element * count;
	return NULL;
}

static const char *decode_fields(struct decoder *d, struct event *event, const struct field *fields)
{
	for (const struct field *f = fields; f->name; f++) {
		unsigned width = field_width(f->type);
		const char *wrong;

		if (width) {
			if (d->end - d->at < width)
				return "an event that is too short";
			memcpy((char *)event + f->offset, d->at, width);
			d->at += width;
			continue;
		}
		wrong = decode_variable(d, event, f);
		if (wrong)
			return wrong;
	}
	return NULL;
}

const char *event_decode(struct event *event, const void *at, size_t bytes, uint64_t *words)
{
	struct decoder d = {.at = at, .end = (const char *)at + bytes, .words = words};
	const char *wrong;

	if (!bytes || *(const uint8_t *)at >= EVENT_KINDS)
		return "an event of a kind that this version doesn't know";
	event->kind = *d.at++;
	wrong = decode_fields(&d, event, event_header);
	if (!wrong)
		wrong = decode_fields(&d, event, event_kinds[event->kind].fields);
	if (!wrong && d.at != d.end)
		wrong = "an event that is too long";
	return wrong ? wrong : event_check(event);
}
