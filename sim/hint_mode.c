/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "hint_mode.h"

static void collect(void *context, const struct event *hints, size_t count)
{
	struct hint_mode *mode = context;

	if (mode->count + count > mode->room) {
		size_t room = 2 * (mode->count + count);
		struct event *more = reallocarray(mode->hints, room, sizeof(*more));

		if (!more) {
			mode->lost = true;
			return;
		}
		mode->hints = more;
		mode->room = room;
	}
	memcpy(mode->hints + mode->count, hints, count * sizeof(*hints));
	mode->count += count;
}

int hint_mode_init(struct hint_mode *mode, const char *spec,
		   const struct pipeline_options *pipeline, struct crew *crew)
{
	const struct classifier_setup setup = {
		.pipeline = *pipeline,
		.sink = collect,
		.context = mode,
		.trace_hints = true,
	};

	memset(mode, 0, sizeof(*mode));
	mode->spec = spec;
	mode->io_class = malloc(CLASSIFIER_CHUNKS_MAX + 2);
	mode->is_journal = malloc(CLASSIFIER_CHUNKS_MAX + 2);
	if (!mode->io_class || !mode->is_journal)
		return fail("out of memory for the hints \"%s\"", spec);
	if (feed_init(&mode->feed, crew))
		return -1;
	if (!strcmp(spec, HINTS_NONE))
		return 0;
	if (classifier_open(&mode->classifier, spec, &setup))
		return -1;
	if (mode->classifier.ops->at_issue)
		return 0;
	mode->undecided = undecided_new();
	return mode->undecided ? 0 : fail("out of memory for the hints \"%s\"", spec);
}

void hint_mode_fini(struct hint_mode *mode)
{
	feed_fini(&mode->feed);
	classifier_close(&mode->classifier);
	undecided_free(mode->undecided);
	free(mode->io_class);
	free(mode->is_journal);
	free(mode->hints);
}

uint32_t hint_mode_kinds(const struct hint_mode *mode)
{
	return mode->classifier.ops ? mode->classifier.ops->kinds : 0;
}

uint32_t hint_mode_survey_kinds(const struct hint_mode *mode)
{
	return mode->classifier.ops ? mode->classifier.ops->survey_kinds : 0;
}

int hint_mode_survey(struct hint_mode *mode, const struct event *events, size_t count)
{
	const struct classifier *c = &mode->classifier;

	return c->ops && c->ops->survey ? c->ops->survey(c->state, events, count) : 0;
}

static int check_lost(const struct hint_mode *mode)
{
	return mode->lost ? fail("out of memory for the hints \"%s\"", mode->spec) : 0;
}

int hint_mode_feed(struct hint_mode *mode, const struct event *events, size_t count)
{
	const struct classifier *c = &mode->classifier;

	mode->count = mode->taken = 0;
	if (c->ops && c->ops->feed(c->state, events, count))
		return -1;
	return check_lost(mode);
}

int hint_mode_finish(struct hint_mode *mode)
{
	const struct classifier *c = &mode->classifier;

	mode->count = mode->taken = 0;
	if (c->ops && c->ops->finish && c->ops->finish(c->state))
		return -1;
	return check_lost(mode);
}

bool hint_mode_has_evidence(const struct hint_mode *mode)
{
	const struct classifier *c = &mode->classifier;

	return c->ops && c->ops->has_evidence(c->state);
}
