/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>

#include "common/error.h"
#include "sim/file_sizes.h"
#include "sim/true_chunks.h"

struct true_chunks {
	struct truth_join *join;
	struct file_sizes *sizes;
	struct chunk_truth *chunk; /* of the request taken last: TRUE_CHUNKS_MAX */
	uint64_t truths;
};

struct true_chunks *true_chunks_new(void)
{
	struct true_chunks *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->join = truth_join_new();
	t->sizes = file_sizes_new();
	t->chunk = calloc(TRUE_CHUNKS_MAX, sizeof(*t->chunk));
	if (t->join && t->sizes && t->chunk)
		return t;
	true_chunks_free(t);
	return NULL;
}

void true_chunks_free(struct true_chunks *t)
{
	if (!t)
		return;
	truth_join_free(t->join);
	file_sizes_free(t->sizes);
	free(t->chunk);
	free(t);
}

static int note_file(struct true_chunks *t, uint64_t device, uint64_t inode, uint64_t index,
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

int true_chunks_survey(struct true_chunks *t, const struct event *events, size_t count)
{
	int rc = 0;

	for (const struct event *e = events; !rc && e < events + count; e++) {
		if (e->kind == EVENT_TRUTH && e->truth.what == CHUNK_DATA)
			rc = note_file(t, e->truth.device, e->truth.inode, e->truth.index,
				       e->truth.sectors);
		else if (e->kind == EVENT_EXTENT)
			rc = note_file(t, e->extent.device, e->extent.inode, e->extent.index,
				       e->extent.sectors);
	}
	return rc;
}

int true_chunks_add(struct true_chunks *t, const struct event *truth)
{
	t->truths++;
	return truth_join_add(t->join, truth) ? fail("out of memory for the truth") : 0;
}

bool true_chunks_known(const struct true_chunks *t)
{
	return t->truths;
}

const struct chunk_truth *true_chunks_take(struct true_chunks *t, const struct event *block,
					   uint32_t *count)
{
	*count = block->block.sectors / SECTORS_PER_CHUNK;
	if (*count > TRUE_CHUNKS_MAX)
		*count = 0;
	else
		truth_join_take(t->join, block, t->chunk);
	return t->chunk;
}

uint64_t true_chunks_file_bytes(const struct true_chunks *t, const struct chunk_truth *truth)
{
	return file_sizes_get(t->sizes, truth->device, truth->inode);
}
