/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the archive's writer, reader and probe share: the columns of each kind,
 * and HDF5 with its manners.
 */
#include <assert.h>
#include <endian.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "archive.h"
#include "common/error.h"

static _Thread_local char reason[256];

static struct column *add_column(struct column *column, const struct field *field,
				 const char *suffix, enum column_role role, enum field_type type)
{
	snprintf(column->name, sizeof(column->name), "%s%s", field->name, suffix);
	column->role = role;
	column->type = type;
	column->width = field_width(type);
	column->field = field;
	return column + 1;
}

static struct column *add_columns(struct column *column, const struct field *fields)
{
	for (const struct field *f = fields; f->name; f++) {
		if (field_width(f->type)) {
			column = add_column(column, f, "", COLUMN_NUMBER, f->type);
			continue;
		}
		column = add_column(column, f, "_count", COLUMN_COUNT, FIELD_U32);
		column = add_column(column, f, "", COLUMN_ELEMENTS,
				    f->type == FIELD_TEXT ? FIELD_U8 : FIELD_U64);
	}
	return column;
}

size_t archive_columns(enum event_kind kind, struct column columns[ARCHIVE_COLUMNS_MAX])
{
	struct column *end = add_columns(columns, event_header);

	end = add_columns(end, event_kinds[kind].fields);
	assert(end <= columns + ARCHIVE_COLUMNS_MAX);
	return end - columns;
}

hid_t archive_type(enum field_type type)
{
	const hid_t types[] = {
		[FIELD_U8] = H5T_STD_U8LE,   [FIELD_U16] = H5T_STD_U16LE,
		[FIELD_U32] = H5T_STD_U32LE, [FIELD_I32] = H5T_STD_I32LE,
		[FIELD_U64] = H5T_STD_U64LE, [FIELD_I64] = H5T_STD_I64LE,
	};

	return types[type];
}

/*
 * A failed system call's record ends with "error message = 'No space left on
 * device', ..."; of other records the whole description is of use.
 */
static herr_t take_reason(unsigned depth, const H5E_error2_t *error, void *data)
{
	const char *what = error->desc ? error->desc : "unknown";
	const char *quote = strstr(what, "error message = '");
	int length = strlen(what);

	if (depth)
		return 0;
	if (quote) {
		what = strchr(quote, '\'') + 1;
		length = strcspn(what, "'");
	}
	snprintf(reason, sizeof(reason), "%.*s", length, what);
	return 0;
}

/* HDF5 calls it when one of its functions has failed, with the thread's error stack. */
static herr_t note_error(hid_t stack, void *data)
{
	/* upward: the innermost function, which met the error, is number 0 */
	return *reason ? 0 : H5Ewalk2(stack, H5E_WALK_UPWARD, take_reason, NULL);
}

static void start_hdf5(void)
{
	H5dont_atexit();
	H5open();
}

void archive_enter_hdf5(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static _Thread_local bool entered;

	*reason = '\0';
	if (entered)
		return;
	pthread_once(&once, start_hdf5);
	/* error stacks are a thread's own */
	H5Eset_auto2(H5E_DEFAULT, note_error, NULL);
	entered = true;
}

const char *archive_reason(void)
{
	return *reason ? reason : "HDF5 gives no reason";
}

#define LANES 16

/* Sums that fold their carries back into 16 bits: 0 only for 0, else 1..65535. */
static uint32_t folded(uint64_t sum)
{
	return sum ? (sum - 1) % 65535 + 1 : 0;
}

/*
 * Over 16-bit big-endian words w[0..n): low half sum(w[i]), high half
 * sum((n - i) * w[i]), both modulo 65535. Each lane sums every 16th word, so
 * that the compiler can take them side by side. Up to 2^16 steps nothing
 * overflows; a chunk of 8-byte elements has 2^14.
 */
uint32_t archive_fletcher32(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	size_t words = bytes / 2, steps = words / LANES;
	uint32_t low[LANES] = {0};
	uint64_t weighted[LANES] = {0}; /* by steps left, the current one included */
	uint64_t sum = 0, sum_of_sums = 0;

	for (size_t s = 0; s < steps; s++, at += 2 * LANES) {
		uint16_t word[LANES];

		memcpy(word, at, sizeof(word));
		for (int l = 0; l < LANES; l++) {
			low[l] += __builtin_bswap16(word[l]);
			weighted[l] += low[l];
		}
	}
	/* weight steps_left * LANES - l, as if the data ended with the last whole step */
	for (int l = 0; l < LANES; l++) {
		sum += low[l];
		sum_of_sums += weighted[l] * LANES - (uint64_t)l * low[l];
	}
	for (size_t i = steps * LANES; i < words; i++, at += 2) {
		sum += at[0] << 8 | at[1];
		sum_of_sums += sum;
	}
	if (bytes % 2) {
		sum += at[0] << 8;
		sum_of_sums += sum;
	}
	return folded(sum_of_sums) << 16 | folded(sum);
}

static void put_checksum(char *at, uint32_t sum)
{
	sum = htole32(sum);
	memcpy(at, &sum, sizeof(sum));
}

static uint32_t get_checksum(const char *at)
{
	uint32_t sum;

	memcpy(&sum, at, sizeof(sum));
	return le32toh(sum);
}

size_t archive_seal(char *stored, size_t frame_bytes)
{
	size_t sealed = frame_bytes + ARCHIVE_CRC_BYTES;

	put_checksum(stored + frame_bytes, crc32(0, (const void *)stored, frame_bytes));
	put_checksum(stored + sealed, archive_fletcher32(stored, sealed));
	return frame_bytes + ARCHIVE_CHECKSUM_BYTES;
}

size_t archive_sealed_bytes(const char *stored, size_t stored_bytes)
{
	size_t frame_bytes = stored_bytes - ARCHIVE_CHECKSUM_BYTES;
	size_t sealed = frame_bytes + ARCHIVE_CRC_BYTES;

	if (stored_bytes <= ARCHIVE_CHECKSUM_BYTES ||
	    get_checksum(stored + sealed) != archive_fletcher32(stored, sealed) ||
	    get_checksum(stored + frame_bytes) != crc32(0, (const void *)stored, frame_bytes))
		return 0;
	return frame_bytes;
}

const char *archive_load_chunk(const struct archive_table *table, size_t i, uint64_t element,
			       char *stored, size_t *stored_bytes, uint32_t *skipped)
{
	const hsize_t start = element;
	hsize_t bytes = 0;

	if (H5Dget_chunk_storage_size(table->datasets[i], &start, &bytes) < 0 ||
	    bytes > ARCHIVE_STORED_BYTES_MAX ||
	    H5Dread_chunk(table->datasets[i], H5P_DEFAULT, &start, skipped, stored) < 0)
		return "a chunk cannot be read";
	*stored_bytes = bytes;
	return NULL;
}

/* HDF5's own filters trust the lengths that a chunk claims, and copy once more. */
const char *archive_decode_chunk(const char *stored, size_t stored_bytes, uint32_t skipped,
				 void *to, size_t bytes)
{
	size_t frame_bytes = archive_sealed_bytes(stored, stored_bytes), whole;

	if (skipped)
		return "a chunk that was not filtered";
	if (!frame_bytes)
		return "a chunk's checksum is wrong";
	if (blosc_cbuffer_validate(stored, frame_bytes, &whole) || whole != bytes ||
	    blosc_decompress_ctx(stored, to, bytes, 1) != (int)bytes)
		return "a chunk cannot be decompressed";
	return NULL;
}

int archive_damaged(const char *path, enum event_kind kind, const char *column, uint64_t row,
		    const char *what)
{
	return fail("%s: /%s%s%s, row %llu: %s; the file is damaged: restore it or convert its "
		    "stream again",
		    path, event_kinds[kind].name, *column ? "/" : "", column,
		    (unsigned long long)row, what);
}
