/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each decision goes out as a hint.
 */
#include "sim/pipeline/files.h"
#include "sim/pipeline/hints.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"

static struct hint_event *next_hint(struct pipeline *p, uint32_t disk, uint64_t request,
				    uint32_t chunk)
{
	return hint_batch_next(&p->hints, p->seq, p->now_ns, disk, request, chunk);
}

/* The hint that was handed out last. */
static struct hint_event *last_hint(struct pipeline *p)
{
	return &p->hints.hints[p->hints.count - 1].hint;
}

static void name_file(struct pipeline *p, struct hint_event *hint, uint32_t file, uint64_t index)
{
	const struct file *f = file ? FILE_AT(p, file) : NULL;

	if (!f || !f->identified)
		return;
	hint->device = f->device;
	hint->inode = f->inode;
	hint->index = index;
}

void hint_data(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk,
	       enum chunk_class what, enum hint_reason reason, uint32_t file, uint64_t index)
{
	struct hint_event *hint = next_hint(p, disk, request, chunk);

	hint->what = what;
	hint->reason = reason;
	hint->dedup = DEDUP_NONE;
	hint->io_class = file_class(p, file, p->now_ns);
	p->counters.chunks_unselected += !is_selected(p, file);
	name_file(p, hint, file, index);
}

void hint_given(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk,
		uint8_t io_class, uint32_t file, uint64_t index)
{
	struct hint_event *hint = next_hint(p, disk, request, chunk);

	hint->what = CHUNK_DATA;
	hint->reason = REASON_APPLICATION;
	hint->dedup = DEDUP_NONE;
	hint->io_class = io_class;
	p->counters.chunks_classed++;
	name_file(p, hint, file, index);
}

void hint_metadata(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk)
{
	struct hint_event *hint = next_hint(p, disk, request, chunk);

	hint->what = CHUNK_METADATA;
	hint->reason = REASON_EXCLUSION;
	hint->dedup = DEDUP_UNIQUE;
	hint->io_class = CLASS_METADATA;
}

void hint_journal(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk)
{
	hint_metadata(p, disk, request, chunk);
	last_hint(p)->reason = REASON_JOURNAL;
}

void hint_refine(struct pipeline *p, uint32_t file, uint64_t issued_ns, enum dedup_hint dedup)
{
	struct hint_event *hint = last_hint(p);

	hint->io_class = file_class(p, file, issued_ns);
	hint->dedup = is_selected(p, file) ? dedup : DEDUP_NONE;
}
