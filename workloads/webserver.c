/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * webserver: ten pages are read whole, then a line goes to the log.
 *
 * The order of operations and the figures are those of Filebench's webserver.f;
 * file sizes are gamma-distributed, as they were in its version 1.4.
 */
#include "workloads/personality.h"

static const struct parameter parameters[] = {PERSONALITY_PARAMETERS(100, 1000, 20, 16 << 10)};

#define PAGE step_open, step_read, step_close

static personality_step *const steps[] = {
	PAGE, PAGE, PAGE, PAGE, PAGE, PAGE, PAGE, PAGE, PAGE, PAGE, step_log,
};

PERSONALITY(webserver){
	.workload =
		{
			.head =
				{
					.kind = "workload",
					.name = "webserver",
					.summary = "web server: small files read whole, a log "
						   "appended to",
					.source = "Filebench, workloads/webserver.f",
					.parameters = parameters,
				},
			.settings_bytes = sizeof(struct personality_settings),
			.prepare = personality_prepare,
			.run = personality_run,
		},
	STEPS(steps),
	.made_percent = 100,
	.log = true,
	.read_only = true,
};
