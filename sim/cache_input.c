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

#define CHUNK_SHIFT 3
_Static_assert(1 << CHUNK_SHIFT == SECTORS_PER_CHUNK, "of the same chunk");

static void thin_out(struct cache_input *in)
{
	struct timeline *t = &in->timeline;

	for (size_t mode = 0; mode < in->mode_count; mode++)
		feed_thin_out(&in->modes[mode].feed);
	t->samples = SAMPLES_MAX / 2;
	for (uint32_t i = 1; i < t->samples; i++) {
		t->time_ns[i] = t->time_ns[2 * i];
		memcpy(t->counted[i], t->counted[2 * i], sizeof(*t->counted));
	}
	t->interval_ns *= 2;
	t->next_ns = t->time_ns[t->samples - 1] + t->interval_ns;
}

static void sample(struct cache_input *in, uint64_t time_ns)
{
	struct timeline *t = &in->timeline;

	t->time_ns[t->samples] = time_ns;
	tally_sides(in->modes[0].feed.references, t->counted[t->samples]);
	for (size_t i = 0; i < in->mode_count; i++)
		feed_sample(&in->modes[i].feed, t->samples);
	t->samples++;
	t->next_ns = time_ns + t->interval_ns;
}

static void begin_time(struct cache_input *in)
{
	struct timeline *t = &in->timeline;

	t->begin_ns = t->last_ns;
	t->window_ns = in->rules.window_ns;
	if (t->window_ns)
		t->interval_ns = t->window_ns;
	if (in->rules.warm_up_ns || in->rules.warm_up_requests)
		in->warm_up = SIDE_WARM_UP;
	in->warm_up_end_ns = t->last_ns + in->rules.warm_up_ns;
	sample(in, t->last_ns);
}

/* Windows without a request belong to the one before. */
static int end_window(struct cache_input *in)
{
	struct timeline *t = &in->timeline;
	uint64_t windows = (t->last_ns - t->begin_ns) / t->window_ns;

	if (t->samples == WINDOWS_MAX)
		return fail("the trace has more than the %u windows that are possible: take longer "
			    "ones than %" PRIu64 " ns",
			    WINDOWS_MAX, t->window_ns);
	sample(in, t->begin_ns + windows * t->window_ns);
	return 0;
}

/* Time is that of the next request; one that is earlier than another before it counts as that. */
static int pass_time(struct cache_input *in, uint64_t time_ns)
{
	struct timeline *t = &in->timeline;

	if (time_ns > t->last_ns)
		t->last_ns = time_ns;
	if (t->samples && t->last_ns < t->next_ns)
		return 0;
	if (!t->samples) {
		begin_time(in);
		return 0;
	}
	if (t->window_ns)
		return end_window(in);
	if (t->samples == SAMPLES_MAX)
		thin_out(in);
	if (t->last_ns >= t->next_ns)
		sample(in, t->last_ns);
	return 0;
}

/* At the end, in the place of a sample of the same time. */
static void sample_last(struct cache_input *in)
{
	struct timeline *t = &in->timeline;

	if (!t->samples)
		return;
	if (t->samples > 1 && t->time_ns[t->samples - 1] == t->last_ns)
		t->samples--;
	else if (!t->window_ns && t->samples == SAMPLES_MAX)
		thin_out(in);
	sample(in, t->last_ns);
}

/* Counted, or still warming up? */
static unsigned int side_of(const struct cache_input *in, uint8_t op)
{
	return (op == BLOCK_WRITE ? SIDE_WRITES : 0) | in->warm_up;
}

static void end_warm_up(struct cache_input *in)
{
	uint64_t requests = in->requests[SIDE_WARM_UP] + in->requests[SIDE_WARM_UP | SIDE_WRITES];

	if (requests >= in->rules.warm_up_requests && in->timeline.last_ns >= in->warm_up_end_ns)
		in->warm_up = 0;
}

/* How the cache takes a request: flags of its references. */
static uint8_t flags_of(const struct cache_input *in, uint8_t op, uint32_t sectors)
{
	const struct cache_rules *rules = &in->rules;
	bool passes = op == BLOCK_WRITE &&
		      (rules->writes == WRITES_UPDATE || rules->writes == WRITES_AROUND);

	passes |= rules->largest_sectors && sectors > rules->largest_sectors;
	return passes ? REF_NO_ALLOCATE : 0;
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
	uint16_t tag = tag_of(side_of(in, ref->op), CLASS_UNDECIDED);
	uint32_t place = undecided_add(mode->undecided, &chunk, piece->block, piece->sectors, tag);

	feed_reference(&mode->feed, ref, tag, place);
}

static void refer(struct cache_input *in, struct hint_mode *mode, const struct piece *piece)
{
	uint8_t known = mode->io_class[piece->chunk];
	struct block_ref ref = {
		.block = piece->block,
		.sectors = piece->sectors,
		.op = in->held.op,
		.io_class = known,
		.flags = flags_of(in, in->held.op, in->held.sectors) |
			 (piece->chunk ? REF_CONTINUES : 0) |
			 (mode->is_journal[piece->chunk] ? REF_JOURNAL : 0),
	};

	if (in->truth)
		feed_group(&mode->feed, in->group[piece->chunk]);
	/* what the block was is gone, and what it is nobody knew in time */
	if (known == CLASS_UNDECIDED && ref.op == BLOCK_WRITE && hint_mode_has_evidence(mode))
		ref.io_class = CLASS_REST;
	if (mode->undecided && known == CLASS_UNDECIDED) {
		refer_undecided(in, mode, &ref, piece);
		return;
	}
	if (mode->undecided)
		undecided_supersede(mode->undecided, piece->block);
	feed_reference(&mode->feed, &ref, tag_of(side_of(in, ref.op), known), UNDECIDED_NONE);
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
static void refer_blocks_plainly(const struct cache_input *in, struct cache_feed *feed,
				 const struct request *r)
{
	struct block_ref ref = {
		.op = r->op,
		.io_class = CLASS_UNDECIDED,
		.flags = flags_of(in, r->op, r->sectors),
	};
	uint64_t end = r->sector + r->sectors, sector = r->sector, next;
	uint16_t tag = tag_of(side_of(in, r->op), CLASS_UNDECIDED);
	uint64_t first = sector / SECTORS_PER_CHUNK, last = (end - 1) / SECTORS_PER_CHUNK;

	feed_count(feed, tag, last - first + 1, r->sectors);
	for (uint64_t block = first; block <= last; block++, sector = next) {
		next = (block + 1) * SECTORS_PER_CHUNK;
		if (next > end)
			next = end;
		ref.block = key(r->disk, block);
		ref.sectors = next - sector;
		feed_add(feed, &ref, tag, UNDECIDED_NONE);
		ref.flags |= REF_CONTINUES;
	}
}

static void refer_start_plainly(const struct cache_input *in, struct cache_feed *feed,
				const struct request *r)
{
	const struct block_ref ref = {
		.block = key(r->disk, r->sector),
		.sectors = r->sectors,
		.op = r->op,
		.io_class = CLASS_UNDECIDED,
		.flags = flags_of(in, r->op, r->sectors),
	};
	uint16_t tag = tag_of(side_of(in, r->op), CLASS_UNDECIDED);

	feed_count(feed, tag, 1, r->sectors);
	feed_add(feed, &ref, tag, UNDECIDED_NONE);
}

/* What the granularities make of a request: which keys it has, how it is fed. */
static const struct granularity_ops {
	unsigned int key_shift; /* log2 of the sectors of a key */
	uint32_t most_sectors;	/* of a request that is one reference */
	void (*refer)(struct cache_input *in, struct hint_mode *mode);
	void (*refer_plainly)(const struct cache_input *in, struct cache_feed *feed,
			      const struct request *request);
	void (*remove)(struct cache_feed *feed, const struct request *request);
} granularities[] = {
	[GRANULARITY_4K] = {CHUNK_SHIFT, SECTORS_PER_CHUNK, refer_blocks, refer_blocks_plainly,
			    remove_blocks},
	[GRANULARITY_START] = {0, REQUEST_SECTORS_MAX, refer_start, refer_start_plainly,
			       remove_starts},
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
	if ((r->sector + r->sectors) >> g->key_shift >> CACHE_DISK_SHIFT)
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
	else if (hint_mode_is_plain(mode) && !in->truth)
		g->refer_plainly(in, &mode->feed, r);
	else
		g->refer(in, mode);
}

/* Blocks that a write goes around, also those that it touches only partly. */
static void remove_written(const struct cache_input *in, struct cache_feed *feed,
			   const struct request *r)
{
	unsigned int shift = granularities[in->granularity].key_shift;
	uint64_t first = r->sector >> shift, last = (r->sector + r->sectors - 1) >> shift;

	if (in->granularity == GRANULARITY_START)
		last = first;
	feed_remove(feed, key(r->disk, first), last - first + 1);
}

static int refer_request(struct cache_input *in, const struct request *r)
{
	bool goes_around = r->op == BLOCK_WRITE && in->rules.writes == WRITES_AROUND;

	if (pass_time(in, r->time_ns))
		return -1;
	if (!r->sectors || r->op == BLOCK_FLUSH)
		return 0;
	if (in->warm_up)
		end_warm_up(in);
	if (is_access(r->op))
		in->requests[side_of(in, r->op)]++;
	for (size_t i = 0; i < in->mode_count; i++) {
		if (goes_around)
			remove_written(in, &in->modes[i].feed, r);
		feed_request(in, &in->modes[i], r);
	}
	return 0;
}

static int release_held(struct cache_input *in)
{
	const struct request request = {
		.time_ns = in->held.time_ns,
		.sector = in->held.sector,
		.sectors = in->held.sectors,
		.disk = in->held.disk,
		.op = in->held.op,
	};

	bool active = in->held.active;

	in->held.active = false;
	return active ? refer_request(in, &request) : 0;
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

/* What each chunk of the request that is held truly was. */
static void hold_truth(struct cache_input *in, const struct event *event, uint32_t chunks)
{
	const struct chunk_truth *truth;
	uint32_t known;

	memset(in->group, GROUP_UNKNOWN, chunks);
	truth = true_chunks_take(in->truth, event, &known);
	for (uint32_t i = 0; i < known; i++)
		in->group[i] = group_of_chunk(&in->file_groups, &truth[i],
					      true_chunks_file_bytes(in->truth, &truth[i]));
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
	if (in->truth)
		hold_truth(in, event, chunks);
	for (size_t i = 0; i < in->mode_count; i++)
		if (in->truth || !hint_mode_is_plain(&in->modes[i])) {
			memset(in->modes[i].io_class, CLASS_UNDECIDED, chunks);
			memset(in->modes[i].is_journal, 0, chunks);
		}
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
		if (hint->chunk > h->sectors / SECTORS_PER_CHUNK)
			return;
		mode->io_class[hint->chunk] = hint->io_class;
		mode->is_journal[hint->chunk] =
			h->op == BLOCK_WRITE && hint->reason == REASON_JOURNAL;
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
	if (release_held(in))
		return -1;
	if (in->truth && event->kind == EVENT_TRUTH)
		return true_chunks_add(in->truth, event);
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

/* Are all accesses taken alike, by all caches? */
static bool takes_alike(const struct cache_input *in)
{
	const struct cache_rules *rules = &in->rules;

	return in->mode_count == 1 && in->timeline.samples && !in->warm_up &&
	       !rules->largest_sectors && rules->writes != WRITES_UPDATE &&
	       rules->writes != WRITES_AROUND;
}

/* Is it a reference to one block, and nothing that check_request() would refuse? */
static inline bool is_single(const struct granularity_ops *g, const struct request *r, bool objects)
{
	uint64_t offset = r->sector & ((1u << g->key_shift) - 1);

	return is_access(r->op) && r->sectors && offset + r->sectors <= g->most_sectors &&
	       (objects || (r->disk <= DISK_MAX &&
			    !((r->sector + r->sectors) >> g->key_shift >> CACHE_DISK_SHIFT)));
}

/*
 * The requests in a row that are references to one block each, until there is something else
 * to do; returns how many. Most of what is between an archive and the caches is this loop.
 */
static size_t refer_singles(struct cache_input *in, const struct request *requests, size_t count)
{
	const struct granularity_ops g = granularities[in->granularity];
	struct cache_feed *feed = &in->modes[0].feed;
	struct timeline *t = &in->timeline;
	size_t room = BATCH_REFS - feed->batch->refs, max = count < room ? count : room, i;
	const uint16_t tags[] = {tag_of(0, CLASS_UNDECIDED), tag_of(SIDE_WRITES, CLASS_UNDECIDED)};
	struct tally writes = {0};
	uint64_t sectors = 0;
	uint64_t last_ns = t->last_ns;

	for (i = 0; i < max; i++) {
		const struct request *r = &requests[i];
		uint64_t is_write = r->op == BLOCK_WRITE;
		const struct block_ref ref = {
			.block = key(r->disk, r->sector >> g.key_shift),
			.sectors = r->sectors,
			.op = r->op,
			.io_class = CLASS_UNDECIDED,
		};

		if (r->time_ns >= t->next_ns || !is_single(&g, r, in->objects))
			break;
		last_ns = r->time_ns > last_ns ? r->time_ns : last_ns;
		sectors += r->sectors;
		writes.references += is_write;
		writes.sectors += -is_write & r->sectors;
		feed_put(feed, i, &ref, tags[is_write]);
	}
	t->last_ns = last_ns;
	in->requests[0] += i - writes.references;
	in->requests[SIDE_WRITES] += writes.references;
	feed_count(feed, tags[0], i - writes.references, sectors - writes.sectors);
	feed_count(feed, tags[SIDE_WRITES], writes.references, writes.sectors);
	feed_end_put(feed, i);
	return i;
}

int cache_input_take_requests(struct cache_input *in, const struct request *requests, size_t count)
{
	const struct request *end = requests + count;

	for (const struct request *r = requests; r < end; r++) {
		if (takes_alike(in))
			r += refer_singles(in, r, end - r);
		if (r < end && (check_request(in, r) || refer_request(in, r)))
			return -1;
	}
	return 0;
}

int cache_input_finish(struct cache_input *in)
{
	for (size_t i = 0; i < in->mode_count; i++)
		if (hint_mode_finish(&in->modes[i]))
			return -1;
	if (release_held(in))
		return -1;
	take_hints_until(in, UINT64_MAX);
	sample_last(in);
	for (size_t i = 0; i < in->mode_count; i++)
		feed_finish(&in->modes[i].feed);
	return 0;
}

int cache_input_survey(struct cache_input *in, const struct event *events, size_t count)
{
	if (in->truth && true_chunks_survey(in->truth, events, count))
		return -1;
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
	return !in->truth;
}

int cache_input_use_truth(struct cache_input *in)
{
	file_groups_init(&in->file_groups, &in->pipeline_options);
	in->truth = true_chunks_new();
	in->group = malloc(CLASSIFIER_CHUNKS_MAX + 2);
	return in->truth && in->group ? 0 : fail("out of memory for the truth");
}

int cache_input_use(struct cache_input *in, const char *hints)
{
	return hint_mode_init(&in->modes[in->mode_count++], hints, &in->pipeline_options, in->crew);
}

uint32_t cache_input_survey_kinds(const struct cache_input *in)
{
	uint32_t kinds = in->truth ? TRUE_CHUNKS_SURVEY_KINDS : 0;

	for (size_t i = 0; i < in->mode_count; i++)
		kinds |= hint_mode_survey_kinds(&in->modes[i]);
	return kinds;
}

uint32_t cache_input_kinds(const struct cache_input *in)
{
	uint32_t kinds = KIND_BIT(EVENT_BLOCK) | (in->truth ? TRUE_CHUNKS_KINDS : 0);

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
	true_chunks_free(in->truth);
	free(in->group);
}
