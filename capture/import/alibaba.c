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

#define DATE_DIGITS 16 /* in us, since 2001 */

static const char *alibaba_parse(const char *at, const char *end, struct foreign_record *r,
				 struct foreign_name *disk)
{
	const char *op_end;

	disk->at = at;
	take_field(&at, end, ',', &disk->end);
	take_field(&at, end, ',', &op_end);
	if (disk->end == disk->at || op_end - disk->end != 2 ||
	    (op_end[-1] != 'R' && op_end[-1] != 'W'))
		return "doesn't begin with a device and R or W; it should be "
		       "device_id,opcode,offset,length,timestamp";
	r->op = op_end[-1] == 'R' ? BLOCK_READ : BLOCK_WRITE;
	if (!take_offset_length(&at, end, &r->offset, &r->length))
		return "has an offset or length that is no number";
	if (!take_scaled(&at, end, NS_PER_US, &r->time_ns) || at != end)
		return "doesn't end with a time in us";
	return NULL;
}

/* A date: a number of so many digits has no more of them before the year 2286. */
static bool alibaba_is_whole(const struct foreign *f, const char *at, const char *end)
{
	const char *comma = memrchr(at, ',', end - at);

	return comma && end - comma - 1 == DATE_DIGITS;
}

static const struct foreign_format alibaba_format = {
	.name = "alibaba",
	.layout = "device_id,opcode,offset,length,timestamp",
	.units = "offsets and lengths in bytes, times in us since 1970",
	.date_unit_ns = NS_PER_US,
	.unit_bytes = 1,
	.header = "device_id,opcode,",
	.parse = alibaba_parse,
	.is_whole = alibaba_is_whole,
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
	.format = &alibaba_format,
};
