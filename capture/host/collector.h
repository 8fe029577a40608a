/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that makes one trace of what the recorder's parts see.
 */
#ifndef SKY_COLLECTOR_H
#define SKY_COLLECTOR_H

#include <stddef.h>

#include "capture/host/recorder.h"
#include "capture/source.h"

struct collector;

struct collector_options {
	struct sink *sink; /* taken over, also on failure */
	struct ring *calls, *disk, *pages, *truth;
	struct truth_probe *probe; /* NULL = no truth */
};

/* Writes the attributes (EVENT_ATTRIBUTE events) and begins; NULL after saying what is wrong. */
struct collector *collector_start(const struct collector_options *options,
				  const struct attribute_event *attributes, size_t count);

/* Takes over what the probe has seen so far, and no more: it may be stopped then. */
void collector_end_truth(struct collector *collector);

/*
 * Writes what is left in the rings, which get nothing more, and completes the
 * sink. -1 if the recording broke off at some time (which was said then).
 */
int collector_stop(struct collector *collector);

#endif
