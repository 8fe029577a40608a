/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the pipeline's files to what an observer is told of them.
 */
#include "sim/pipeline/files.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/state.h"

void pipeline_observe(struct pipeline *p, const struct file_observer *observer, void *context)
{
	p->observer = observer;
	p->observer_context = context;
}

static struct observed observed(const struct pipeline *p, uint32_t file)
{
	const struct file *f = FILE_AT(p, file);

	return (struct observed){f->device, f->inode, p->now_ns};
}

/* Does anybody look, and is it known which file that is? */
static bool is_observed(const struct pipeline *p, uint32_t file)
{
	return p->observer && FILE_AT(p, file)->identified && !FILE_AT(p, file)->special;
}

void observe_size(struct pipeline *p, uint32_t file, uint64_t bytes)
{
	struct observed o;

	if (!is_observed(p, file))
		return;
	o = observed(p, file);
	p->observer->sized(p->observer_context, &o, chunk_after(bytes));
}

void observe_write(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t bytes,
		   uint64_t size_before)
{
	uint64_t from = offset / CHUNK_BYTES, until, content, size;
	struct observed o;

	if (!p->observer || !bytes || FILE_AT(p, file)->special)
		return;
	if (!is_observed(p, file) || offset > UINT64_MAX - bytes) {
		p->observer->unplaced(p->observer_context, bytes);
		return;
	}
	o = observed(p, file);
	until = chunk_after(offset + bytes);
	size = file_size(FILE_AT(p, file));
	size = size < size_before ? size : size_before;
	content = offset < size ? chunk_after(size) : from;
	content = content < until ? content : until;
	if (from < content)
		p->observer->wrote(p->observer_context, &o, from, content);
	if (content < until)
		p->observer->extended(p->observer_context, &o, content, until);
}

void observe_cut(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t until)
{
	uint64_t from = chunk_after(offset), end = until / CHUNK_BYTES;
	struct observed o;

	if (!is_observed(p, file))
		return;
	o = observed(p, file);
	if (offset % CHUNK_BYTES)
		p->observer->changed(p->observer_context, &o, from - 1, from);
	if (until == UINT64_MAX)
		end = UINT64_MAX;
	else if (until % CHUNK_BYTES && end >= from)
		p->observer->changed(p->observer_context, &o, end, end + 1);
	if (from < end)
		p->observer->cut(p->observer_context, &o, from, end);
}

/* What moves by parts of chunks is in no chunk what it was. */
void observe_move(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t bytes, bool inserted)
{
	struct observed o;

	if (!is_observed(p, file))
		return;
	o = observed(p, file);
	if (offset % CHUNK_BYTES || bytes % CHUNK_BYTES)
		p->observer->changed(p->observer_context, &o, offset / CHUNK_BYTES, UINT64_MAX);
	else if (inserted)
		p->observer->inserted(p->observer_context, &o, offset / CHUNK_BYTES,
				      bytes / CHUNK_BYTES);
	else
		p->observer->collapsed(p->observer_context, &o, offset / CHUNK_BYTES,
				       bytes / CHUNK_BYTES);
}

void observe_gone(struct pipeline *p, uint32_t file)
{
	struct observed o;

	if (!is_observed(p, file))
		return;
	o = observed(p, file);
	p->observer->gone(p->observer_context, &o);
}
