/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process in a guest says to the recorder over a stream socket of AF_VSOCK
 * (paper, section 3.1.1): its number. The answer comes when its calls are
 * recorded, or won't be; the asker must go on making system calls until then, for
 * it is by one of these that it is found. Both are little-endian, as x86-64 is.
 */
#ifndef SKY_VSOCK_H
#define SKY_VSOCK_H

#include <linux/types.h>

#define SKY_VSOCK_PORT	     7590 /* preset of both sides */
#define SKY_VSOCK_MAGIC	     0x314b434f53594b53ull /* "SKYSOCK1" */
#define SKY_VSOCK_SECONDS 5 /* until the answer */

struct sky_vsock_request {
	__u64 magic;
	__u32 pid; /* as getpid() gives it */
	__u32 zero;
};

struct sky_vsock_answer {
	__s32 result; /* 0 or -errno */
};

#endif
