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
 *
 * A request's chunks are decided together, so that equal content goes to the
 * file that its neighbours belong to. What no call wrote is metadata, unless
 * both neighbours show that it lies inside a file's run.
 */
#include <stdlib.h>

#include "sim/pipeline/state.h"

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
/* How many entries of equal content are looked at for the likeliest. */
#define CANDIDATES_MAX 16

#define BY_AGE	offsetof(struct written, by_age)
#define OF_FILE offsetof(struct written, of_file)

static uint32_t chunk_hash(uint32_t file, uint64_t index)
{
	return hash_words(index, file);
}

/* The newest entry of the chunk. */
static uint32_t find_chunk(struct pipeline *p, uint32_t file, uint64_t index)
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
	uint32_t newest = index == OFFSET_UNKNOWN ? 0 : find_chunk(p, file, index);
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
	enter_chain(p, node, newest ? find_chunk(p, file, index) : 0);
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
	uint32_t node = find_chunk(p, file, index), newest;
	bool was_newest;

	while (node && WRITTEN_AT(p, node)->call != call)
		node = WRITTEN_AT(p, node)->chunk.next;
	if (!node)
		return;
	was_newest = !WRITTEN_AT(p, node)->chunk.previous;
	forget(p, node);
	p->counters.chunks_dropped++;
	newest = was_newest ? find_chunk(p, file, index) : 0;
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

	while ((node = find_chunk(p, file, index)))
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
	for (node = find_chunk(p, n->file, n->index + step); node;
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

/* Out of the tables, so that nothing else takes it; still there for its neighbours to see. */
static uint32_t take(struct pipeline *p, uint32_t node)
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

static uint32_t only_one(struct pipeline *p, uint64_t sum)
{
	uint32_t node = sum == SUM_UNKNOWN ? 0 : sums_find(&p->live_sums, &p->written, sum);

	return node && WRITTEN_AT(p, node)->summed.same.next == node ? node : 0;
}

enum expectation { NOTHING, ZEROS, CONTENT };

/* What is to come to the disk of that chunk. */
static enum expectation expected(struct pipeline *p, uint32_t file, uint64_t index)
{
	uint32_t node = find_chunk(p, file, index);

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
	node = find_chunk(p, trail->file, trail->index + 1);
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
			match[i] = take(p, beside_or_unseen(p, match[i - 1], 1, p->zero_sum));
		else
			match[i] = take(p, along_trail(p, trail_to(p, block)));
		if (!match[i] && !foreign)
			match[i] = take(p, any(p, p->zero_sum, anchor_ns));
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
		for (node = find_chunk(p, p->raw_disks[i], index); node;
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
		match[i] = take(p, at_its_place(p, block, i));
	for (uint32_t i = 0; i < count; i++)
		if (!match[i] && sums->at[i] != p->zero_sum)
			match[i] = take(p, only_one(p, sums->at[i]));
	for (uint32_t i = count - 1; i--;)
		if (!match[i])
			match[i] = take(p, beside_or_unseen(p, match[i + 1], -1, sums->at[i]));
	for (uint32_t i = 0; i < count; i++) {
		if (!match[i] && i)
			match[i] = take(p, beside_or_unseen(p, match[i - 1], 1, sums->at[i]));
		if (!match[i] && sums->at[i] != p->zero_sum)
			match[i] = take(p, any(p, sums->at[i], anchor_ns));
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
	uint64_t number = chunk < block->frames.count ? block->frames.at[chunk] : 0;
	uint32_t frame = number ? frame_find(p, number) : 0;

	if (!frame || !FRAME_AT(p, frame)->file)
		return false;
	hint_data(p, block->disk, block->id, chunk, CHUNK_DATA, REASON_FRAME,
		  FRAME_AT(p, frame)->file, FRAME_AT(p, frame)->index);
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
	    end - first >= sums->count || find_chunk(p, file, end))
		return;
	add(p, file, end, sums->at[end - first], 0);
	node = find_chunk(p, file, end);
	if (node)
		remember(p, node, WRITTEN_MATCHED);
}

void written_seen(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums)
{
	for (uint32_t i = 0; i < sums->count; i++) {
		const struct words sum = {.at = sums->at + i, .count = 1};
		uint64_t index = offset / CHUNK_BYTES + i;
		uint32_t newest = find_chunk(p, file, index);
		const struct written *w = newest ? WRITTEN_AT(p, newest) : NULL;

		if (*sum.at == SUM_UNKNOWN ||
		    (w && w->state == WRITTEN_LIVE && w->summed.sum == *sum.at))
			continue;
		written_add(p, file, index * CHUNK_BYTES, &sum, 0);
		observe_write(p, file, index * CHUNK_BYTES, CHUNK_BYTES, SIZE_UNKNOWN);
	}
}

/* The disk has it: what it replaced is history, and so is the entry, but for a second coming. */
static void consume(struct pipeline *p, uint32_t node)
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

void written_to_disk(struct pipeline *p, const struct event *event)
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
	for (uint32_t i = 0; i < count; i++)
		if (p->match[i])
			consume(p, p->match[i]);
}
