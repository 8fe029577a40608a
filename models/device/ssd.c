/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ssd: a latency a request and a rate of transfer, for reads and writes apart. The
 * presets are those of the data sheet of a SATA disk of 2015 (Intel DC S3500, 80 GB).
 */
#include "capture/event.h"
#include "device_model.h"

#define NS_US 1000u

struct ssd {
	uint64_t read_us, write_us, read_megabytes_s, write_megabytes_s;
};

static uint64_t ssd_access_ns(void *state, const struct device_access *a)
{
	const struct ssd *s = state;
	uint64_t rate = a->write ? s->write_megabytes_s : s->read_megabytes_s;
	uint64_t latency = (a->write ? s->write_us : s->read_us) * NS_US;

	return (a->continues ? 0 : latency) + a->sectors * (uint64_t)SECTOR_BYTES * NS_US / rate;
}

static const struct parameter parameters[] = {
	{"read_us", "latency of a read", 0, 1000000, 50, offsetof(struct ssd, read_us)},
	{"write_us", "... of a write", 0, 1000000, 65, offsetof(struct ssd, write_us)},
	{"read_megabytes_s", "rate of reads", 1, 100000, 470,
	 offsetof(struct ssd, read_megabytes_s)},
	{"write_megabytes_s", "... of writes", 1, 100000, 320,
	 offsetof(struct ssd, write_megabytes_s)},
	{0},
};

DEVICE_MODEL(ssd){
	.head =
		{
			.kind = "device",
			.name = "ssd",
			.summary = "a flash disk: latency and transfer",
			.parameters = parameters,
		},
	.state_bytes = sizeof(struct ssd),
	.access_ns = ssd_access_ns,
};
