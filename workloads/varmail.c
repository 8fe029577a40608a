/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * varmail: a mail server that keeps each mail in a file (/var/mail).
 *
 * The order of operations and the figures are those of Filebench's varmail.f;
 * file sizes are gamma-distributed, as they were in its version 1.4.
 */
#include "workloads/personality.h"

static const struct parameter parameters[] = {PERSONALITY_PARAMETERS(16, 1000, 1000000, 16 << 10)};

static personality_step *const steps[] = {
	step_delete,
	/* a mail comes in */
	step_create,
	step_append,
	step_sync,
	step_close,
	/* one is read and marked */
	step_open,
	step_read,
	step_append,
	step_sync,
	step_close,
	/* one is read */
	step_open,
	step_read,
	step_close,
};

PERSONALITY(varmail){
	.workload =
		{
			.head =
				{
					.kind = "workload",
					.name = "varmail",
					.summary = "mail server: small files made, appended to, "
						   "synced, read, deleted",
					.source = "Filebench, workloads/varmail.f",
					.parameters = parameters,
				},
			.settings_bytes = sizeof(struct personality_settings),
			.prepare = personality_prepare,
			.run = personality_run,
		},
	STEPS(steps),
	.made_percent = 80,
};
