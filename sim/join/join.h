/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ground truth of a disk, recorded elsewhere (`sky record --truth`), put into
 * the trace that has the disk's requests.
 *
 * Clocks may differ, so the truth goes by sectors: each one of a request takes
 * the oldest truth of its operation and place that none has taken yet
 * (sim/truth_join.h), and what a chunk is stands right before the request, with its time.
 * What the block device's own page cache reads is what was last written there
 * (sim/truth_check.h).
 */
#ifndef SKY_JOIN_H
#define SKY_JOIN_H

#include <jansson.h>
#include <stdint.h>

struct join_options {
	const char *trace, *truth, *output;
	uint32_t disk; /* of the trace */
};

/*
 * Reads both twice, in memory that depends on how much of the disk is written, not on their
 * lengths. What was joined, as `sky join --json` prints it, is a new reference; NULL after saying
 * what is wrong.
 */
json_t *join_truth(const struct join_options *options);

#endif
