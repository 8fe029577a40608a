/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/mman.h>
#include <unistd.h>

#include "ring_map.h"

int ring_map(struct sky_ring *ring, int fd, uint64_t bytes)
{
	size_t all = SKY_RING_PAGE_BYTES + 2 * bytes, first = SKY_RING_PAGE_BYTES + bytes;
	char *at = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -1;
	if (mmap(at, first, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    mmap(at + first, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 SKY_RING_PAGE_BYTES) == MAP_FAILED) {
		munmap(at, all);
		return -1;
	}
	*ring = (struct sky_ring){
		.page = (struct sky_ring_page *)at,
		.records = at + SKY_RING_PAGE_BYTES,
		.bytes = bytes,
	};
	return 0;
}

void ring_unmap(struct sky_ring *ring)
{
	munmap(ring->page, SKY_RING_PAGE_BYTES + 2 * ring->bytes);
}

int ring_make(struct sky_ring *ring, uint64_t bytes)
{
	int fd = memfd_create("sky-events", MFD_CLOEXEC), rc = -1;

	if (fd < 0)
		return -1;
	if (!ftruncate(fd, SKY_RING_PAGE_BYTES + bytes))
		rc = ring_map(ring, fd, bytes);
	close(fd);
	if (rc)
		return -1;
	ring->page->version = SKY_RING_VERSION;
	ring->page->bytes = bytes;
	return 0;
}
