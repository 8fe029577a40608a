/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

#define SHOW_EVERY_NS 200000000u
#define QUIET_NS      500000000u

static struct {
	const char *label;
	uint64_t total, begun_ns, shown_ns;
	bool active;
} bar;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void progress_begin(const char *label, uint64_t total)
{
	bar.label = label;
	bar.total = total;
	bar.begun_ns = bar.shown_ns = now_ns();
	bar.active = isatty(STDERR_FILENO);
}

void progress_update(uint64_t done)
{
	uint64_t now;

	if (!bar.active)
		return;
	now = now_ns();
	if (now - bar.begun_ns < QUIET_NS || now - bar.shown_ns < SHOW_EVERY_NS)
		return;
	bar.shown_ns = now;
	if (bar.total)
		fprintf(stderr, "\r%s: %" PRIu64 "%%\033[K", bar.label, done * 100 / bar.total);
	else
		fprintf(stderr, "\r%s: %" PRIu64 "\033[K", bar.label, done);
}

void progress_end(void)
{
	if (bar.active)
		fprintf(stderr, "\r\033[K");
	bar.active = false;
}
