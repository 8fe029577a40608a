/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attach.h"
#include "common/error.h"
#include "kvm-recorder/kernel/sky_ioctl.h"
#include "ring_map.h"

static int open_device(void)
{
	int fd = open(SKY_DEVICE, O_RDWR | O_CLOEXEC), version;

	if (fd < 0)
		return fail_errno(errno, "cannot open " SKY_DEVICE "; load Sky's module with "
					 "`modprobe sky` (/dev/kvm alone can't record)");
	version = ioctl(fd, SKY_ABI);
	if (version == SKY_ABI_VERSION)
		return fd;
	if (version < 0)
		fail_errno(errno,
			   "cannot ask " SKY_DEVICE " for its version; recording needs root");
	else
		fail(SKY_DEVICE " speaks version %d, this program %d; build both from one source",
		     version, SKY_ABI_VERSION);
	close(fd);
	return -1;
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
			fail("there is no \"%s\" to record; `sky record --kvm list` shows what "
			     "there is",
			     name);
		else if (errno == EBUSY)
			fail("\"%s\" is being recorded already", name);
		else
			fail_errno(errno, "cannot record \"%s\" into a ring of %llu bytes", name,
				   (unsigned long long)bytes);
		goto close_device;
	}
	if (!ring_map(&attached->ring, attached->fd, bytes))
		return 0;
	fail_errno(errno, "cannot map the ring of \"%s\"", name);
close_device:
	close(attached->fd);
	return -1;
}

void ring_detach(struct attached_ring *attached)
{
	ring_unmap(&attached->ring);
	close(attached->fd);
}

int ring_select(const struct attached_ring *attached, const struct sky_select *select)
{
	return ioctl(attached->fd, SKY_SELECT, select);
}

/* There may be more of them each time. */
source_name *ring_sources(size_t *count)
{
	struct sky_sources list = {.count = 64};
	source_name *names = NULL, *larger;
	int fd = open_device(), rc = -1;
	uint32_t room;

	if (fd < 0)
		return NULL;
	do {
		room = list.count;
		larger = realloc(names, room * sizeof(*names));
		if (!larger)
			break;
		names = larger;
		list.names = (uintptr_t)names;
		rc = ioctl(fd, SKY_SOURCES, &list);
	} while (!rc && list.count > room);
	close(fd);
	if (rc || !larger) {
		fail_errno(errno, "cannot ask " SKY_DEVICE " what there is to record");
		free(names);
		return NULL;
	}
	for (uint32_t i = 0; i < list.count; i++)
		names[i][SKY_RING_NAME_BYTES - 1] = '\0';
	*count = list.count;
	return names;
}
