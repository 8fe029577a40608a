/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's event rings, as a collector sees them (kvm-recorder/kernel/sky_ioctl.h).
 */
#ifndef SKY_ATTACH_H
#define SKY_ATTACH_H

#include <stddef.h>
#include <stdint.h>

#include "kvm-recorder/kernel/sky_ring.h"

typedef char source_name[SKY_RING_NAME_BYTES];

struct attached_ring {
	struct sky_ring ring;
	int fd;
};

/*
 * Makes the kernel record the source of that name into a ring of so many bytes,
 * a power of two. 0, or -1 after saying what is wrong: no control device, no
 * such source, somebody else records it.
 */
int ring_attach(struct attached_ring *attached, const char *name, uint64_t bytes);
/* Ends that; what the ring holds still is gone. */
void ring_detach(struct attached_ring *attached);

struct sky_select;
/* Asks for that of the ring's source (SKY_SELECT); 0, or -1 with errno set. */
int ring_select(const struct attached_ring *attached, const struct sky_select *select);

/*
 * What there is to record, to be freed; *count names. NULL after saying what is
 * wrong.
 */
source_name *ring_sources(size_t *count);

#endif
