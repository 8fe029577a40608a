/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "attributes.h"

void attributes_add(struct attributes *attributes, const char *name, const char *format, ...)
{
	char *copy, *value;
	va_list args;
	int length;

	if (attributes->count == ATTRIBUTES_MAX)
		return;
	va_start(args, format);
	length = vasprintf(&value, format, args);
	va_end(args);
	if (length < 0)
		return;
	copy = strdup(name);
	if (!copy) {
		free(value);
		return;
	}
	attributes->at[attributes->count] = (struct attribute_event){
		.name = {copy, strlen(copy)},
		.value = {value, length},
	};
	attributes->texts[2 * attributes->count] = copy;
	attributes->texts[2 * attributes->count + 1] = value;
	attributes->count++;
}

void attributes_add_text(struct attributes *attributes, const char *name, const char *value)
{
	if (value)
		attributes_add(attributes, name, "%s", value);
}

void attributes_add_machine(struct attributes *attributes, const char *recorder, const char *guest)
{
	time_t now = time(NULL);
	struct utsname system;
	char started[32];
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", &utc);
	attributes_add(attributes, "recorder", "%s", recorder);
	attributes_add(attributes, "version", "%s", SKY_VERSION);
	attributes_add(attributes, "started", "%s", started);
	attributes_add(attributes, "clock", "CLOCK_MONOTONIC");
	attributes_add(attributes, "guest", "%s", guest);
	if (!uname(&system)) {
		attributes_add(attributes, "kernel", "%s", system.release);
		attributes_add(attributes, "host", "%s", system.nodename);
	}
	attributes_add(attributes, "chunk", "%u", CHUNK_BYTES);
	attributes_add(attributes, "checksum", "fnv1a64");
}

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=./,:@%";

	return *word && !word[strspn(word, plain)];
}

/* In single quotes; one inside becomes '\''. */
static char *quote(char *at, const char *word)
{
	*at++ = '\'';
	for (; *word; word++)
		at = *word == '\'' ? stpcpy(at, "'\\''") : stpncpy(at, word, 1);
	*at++ = '\'';
	return at;
}

/* The words as a shell would take them; NULL without memory. */
static char *join(char *const *words)
{
	size_t bytes = 1;
	char *text, *at;

	for (char *const *word = words; *word; word++)
		bytes += 4 * strlen(*word) + 3;
	at = text = malloc(bytes);
	for (char *const *word = words; text && *word; word++) {
		if (word != words)
			*at++ = ' ';
		at = is_plain(*word) ? stpcpy(at, *word) : quote(at, *word);
	}
	if (text)
		*at = '\0';
	return text;
}

void attributes_add_command(struct attributes *attributes, const char *name, char *const *words)
{
	char *command = words ? join(words) : NULL;

	attributes_add_text(attributes, name, command);
	free(command);
}

void attributes_free(struct attributes *attributes)
{
	for (size_t i = 0; i < 2 * attributes->count; i++)
		free(attributes->texts[i]);
	attributes->count = 0;
}
