/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped files (paper, 3.4.3): pages that no call reads or writes.
 *
 * A recorder of a virtual machine sees which frames lie behind mapped file
 * pages, and the frames of disk requests are the same ones. A frame appears
 * in a page table after the disk has filled it, so frames that were read are
 * kept as long as their chunks wait; and it may leave the page table before it
 * is written back, so it means the same page until it is used otherwise: when
 * the recorder says so, or the disk fills it while nobody maps it. What nobody
 * maps is written back once, and soon, or never if its file is gone.
 *
 * A recorder that can't see frames tells checksums of pages instead: of what was
 * mapped, as if read, and of what is dirty, as if written.
 */
#include "sim/pipeline/areas.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/mapped.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reading.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/written.h"

#define BY_AGE offsetof(struct frame, by_age)

/*
 * Linux writes what is dirty after 30 s, which it looks for every 5 s (dirty_expire_centisecs,
 * dirty_writeback_centisecs); FreeBSD within 30 s (vfs syncer). As much again for a busy disk.
 */
#define WRITTEN_WITHIN_NS (70 * 1000000000ull)

/*
 * What a kernel has made clean is submitted at once; but a virtual CPU that its host
 * doesn't run may be in the midst of that.
 */
#define SUBMITTED_WITHIN_NS (2 * 1000000000ull)

static uint32_t frame_find(struct pipeline *p, uint64_t number)
{
	uint32_t frame;

	table_for_each(&p->by_frame, hash_word(number), at,
		       frame) if (FRAME_AT(p, frame)->number == number) break;
	return frame;
}

static void forget(struct pipeline *p, uint32_t frame)
{
	const struct frame *f = FRAME_AT(p, frame);

	if (f->chunk)
		CHUNK_AT(p, f->chunk)->frame = 0;
	table_remove(&p->by_frame, hash_word(f->number), frame);
	list_remove(&p->frames_by_age, &p->frames, BY_AGE, frame);
	file_release(p, f->file);
	pool_give(&p->frames, frame);
}

/* The oldest makes room: of it nothing is known any more. */
static uint32_t frame_of(struct pipeline *p, uint64_t number)
{
	uint32_t frame = frame_find(p, number);

	if (frame)
		return frame;
	if (p->frames.bound && p->frames.count >= p->frames.bound) {
		p->frames.refused++;
		forget(p, p->frames_by_age.first);
	}
	frame = take_node(p, &p->frames);
	if (!frame)
		return 0;
	FRAME_AT(p, frame)->number = number;
	if (add_node(p, &p->by_frame, hash_word(number), frame)) {
		pool_give(&p->frames, frame);
		return 0;
	}
	list_append(&p->frames_by_age, &p->frames, BY_AGE, frame);
	return frame;
}

/* It means no page any more; and is forgotten, unless a chunk waits in it. */
static void lose_identity(struct pipeline *p, uint32_t frame)
{
	struct frame *f = FRAME_AT(p, frame);

	file_release(p, f->file);
	f->file = 0;
	f->maps = 0;
	if (!f->chunk)
		forget(p, frame);
}

/* Whose page it is, held: as told, or else (0:0, 0) by the call that mapped it. */
static uint32_t page_of(struct pipeline *p, const struct event *event, uint64_t *index)
{
	const struct mapping_event *mapping = &event->mapping;

	*index = mapping->index;
	if (mapping->device || mapping->inode)
		return file_hold(p, file_of(p, mapping->device, mapping->inode));
	return file_hold(p, area_page(p, process_known(p, event), mapping->address, index));
}

static void appears(struct pipeline *p, const struct event *event)
{
	uint64_t index;
	uint32_t file = page_of(p, event, &index);
	uint32_t frame = file ? frame_of(p, event->mapping.frame) : 0;
	struct frame *f;

	if (!frame) {
		file_release(p, file);
		return;
	}
	f = FRAME_AT(p, frame);
	if (f->file != file || f->index != index) {
		f->maps = 0;
		f->written_ns = 0;
		f->until_ns = 0;
	}
	file_release(p, f->file);
	f->file = file;
	f->index = index;
	f->maps++;
	if (f->chunk)
		read_mapped(p, f->chunk, file, index);
}

static void goes(struct pipeline *p, uint32_t frame, uint64_t written_within_ns)
{
	struct frame *f = FRAME_AT(p, frame);
	uint64_t until_ns = p->now_ns + written_within_ns;

	if (f->maps)
		f->maps--;
	if (f->until_ns < until_ns)
		f->until_ns = until_ns;
}

/* It was clean by then, but not long before: was it written, and not made dirty elsewhere? */
static bool is_written(struct pipeline *p, uint32_t frame)
{
	const struct frame *f = FRAME_AT(p, frame);

	return f->written_ns && p->now_ns - f->written_ns < SUBMITTED_WITHIN_NS &&
	       f->until_ns <= p->now_ns && f->maps <= 1;
}

/* Where frames can't be seen: one page, by its checksum. */
static void told_page(struct pipeline *p, const struct mapping_event *mapping)
{
	const struct words sums = {.at = &mapping->sum, .count = mapping->sum != SUM_UNKNOWN};
	uint32_t file = file_hold(p, file_of(p, mapping->device, mapping->inode));

	if (mapping->action == MAPPING_APPEARS)
		read_taken(p, file, mapping->index * CHUNK_BYTES, &sums);
	file_release(p, file);
}

void mapping_changed(struct pipeline *p, const struct event *event)
{
	const struct mapping_event *mapping = &event->mapping;
	uint32_t frame;

	if (!mapping->frame) {
		told_page(p, mapping);
		return;
	}
	if (mapping->action == MAPPING_APPEARS) {
		appears(p, event);
		return;
	}
	frame = frame_find(p, mapping->frame);
	if (!frame)
		return;
	if (mapping->action == MAPPING_GOES)
		goes(p, frame, WRITTEN_WITHIN_NS);
	else if (mapping->action == MAPPING_CLEANED && !is_written(p, frame))
		goes(p, frame, SUBMITTED_WITHIN_NS);
	else
		lose_identity(p, frame);
}

static bool is_gone(const struct file *file)
{
	return !file->opens && file->links_known && !file->links;
}

uint32_t frame_written(struct pipeline *p, uint64_t number)
{
	uint32_t frame = number ? frame_find(p, number) : 0;
	const struct frame *f = frame ? FRAME_AT(p, frame) : NULL;

	if (!f || !f->file)
		return 0;
	if (f->maps || (p->now_ns < f->until_ns && !is_gone(FILE_AT(p, f->file))))
		return frame;
	lose_identity(p, frame);
	return 0;
}

void frame_hinted(struct pipeline *p, uint32_t frame)
{
	FRAME_AT(p, frame)->written_ns = p->now_ns;
	FRAME_AT(p, frame)->until_ns = 0;
	if (!FRAME_AT(p, frame)->maps)
		lose_identity(p, frame);
}

void frame_filled(struct pipeline *p, uint64_t number, uint32_t chunk)
{
	uint32_t frame = number ? frame_of(p, number) : 0;
	struct frame *f;

	if (!frame)
		return;
	f = FRAME_AT(p, frame);
	if (!f->maps) {
		file_release(p, f->file);
		f->file = 0;
	}
	if (f->chunk)
		CHUNK_AT(p, f->chunk)->frame = 0; /* what it held is gone, and waits by its checksum */
	f->chunk = chunk;
	CHUNK_AT(p, chunk)->frame = frame;
}

void frame_waits_no_more(struct pipeline *p, uint32_t chunk)
{
	uint32_t frame = CHUNK_AT(p, chunk)->frame;

	if (!frame)
		return;
	CHUNK_AT(p, chunk)->frame = 0;
	FRAME_AT(p, frame)->chunk = 0;
	if (!FRAME_AT(p, frame)->file)
		forget(p, frame);
}

/* The file that the insight is about, with what it says of it; held. */
static uint32_t file_told(struct pipeline *p, const struct insight_event *insight)
{
	uint32_t file = file_hold(p, file_of(p, insight->device, insight->inode));

	if (file)
		file_learn(p, file, insight->size, insight->links, insight->mode);
	return file;
}

void pages_mapped(struct pipeline *p, const struct event *event)
{
	uint32_t file = file_told(p, &event->insight);

	read_taken(p, file, event->insight.file_offset, &event->insight.sums);
	file_release(p, file);
}

void pages_dirty(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint32_t file = file_told(p, insight);

	if (file && insight->file_offset != OFFSET_UNKNOWN)
		written_seen(p, file, insight->file_offset, &insight->sums);
	file_release(p, file);
}
