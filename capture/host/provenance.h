/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attributes of a recording: who, when, where, how.
 */
#ifndef SKY_PROVENANCE_H
#define SKY_PROVENANCE_H

#include <stddef.h>

#include "capture/event.h"
#include "capture/host/record.h"

#define ATTRIBUTES_MAX (32 + THEN_MAX)

struct provenance {
	struct attribute_event at[ATTRIBUTES_MAX];
	char *values[ATTRIBUTES_MAX];
	size_t count;
};

/* no_truth: why there is no ground truth; NULL = there is. */
void provenance_collect(struct provenance *provenance, const struct record_options *options,
			const struct volume *volume, uint64_t disk_bytes, const char *no_truth);
void provenance_free(struct provenance *provenance);

#endif
