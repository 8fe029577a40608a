/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes on in a trace, interval by interval.
 *
 * Events go through the classification pipeline one by one; requests are
 * counted when they are issued, their chunks when it becomes known what they
 * are. An interval ends when the trace's clock has passed it, so the same trace
 * gives the same intervals, whether it is read while it is recorded or
 * afterwards. The memory does not grow with the trace: names are the newest,
 * files and processes the heaviest (space_saving.h).
 */
#ifndef SKY_WATCH_H
#define SKY_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "capture/event.h"
#include "sim/watch/space_saving.h"

/* What a chunk was found to be: data of class 0 .. CLASS_COUNT - 1, or one of these. */
enum watch_row {
	ROW_METADATA = CLASS_COUNT,
	ROW_UNCONSUMED, /* read ahead, and nobody took it */
	ROW_UNKNOWN,
	WATCH_ROWS
};

struct watch_cell {
	uint64_t requests; /* that have such chunks: one with two kinds counts for both */
	uint64_t chunks, bytes;
};

struct watch_counts {
	uint64_t events;
	uint64_t lost_events;	 /* as the recorder said */
	uint64_t missing_events; /* numbers that don't follow each other */
	uint64_t requests[BLOCK_OPS], bytes[BLOCK_OPS];
	uint64_t failed_requests;
	struct watch_cell found[2][WATCH_ROWS]; /* by BLOCK_READ, BLOCK_WRITE */
	uint64_t late_chunks;			/* known in a later interval than issued */
	uint64_t call_bytes[2];			/* of the recorded file system's files */
};

/* What files and processes are ranked by. */
enum watch_amount { DISK_WRITTEN, DISK_READ, CALLS_WRITTEN, CALLS_READ };

/* In place of a process: the file system on its own account; nobody knows who. */
#define PROCESS_FILE_SYSTEM 0
#define PROCESS_UNKNOWN	    UINT64_MAX

struct watch;

struct watch_interval {
	uint64_t number; /* from 0 */
	uint64_t start_ns;
	uint64_t length_ns; /* the last is as long as the trace */
	bool last;
	struct watch_counts now, total;
	uint64_t total_ns;	 /* since the first event */
	uint64_t pending_chunks; /* issued, and not known yet what they are */
	bool evidence;
};

/* Called at the end of each interval; false: no more of it. */
typedef bool (*watch_sink)(void *context, struct watch *watch);

/* After so many intervals without an event, the rest of a gap is left out. */
#define WATCH_GAP_MAX 1000

/* NULL after saying what is wrong. */
struct watch *watch_new(uint64_t interval_ns, watch_sink sink, void *context);
void watch_free(struct watch *watch);

/* False when the sink wants no more; *error is -ENOMEM or 0. */
bool watch_take(struct watch *watch, const struct event *event, int *error);
/* The trace's clock has reached this time, though there was no event. */
bool watch_pass(struct watch *watch, uint64_t time_ns);
/* The trace is over; the sink is called for the last interval. 0 or -ENOMEM. */
int watch_finish(struct watch *watch);

/* Of the newest event; 0 before the first. */
uint64_t watch_now_ns(const struct watch *watch);
/* The recorder's own marks: the recording began, and did not end in order. */
bool watch_broke_off(const struct watch *watch);

/* The one that ended last. */
const struct watch_interval *watch_interval(const struct watch *watch);

/* A file or a process in a ranking. */
struct watch_top {
	const struct tracked *tracked;
	const char *name;      /* NULL: not known */
	uint64_t now[AMOUNTS]; /* within the interval */
};

/* The first so many, by an amount within this interval or, in_all, since the beginning. */
size_t watch_files(const struct watch *watch, enum watch_amount by, bool in_all,
		   struct watch_top *top, size_t max);
size_t watch_processes(const struct watch *watch, enum watch_amount by, bool in_all,
		       struct watch_top *top, size_t max);

/* Shares and ratios; negative where there is nothing to divide by. */
double watch_metadata_share(const struct watch_counts *counts, unsigned op);
/* Bytes written to the disk, all or of one kind, for each byte that calls wrote. */
enum watch_written { WRITTEN_ALL, WRITTEN_DATA, WRITTEN_METADATA };
double watch_amplification(const struct watch_counts *counts, enum watch_written what);

/* The interval as `sky watch --json` prints it, with so many files and processes. */
json_t *watch_json(const struct watch *watch, enum watch_amount by, size_t top);

/* Names of the amounts, for options and JSON; ends with NULL. */
extern const char *const watch_amount_names[];

#define WATCH_TOP_MAX 100

#endif
