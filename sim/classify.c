/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky classify, the library half: a trace in, one JSON object out.
 *
 * A batch of events goes three ways: requests and their truth into the ledger,
 * everything through the classifier, whose hints meet the requests there, and,
 * if a copy is wanted, into the output, each hint right after the event that
 * made it known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "common/error.h"
#include "common/json.h"
#include "common/output.h"
#include "common/progress.h"
#include "sim/classify.h"
#include "sim/ledger.h"
#include "sim/not_covered.h"
#include "sim/score.h"
#include "sim/tally.h"
#include "sim/truth_check.h"
#include "sim/truth_join.h"

/* Requests that wait for hints in a trace that has shown no evidence so far. */
#define BLIND_REQUESTS_MAX 1024u

struct classification {
	const char *path;
	struct source *source;
	struct classifier classifier;
	struct ledger *ledger;
	struct truth_join *join;
	struct truth_check *check;
	struct tally *tally;
	struct score score;
	struct chunk_truth *truth; /* LEDGER_CHUNKS_MAX + 1 */
	uint64_t requests;
	struct recorded_holes holes;
	char no_truth[128]; /* why there is none, as the recorder said */

	struct sink *output;
	const struct event *batch; /* what of it is not in the output yet */
	size_t batch_count;
	bool failed; /* the output, or memory: said or to be said */
};

void classify_defaults(struct classify_options *options)
{
	*options = (struct classify_options){.hints = "sky"};
	pipeline_defaults(&options->pipeline);
}

static void take_judged(void *context, const struct judged *judged)
{
	struct classification *c = context;

	score_chunk(&c->score, judged);
	tally_chunk(c->tally, judged);
}

static void write_events(struct classification *c, size_t count)
{
	while (count && !c->failed) {
		size_t run = 0;

		while (run < count && c->batch[run].kind != EVENT_HINT)
			run++;
		if (run && sink_write(c->output, c->batch, run))
			c->failed = true;
		run += run < count; /* hints of the input are replaced */
		c->batch += run;
		c->batch_count -= run;
		count -= run;
	}
}

/* The part of the batch up to the event that a hint follows. */
static size_t events_until(const struct classification *c, uint64_t seq)
{
	size_t count = 0;

	while (count < c->batch_count && c->batch[count].seq <= seq)
		count++;
	return count;
}

static void write_hints(struct classification *c, const struct event *hints, size_t count)
{
	while (count && !c->failed) {
		size_t run = 1;

		while (run < count && hints[run].seq == hints[0].seq)
			run++;
		write_events(c, events_until(c, hints[0].seq));
		if (!c->failed && sink_write(c->output, hints, run))
			c->failed = true;
		hints += run;
		count -= run;
	}
}

static void take_hints(void *context, const struct event *hints, size_t count)
{
	struct classification *c = context;

	for (size_t i = 0; i < count; i++)
		ledger_hint(c->ledger, &hints[i]);
	if (c->output)
		write_hints(c, hints, count);
}

static int take_block(struct classification *c, const struct event *event)
{
	bool followed = ledger_chunks(event) <= LEDGER_CHUNKS_MAX;
	struct chunk_truth *truth = followed ? c->truth : NULL;

	if (event->block.op != BLOCK_READ && event->block.op != BLOCK_WRITE)
		return 0;
	if (!c->requests++)
		tally_begin(c->tally, event->time_ns);
	if (truth) {
		memset(truth, 0, (ledger_chunks(event) + 1) * sizeof(*truth));
		truth_join_take(c->join, event, truth);
		if (truth_check_block(c->check, event, truth))
			return -ENOMEM;
	}
	return ledger_issue(c->ledger, event, truth);
}

/* A recorder that has no truth says why: "none: BPF is not allowed". */
static void take_attribute(struct classification *c, const struct attribute_event *attribute)
{
	static const char none[] = "none: ";
	const size_t skipped = sizeof(none) - 1, room = sizeof(c->no_truth) - 1;
	const struct text *value = &attribute->value;
	size_t bytes;

	if (!text_is(&attribute->name, "truth") || value->count <= skipped ||
	    memcmp(value->at, none, skipped))
		return;
	bytes = value->count - skipped < room ? value->count - skipped : room;
	memcpy(c->no_truth, value->at + skipped, bytes);
	c->no_truth[bytes] = '\0';
}

static int take_event(struct classification *c, const struct event *event)
{
	switch (event->kind) {
	case EVENT_BLOCK:
		return take_block(c, event);
	case EVENT_TRUTH:
		return truth_join_add(c->join, event);
	case EVENT_EXTENT:
		truth_check_extent(c->check, event);
		return 0;
	case EVENT_ATTRIBUTE:
		take_attribute(c, &event->attribute);
		not_covered_note(&c->holes, event);
		return 0;
	default:
		not_covered_note(&c->holes, event);
		return 0;
	}
}

static bool has_evidence(const struct classification *c)
{
	return c->classifier.ops->has_evidence(c->classifier.state);
}

/* Requests that the classifier has nothing more to say about. */
static void close_event(struct classification *c, const struct event *event)
{
	bool at_issue = c->classifier.ops->at_issue;

	if (event->kind == EVENT_BLOCK && (event->block.op == BLOCK_WRITE || at_issue))
		ledger_close(c->ledger, event->block.disk, event->block.id);
	else if (event->kind == EVENT_COMPLETE &&
		 (event->complete.error || !event->complete.sums.count))
		ledger_close(c->ledger, event->complete.disk, event->complete.id);
}

static int take_batch(struct classification *c, const struct event *events, size_t count)
{
	int error = 0;

	c->batch = events;
	c->batch_count = c->output ? count : 0;
	for (size_t i = 0; i < count && !error; i++)
		error = take_event(c, &events[i]);
	if (error)
		return fail("Out of memory while classifying %s", c->path);
	if (c->classifier.ops->feed(c->classifier.state, events, count))
		return -1;
	for (size_t i = 0; i < count; i++)
		close_event(c, &events[i]);
	ledger_expire(c->ledger, events[count - 1].time_ns);
	if (!has_evidence(c))
		ledger_trim(c->ledger, BLIND_REQUESTS_MAX);
	write_events(c, c->batch_count);
	return c->failed ? -1 : 0;
}

static int for_each_batch(struct classification *c, const char *label,
			  int (*take)(struct classification *, const struct event *, size_t))
{
	struct event *events = calloc(BATCH_EVENTS, sizeof(*events));
	ssize_t count = -1;

	if (!events)
		return fail("Out of memory while classifying %s", c->path);
	progress_begin(label, c->source->total_bytes);
	while ((count = source_read(c->source, events, BATCH_EVENTS)) > 0) {
		if (take(c, events, count)) {
			count = -1;
			break;
		}
		progress_update(c->source->read_bytes);
	}
	progress_end();
	free(events);
	return count < 0 ? -1 : 0;
}

static int survey_batch(struct classification *c, const struct event *events, size_t count)
{
	return c->classifier.ops->survey(c->classifier.state, events, count);
}

/* The pass before, for classifiers that look ahead. */
static int survey(struct classification *c)
{
	const struct classifier_ops *ops = c->classifier.ops;
	int rc;

	if (!ops->survey)
		return 0;
	if (!strcmp(c->path, "-"))
		return fail("the hints %s need the trace twice; standard input can be read once: "
			    "`sky convert` makes a file of it",
			    ops->head.name);
	c->source = trace_open(c->path, ops->survey_kinds);
	if (!c->source)
		return -1;
	rc = for_each_batch(c, "looking ahead", survey_batch);
	source_close(c->source);
	c->source = NULL;
	return rc;
}

static int take_all(struct classification *c)
{
	const struct classifier_ops *ops = c->classifier.ops;

	if (survey(c))
		return -1;
	c->source = trace_open(c->path, KINDS_ALL);
	if (!c->source || for_each_batch(c, "classifying", take_batch))
		return -1;
	if (ops->finish && ops->finish(c->classifier.state))
		return -1;
	ledger_trim(c->ledger, 0);
	return c->failed ? -1 : 0;
}

static uint64_t count_of(const json_t *counters, const char *name)
{
	return json_integer_value(json_object_get(counters, name));
}

/*
 * The paper's measure (6.1): data chunks that calls wrote, and did not write
 * over, cut off or take back before the disk saw them, against data chunks
 * found at the disk.
 */
static json_t *paper_json(const struct classification *c, const json_t *counters)
{
	uint64_t announced = count_of(counters, "chunks_written");
	uint64_t gone =
		count_of(counters, "chunks_rewritten") + count_of(counters, "chunks_dropped");
	uint64_t written = announced > gone ? announced - gone : 0;
	uint64_t found = tally_found(c->tally, BLOCK_WRITE, CHUNK_DATA);
	uint64_t apart = written > found ? written - found : found - written;

	if (!counters)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:o}", "chunks_in_calls", (json_int_t)announced,
			 "data_chunks_written", (json_int_t)written, "data_chunks_found",
			 (json_int_t)found, "error_percent", score_percent(apart, written));
}

static json_t *bounds_json(const struct pipeline_options *options)
{
	json_t *bounds = json_array();

	for (int i = 0; i < 4; i++)
		json_array_append_new(bounds, json_integer(options->size_bound_bytes[i]));
	return bounds;
}

static json_t *result_json(const struct classification *c, const struct classify_options *options)
{
	const struct classifier *classifier = &c->classifier;
	bool truth = score_has_truth(&c->score);
	json_t *counters =
		classifier->ops->statistics ? classifier->ops->statistics(classifier->state) : NULL;
	json_t *not_covered = not_covered_json(&c->holes, counters, c->source->cut_bytes);
	json_t *result = json_object();

	json_object_set_new(result, "trace", text_json(c->path, strlen(c->path)));
	json_object_set_new(result, "form", json_string(c->source->ops->form));
	json_object_set_new(result, "chunks",
			    json_pack("{s:I, s:I}", "read",
				      (json_int_t)tally_chunks(c->tally, BLOCK_READ), "write",
				      (json_int_t)tally_chunks(c->tally, BLOCK_WRITE)));
	json_object_set_new(result, "hints", json_string(options->hints));
	json_object_set_new(result, "evidence", json_boolean(has_evidence(c)));
	json_object_set_new(result, "truth", json_boolean(truth));
	json_object_set_new(result, "no_truth",
			    truth || !*c->no_truth ? json_null()
						   : text_json(c->no_truth, strlen(c->no_truth)));
	score_json(&c->score, result);
	json_object_set_new(result, "paper", paper_json(c, counters));
	json_object_set_new(result, "by_class", tally_by_class(c->tally));
	json_object_set_new(result, "truth_by_class",
			    truth ? tally_truth_by_class(c->tally) : json_null());
	json_object_set_new(result, "known_after_ns", tally_known_after(c->tally));
	json_object_set_new(result, "dedup", tally_dedup(c->tally));
	json_object_set_new(result, "journal", tally_journal(c->tally));
	json_object_set_new(result, "application", tally_application(c->tally));
	json_object_set_new(result, "only",
			    options->pipeline.only ? json_string(options->pipeline.only)
						   : json_null());
	json_object_set_new(result, "over_time", tally_over_time(c->tally));
	json_object_set_new(result, "cross_checks",
			    truth ? truth_check_json(c->check) : json_null());
	json_object_set_new(result, "not_covered", not_covered);
	json_object_set_new(result, "not_covered_why", not_covered_reasons(not_covered));
	json_object_set_new(result, "size_bounds_bytes", bounds_json(&options->pipeline));
	json_object_set_new(result, "size_bounds_reconstructed", json_true());
	json_object_set_new(result, "read_window_ns",
			    json_integer(options->pipeline.read_window_ns));
	json_object_set_new(result, "pipeline", counters ? counters : json_null());
	return result;
}

static void end(struct classification *c)
{
	sink_abandon(c->output);
	free(c->truth);
	tally_free(c->tally);
	truth_check_free(c->check);
	truth_join_free(c->join);
	ledger_free(c->ledger);
	classifier_close(&c->classifier);
	source_close(c->source);
}

/* A hint comes at the latest when its request is as old as this. */
static uint64_t wait_ns(const struct pipeline_options *options)
{
	return options->write_age_ns + options->read_window_ns;
}

static int begin(struct classification *c, const struct classify_options *options)
{
	const struct classifier_setup setup = {
		.pipeline = options->pipeline,
		.sink = take_hints,
		.context = c,
	};

	if (options->output && output_is_input(options->output, c->path))
		return fail("%s can't be both the trace and its copy with hints: name another file",
			    c->path);
	if (classifier_open(&c->classifier, options->hints, &setup))
		return -1;
	c->ledger = ledger_new(wait_ns(&options->pipeline), take_judged, c);
	c->join = truth_join_new();
	c->check = truth_check_new();
	c->tally = tally_new();
	c->truth = calloc(LEDGER_CHUNKS_MAX + 1, sizeof(*c->truth));
	if (!c->ledger || !c->join || !c->check || !c->tally || !c->truth)
		return fail("Out of memory while opening %s", c->path);
	if (!options->output)
		return 0;
	c->output = archive_create(options->output);
	return c->output ? 0 : -1;
}

json_t *classify_trace(const char *path, const struct classify_options *options)
{
	struct classification c = {.path = path};
	struct sink *output;
	json_t *result = NULL;
	int failed;

	if (begin(&c, options) || take_all(&c))
		goto out;
	output = c.output;
	c.output = NULL;
	failed = output ? sink_commit(output) : 0;
	if (!failed)
		result = result_json(&c, options);
out:
	end(&c);
	return result;
}
