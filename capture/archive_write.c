/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events into an archive.
 *
 * A batch is split by kind; then column after column takes its values out of
 * the kind's events into a buffer of one chunk. Full buffers become chunks of
 * their datasets, so memory does not grow with the trace. A dataset is made
 * with its first chunk: one that never fills a chunk is made at the end with
 * its exact size, and costs neither an index nor padding. Nothing depends on
 * time or chance: equal events give equal bytes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive.h"
#include "common/component.h"
#include "common/error.h"
#include "common/output.h"
#include "frame.h"
#include "source.h"

/* Of the attribute events, how many and how much of each HDF5 attributes show. */
#define MIRRORED_MAX	   256
#define MIRRORED_NAME_MAX  255
#define MIRRORED_VALUE_MAX 4096

/* Metadata that HDF5 keeps in memory; a few MB hold the live part of every chunk index. */
#define METADATA_CACHE_BYTES (4u << 20)

/*
 * Blosc takes its working memory by posix_memalign() for every chunk, which
 * with glibc before 2.38 leaves ever more free holes in the heap (glibc bug
 * 14581). Giving their pages back after so many chunks keeps memory bounded.
 */
#define CHUNKS_A_TRIM 128

/* A chunk that LZ4 takes to less than 1/32 is next to constant: more effort gains nothing. */
#define CONSTANT_RATIO 32

/* Blosc compresses a chunk in blocks of this size; its own choice came out slower and larger. */
#define BLOCK_BYTES (128u << 10)

struct compression {
	const char *compressor; /* as blosc.h names it */
	unsigned code;		/* ... and as the filter's parameters do */
	unsigned level, shuffle;
};

/*
 * Measured a column at a time on traces of calls and requests: LZ4 decodes
 * constant columns four times as fast as Zstandard, which takes the others to
 * four fifths of LZ4's size, with bits shuffled rather than bytes where values
 * don't vary by whole bytes (addresses, sectors).
 */
static const struct compression constants = {BLOSC_LZ4_COMPNAME, BLOSC_LZ4, 5, BLOSC_SHUFFLE};
static const struct compression numbers = {BLOSC_ZSTD_COMPNAME, BLOSC_ZSTD, 1, BLOSC_BITSHUFFLE};
static const struct compression text = {BLOSC_ZSTD_COMPNAME, BLOSC_ZSTD, 1, BLOSC_NOSHUFFLE};
/* Checksums are noise but for repeated chunks, which LZ4 finds; it gives up fast on the rest. */
static const struct compression sums = {BLOSC_LZ4_COMPNAME, BLOSC_LZ4, 1, BLOSC_NOSHUFFLE};

struct column_writer {
	hid_t dataset;	 /* below 0: not made yet */
	char *buffer;	 /* ARCHIVE_CHUNK elements of the table's buffers */
	uint32_t used;	 /* elements in it */
	uint64_t stored; /* elements in the dataset */
};

struct table_writer {
	enum event_kind kind;
	hid_t group; /* below 0: no event of this kind yet */
	size_t count;
	struct column columns[ARCHIVE_COLUMNS_MAX];
	size_t arrays;			    /* texts and arrays of a row */
	uint8_t array[ARCHIVE_COLUMNS_MAX]; /* ... the columns of their elements */
	struct column_writer writers[ARCHIVE_COLUMNS_MAX];
	void *buffers; /* of all writers, one after the other; NULL or MAP_FAILED: none */
	size_t buffer_bytes;
	uint64_t rows;
	uint16_t picked;
	uint16_t picks[BATCH_EVENTS]; /* which events of the batch are of this kind */
};

struct archive_writer {
	struct sink sink;
	struct output output;
	hid_t file;
	char *stored;	 /* a chunk as it will be in the file */
	uint64_t chunks; /* written so far */
	uint64_t last_seq;
	struct table_writer tables[EVENT_KINDS];
};

/* HDF5's last call failed on the named thing. */
static int write_failed(const struct archive_writer *writer, const char *group, const char *name)
{
	return fail("cannot write %s (/%s%s%s): %s; free some space or choose another place",
		    writer->output.path, group, *name ? "/" : "", name, archive_reason());
}

static const struct compression *compression_of(const struct column *column)
{
	if (column->role != COLUMN_ELEMENTS)
		return &numbers;
	if (column->field->type == FIELD_TEXT)
		return &text;
	return column->field->style == STYLE_SUMS ? &sums : &numbers;
}

/* The Blosc filter fills in the first four; readers go by the head of each chunk anyway. */
static int set_filters(hid_t plist, const struct column *column)
{
	const struct compression *c = compression_of(column);
	const unsigned parameters[] = {0, 0, 0, 0, c->level, c->shuffle, c->code};

	if (H5Pset_filter(plist, ARCHIVE_BLOSC, H5Z_FLAG_OPTIONAL, 7, parameters) < 0)
		return -1;
	return H5Pset_fletcher32(plist) < 0 ? -1 : 0;
}

/* One that is not full is the dataset's only chunk and has its exact size. */
static hid_t create_dataset(hid_t group, const struct column *column, uint32_t elements)
{
	bool exact = elements && elements < ARCHIVE_CHUNK;
	const hsize_t size = elements, limit = exact ? elements : H5S_UNLIMITED;
	const hsize_t chunk = exact ? elements : ARCHIVE_CHUNK;
	hid_t space = H5Screate_simple(1, &size, &limit);
	hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
	hid_t dataset = H5I_INVALID_HID;

	if (space >= 0 && plist >= 0 && H5Pset_chunk(plist, 1, &chunk) >= 0 &&
	    H5Pset_obj_track_times(plist, false) >= 0 && !set_filters(plist, column))
		dataset = H5Dcreate2(group, column->name, archive_type(column->type), space,
				     H5P_DEFAULT, plist, H5P_DEFAULT);
	H5Pclose(plist);
	H5Sclose(space);
	return dataset;
}

static int compress(const struct compression *c, unsigned width, const void *from, size_t bytes,
		    void *to, size_t room)
{
	return blosc_compress_ctx(c->level, c->shuffle, width, bytes, from, to, room, c->compressor,
				  BLOCK_BYTES, 1);
}

/* Applies the filters; returns the stored bytes, 0 if Blosc fails. */
static size_t encode_chunk(const struct column *column, const void *from, size_t bytes, char *to)
{
	const struct compression *c = compression_of(column);
	int length = 0;

	if (c == &numbers)
		length = compress(&constants, column->width, from, bytes, to,
				  bytes / CONSTANT_RATIO);
	if (length <= 0)
		length = compress(c, column->width, from, bytes, to, bytes + BLOSC_MAX_OVERHEAD);
	return length > 0 ? archive_seal(to, length) : 0;
}

/*
 * Writes the buffer as the dataset's next chunk, filtered here: HDF5's own way
 * copies it thrice through buffers of its own, which fragment the heap.
 */
static int write_chunk(struct archive_writer *writer, const struct column *column,
		       struct column_writer *c)
{
	const hsize_t start = c->stored, size = start + c->used;
	size_t bytes = (size_t)c->used * column->width;

	if (start) {
		/* a later chunk has its full size, also where the dataset ends in it */
		memset(c->buffer + bytes, 0, (size_t)ARCHIVE_CHUNK * column->width - bytes);
		bytes = (size_t)ARCHIVE_CHUNK * column->width;
		if (H5Dset_extent(c->dataset, &size) < 0)
			return -1;
	}
	bytes = encode_chunk(column, c->buffer, bytes, writer->stored);
	if (!bytes)
		return -1;
	if (++writer->chunks % CHUNKS_A_TRIM == 0)
		malloc_trim(0);
	return H5Dwrite_chunk(c->dataset, H5P_DEFAULT, 0, &start, bytes, writer->stored) < 0 ? -1
											     : 0;
}

/* Appends the buffer to the dataset, which may be empty. */
static int flush_column(struct archive_writer *writer, struct table_writer *table, size_t i)
{
	const struct column *column = &table->columns[i];
	struct column_writer *c = &table->writers[i];

	if (c->dataset < 0)
		c->dataset = create_dataset(table->group, column, c->used);
	if (c->dataset < 0 || (c->used && write_chunk(writer, column, c)))
		return write_failed(writer, event_kinds[table->kind].name, column->name);
	c->stored += c->used;
	c->used = 0;
	return 0;
}

/* Links stay inside the group's header: one checksummed block, no B-tree. */
static hid_t create_group(struct archive_writer *writer, enum event_kind kind)
{
	hid_t plist = H5Pcreate(H5P_GROUP_CREATE);
	hid_t group = H5I_INVALID_HID;

	if (plist >= 0 && H5Pset_obj_track_times(plist, false) >= 0 &&
	    H5Pset_link_phase_change(plist, ARCHIVE_COLUMNS_MAX, 0) >= 0)
		group = H5Gcreate2(writer->file, event_kinds[kind].name, H5P_DEFAULT, plist,
				   H5P_DEFAULT);
	H5Pclose(plist);
	return group;
}

static int start_table(struct archive_writer *writer, struct table_writer *table)
{
	char *buffer;

	table->group = create_group(writer, table->kind);
	if (table->group < 0)
		return write_failed(writer, event_kinds[table->kind].name, "");
	table->count = archive_columns(table->kind, table->columns);
	for (size_t i = 0; i < table->count; i++) {
		if (table->columns[i].role == COLUMN_ELEMENTS)
			table->array[table->arrays++] = i;
		table->writers[i].dataset = H5I_INVALID_HID;
		table->buffer_bytes += (size_t)ARCHIVE_CHUNK * table->columns[i].width;
	}
	/* not from the heap: pages that a rare kind doesn't reach are never touched */
	table->buffers = mmap(NULL, table->buffer_bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table->buffers == MAP_FAILED)
		return fail("out of memory for the columns of %s", writer->output.path);
	buffer = table->buffers;
	for (size_t i = 0; i < table->count; i++) {
		table->writers[i].buffer = buffer;
		buffer += (size_t)ARCHIVE_CHUNK * table->columns[i].width;
	}
	return 0;
}

static int write_text_attribute(hid_t object, const char *name, const char *value, size_t bytes)
{
	hid_t type = H5Tcopy(H5T_C_S1);
	hid_t space = H5Screate(H5S_SCALAR);
	hid_t attribute = H5I_INVALID_HID;
	char padded[MIRRORED_VALUE_MAX] = {0};
	int rc = -1;

	if (bytes) /* else there may be no value at all */
		memcpy(padded, value, bytes);
	if (type >= 0 && space >= 0 && H5Tset_size(type, bytes ? bytes : 1) >= 0 &&
	    H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
		attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
	if (attribute >= 0 && H5Awrite(attribute, type, padded) >= 0)
		rc = 0;
	H5Aclose(attribute);
	H5Sclose(space);
	H5Tclose(type);
	return rc;
}

static int write_number_attribute(hid_t object, const char *name, uint64_t value)
{
	hid_t space = H5Screate(H5S_SCALAR);
	hid_t attribute = H5I_INVALID_HID;
	int rc = -1;

	if (space >= 0)
		attribute =
			H5Acreate2(object, name, H5T_STD_U64LE, space, H5P_DEFAULT, H5P_DEFAULT);
	if (attribute >= 0 && H5Awrite(attribute, H5T_STD_U64LE, &value) >= 0)
		rc = 0;
	H5Aclose(attribute);
	H5Sclose(space);
	return rc;
}

/*
 * For people who look at the file with other tools; the rows are what counts.
 * A later value of a name replaces the earlier one. The names of the archive's
 * own attributes are not to be had.
 */
static int mirror_attribute(struct archive_writer *writer, const struct attribute_event *event)
{
	char name[MIRRORED_NAME_MAX + 1];
	uint32_t bytes = event->value.count;
	htri_t exists;

	if (!event->name.count || event->name.count > MIRRORED_NAME_MAX)
		return 0;
	memcpy(name, event->name.at, event->name.count);
	name[event->name.count] = '\0';
	if (!strcmp(name, "format") || !strcmp(name, "format_version"))
		return 0;
	exists = H5Aexists(writer->file, name);
	if (exists < 0 || (exists && H5Adelete(writer->file, name) < 0))
		return write_failed(writer, name, "");
	if (bytes > MIRRORED_VALUE_MAX)
		bytes = MIRRORED_VALUE_MAX;
	if (write_text_attribute(writer->file, name, event->value.at, bytes))
		return write_failed(writer, name, "");
	return 0;
}

#define DEFINE_GATHER(bits)                                                                     \
	static void gather_##bits(void *to, const struct event *events, size_t offset,          \
				  const uint16_t *picks, size_t count)                          \
	{                                                                                       \
		uint##bits##_t *values = to;                                                    \
                                                                                                \
		for (size_t i = 0; i < count; i++)                                              \
			values[i] = *(const uint##bits##_t *)((const char *)&events[picks[i]] + \
							      offset);                          \
	}
DEFINE_GATHER(8)
DEFINE_GATHER(16)
DEFINE_GATHER(32)
DEFINE_GATHER(64)

/* By the width of the column. */
static void (*const gathers[])(void *to, const struct event *events, size_t offset,
			       const uint16_t *picks, size_t count) = {
	[1] = gather_8,
	[2] = gather_16,
	[4] = gather_32,
	[8] = gather_64,
};

_Static_assert(offsetof(struct words, count) == offsetof(struct text, count) &&
		       offsetof(struct words, at) == offsetof(struct text, at),
	       "texts and words are taken apart alike");

static int append_elements(struct archive_writer *writer, struct table_writer *table, size_t i,
			   const struct text *from)
{
	struct column_writer *c = &table->writers[i];
	unsigned width = table->columns[i].width;
	const char *at = from->at;
	uint32_t left = from->count;

	while (left) {
		uint32_t part = ARCHIVE_CHUNK - c->used;

		if (part > left)
			part = left;
		memcpy(c->buffer + (size_t)c->used * width, at, (size_t)part * width);
		c->used += part;
		at += (size_t)part * width;
		left -= part;
		if (c->used == ARCHIVE_CHUNK && flush_column(writer, table, i))
			return -1;
	}
	return 0;
}

/* Appends a column of some of the batch's events; a row column has room for them. */
static int append_column(struct archive_writer *writer, struct table_writer *table, size_t i,
			 const struct event *events, const uint16_t *picks, size_t count)
{
	const struct column *column = &table->columns[i];
	struct column_writer *c = &table->writers[i];
	size_t offset = column->field->offset;

	if (column->role == COLUMN_ELEMENTS) {
		for (size_t k = 0; k < count; k++)
			if (append_elements(writer, table, i,
					    field_text(&events[picks[k]], column->field)))
				return -1;
		return 0;
	}
	if (column->role == COLUMN_COUNT)
		offset += offsetof(struct text, count);
	gathers[column->width](c->buffer + (size_t)c->used * column->width, events, offset, picks,
			       count);
	c->used += count;
	return c->used == ARCHIVE_CHUNK ? flush_column(writer, table, i) : 0;
}

/* Column 0, seq, says how full the row columns are. */
static int append_rows(struct archive_writer *writer, struct table_writer *table,
		       const struct event *events)
{
	size_t done = 0;

	while (done < table->picked) {
		size_t part = ARCHIVE_CHUNK - table->writers[0].used;

		if (part > table->picked - done)
			part = table->picked - done;
		for (size_t i = 0; i < table->count; i++)
			if (append_column(writer, table, i, events, table->picks + done, part))
				return -1;
		done += part;
	}
	table->rows += done;
	table->picked = 0;
	return 0;
}

/* Events rise by seq; those derived from an event follow it. */
static int check_order(struct archive_writer *writer, const struct event *event)
{
	bool follows = event_kinds[event->kind].derived ? event->seq >= writer->last_seq
							: event->seq > writer->last_seq;

	if (!follows)
		return fail("cannot write %s: event %llu comes after event %llu; give the events "
			    "in order",
			    writer->output.path, (unsigned long long)event->seq,
			    (unsigned long long)writer->last_seq);
	writer->last_seq = event->seq;
	return 0;
}

/* No reader takes an event that is longer. */
static int check_length(const struct archive_writer *writer, const struct table_writer *table,
			const struct event *event)
{
	uint64_t bytes = 0;

	for (size_t k = 0; k < table->arrays; k++) {
		const struct column *column = &table->columns[table->array[k]];

		bytes += (uint64_t)field_text(event, column->field)->count * column->width;
	}
	if (bytes > FRAME_BYTES_MAX)
		return fail("cannot write %s: event %llu has more than %u MiB of texts and arrays; "
			    "leave it out",
			    writer->output.path, (unsigned long long)event->seq,
			    FRAME_BYTES_MAX >> 20);
	return 0;
}

static int pick_event(struct archive_writer *writer, const struct event *events, size_t i)
{
	const struct event *event = &events[i];
	struct table_writer *table = &writer->tables[event->kind];

	if (check_order(writer, event))
		return -1;
	if (table->group < 0 && start_table(writer, table))
		return -1;
	if (check_length(writer, table, event))
		return -1;
	table->picks[table->picked++] = i;
	if (event->kind == EVENT_ATTRIBUTE && table->rows + table->picked <= MIRRORED_MAX)
		return mirror_attribute(writer, &event->attribute);
	return 0;
}

static int write_batch(struct archive_writer *writer, const struct event *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pick_event(writer, events, i))
			return -1;
	for (size_t k = 0; k < EVENT_KINDS; k++)
		if (append_rows(writer, &writer->tables[k], events))
			return -1;
	return 0;
}

static int archive_write(struct sink *sink, const struct event *events, size_t count)
{
	struct archive_writer *writer = container_of(sink, struct archive_writer, sink);

	archive_enter_hdf5();
	while (count) {
		size_t part = count < BATCH_EVENTS ? count : BATCH_EVENTS;

		if (write_batch(writer, events, part))
			return -1;
		events += part;
		count -= part;
	}
	return 0;
}

/* Writes what the buffers hold; the group then is complete. */
static int finish_table(struct archive_writer *writer, struct table_writer *table)
{
	const char *name = event_kinds[table->kind].name;

	if (table->group < 0)
		return 0;
	for (size_t i = 0; i < table->count; i++) {
		struct column_writer *c = &table->writers[i];

		if ((c->used || c->dataset < 0) && flush_column(writer, table, i))
			return -1;
	}
	return write_number_attribute(table->group, "events", table->rows)
		       ? write_failed(writer, name, "")
		       : 0;
}

/*
 * Closing writes what HDF5 still has in memory. What could not be closed is
 * left alone: HDF5 crashes when it is asked again.
 */
static int close_table(struct table_writer *table)
{
	int rc = 0;

	if (table->buffers && table->buffers != MAP_FAILED)
		munmap(table->buffers, table->buffer_bytes);
	table->buffers = NULL;
	for (size_t i = 0; i < table->count; i++) {
		if (table->writers[i].dataset >= 0 && H5Dclose(table->writers[i].dataset) < 0)
			rc = -1;
		table->writers[i].dataset = H5I_INVALID_HID;
	}
	if (table->group >= 0 && H5Gclose(table->group) < 0)
		rc = -1;
	table->group = H5I_INVALID_HID;
	return rc;
}

static int close_file(struct archive_writer *writer)
{
	int rc = 0;

	for (size_t k = 0; k < EVENT_KINDS; k++)
		if (close_table(&writer->tables[k]))
			rc = -1;
	if (writer->file >= 0 && H5Fclose(writer->file) < 0)
		rc = -1;
	writer->file = H5I_INVALID_HID;
	return rc;
}

/*
 * HDF5 cannot close a file without writing it, which fails on a full disk and
 * leaves it open: emptying the file first makes the room.
 */
static void archive_abandon(struct sink *sink)
{
	struct archive_writer *writer = container_of(sink, struct archive_writer, sink);
	bool emptied = writer->output.part && !truncate(writer->output.part, 0);

	archive_enter_hdf5();
	output_abandon(&writer->output);
	if (emptied)
		close_file(writer);
	free(writer->stored);
	free(writer);
}

static int archive_commit(struct sink *sink)
{
	struct archive_writer *writer = container_of(sink, struct archive_writer, sink);
	int rc;

	archive_enter_hdf5();
	for (size_t k = 0; k < EVENT_KINDS; k++)
		if (finish_table(writer, &writer->tables[k]))
			goto abandon;
	if (close_file(writer)) {
		write_failed(writer, "", "");
		goto abandon;
	}
	rc = output_commit(&writer->output);
	free(writer->stored);
	free(writer);
	return rc;

abandon:
	archive_abandon(sink);
	return -1;
}

static const struct sink_ops archive_sink_ops = {
	.write = archive_write,
	.commit = archive_commit,
	.abandon = archive_abandon,
};

static int limit_metadata_cache(hid_t access)
{
	H5AC_cache_config_t config = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};

	if (H5Pget_mdc_config(access, &config) < 0)
		return -1;
	config.set_initial_size = true;
	config.initial_size = config.min_size = config.max_size = METADATA_CACHE_BYTES;
	config.incr_mode = H5C_incr__off;
	config.flash_incr_mode = H5C_flash_incr__off;
	config.decr_mode = H5C_decr__off;
	return H5Pset_mdc_config(access, &config) < 0 ? -1 : 0;
}

static int create_file(struct archive_writer *writer)
{
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	hid_t create = H5Pcreate(H5P_FILE_CREATE);

	if (access >= 0 && create >= 0 && H5Pset_obj_track_times(create, false) >= 0 &&
	    H5Pset_link_phase_change(create, ARCHIVE_COLUMNS_MAX, 0) >= 0 &&
	    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
	    !limit_metadata_cache(access))
		writer->file = H5Fcreate(writer->output.part, H5F_ACC_TRUNC, create, access);
	H5Pclose(create);
	H5Pclose(access);
	if (writer->file < 0 ||
	    write_text_attribute(writer->file, "format", ARCHIVE_FORMAT, strlen(ARCHIVE_FORMAT)) ||
	    write_number_attribute(writer->file, "format_version", ARCHIVE_VERSION))
		return write_failed(writer, "", "");
	return 0;
}

struct sink *archive_create(const char *path)
{
	struct archive_writer *writer;

	archive_enter_hdf5();
	/* HDF5 notes the filter's own name in each dataset, so it has to be there */
	if (H5Zfilter_avail(ARCHIVE_BLOSC) <= 0) {
		fail("cannot write %s: HDF5's Blosc filter is missing; apt-get install "
		     "hdf5-filter-plugin-blosc-serial",
		     path);
		return NULL;
	}
	writer = calloc(1, sizeof(*writer));
	if (!writer) {
		fail("out of memory for writing %s", path);
		return NULL;
	}
	writer->sink.ops = &archive_sink_ops;
	writer->file = H5I_INVALID_HID;
	for (size_t k = 0; k < EVENT_KINDS; k++) {
		writer->tables[k].kind = k;
		writer->tables[k].group = H5I_INVALID_HID;
	}
	writer->stored = malloc(ARCHIVE_STORED_BYTES_MAX);
	if (!writer->stored) {
		fail("out of memory for writing %s", path);
		goto abandon;
	}
	if (output_begin(&writer->output, path) || create_file(writer))
		goto abandon;
	return &writer->sink;

abandon:
	archive_abandon(&writer->sink);
	return NULL;
}
