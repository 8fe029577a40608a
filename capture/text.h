/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the writer and the reader of the text form share.
 */
#ifndef SKY_TEXT_H
#define SKY_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "calls.h"
#include "event.h"

/* How a call's argument is shown and read back. */
struct argument_form {
	bool shown; /* also where it is 0 */
	void (*put)(FILE *out, uint64_t value);
	bool (*parse)(const char *text, uint64_t *value);
};

extern const struct argument_form argument_forms[];

/* Parts of the header that follow the kind as NAME=VALUE where they are known. */
struct text_header_field {
	const char *name;
	bool hex;
	size_t offset;
	enum field_type type;
};

extern const struct text_header_field text_header_fields[]; /* ends with a NULL name */

/* The seq that an event has where its line doesn't say. */
static inline uint64_t text_next_seq(enum event_kind kind, uint64_t last_seq)
{
	return event_kinds[kind].derived ? last_seq : last_seq + 1;
}

/* Decimal, 0x hexadecimal or negative, the whole text; false if it is none of these. */
bool text_parse_number(const char *text, uint64_t *value);

/* NAME|NAME|0x4 by the bit numbers of a field's names. */
bool text_parse_bits(const char *text, const char *const *names, uint64_t *value);

#endif
