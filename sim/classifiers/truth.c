/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * truth: what the kernel knew at submission, and the size that each file
 * reaches anywhere in the trace. No system could know more, or know it earlier.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "common/error.h"
#include "sim/classifier.h"
#include "sim/file_sizes.h"
#include "sim/truth_join.h"

struct truth {
	struct truth_join *join;
	struct file_sizes *sizes;
	struct chunk_truth *chunk; /* scratch: CLASSIFIER_CHUNKS_MAX of them */
	struct pipeline_options options;
	uint64_t truths;
	struct hint_batch hints;
};

static int truth_init(void *state, const struct classifier_setup *setup)
{
	struct truth *t = state;

	t->options = setup->pipeline;
	hint_batch_init(&t->hints, setup->sink, setup->context);
	t->join = truth_join_new();
	t->sizes = file_sizes_new();
	t->chunk = calloc(CLASSIFIER_CHUNKS_MAX, sizeof(*t->chunk));
	if (!t->join || !t->sizes || !t->chunk)
		return fail("out of memory for the truth");
	return 0;
}

static void truth_fini(void *state)
{
	struct truth *t = state;

	truth_join_free(t->join);
	file_sizes_free(t->sizes);
	free(t->chunk);
}

static int note_file(struct truth *t, uint64_t device, uint64_t inode, uint64_t index,
		     uint32_t sectors)
{
	uint64_t chunks = sectors / SECTORS_PER_CHUNK;

	if (index > UINT64_MAX / CHUNK_BYTES - chunks)
		return fail("a chunk of inode %" PRIu64 " lies beyond the end of any file: the "
			    "trace is damaged",
			    inode);
	if (file_sizes_note(t->sizes, device, inode, (index + chunks) * CHUNK_BYTES))
		return fail("out of memory for the sizes of files");
	return 0;
}

static int truth_survey(void *state, const struct event *events, size_t count)
{
	int rc = 0;

	for (const struct event *e = events; !rc && e < events + count; e++) {
		if (e->kind == EVENT_TRUTH && e->truth.what == CHUNK_DATA)
			rc = note_file(state, e->truth.device, e->truth.inode, e->truth.index,
				       e->truth.sectors);
		else if (e->kind == EVENT_EXTENT)
			rc = note_file(state, e->extent.device, e->extent.inode, e->extent.index,
				       e->extent.sectors);
	}
	return rc;
}

static void hint_chunk(struct truth *t, const struct event *block, uint32_t chunk)
{
	const struct chunk_truth *truth = &t->chunk[chunk];
	struct hint_event *hint;

	if (truth->what != CHUNK_METADATA && truth->what != CHUNK_DATA)
		return;
	hint = hint_at_issue(&t->hints, block, chunk);
	if (truth->what == CHUNK_METADATA) {
		hint_is_metadata(hint, REASON_TRUTH);
		return;
	}
	hint_is_data(
		hint, REASON_TRUTH,
		size_class(&t->options, file_sizes_get(t->sizes, truth->device, truth->inode)));
	hint->device = truth->device;
	hint->inode = truth->inode;
	hint->index = truth->index;
}

static void take_block(struct truth *t, const struct event *block)
{
	uint32_t chunks = block->block.sectors / SECTORS_PER_CHUNK;

	if (block->block.op > BLOCK_WRITE || chunks > CLASSIFIER_CHUNKS_MAX)
		return;
	memset(t->chunk, 0, chunks * sizeof(*t->chunk));
	truth_join_take(t->join, block, t->chunk);
	for (uint32_t i = 0; i < chunks; i++)
		hint_chunk(t, block, i);
}

static int truth_feed(void *state, const struct event *events, size_t count)
{
	struct truth *t = state;

	for (const struct event *e = events; e < events + count; e++) {
		if (e->kind == EVENT_BLOCK)
			take_block(t, e);
		if (e->kind != EVENT_TRUTH)
			continue;
		t->truths++;
		if (truth_join_add(t->join, e))
			return fail("out of memory for the truth");
	}
	hint_batch_flush(&t->hints);
	return 0;
}

static bool truth_has_evidence(const void *state)
{
	const struct truth *t = state;

	return t->truths;
}

CLASSIFIER(truth){
	.head =
		{
			.kind = "classifier",
			.name = "truth",
			.summary = "the recorded truth, at issue: what no system could do better",
		},
	.state_bytes = sizeof(struct truth),
	.kinds = KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_TRUTH),
	.survey_kinds = KIND_BIT(EVENT_TRUTH) | KIND_BIT(EVENT_EXTENT),
	.at_issue = true,
	.init = truth_init,
	.fini = truth_fini,
	.survey = truth_survey,
	.feed = truth_feed,
	.has_evidence = truth_has_evidence,
};
