/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events out of an archive.
 *
 * Each wanted kind is a table whose row columns are decoded chunk by chunk, in
 * step; the elements of its texts and arrays go through windows that slide
 * along their datasets. A batch is made in two steps: the tables are merged by
 * (seq, kind), which gives every event of the batch its kind and row; then
 * column after column hands its values to the events of its kind.
 *
 * Chunks are read raw and decoded by archive_decode_chunk().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive.h"
#include "common/component.h"
#include "common/error.h"
#include "frame.h"
#include "source.h"

/* A batch ends early when its texts and arrays come to this. */
#define BATCH_PAYLOAD_BYTES (4u << 20)

struct column_reader {
	char *data;  /* decoded elements [first, end) */
	size_t room; /* elements that fit into data */
	uint64_t first, end;
	uint64_t next; /* elements: where those of the next row begin */
};

struct table_reader {
	struct archive_table table;
	struct column_reader readers[ARCHIVE_COLUMNS_MAX];
	size_t arrays;			    /* texts and arrays of a row */
	uint8_t array[ARCHIVE_COLUMNS_MAX]; /* ... the columns of their counts */
	uint64_t row;			    /* the next one */
	uint16_t picked;
	uint16_t picks[BATCH_EVENTS]; /* where in the batch its rows go */
};

struct archive_reader {
	struct source source;
	char *path;
	hid_t file;
	char *stored; /* a chunk as it is in the file */
	bool failed;  /* and said why */
	uint64_t last_seq;
	struct table_reader *tables[EVENT_KINDS]; /* NULL: no such events, or not wanted */
	size_t active;				  /* tables that have rows left */
	struct table_reader *order[EVENT_KINDS];  /* ... by (seq, kind) of their next row */
};

static int damaged(const struct archive_reader *reader, const struct table_reader *t,
		   const char *column, uint64_t row, const char *what)
{
	return archive_damaged(reader->path, t->table.kind, column, row, what);
}

/* Decodes the whole chunk that begins with an element. */
static int load_chunk(struct archive_reader *reader, struct table_reader *t, size_t i,
		      uint64_t element, char *to)
{
	const struct archive_table *table = &t->table;
	size_t stored_bytes = 0;
	uint32_t skipped;
	const char *wrong =
		archive_load_chunk(table, i, element, reader->stored, &stored_bytes, &skipped);

	if (!wrong)
		wrong = archive_decode_chunk(reader->stored, stored_bytes, skipped, to,
					     table->chunk[i] * table->columns[i].width);
	reader->source.read_bytes += stored_bytes;
	return wrong ? damaged(reader, t, table->columns[i].name, element, wrong) : 0;
}

/* Row columns: the chunk that begins with the next row. */
static int load_rows(struct archive_reader *reader, struct table_reader *t)
{
	for (size_t i = 0; i < t->table.count; i++) {
		struct column_reader *c = &t->readers[i];

		if (t->table.columns[i].role == COLUMN_ELEMENTS)
			continue;
		if (load_chunk(reader, t, i, t->row, c->data))
			return -1;
		c->first = t->row;
		c->end = t->row + t->table.chunk[i];
		if (c->end > t->table.rows)
			c->end = t->table.rows;
	}
	return 0;
}

/* Drops what was handed out and makes room for the elements up to `end`. */
static int slide_window(struct archive_reader *reader, struct table_reader *t, size_t i,
			uint64_t end)
{
	struct column_reader *c = &t->readers[i];
	unsigned width = t->table.columns[i].width;
	uint64_t chunk = t->table.chunk[i];
	size_t kept = c->end - c->next;
	size_t room = kept + (end - c->end + chunk - 1) / chunk * chunk;
	char *data;

	memmove(c->data, c->data + (c->next - c->first) * width, kept * width);
	c->first = c->next;
	if (room <= c->room)
		return 0;
	data = realloc(c->data, room * width);
	if (!data)
		return fail("out of memory for %zu bytes of %s (/%s/%s)", room * width,
			    reader->path, event_kinds[t->table.kind].name,
			    t->table.columns[i].name);
	c->data = data;
	c->room = room;
	return 0;
}

/* Loads chunks until the window reaches `count` elements beyond the next row's first. */
static int fill_window(struct archive_reader *reader, struct table_reader *t, size_t i,
		       uint64_t count)
{
	struct column_reader *c = &t->readers[i];
	uint64_t elements = t->table.elements[i], end = c->next + count;

	if (count > elements - c->next)
		return damaged(reader, t, t->table.columns[i].name, t->row,
			       "the rows count more elements than there are");
	if (end <= c->end)
		return 0;
	if (slide_window(reader, t, i, end))
		return -1;
	while (c->end < end) {
		char *to = c->data + (c->end - c->first) * t->table.columns[i].width;

		if (load_chunk(reader, t, i, c->end, to))
			return -1;
		c->end += t->table.chunk[i];
		if (c->end > elements)
			c->end = elements;
	}
	return 0;
}

static const uint32_t *counts_at(const struct column_reader *c, uint64_t row)
{
	return (const uint32_t *)c->data + (row - c->first);
}

/* Bytes of the next row's texts and arrays. */
static uint64_t next_payload(const struct table_reader *t)
{
	uint64_t bytes = 0;

	for (size_t k = 0; k < t->arrays; k++) {
		size_t i = t->array[k];

		bytes += (uint64_t)*counts_at(&t->readers[i], t->row) *
			 t->table.columns[i + 1].width;
	}
	return bytes;
}

/* The seq of the next row, which is loaded. */
static uint64_t next_seq(const struct table_reader *t)
{
	const struct column_reader *c = &t->readers[0];

	return ((const uint64_t *)c->data)[t->row - c->first];
}

static bool needs_rows(const struct table_reader *t)
{
	return t->row == t->readers[0].end;
}

static bool is_before(const struct table_reader *a, const struct table_reader *b)
{
	uint64_t seq_a = next_seq(a), seq_b = next_seq(b);

	return seq_a != seq_b ? seq_a < seq_b : a->table.kind < b->table.kind;
}

/* The first table's next row has changed: moves the table to its place. */
static void settle_first(struct archive_reader *reader)
{
	struct table_reader *first = reader->order[0];
	size_t i = 1;

	for (; i < reader->active && is_before(reader->order[i], first); i++)
		reader->order[i - 1] = reader->order[i];
	reader->order[i - 1] = first;
}

/* A table whose next row isn't loaded stays first, where the next batch finds it. */
static void advance_first(struct archive_reader *reader)
{
	struct table_reader *first = reader->order[0];

	first->row++;
	if (first->row == first->table.rows) {
		reader->active--;
		memmove(reader->order, reader->order + 1,
			reader->active * sizeof(reader->order[0]));
	} else if (!needs_rows(first)) {
		settle_first(reader);
	}
}

/*
 * Merges: events[i].kind and the tables' picks say what the batch consists of.
 * It ends where the next chunk has to be loaded, over the one that its events
 * still come from. Returns how many events.
 */
static ssize_t pick_rows(struct archive_reader *reader, struct event *events, size_t max)
{
	uint64_t payload = 0;
	size_t n = 0;

	while (n < max && reader->active && !needs_rows(reader->order[0])) {
		struct table_reader *t = reader->order[0];
		uint64_t seq = next_seq(t), bytes = next_payload(t);

		/* kinds derived from others have their seq, and come last by number */
		if (seq < reader->last_seq ||
		    (seq == reader->last_seq && !event_kinds[t->table.kind].derived))
			return damaged(reader, t, "seq", t->row, "the sequence does not rise");
		if (bytes > FRAME_BYTES_MAX)
			return damaged(reader, t, "", t->row, "an event that is too long");
		payload += bytes;
		if (n && payload > BATCH_PAYLOAD_BYTES)
			break;
		reader->last_seq = seq;
		events[n].kind = t->table.kind;
		t->picks[t->picked++] = n++;
		advance_first(reader);
	}
	return n;
}

#define DEFINE_SCATTER(bits)                                                                   \
	static void scatter_##bits(struct event *events, size_t offset, const uint16_t *picks, \
				   size_t count, const void *from)                             \
	{                                                                                      \
		const uint##bits##_t *values = from;                                           \
                                                                                               \
		for (size_t i = 0; i < count; i++)                                             \
			*(uint##bits##_t *)((char *)&events[picks[i]] + offset) = values[i];   \
	}
DEFINE_SCATTER(8)
DEFINE_SCATTER(16)
DEFINE_SCATTER(32)
DEFINE_SCATTER(64)

/* By the width of the column. */
static void (*const scatters[])(struct event *events, size_t offset, const uint16_t *picks,
				size_t count, const void *from) = {
	[1] = scatter_8,
	[2] = scatter_16,
	[4] = scatter_32,
	[8] = scatter_64,
};

/* Points the picked events' texts or arrays of a field into its window. */
static int hand_out_arrays(struct archive_reader *reader, struct table_reader *t, size_t i,
			   struct event *events)
{
	const struct column *column = &t->table.columns[i + 1];
	struct column_reader *c = &t->readers[i + 1];
	const uint32_t *counts = counts_at(&t->readers[i], t->row - t->picked);
	uint64_t total = 0;
	const char *at;

	for (size_t k = 0; k < t->picked; k++)
		total += counts[k];
	if (fill_window(reader, t, i + 1, total))
		return -1;
	at = c->data + (c->next - c->first) * column->width;
	for (size_t k = 0; k < t->picked; k++) {
		struct text *array = (struct text *)field_text(&events[t->picks[k]], column->field);

		array->at = at;
		array->count = counts[k];
		at += (size_t)counts[k] * column->width;
	}
	c->next += total;
	return 0;
}

static int hand_out(struct archive_reader *reader, struct table_reader *t, struct event *events)
{
	uint64_t row = t->row - t->picked;

	for (size_t i = 0; i < t->table.count; i++) {
		const struct column *column = &t->table.columns[i];
		const struct column_reader *c = &t->readers[i];

		if (column->role == COLUMN_NUMBER)
			scatters[column->width](events, column->field->offset, t->picks, t->picked,
						c->data + (row - c->first) * column->width);
	}
	for (size_t k = 0; k < t->arrays; k++)
		if (hand_out_arrays(reader, t, t->array[k], events))
			return -1;
	for (size_t k = 0; k < t->picked; k++) {
		const char *wrong = event_check(&events[t->picks[k]]);

		if (wrong)
			return damaged(reader, t, "", row + k, wrong);
	}
	return 0;
}

/* After its last row nothing may be left of a table's elements. */
static int check_consumed(struct archive_reader *reader, struct table_reader *t)
{
	for (size_t k = 0; t->row == t->table.rows && k < t->arrays; k++) {
		size_t i = t->array[k] + 1;

		if (t->readers[i].next != t->table.elements[i])
			return damaged(reader, t, t->table.columns[i].name, t->row,
				       "there are more elements than the rows count");
	}
	return 0;
}

static ssize_t read_batch(struct archive_reader *reader, struct event *events, size_t max)
{
	ssize_t n;

	if (reader->active && needs_rows(reader->order[0])) {
		if (load_rows(reader, reader->order[0]))
			return -1;
		settle_first(reader);
	}
	n = pick_rows(reader, events, max < BATCH_EVENTS ? max : BATCH_EVENTS);
	for (size_t k = 0; n > 0 && k < EVENT_KINDS; k++) {
		struct table_reader *t = reader->tables[k];

		if (!t || !t->picked)
			continue;
		if (hand_out(reader, t, events) || check_consumed(reader, t))
			return -1;
		t->picked = 0;
	}
	return n;
}

static ssize_t archive_read(struct source *source, struct event *events, size_t max)
{
	struct archive_reader *reader = container_of(source, struct archive_reader, source);
	ssize_t n = -1;

	archive_enter_hdf5();
	if (!reader->failed)
		n = read_batch(reader, events, max);
	reader->failed = n < 0;
	return n;
}

static void close_table(struct table_reader *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->table.count; i++)
		free(t->readers[i].data);
	archive_close_table(&t->table);
	free(t);
}

static void archive_close(struct source *source)
{
	struct archive_reader *reader = container_of(source, struct archive_reader, source);

	archive_enter_hdf5();
	for (size_t k = 0; k < EVENT_KINDS; k++)
		close_table(reader->tables[k]);
	if (reader->file >= 0)
		H5Fclose(reader->file);
	free(reader->stored);
	free(reader->path);
	free(reader);
}

static const struct source_ops archive_source_ops = {
	.form = "archive",
	.read = archive_read,
	.close = archive_close,
};

/* Room for one chunk a column; the table takes its place among the others. */
static int start_table(struct archive_reader *reader, struct table_reader *t)
{
	for (size_t i = 0; i < t->table.count; i++) {
		const struct column *column = &t->table.columns[i];
		struct column_reader *c = &t->readers[i];

		c->room = t->table.chunk[i];
		c->data = malloc(c->room * column->width);
		if (!c->data)
			return fail("out of memory for the columns of %s", reader->path);
		if (column->role == COLUMN_COUNT)
			t->array[t->arrays++] = i;
		reader->source.total_bytes += H5Dget_storage_size(t->table.datasets[i]);
	}
	if (load_rows(reader, t))
		return -1;
	memmove(reader->order + 1, reader->order, reader->active * sizeof(reader->order[0]));
	reader->order[0] = t;
	reader->active++;
	settle_first(reader);
	return 0;
}

static int open_kind(struct archive_reader *reader, enum event_kind kind)
{
	struct table_reader *t = calloc(1, sizeof(*t));

	if (!t)
		return fail("out of memory for reading %s", reader->path);
	if (archive_open_table(&t->table, reader->file, reader->path, kind)) {
		free(t);
		return -1;
	}
	if (!t->table.rows) {
		free(t);
		return 0;
	}
	reader->tables[kind] = t;
	return start_table(reader, t);
}

struct source *archive_open(const char *path, uint32_t kinds)
{
	struct archive_reader *reader;

	archive_enter_hdf5();
	if (archive_probe(path))
		return NULL;
	reader = calloc(1, sizeof(*reader));
	if (!reader) {
		fail("out of memory for reading %s", path);
		return NULL;
	}
	reader->source.ops = &archive_source_ops;
	reader->file = H5I_INVALID_HID;
	reader->path = strdup(path);
	reader->stored = malloc(ARCHIVE_STORED_BYTES_MAX);
	if (!reader->path || !reader->stored) {
		fail("out of memory for reading %s", path);
		goto close;
	}
	reader->file = archive_open_file(path);
	if (reader->file < 0)
		goto close;
	for (size_t k = 0; k < EVENT_KINDS; k++)
		if (kinds & KIND_BIT(k) && open_kind(reader, k))
			goto close;
	return &reader->source;

close:
	archive_close(&reader->source);
	return NULL;
}

static uint64_t stored_bytes(const struct archive_table *table)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < table->count; i++)
		bytes += H5Dget_storage_size(table->datasets[i]);
	return bytes;
}

static int add_storage(json_t *groups, hid_t file, const char *path, enum event_kind kind)
{
	struct archive_table table;
	json_t *group;
	int rc;

	if (archive_open_table(&table, file, path, kind))
		return -1;
	if (!table.rows)
		return 0;
	group = json_pack("{s:I, s:I}", "rows", (json_int_t)table.rows, "stored_bytes",
			  (json_int_t)stored_bytes(&table));
	archive_close_table(&table);
	/* takes over the group, also when it fails or is NULL */
	rc = json_object_set_new(groups, event_kinds[kind].name, group);
	return rc ? fail("out of memory for the facts of %s", path) : 0;
}

json_t *archive_storage(const char *path)
{
	json_t *storage, *groups = json_object();
	struct stat st;
	hid_t file;

	archive_enter_hdf5();
	if (archive_probe(path))
		goto drop;
	file = archive_open_file(path);
	if (file < 0)
		goto drop;
	for (size_t k = 0; k < EVENT_KINDS; k++)
		if (add_storage(groups, file, path, k)) {
			H5Fclose(file);
			goto drop;
		}
	H5Fclose(file);
	if (stat(path, &st)) {
		fail_errno(errno, "cannot look at %s", path);
		goto drop;
	}
	/* takes over the groups, also when it fails */
	storage = json_pack("{s:I, s:o}", "file_bytes", (json_int_t)st.st_size, "groups", groups);
	if (!storage)
		fail("out of memory for the facts of %s", path);
	return storage;

drop:
	json_decref(groups);
	return NULL;
}
