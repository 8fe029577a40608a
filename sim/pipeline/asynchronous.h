/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous I/O: requests under way (asynchronous.c).
 */
#ifndef SKY_PIPELINE_ASYNCHRONOUS_H
#define SKY_PIPELINE_ASYNCHRONOUS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/pipeline/calls.h"
#include "sim/pipeline/sums.h"
#include "sim/pipeline/written.h"

/* An asynchronous request under way. */
struct submission {
	struct summed summed; /* by process and id */
	uint64_t id, context, submitted_by;
	struct announcement announced;
	struct link of_process;
	uint32_t process, open_file;
	uint32_t ordinal; /* among those of its call */
	bool writes;
	bool moves; /* the position of its open file */
};

#define SUBMISSION_AT(p, i) POOL_NODE(&(p)->submissions, struct submission, i)

/* Entries and exits of asynchronous I/O. */
call_handler entry_submit, exit_submit, exit_completions, exit_io_uring_enter, entry_io_uring_setup,
	exit_io_uring_setup, exit_io_destroy, exit_aio_return;

/* A call failed: if it handed requests over, none of them was accepted. */
void asynchronous_failed(struct pipeline *p, struct call_state *call, const struct event *event);

/* An insight: a completion that the program takes from memory. */
void completion_found(struct pipeline *p, const struct event *event);
void submissions_forget(struct pipeline *p, uint32_t process);

#endif
