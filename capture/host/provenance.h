/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attributes of a recording on a host.
 */
#ifndef SKY_PROVENANCE_H
#define SKY_PROVENANCE_H

#include "capture/attributes.h"
#include "capture/host/record.h"

/* no_truth: why there is no ground truth; NULL = there is. To be freed. */
void provenance_collect(struct attributes *attributes, const struct record_options *options,
			const struct volume *volume, uint64_t disk_bytes, const char *no_truth);

#endif
