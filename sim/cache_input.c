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
#define DISK_MAX	    ((1u << (64 - CACHE_DISK_SHIFT)) - 1)

#define FIRST_INTERVAL_NS 1000000u

static void thin_out(struct cache_input *in)
{
	struct timeline *t = &in->timeline;

	for (size_t mode = 0; mode < in->mode_count; mode++)
		feed_thin_out(&in->modes[mode].feed);
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

	feed_reference(&mode->feed, ref, in->held.time_ns, CLASS_UNDECIDED, place);
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
	feed_reference(&mode->feed, &ref, in->held.time_ns, known, UNDECIDED_NONE);
}

static uint64_t key(uint32_t disk, uint64_t address)
{
	return (uint64_t)disk << CACHE_DISK_SHIFT | address;
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
		piece.block = key(h->disk, sector / SECTORS_PER_CHUNK);
		piece.sectors = next - sector;
		refer(in, mode, &piece);
	}
}

static void refer_start(struct cache_input *in, struct hint_mode *mode)
{
	const struct held_request *h = &in->held;

	refer(in, mode, &(struct piece){.block = key(h->disk, h->sector), .sectors = h->sectors});
}

static void remove_blocks(struct cache_feed *feed, const struct request *r)
{
	uint64_t first = (r->sector + SECTORS_PER_CHUNK - 1) / SECTORS_PER_CHUNK;
	uint64_t end = (r->sector + r->sectors) / SECTORS_PER_CHUNK;

	if (first < end)
		feed_remove(feed, key(r->disk, first), end - first);
}

static void remove_starts(struct cache_feed *feed, const struct request *r)
{
	feed_remove(feed, key(r->disk, r->sector), r->sectors);
}

/* The same for who knows no classes. */
static void refer_blocks_plainly(struct cache_feed *feed, const struct request *r)
{
	struct block_ref ref = {.op = r->op, .io_class = CLASS_UNDECIDED};
	uint64_t end = r->sector + r->sectors, sector = r->sector, next;
	uint16_t tag = tag_of(r->op == BLOCK_WRITE, CLASS_UNDECIDED);
	uint64_t first = sector / SECTORS_PER_CHUNK, last = (end - 1) / SECTORS_PER_CHUNK;

	feed_count(feed, tag, last - first + 1, r->sectors);
	for (uint64_t block = first; block <= last; block++, sector = next) {
		next = (block + 1) * SECTORS_PER_CHUNK;
		if (next > end)
			next = end;
		ref.block = key(r->disk, block);
		ref.sectors = next - sector;
		feed_add(feed, &ref, r->time_ns, tag, UNDECIDED_NONE);
	}
}

static void refer_start_plainly(struct cache_feed *feed, const struct request *r)
{
	const struct block_ref ref = {
		.block = key(r->disk, r->sector),
		.sectors = r->sectors,
		.op = r->op,
		.io_class = CLASS_UNDECIDED,
	};
	uint16_t tag = tag_of(r->op == BLOCK_WRITE, CLASS_UNDECIDED);

	feed_count(feed, tag, 1, r->sectors);
	feed_add(feed, &ref, r->time_ns, tag, UNDECIDED_NONE);
}

/* What the granularities make of a request: which keys it has, how it is fed. */
static const struct granularity_ops {
	uint64_t sectors_per_key;
	void (*refer)(struct cache_input *in, struct hint_mode *mode);
	void (*refer_plainly)(struct cache_feed *feed, const struct request *request);
	void (*remove)(struct cache_feed *feed, const struct request *request);
} granularities[] = {
	[GRANULARITY_4K] = {SECTORS_PER_CHUNK, refer_blocks, refer_blocks_plainly, remove_blocks},
	[GRANULARITY_START] = {1, refer_start, refer_start_plainly, remove_starts},
};

static bool is_access(uint8_t op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE;
}

static int refuse_request(const struct request *r, const char *what)
{
	return fail("a request of %u sectors at sector %" PRIu64 " of disk %u at %" PRIu64 " ns %s",
		    r->sectors, r->sector, r->disk, r->time_ns, what);
}

/* Objects have no disk, so any number is a key. */
static int check_request(const struct cache_input *in, const struct request *r)
{
	const struct granularity_ops *g = &granularities[in->granularity];

	if (in->objects)
		return 0;
	if (r->disk > DISK_MAX)
		return refuse_request(r, "is to a disk beyond the 4096 that can be simulated");
	if ((r->sector + r->sectors) / g->sectors_per_key >> CACHE_DISK_SHIFT)
		return refuse_request(r, "is beyond what can be simulated");
	if (is_access(r->op) && r->sectors > REQUEST_SECTORS_MAX)
		return refuse_request(r, "is larger than any (1 GiB): the trace is damaged");
	return 0;
}

static void feed_request(struct cache_input *in, struct hint_mode *mode, const struct request *r)
{
	const struct granularity_ops *g = &granularities[in->granularity];

	if (!is_access(r->op))
		g->remove(&mode->feed, r);
	else if (hint_mode_is_plain(mode))
		g->refer_plainly(&mode->feed, r);
	else
		g->refer(in, mode);
}

static void refer_request(struct cache_input *in, const struct request *r)
{
	pass_time(in, r->time_ns);
	if (!r->sectors || r->op == BLOCK_FLUSH)
		return;
	in->requests += is_access(r->op);
	for (size_t i = 0; i < in->mode_count; i++)
		feed_request(in, &in->modes[i], r);
}

static void release_held(struct cache_input *in)
{
	const struct request request = {
		.time_ns = in->held.time_ns,
		.sector = in->held.sector,
		.sectors = in->held.sectors,
		.disk = in->held.disk,
		.op = in->held.op,
	};

	if (in->held.active)
		refer_request(in, &request);
	in->held.active = false;
}

static struct request request_of(const struct event *event)
{
	return (struct request){
		.time_ns = event->time_ns,
		.sector = event->block.sector,
		.sectors = event->block.sectors,
		.disk = event->block.disk,
		.op = event->block.op,
	};
}

static int hold(struct cache_input *in, const struct event *event)
{
	const struct block_event *block = &event->block;
	const struct request request = request_of(event);
	uint32_t chunks = block->sectors / SECTORS_PER_CHUNK + 2;

	if (check_request(in, &request))
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
		if (!hint_mode_is_plain(&in->modes[i]))
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
		if (take_event(in, &events[i]))
			return -1;
		take_hints_until(in, events[i].seq);
	}
	take_hints_until(in, UINT64_MAX);
	return 0;
}

int cache_input_take_requests(struct cache_input *in, const struct request *requests, size_t count)
{
	for (const struct request *r = requests; r < requests + count; r++) {
		if (check_request(in, r))
			return -1;
		refer_request(in, r);
	}
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
	for (size_t i = 0; i < in->mode_count; i++)
		feed_finish(&in->modes[i].feed);
	return 0;
}

int cache_input_survey(struct cache_input *in, const struct event *events, size_t count)
{
	for (size_t i = 0; i < in->mode_count; i++)
		if (hint_mode_survey(&in->modes[i], events, count))
			return -1;
	return 0;
}

bool cache_input_is_plain(const struct cache_input *in)
{
	for (size_t i = 0; i < in->mode_count; i++)
		if (!hint_mode_is_plain(&in->modes[i]))
			return false;
	return true;
}

int cache_input_use(struct cache_input *in, const char *hints)
{
	return hint_mode_init(&in->modes[in->mode_count++], hints, &in->pipeline_options, in->crew);
}

uint32_t cache_input_survey_kinds(const struct cache_input *in)
{
	uint32_t kinds = 0;

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

int cache_input_init(struct cache_input *in, enum granularity granularity, struct crew *crew)
{
	memset(in, 0, sizeof(*in));
	in->crew = crew;
	in->granularity = granularity;
	in->timeline.interval_ns = FIRST_INTERVAL_NS;
	pipeline_defaults(&in->pipeline_options);
	in->modes = calloc(HINT_MODES_MAX, sizeof(*in->modes));
	if (!in->modes)
		return fail("out of memory for the simulation");
	return 0;
}

void cache_input_fini(struct cache_input *in)
{
	for (size_t i = 0; i < in->mode_count; i++)
		hint_mode_fini(&in->modes[i]);
	free(in->modes);
}
