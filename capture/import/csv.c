/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests in columns whose names say the units, in any order: the first line, or
 * --columns, names them. IBM's hfplayer writes such files, with names of its own.
 *
 *	time_us,op,disk,offset_bytes,length_bytes
 *	1000,W,sda,4096,512
 *
 * Fields are separated by commas, semicolons, tabs or blanks, whatever stands in the
 * first line. Lines that begin with # are comments, but for a first one that
 * names columns. Traps: a fraction of a ns is cut off; requests are rounded to whole sectors.
 */
#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "fields.h"
#include "foreign.h"

#define COLUMNS_MAX	   64
/* A line that names fewer is no header. */
#define HEADER_COLUMNS_MIN 2

enum role {
	ROLE_NONE,
	ROLE_TIME,
	ROLE_OP,
	ROLE_READ,
	ROLE_WRITE,
	ROLE_OFFSET,
	ROLE_LENGTH,
	ROLE_RESPONSE,
	ROLE_DISK,
	ROLE_PID,
	ROLES
};

/* What a column means, by its name; unit in ns or bytes. */
static const struct csv_column {
	const char *name;
	enum role role;
	uint64_t unit;
} columns[] = {
	{"time_s", ROLE_TIME, NS_PER_SECOND},
	{"time_ms", ROLE_TIME, 1000000},
	{"time_us", ROLE_TIME, NS_PER_US},
	{"time_ns", ROLE_TIME, 1},
	{"op", ROLE_OP, 0},
	{"read", ROLE_READ, 0},
	{"write", ROLE_WRITE, 0},
	{"offset_bytes", ROLE_OFFSET, 1},
	{"offset_sectors", ROLE_OFFSET, SECTOR_BYTES},
	{"offset_4k", ROLE_OFFSET, 4096},
	{"length_bytes", ROLE_LENGTH, 1},
	{"length_sectors", ROLE_LENGTH, SECTOR_BYTES},
	{"length_4k", ROLE_LENGTH, 4096},
	{"response_s", ROLE_RESPONSE, NS_PER_SECOND},
	{"response_ms", ROLE_RESPONSE, 1000000},
	{"response_us", ROLE_RESPONSE, NS_PER_US},
	{"response_ns", ROLE_RESPONSE, 1},
	{"disk", ROLE_DISK, 0},
	{"pid", ROLE_PID, 0},
	{"-", ROLE_NONE, 0},
	/* hfplayer */
	{"ELAPSED_USECS.D", ROLE_TIME, NS_PER_US},
	{"CMD.S", ROLE_OP, 0},
	{"LBA.I", ROLE_OFFSET, SECTOR_BYTES},
	{"NBLKS.I", ROLE_LENGTH, SECTOR_BYTES},
	{"LATENCY_USECS.D", ROLE_RESPONSE, NS_PER_US},
	{"LUN_SSID.I", ROLE_DISK, 0},
};

static const struct {
	const char *word;
	enum block_op op;
} ops[] = {
	{"R", BLOCK_READ},	 {"read", BLOCK_READ},	     {"rd", BLOCK_READ},
	{"RD_IN", BLOCK_READ},	 {"W", BLOCK_WRITE},	     {"write", BLOCK_WRITE},
	{"wr", BLOCK_WRITE},	 {"WR_IN", BLOCK_WRITE},     {"D", BLOCK_DISCARD},
	{"trim", BLOCK_DISCARD}, {"discard", BLOCK_DISCARD}, {"F", BLOCK_FLUSH},
	{"flush", BLOCK_FLUSH},
};

struct csv {
	char separator; /* ' ': blanks, as many as there are */
	size_t count;
	struct csv_column column[COLUMNS_MAX];
	bool has[ROLES];
};

static char separator_of(const char *at, const char *end)
{
	static const char separators[] = ",;\t";

	for (const char *s = separators; *s; s++)
		if (memchr(at, *s, end - at))
			return *s;
	return ' ';
}

/*
 * The next field without spaces and quotes around it; false if there is none.
 * *at is NULL behind the last one, which may be empty.
 */
static bool next_field(const char **at, const char *end, char separator, const char **field,
		       const char **field_end)
{
	if (!*at)
		return false;
	if (separator == ' ')
		return take_word(at, end, field, field_end);
	*field = *at;
	take_field(at, end, separator, field_end);
	if (*field_end == end)
		*at = NULL;
	while (*field < *field_end && **field == ' ')
		++*field;
	while (*field < *field_end && (*field_end)[-1] == ' ')
		--*field_end;
	if (*field_end - *field >= 2 && **field == '"' && (*field_end)[-1] == '"') {
		++*field;
		--*field_end;
	}
	return true;
}

static const struct csv_column *find_column(const char *at, const char *end)
{
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		if ((size_t)(end - at) == strlen(columns[i].name) &&
		    !strncasecmp(at, columns[i].name, end - at))
			return &columns[i];
	return NULL;
}

/* Columns that a line names, but unknown ones and a second for one thing; how many they are. */
static size_t read_header(struct csv *csv, const char *at, const char *end)
{
	const char *field, *field_end;
	size_t roles = 0;

	at += at < end && *at == '#';
	*csv = (struct csv){.separator = separator_of(at, end)};
	while (csv->count < COLUMNS_MAX &&
	       next_field(&at, end, csv->separator, &field, &field_end)) {
		const struct csv_column *column = find_column(field, field_end);

		if (column && column->role != ROLE_NONE && !csv->has[column->role]) {
			csv->column[csv->count] = *column;
			csv->has[column->role] = true;
			roles++;
		}
		csv->count++;
	}
	return roles;
}

static bool is_complete(const struct csv *csv)
{
	return csv->has[ROLE_TIME] && csv->has[ROLE_OFFSET] && csv->has[ROLE_LENGTH] &&
	       csv->has[ROLE_OP] + csv->has[ROLE_READ] + csv->has[ROLE_WRITE] == 1;
}

static int incomplete(const char *where)
{
	return fail(
		"%s doesn't name a time, an op (or read, or write), an offset and a length with "
		"their units, as in time_us,op,offset_bytes,length_bytes",
		where);
}

/* Columns as the user names them: all must be known. */
static int read_names(struct csv *csv, const char *names)
{
	*csv = (struct csv){0};
	while (*names) {
		size_t length = strcspn(names, ",");
		const struct csv_column *column = find_column(names, names + length);

		if (!column)
			return fail(
				"there is no column \"%.*s\": a name with its unit, as time_us, "
				"offset_bytes, length_sectors, op, read, write, disk, pid, "
				"response_us, or -",
				(int)length, names);
		if (csv->count == COLUMNS_MAX)
			return fail("--columns has more than the %d columns that a file may have",
				    COLUMNS_MAX);
		if (column->role != ROLE_NONE && csv->has[column->role])
			return fail("--columns has two columns for one thing: %s is the second",
				    column->name);
		csv->has[column->role] = true;
		csv->column[csv->count++] = *column;
		names += length + (names[length] == ',');
	}
	return is_complete(csv) ? 0 : incomplete("--columns");
}

/* Is there a field that begins as a number does? */
static bool has_number(const char *at, const char *end, char separator)
{
	const char *field, *field_end;

	while (next_field(&at, end, separator, &field, &field_end))
		if (field < field_end && *field >= '0' && *field <= '9')
			return true;
	return false;
}

/* Behind the comments at the beginning; the line that isn't one is not taken. -1: said. */
static int skip_comments(struct foreign *f, const char **at, const char **end)
{
	struct byte_reader *reader = foreign_reader(f);
	const char *head;
	struct csv csv;
	size_t bytes;

	for (;;) {
		if (byte_reader_peek(reader, IMPORT_HEAD_BYTES, &head, &bytes))
			return -1;
		if (!foreign_first_line(head, bytes, at, end))
			return fail("%s has no line of columns behind its comments",
				    foreign_path(f));
		if (**at != '#' || read_header(&csv, *at, *end) >= HEADER_COLUMNS_MIN)
			return 0;
		if (byte_reader_line(reader, at, end) <= 0)
			return -1;
	}
}

static int csv_begin(struct foreign *f)
{
	const char *names = foreign_options(f)->columns, *at, *end;
	struct csv *csv = foreign_state(f);

	if ((names && read_names(csv, names)) || skip_comments(f, &at, &end))
		return -1;
	if (!names)
		read_header(csv, at, end);
	if (!is_complete(csv))
		return incomplete(foreign_path(f));
	csv->separator = separator_of(at, end);
	if (names && has_number(at, end, csv->separator))
		return 0;
	return byte_reader_line(foreign_reader(f), &at, &end) < 0 ? -1 : 0;
}

static const char *take_word_of_op(const char *at, const char *end, uint8_t *op)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if ((size_t)(end - at) == strlen(ops[i].word) &&
		    !strncasecmp(at, ops[i].word, end - at)) {
			*op = ops[i].op;
			return NULL;
		}
	return "has an op that is none of R, W, D, F, read, write, discard, trim, flush; if it is "
	       "0 or 1, name the column after what 1 is: read or write";
}

static const char *take_flag(const char *at, const char *end, uint8_t *op, uint8_t one,
			     uint8_t zero)
{
	if (end - at != 1 || (*at != '0' && *at != '1'))
		return "has neither 0 nor 1 in the column that says what it is";
	*op = *at == '1' ? one : zero;
	return NULL;
}

static const char *take_time_in(const char *at, const char *end, uint64_t unit, uint64_t *ns,
				const char *wrong)
{
	return take_scaled(&at, end, unit, ns) && at == end ? NULL : wrong;
}

static const char *take_bytes(const char *at, const char *end, uint64_t unit, uint64_t *bytes,
			      const char *wrong)
{
	if (!take_number(&at, end, bytes) || at != end)
		return wrong;
	*bytes = scale(*bytes, unit);
	return NULL;
}

#define TAKER(role)                                                                      \
	static const char *take_##role(struct foreign *f, uint64_t unit, const char *at, \
				       const char *end, struct foreign_record *r)

TAKER(time)
{
	return take_time_in(at, end, unit, &r->time_ns, "has a time that is none");
}

TAKER(response)
{
	return take_time_in(at, end, unit, &r->response_ns, "has a response time that is none");
}

TAKER(offset)
{
	return take_bytes(at, end, unit, &r->offset, "has an offset that is none");
}

TAKER(length)
{
	return take_bytes(at, end, unit, &r->length, "has a length that is none");
}

TAKER(op)
{
	return take_word_of_op(at, end, &r->op);
}

TAKER(read)
{
	return take_flag(at, end, &r->op, BLOCK_READ, BLOCK_WRITE);
}

TAKER(write)
{
	return take_flag(at, end, &r->op, BLOCK_WRITE, BLOCK_READ);
}

TAKER(disk)
{
	return foreign_disk(f, at, end, &r->disk);
}

TAKER(pid)
{
	return take_number32(&at, end, &r->pid) && at == end ? NULL : "has a pid that is none";
}

static const char *(*const takers[ROLES])(struct foreign *f, uint64_t unit, const char *at,
					  const char *end, struct foreign_record *r) = {
	[ROLE_TIME] = take_time,	 [ROLE_OP] = take_op,	      [ROLE_READ] = take_read,
	[ROLE_WRITE] = take_write,	 [ROLE_OFFSET] = take_offset, [ROLE_LENGTH] = take_length,
	[ROLE_RESPONSE] = take_response, [ROLE_DISK] = take_disk,     [ROLE_PID] = take_pid,
};

static const char *csv_line(struct foreign *f, const char *at, const char *end,
			    struct foreign_record *r)
{
	const struct csv *csv = foreign_state(f);
	const char *field, *field_end, *wrong;

	if (at == end || *at == '#')
		return foreign_nothing;
	for (size_t i = 0; i < csv->count; i++) {
		if (!next_field(&at, end, csv->separator, &field, &field_end))
			return "has fewer fields than columns were named";
		if (csv->column[i].role == ROLE_NONE)
			continue;
		wrong = takers[csv->column[i].role](f, csv->column[i].unit, field, field_end, r);
		if (wrong)
			return wrong;
	}
	return next_field(&at, end, csv->separator, &field, &field_end)
		       ? "has more fields than columns were named"
		       : NULL;
}

/* Where the last column is a single digit, or isn't used. */
static bool csv_is_whole(const struct foreign *f, const char *at, const char *end)
{
	const struct csv *csv = foreign_state(f);
	unsigned int last = csv->column[csv->count - 1].role;

	return last == ROLE_READ || last == ROLE_WRITE || last == ROLE_NONE;
}

static bool csv_recognise(const void *first, size_t bytes)
{
	const char *at = first, *head_end = at + bytes, *end;
	struct csv csv;

	for (; foreign_first_line(at, head_end - at, &at, &end); at = end) {
		if (read_header(&csv, at, end) >= HEADER_COLUMNS_MIN)
			return true;
		if (*at != '#')
			return false;
		while (end < head_end && (*end == '\r' || *end == '\n'))
			end++;
	}
	return false;
}

static const struct foreign_format csv_format = {
	.name = "csv",
	.layout = "columns with names",
	.units = "the units that its columns' names say",
	.unit_bytes = 1,
	.completions = COMPLETIONS_RESPONSES,
	.state_bytes = sizeof(struct csv),
	.begin = csv_begin,
	.line = csv_line,
	.is_whole = csv_is_whole,
};

IMPORTER(csv){
	.head =
		{
			.kind = "import",
			.name = "csv",
			.summary =
				"requests in columns whose names say the units; hfplayer's files",
		},
	.recognise = csv_recognise,
	.takes_columns = true,
	.format = &csv_format,
};
