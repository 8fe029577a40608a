/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who moves how many bytes by calls, and under which names: told as the
 * pipeline finds it out, for those who show what goes on.
 */
#ifndef SKY_PIPELINE_TRAFFIC_H
#define SKY_PIPELINE_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"

struct pipeline;

/* A process: its pid, or, where that is not known, its address space and this bit. */
#define TRAFFIC_BY_SPACE (1ull << 63)

/* A call, or an asynchronous request, is over. */
struct traffic {
	uint64_t process;
	uint64_t device, inode; /* 0, 0: not known */
	uint64_t bytes;
	bool written;
};

struct traffic_watcher {
	void (*moved)(void *context, const struct traffic *traffic);
	void (*executes)(void *context, uint64_t process, const struct text *executable);
	void (*made)(void *context, uint64_t parent, uint64_t child);
	/* A path that the file was met under. */
	void (*path)(void *context, uint64_t device, uint64_t inode, const struct text *path);
};

/* From now on; every function must be there. The context is handed on. */
void pipeline_watch_traffic(struct pipeline *pipeline, const struct traffic_watcher *watcher,
			    void *context);

#endif
