/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a classifier is: events in, hints out.
 *
 * Sky's pipeline is one, the recorded truth another; the others are baselines
 * that know less, so that Sky's worth shows. A classifier is a file in
 * sim/classifiers/; `sky list classifier` shows them, `sky sim --hints` and
 * `sky classify --hints` use them.
 *
 * Rules: a request's chunk gets exactly one hint, or none where nothing tells
 * what it is. A hint is handed out during the feed of the event that made it
 * known and bears that event's seq. Nobody sees an event that comes later; the
 * truth alone looks ahead, in a pass before (survey), and says so.
 */
#ifndef SKY_CLASSIFIER_H
#define SKY_CLASSIFIER_H

#include <stdbool.h>

#include <jansson.h>

#include "common/component.h"
#include "sim/hint_batch.h"
#include "sim/pipeline/pipeline.h"

/* Longer requests are no requests but damage: they get no hints (1 GiB). */
#define CLASSIFIER_CHUNKS_MAX (1u << 18)

struct classifier_setup {
	struct pipeline_options pipeline; /* bounds of the size classes, above all */
	hint_sink sink;
	void *context;
	bool trace_hints; /* hints that the trace holds already go before those found out anew */
};

/* Functions that can fail: 0, or -1 after saying what is wrong. */
struct classifier_ops {
	struct component head; /* kind "classifier"; the parameters lie inside the state */
	size_t state_bytes;    /* zeroed before the parameters are set */
	uint32_t kinds;	       /* KIND_BIT()s of the events that feed() needs */
	uint32_t survey_kinds; /* of a pass before: 0 = none is needed */
	bool at_issue;	       /* every hint is known when its request is issued */

	/* fini may follow a failure. */
	int (*init)(void *state, const struct classifier_setup *setup);
	void (*fini)(void *state);
	/* NULL where there is no pass before. */
	int (*survey)(void *state, const struct event *events, size_t count);
	int (*feed)(void *state, const struct event *events, size_t count);
	/* The trace ended; NULL where nothing can be open. */
	int (*finish)(void *state);
	/* So far: has the trace shown what these hints come from? */
	bool (*has_evidence)(const void *state);
	/* Counters and tables, a new reference; NULL where there are none. */
	json_t *(*statistics)(const void *state);
};

/* Registers the ops struct that follows it. */
#define CLASSIFIER(identifier)                                            \
	static const struct classifier_ops identifier##_classifier;       \
	COMPONENT(identifier##_classifier, identifier##_classifier.head); \
	static const struct classifier_ops identifier##_classifier =

struct classifier {
	const struct classifier_ops *ops;
	void *state;
};

/*
 * Makes a classifier from "name" or "name:parameter=value,...". 0, or -1 after
 * saying what is wrong; close may follow either.
 */
int classifier_open(struct classifier *classifier, const char *spec,
		    const struct classifier_setup *setup);
void classifier_close(struct classifier *classifier);

/* Looks the spec's name up; NULL after saying that there is none. */
const struct classifier_ops *classifier_find(const char *spec);

/* The names of all, as "flags, layout, ... or truth", for help texts and messages. */
const char *classifier_names(void);

#endif
