/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hdd: a disk that turns. An access that goes on where the last one ended costs its
 * transfer; any other first a seek and half a turn.
 *
 * The curve of seeks over the part x of the stroke, 1.0 + 10.83 sqrt(x) + 5.17 x ms, has the
 * form that DiskSim uses and is fitted to the data sheet of an 80 GB disk of 7200 rpm
 * (Seagate Barracuda 7200.7): 8.5 ms on average, 17 ms for the full stroke.
 */
#include <math.h>

#include "capture/event.h"
#include "device_model.h"

#define DISKS 64
#define NS_S  1e9
#define NS_MS 1e6

struct hdd {
	uint64_t gigabytes, rpm, megabytes_s;
	uint64_t next[DISKS]; /* sector behind the last access; disks are told apart modulo 64 */
};

static double seek_ns(const struct hdd *h, uint64_t from, uint64_t to)
{
	double sectors = h->gigabytes * 1e9 / SECTOR_BYTES;
	double x = (from > to ? from - to : to - from) / sectors;

	return x < 1 ? NS_MS * (1.0 + 10.83 * sqrt(x) + 5.17 * x) : NS_MS * 17;
}

static uint64_t hdd_access_ns(void *state, const struct device_access *a)
{
	struct hdd *h = state;
	uint64_t *next = &h->next[a->disk % DISKS];
	double ns = a->sectors * (double)SECTOR_BYTES / (h->megabytes_s * 1e6) * NS_S;

	if (!a->continues && a->sector != *next)
		ns += seek_ns(h, *next, a->sector) + 60 * NS_S / h->rpm / 2;
	*next = a->sector + a->sectors;
	return ns;
}

static const struct parameter parameters[] = {
	{"gigabytes", "its size: a seek over all of it takes longest", 1, 100000, 80,
	 offsetof(struct hdd, gigabytes)},
	{"rpm", "turns a minute", 1000, 20000, 7200, offsetof(struct hdd, rpm)},
	{"megabytes_s", "sustained rate of transfer", 1, 10000, 58,
	 offsetof(struct hdd, megabytes_s)},
	{0},
};

DEVICE_MODEL(hdd){
	.head =
		{
			.kind = "device",
			.name = "hdd",
			.summary = "a disk that turns: seek, half a turn, transfer",
			.source = "C. Ruemmler, J. Wilkes, An introduction to disk drive modeling, "
				  "IEEE Computer 27(3), 1994",
			.parameters = parameters,
		},
	.state_bytes = sizeof(struct hdd),
	.access_ns = hdd_access_ns,
};
