/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording is read three times: here, for what its events say themselves, by
 * the classification, and for the lifetimes of blocks. Memory of the first:
 * histograms, the requests in flight, and the first requests for their order.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/calls.h"
#include "capture/source.h"
#include "common/component.h"
#include "common/error.h"
#include "common/pool.h"
#include "common/progress.h"
#include "common/table.h"
#include "measure.h"
#include "sim/classify.h"
#include "sim/lifetimes.h"

#define IN_FLIGHT_MAX (1u << 20)

const char *const distribution_names[DISTRIBUTIONS] = {
	[BYTES_READ] = "request_bytes.read",	     [BYTES_WRITTEN] = "request_bytes.write",
	[BYTES_DISCARDED] = "request_bytes.discard", [GAP] = "gap_ns",
	[LATENCY_READ] = "latency_ns.read",	     [LATENCY_WRITE] = "latency_ns.write",
	[LATENCY_FLUSH] = "latency_ns.flush",	     [LIFETIME_SKY] = "lifetime_ns.sky",
	[LIFETIME_NAIVE] = "lifetime_ns.naive",
};

const struct quantile quantiles[QUANTILES] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"max", 100}};

static const struct {
	int bytes, latency; /* enum distribution; -1: of no interest */
} ops[BLOCK_OPS] = {
	[BLOCK_READ] = {BYTES_READ, LATENCY_READ},
	[BLOCK_WRITE] = {BYTES_WRITTEN, LATENCY_WRITE},
	[BLOCK_FLUSH] = {-1, LATENCY_FLUSH},
	[BLOCK_DISCARD] = {BYTES_DISCARDED, -1},
	[BLOCK_ZERO] = {-1, -1},
};

struct in_flight {
	uint64_t id, issued_ns;
	uint32_t disk;
	uint8_t op;
};

struct reading {
	struct measurement *to;
	uint64_t kinds[EVENT_KINDS], calls[CALL_COUNT];
	uint64_t requests[BLOCK_OPS], bytes[BLOCK_OPS], errors;
	uint64_t first_ns, last_ns, first_seq, last_seq, recorded, lost, held_ns;
	uint64_t issued_ns; /* when the latest request was issued */
	struct pool pool;
	struct table table;
};

static uint64_t since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

static uint32_t find_in_flight(const struct reading *r, uint32_t disk, uint64_t id)
{
	uint32_t node;

	table_for_each(&r->table, hash_words(disk, id), at, node)
	{
		const struct in_flight *f = POOL_NODE(&r->pool, struct in_flight, node);

		if (f->id == id && f->disk == disk)
			return node;
	}
	return 0;
}

static int take_block(struct reading *r, const struct event *e)
{
	const struct block_event *b = &e->block;
	uint64_t bytes = (uint64_t)b->sectors * SECTOR_BYTES;
	uint32_t node = find_in_flight(r, b->disk, b->id);
	struct histogram *distribution = r->to->distribution;

	if (r->kinds[EVENT_BLOCK] > 1)
		histogram_add(&distribution[GAP], since(r->issued_ns, e->time_ns), 1);
	r->issued_ns = e->time_ns;
	r->requests[b->op]++;
	r->bytes[b->op] += bytes;
	if (ops[b->op].bytes >= 0)
		histogram_add(&distribution[ops[b->op].bytes], bytes, 1);
	if (order_add(&r->to->requests, e))
		return -ENOMEM;
	if (!node) {
		if (pool_refuses(&r->pool))
			return 0;
		node = pool_take(&r->pool);
		if (!node || table_add(&r->table, hash_words(b->disk, b->id), node))
			return -ENOMEM;
	}
	*POOL_NODE(&r->pool, struct in_flight, node) = (struct in_flight){
		.id = b->id, .issued_ns = e->time_ns, .disk = b->disk, .op = b->op};
	return 0;
}

static int take_complete(struct reading *r, const struct event *e)
{
	const struct complete_event *c = &e->complete;
	uint32_t node = find_in_flight(r, c->disk, c->id);
	struct in_flight *f;
	int latency;

	r->errors += c->error != 0;
	if (!node)
		return 0;
	f = POOL_NODE(&r->pool, struct in_flight, node);
	latency = ops[f->op].latency;
	if (latency >= 0 && !c->error)
		histogram_add(&r->to->distribution[latency], since(f->issued_ns, e->time_ns), 1);
	table_remove(&r->table, hash_words(c->disk, c->id), node);
	pool_give(&r->pool, node);
	return 0;
}

static int take_entry(struct reading *r, const struct event *e)
{
	uint64_t argument[6];

	memcpy(argument, e->entry.argument, sizeof(argument));
	r->calls[call_meant(e->entry.abi, e->entry.number, argument)]++;
	return 0;
}

static int take_loss(struct reading *r, const struct event *e)
{
	r->lost += e->loss.count;
	return 0;
}

/* What a recorder says of itself may be no UTF-8: such words are left out. */
static int take_attribute(struct reading *r, const struct event *e)
{
	const struct attribute_event *a = &e->attribute;
	char name[128];

	snprintf(name, sizeof(name), "attribute.%.*s", (int)a->name.count, a->name.at);
	json_object_set_new(r->to->words, name, json_stringn(a->value.at, a->value.count));
	return 0;
}

static int (*const takers[EVENT_KINDS])(struct reading *, const struct event *) = {
	[EVENT_ATTRIBUTE] = take_attribute, [EVENT_ENTRY] = take_entry,
	[EVENT_LOSS] = take_loss,	    [EVENT_BLOCK] = take_block,
	[EVENT_COMPLETE] = take_complete,
};

static int take(struct reading *r, const struct event *e)
{
	if (!r->recorded) {
		r->first_seq = e->seq;
		r->first_ns = e->time_ns;
	}
	r->recorded += !event_kinds[e->kind].derived;
	r->last_seq = e->seq;
	if (e->time_ns > r->last_ns)
		r->last_ns = e->time_ns;
	r->held_ns += e->held_ns;
	r->kinds[e->kind]++;
	return takers[e->kind] ? takers[e->kind](r, e) : 0;
}

static int read_events(struct reading *r, struct source *source)
{
	struct event *events = calloc(BATCH_EVENTS, sizeof(*events));
	ssize_t count = -1;
	int error = events ? 0 : -ENOMEM;

	progress_begin("measuring", source->total_bytes);
	while (!error && (count = source_read(source, events, BATCH_EVENTS)) > 0) {
		for (ssize_t i = 0; i < count && !error; i++)
			error = take(r, &events[i]);
		progress_update(source->read_bytes);
	}
	progress_end();
	free(events);
	if (error)
		return fail("out of memory while measuring %s", r->to->path);
	return count < 0 ? -1 : 0;
}

/* Numbers are known names here, each once; what fails for want of memory shows at the end. */
static void set_number(struct measurement *m, const char *group, const char *name, json_t *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s%s", group, *group && *name ? "." : "", name);
	json_object_set_new(m->numbers, path, value);
}

/* A damaged trace may add up to more than JSON's integers hold. */
static json_t *count_json(uint64_t count)
{
	return count > INT64_MAX ? json_real(count) : json_integer(count);
}

static void set_count(struct measurement *m, const char *group, const char *name, uint64_t count)
{
	set_number(m, group, name, count_json(count));
}

static void set_counted(struct measurement *m, const char *beginning)
{
	json_array_append_new(m->counted, json_string(beginning));
}

static void set_distribution(struct measurement *m, enum distribution d)
{
	const struct histogram *h = &m->distribution[d];

	set_number(m, distribution_names[d], "mean",
		   h->count ? json_real(h->sum / h->count) : json_null());
	for (size_t i = 0; i < QUANTILES; i++)
		set_number(m, distribution_names[d], quantiles[i].name,
			   h->count ? count_json(histogram_quantile(h, quantiles[i].percent))
				    : json_null());
}

static void set_numbers(struct reading *r, const struct source *source)
{
	struct measurement *m = r->to;

	set_number(m, "duration_ns", "",
		   r->recorded ? count_json(since(r->first_ns, r->last_ns)) : json_null());
	for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
		set_count(m, "events", event_kinds[kind].name, r->kinds[kind]);
	set_count(m, "lost_events", "", r->lost);
	set_count(m, "missing_seqs", "",
		  r->recorded ? r->last_seq - r->first_seq + 1 - r->recorded : 0);
	set_count(m, "cut_bytes", "", source->cut_bytes);
	set_count(m, "held_ns", "", r->held_ns);
	for (unsigned call = 1; call < CALL_COUNT; call++)
		if (r->calls[call])
			set_count(m, "calls", call_table[call].name, r->calls[call]);
	set_count(m, "calls", "(others)", r->calls[CALL_NONE]);
	for (unsigned op = 0; op < BLOCK_OPS; op++) {
		char group[32];

		snprintf(group, sizeof(group), "requests.%s", block_op_words[op]);
		set_count(m, group, "count", r->requests[op]);
		set_count(m, group, "bytes", r->bytes[op]);
	}
	set_count(m, "requests.failed", "", r->errors);
	set_count(m, "requests.never_completed", "", r->pool.count);
	for (unsigned d = 0; d < LIFETIME_SKY; d++)
		set_distribution(m, d);
	set_counted(m, "calls.");
}

static int measure_events(struct measurement *m)
{
	struct source *source = trace_open(m->path, KINDS_ALL);
	struct reading *r = calloc(1, sizeof(*r));
	int rc = -1;

	if (!source || !r)
		goto out;
	r->to = m;
	pool_init(&r->pool, sizeof(struct in_flight));
	r->pool.bound = IN_FLIGHT_MAX;
	rc = table_init(&r->table) ? fail("out of memory while measuring %s", m->path)
				   : read_events(r, source);
	if (!rc)
		set_numbers(r, source);
	json_object_set_new(m->words, "form", json_string(source->ops->form));
	table_fini(&r->table);
	pool_fini(&r->pool);
out:
	free(r);
	source_close(source);
	return rc;
}

/* What of the classification describes the recording; the rest describes the pipeline's work. */
static int measure_classes(struct measurement *m, const char *hints)
{
	static const char *const wanted[] = {"chunks",
					     "write_error_percent",
					     "write_errors",
					     "write_chunks_judged",
					     "read_errors",
					     "read_error_percent",
					     "unconsumed_percent",
					     "read_chunks_judged",
					     "confusion",
					     "by_class",
					     "truth_by_class",
					     "known_after_ns",
					     "application",
					     "dedup",
					     "journal",
					     "not_covered"};
	struct classify_options options;
	json_t *result;
	int rc = 0;

	classify_defaults(&options);
	options.hints = hints;
	result = classify_trace(m->path, &options);
	if (!result)
		return -1;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted) && !rc; i++)
		rc = flatten(m, wanted[i], json_object_get(result, wanted[i]));
	set_counted(m, "by_class.");
	set_counted(m, "application.");
	set_counted(m, "dedup.");
	if (json_is_true(json_object_get(result, "truth")))
		set_counted(m, "truth_by_class.");
	json_decref(result);
	return rc;
}

/* From points [ns, how many lived no longer], of which each is the largest of its bucket. */
static void take_curve(struct histogram *h, const json_t *curve)
{
	const json_t *point;
	json_int_t before = 0;
	size_t i;

	json_array_foreach (curve, i, point) {
		json_int_t until = json_integer_value(json_array_get(point, 1));

		histogram_add(h, json_integer_value(json_array_get(point, 0)), until - before);
		before = until;
	}
}

/* Without evidence nothing is known of files' blocks; the disk's are always known. */
static int measure_lifetimes(struct measurement *m)
{
	static const struct {
		const char *name, *path;
		enum distribution distribution;
	} ways[] = {{"sky", "lifetimes.sky", LIFETIME_SKY},
		    {"naive", "lifetimes.naive", LIFETIME_NAIVE}};
	json_t *result = lifetimes_of_trace(m->path);
	int rc = 0;

	if (!result)
		return -1;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways) && !rc; i++) {
		json_t *way = json_object_get(json_object_get(result, "lifetimes"), ways[i].name);

		if (ways[i].distribution == LIFETIME_SKY &&
		    !json_is_true(json_object_get(result, "evidence")))
			continue;
		take_curve(&m->distribution[ways[i].distribution], json_object_get(way, "cdf"));
		json_object_del(way, "cdf");
		rc = flatten(m, ways[i].path, way);
	}
	json_decref(result);
	return rc;
}

static int measure_recording(struct measurement *m, const char *hints)
{
	m->recording = true;
	m->distribution = calloc(DISTRIBUTIONS, sizeof(*m->distribution));
	if (!m->distribution)
		return fail("out of memory while measuring %s", m->path);
	if (measure_events(m))
		return -1;
	if (!hints)
		return 0;
	return measure_classes(m, hints) || measure_lifetimes(m) ? -1 : 0;
}

static int measure_result(struct measurement *m, FILE *file)
{
	json_error_t error;
	json_t *result = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	int rc;

	if (!result)
		return fail("%s is no JSON object as commands print it with --json: line %d: %s",
			    m->path, error.line, error.text);
	rc = flatten(m, "", result);
	json_decref(result);
	return rc;
}

/* The first byte that is no space, which stays to be read; EOF in an empty file. */
static int first_byte(FILE *file)
{
	int c;

	do
		c = getc(file);
	while (c != EOF && isspace(c));
	return ungetc(c, file);
}

int measure(struct measurement *m, const char *path, const char *hints)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	int rc;

	*m = (struct measurement){.path = path};
	m->numbers = json_object();
	m->words = json_object();
	m->counted = json_array();
	if (!file)
		return fail_errno(errno, "cannot open %s", path);
	if (first_byte(file) == '{')
		rc = measure_result(m, file);
	else if (ferror(file))
		rc = fail_errno(errno, "cannot read %s", path);
	else if (fstat(fileno(file), &st) || !S_ISREG(st.st_mode))
		rc = fail("%s is no JSON, and no file either: a recording is read more than "
			  "once, so it can't come through a pipe",
			  path);
	else
		rc = measure_recording(m, hints);
	fclose(file);
	return rc;
}

void measurement_free(struct measurement *m)
{
	json_decref(m->numbers);
	json_decref(m->words);
	json_decref(m->counted);
	free(m->distribution);
	order_free(&m->requests);
}
