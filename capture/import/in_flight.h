/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that wait for a completion which names them by place alone.
 */
#ifndef SKY_IN_FLIGHT_H
#define SKY_IN_FLIGHT_H

#include <stdint.h>

#include "common/pool.h"
#include "common/table.h"

/* Beyond so many, requests are not remembered; the completions of those are unmatched. */
#define REMEMBERED_MAX (1u << 20)

struct in_flight {
	struct pool pool;
	struct table table;
};

/* Where a request goes; completions bear the same. */
struct place {
	uint64_t sector;
	uint32_t disk;
	uint8_t op;
};

/* 0 or -ENOMEM. */
int in_flight_init(struct in_flight *in_flight);
void in_flight_fini(struct in_flight *in_flight);

/* 1; 0 if this is a request again that was requeued, which keeps its id; -ENOMEM. */
int in_flight_issue(struct in_flight *in_flight, const struct place *place, uint64_t id);

/* The earliest to that place comes back unserved. */
void in_flight_requeue(struct in_flight *in_flight, const struct place *place);

/* The id of the earliest to that place, which is forgotten; 0 if there is none. */
uint64_t in_flight_complete(struct in_flight *in_flight, const struct place *place);

#endif
