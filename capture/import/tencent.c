/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tencent's block traces of cloud volumes (2018).
 *
 *	Timestamp,Offset,Size,IOType,VolumeID
 *	1538323200,12910952,128,0,1063
 *
 * Time in seconds since 1970, offset and size in sectors, type 0 a read and 1 a
 * write. Completions are not known. Traps: thousands of requests share a
 * second, and keep the file's order.
 */
#include "fields.h"
#include "foreign.h"

struct tencent_line {
	const char *volume;
	uint64_t time_ns, offset, length;
	uint8_t op;
};

/* NULL, or what is wrong with the line. */
static const char *parse(const char *at, const char *end, struct tencent_line *line)
{
	uint64_t type;

	if (!take_scaled(&at, end, NS_PER_SECOND, &line->time_ns) || !take_char(&at, end, ','))
		return "doesn't begin with a time in s";
	if (!take_number(&at, end, &line->offset) || !take_char(&at, end, ',') ||
	    !take_number(&at, end, &line->length) || !take_char(&at, end, ','))
		return "has an offset or size that is no number";
	if (!take_number(&at, end, &type) || type > 1 || !take_char(&at, end, ',') || at == end)
		return "doesn't end with 0 or 1 and a volume; it should be "
		       "Timestamp,Offset,Size,IOType,VolumeID";
	line->op = type ? BLOCK_WRITE : BLOCK_READ;
	line->volume = at;
	return take_number(&at, end, &type) && at == end ? NULL : "has a volume that is no number";
}

static const char *tencent_line(struct foreign *f, const char *at, const char *end,
				struct foreign_record *r)
{
	struct tencent_line line;
	const char *wrong = parse(at, end, &line);

	if (wrong)
		return wrong;
	r->op = line.op;
	r->offset = line.offset;
	r->length = line.length;
	r->time_ns = line.time_ns;
	return foreign_disk(f, line.volume, end, &r->disk);
}

#define HEADER "Timestamp,Offset,Size,IOType"

static bool tencent_recognise(const void *first, size_t bytes)
{
	const char *at, *end;
	struct tencent_line line;

	return foreign_first_line(first, bytes, &at, &end) &&
	       (foreign_begins(at, end, HEADER) || !parse(at, end, &line));
}

static const struct foreign_format tencent_format = {
	.name = "tencent",
	.layout = "Timestamp,Offset,Size,IOType,VolumeID",
	.units = "offsets and sizes in sectors of 512 bytes, times in seconds since 1970",
	.date_unit_ns = NS_PER_SECOND,
	.unit_bytes = SECTOR_BYTES,
	.header = HEADER,
	.line = tencent_line,
};

IMPORTER(tencent){
	.head =
		{
			.kind = "import",
			.name = "tencent",
			.summary = "Tencent's block traces of cloud volumes, 2018",
			.source = "Y. Zhang et al., OSCA: an online-model based cache allocation "
				  "scheme in cloud block storage systems, ATC 2020",
		},
	.recognise = tencent_recognise,
	.format = &tencent_format,
};
