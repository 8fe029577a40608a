/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sequential: what caches guess from the size and place of requests alone.
 *
 * The detector is bcache's: 128 recent runs, a request goes on with the one
 * that ended where it begins, at most 5 s ago, and a run that has come to
 * `cutoff` bytes (bcache's sequential_cutoff, 4 MiB) is a large file's data. A
 * request of at most `small` bytes that goes on with no run is metadata. What
 * is between is data of a file as large as the run so far.
 */
#include "capture/source.h"
#include "sim/classifier.h"

/* RECENT_IO and the window of check_should_bypass(). */
#define RUNS	  128
#define WINDOW_NS 5000000000u

struct run {
	uint64_t end_sector, bytes, until_ns; /* 0 bytes: free */
	uint32_t disk;
};

struct sequential {
	uint64_t cutoff_bytes, small_bytes;
	struct pipeline_options options;
	struct run runs[RUNS];
	bool evidence;
	struct hint_batch hints;
};

static int sequential_init(void *state, const struct classifier_setup *setup)
{
	struct sequential *s = state;

	s->options = setup->pipeline;
	hint_batch_init(&s->hints, setup->sink, setup->context);
	return 0;
}

static void sequential_fini(void *state)
{
}

/* The run that the request goes on with, or the one that was left the longest, emptied. */
static struct run *run_of(struct sequential *s, const struct event *event)
{
	struct run *oldest = s->runs;

	for (struct run *run = s->runs; run < s->runs + RUNS; run++) {
		if (run->bytes && run->end_sector == event->block.sector &&
		    run->disk == event->block.disk && event->time_ns < run->until_ns)
			return run;
		if (run->until_ns < oldest->until_ns)
			oldest = run;
	}
	*oldest = (struct run){.disk = event->block.disk};
	return oldest;
}

static void hint_request(struct sequential *s, const struct event *event, const struct run *run)
{
	uint64_t bytes = (uint64_t)event->block.sectors * SECTOR_BYTES;
	uint32_t chunks = (event->block.sectors + SECTORS_PER_CHUNK - 1) / SECTORS_PER_CHUNK;
	bool alone = run->bytes == bytes;

	for (uint32_t i = 0; i < chunks; i++) {
		struct hint_event *hint = hint_at_issue(&s->hints, event, i);

		if (alone && bytes <= s->small_bytes)
			hint_is_metadata(hint, REASON_RULE);
		else if (run->bytes >= s->cutoff_bytes)
			hint_is_data(hint, REASON_RULE, CLASS_REST);
		else
			hint_is_data(hint, REASON_RULE, size_class(&s->options, run->bytes));
	}
}

static void take_block(struct sequential *s, const struct event *event)
{
	const struct block_event *block = &event->block;
	struct run *run;

	if (block->op > BLOCK_WRITE || !block->sectors ||
	    block->sectors / SECTORS_PER_CHUNK > CLASSIFIER_CHUNKS_MAX)
		return;
	run = run_of(s, event);
	run->bytes += (uint64_t)block->sectors * SECTOR_BYTES;
	run->end_sector = block->sector + block->sectors;
	run->until_ns = event->time_ns + WINDOW_NS;
	s->evidence = true;
	hint_request(s, event, run);
}

static int sequential_feed(void *state, const struct event *events, size_t count)
{
	struct sequential *s = state;

	for (const struct event *e = events; e < events + count; e++)
		if (e->kind == EVENT_BLOCK)
			take_block(s, e);
	hint_batch_flush(&s->hints);
	return 0;
}

static bool sequential_has_evidence(const void *state)
{
	const struct sequential *s = state;

	return s->evidence;
}

static const struct parameter parameters[] = {
	{.name = "cutoff",
	 .help = "bytes of a run from which on it is a large file's",
	 .min = CHUNK_BYTES,
	 .max = UINT64_MAX,
	 .preset = 4 << 20,
	 .offset = offsetof(struct sequential, cutoff_bytes)},
	{.name = "small",
	 .help = "bytes up to which a request that goes on with no run is metadata",
	 .min = 0,
	 .max = UINT64_MAX,
	 .preset = CHUNK_BYTES,
	 .offset = offsetof(struct sequential, small_bytes)},
	{0},
};

CLASSIFIER(sequential){
	.head =
		{
			.kind = "classifier",
			.name = "sequential",
			.summary =
				"baseline: large or sequential is data, small and random metadata",
			.source = "Linux, drivers/md/bcache/request.c, sequential_cutoff",
			.parameters = parameters,
		},
	.state_bytes = sizeof(struct sequential),
	.kinds = KIND_BIT(EVENT_BLOCK),
	.at_issue = true,
	.init = sequential_init,
	.fini = sequential_fini,
	.feed = sequential_feed,
	.has_evidence = sequential_has_evidence,
};
