/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an importer is: other programs' traces as sources of our events.
 *
 * One file a format. An importer emits what the file holds and nothing that
 * it doesn't: attributes of provenance first ("importer", "format", "source",
 * "units"), then block events and, where times of completion are known,
 * completions, all in time order with seq from 1.
 */
#ifndef SKY_IMPORT_H
#define SKY_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "capture/requests.h"
#include "capture/source.h"
#include "common/component.h"

#define IMPORT_HEAD_BYTES 4096

struct importer {
	struct component head; /* kind "import" */
	/* Could a file that begins with these bytes be of this format? */
	bool (*recognise)(const void *first, size_t bytes);
	/* A regular file that recognise() accepted. NULL after saying what is wrong. */
	struct source *(*open)(const char *path);
	/* The same for its requests alone, where the file lies; NULL if there is no faster way. */
	struct request_source *(*requests)(const char *path);
};

/* Registers the ops struct that follows it. */
#define IMPORTER(identifier)                                          \
	static const struct importer identifier##_importer;           \
	COMPONENT(identifier##_importer, identifier##_importer.head); \
	static const struct importer identifier##_importer =

/*
 * Checks the format and opens the file; a file of another known format is
 * said to be one. NULL after saying what is wrong.
 */
struct source *import_open(const struct importer *importer, const char *path);

/* The same for its requests alone, by whatever way there is. */
struct request_source *import_requests(const struct importer *importer, const char *path);

/* Writes a source's events to output, by its ending; 0, or -1 after saying what is wrong. */
int import_file(const struct importer *importer, const char *path, const char *output);

#endif
