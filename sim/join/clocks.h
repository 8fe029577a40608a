/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the clocks of two recordings of one disk are apart.
 *
 * Both saw the same chunks read and written. Those that both saw equally often are
 * paired, the first with the first and so on. A pair's times differ by what the
 * clocks do, and by what the request took from where the one looks to where the other
 * does, which is little and never negative: so most differences lie close together,
 * and the least of those is the clocks'.
 */
#ifndef SKY_JOIN_CLOCKS_H
#define SKY_JOIN_CLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* Of each recording at most so many chunks are looked at, the first ones: 24 MiB. */
#define SIGHTS_MAX (1u << 20)

struct sight {
	uint64_t sector, time_ns;
	uint8_t op;
};

struct sights {
	struct sight *at;
	size_t count, room;
};

/* The chunks of a request; 0 or -ENOMEM. */
int sights_add(struct sights *sights, uint8_t op, uint64_t sector, uint32_t sectors,
	       uint64_t time_ns);
void sights_free(struct sights *sights);

/*
 * later - earlier, in ns; sorts both. The number of pairs that agree on it,
 * 0 if there are none; or -ENOMEM.
 */
int64_t clocks_apart(struct sights *earlier, struct sights *later, int64_t *apart_ns);

#endif
