/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a recorder's own calls and snapshots tell (insights.c).
 */
#ifndef SKY_PIPELINE_INSIGHTS_H
#define SKY_PIPELINE_INSIGHTS_H

#include "capture/event.h"

struct pipeline;

/* A call of the recorder's own told something of a descriptor or a path. */
void insight_gained(struct pipeline *p, const struct event *event);

/* A descriptor that a process had when its monitoring began. */
void descriptor_snapshot(struct pipeline *p, const struct event *event);

#endif
