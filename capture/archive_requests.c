/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block requests out of an archive.
 *
 *   this thread: stored chunks, raw -> crew: checked, decompressed to columns
 *   -> this thread: made requests, a few at a time, and handed out in order
 *
 * The first rows of all columns' chunks are the same, so a part of the trace is
 * one chunk of each column that is needed. Several parts are under way at a time.
 * Requests are made when they are asked for, since all of a part take more room than
 * what is near a processor.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "common/component.h"
#include "common/error.h"
#include "common/far_copy.h"
#include "requests.h"

static const char *const needed[] = {"time_ns", "op", "disk", "sector", "count"};

enum { TIME, OP, DISK, SECTOR, SECTORS, COLUMNS };
_Static_assert(sizeof(needed) / sizeof(*needed) == COLUMNS, "a name each");

#define PARTS_MAX 16
#define MADE_ROWS 1024 /* 32 KiB of requests */

struct part {
	struct crew_job job;
	const struct archive_requests *archive;
	uint64_t first, rows;
	char *stored[COLUMNS];
	size_t stored_bytes[COLUMNS];
	uint32_t skipped[COLUMNS]; /* filters, as the file says */
	char *column[COLUMNS];
	char *aside;	   /* a column, while it is decoded by another thread than it is for */
	const char *wrong; /* NULL, or what is with the chunk of ... */
	size_t wrong_column;
	atomic_bool done;
};

struct archive_requests {
	struct request_source source;
	struct crew *crew;
	char *path;
	hid_t file;
	struct archive_table table;
	size_t column[COLUMNS]; /* which of the table's */
	uint64_t chunk;		/* rows of a part */
	uint64_t started;	/* rows whose parts are under way, or done */
	struct part part[PARTS_MAX];
	unsigned int parts, next; /* of a ring; the one that is handed out */
	uint64_t made;		  /* rows of that */
	struct request requests[MADE_ROWS];
};

static int damaged(const struct archive_requests *a, size_t column, uint64_t row, const char *what)
{
	return archive_damaged(a->path, EVENT_BLOCK, needed[column], row, what);
}

static int refuse(const struct archive_requests *a, uint64_t row, uint8_t op)
{
	return op < BLOCK_OPS ? damaged(a, SECTOR, row, "a request beyond the end of any disk")
			      : damaged(a, OP, row, "an operation that this version doesn't know");
}

/* The next rows of a part. */
static ssize_t make_requests(struct archive_requests *a, const struct part *p)
{
	const uint64_t *time_ns = (void *)p->column[TIME], *sector = (void *)p->column[SECTOR];
	const uint32_t *disk = (void *)p->column[DISK], *sectors = (void *)p->column[SECTORS];
	const uint8_t *op = (void *)p->column[OP];
	uint64_t begin = a->made, left = p->rows - begin;
	uint64_t end = begin + (left < MADE_ROWS ? left : MADE_ROWS);

	for (uint64_t i = begin; i < end; i++) {
		if (op[i] >= BLOCK_OPS || sectors_beyond_any_disk(sector[i], sectors[i]))
			return refuse(a, p->first + i, op[i]);
		a->requests[i - begin] = (struct request){
			.time_ns = time_ns[i],
			.sector = sector[i],
			.sectors = sectors[i],
			.disk = disk[i],
			.op = op[i],
		};
	}
	a->made = end;
	return end - begin;
}

static void decode(struct crew_job *job)
{
	struct part *p = container_of(job, struct part, job);
	const struct archive_requests *a = p->archive;
	bool is_far = !crew_is_helped(a->crew);

	for (size_t c = 0; c < COLUMNS && !p->wrong; c++) {
		size_t bytes = a->chunk * a->table.columns[a->column[c]].width;
		char *to = is_far ? p->aside : p->column[c];

		p->wrong = archive_decode_chunk(p->stored[c], p->stored_bytes[c], p->skipped[c], to,
						bytes);
		p->wrong_column = c;
		if (is_far)
			far_copy(p->column[c], to, p->wrong ? 0 : bytes);
	}
	atomic_store_explicit(&p->done, true, memory_order_release);
}

static int load(struct archive_requests *a, struct part *p)
{
	for (size_t c = 0; c < COLUMNS; c++) {
		const char *wrong =
			archive_load_chunk(&a->table, a->column[c], p->first, p->stored[c],
					   &p->stored_bytes[c], &p->skipped[c]);

		if (wrong)
			return damaged(a, c, p->first, wrong);
		a->source.read_bytes += p->stored_bytes[c];
	}
	return 0;
}

/* The next part goes to the crew, if there is one. */
static int start_part(struct archive_requests *a, struct part *p)
{
	p->rows = a->table.rows - a->started < a->chunk ? a->table.rows - a->started : a->chunk;
	p->first = a->started;
	p->wrong = NULL;
	atomic_store_explicit(&p->done, false, memory_order_relaxed);
	if (!p->rows)
		return 0;
	if (load(a, p))
		return -1;
	a->started += p->rows;
	crew_submit(a->crew, &p->job);
	return 0;
}

static int start_parts(struct archive_requests *a)
{
	for (unsigned int i = 0; i < a->parts; i++)
		if (start_part(a, &a->part[i]))
			return -1;
	return 0;
}

/* A part whose rows were all handed out gives its room to one that comes later. */
static int leave_part(struct archive_requests *a)
{
	struct part *p = &a->part[a->next];

	a->next = (a->next + 1) % a->parts;
	a->made = 0;
	archive_enter_hdf5();
	return start_part(a, p);
}

static ssize_t archive_requests_read(struct request_source *source, const struct request **requests)
{
	struct archive_requests *a = container_of(source, struct archive_requests, source);
	struct part *p = &a->part[a->next];

	if (a->made && a->made == p->rows) {
		if (leave_part(a))
			return -1;
		p = &a->part[a->next];
	}
	if (!p->rows)
		return 0;
	while (!atomic_load_explicit(&p->done, memory_order_acquire))
		crew_help(a->crew);
	if (p->wrong)
		return damaged(a, p->wrong_column, p->first, p->wrong);
	*requests = a->requests;
	return make_requests(a, p);
}

/* Parts that are under way are waited for: the crew lives on. */
static void archive_requests_close(struct request_source *source)
{
	struct archive_requests *a = container_of(source, struct archive_requests, source);

	crew_settle(a->crew);
	archive_enter_hdf5();
	for (struct part *p = a->part; p < a->part + a->parts; p++) {
		for (size_t c = 0; c < COLUMNS; c++) {
			free(p->stored[c]);
			free(p->column[c]);
		}
		free(p->aside);
	}
	if (a->table.rows)
		archive_close_table(&a->table);
	if (a->file >= 0)
		H5Fclose(a->file);
	free(a->path);
	free(a);
}

static const struct request_source_ops ops = {
	.read = archive_requests_read,
	.close = archive_requests_close,
};

static int make_part(struct archive_requests *a, struct part *p)
{
	bool complete;

	p->job = (struct crew_job){.work = decode, .urgent = true};
	p->archive = a;
	p->aside = malloc(a->chunk * sizeof(uint64_t));
	complete = p->aside;
	for (size_t c = 0; c < COLUMNS; c++) {
		p->stored[c] = malloc(ARCHIVE_STORED_BYTES_MAX);
		p->column[c] = malloc(a->chunk * a->table.columns[a->column[c]].width);
		complete &= p->stored[c] && p->column[c];
	}
	a->parts++;
	return complete ? 0 : fail("out of memory for reading %s", a->path);
}

static int find_columns(struct archive_requests *a)
{
	for (size_t c = 0; c < COLUMNS; c++) {
		while (a->column[c] < a->table.count &&
		       strcmp(a->table.columns[a->column[c]].name, needed[c]))
			a->column[c]++;
		if (a->column[c] == a->table.count)
			return fail("%s: there is no column %s", a->path, needed[c]);
		a->source.total_bytes += H5Dget_storage_size(a->table.datasets[a->column[c]]);
	}
	a->chunk = a->table.chunk[a->column[0]];
	a->source.count = a->table.rows;
	return 0;
}

static int open_archive(struct archive_requests *a, unsigned int threads)
{
	unsigned int parts = 2 * threads + 1;

	a->file = archive_open_file(a->path);
	if (a->file < 0 || archive_open_table(&a->table, a->file, a->path, EVENT_BLOCK))
		return -1;
	if (!a->table.rows) {
		a->parts = 1; /* the last */
		return 0;
	}
	if (find_columns(a))
		return -1;
	if (parts > PARTS_MAX)
		parts = PARTS_MAX;
	for (unsigned int i = 0; i < parts; i++)
		if (make_part(a, &a->part[i]))
			return -1;
	return start_parts(a);
}

struct request_source *archive_requests(const char *path, struct crew *crew)
{
	struct archive_requests *a;

	archive_enter_hdf5();
	if (archive_probe(path))
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a || !(a->path = strdup(path))) {
		fail("out of memory for reading %s", path);
		free(a);
		return NULL;
	}
	a->source.ops = &ops;
	a->crew = crew;
	a->file = H5I_INVALID_HID;
	if (!open_archive(a, crew_threads(crew)))
		return &a->source;
	archive_requests_close(&a->source);
	return NULL;
}
