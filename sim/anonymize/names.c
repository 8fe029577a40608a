/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/word_list.h"
#include "sim/anonymize/names.h"
#include "sim/pipeline/pipeline.h"

size_t names_room(size_t bytes)
{
	/* at most every second byte is a part of its own */
	size_t parts = bytes > PATH_MAX ? 1 : bytes / 2 + 1;

	return bytes + parts * KEYED_CHARACTERS + 1;
}

size_t names_key_text(const struct names *names, const struct text *text, char *at)
{
	if (!text->count)
		return 0;
	return sprintf(at, "%016" PRIx64, key_hash(names->key, KEY_TEXTS, text->at, text->count));
}

static bool is_kept(const struct names *names, const char *always, const char *word, size_t bytes)
{
	return word_list_has(always, word, bytes) ||
	       (names->kept && word_list_has(names->kept, word, bytes));
}

static bool stays(const struct names *names, const char *part, size_t bytes)
{
	static const char programs[] = ".,..," COPY_PROGRAMS "," ENCRYPTION_PROGRAMS;

	return !bytes || is_kept(names, programs, part, bytes);
}

/* From the dot on; NULL where the part has no extension that is kept. */
static const char *kept_extension(const struct names *names, const char *part, size_t bytes)
{
	const char *dot = memrchr(part, '.', bytes);

	if (!dot || !is_kept(names, ENCRYPTION_EXTENSIONS, dot + 1, part + bytes - (dot + 1)))
		return NULL;
	return dot;
}

static size_t key_part(const struct names *names, const char *part, size_t bytes, char *at)
{
	const char *extension;
	size_t count;

	if (stays(names, part, bytes)) {
		memcpy(at, part, bytes);
		return bytes;
	}
	count = sprintf(at, "%016" PRIx64, key_hash(names->key, KEY_NAMES, part, bytes));
	extension = kept_extension(names, part, bytes);
	if (!extension)
		return count;
	memcpy(at + count, extension, part + bytes - extension);
	return count + (part + bytes - extension);
}

/* Longer than any path can be: one name, so that it grows no further. */
static size_t key_overlong(const struct names *names, const struct text *path, char *at)
{
	bool absolute = *path->at == '/';
	const char *slash = memrchr(path->at, '/', path->count);
	const char *last = slash ? slash + 1 : path->at;
	const char *extension = kept_extension(names, last, path->at + path->count - last);
	size_t count;

	count = sprintf(at, "%s%016" PRIx64, absolute ? "/" : "",
			key_hash(names->key, KEY_NAMES, path->at, path->count));
	if (!extension)
		return count;
	memcpy(at + count, extension, path->at + path->count - extension);
	return count + (path->at + path->count - extension);
}

size_t names_key_path(const struct names *names, const struct text *path, char *at)
{
	const char *part = path->at, *end = part + path->count;
	size_t count = 0;

	if (path->count > PATH_MAX)
		return key_overlong(names, path, at);
	while (part < end) {
		const char *slash = memchr(part, '/', end - part);
		size_t bytes = (slash ? slash : end) - part;

		count += key_part(names, part, bytes, at + count);
		if (slash)
			at[count++] = '/';
		part += bytes + 1;
	}
	return count;
}
