/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Microsoft Research Cambridge's block traces of enterprise servers (2007).
 *
 *	Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime
 *	128166372003061629,hm,1,Read,383496192,32768,1331
 *
 * Timestamp and response time in 100 ns (a Windows filetime: since 1601), offset
 * and size in bytes. The time is that of the issue; completions are made of the
 * response times. Times become ns since 1970; times that began at 0 are kept.
 */
#include "fields.h"
#include "foreign.h"

#define NS_PER_TICK   100u
#define TICKS_TO_1970 116444736000000000ull
#define TICKS_TO_1980 119600064000000000ull

struct msr_line {
	const char *disk, *disk_end;
	uint64_t time_ns, offset, length, response_ns;
	uint8_t op;
};

static bool parse_time(const char **at, const char *end, uint64_t *time_ns)
{
	uint64_t ticks;

	if (!take_number(at, end, &ticks) || !take_char(at, end, ','))
		return false;
	if (ticks >= TICKS_TO_1980)
		ticks -= TICKS_TO_1970;
	*time_ns = scale(ticks, NS_PER_TICK);
	return true;
}

/* HOST,NUMBER */
static bool parse_disk(const char **at, const char *end, struct msr_line *line)
{
	const char *host_end;
	uint64_t number;

	line->disk = *at;
	take_field(at, end, ',', &host_end);
	if (host_end == line->disk || !take_number(at, end, &number))
		return false;
	line->disk_end = *at;
	return take_char(at, end, ',');
}

static bool parse_type(const char **at, const char *end, uint8_t *op)
{
	const char *type = *at, *type_end;

	take_field(at, end, ',', &type_end);
	*op = word_is(type, type_end, "Write") ? BLOCK_WRITE : BLOCK_READ;
	return *op == BLOCK_WRITE || word_is(type, type_end, "Read");
}

/* NULL, or what is wrong with the line. */
static const char *parse(const char *at, const char *end, struct msr_line *line)
{
	if (!parse_time(&at, end, &line->time_ns))
		return "doesn't begin with a time in 100 ns since 1601";
	if (!parse_disk(&at, end, line))
		return "has no host and disk number behind the time; it should be "
		       "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime";
	if (!parse_type(&at, end, &line->op))
		return "has a type that is neither Read nor Write";
	if (!take_number(&at, end, &line->offset) || !take_char(&at, end, ',') ||
	    !take_number(&at, end, &line->length) || !take_char(&at, end, ','))
		return "has an offset or size that is no number";
	if (!take_scaled(&at, end, NS_PER_TICK, &line->response_ns) || at != end)
		return "doesn't end with a response time in 100 ns";
	return NULL;
}

static const char *msr_line(struct foreign *f, const char *at, const char *end,
			    struct foreign_record *r)
{
	struct msr_line line;
	const char *wrong = parse(at, end, &line);

	if (wrong)
		return wrong;
	r->op = line.op;
	r->offset = line.offset;
	r->length = line.length;
	r->time_ns = line.time_ns;
	r->response_ns = line.response_ns;
	return foreign_disk(f, line.disk, line.disk_end, &r->disk);
}

#define HEADER "Timestamp,Hostname,DiskNumber"

static bool msr_recognise(const void *first, size_t bytes)
{
	const char *at, *end;
	struct msr_line line;

	return foreign_first_line(first, bytes, &at, &end) &&
	       (foreign_begins(at, end, HEADER) || !parse(at, end, &line));
}

static const struct foreign_format msr_format = {
	.name = "msr",
	.layout = "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime",
	.units = "offsets and sizes in bytes, times in 100 ns since 1601, response times in 100 ns",
	.date_unit_ns = NS_PER_TICK,
	.unit_bytes = 1,
	.completions = COMPLETIONS_RESPONSES,
	.header = HEADER,
	.line = msr_line,
};

IMPORTER(msr){
	.head =
		{
			.kind = "import",
			.name = "msr",
			.summary = "MSR Cambridge's block traces of servers, 2007",
			.source = "D. Narayanan, A. Donnelly, A. Rowstron, Write off-loading: "
				  "practical power management for enterprise storage, FAST 2008",
		},
	.recognise = msr_recognise,
	.format = &msr_format,
};
