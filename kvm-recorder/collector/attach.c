/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach.h"
#include "common/error.h"
#include "kvm-recorder/kernel/sky_ioctl.h"

static int open_device(void)
{
	int fd = open(SKY_DEVICE, O_RDWR | O_CLOEXEC), version;

	if (fd < 0)
		return fail_errno(errno, "cannot open " SKY_DEVICE "; load Sky's module with "
					 "`modprobe sky` (/dev/kvm alone can't record)");
	version = ioctl(fd, SKY_VERSION);
	if (version == SKY_ABI_VERSION)
		return fd;
	if (version < 0)
		fail_errno(errno, "cannot ask " SKY_DEVICE " for its version; recording needs root");
	else
		fail(SKY_DEVICE " speaks version %d, this program %d; build both from one source",
		     version, SKY_ABI_VERSION);
	close(fd);
	return -1;
}

/* The page of positions, the records, and the records again. */
static int map(struct attached_ring *attached, uint64_t bytes)
{
	size_t all = SKY_RING_PAGE_BYTES + 2 * bytes, first = SKY_RING_PAGE_BYTES + bytes;
	char *at = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -1;
	if (mmap(at, first, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, attached->fd, 0) ==
		    MAP_FAILED ||
	    mmap(at + first, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, attached->fd,
		 SKY_RING_PAGE_BYTES) == MAP_FAILED) {
		munmap(at, all);
		return -1;
	}
	attached->ring = (struct sky_ring){
		.page = (struct sky_ring_page *)at,
		.records = at + SKY_RING_PAGE_BYTES,
		.bytes = bytes,
	};
	return 0;
}

int ring_attach(struct attached_ring *attached, const char *name, uint64_t bytes)
{
	struct sky_attach wanted = {.bytes = bytes};

	if (snprintf(wanted.name, sizeof(wanted.name), "%s", name) >= (int)sizeof(wanted.name))
		return fail("there can be no \"%s\" to record: the name is too long", name);
	attached->fd = open_device();
	if (attached->fd < 0)
		return -1;
	if (ioctl(attached->fd, SKY_ATTACH, &wanted)) {
		if (errno == ENOENT)
			fail("there is no \"%s\" to record; `sky record --kvm list` shows what there is",
			     name);
		else if (errno == EBUSY)
			fail("\"%s\" is being recorded already", name);
		else
			fail_errno(errno, "cannot record \"%s\" into a ring of %llu bytes", name,
				   (unsigned long long)bytes);
		goto close_device;
	}
	if (!map(attached, bytes))
		return 0;
	fail_errno(errno, "cannot map the ring of \"%s\"", name);
close_device:
	close(attached->fd);
	return -1;
}

void ring_detach(struct attached_ring *attached)
{
	munmap(attached->ring.page, SKY_RING_PAGE_BYTES + 2 * attached->ring.bytes);
	close(attached->fd);
}

const char *ring_record_check(const struct sky_ring *ring, const struct sky_record *record)
{
	if (record->length % 8 || record->length < sizeof(*record) ||
	    record->length > sky_ring_longest(ring))
		return "a record of an impossible length";
	return NULL;
}
