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

/* The head of a page as MariaDB writes it: log sequence number, type, and what an index has. */
static uint64_t innodb_marker(uint16_t type, uint64_t index_id, uint8_t level)
{
	uint8_t chunk[CHUNK_BYTES] = {[7] = 3, [23] = 1, [37] = 5};

	chunk[24] = type >> 8;
	chunk[25] = type;
	chunk[41] = 120; /* the end of the records */
	chunk[65] = level;
	for (int i = 0; i < 8; i++)
		chunk[66 + i] = index_id >> (56 - 8 * i);
	return marker_of(chunk);
}

Test(marker, knows_pages_of_innodb)
{
	uint8_t chunk[CHUNK_BYTES] = {[25] = 2};

	cr_assert_eq(innodb_marker(17855, 23, 0), MARKER_INNODB | 17855 << 8 | 23ull << 24);
	cr_assert_eq(innodb_marker(17854, 23, 0), MARKER_INNODB | 17854 << 8 | 23ull << 24);
	cr_assert_eq(innodb_marker(18, 23, 2), MARKER_INNODB | 18 << 8 | 23ull << 24);
	cr_assert_eq(innodb_marker(2, 23, 0), MARKER_INNODB | 2 << 8);
	cr_assert_eq(innodb_marker(17855, 23, 64), MARKER_NONE, "a level that no tree has");
	cr_assert_eq(innodb_marker(17855, 0, 0), MARKER_NONE);
	cr_assert_eq(innodb_marker(17855, 1ull << 40, 0), MARKER_NONE, "an encrypted page");
	cr_assert_eq(innodb_marker(13, 0, 0), MARKER_NONE);
	cr_assert_eq(marker_of(chunk), MARKER_NONE, "no log sequence number");
}
