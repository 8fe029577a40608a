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

static const char *tencent_parse(const char *at, const char *end, struct foreign_record *r,
				 struct foreign_name *disk)
{
	uint64_t type;

	if (!take_scaled(&at, end, NS_PER_SECOND, &r->time_ns) || !take_char(&at, end, ','))
		return "doesn't begin with a time in s";
	if (!take_offset_length(&at, end, &r->offset, &r->length))
		return "has an offset or size that is no number";
	if (!take_number(&at, end, &type) || type > 1 || !take_char(&at, end, ',') || at == end)
		return "doesn't end with 0 or 1 and a volume; it should be "
		       "Timestamp,Offset,Size,IOType,VolumeID";
	r->op = type ? BLOCK_WRITE : BLOCK_READ;
	disk->at = at;
	disk->end = end;
	return take_number(&at, end, &type) && at == end ? NULL : "has a volume that is no number";
}

static const struct foreign_format tencent_format = {
	.name = "tencent",
	.layout = "Timestamp,Offset,Size,IOType,VolumeID",
	.units = "offsets and sizes in sectors of 512 bytes, times in seconds since 1970",
	.date_unit_ns = NS_PER_SECOND,
	.unit_bytes = SECTOR_BYTES,
	.header = "Timestamp,Offset,Size,IOType",
	.parse = tencent_parse,
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
	.format = &tencent_format,
};
