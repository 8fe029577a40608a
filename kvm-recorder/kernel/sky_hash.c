// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FNV-1a needs a multiplication a byte, each waiting for the one before; so
 * up to four chunks are hashed side by side, which takes little longer than one.
 */
#include <linux/export.h>
#include <linux/minmax.h>
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

/*
 * How many lanes there are is a constant wherever this is inlined, so that states and
 * addresses are in registers; three instructions a byte then, and few beside.
 */
static __always_inline void side_by_side(u64 *state, const u8 *const *from, unsigned int lanes,
					 size_t bytes)
{
	const u8 *at[LANES];
	u64 now[LANES];
	unsigned int lane;
	size_t i;

	for (lane = 0; lane < lanes; lane++) {
		at[lane] = from[lane];
		now[lane] = state[lane];
	}
#pragma GCC unroll 8
	for (i = 0; i < bytes; i++)
#pragma GCC unroll 4
		for (lane = 0; lane < lanes; lane++)
			now[lane] = (now[lane] ^ at[lane][i]) * SKY_FNV_PRIME;
	for (lane = 0; lane < lanes; lane++)
		state[lane] = now[lane];
}

void sky_fnv1a_lanes(u64 *state, const u8 *const *from, unsigned int lanes, size_t bytes)
{
	switch (lanes) {
	case 1:
		side_by_side(state, from, 1, bytes);
		break;
	case 2:
		side_by_side(state, from, 2, bytes);
		break;
	case 3:
		side_by_side(state, from, 3, bytes);
		break;
	case 4:
		side_by_side(state, from, 4, bytes);
		break;
	}
}
EXPORT_SYMBOL_GPL(sky_fnv1a_lanes);

u64 sky_fnv1a(u64 state, const void *data, size_t bytes)
{
	const u8 *from = data;

	sky_fnv1a_lanes(&state, &from, 1, bytes);
	return state;
}
EXPORT_SYMBOL_GPL(sky_fnv1a);

void sky_fnv1a_chunks(const u8 *const *chunk, unsigned int count, u64 *sums)
{
	unsigned int lanes, i;

	for (; count; count -= lanes, chunk += lanes, sums += lanes) {
		lanes = min_t(unsigned int, count, LANES);
		for (i = 0; i < lanes; i++)
			sums[i] = SKY_FNV_BASIS;
		sky_fnv1a_lanes(sums, chunk, lanes, SKY_CHUNK_BYTES);
	}
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
