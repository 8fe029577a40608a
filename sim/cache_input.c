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
#define REQUEST_SECTORS_MAX (CLASSIFIER_CHUNKS_MAX * SECTORS_PER_CHUNK)
/* A block's key: the disk above, its number on the disk below. */
#define DISK_SHIFT	    52
#define DISK_MAX	    ((1u << (64 - DISK_SHIFT)) - 1)

#define FIRST_INTERVAL_NS 1000000u
#define EXPECT_AHEAD	  8

static void flush_feeds(struct cache_input *in)
{
	for (size_t i = 0; i < in->mode_count; i++)
		feed_flush(&in->modes[i].feed);
}

static void thin_out(struct cache_input *in)
{
	struct timeline *t = &in->timeline;

	flush_feeds(in);
	for (size_t mode = 0; mode < in->mode_count; mode++)
		for (size_t i = 0; i < in->modes[mode].feed.run_count; i++)
			cache_run_thin_out(&in->modes[mode].feed.runs[i]);
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
	for (size_t i = 0; i < in->mode_count; i++)
		feed_sample(&in->modes[i].feed, t->samples);
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

static void refer_undecided(struct cache_input *in, struct hint_mode *mode, struct block_ref *ref,
			    const struct piece *piece)
{
	const struct undecided_chunk chunk = {in->held.disk, piece->chunk, in->held.id};
	uint32_t place = undecided_add(mode->undecided, &chunk, piece->block, piece->sectors,
				       tag_of(ref->op == BLOCK_WRITE, CLASS_UNDECIDED));

	feed_reference(&mode->feed, ref, CLASS_UNDECIDED, place);
}

static void refer(struct cache_input *in, struct hint_mode *mode, const struct piece *piece)
{
	uint8_t known = mode->io_class[piece->chunk];
	struct block_ref ref = {
		.block = piece->block,
		.sectors = piece->sectors,
		.op = in->held.op,
		.io_class = known,
	};

	/* what the block was is gone, and what it is nobody knew in time */
	if (known == CLASS_UNDECIDED && ref.op == BLOCK_WRITE && hint_mode_has_evidence(mode))
		ref.io_class = CLASS_REST;
	if (mode->undecided && known == CLASS_UNDECIDED) {
		refer_undecided(in, mode, &ref, piece);
		return;
	}
	if (mode->undecided)
		undecided_supersede(mode->undecided, piece->block);
	feed_reference(&mode->feed, &ref, known, UNDECIDED_NONE);
}

static uint64_t key(const struct held_request *held, uint64_t address)
{
	return (uint64_t)held->disk << DISK_SHIFT | address;
}

static void refer_blocks(struct cache_input *in, struct hint_mode *mode)
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
		refer(in, mode, &piece);
	}
}

static void refer_start(struct cache_input *in, struct hint_mode *mode)
{
	const struct held_request *h = &in->held;

	refer(in, mode, &(struct piece){.block = key(h, h->sector), .sectors = h->sectors});
}

static void remove_blocks(struct cache_input *in, struct hint_mode *mode)
{
	const struct held_request *h = &in->held;
	uint64_t first = (h->sector + SECTORS_PER_CHUNK - 1) / SECTORS_PER_CHUNK;
	uint64_t end = (h->sector + h->sectors) / SECTORS_PER_CHUNK;

	if (first < end)
		feed_remove(&mode->feed, key(h, first), end - first);
}

static void remove_starts(struct cache_input *in, struct hint_mode *mode)
{
	const struct held_request *h = &in->held;

	feed_remove(&mode->feed, key(h, h->sector), h->sectors);
}

/* What the granularities make of a request: which keys it has, how it is fed. */
static const struct granularity_ops {
	uint64_t sectors_per_key;
	bool whole_request; /* one key, whatever the length */
	void (*refer)(struct cache_input *in, struct hint_mode *mode);
	void (*remove)(struct cache_input *in, struct hint_mode *mode);
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
	for (size_t i = 0; i < in->mode_count; i++) {
		if (is_access(h->op))
			g->refer(in, &in->modes[i]);
		else
			g->remove(in, &in->modes[i]);
	}
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
	for (size_t i = 0; i < in->mode_count; i++)
		memset(in->modes[i].io_class, CLASS_UNDECIDED, chunks);
	return 0;
}

static void take_hint(const struct held_request *h, struct hint_mode *mode,
		      const struct hint_event *hint)
{
	const struct undecided_chunk chunk = {hint->disk, hint->chunk, hint->request};
	struct decided decided;

	if (hint->io_class >= CLASS_COUNT)
		return;
	if (h->active && is_access(h->op) && h->id == hint->request && h->disk == hint->disk) {
		if (hint->chunk <= h->sectors / SECTORS_PER_CHUNK)
			mode->io_class[hint->chunk] = hint->io_class;
	} else if (mode->undecided && undecided_decide(mode->undecided, &chunk, &decided)) {
		feed_decide(&mode->feed, &decided, hint->io_class);
	}
}

/* All hints that followed from events up to seq. */
static void take_hints_until(struct cache_input *in, uint64_t seq)
{
	for (struct hint_mode *mode = in->modes; mode < in->modes + in->mode_count; mode++)
		while (mode->taken < mode->count && mode->hints[mode->taken].seq <= seq)
			take_hint(&in->held, mode, &mode->hints[mode->taken++].hint);
}

static int take_event(struct cache_input *in, const struct event *event)
{
	if (event->kind == EVENT_HINT) {
		in->trace_hints = true;
		return 0;
	}
	release_held(in);
	return event->kind == EVENT_BLOCK ? hold(in, event) : 0;
}

int cache_input_take(struct cache_input *in, const struct event *events, size_t count)
{
	for (size_t i = 0; i < in->mode_count; i++)
		if (hint_mode_feed(&in->modes[i], events, count))
			return -1;
	for (size_t i = 0; i < count; i++) {
		if (in->counts_distinct && i + EXPECT_AHEAD < count)
			expect(in, &events[i + EXPECT_AHEAD]);
		if (take_event(in, &events[i]))
			return -1;
		take_hints_until(in, events[i].seq);
	}
	take_hints_until(in, UINT64_MAX);
	return 0;
}

int cache_input_finish(struct cache_input *in)
{
	for (size_t i = 0; i < in->mode_count; i++)
		if (hint_mode_finish(&in->modes[i]))
			return -1;
	release_held(in);
	take_hints_until(in, UINT64_MAX);
	sample_last(in);
	flush_feeds(in);
	return 0;
}

int cache_input_survey(struct cache_input *in, const struct event *events, size_t count)
{
	for (size_t i = 0; i < in->mode_count; i++)
		if (hint_mode_survey(&in->modes[i], events, count))
			return -1;
	for (const struct event *e = events; e < events + count; e++) {
		if (e + EXPECT_AHEAD < events + count)
			expect(in, e + EXPECT_AHEAD);
		if (e->kind == EVENT_BLOCK &&
		    (check_request(in, &e->block) || count_distinct(in, &e->block)))
			return -1;
	}
	return 0;
}

int cache_input_use(struct cache_input *in, const char *hints)
{
	return hint_mode_init(&in->modes[in->mode_count++], hints, &in->pipeline_options);
}

uint32_t cache_input_survey_kinds(const struct cache_input *in)
{
	uint32_t kinds = KIND_BIT(EVENT_BLOCK);

	for (size_t i = 0; i < in->mode_count; i++)
		kinds |= hint_mode_survey_kinds(&in->modes[i]);
	return kinds;
}

uint32_t cache_input_kinds(const struct cache_input *in)
{
	uint32_t kinds = KIND_BIT(EVENT_BLOCK);

	for (size_t i = 0; i < in->mode_count; i++)
		kinds |= hint_mode_kinds(&in->modes[i]);
	return kinds;
}

int cache_input_init(struct cache_input *in, enum granularity granularity)
{
	memset(in, 0, sizeof(*in));
	in->granularity = granularity;
	in->timeline.interval_ns = FIRST_INTERVAL_NS;
	pipeline_defaults(&in->pipeline_options);
	in->modes = calloc(HINT_MODES_MAX, sizeof(*in->modes));
	if (!in->modes || block_set_init(&in->distinct))
		return fail("out of memory for the simulation");
	return 0;
}

void cache_input_fini(struct cache_input *in)
{
	for (size_t i = 0; i < in->mode_count; i++)
		hint_mode_fini(&in->modes[i]);
	block_set_fini(&in->distinct);
	free(in->modes);
}
