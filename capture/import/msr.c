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
static bool parse_disk(const char **at, const char *end, struct foreign_name *disk)
{
	const char *host_end;
	uint64_t number;

	disk->at = *at;
	take_field(at, end, ',', &host_end);
	if (host_end == disk->at || !take_number(at, end, &number))
		return false;
	disk->end = *at;
	return take_char(at, end, ',');
}

static bool parse_type(const char **at, const char *end, uint8_t *op)
{
	const char *type = *at, *type_end;

	take_field(at, end, ',', &type_end);
	*op = word_is(type, type_end, "Write") ? BLOCK_WRITE : BLOCK_READ;
	return *op == BLOCK_WRITE || word_is(type, type_end, "Read");
}

static const char *msr_parse(const char *at, const char *end, struct foreign_record *r,
			     struct foreign_name *disk)
{
	if (!parse_time(&at, end, &r->time_ns))
		return "doesn't begin with a time in 100 ns since 1601";
	if (!parse_disk(&at, end, disk))
		return "has no host and disk number behind the time; it should be "
		       "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime";
	if (!parse_type(&at, end, &r->op))
		return "has a type that is neither Read nor Write";
	if (!take_offset_length(&at, end, &r->offset, &r->length))
		return "has an offset or size that is no number";
	if (!take_scaled(&at, end, NS_PER_TICK, &r->response_ns) || at != end)
		return "doesn't end with a response time in 100 ns";
	return NULL;
}

static const struct foreign_format msr_format = {
	.name = "msr",
	.layout = "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime",
	.units = "offsets and sizes in bytes, times in 100 ns since 1601, response times in 100 ns",
	.date_unit_ns = NS_PER_TICK,
	.unit_bytes = 1,
	.completions = COMPLETIONS_RESPONSES,
	.header = "Timestamp,Hostname,DiskNumber",
	.parse = msr_parse,
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
	.format = &msr_format,
};
