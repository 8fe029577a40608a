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

struct import_options {
	const char *columns; /* of a text without a line that names them; NULL = such a line does */
	bool packed;	     /* found out: the file has to be unpacked to be read */
};

struct foreign_format;

struct importer {
	struct component head; /* kind "import" */
	/* Could a file that begins with these bytes be of this format? NULL: foreign.h's parse() says it. */
	bool (*recognise)(const void *first, size_t bytes);
	/* Columns can be named; recognise() is not asked then. */
	bool takes_columns;
	/* Requests in text or records, as foreign.h reads them; NULL: the two functions do. */
	const struct foreign_format *format;
	/* A regular file that recognise() accepted. NULL after saying what is wrong. */
	struct source *(*open)(const char *path, const struct import_options *options);
	/* The same for its requests alone, where the file lies; NULL if there is no faster way. */
	struct request_source *(*requests)(const char *path, const struct import_options *options);
};

/* Registers the ops struct that follows it. */
#define IMPORTER(identifier)                                          \
	static const struct importer identifier##_importer;           \
	COMPONENT(identifier##_importer, identifier##_importer.head); \
	static const struct importer identifier##_importer =

/*
 * Checks the format and opens the file, packed or not; a file of another known
 * format is said to be one. NULL after saying what is wrong.
 */
struct source *import_open(const struct importer *importer, const char *path,
			   const struct import_options *options);

/* The same for its requests alone, by whatever way there is. */
struct request_source *import_requests(const struct importer *importer, const char *path,
				       const struct import_options *options);

/* Writes a file's events to output, by its ending; 0, or -1 after saying what is wrong. */
int import_file(const struct importer *importer, const char *path,
		const struct import_options *options, const char *output);

#endif
