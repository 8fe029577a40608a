/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fileserver: home folders of many users.
 *
 * The order of operations and the figures are those of Filebench's fileserver.f;
 * file sizes are gamma-distributed, as they were in its version 1.4.
 */
#include "workloads/personality.h"

static const struct parameter parameters[] = {PERSONALITY_PARAMETERS(50, 10000, 20, 128 << 10)};

static personality_step *const steps[] = {
	step_create, step_write, step_close, step_open,	  step_append, step_close,
	step_open,   step_read,	 step_close, step_delete, step_stat,
};

PERSONALITY(fileserver){
	.workload =
		{
			.head =
				{
					.kind = "workload",
					.name = "fileserver",
					.summary = "file server: files made, written whole, "
						   "appended to, read, deleted",
					.source = "Filebench, workloads/fileserver.f",
					.parameters = parameters,
				},
			.settings_bytes = sizeof(struct personality_settings),
			.prepare = personality_prepare,
			.run = personality_run,
		},
	STEPS(steps),
	.made_percent = 80,
};
