/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `sky record` was asked to do.
 */
#ifndef SKY_RECORD_H
#define SKY_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/host/volume.h"

#define THEN_MAX 8

struct record_options {
	const struct file_system *fs;
	uint64_t bytes; /* of a new disk */
	const char *output, *stream;
	char *stream_beside; /* the default for stream, to be removed after the conversion */
	const char *mkfs_options, *mount_options, *prepare;
	const char *then[THEN_MAX];
	unsigned then_count;
	const char *disk, *keep;
	uint64_t map_period_ns; /* how often mapped files are looked at */
	bool refuse_offload, skip_misaligned, no_calls, no_truth, cleanup;
	bool to_output; /* the stream goes to standard output; there is no archive */
	char **command;
};

/* Fills options from the command line; exits on wrong usage. 0, or -1 after saying why. */
int record_parse(int argc, char **argv, struct record_options *options);
void record_options_free(struct record_options *options);

#endif
