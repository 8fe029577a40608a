// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FNV-1a needs a multiplication a byte, each waiting for the one before; so
 * four chunks are hashed side by side, which takes little longer than one.
 */
#include <linux/export.h>
#include <linux/string.h>
#include <asm/unaligned.h>

#include "sky_hash.h"

#define LANES SKY_HASH_LANES

/* fs/xfs/libxfs/xfs_log_format.h and include/linux/jbd2.h, both big endian. */
#define XFS_LOG_MAGIC	  0xfeedbabeu
#define XFS_LENGTH_OFFSET 12
#define JBD2_MAGIC	  0xc03b3998u

/* Of a chunk of zeros: BASIS * PRIME^4096. */
#define ZERO_CHUNK_SUM 0xb93a0c83ce3b6325ull

/* enum marker of capture/event.h */
enum { MARKER_NONE, MARKER_ZERO, MARKER_JBD2_FIRST, MARKER_XFS_LOG = 6 };

static const u8 jbd2_markers[] = {[1] = 2, [2] = 3, [3] = 4, [4] = 4, [5] = 5};

u64 sky_fnv1a(u64 state, const void *data, size_t bytes)
{
	const u8 *byte = data;

	while (bytes--)
		state = (state ^ *byte++) * SKY_FNV_PRIME;
	return state;
}
EXPORT_SYMBOL_GPL(sky_fnv1a);

static void four_chunks(const u8 *const *chunk, u64 *sums)
{
	const u8 *one = chunk[0], *two = chunk[1], *three = chunk[2], *four = chunk[3];
	u64 a = SKY_FNV_BASIS, b = a, c = a, d = a;
	unsigned int i;

	for (i = 0; i < SKY_CHUNK_BYTES; i++) {
		a = (a ^ one[i]) * SKY_FNV_PRIME;
		b = (b ^ two[i]) * SKY_FNV_PRIME;
		c = (c ^ three[i]) * SKY_FNV_PRIME;
		d = (d ^ four[i]) * SKY_FNV_PRIME;
	}
	sums[0] = a;
	sums[1] = b;
	sums[2] = c;
	sums[3] = d;
}

void sky_fnv1a_chunks(const u8 *const *chunk, unsigned int count, u64 *sums)
{
	for (; count >= LANES; count -= LANES, sums += LANES, chunk += LANES)
		four_chunks(chunk, sums);
	while (count--)
		*sums++ = sky_fnv1a(SKY_FNV_BASIS, *chunk++, SKY_CHUNK_BYTES);
}
EXPORT_SYMBOL_GPL(sky_fnv1a_chunks);

u64 sky_marker(const void *head, u64 sum)
{
	u32 magic = get_unaligned_be32(head), type;

	if (magic == XFS_LOG_MAGIC)
		return MARKER_XFS_LOG | (u64)get_unaligned_be32(head + XFS_LENGTH_OFFSET) << 8;
	if (magic == JBD2_MAGIC) {
		type = get_unaligned_be32(head + 4);
		return type < ARRAY_SIZE(jbd2_markers) ? jbd2_markers[type] : MARKER_NONE;
	}
	return sum == ZERO_CHUNK_SUM ? MARKER_ZERO : MARKER_NONE;
}
EXPORT_SYMBOL_GPL(sky_marker);
