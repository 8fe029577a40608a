/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alibaba's block traces of cloud disks (2020).
 *
 *	device_id,opcode,offset,length,timestamp
 *	419,W,8792731648,16384,1577808144360767
 *
 * Offset and length in bytes, time in us since 1970. Completions are not known.
 */
#include "fields.h"
#include "foreign.h"

struct alibaba_line {
	const char *device, *device_end;
	uint64_t offset, length, time_ns;
	uint8_t op;
};

/* NULL, or what is wrong with the line. */
static const char *parse(const char *at, const char *end, struct alibaba_line *line)
{
	const char *op_end;

	line->device = at;
	take_field(&at, end, ',', &line->device_end);
	take_field(&at, end, ',', &op_end);
	if (line->device_end == line->device || op_end - line->device_end != 2 ||
	    (op_end[-1] != 'R' && op_end[-1] != 'W'))
		return "doesn't begin with a device and R or W; it should be "
		       "device_id,opcode,offset,length,timestamp";
	line->op = op_end[-1] == 'R' ? BLOCK_READ : BLOCK_WRITE;
	if (!take_number(&at, end, &line->offset) || !take_char(&at, end, ',') ||
	    !take_number(&at, end, &line->length) || !take_char(&at, end, ','))
		return "has an offset or length that is no number";
	if (!take_scaled(&at, end, NS_PER_US, &line->time_ns) || at != end)
		return "doesn't end with a time in us";
	return NULL;
}

static const char *alibaba_line(struct foreign *f, const char *at, const char *end,
				struct foreign_record *r)
{
	struct alibaba_line line;
	const char *wrong = parse(at, end, &line);

	if (wrong)
		return wrong;
	r->op = line.op;
	r->offset = line.offset;
	r->length = line.length;
	r->time_ns = line.time_ns;
	return foreign_disk(f, line.device, line.device_end, &r->disk);
}

#define HEADER "device_id,opcode,"

static bool alibaba_recognise(const void *first, size_t bytes)
{
	const char *at, *end;
	struct alibaba_line line;

	return foreign_first_line(first, bytes, &at, &end) &&
	       (foreign_begins(at, end, HEADER) || !parse(at, end, &line));
}

static const struct foreign_format alibaba_format = {
	.name = "alibaba",
	.layout = "device_id,opcode,offset,length,timestamp",
	.units = "offsets and lengths in bytes, times in us since 1970",
	.date_unit_ns = NS_PER_US,
	.unit_bytes = 1,
	.header = HEADER,
	.line = alibaba_line,
};

IMPORTER(alibaba){
	.head =
		{
			.kind = "import",
			.name = "alibaba",
			.summary = "Alibaba's block traces of cloud disks, 2020",
			.source = "J. Li et al., An in-depth analysis of cloud block storage "
				  "workloads in large-scale production, IISWC 2020",
		},
	.recognise = alibaba_recognise,
	.format = &alibaba_format,
};
