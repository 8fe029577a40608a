/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the disk is asked to write, held against what calls wrote (paper, 3.4.1).
 *
 * A request's chunks are decided together, so that equal content goes to the
 * file that its neighbours belong to. What no call wrote is metadata, unless
 * both neighbours show that it lies inside a file's run.
 */
#include <stdlib.h>

#include "sim/pipeline/application.h"
#include "sim/pipeline/copying.h"
#include "sim/pipeline/hints.h"
#include "sim/pipeline/journal.h"
#include "sim/pipeline/mapped.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/stored.h"
#include "sim/pipeline/sums.h"
#include "sim/pipeline/written.h"

/* How many entries of equal content are looked at for the likeliest. */
#define CANDIDATES_MAX 16

/*
 * The entry that a matched neighbour in the request speaks for: the next
 * chunk of the same file (step -1: the one before), if it has that content.
 */
static uint32_t beside(struct pipeline *p, uint32_t neighbour, int step, uint64_t sum)
{
	const struct written *n;
	uint32_t node;

	if (!neighbour)
		return 0;
	n = WRITTEN_AT(p, neighbour);
	if (n->index == OFFSET_UNKNOWN || (step < 0 && !n->index))
		return 0;
	for (node = written_find(p, n->file, n->index + step); node;
	     node = WRITTEN_AT(p, node)->chunk.next)
		if (WRITTEN_AT(p, node)->summed.sum == sum &&
		    WRITTEN_AT(p, node)->state != WRITTEN_TAKEN)
			break;
	return node;
}

/* A chunk whose content the recorder could not see counts only where it has to be. */
static uint32_t beside_or_unseen(struct pipeline *p, uint32_t neighbour, int step, uint64_t sum)
{
	uint32_t node = beside(p, neighbour, step, sum);

	return node ? node : beside(p, neighbour, step, SUM_UNKNOWN);
}

static uint32_t only_one(struct pipeline *p, uint64_t sum)
{
	uint32_t node = sum == SUM_UNKNOWN ? 0 : sums_find(&p->live_sums, &p->written, sum);

	return node && WRITTEN_AT(p, node)->summed.same.next == node ? node : 0;
}

enum expectation { NOTHING, ZEROS, CONTENT };

/* What is to come to the disk of that chunk. */
static enum expectation expected(struct pipeline *p, uint32_t file, uint64_t index)
{
	uint32_t node = written_find(p, file, index);

	if (!node || WRITTEN_AT(p, node)->state != WRITTEN_LIVE)
		return NOTHING;
	return WRITTEN_AT(p, node)->summed.sum == p->zero_sum ? ZEROS : CONTENT;
}

/*
 * Zeros behind content of their file that the disk has not seen yet: write-back
 * would have brought that first, so a request of nothing but zeros is not those.
 */
static bool is_out_of_turn(struct pipeline *p, uint32_t node)
{
	const struct written *w = WRITTEN_AT(p, node);
	uint64_t first = w->index;

	if (first == OFFSET_UNKNOWN)
		return false;
	for (int i = 0; i < CANDIDATES_MAX && first; i++, first--)
		if (expected(p, w->file, first - 1) != ZEROS)
			break;
	return first && expected(p, w->file, first - 1) == CONTENT;
}

/*
 * Of entries with equal content, the one that was written nearest in time to
 * what the disk got just before: write-back goes in the order of the writes.
 * Only the oldest few are looked at.
 */
static uint32_t nearest(struct pipeline *p, const struct table *sums, uint64_t sum,
			uint64_t anchor_ns)
{
	uint32_t first = sums_find(sums, &p->written, sum), node = first, best = 0;
	uint64_t least_ns = UINT64_MAX;

	for (int i = 0; first && i < CANDIDATES_MAX; i++) {
		uint64_t time_ns = WRITTEN_AT(p, node)->time_ns;
		uint64_t apart_ns = time_ns > anchor_ns ? time_ns - anchor_ns : anchor_ns - time_ns;

		if (apart_ns < least_ns && (sum != p->zero_sum || !is_out_of_turn(p, node))) {
			least_ns = apart_ns;
			best = node;
		}
		node = WRITTEN_AT(p, node)->summed.same.next;
		if (node == first)
			break;
	}
	return best;
}

static uint32_t any(struct pipeline *p, uint64_t sum, uint64_t anchor_ns)
{
	uint32_t node;

	if (sum == SUM_UNKNOWN)
		return 0;
	node = nearest(p, &p->live_sums, sum, anchor_ns);
	return node ? node : nearest(p, &p->remembered_sums, sum, anchor_ns);
}

static struct trail *trail_at(struct pipeline *p, uint32_t disk, uint64_t sector)
{
	return &p->trails[hash_words(sector, disk) % TRAILS];
}

/* What the disk got right before this request's place, by a request that ended there; or NULL. */
static const struct trail *trail_to(struct pipeline *p, const struct block_event *block)
{
	const struct trail *trail = trail_at(p, block->disk, block->sector);

	return trail->disk == block->disk && trail->sector == block->sector && trail->written_ns
		       ? trail
		       : NULL;
}

/*
 * When that was written, or else what the disk got last. Several streams of
 * write-back interleave, each going on where it stopped.
 */
static uint64_t anchor_of(struct pipeline *p, const struct block_event *block)
{
	const struct trail *trail = trail_to(p, block);

	return trail ? trail->written_ns : p->anchor_ns;
}

static void leave_trail(struct pipeline *p, const struct block_event *block, uint64_t written_ns,
			uint32_t last)
{
	uint64_t end = block->sector + block->sectors;

	p->anchor_ns = written_ns;
	*trail_at(p, block->disk, end) = (struct trail){
		.sector = end,
		.written_ns = written_ns,
		.index = last ? WRITTEN_AT(p, last)->index : OFFSET_UNKNOWN,
		.disk = block->disk,
		.file = last ? WRITTEN_AT(p, last)->file : 0,
	};
}

/* The entry that goes on, with zeros, where the trail stopped. */
static uint32_t along_trail(struct pipeline *p, const struct trail *trail)
{
	uint32_t node;

	if (!trail || trail->index == OFFSET_UNKNOWN)
		return 0;
	node = written_find(p, trail->file, trail->index + 1);
	return node && WRITTEN_AT(p, node)->state == WRITTEN_LIVE &&
			       WRITTEN_AT(p, node)->summed.sum == p->zero_sum
		       ? node
		       : 0;
}

/*
 * Zeros by themselves say nothing: the rest of a Btrfs node is zeros, too. They
 * are a file's where a neighbour speaks for them, also one that came before, or where nothing in the request
 * is of unknown content and it is their turn.
 */
static void match_zeros(struct pipeline *p, const struct block_event *block, uint32_t *match,
			uint64_t anchor_ns)
{
	const struct words *sums = &block->sums;
	bool foreign = false;

	for (uint32_t i = 0; i < sums->count; i++)
		foreign |= !match[i] && sums->at[i] != p->zero_sum;
	for (uint32_t i = 0; i < sums->count; i++) {
		if (match[i] || sums->at[i] != p->zero_sum || p->logged[i])
			continue;
		if (i)
			match[i] =
				written_take(p, beside_or_unseen(p, match[i - 1], 1, p->zero_sum));
		else
			match[i] = written_take(p, along_trail(p, trail_to(p, block)));
		if (!match[i] && !foreign)
			match[i] = written_take(p, any(p, p->zero_sum, anchor_ns));
	}
}

/* What a program gave a class for, of a disk that it uses raw: content and place are the same. */
static uint32_t at_its_place(struct pipeline *p, const struct block_event *block, uint32_t chunk)
{
	uint64_t index = block->sector / SECTORS_PER_CHUNK + chunk, sum = block->sums.at[chunk];
	uint32_t node;

	if (block->sector % SECTORS_PER_CHUNK || sum == SUM_UNKNOWN)
		return 0;
	for (uint32_t i = 0; i < p->raw_count && i < RAW_DISKS_MAX; i++)
		for (node = written_find(p, p->raw_disks[i], index); node;
		     node = WRITTEN_AT(p, node)->chunk.next)
			if (WRITTEN_AT(p, node)->summed.sum == sum &&
			    WRITTEN_AT(p, node)->state != WRITTEN_TAKEN)
				return node;
	return 0;
}

/* First what is certain, then what its neighbours speak for, then what is likely. */
static void match_chunks(struct pipeline *p, const struct block_event *block, uint32_t *match)
{
	const struct words *sums = &block->sums;
	uint64_t anchor_ns = anchor_of(p, block);
	uint32_t count = sums->count;

	sums_prefetch(&p->live_sums, sums);
	sums_prefetch_nodes(&p->live_sums, &p->written, sums);
	for (uint32_t i = 0; i < count; i++)
		match[i] = written_take(p, at_its_place(p, block, i));
	for (uint32_t i = 0; i < count; i++)
		if (!match[i] && sums->at[i] != p->zero_sum)
			match[i] = written_take(p, only_one(p, sums->at[i]));
	for (uint32_t i = count - 1; i--;)
		if (!match[i])
			match[i] =
				written_take(p, beside_or_unseen(p, match[i + 1], -1, sums->at[i]));
	for (uint32_t i = 0; i < count; i++) {
		if (!match[i] && i)
			match[i] =
				written_take(p, beside_or_unseen(p, match[i - 1], 1, sums->at[i]));
		if (!match[i] && sums->at[i] != p->zero_sum)
			match[i] = written_take(p, any(p, sums->at[i], anchor_ns));
		if (match[i])
			anchor_ns = WRITTEN_AT(p, match[i])->time_ns;
	}
	journal_find(p, block, match, p->logged);
	match_zeros(p, block, match, anchor_ns);
	leave_trail(p, block, anchor_ns, match[count - 1]);
}

/* Do the matches on both sides belong to one run of a file, with room for what is between? */
static bool inside_run(struct pipeline *p, uint32_t left, uint32_t right, uint32_t distance)
{
	const struct written *l, *r;

	if (!left || !right)
		return false;
	l = WRITTEN_AT(p, left);
	r = WRITTEN_AT(p, right);
	return l->file == r->file && l->index != OFFSET_UNKNOWN && r->index != OFFSET_UNKNOWN &&
	       r->index == l->index + distance;
}

/* A chunk that lies in a page of a mapped file, whatever its content. */
static bool hint_frame(struct pipeline *p, const struct block_event *block, uint32_t chunk)
{
	uint32_t frame = frame_written(p, frame_of_chunk(&block->frames, &block->sums, chunk));

	if (!frame)
		return false;
	hint_data(p, block->disk, block->id, chunk, CHUNK_DATA, REASON_FRAME,
		  FRAME_AT(p, frame)->file, FRAME_AT(p, frame)->index);
	frame_hinted(p, frame);
	return true;
}

/* Chunks [from, until), which nothing matched. */
static void hint_gap(struct pipeline *p, const struct block_event *block, const uint32_t *match,
		     uint32_t from, uint32_t until)
{
	uint32_t left = from ? match[from - 1] : 0;
	uint32_t right = until < block->sums.count ? match[until] : 0;
	bool inside = inside_run(p, left, right, until - from + 1);

	for (uint32_t i = from; i < until; i++) {
		if (p->logged[i])
			hint_journal(p, block->disk, block->id, i);
		else if (hint_frame(p, block, i))
			continue;
		else if (inside)
			hint_data(p, block->disk, block->id, i, CHUNK_DATA, REASON_NEIGHBOUR,
				  WRITTEN_AT(p, left)->file,
				  WRITTEN_AT(p, left)->index + (i - from) + 1);
		else if (block->sums.at[i] != SUM_UNKNOWN)
			hint_metadata(p, block->disk, block->id, i);
	}
}

static void hint_match(struct pipeline *p, const struct block_event *block, uint32_t chunk,
		       uint32_t node)
{
	const struct written *w = WRITTEN_AT(p, node);
	bool seen = w->summed.sum != SUM_UNKNOWN;

	if (w->given != CLASS_UNDECIDED) {
		hint_given(p, block->disk, block->id, chunk, w->given, w->file,
			   w->index == OFFSET_UNKNOWN ? 0 : w->index);
		return;
	}
	if (w->chunk.next)
		sums_prefetch(&p->remembered_sums,
			      &(struct words){&WRITTEN_AT(p, w->chunk.next)->summed.sum, 1});
	hint_data(p, block->disk, block->id, chunk, CHUNK_DATA,
		  seen ? REASON_WRITE_CHECKSUM : REASON_NEIGHBOUR, w->file,
		  w->index == OFFSET_UNKNOWN ? 0 : w->index);
	/* What was cut off is of the size that the file had before. */
	hint_refine(p, w->file, w->apart ? w->time_ns - 1 : p->now_ns, dedup_of_written(p, w));
}

/* What is at the request's places from now on. */
static void note_places(struct pipeline *p, const struct block_event *block, const uint32_t *match)
{
	uint64_t sector = block->sector;

	for (uint32_t i = 0; i < block->sums.count; i++, sector += SECTORS_PER_CHUNK) {
		const struct written *w = match[i] ? WRITTEN_AT(p, match[i]) : NULL;

		stored_note(p, block->disk, sector, block->sums.at[i], w ? w->file : 0,
			    w ? w->index : 0);
	}
}

static int make_room(struct pipeline *p, uint32_t count)
{
	uint32_t *match;
	bool *logged;

	if (count <= p->match_room)
		return 0;
	match = realloc(p->match, count * sizeof(*match));
	p->match = match ? match : p->match;
	logged = realloc(p->logged, count * sizeof(*logged));
	p->logged = logged ? logged : p->logged;
	if (!match || !logged) {
		p->out_of_memory = true;
		return -1;
	}
	p->match_room = count;
	return 0;
}

void write_issued(struct pipeline *p, const struct event *event)
{
	const struct block_event *block = &event->block;
	uint32_t count = block->sums.count, from = 0;

	if (!count || make_room(p, count))
		return;
	match_chunks(p, block, p->match);
	for (uint32_t i = 0; i < count; i++) {
		if (!p->match[i])
			continue;
		hint_gap(p, block, p->match, from, i);
		hint_match(p, block, i, p->match[i]);
		from = i + 1;
	}
	hint_gap(p, block, p->match, from, count);
	note_places(p, block, p->match);
	for (uint32_t i = 0; i < count; i++)
		if (p->match[i])
			written_consume(p, p->match[i]);
}
