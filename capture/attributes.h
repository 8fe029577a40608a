/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attributes of a recording, which every recorder writes first: who, when,
 * where, how.
 */
#ifndef SKY_ATTRIBUTES_H
#define SKY_ATTRIBUTES_H

#include <stddef.h>

#include "capture/event.h"

#define ATTRIBUTES_MAX 64

struct attributes {
	struct attribute_event at[ATTRIBUTES_MAX];
	char *texts[2 * ATTRIBUTES_MAX]; /* names and values, to be freed */
	size_t count;
};

/* One more; without memory, or beyond ATTRIBUTES_MAX, the trace lacks it. */
void attributes_add(struct attributes *attributes, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Nothing if the value is NULL. */
void attributes_add_text(struct attributes *attributes, const char *name, const char *value);
/* The recorder's name, Sky's version, the time, the clock, whose calls they are, this machine. */
void attributes_add_machine(struct attributes *attributes, const char *recorder, const char *guest);
/* Words up to a NULL, as a shell would take them; nothing if words is NULL. */
void attributes_add_command(struct attributes *attributes, const char *name, char *const *words);

void attributes_free(struct attributes *attributes);

#endif
