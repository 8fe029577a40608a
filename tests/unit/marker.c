/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "capture/event.h"
#include "capture/host/marker.h"

Test(marker, knows_chunks_by_their_first_bytes)
{
	static const struct {
		uint8_t head[8];
		uint64_t marker;
	} cases[] = {
		{{0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 1}, MARKER_JBD2_DESCRIPTOR},
		{{0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 2}, MARKER_JBD2_COMMIT},
		{{0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 4}, MARKER_JBD2_SUPERBLOCK},
		{{0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 5}, MARKER_JBD2_REVOKE},
		{{0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 0}, MARKER_NONE},
		{{0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 6}, MARKER_NONE},
		{{0xc0, 0x3b, 0x39, 0x98, 0x80, 0, 0, 1}, MARKER_NONE},
		{{0xfe, 0xed, 0xba, 0xbe, 0, 0, 0, 1}, MARKER_XFS_LOG},
		{{0}, MARKER_ZERO},
		{{0, 0, 0, 0, 0, 0, 0, 1}, MARKER_NONE},
	};
	uint8_t chunk[CHUNK_BYTES];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(chunk, 0, sizeof(chunk));
		memcpy(chunk, cases[i].head, sizeof(cases[i].head));
		cr_assert_eq(marker_of(chunk), cases[i].marker, "case %zu", i);
	}
	memset(chunk, 0, sizeof(chunk));
	chunk[CHUNK_BYTES - 1] = 1;
	cr_assert_eq(marker_of(chunk), MARKER_NONE);
}
