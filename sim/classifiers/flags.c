/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flags: what file systems tell the block layer themselves. Metadata is what
 * bears REQ_META or REQ_PRIO, which is also what bcache goes by; the rest is
 * data, of files whose size nobody knows.
 *
 * A recorder at the block layer has the flags in its requests. A disk behind
 * it (a virtual machine's, the host recorder's FUSE file) never sees them:
 * there they are taken from the truth, which was observed where bios are
 * submitted. That is more than such a disk could know.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "common/error.h"
#include "sim/classifier.h"
#include "sim/truth_join.h"

#define METADATA_FLAGS (BLOCK_FLAG_META | BLOCK_FLAG_PRIO)

struct flags {
	struct truth_join *join;
	struct chunk_truth *chunk; /* scratch: CLASSIFIER_CHUNKS_MAX of them */
	bool evidence;
	struct hint_batch hints;
};

static int flags_init(void *state, const struct classifier_setup *setup)
{
	struct flags *f = state;

	hint_batch_init(&f->hints, setup->sink, setup->context);
	f->join = truth_join_new();
	f->chunk = calloc(CLASSIFIER_CHUNKS_MAX, sizeof(*f->chunk));
	if (!f->join || !f->chunk)
		return fail("out of memory for the flags");
	return 0;
}

static void flags_fini(void *state)
{
	struct flags *f = state;

	truth_join_free(f->join);
	free(f->chunk);
}

/* A chunk has flags where its request has some or its bio was seen. */
static void take_block(struct flags *f, const struct event *event)
{
	const struct block_event *block = &event->block;
	uint32_t chunks = block->sectors / SECTORS_PER_CHUNK;

	if (block->op > BLOCK_WRITE || chunks > CLASSIFIER_CHUNKS_MAX)
		return;
	f->evidence |= (block->flags & METADATA_FLAGS) != 0;
	memset(f->chunk, 0, chunks * sizeof(*f->chunk));
	truth_join_take(f->join, event, f->chunk);
	for (uint32_t i = 0; f->evidence && i < chunks; i++) {
		struct hint_event *hint = hint_at_issue(&f->hints, event, i);

		if ((block->flags | f->chunk[i].flags) & METADATA_FLAGS)
			hint_is_metadata(hint, REASON_RULE);
		else
			hint_is_data(hint, REASON_RULE, CLASS_REST);
	}
}

static int flags_feed(void *state, const struct event *events, size_t count)
{
	struct flags *f = state;

	for (const struct event *e = events; e < events + count; e++) {
		if (e->kind == EVENT_BLOCK)
			take_block(f, e);
		if (e->kind != EVENT_TRUTH)
			continue;
		f->evidence = true;
		if (truth_join_add(f->join, e))
			return fail("out of memory for the flags");
	}
	hint_batch_flush(&f->hints);
	return 0;
}

static bool flags_has_evidence(const void *state)
{
	const struct flags *f = state;

	return f->evidence;
}

CLASSIFIER(flags){
	.head =
		{
			.kind = "classifier",
			.name = "flags",
			.summary = "baseline: REQ_META and REQ_PRIO as the file system sets them",
			.source = "Linux, drivers/md/bcache/request.c",
		},
	.state_bytes = sizeof(struct flags),
	.kinds = KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_TRUTH),
	.at_issue = true,
	.init = flags_init,
	.fini = flags_fini,
	.feed = flags_feed,
	.has_evidence = flags_has_evidence,
};
