/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <endian.h>
#include <string.h>

#include "capture/event.h"
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

static uint32_t big_endian_at(const void *chunk, size_t offset)
{
	uint32_t value;

	memcpy(&value, (const char *)chunk + offset, sizeof(value));
	return be32toh(value);
}

static bool is_zero(const char *chunk)
{
	return !chunk[0] && !memcmp(chunk, chunk + 1, CHUNK_BYTES - 1);
}

uint64_t marker_of(const void *chunk)
{
	uint32_t magic = big_endian_at(chunk, 0), type;

	if (magic == XFS_LOG_MAGIC)
		return MARKER_XFS_LOG | (uint64_t)big_endian_at(chunk, XFS_LENGTH_OFFSET)
						<< MARKER_VALUE_SHIFT;
	if (magic == JBD2_MAGIC) {
		type = big_endian_at(chunk, 4);
		return type < sizeof(jbd2_markers) ? jbd2_markers[type] : MARKER_NONE;
	}
	return is_zero(chunk) ? MARKER_ZERO : MARKER_NONE;
}
