/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What recording cost a guest, reckoned from its trace: exits times the cost of one, and chunks times that of
 * a checksum.
 */
#ifndef SKY_OVERHEAD_H
#define SKY_OVERHEAD_H

#include <stdint.h>

#include "capture/event.h"

/*
 * What of a trace had a cost. A call leaves the guest when it is made and when it returns; so does an
 * insight-call. Other exits (loads of CR3, interrupts that return to user mode) are not in the trace.
 */
struct overhead {
	uint64_t calls, returns, insights;
	uint64_t call_chunks;	 /* hashed in the guest's processes' buffers: the guest waits */
	uint64_t request_chunks; /* hashed in requests: the host's work */
	uint64_t first_ns, last_ns;
};

void overhead_add(struct overhead *overhead, const struct event *event);

/* As the paper splits it (table 4): exits for calls, their interception, exits for insight-calls. ns of virtual CPUs. */
struct overhead_share {
	double exits_ns, interception_ns, insights_ns;
};

struct overhead_share overhead_share(const struct overhead *overhead, double exit_ns,
				     double chunk_ns);

#endif
