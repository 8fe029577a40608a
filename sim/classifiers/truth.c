/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * truth: what the kernel knew at submission, and the size that each file
 * reaches anywhere in the trace. No system could know more, or know it earlier.
 */
#include "common/error.h"
#include "sim/classifier.h"
#include "sim/true_chunks.h"

struct truth {
	struct true_chunks *chunks;
	struct pipeline_options options;
	struct hint_batch hints;
};

static int truth_init(void *state, const struct classifier_setup *setup)
{
	struct truth *t = state;

	t->options = setup->pipeline;
	hint_batch_init(&t->hints, setup->sink, setup->context);
	t->chunks = true_chunks_new();
	return t->chunks ? 0 : fail("out of memory for the truth");
}

static void truth_fini(void *state)
{
	struct truth *t = state;

	true_chunks_free(t->chunks);
}

static int truth_survey(void *state, const struct event *events, size_t count)
{
	struct truth *t = state;

	return true_chunks_survey(t->chunks, events, count);
}

static void hint_chunk(struct truth *t, const struct event *block, uint32_t chunk,
		       const struct chunk_truth *truth)
{
	struct hint_event *hint;

	if (truth->what != CHUNK_METADATA && truth->what != CHUNK_DATA)
		return;
	hint = hint_at_issue(&t->hints, block, chunk);
	if (truth->what == CHUNK_METADATA) {
		hint_is_metadata(hint, REASON_TRUTH);
		return;
	}
	hint_is_data(hint, REASON_TRUTH,
		     size_class(&t->options, true_chunks_file_bytes(t->chunks, truth)));
	hint->device = truth->device;
	hint->inode = truth->inode;
	hint->index = truth->index;
}

static void take_block(struct truth *t, const struct event *block)
{
	const struct chunk_truth *truth;
	uint32_t chunks;

	if (block->block.op > BLOCK_WRITE)
		return;
	truth = true_chunks_take(t->chunks, block, &chunks);
	for (uint32_t i = 0; i < chunks; i++)
		hint_chunk(t, block, i, &truth[i]);
}

static int truth_feed(void *state, const struct event *events, size_t count)
{
	struct truth *t = state;

	for (const struct event *e = events; e < events + count; e++) {
		if (e->kind == EVENT_BLOCK)
			take_block(t, e);
		if (e->kind == EVENT_TRUTH && true_chunks_add(t->chunks, e))
			return -1;
	}
	hint_batch_flush(&t->hints);
	return 0;
}

static bool truth_has_evidence(const void *state)
{
	const struct truth *t = state;

	return true_chunks_known(t->chunks);
}

CLASSIFIER(truth){
	.head =
		{
			.kind = "classifier",
			.name = "truth",
			.summary = "the recorded truth, at issue: what no system could do better",
		},
	.state_bytes = sizeof(struct truth),
	.kinds = TRUE_CHUNKS_KINDS,
	.survey_kinds = TRUE_CHUNKS_SURVEY_KINDS,
	.at_issue = true,
	.init = truth_init,
	.fini = truth_fini,
	.survey = truth_survey,
	.feed = truth_feed,
	.has_evidence = truth_has_evidence,
};
