/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What calls wrote and the disk has not seen yet (paper, 3.4.1).
 *
 * A multiset by checksum whose entries belong to (file, chunk). A chunk that is
 * written again keeps what it held before as "replaced" for a while: that may
 * be on its way to the disk already, and comes back if the call fails. A chunk
 * that was matched after it had been rewritten may come once more: its page was
 * dirtied again while the disk took the new content for the old. What was cut
 * off or unlinked may be in a request that was submitted before and arrives
 * afterwards. All three are remembered in bounded number, and looked at only
 * where no live entry fits.
 */
#include "sim/pipeline/application.h"
#include "sim/pipeline/copying.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/sums.h"
#include "sim/pipeline/written.h"

/* Replaced, matched and dropped entries are a small matter: 64 Ki of each are 5 MB. */
#define REMEMBERED_MAX 65536u
/*
 * How long a request may be under way before the recorder sees it. Host recorder,
 * Linux 6.18, from the bio's submission to the virtual disk: 12 ms at most with
 * varmail on Btrfs, 290 ms at most in the midst of 550,000 chunks on ext4.
 */
#define UNDER_WAY_NS   1000000000u
/* How many older contents of one chunk are kept: more are never in flight. */
#define REPLACED_MAX   4

#define BY_AGE	offsetof(struct written, by_age)
#define OF_FILE offsetof(struct written, of_file)

static uint32_t chunk_hash(uint32_t file, uint64_t index)
{
	return hash_words(index, file);
}

/* The newest entry of the chunk. */
uint32_t written_find(struct pipeline *p, uint32_t file, uint64_t index)
{
	uint32_t node;

	table_for_each(&p->by_chunk, chunk_hash(file, index), at,
		       node) if (WRITTEN_AT(p, node)->index == index &&
				 WRITTEN_AT(p, node)->file == file) break;
	return node;
}

static struct table *sums_of(struct pipeline *p, const struct written *w)
{
	return w->state == WRITTEN_LIVE ? &p->live_sums : &p->remembered_sums;
}

static struct list *age_list_of(struct pipeline *p, const struct written *w)
{
	if (w->state == WRITTEN_LIVE)
		return &p->live;
	return w->state == WRITTEN_DROPPED ? &p->dropped : &p->remembered;
}

/* Leaves the checksum table and the age list. */
static void detach(struct pipeline *p, uint32_t node)
{
	struct written *w = WRITTEN_AT(p, node);

	if (w->state == WRITTEN_TAKEN)
		return;
	if (w->summed.sum != SUM_UNKNOWN)
		sums_remove(sums_of(p, w), &p->written, node);
	list_remove(age_list_of(p, w), &p->written, BY_AGE, node);
}

static int attach(struct pipeline *p, uint32_t node, enum written_state state)
{
	struct written *w = WRITTEN_AT(p, node);

	w->state = state;
	if (w->summed.sum != SUM_UNKNOWN && sums_add(p, sums_of(p, w), &p->written, node))
		return -1;
	list_append(age_list_of(p, w), &p->written, BY_AGE, node);
	return 0;
}

static void leave_chain(struct pipeline *p, uint32_t node)
{
	const struct written *w = WRITTEN_AT(p, node);
	uint32_t hash = chunk_hash(w->file, w->index);

	if (w->chunk.next)
		WRITTEN_AT(p, w->chunk.next)->chunk.previous = w->chunk.previous;
	if (w->chunk.previous)
		WRITTEN_AT(p, w->chunk.previous)->chunk.next = w->chunk.next;
	else if (w->chunk.next)
		table_replace(&p->by_chunk, hash, node, w->chunk.next);
	else
		table_remove(&p->by_chunk, hash, node);
}

/* Leaves everything but the sums and the age list; the file may have to be settled. */
static void discard(struct pipeline *p, uint32_t node)
{
	struct written *w = WRITTEN_AT(p, node);

	if (w->apart) {
		FILE_AT(p, w->file)->holders--;
	} else {
		if (w->index != OFFSET_UNKNOWN)
			leave_chain(p, node);
		list_remove(&FILE_AT(p, w->file)->written, &p->written, OF_FILE, node);
	}
	pool_give(&p->written, node);
}

static void forget(struct pipeline *p, uint32_t node)
{
	detach(p, node);
	discard(p, node);
}

static void forget_older(struct pipeline *p, uint32_t node)
{
	uint32_t older = WRITTEN_AT(p, node)->chunk.next, next;

	for (; older; older = next) {
		next = WRITTEN_AT(p, older)->chunk.next;
		if (WRITTEN_AT(p, older)->state != WRITTEN_TAKEN)
			forget(p, older);
	}
}

static void change_state(struct pipeline *p, uint32_t node, enum written_state state)
{
	detach(p, node);
	WRITTEN_AT(p, node)->time_ns = p->now_ns;
	if (attach(p, node, state))
		discard(p, node);
}

/* Replaced or matched: kept until too many newer ones are. */
static void remember(struct pipeline *p, uint32_t node, enum written_state state)
{
	uint32_t first;

	change_state(p, node, state);
	first = p->remembered.first;
	if (p->remembered.count > REMEMBERED_MAX && first != node) {
		uint32_t file = WRITTEN_AT(p, first)->file;

		forget(p, first);
		file_settle(p, file);
	}
}

/* The chunk's newest entry is replaced by what comes next; its own past is cut short. */
static bool replace(struct pipeline *p, uint32_t newest)
{
	struct written *w = WRITTEN_AT(p, newest);
	uint32_t last = newest;
	bool unseen = w->state != WRITTEN_MATCHED;

	if (w->state == WRITTEN_LIVE) {
		p->counters.chunks_rewritten++;
		remember(p, newest, WRITTEN_REPLACED);
	}
	for (int kept = 1; kept < REPLACED_MAX && last; kept++)
		last = WRITTEN_AT(p, last)->chunk.next;
	if (last)
		forget_older(p, last);
	return unseen;
}

static void enter_chain(struct pipeline *p, uint32_t node, uint32_t newest)
{
	struct written *w = WRITTEN_AT(p, node);
	uint32_t hash = chunk_hash(w->file, w->index);

	if (!newest) {
		if (add_node(p, &p->by_chunk, hash, node))
			w->index = OFFSET_UNKNOWN;
		return;
	}
	w->chunk.next = newest;
	WRITTEN_AT(p, newest)->chunk.previous = node;
	table_replace(&p->by_chunk, hash, newest, node);
}

static void add(struct pipeline *p, uint32_t file, uint64_t index, uint64_t sum, uint64_t call)
{
	uint32_t newest = index == OFFSET_UNKNOWN ? 0 : written_find(p, file, index);
	uint32_t node = take_node(p, &p->written);
	struct written *w;

	if (!node)
		return;
	w = WRITTEN_AT(p, node);
	*w = (struct written){.summed.sum = sum,
			      .index = index,
			      .time_ns = p->now_ns,
			      .call = call,
			      .file = file,
			      .origin = origin_of(p, file, sum),
			      .given = application_written(p, file)};
	if (attach(p, node, WRITTEN_LIVE)) {
		pool_give(&p->written, node);
		return;
	}
	list_append(&FILE_AT(p, file)->written, &p->written, OF_FILE, node);
	if (index == OFFSET_UNKNOWN)
		return;
	if (newest)
		w->rewritten = replace(p, newest);
	enter_chain(p, node, newest ? written_find(p, file, index) : 0);
}

void written_add(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums,
		 uint64_t call)
{
	uint64_t first = offset == OFFSET_UNKNOWN ? 0 : offset / CHUNK_BYTES;

	sums_prefetch(&p->live_sums, sums);
	copying_prefetch(p, sums);
	for (uint32_t i = 0; i < sums->count; i++)
		table_prefetch(&p->by_chunk, chunk_hash(file, first + i));
	for (uint32_t i = 0; i < sums->count; i++) {
		p->counters.chunks_without_sum += sums->at[i] == SUM_UNKNOWN;
		add(p, file, offset == OFFSET_UNKNOWN ? OFFSET_UNKNOWN : first + i, sums->at[i],
		    call);
	}
	p->counters.chunks_written += sums->count;
	if (p->live.count > p->counters.live_peak)
		p->counters.live_peak = p->live.count;
}

static void undo(struct pipeline *p, uint32_t file, uint64_t index, uint64_t call)
{
	uint32_t node = written_find(p, file, index), newest;
	bool was_newest;

	while (node && WRITTEN_AT(p, node)->call != call)
		node = WRITTEN_AT(p, node)->chunk.next;
	if (!node)
		return;
	was_newest = !WRITTEN_AT(p, node)->chunk.previous;
	forget(p, node);
	p->counters.chunks_dropped++;
	newest = was_newest ? written_find(p, file, index) : 0;
	if (newest && WRITTEN_AT(p, newest)->state == WRITTEN_REPLACED) {
		p->counters.chunks_rewritten--;
		change_state(p, newest, WRITTEN_LIVE);
	}
}

void written_undo(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until, uint64_t call)
{
	for (uint64_t index = from; index < until; index++)
		undo(p, file, index, call);
}

void written_shorten(struct pipeline *p, const struct announcement *announced, uint64_t bytes)
{
	uint64_t first = announced->offset / CHUNK_BYTES, end = announced->offset + bytes;
	uint64_t until = first + announced->chunks, from;
	bool all_announced = chunk_after(announced->offset + announced->requested) == until;

	if (!announced->chunks || announced->offset == OFFSET_UNKNOWN)
		return;
	from = bytes && chunk_after(end) > first ? chunk_after(end) : first;
	/* The chunk where a shortened write ends is not the one that was announced. */
	if (bytes && end % CHUNK_BYTES && from > first && (from < until || all_announced))
		from--;
	written_undo(p, announced->file, from, until, announced->call);
}

/* From now on it is no chunk of its file any more, which only its hint will name. */
static void set_apart(struct pipeline *p, uint32_t node)
{
	struct written *w = WRITTEN_AT(p, node);

	if (w->index != OFFSET_UNKNOWN)
		leave_chain(p, node);
	list_remove(&FILE_AT(p, w->file)->written, &p->written, OF_FILE, node);
	FILE_AT(p, w->file)->holders++;
	w->chunk = (struct link){0};
	w->apart = true;
}

/* Content that says something may be on its way; of zeros nobody could tell whose they are. */
static void drop(struct pipeline *p, uint32_t node)
{
	const struct written *w = WRITTEN_AT(p, node);
	bool live = w->state == WRITTEN_LIVE;

	p->counters.chunks_dropped += live;
	if (!live || w->summed.sum == SUM_UNKNOWN || w->summed.sum == p->zero_sum ||
	    p->dropped.count >= REMEMBERED_MAX) {
		forget(p, node);
		return;
	}
	set_apart(p, node);
	change_state(p, node, WRITTEN_DROPPED);
}

static void drop_chunk(struct pipeline *p, uint32_t file, uint64_t index)
{
	uint32_t node;

	while ((node = written_find(p, file, index)))
		drop(p, node);
}

/* By the chunks or by the file's entries, whichever are fewer. */
void written_drop(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until)
{
	const struct list *written = &FILE_AT(p, file)->written;
	uint32_t next;

	if (until <= from)
		return;
	if (until - from < written->count) {
		for (uint64_t index = from; index < until; index++)
			drop_chunk(p, file, index);
		return;
	}
	for (uint32_t node = written->first; node; node = next) {
		const struct written *w = WRITTEN_AT(p, node);

		next = w->of_file.next;
		if (w->index >= from && (w->index < until || until == UINT64_MAX))
			drop(p, node);
	}
}

void written_drop_before(struct pipeline *p, uint32_t file, uint64_t time_ns)
{
	uint32_t next;

	for (uint32_t node = FILE_AT(p, file)->written.first; node; node = next) {
		next = WRITTEN_AT(p, node)->of_file.next;
		if (WRITTEN_AT(p, node)->time_ns < time_ns)
			drop(p, node);
	}
}

void written_blur(struct pipeline *p, uint32_t file, uint64_t index)
{
	add(p, file, index, SUM_UNKNOWN, 0);
}

static void expire(struct pipeline *p, struct list *list, uint64_t age_ns, uint64_t *count)
{
	while (list->first) {
		uint32_t node = list->first, file = WRITTEN_AT(p, node)->file;

		if (WRITTEN_AT(p, node)->time_ns + age_ns > p->now_ns)
			return;
		forget(p, node);
		file_settle(p, file);
		(*count)++;
	}
}

void written_make_room(struct pipeline *p, uint32_t entries)
{
	while (p->live.first && p->written.count > entries) {
		uint32_t node = p->live.first, file = WRITTEN_AT(p, node)->file;

		forget(p, node);
		file_settle(p, file);
		p->counters.chunks_given_up++;
	}
}

void written_expire(struct pipeline *p)
{
	uint64_t forgotten = 0;

	expire(p, &p->live, p->options.write_age_ns, &p->counters.chunks_aged);
	expire(p, &p->remembered, p->options.write_age_ns, &forgotten);
	expire(p, &p->dropped, UNDER_WAY_NS, &forgotten);
}

/* Out of the tables, so that nothing else takes it; still there for its neighbours to see. */
uint32_t written_take(struct pipeline *p, uint32_t node)
{
	struct written *w;

	if (!node)
		return 0;
	detach(p, node);
	w = WRITTEN_AT(p, node);
	table_prefetch(&p->by_chunk, chunk_hash(w->file, w->index)); /* it will leave */
	if (w->chunk.next)
		__builtin_prefetch(WRITTEN_AT(p, w->chunk.next)); /* and what it replaced */
	/* Rewritten it was, but not before the disk saw it. */
	p->counters.chunks_rewritten -= w->state == WRITTEN_REPLACED;
	p->counters.chunks_dropped -= w->state == WRITTEN_DROPPED;
	p->counters.chunks_matched_again += w->state == WRITTEN_MATCHED;
	w->rewritten &= w->state == WRITTEN_LIVE;
	w->state = WRITTEN_TAKEN;
	return node;
}

/* XFS dirties the chunk that holds the end of a file again when the file grows beyond it. */
static bool holds_end(struct pipeline *p, const struct written *w)
{
	uint64_t size = file_size(FILE_AT(p, w->file));

	return size != SIZE_UNKNOWN && size % CHUNK_BYTES && size / CHUNK_BYTES == w->index;
}

void written_may_return(struct pipeline *p, uint32_t file, uint64_t offset,
			const struct words *sums)
{
	uint64_t size = file_size(FILE_AT(p, file));
	uint64_t end = size / CHUNK_BYTES, first = offset / CHUNK_BYTES;
	uint32_t node;

	if (size == SIZE_UNKNOWN || !(size % CHUNK_BYTES) || end < first ||
	    end - first >= sums->count || written_find(p, file, end))
		return;
	add(p, file, end, sums->at[end - first], 0);
	node = written_find(p, file, end);
	if (node)
		remember(p, node, WRITTEN_MATCHED);
}

void written_seen(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums)
{
	for (uint32_t i = 0; i < sums->count; i++) {
		const struct words sum = {.at = sums->at + i, .count = 1};
		uint64_t index = offset / CHUNK_BYTES + i;
		uint32_t newest = written_find(p, file, index);
		const struct written *w = newest ? WRITTEN_AT(p, newest) : NULL;

		if (*sum.at == SUM_UNKNOWN ||
		    (w && w->state == WRITTEN_LIVE && w->summed.sum == *sum.at))
			continue;
		written_add(p, file, index * CHUNK_BYTES, &sum, 0);
		observe_write(p, file, index * CHUNK_BYTES, CHUNK_BYTES, SIZE_UNKNOWN);
	}
}

/* The disk has it: what it replaced is history, and so is the entry, but for a second coming. */
void written_consume(struct pipeline *p, uint32_t node)
{
	struct written *w = WRITTEN_AT(p, node);
	uint32_t file = w->file;

	if (w->index != OFFSET_UNKNOWN && !w->apart)
		forget_older(p, node);
	if (w->summed.sum != SUM_UNKNOWN && !w->apart && (w->rewritten || holds_end(p, w))) {
		w->rewritten = false;
		remember(p, node, WRITTEN_MATCHED);
	} else {
		discard(p, node);
	}
	file_settle(p, file);
}
