/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block event is held until the hints that came with it have been seen (those
 * of the same event: a write's class is known when it is issued). Then it
 * is split and referenced. A hint that comes later finds its chunk in the
 * table of undecided chunks. Nothing uses a hint before the event that made
 * it known.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache_input.h"
#include "capture/source.h"
#include "common/error.h"

/* A longer request is no request but a damaged trace: 1 GiB. */
#define REQUEST_SECTORS_MAX (1u << 21)
#define REQUEST_CHUNKS_MAX  (REQUEST_SECTORS_MAX / SECTORS_PER_CHUNK + 1)
/* A block's key: the disk above, its number on the disk below. */
#define DISK_SHIFT	    52
#define DISK_MAX	    ((1u << (64 - DISK_SHIFT)) - 1)

#define FIRST_INTERVAL_NS 1000000u
#define EXPECT_AHEAD	  8

static void flush_feeds(struct cache_input *in)
{
	for (int mode = 0; mode < HINT_MODES; mode++)
		if (in->feed[mode])
			feed_flush(in->feed[mode]);
}

static void thin_out(struct cache_input *in)
{
	struct timeline *t = &in->timeline;

	flush_feeds(in);
	for (int mode = 0; mode < HINT_MODES; mode++)
		for (size_t i = 0; in->feed[mode] && i < in->feed[mode]->run_count; i++)
			cache_run_thin_out(&in->feed[mode]->runs[i]);
	t->samples = SAMPLES_MAX / 2;
	for (uint32_t i = 1; i < t->samples; i++)
		t->time_ns[i] = t->time_ns[2 * i];
	t->interval_ns *= 2;
	t->next_ns = t->time_ns[t->samples - 1] + t->interval_ns;
}

static void sample(struct cache_input *in)
{
	struct timeline *t = &in->timeline;

	t->time_ns[t->samples] = t->last_ns;
	for (int mode = 0; mode < HINT_MODES; mode++)
		if (in->feed[mode])
			feed_sample(in->feed[mode], t->samples);
	t->samples++;
	t->next_ns = t->last_ns + t->interval_ns;
}

/* Time is that of the next request; one that is earlier than another before it counts as that. */
static void pass_time(struct cache_input *in, uint64_t time_ns)
{
	struct timeline *t = &in->timeline;

	if (time_ns > t->last_ns)
		t->last_ns = time_ns;
	if (t->samples && t->last_ns < t->next_ns)
		return;
	if (t->samples == SAMPLES_MAX)
		thin_out(in);
	if (t->last_ns >= t->next_ns)
		sample(in);
}

/* At the end, in the place of a sample of the same time. */
static void sample_last(struct cache_input *in)
{
	struct timeline *t = &in->timeline;

	if (!t->samples)
		return;
	if (t->time_ns[t->samples - 1] == t->last_ns)
		t->samples--;
	else if (t->samples == SAMPLES_MAX)
		thin_out(in);
	sample(in);
}

/* A part of the held request that is one reference. */
struct piece {
	uint64_t block;
	uint32_t chunk, sectors;
};

static void refer_undecided(struct cache_input *in, struct cache_feed *feed, struct block_ref *ref,
			    const struct piece *piece)
{
	const struct undecided_chunk chunk = {in->held.disk, piece->chunk, in->held.id};
	uint32_t place = undecided_add(in->undecided, &chunk, piece->block, piece->sectors,
				       tag_of(ref->write, CLASS_UNDECIDED));

	feed_reference(feed, ref, CLASS_UNDECIDED, piece->sectors, place);
}

bool cache_input_has_evidence(const struct cache_input *in, enum hint_mode mode)
{
	if (mode == HINTS_SKY)
		return in->own_hints || pipeline_has_evidence(in->pipeline);
	return mode == HINTS_TRUTH && in->truths;
}

static void refer(struct cache_input *in, struct cache_feed *feed, const struct piece *piece)
{
	const uint8_t *classes = feed->mode == HINTS_SKY ? in->sky_class : in->truth_class;
	uint8_t known = feed->mode == HINTS_NONE ? CLASS_UNDECIDED : classes[piece->chunk];
	struct block_ref ref = {
		.block = piece->block,
		.io_class = known,
		.write = in->held.op == BLOCK_WRITE,
	};

	/* what the block was is gone, and what it is nobody knew in time */
	if (known == CLASS_UNDECIDED && ref.write && cache_input_has_evidence(in, feed->mode))
		ref.io_class = CLASS_REST;
	if (feed->mode == HINTS_SKY && known == CLASS_UNDECIDED) {
		refer_undecided(in, feed, &ref, piece);
		return;
	}
	if (feed->mode == HINTS_SKY)
		undecided_supersede(in->undecided, piece->block);
	feed_reference(feed, &ref, known, piece->sectors, UNDECIDED_NONE);
}

static uint64_t key(const struct held_request *held, uint64_t address)
{
	return (uint64_t)held->disk << DISK_SHIFT | address;
}

static void refer_blocks(struct cache_input *in, struct cache_feed *feed)
{
	const struct held_request *h = &in->held;
	uint64_t end = h->sector + h->sectors, sector = h->sector, next;
	struct piece piece = {0};

	for (; sector < end; sector = next, piece.chunk++) {
		next = (sector / SECTORS_PER_CHUNK + 1) * SECTORS_PER_CHUNK;
		if (next > end)
			next = end;
		piece.block = key(h, sector / SECTORS_PER_CHUNK);
		piece.sectors = next - sector;
		refer(in, feed, &piece);
	}
}

static void refer_start(struct cache_input *in, struct cache_feed *feed)
{
	const struct held_request *h = &in->held;

	refer(in, feed, &(struct piece){.block = key(h, h->sector), .sectors = h->sectors});
}

static void remove_blocks(struct cache_input *in, struct cache_feed *feed)
{
	const struct held_request *h = &in->held;
	uint64_t first = (h->sector + SECTORS_PER_CHUNK - 1) / SECTORS_PER_CHUNK;
	uint64_t end = (h->sector + h->sectors) / SECTORS_PER_CHUNK;

	if (first < end)
		feed_remove(feed, key(h, first), end - first);
}

static void remove_starts(struct cache_input *in, struct cache_feed *feed)
{
	const struct held_request *h = &in->held;

	feed_remove(feed, key(h, h->sector), h->sectors);
}

/* What the granularities make of a request: which keys it has, how it is fed. */
static const struct granularity_ops {
	uint64_t sectors_per_key;
	bool whole_request; /* one key, whatever the length */
	void (*refer)(struct cache_input *in, struct cache_feed *feed);
	void (*remove)(struct cache_input *in, struct cache_feed *feed);
} granularities[] = {
	[GRANULARITY_4K] = {SECTORS_PER_CHUNK, false, refer_blocks, remove_blocks},
	[GRANULARITY_START] = {1, true, refer_start, remove_starts},
};

static bool is_access(uint8_t op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE;
}

static int check_request(const struct cache_input *in, const struct block_event *block)
{
	const struct granularity_ops *g = &granularities[in->granularity];

	if (block->disk > DISK_MAX)
		return fail("request %" PRIu64 " is to disk %u; no more than %u can be simulated",
			    block->id, block->disk, DISK_MAX + 1);
	if ((block->sector + block->sectors) / g->sectors_per_key >> DISK_SHIFT)
		return fail("request %" PRIu64 " at sector %" PRIu64 " is beyond what can be "
			    "simulated",
			    block->id, block->sector);
	if (is_access(block->op) && block->sectors > REQUEST_SECTORS_MAX)
		return fail("request %" PRIu64 " has %u sectors, more than any request (1 GiB): "
			    "the trace is damaged",
			    block->id, block->sectors);
	return 0;
}

static int count_distinct(struct cache_input *in, const struct block_event *block)
{
	const struct granularity_ops *g = &granularities[in->granularity];
	const struct held_request at = {.disk = block->disk};
	uint64_t first = block->sector / g->sectors_per_key;
	uint64_t last = (block->sector + block->sectors - 1) / g->sectors_per_key;

	if (!is_access(block->op) || !block->sectors)
		return 0;
	if (block_set_add(&in->distinct, key(&at, first), g->whole_request ? 1 : last - first + 1))
		return fail("out of memory for the set of distinct blocks");
	return 0;
}

/* Fetches early what counting a later event of the batch will touch. */
PREFETCHING void expect(const struct cache_input *in, const struct event *event)
{
	const struct held_request at = {.disk = event->block.disk};

	if (event->kind == EVENT_BLOCK)
		block_set_expect(&in->distinct,
				 key(&at, event->block.sector /
						  granularities[in->granularity].sectors_per_key));
}

static void release_held(struct cache_input *in)
{
	const struct granularity_ops *g = &granularities[in->granularity];
	struct held_request *h = &in->held;

	if (!h->active)
		return;
	h->active = false;
	pass_time(in, h->time_ns);
	if (!h->sectors || h->op == BLOCK_FLUSH)
		return;
	in->requests += is_access(h->op);
	for (int mode = 0; mode < HINT_MODES; mode++) {
		if (!in->feed[mode])
			continue;
		if (is_access(h->op))
			g->refer(in, in->feed[mode]);
		else
			g->remove(in, in->feed[mode]);
	}
}

static uint8_t class_by_truth(const struct cache_input *in, const struct chunk_truth *truth)
{
	if (truth->what == CHUNK_METADATA)
		return CLASS_METADATA;
	if (truth->what != CHUNK_DATA)
		return CLASS_UNDECIDED;
	return size_class(&in->pipeline_options,
			  file_sizes_get(in->sizes, truth->device, truth->inode));
}

static void take_truth(struct cache_input *in, const struct event *event, uint32_t chunks)
{
	memset(in->truth_class, CLASS_UNDECIDED, chunks);
	truth_join_take(in->truth, event, in->chunk_truth);
	for (uint32_t i = 0; i < event->block.sectors / SECTORS_PER_CHUNK; i++)
		in->truth_class[i] = class_by_truth(in, &in->chunk_truth[i]);
}

static int hold(struct cache_input *in, const struct event *event)
{
	const struct block_event *block = &event->block;
	uint32_t chunks = block->sectors / SECTORS_PER_CHUNK + 2;

	if (check_request(in, block))
		return -1;
	if (in->counts_distinct && count_distinct(in, block))
		return -1;
	in->held = (struct held_request){
		.active = true,
		.op = block->op,
		.disk = block->disk,
		.sectors = block->sectors,
		.id = block->id,
		.sector = block->sector,
		.time_ns = event->time_ns,
	};
	if (!is_access(block->op))
		return 0;
	memset(in->sky_class, CLASS_UNDECIDED, chunks);
	if (in->truth)
		take_truth(in, event, chunks);
	return 0;
}

static void collect_hints(void *context, const struct event *hints, size_t count)
{
	struct cache_input *in = context;

	if (in->hint_count + count > in->hint_room) {
		size_t room = 2 * (in->hint_count + count);
		struct event *more = realloc(in->hints, room * sizeof(*more));

		if (!more) {
			in->hints_lost = true;
			return;
		}
		in->hints = more;
		in->hint_room = room;
	}
	memcpy(in->hints + in->hint_count, hints, count * sizeof(*hints));
	in->hint_count += count;
}

static void take_hint(struct cache_input *in, const struct hint_event *hint)
{
	const struct undecided_chunk chunk = {hint->disk, hint->chunk, hint->request};
	const struct held_request *h = &in->held;
	struct decided decided;

	if (!in->feed[HINTS_SKY] || hint->io_class >= CLASS_COUNT)
		return;
	if (h->active && is_access(h->op) && h->id == hint->request && h->disk == hint->disk) {
		if (hint->chunk <= h->sectors / SECTORS_PER_CHUNK)
			in->sky_class[hint->chunk] = hint->io_class;
	} else if (undecided_decide(in->undecided, &chunk, &decided)) {
		feed_decide(in->feed[HINTS_SKY], &decided, hint->io_class);
	}
}

/* The pipeline's hints that followed from events up to seq; returns how many were taken so far. */
static size_t take_hints_until(struct cache_input *in, size_t taken, uint64_t seq)
{
	while (taken < in->hint_count && in->hints[taken].seq <= seq)
		take_hint(in, &in->hints[taken++].hint);
	return taken;
}

static int take_event(struct cache_input *in, const struct event *event)
{
	if (event->kind == EVENT_HINT) {
		if (in->own_hints)
			take_hint(in, &event->hint);
		return 0;
	}
	release_held(in);
	if (event->kind == EVENT_BLOCK)
		return hold(in, event);
	if (event->kind == EVENT_TRUTH && in->truth) {
		in->truths++;
		if (truth_join_add(in->truth, event))
			return fail("out of memory for the truth");
	}
	return 0;
}

static bool any_hint(const struct event *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (events[i].kind == EVENT_HINT)
			return true;
	return false;
}

static int run_pipeline(struct cache_input *in, const struct event *events, size_t count)
{
	in->hint_count = 0;
	if (!in->pipeline)
		return 0;
	in->own_hints |= any_hint(events, count);
	if (in->own_hints)
		return 0;
	if (pipeline_feed(in->pipeline, events, count) || in->hints_lost)
		return fail("out of memory for the classification");
	return 0;
}

int cache_input_take(struct cache_input *in, const struct event *events, size_t count)
{
	size_t taken = 0;

	if (run_pipeline(in, events, count))
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (in->counts_distinct && i + EXPECT_AHEAD < count)
			expect(in, &events[i + EXPECT_AHEAD]);
		if (take_event(in, &events[i]))
			return -1;
		taken = take_hints_until(in, taken, events[i].seq);
	}
	return 0;
}

int cache_input_finish(struct cache_input *in)
{
	in->hint_count = 0;
	if (in->pipeline && !in->own_hints && (pipeline_finish(in->pipeline) || in->hints_lost))
		return fail("out of memory for the classification");
	release_held(in);
	take_hints_until(in, 0, UINT64_MAX);
	sample_last(in);
	flush_feeds(in);
	return 0;
}

static int note_file(struct cache_input *in, uint64_t device, uint64_t inode, uint64_t index,
		     uint32_t sectors)
{
	uint64_t chunks = sectors / SECTORS_PER_CHUNK;

	if (index > UINT64_MAX / CHUNK_BYTES - chunks)
		return fail("a chunk of inode %" PRIu64 " lies beyond the end of any file: the "
			    "trace is damaged",
			    inode);
	if (file_sizes_note(in->sizes, device, inode, (index + chunks) * CHUNK_BYTES))
		return fail("out of memory for the sizes of files");
	return 0;
}

int cache_input_survey(struct cache_input *in, const struct event *events, size_t count)
{
	int rc = 0;

	for (const struct event *e = events; !rc && e < events + count; e++) {
		if (e + EXPECT_AHEAD < events + count)
			expect(in, e + EXPECT_AHEAD);
		if (e->kind == EVENT_BLOCK)
			rc = check_request(in, &e->block) || count_distinct(in, &e->block);
		else if (e->kind == EVENT_TRUTH && e->truth.what == CHUNK_DATA && in->sizes)
			rc = note_file(in, e->truth.device, e->truth.inode, e->truth.index,
				       e->truth.sectors);
		else if (e->kind == EVENT_EXTENT && in->sizes)
			rc = note_file(in, e->extent.device, e->extent.inode, e->extent.index,
				       e->extent.sectors);
	}
	return rc ? -1 : 0;
}

static int make_sky(struct cache_input *in)
{
	in->pipeline = pipeline_new(&in->pipeline_options, collect_hints, in);
	in->undecided = undecided_new();
	if (!in->pipeline || !in->undecided)
		return fail("out of memory for the classification");
	return 0;
}

static int make_truth(struct cache_input *in)
{
	in->truth = truth_join_new();
	in->chunk_truth = calloc(REQUEST_CHUNKS_MAX, sizeof(*in->chunk_truth));
	in->sizes = file_sizes_new();
	if (!in->truth || !in->chunk_truth || !in->sizes)
		return fail("out of memory for the truth");
	return 0;
}

static int (*const makers[HINT_MODES])(struct cache_input *in) = {
	[HINTS_SKY] = make_sky,
	[HINTS_TRUTH] = make_truth,
};

int cache_input_use(struct cache_input *in, enum hint_mode mode)
{
	return makers[mode] ? makers[mode](in) : 0;
}

uint32_t cache_input_survey_kinds(const struct cache_input *in)
{
	uint32_t kinds = KIND_BIT(EVENT_BLOCK);

	return in->sizes ? kinds | KIND_BIT(EVENT_TRUTH) | KIND_BIT(EVENT_EXTENT) : kinds;
}

uint32_t cache_input_kinds(const struct cache_input *in)
{
	uint32_t kinds = KIND_BIT(EVENT_BLOCK);

	if (in->pipeline)
		return KINDS_ALL;
	return in->truth ? kinds | KIND_BIT(EVENT_TRUTH) : kinds;
}

int cache_input_init(struct cache_input *in, enum granularity granularity)
{
	memset(in, 0, sizeof(*in));
	in->granularity = granularity;
	in->timeline.interval_ns = FIRST_INTERVAL_NS;
	pipeline_defaults(&in->pipeline_options);
	in->sky_class = malloc(REQUEST_CHUNKS_MAX + 1);
	in->truth_class = malloc(REQUEST_CHUNKS_MAX + 1);
	if (!in->sky_class || !in->truth_class || block_set_init(&in->distinct))
		return fail("out of memory for the simulation");
	return 0;
}

void cache_input_fini(struct cache_input *in)
{
	pipeline_free(in->pipeline);
	undecided_free(in->undecided);
	truth_join_free(in->truth);
	file_sizes_free(in->sizes);
	block_set_fini(&in->distinct);
	free(in->chunk_truth);
	free(in->hints);
	free(in->sky_class);
	free(in->truth_class);
}
