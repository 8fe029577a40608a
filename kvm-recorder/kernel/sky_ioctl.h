/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control device /dev/sky: who has something to record, and its ring.
 *
 * An open file stands for at most one ring. SKY_ATTACH makes one for a source
 * that has none; mmap() of the file then gives its page and its records, at
 * offset 0 and at SKY_RING_PAGE_BYTES. Closing it ends the recording. Every
 * call needs CAP_SYS_ADMIN, for rings tell of all processes.
 */
#ifndef SKY_IOCTL_H
#define SKY_IOCTL_H

#include <linux/ioctl.h>

#include "sky_ring.h"

#define SKY_DEVICE	   "/dev/sky"
#define SKY_ABI_VERSION	   2
#define SKY_RING_BYTES_MAX (1u << 30)

struct sky_attach {
	char name[SKY_RING_NAME_BYTES]; /* "disk vm1" */
	__u64 bytes;			/* a power of two, 4 KiB to 1 GiB */
};

/* The names of the sources there are, each SKY_RING_NAME_BYTES; count: room, then how many. */
struct sky_sources {
	__u64 names; /* address */
	__u32 count;
	__u32 padding;
};

/*
 * Whom to monitor beside those that ask for it, and which of their files: of the
 * virtual machine whose virtual CPU the open file is attached to. It holds until
 * the last ring of the machine is detached.
 */
enum sky_select_kind {
	SKY_SELECT_PID,	 /* the process of that number, as it sees itself */
	SKY_SELECT_EXEC, /* who executes text: the last part of a path, or a whole one */
	SKY_SELECT_ONLY, /* files below text, a full path without a slash at its end */
	/*
	 * Its system calls are those of enum sky_abi (sky_records.h) `pid`. Nobody of the
	 * machine can ask for anything before that is said.
	 */
	SKY_SELECT_ABI,
};

#define SKY_SELECT_BYTES   4096
#define SKY_EXEC_BYTES_MAX 255  /* of what is executed; longer paths are known by their last part */
#define SKY_SELECTS_MAX	   64 /* of a virtual machine */

struct sky_select {
	__u32 kind;
	__u32 off; /* 1: not any more */
	__u32 pid;
	__u32 padding;
	char text[SKY_SELECT_BYTES];
};

#define SKY_ABI _IO('Y', 0) /* returns SKY_ABI_VERSION */
#define SKY_SOURCES _IOWR('Y', 1, struct sky_sources)
#define SKY_ATTACH  _IOW('Y', 2, struct sky_attach) /* EBUSY: somebody records it already */
/*
 * EEXIST: it is monitored; ENOSPC: too many; EINVAL: not attached to a virtual CPU; EBUSY:
 * processes are still monitored by another ABI
 */
#define SKY_SELECT  _IOW('Y', 3, struct sky_select)

#endif
