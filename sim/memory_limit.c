/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/error.h"
#include "common/size.h"
#include "memory_limit.h"

#define CHECK_EVERY 65536
#define TEXT_BYTES  32

/* 0 if the kernel doesn't say. */
static uint64_t available_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024ull;
}

static uint64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (f && fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int memory_limit_init(struct memory_limit *memory, uint64_t limit_bytes)
{
	*memory = (struct memory_limit){.limit_bytes = limit_bytes};
	if (!limit_bytes)
		memory->limit_bytes = resident_bytes() + available_bytes();
	if (memory->limit_bytes)
		return 0;
	return fail("/proc does not say how much memory there is: give --memory-limit");
}

int memory_limit_predict(const struct memory_limit *memory, uint64_t bytes, size_t fit, size_t all)
{
	char predicted[TEXT_BYTES], limit[TEXT_BYTES];

	size_format(predicted, bytes);
	size_format(limit, memory->limit_bytes);
	if (bytes > memory->limit_bytes)
		return fail(
			"%zu caches would take %s and the limit is %s: the first %zu would fit; "
			"give fewer or smaller ones, or raise --memory-limit",
			all, predicted, limit, fit);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "%zu caches, %s of memory at most (limit %s)\n", all, predicted,
			limit);
	return 0;
}

int memory_limit_check(struct memory_limit *memory, size_t steps)
{
	char taken[TEXT_BYTES], limit[TEXT_BYTES];
	uint64_t bytes;

	memory->unchecked += steps;
	if (memory->unchecked < CHECK_EVERY)
		return 0;
	memory->unchecked = 0;
	bytes = resident_bytes();
	if (bytes <= memory->limit_bytes)
		return 0;
	return fail(
		"the simulation has come to %s and its limit is %s: give fewer or smaller caches, "
		"or raise --memory-limit",
		size_format(taken, bytes), size_format(limit, memory->limit_bytes));
}
