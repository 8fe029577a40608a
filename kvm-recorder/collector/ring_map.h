/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event ring (kvm-recorder/kernel/sky_ring.h) in this process's memory.
 */
#ifndef SKY_RING_MAP_H
#define SKY_RING_MAP_H

#include <stdint.h>

#include "kvm-recorder/kernel/sky_ring.h"

/*
 * Maps the file's page of positions and its `bytes` bytes of records, the latter
 * twice, one copy behind the other. 0, or -1 with errno set.
 */
int ring_map(struct sky_ring *ring, int fd, uint64_t bytes);
void ring_unmap(struct sky_ring *ring);

/* A ring of this process's own, for tests and to measure; 0, or -1 with errno set. */
int ring_make(struct sky_ring *ring, uint64_t bytes);

#endif
