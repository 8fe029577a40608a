/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libarchive unpacks into one buffer, at whose front lies what the caller has
 * not taken yet.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "byte_reader.h"
#include "common/error.h"

/* libarchive reads so much at a time; the buffer holds a piece and more. */
#define BLOCK_BYTES  (64u << 10)
#define BUFFER_BYTES (READER_PIECE_MAX + BLOCK_BYTES)

struct byte_reader_input {
	struct archive *archive;
	char *path;
	bool ended;
	char buffer[BUFFER_BYTES];
};

static int cannot_unpack(const struct byte_reader *reader)
{
	return fail("cannot read %s: %s; is it whole?", reader->input->path,
		    archive_error_string(reader->input->archive));
}

/* 1 a file, 0 there is none any more, -1 after saying what is wrong. */
static int next_file(struct byte_reader *reader)
{
	struct archive_entry *entry;
	int rc;

	do {
		rc = archive_read_next_header(reader->input->archive, &entry);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return cannot_unpack(reader);
	} while (archive_entry_filetype(entry) != AE_IFREG);
	return 1;
}

/* A tar may hold nothing behind its file, or it isn't known which of them is meant. */
static int end_of_file(struct byte_reader *reader)
{
	int rc = next_file(reader);

	reader->input->ended = true;
	if (rc > 0)
		return fail("%s holds more than one file; unpack it and name one",
			    reader->input->path);
	return rc;
}

/* More bytes behind those that are left; -1 after saying what is wrong. */
static int refill(struct byte_reader *reader)
{
	struct byte_reader_input *in = reader->input;
	size_t left = reader->end - reader->at;
	ssize_t got;

	memmove(in->buffer, reader->at, left);
	got = archive_read_data(in->archive, in->buffer + left, BUFFER_BYTES - left);
	if (got < 0)
		return cannot_unpack(reader);
	reader->at = in->buffer;
	reader->end = in->buffer + left + got;
	return got ? 0 : end_of_file(reader);
}

static int fill(struct byte_reader *reader, size_t bytes)
{
	while ((size_t)(reader->end - reader->at) < bytes && !reader->input->ended)
		if (refill(reader))
			return -1;
	return 0;
}

int byte_reader_cut(const struct byte_reader *reader)
{
	return fail("%s is cut: nothing ends its last line, which is line %llu; get the whole file "
		    "again, or add a newline if it is whole",
		    reader->input->path, (unsigned long long)reader->taken);
}

/* *newline is NULL where no line of a possible length ends; -1 after saying what is wrong. */
static int find_newline(struct byte_reader *reader, const char **newline)
{
	size_t searched = 0, left;

	for (;;) {
		left = reader->end - reader->at;
		*newline = memchr(reader->at + searched, '\n', left - searched);
		if (*newline || left > READER_PIECE_MAX || reader->input->ended)
			return 0;
		searched = left;
		if (refill(reader))
			return -1;
	}
}

int byte_reader_any_line(struct byte_reader *reader, const char **at, const char **end)
{
	const char *newline;

	if (find_newline(reader, &newline))
		return -1;
	if ((newline ? newline : reader->end) - reader->at > READER_PIECE_MAX)
		return fail("%s: line %llu is longer than any of a trace; is it a text?",
			    reader->input->path, (unsigned long long)reader->taken + 1);
	if (!newline && reader->at == reader->end)
		return 0;
	reader->unended = !newline;
	*at = reader->at;
	*end = newline ? newline : reader->end;
	reader->at = *end + !reader->unended;
	*end -= *end > *at && (*end)[-1] == '\r';
	reader->taken++;
	return 1;
}

int byte_reader_line(struct byte_reader *reader, const char **at, const char **end)
{
	int rc = byte_reader_any_line(reader, at, end);

	return rc > 0 && reader->unended ? byte_reader_cut(reader) : rc;
}

int byte_reader_take(struct byte_reader *reader, size_t bytes, const uint8_t **at)
{
	size_t left;

	if (fill(reader, bytes))
		return -1;
	left = reader->end - reader->at;
	if (!left)
		return 0;
	reader->taken++;
	if (left < bytes)
		return fail("%s is cut: record %llu has only %zu of %zu bytes; get the whole file "
			    "again, or cut that record off",
			    reader->input->path, (unsigned long long)reader->taken, left, bytes);
	*at = (const uint8_t *)reader->at;
	reader->at += bytes;
	return 1;
}

int byte_reader_peek(struct byte_reader *reader, size_t bytes, const char **at, size_t *got)
{
	if (fill(reader, bytes))
		return -1;
	*at = reader->at;
	*got = reader->end - reader->at;
	if (*got > bytes)
		*got = bytes;
	return 0;
}

uint64_t byte_reader_position(const struct byte_reader *reader)
{
	return archive_filter_bytes(reader->input->archive, -1);
}

/* Only what is a library: libarchive would run programs for other filters. */
static int support(struct archive *archive)
{
	return archive_read_support_filter_gzip(archive) ||
	       archive_read_support_filter_bzip2(archive) ||
	       archive_read_support_filter_xz(archive) ||
	       archive_read_support_filter_zstd(archive) ||
	       archive_read_support_filter_lz4(archive) ||
	       archive_read_support_format_raw(archive) ||
	       archive_read_support_format_tar(archive) ||
	       archive_read_support_format_empty(archive);
}

static int open_archive(struct byte_reader *reader)
{
	struct byte_reader_input *in = reader->input;
	int rc;

	in->archive = archive_read_new();
	if (!in->archive || support(in->archive))
		return fail("cannot unpack %s: libarchive lacks a compression", in->path);
	if (archive_read_open_filename(in->archive, in->path, BLOCK_BYTES))
		return cannot_unpack(reader);
	rc = next_file(reader);
	if (rc < 0)
		return -1;
	in->ended = !rc;
	reader->packed = archive_filter_count(in->archive) > 1 ||
			 archive_format(in->archive) != ARCHIVE_FORMAT_RAW;
	return 0;
}

static int check_file(struct byte_reader *reader)
{
	const char *path = reader->input->path;
	struct stat st;

	if (stat(path, &st))
		return fail_errno(errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return fail("%s is not a regular file; an importer needs one", path);
	reader->total_bytes = st.st_size;
	return 0;
}

struct byte_reader *byte_reader_open(const char *path)
{
	struct byte_reader *reader = calloc(1, sizeof(*reader));

	if (!reader || !(reader->input = calloc(1, sizeof(*reader->input))) ||
	    !(reader->input->path = strdup(path))) {
		fail("out of memory for %s", path);
		byte_reader_close(reader);
		return NULL;
	}
	reader->at = reader->end = reader->input->buffer;
	if (!check_file(reader) && !open_archive(reader))
		return reader;
	byte_reader_close(reader);
	return NULL;
}

void byte_reader_close(struct byte_reader *reader)
{
	if (!reader)
		return;
	if (reader->input) {
		archive_read_free(reader->input->archive);
		free(reader->input->path);
	}
	free(reader->input);
	free(reader);
}
