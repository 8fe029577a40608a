/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of another program's file, whatever packs them, in bounded memory.
 *
 * gzip, bzip2, xz, zstd and lz4 are undone, and a tar that holds one file. What
 * is cut or damaged inside of these is noticed.
 */
#ifndef SKY_BYTE_READER_H
#define SKY_BYTE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A longer line, or record, is none. */
#define READER_PIECE_MAX (128u << 10)

struct byte_reader {
	const char *at, *end; /* what was read and not taken yet */
	uint64_t taken;	      /* lines or records so far */
	uint64_t total_bytes; /* of the file as it lies */
	bool packed;
	bool unended; /* nothing ends the line that byte_reader_any_line() gave last */
	struct byte_reader_input *input;
};

/* A regular file. NULL after saying what is wrong. */
struct byte_reader *byte_reader_open(const char *path);

/* Harmless if it is NULL. */
void byte_reader_close(struct byte_reader *reader);

/*
 * The next line without what ends it, valid until the next call. 1, 0 at the
 * end, -1 after saying what is wrong: a line that is too long, or one at the end
 * that nothing ends, because the file may be cut there.
 */
int byte_reader_line(struct byte_reader *reader, const char **at, const char **end);

/*
 * The same, but also a line at the end that nothing ends: `unended` tells. Whether it is whole
 * the caller has to know.
 */
int byte_reader_any_line(struct byte_reader *reader, const char **at, const char **end);

/* Says that the line taken last, which nothing ends, may be cut; returns -1. */
int byte_reader_cut(const struct byte_reader *reader);

/*
 * Points *at to a record of so many bytes (up to READER_PIECE_MAX), valid until
 * the next call. 1, 0 where the file ends before it, -1 after saying what is
 * wrong, also if it ends within the record.
 */
int byte_reader_take(struct byte_reader *reader, size_t bytes, const uint8_t **at);

/* Up to so many of the next bytes, not taken; fewer only at the end. -1 after saying it. */
int byte_reader_peek(struct byte_reader *reader, size_t bytes, const char **at, size_t *got);

/* How many bytes of the file, as it lies, were read. */
uint64_t byte_reader_position(const struct byte_reader *reader);

#endif
