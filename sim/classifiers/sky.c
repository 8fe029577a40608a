/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky: what the pipeline finds out from calls and checksums; or, for those who
 * want them, the hints that the trace holds already, which then take its place.
 */
#include "capture/source.h"
#include "common/error.h"
#include "sim/classifier.h"

struct sky {
	struct pipeline *pipeline;
	hint_sink sink;
	void *context;
	bool trace_hints, has_hints;
};

static int sky_init(void *state, const struct classifier_setup *setup)
{
	struct sky *s = state;

	s->sink = setup->sink;
	s->context = setup->context;
	s->trace_hints = setup->trace_hints;
	s->pipeline = pipeline_new(&setup->pipeline, setup->sink, setup->context);
	return s->pipeline ? 0 : fail("out of memory for the classification");
}

static void sky_fini(void *state)
{
	struct sky *s = state;

	pipeline_free(s->pipeline);
}

static void hand_on_hints(const struct sky *s, const struct event *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (events[i].kind == EVENT_HINT)
			s->sink(s->context, &events[i], 1);
}

static bool any_hint(const struct event *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (events[i].kind == EVENT_HINT)
			return true;
	return false;
}

static int sky_feed(void *state, const struct event *events, size_t count)
{
	struct sky *s = state;

	if (s->trace_hints && !s->has_hints)
		s->has_hints = any_hint(events, count);
	if (s->has_hints)
		hand_on_hints(s, events, count);
	else if (pipeline_feed(s->pipeline, events, count))
		return fail("out of memory for the classification");
	return 0;
}

static int sky_finish(void *state)
{
	struct sky *s = state;

	if (!s->has_hints && pipeline_finish(s->pipeline))
		return fail("out of memory for the classification");
	return 0;
}

static bool sky_has_evidence(const void *state)
{
	const struct sky *s = state;

	return s->has_hints || pipeline_has_evidence(s->pipeline);
}

static json_t *sky_statistics(const void *state)
{
	const struct sky *s = state;

	return pipeline_statistics(s->pipeline);
}

CLASSIFIER(sky){
	.head =
		{
			.kind = "classifier",
			.name = "sky",
			.summary = "system calls and the checksums of what they wrote and read",
			.source = "L. Arulraj, A. C. Arpaci-Dusseau, R. H. Arpaci-Dusseau, "
				  "Improving Virtualized Storage Performance with Sky, VEE 2017",
		},
	.state_bytes = sizeof(struct sky),
	.kinds = KINDS_ALL,
	.init = sky_init,
	.fini = sky_fini,
	.feed = sky_feed,
	.finish = sky_finish,
	.has_evidence = sky_has_evidence,
	.statistics = sky_statistics,
};
