/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a trace is kept and what is keyed, field by field.
 *
 * A field that no rule names is an error, never published as it is: whoever adds
 * a field to the event model decides here what it gives away.
 */
#ifndef SKY_ANONYMIZE_RULES_H
#define SKY_ANONYMIZE_RULES_H

#include <stdbool.h>

#include "capture/event.h"

enum treatment {
	TREATMENT_NONE, /* no rule, or more than one: a mistake in the table */
	TREATMENT_KEPT,
	TREATMENT_SUMS,	     /* checksums: an array, or one number */
	TREATMENT_PATH,	     /* keyed part by part */
	TREATMENT_TEXT,	     /* keyed as a whole, unless it is a word of Sky's own */
	TREATMENT_ATTRIBUTE, /* an attribute's name, and ... */
	TREATMENT_VALUE,     /* ... its value: by attribute_rule() */
	TREATMENTS
};

/* Of a kind's field, or, where kind is EVENT_KINDS, of the header's. */
enum treatment field_treatment(unsigned kind, const char *field);

enum attribute_rule {
	ATTRIBUTE_KEYED,   /* not known: name and value are texts */
	ATTRIBUTE_TEXT,	   /* the name is kept; its value is a text ... */
	ATTRIBUTE_PATH,	   /* ... or a path */
	ATTRIBUTE_WORD,	   /* a value of Sky's own, kept */
	ATTRIBUTE_NUMBERS, /* kept if it is numbers, a time, or places, else a text */
	ATTRIBUTE_VERSION, /* the leading numbers are kept: 6.1.0 of 6.1.0-acme */
	ATTRIBUTE_SUM,	   /* the checksums' name: keyed ones they are from now on */
};

enum attribute_rule attribute_rule(const struct text *name);

/* Does the value consist of what ATTRIBUTE_NUMBERS keeps? */
bool is_numbers(const struct text *value);

/* A mark or a ring that Sky names by itself. */
bool is_own_word(const struct text *text);

#endif
