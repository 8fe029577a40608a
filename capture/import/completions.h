/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in flight: the completions of requests whose response times are known
 * when they are issued, the earliest first.
 */
#ifndef SKY_COMPLETIONS_H
#define SKY_COMPLETIONS_H

#include <stddef.h>
#include <stdint.h>

/* More are in flight only where the units are wrong. */
#define IN_FLIGHT_MAX (1u << 20)

struct completion {
	uint64_t time_ns, id;
	uint32_t disk;
};

struct completions {
	struct completion *heap;
	size_t count, room;
};

/* 0; -EOVERFLOW beyond IN_FLIGHT_MAX, -ENOMEM. */
int completions_push(struct completions *completions, struct completion completion);

/* Takes the earliest; there must be one. Of the same time, the lower id is first. */
struct completion completions_pop(struct completions *completions);

static inline uint64_t completions_first_ns(const struct completions *completions)
{
	return completions->count ? completions->heap[0].time_ns : UINT64_MAX;
}

void completions_fini(struct completions *completions);

#endif
