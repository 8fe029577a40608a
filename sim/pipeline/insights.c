/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a recorder's own calls, and its snapshots, tell: of descriptors, paths, content and
 * processes.
 */
#include "sim/pipeline/asynchronous.h"
#include "sim/pipeline/calls.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/identity.h"
#include "sim/pipeline/insights.h"
#include "sim/pipeline/mapped.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reading.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/written.h"

static void learn(struct pipeline *p, uint32_t open_file, uint64_t device, uint64_t inode)
{
	struct open_file *o = OPEN_FILE_AT(p, open_file);

	open_file_identify(p, open_file, device, inode);
	FILE_AT(p, o->file)->names |= o->names;
	if (o->truncated)
		file_truncated(p, o->file, 0, true);
	o->truncated = false;
}

/* Is the descriptor known to be another file's? Then it came unseen: by a message, say. */
static bool is_replaced(struct pipeline *p, uint32_t open_file, const struct insight_event *insight)
{
	const struct file *f = open_file ? FILE_AT(p, OPEN_FILE_AT(p, open_file)->file) : NULL;

	return f && f->identified && (insight->device || insight->inode) &&
	       (f->device != insight->device || f->inode != insight->inode);
}

static void told_of_descriptor(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint32_t process = process_of(p, event), open_file;
	struct open_file *o;

	if (!process)
		return;
	if (is_replaced(p, descriptor_find(p, process, insight->fd), insight))
		descriptor_close(p, process, insight->fd);
	open_file = descriptor_meet(p, process, insight->fd);
	if (!open_file)
		return;
	o = OPEN_FILE_AT(p, open_file);
	if (o->unopened && o->offset == OFFSET_UNKNOWN && insight->offset)
		o->offset = insight->offset;
	learn(p, open_file, insight->device, insight->inode);
	open_file_told(p, open_file, &insight->path);
	if (insight->flags & abi_flags[ABI_LINUX64].append)
		OPEN_FILE_AT(p, open_file)->append = true;
	file_learn(p, OPEN_FILE_AT(p, open_file)->file, insight->size, insight->links,
		   insight->mode);
	if (insight->links && !insight->size) {
		FILE_AT(p, OPEN_FILE_AT(p, open_file)->file)->empty_ns = p->now_ns;
		observe_gone(p, OPEN_FILE_AT(p, open_file)->file);
		observe_size(p, OPEN_FILE_AT(p, open_file)->file, 0);
	}
}

static void told_of_path(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint64_t hash = text_hash(&insight->path);
	uint32_t process = process_of(p, event), call = call_of(p, event), file;
	struct process *q;
	struct call_state *c;

	file = process ? file_of(p, insight->device, insight->inode) : 0;
	if (!file)
		return;
	file_learn(p, file, insight->size, insight->links, insight->mode);
	file_hold(p, file);
	c = call ? CALL_AT(p, call) : NULL;
	for (int i = 0; c && i < 2; i++) {
		if (c->path_hash[i] != hash || c->named[i])
			continue;
		c->named[i] = file_hold(p, file);
		FILE_AT(p, file)->names |= c->names[i];
	}
	q = PROCESS_AT(p, process);
	if (!c) {
		file_release(p, q->named[0]);
		q->named[0] = q->named[1];
		q->named_hash[0] = q->named_hash[1];
		q->named[1] = file_hold(p, file);
		q->named_hash[1] = hash;
	}
	file_release(p, file);
}

/* The file that an insight names by its identity or by a descriptor, held; 0: none. */
static uint32_t file_told_of(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint32_t process = process_of(p, event);

	if (!process)
		return 0;
	if (insight->device || insight->inode)
		return file_hold(p, file_of(p, insight->device, insight->inode));
	return file_hold(p, content_of(p, descriptor_meet(p, process, insight->fd)));
}

/*
 * The recorder read what a misaligned request leaves of its chunks (paper, 3.4.4),
 * or what the file ends with, which the growth to come may write once more.
 */
static void told_of_content(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint32_t file = file_told_of(p, event);

	p->origin.process = process_of(p, event);
	read_taken(p, file, insight->file_offset, &insight->sums);
	p->origin.process = 0;
	if (file && insight->file_offset != OFFSET_UNKNOWN)
		written_may_return(p, file, insight->file_offset, &insight->sums);
	file_release(p, file);
}

/* Where it is, or what it executes. */
static void told_of_process(struct pipeline *p, const struct event *event, bool folder)
{
	uint32_t process = process_of(p, event);

	if (process && folder)
		folder_told(p, process, &event->insight.path);
	else if (process)
		program_named(p, process, &event->insight.path);
}

void insight_gained(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	enum call asked = call_by_number(ABI_LINUX64, insight->number);

	if (asked == CALL_io_getevents || asked == CALL_io_uring_enter)
		completion_found(p, event);
	if (insight->result < 0)
		return;
	if (asked == CALL_getcwd || asked == CALL_readlink)
		told_of_process(p, event, asked == CALL_getcwd);
	else if (asked == CALL_fstat)
		told_of_descriptor(p, event);
	else if (asked == CALL_statx && insight->path.count)
		told_of_path(p, event);
	else if (asked == CALL_pread64)
		told_of_content(p, event);
	else if (asked == CALL_mmap)
		pages_mapped(p, event);
	else if (asked == CALL_msync)
		pages_dirty(p, event);
	else if (asked == CALL_getpid || asked == CALL_gettid)
		identity_told(p, event, asked);
}

void descriptor_snapshot(struct pipeline *p, const struct event *event)
{
	const struct descriptor_event *d = &event->descriptor;
	uint32_t process = process_of(p, event), open_file;
	struct open_file *o;

	if (!process || d->fd < 0)
		return;
	open_file = d->open_file ? open_file_by_id(p, d->open_file) : 0;
	if (!open_file) {
		open_file = open_file_new(p, file_unnamed(p));
		if (!open_file)
			return;
		o = OPEN_FILE_AT(p, open_file);
		o->offset = d->offset;
		o->append = d->flags & abi_flags[ABI_LINUX64].append;
		open_file_name(p, open_file, d->open_file);
	}
	descriptor_set(p, process, d->fd, open_file,
		       d->flags & abi_flags[ABI_LINUX64].close_on_exec);
	if (descriptor_find(p, process, d->fd) != open_file)
		return;
	learn(p, open_file, d->device, d->inode);
	open_file_told(p, open_file, &d->path);
	file_learn(p, OPEN_FILE_AT(p, open_file)->file, d->size, d->links, d->mode);
}
