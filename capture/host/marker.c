/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/event.h"
#include "common/load.h"
#include "common/zeros.h"
#include "marker.h"

/* fs/xfs/libxfs/xfs_log_format.h: XLOG_HEADER_MAGIC_NUM, then cycle, version, length. */
#define XFS_LOG_MAGIC	  0xfeedbabeu
#define XFS_LENGTH_OFFSET 12

/* include/linux/jbd2.h: JBD2_MAGIC_NUMBER, then the block's type; both big endian. */
#define JBD2_MAGIC 0xc03b3998u

static const uint8_t jbd2_markers[] = {
	[1] = MARKER_JBD2_DESCRIPTOR, [2] = MARKER_JBD2_COMMIT, [3] = MARKER_JBD2_SUPERBLOCK,
	[4] = MARKER_JBD2_SUPERBLOCK, [5] = MARKER_JBD2_REVOKE,
};

/*
 * MariaDB 10.11, storage/innobase/include/fil0fil.h, page0types.h: the head of a page, and
 * of one of an index; big endian.
 */
#define INNODB_LSN_AT	   16
#define INNODB_TYPE_AT	   24
#define INNODB_UNUSED_AT   26 /* 8 bytes; R-trees and the first page of all have something there */
#define INNODB_HEAP_TOP_AT 40
#define INNODB_LEVEL_AT	   64
#define INNODB_INDEX_ID_AT 66
#define INNODB_RECORDS_AT  94
#define INNODB_LEVELS	   64
#define INNODB_LSN_LIMIT   (1ull << 48)
#define INNODB_INDEX_LIMIT (1ull << 40) /* what a marker holds */
#define INNODB_INDEX	   17855u
#define INNODB_SPATIAL	   17854u
#define INNODB_INSTANT	   18u /* the root of a clustered index that was altered in place */
#define INNODB_FIRST_TYPE  2u
#define INNODB_LAST_TYPE   12u
#define INNODB_TYPE_SHIFT  MARKER_VALUE_SHIFT
#define INNODB_INDEX_SHIFT (MARKER_VALUE_SHIFT + 16)

/* A page has no magic: its type, a plausible log sequence number, and what must be empty or small. */
static uint64_t innodb_marker(const uint8_t *chunk)
{
	uint32_t type = load_be16(chunk + INNODB_TYPE_AT);
	uint64_t lsn = load_be64(chunk + INNODB_LSN_AT),
		 index_id = load_be64(chunk + INNODB_INDEX_ID_AT);
	uint64_t marker = MARKER_INNODB | (uint64_t)type << INNODB_TYPE_SHIFT;

	if (!lsn || lsn >= INNODB_LSN_LIMIT)
		return MARKER_NONE;
	if (type >= INNODB_FIRST_TYPE && type <= INNODB_LAST_TYPE)
		return load_be64(chunk + INNODB_UNUSED_AT) ? MARKER_NONE : marker;
	if (type != INNODB_INDEX && type != INNODB_SPATIAL && type != INNODB_INSTANT)
		return MARKER_NONE;
	if (load_be16(chunk + INNODB_HEAP_TOP_AT) < INNODB_RECORDS_AT ||
	    load_be16(chunk + INNODB_LEVEL_AT) >= INNODB_LEVELS || !index_id ||
	    index_id >= INNODB_INDEX_LIMIT)
		return MARKER_NONE;
	return marker | index_id << INNODB_INDEX_SHIFT;
}

uint64_t marker_of(const void *data)
{
	const uint8_t *chunk = data;
	uint32_t magic = load_be32(chunk), type;

	if (magic == XFS_LOG_MAGIC)
		return MARKER_XFS_LOG | (uint64_t)load_be32(chunk + XFS_LENGTH_OFFSET)
						<< MARKER_VALUE_SHIFT;
	if (magic == JBD2_MAGIC) {
		type = load_be32(chunk + 4);
		return type < sizeof(jbd2_markers) ? jbd2_markers[type] : MARKER_NONE;
	}
	return all_zero(chunk, CHUNK_BYTES) ? MARKER_ZERO : innodb_marker(chunk);
}
