/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Twice over both: once to find how far the clocks are apart, then to copy the trace,
 * reading the truth ahead of each request by as much as the clocks may drift.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "clocks.h"
#include "common/error.h"
#include "common/json.h"
#include "common/progress.h"
#include "join.h"
#include "sim/ledger.h"
#include "sim/truth_check.h"
#include "sim/truth_join.h"

/* Clocks that drift by 0.1 ms a second may do so for hours; a truth is never needed later. */
#define AHEAD_NS      1000000000ull
#define TRUTH_DISK    0 /* the only one that the truth was recorded of */
#define TRUTH_IS_HERE "bpf, in the guest"

struct joining {
	const struct join_options *options;
	struct source *trace, *truth;
	struct sink *sink;
	struct truth_join *join;
	struct truth_check *written;
	struct chunk_truth *chunk; /* LEDGER_CHUNKS_MAX + 1 */
	char *kernel;		   /* where the truth was recorded */
	int64_t apart_ns;	   /* the trace's clock - the truth's */
	int64_t pairs;
	uint64_t begun_ns; /* by the trace's clock */
	uint64_t inserted; /* events */
	uint64_t requests, chunks, chunks_known, truths, truths_before, lost;
	struct event batch[BATCH_EVENTS]; /* of the truth */
	size_t batch_count, batch_next;
};

static bool is_request(const struct joining *j, const struct event *event)
{
	return event->kind == EVENT_BLOCK && event->block.disk == j->options->disk &&
	       event->block.op <= BLOCK_WRITE;
}

static int see_request(struct joining *j, const struct event *event, struct sights *sights)
{
	const struct block_event *block = &event->block;

	if (event->kind == EVENT_TRUTH && event->truth.disk == j->options->disk)
		return fail("%s has ground truth of its disk %" PRIu32 " already",
			    j->options->trace, j->options->disk);
	if (!j->begun_ns)
		j->begun_ns = event->time_ns;
	if (!is_request(j, event) || ledger_chunks(event) > LEDGER_CHUNKS_MAX)
		return 0;
	return sights_add(sights, block->op, block->sector, block->sectors, event->time_ns)
		       ? fail("out of memory for the requests of %s", j->options->trace)
		       : 0;
}

static int see_truth(struct joining *j, const struct event *event, struct sights *sights)
{
	const struct truth_event *truth = &event->truth;
	const struct attribute_event *attribute = &event->attribute;

	if (event->kind == EVENT_LOSS)
		j->lost += event->loss.count;
	if (event->kind == EVENT_ATTRIBUTE && text_is(&attribute->name, "kernel") && !j->kernel)
		j->kernel = strndup(attribute->value.at, attribute->value.count);
	if (event->kind != EVENT_TRUTH || truth->disk != TRUTH_DISK)
		return 0;
	return sights_add(sights, truth->op, truth->sector, truth->sectors, event->time_ns)
		       ? fail("out of memory for the truth of %s", j->options->truth)
		       : 0;
}

static int see_all(struct joining *j, const char *path, uint32_t kinds, struct sights *sights,
		   int (*see)(struct joining *, const struct event *, struct sights *))
{
	struct source *source = trace_open(path, kinds);
	ssize_t count = -1;
	int rc = 0;

	if (!source)
		return -1;
	progress_begin("comparing clocks", source->total_bytes);
	while (!rc && (count = source_read(source, j->batch, BATCH_EVENTS)) > 0) {
		for (ssize_t i = 0; !rc && i < count; i++)
			rc = see(j, &j->batch[i], sights);
		progress_update(source->read_bytes);
	}
	progress_end();
	source_close(source);
	return rc || count < 0 ? -1 : 0;
}

static int compare_clocks(struct joining *j)
{
	const struct join_options *o = j->options;
	struct sights truths = {0}, requests = {0};
	int rc = -1;

	/* A recording begins with its attributes. */
	if (see_all(j, o->trace,
		    KIND_BIT(EVENT_ATTRIBUTE) | KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_TRUTH),
		    &requests, see_request) ||
	    see_all(j, o->truth, KINDS_ALL, &truths, see_truth))
		goto out;
	j->pairs = clocks_apart(&truths, &requests, &j->apart_ns);
	if (j->pairs < 0)
		fail("out of memory for the clocks of %s and %s", o->trace, o->truth);
	else if (!j->pairs)
		fail("no request of %s is in %s; were they recorded at the same time, of the same "
		     "disk?",
		     o->truth, o->trace);
	else
		rc = 0;
out:
	sights_free(&truths);
	sights_free(&requests);
	return rc;
}

static int add_truth(struct joining *j, struct event *event)
{
	event->time_ns += j->apart_ns;
	if (event->kind != EVENT_TRUTH || event->truth.disk != TRUTH_DISK)
		return 0;
	j->truths += event->truth.sectors / SECTORS_PER_CHUNK;
	if ((int64_t)(event->time_ns - j->begun_ns) < 0) {
		j->truths_before += event->truth.sectors / SECTORS_PER_CHUNK;
		return 0;
	}
	event->truth.disk = j->options->disk;
	return truth_join_add(j->join, event)
		       ? fail("out of memory for the truth of %s", j->options->truth)
		       : 0;
}

/* Reads the truth up to that time of the trace's clock. */
static int read_truth(struct joining *j, uint64_t until_ns)
{
	for (;;) {
		struct event *event;

		if (j->batch_next == j->batch_count) {
			ssize_t count = source_read(j->truth, j->batch, BATCH_EVENTS);

			if (count <= 0)
				return count;
			j->batch_count = count;
			j->batch_next = 0;
		}
		event = &j->batch[j->batch_next];
		if ((int64_t)(event->time_ns + j->apart_ns - until_ns) > 0)
			return 0;
		j->batch_next++;
		if (add_truth(j, event))
			return -1;
	}
}

static int insert(struct joining *j, struct event *event, const struct event *before)
{
	event->seq = before->seq + j->inserted++;
	event->time_ns = before->time_ns;
	return sink_write(j->sink, event, 1);
}

/* Whether a chunk goes on where another one `apart` chunks before began. */
static bool goes_on(const struct chunk_truth *first, const struct chunk_truth *next, uint32_t apart)
{
	return first->what == next->what && first->source == next->source &&
	       first->flags == next->flags && first->device == next->device &&
	       first->inode == next->inode &&
	       (!first->inode || first->index + apart == next->index);
}

static int insert_truths(struct joining *j, const struct event *block)
{
	uint32_t chunks = block->block.sectors / SECTORS_PER_CHUNK, end;

	for (uint32_t i = 0; i < chunks; i = end) {
		const struct chunk_truth *first = &j->chunk[i];
		struct event event;

		for (end = i + 1; end < chunks && goes_on(first, &j->chunk[end], end - i);)
			end++;
		if (first->source == TRUTH_NONE)
			continue;
		event_init(&event, EVENT_TRUTH);
		event.truth = (struct truth_event){
			.op = block->block.op,
			.disk = block->block.disk,
			.sector = block->block.sector + (uint64_t)i * SECTORS_PER_CHUNK,
			.sectors = (end - i) * SECTORS_PER_CHUNK,
			.flags = first->flags,
			.what = first->what,
			.source = first->source,
			.device = first->device,
			.inode = first->inode,
			.index = first->index,
		};
		if (insert(j, &event, block))
			return -1;
	}
	return 0;
}

static int join_request(struct joining *j, const struct event *block)
{
	if (read_truth(j, block->time_ns + AHEAD_NS))
		return -1;
	j->requests++;
	j->chunks += block->block.sectors / SECTORS_PER_CHUNK;
	if (ledger_chunks(block) > LEDGER_CHUNKS_MAX)
		return 0;
	j->chunks_known += truth_join_take(j->join, block, j->chunk);
	truth_check_settle(j->written, block, j->chunk);
	if (truth_check_block(j->written, block, j->chunk))
		return fail("out of memory for what %s writes", j->options->trace);
	return insert_truths(j, block);
}

/* What the trace says of its truth is no longer so. */
static int tell_of_truth(struct joining *j, struct event *event)
{
	struct event more;

	event->attribute.value = (struct text){TRUTH_IS_HERE, strlen(TRUTH_IS_HERE)};
	event_init(&more, EVENT_CLOCK);
	more.clock.guest_minus_host_ns = -j->apart_ns;
	if (insert(j, &more, event))
		return -1;
	if (!j->kernel)
		return 0;
	event_init(&more, EVENT_ATTRIBUTE);
	more.attribute.name = (struct text){"guest.kernel", strlen("guest.kernel")};
	more.attribute.value = (struct text){j->kernel, strlen(j->kernel)};
	return insert(j, &more, event);
}

static int copy_event(struct joining *j, struct event *event)
{
	int rc = 0;

	if (is_request(j, event))
		rc = join_request(j, event);
	else if (event->kind == EVENT_ATTRIBUTE && text_is(&event->attribute.name, "truth"))
		rc = tell_of_truth(j, event);
	event->seq += j->inserted;
	return rc ? -1 : sink_write(j->sink, event, 1);
}

static int copy(struct joining *j)
{
	static struct event events[BATCH_EVENTS];
	ssize_t count;

	progress_begin("joining", j->trace->total_bytes);
	while ((count = source_read(j->trace, events, BATCH_EVENTS)) > 0) {
		for (ssize_t i = 0; i < count; i++) {
			if (copy_event(j, &events[i])) {
				count = -1;
				goto out;
			}
		}
		progress_update(j->trace->read_bytes);
	}
out:
	progress_end();
	return count < 0 ? -1 : read_truth(j, INT64_MAX);
}

static int join(struct joining *j)
{
	const struct join_options *o = j->options;
	int rc;

	j->join = truth_join_new();
	j->written = truth_check_new();
	j->chunk = calloc(LEDGER_CHUNKS_MAX + 1, sizeof(*j->chunk));
	if (!j->join || !j->written || !j->chunk)
		return fail("out of memory for the join of %s and %s", o->trace, o->truth);
	j->trace = trace_open(o->trace, KINDS_ALL);
	j->truth = j->trace ? trace_open(o->truth, KINDS_ALL) : NULL;
	j->sink = j->truth ? trace_new(o->output, NULL) : NULL;
	if (!j->sink)
		return -1;
	rc = copy(j);
	if (!rc)
		return sink_commit(j->sink);
	sink_abandon(j->sink);
	return -1;
}

static json_t *result_json(const struct joining *j)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "trace",
			 text_json(j->options->trace, strlen(j->options->trace)), "truth",
			 text_json(j->options->truth, strlen(j->options->truth)), "output",
			 text_json(j->options->output, strlen(j->options->output)), "requests",
			 (json_int_t)j->requests, "chunks", (json_int_t)j->chunks,
			 "chunks_with_truth", (json_int_t)j->chunks_known, "truth_chunks",
			 (json_int_t)j->truths, "truth_chunks_before_the_trace",
			 (json_int_t)j->truths_before, "truth_lost", (json_int_t)j->lost,
			 "guest_minus_host_ns", (json_int_t)-j->apart_ns, "chunks_compared",
			 (json_int_t)j->pairs);
}

json_t *join_truth(const struct join_options *options)
{
	struct joining *j = calloc(1, sizeof(*j));
	json_t *result = NULL;

	if (!j) {
		fail("out of memory for the join of %s and %s", options->trace, options->truth);
		return NULL;
	}
	j->options = options;
	if (!compare_clocks(j) && !join(j))
		result = result_json(j);
	source_close(j->trace);
	source_close(j->truth);
	truth_join_free(j->join);
	truth_check_free(j->written);
	free(j->chunk);
	free(j->kernel);
	free(j);
	return result;
}
