/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command of `sky` is.
 *
 * run() gets argv with argv[0] = "sky NAME" and parses it with argp. It returns
 * the exit status: 0 done, 1 failed (the reason was said), 2 wrong usage (argp
 * exits with it).
 */
#ifndef SKY_COMMAND_H
#define SKY_COMMAND_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>

#include "component.h"

struct command {
	struct component head;
	int (*run)(int argc, char **argv);
};

#define SKY_COMMAND(identifier, command_name, command_summary, command_run)                    \
	static const struct command identifier##_command = {                                   \
		.head = {.kind = "command", .name = command_name, .summary = command_summary}, \
		.run = command_run,                                                            \
	};                                                                                     \
	COMPONENT(identifier##_command, identifier##_command.head)

/*
 * Flushes stdout, to which commands print their results. 0, or 1 after saying
 * that the output is not complete (a full disk, a closed pipe).
 */
int command_finish(void);

/*
 * The end of a command that has one result: prints it as JSON or by print(),
 * frees it and finishes. A result of NULL was an error and has been said.
 */
int command_result(json_t *result, bool as_json, void (*print)(const json_t *result));

/* To stdout, with control characters as '?': what stands in a trace may go to a terminal. */
void print_clean(const char *text);

#endif
