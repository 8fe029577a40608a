/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths and other texts, keyed.
 *
 * A path is keyed part by part, each by itself: what is below what, and which
 * parts are equal, is seen as before, and a prefix stays one. "/", "." and ".."
 * stay. So do the names by which a classification knows programs and encrypted
 * files, whatever they name, since the same name must look the same everywhere.
 */
#ifndef SKY_ANONYMIZE_NAMES_H
#define SKY_ANONYMIZE_NAMES_H

#include "capture/event.h"
#include "sim/anonymize/key.h"

/* A keyed part of a path, or a keyed text: 64 bits in hexadecimal. */
#define KEYED_CHARACTERS 16u

struct names {
	const struct anonymize_key *key;
	/* Words with commas between them that stay besides those that always do; or NULL. */
	const char *kept;
};

/* Room for any text of so many bytes, keyed as a path or otherwise. */
size_t names_room(size_t bytes);

/* These write to `at`, which has that room, and return how many bytes; nothing for an empty text. */
size_t names_key_path(const struct names *names, const struct text *path, char *at);
size_t names_key_text(const struct names *names, const struct text *text, char *at);

#endif
