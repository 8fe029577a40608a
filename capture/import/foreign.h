/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What importers of requests in lines of text or in records have in common.
 *
 * A format decodes one line, or finds the next record; foreign.c does the rest:
 * it checks what no real trace has, sorts by time within a window, makes
 * completions of response times or of records of their own, and turns it all
 * into events or requests. What is wrong is said with the file, the line and
 * what to do.
 */
#ifndef SKY_FOREIGN_H
#define SKY_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "byte_reader.h"
#include "import.h"

#define NS_PER_US     1000ull
#define NS_PER_SECOND 1000000000ull

#define RESPONSE_UNKNOWN UINT64_MAX

/* Records that are so many or fewer places away from where they belong are sorted. */
#define FOREIGN_WINDOW 65536u

#define FOREIGN_DISKS_MAX     65536u
#define FOREIGN_DISK_NAME_MAX 63u

enum foreign_kind {
	FOREIGN_REQUEST,
	FOREIGN_COMPLETION, /* of the earliest request of that op, disk and offset in flight */
	FOREIGN_REQUEUE,    /* that request will be issued again */
};

struct foreign_record {
	uint64_t time_ns;
	uint64_t response_ns;	 /* RESPONSE_UNKNOWN: the file doesn't say */
	uint64_t offset, length; /* in the format's units */
	uint32_t disk;		 /* foreign_disk() */
	uint32_t flags;		 /* BLOCK_FLAG_ */
	uint32_t pid;
	int32_t error; /* of completions */
	uint8_t op;    /* enum block_op */
	uint8_t kind;
};

enum foreign_completions {
	COMPLETIONS_NONE,
	COMPLETIONS_RESPONSES, /* from response times */
	COMPLETIONS_RECORDS,   /* have records of their own */
};

struct foreign;

/* Where the name of a disk stands in a line. */
struct foreign_name {
	const char *at, *end;
	char made[48]; /* room for one that is put together */
};

struct foreign_format {
	const char *name;      /* the importer's */
	const char *layout;    /* for the attribute "format" */
	const char *units;     /* for the attribute "units" */
	const char *time_unit; /* as in "are its times in us?" */
	uint64_t
		date_unit_ns; /* times are dates since 1970 in this unit, or count from 0; 0 = can't be checked */
	unsigned int
		unit_bytes; /* of offset and length: 1 or 512; a format's begin() may set another */
	bool any_alignment; /* requests for files: offsets that are no multiple of 512 are usual */
	bool any_multiple;  /* sectors that are all multiples of 512 are no sign of bytes */
	enum foreign_completions completions;
	const char
		*header; /* how a first line begins that names the columns; NULL = there is none */
	size_t state_bytes; /* of what foreign_state() gives, zeroes at first */
	/* Before the first record; 0, or -1 after saying what is wrong. May be NULL. */
	int (*begin)(struct foreign *foreign);
	/*
	 * For formats each of whose lines is a record by itself, in place of line(): all of it but
	 * its disk, which has that name. NULL, or what is wrong with the line.
	 */
	const char *(*parse)(const char *at, const char *end, struct foreign_record *record,
			     struct foreign_name *disk);
	/*
	 * A line's record, all of which is set. NULL, or what is wrong with the line as the end
	 * of a sentence, or one of the two words below.
	 */
	const char *(*line)(struct foreign *foreign, const char *at, const char *end,
			    struct foreign_record *record);
	/*
	 * Can a line not have been cut, if nothing ends it? For formats whose last field shows
	 * that; a number doesn't. May be NULL. Only asked where the line is right.
	 */
	bool (*is_whole)(const struct foreign *foreign, const char *at, const char *end);
	/* Where records aren't lines: 1, 0 at the end, -1 after saying what is wrong. */
	int (*next)(struct foreign *foreign, struct foreign_record *record);
	/* Frees what the state holds; also after a begin() that failed. May be NULL. */
	void (*end)(struct foreign *foreign);
};

/* Results of line(): no request, to be counted ("skipped_records"), or nothing at all. */
extern const char foreign_skipped[], foreign_nothing[];

struct source *foreign_open(const struct foreign_format *format, const char *path,
			    const struct import_options *options);
struct request_source *foreign_requests(const struct foreign_format *format, const char *path,
					const struct import_options *options);

/* Does a file begin so that the format's parse() takes its first line, or with its header? */
bool foreign_recognise(const struct foreign_format *format, const void *first, size_t bytes);

/* For formats. */

void *foreign_state(const struct foreign *foreign);
const char *foreign_path(const struct foreign *foreign);
const struct import_options *foreign_options(const struct foreign *foreign);
struct byte_reader *foreign_reader(struct foreign *foreign);
void foreign_set_unit(struct foreign *foreign, unsigned int unit_bytes);
void foreign_skip(struct foreign *foreign);

/*
 * The number of the disk of that name (an attribute "disk.N.name" will tell it),
 * from 0 in the order of appearance. NULL, or what is wrong.
 */
const char *foreign_disk(struct foreign *foreign, const char *at, const char *end, uint32_t *disk);

/* The first line of a file's head; false if there is none, or it isn't text. */
bool foreign_first_line(const void *first, size_t bytes, const char **at, const char **end);

/* Does a line begin so, in letters of any case? */
bool foreign_begins(const char *at, const char *end, const char *word);

#endif
