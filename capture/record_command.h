/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a recorder is: `sky record --NAME` runs it.
 *
 * run() gets argv as `sky record` has it, with the choice in it; it returns the
 * exit status, as a command does.
 */
#ifndef SKY_RECORD_COMMAND_H
#define SKY_RECORD_COMMAND_H

#include "common/component.h"

#define RECORDER_PRESET "host"

struct recorder {
	struct component head;
	int (*run)(int argc, char **argv);
};

#define SKY_RECORDER(identifier, recorder_name, recorder_summary, recorder_run)                   \
	static const struct recorder identifier##_recorder = {                                    \
		.head = {.kind = "recorder", .name = recorder_name, .summary = recorder_summary}, \
		.run = recorder_run,                                                              \
	};                                                                                        \
	COMPONENT(identifier##_recorder, identifier##_recorder.head)

#endif
