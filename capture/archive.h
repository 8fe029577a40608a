/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The archive: a trace as an HDF5 file, and what its writer, reader and probe share.
 *
 * Everything follows from the schema (event_kinds[], event_header[]): a group
 * a kind that has events, and in it
 *
 *	NAME		a number a row (the header's columns and the kind's)
 *	NAME_count	of a text or array: how many elements a row has (u32)
 *	NAME		... and the elements of all rows, one after the other
 *
 * Every dataset has one dimension, chunks of ARCHIVE_CHUNK elements (or one
 * chunk of exactly its size), Blosc and then fletcher32. The latest file
 * format and fixed-length strings only: then all metadata has checksums too.
 */
#ifndef SKY_ARCHIVE_H
#define SKY_ARCHIVE_H

#include <blosc.h>
#include <hdf5.h>
#include <jansson.h>

#include "event.h"

#define ARCHIVE_FORMAT	"sky archive"
#define ARCHIVE_VERSION 1

#define ARCHIVE_CHUNK	    65536u /* elements */
#define ARCHIVE_COLUMNS_MAX 48

/* Blosc's number among HDF5's registered filters. */
#define ARCHIVE_BLOSC 32001

/* Positions in every dataset's filter pipeline. */
enum archive_filter { FILTER_BLOSC, FILTER_FLETCHER32, FILTERS };

/*
 * A chunk as it is stored: Blosc's frame, its CRC-32 (zlib's), and fletcher32 of
 * both, little endian. Readers other than Sky pass over the CRC, since Blosc's
 * frame says how long it is; it is there because fletcher32 takes words of
 * zeros for words of ones.
 */
#define ARCHIVE_CRC_BYTES      4
#define ARCHIVE_CHECKSUM_BYTES (ARCHIVE_CRC_BYTES + 4)
#define ARCHIVE_STORED_BYTES_MAX \
	(ARCHIVE_CHUNK * sizeof(uint64_t) + BLOSC_MAX_OVERHEAD + ARCHIVE_CHECKSUM_BYTES)

enum column_role {
	COLUMN_NUMBER,	 /* a value a row */
	COLUMN_COUNT,	 /* of a text or array: elements a row */
	COLUMN_ELEMENTS, /* ... and the elements; follows its count */
};

struct column {
	char name[48]; /* of the dataset */
	enum column_role role;
	enum field_type type; /* of one element */
	unsigned width;	      /* bytes of one element */
	const struct field *field;
};

/* The columns of a kind, seq first; returns how many. */
size_t archive_columns(enum event_kind kind, struct column columns[ARCHIVE_COLUMNS_MAX]);

/* The type in the file, which is also that in memory (little endian). */
hid_t archive_type(enum field_type type);

/*
 * To be called by every function through which a thread enters HDF5. Keeps
 * HDF5 from printing its errors, and from flushing again at exit what could
 * not be written to a full disk; forgets earlier errors.
 */
void archive_enter_hdf5(void);

/*
 * Why HDF5 failed, in a few words: the first error since the thread entered,
 * so that closing what was open doesn't hide it. Valid until the next call.
 */
const char *archive_reason(void);

/* HDF5's checksum (H5Zfletcher32.c), which writer and reader apply themselves. */
uint32_t archive_fletcher32(const void *data, size_t bytes);

/* Appends the checksums to a frame; returns the stored bytes. */
size_t archive_seal(char *stored, size_t frame_bytes);

/* The frame's bytes if both checksums are right, else 0. */
size_t archive_sealed_bytes(const char *stored, size_t stored_bytes);

/* A kind's group, opened and checked for exactly what the schema says. */
struct archive_table {
	enum event_kind kind;
	uint64_t rows; /* 0: the kind has no events, nothing is open */
	size_t count;
	struct column columns[ARCHIVE_COLUMNS_MAX];
	hid_t datasets[ARCHIVE_COLUMNS_MAX];
	uint64_t elements[ARCHIVE_COLUMNS_MAX];
	uint64_t chunk[ARCHIVE_COLUMNS_MAX]; /* elements of a chunk */
};

/*
 * Opens a file that is to be read and checks its superblock, its root and the
 * version; below 0 after saying what is wrong.
 */
hid_t archive_open_file(const char *path);

/* 0, or -1 after saying what is wrong (nothing is left open). */
int archive_open_table(struct archive_table *table, hid_t file, const char *path,
		       enum event_kind kind);
void archive_close_table(struct archive_table *table);

/*
 * Reads the chunk of column i that begins with an element, as it is stored, into
 * ARCHIVE_STORED_BYTES_MAX bytes. NULL, or what is wrong.
 */
const char *archive_load_chunk(const struct archive_table *table, size_t i, uint64_t element,
			       char *stored, size_t *stored_bytes, uint32_t *skipped);

/*
 * Checks a stored chunk and undoes its filters; skipped: those that HDF5 says it
 * lacks. NULL, or what is wrong. Needs no HDF5, so any thread may call it.
 */
const char *archive_decode_chunk(const char *stored, size_t stored_bytes, uint32_t skipped,
				 void *to, size_t bytes);

/* Says what is wrong at a row, of a column or (if that is empty) a whole kind; returns -1. */
int archive_damaged(const char *path, enum event_kind kind, const char *column, uint64_t row,
		    const char *what);

/*
 * Walks all metadata of a foreign file in a child process, which may die or
 * hang of it, with bounded time and memory. 0, or -1 after saying what is
 * wrong. Call it while no other thread uses HDF5.
 */
int archive_probe(const char *path);

/*
 * What `sky info` shows of an archive: {"file_bytes": N, "groups": {NAME:
 * {"rows": N, "stored_bytes": N}}}, in the order of the kinds. NULL after
 * saying what is wrong.
 */
json_t *archive_storage(const char *path);

#endif
