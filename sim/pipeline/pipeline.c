/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipeline's front: each event to its kind's handler, and what all of it takes.
 *
 * Before an event is looked at, what became due since the last one is decided:
 * such a hint bears the time when it was due and the seq of the event before,
 * so that hints in the order in which they are handed out fall in time nowhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/pipeline/application.h"
#include "sim/pipeline/areas.h"
#include "sim/pipeline/asynchronous.h"
#include "sim/pipeline/copying.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/identity.h"
#include "sim/pipeline/insights.h"
#include "sim/pipeline/journal.h"
#include "sim/pipeline/mapped.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reading.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/stored.h"
#include "sim/pipeline/sums.h"
#include "sim/pipeline/written.h"

/* Table 6 of the paper, reconstructed; MB are taken as MiB. */
#define MIB (1u << 20)

/* Paper, 3.4.1. */
#define READ_WINDOW_NS 4000000000u

/*
 * Linux writes a dirty page back when it is 30 s old, looking every 5 s
 * (vm.dirty_expire_centisecs, vm.dirty_writeback_centisecs), ext4 commits every
 * 5 s; a busy disk may take as long again, twice over.
 */
#define WRITE_AGE_NS 120000000000u

void pipeline_defaults(struct pipeline_options *options)
{
	*options = (struct pipeline_options){
		.size_bound_bytes = {14 * MIB, 10 * MIB, 5 * MIB, 2 * MIB},
		.read_window_ns = READ_WINDOW_NS,
		.write_age_ns = WRITE_AGE_NS,
		.copy_programs = COPY_PROGRAMS,
		.encryption_programs = ENCRYPTION_PROGRAMS,
		.encryption_extensions = ENCRYPTION_EXTENSIONS,
	};
}

#define AT(member) offsetof(struct pipeline, member)

/*
 * What the pools may hold at most: far more than any guest has in flight, and
 * a bound where a trace is damaged or hostile. What finds no room is not
 * remembered, and counted; the oldest written and read chunks, calls and processes make room.
 */
#define POOL(member, type, bound)                               \
	{                                                       \
#member, AT(member), sizeof(struct type), bound \
	}

static const struct {
	const char *name;
	size_t offset, node_bytes;
	uint32_t bound;
} pools[] = {
	POOL(processes, process, 1u << 18),
	POOL(sets, descriptor_set, 1u << 18),
	POOL(descriptors, descriptor, 1u << 22),
	POOL(open_files, open_file, 1u << 22),
	POOL(files, file, 1u << 22),
	POOL(threads, thread, 1u << 18),
	POOL(calls, call_state, 1u << 18),
	POOL(submissions, submission, 1u << 18),
	POOL(frames, frame, 1u << 20), /* 4 GiB of mapped pages */
	POOL(areas, area, 1u << 20),
	POOL(written, written, 1u << 23),
	POOL(requests, read_request, 1u << 20),
	POOL(read_chunks, read_chunk, 1u << 23),
	POOL(names, name, 1u << 16),
	POOL(folders, folder, 1u << 18),
	POOL(copy_sums, copy_sum, COPY_SUMS_MAX),
};

#define TABLE(member)               \
	{                           \
#member, AT(member) \
	}

static const struct {
	const char *name;
	size_t offset;
} tables[] = {
	TABLE(by_pid),		TABLE(by_space),  TABLE(by_descriptor), TABLE(by_open_file_id),
	TABLE(by_identity),	TABLE(by_thread), TABLE(by_tid),	TABLE(live_sums),
	TABLE(remembered_sums), TABLE(by_chunk),  TABLE(read_sums),	TABLE(in_flight),
	TABLE(by_start),	TABLE(by_end),	  TABLE(copy_table),	TABLE(by_request),
	TABLE(by_frame),
};

static struct pool *pool_of(const struct pipeline *p, size_t i)
{
	return (struct pool *)((char *)p + pools[i].offset);
}

static struct table *table_of(const struct pipeline *p, size_t i)
{
	return (struct table *)((char *)p + tables[i].offset);
}

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

struct pipeline *pipeline_new(const struct pipeline_options *options, hint_sink sink, void *context)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	int error = 0;

	if (!p)
		return NULL;
	p->options = *options;
	hint_batch_init(&p->hints, sink, context);
	p->zero_sum = fnv1a_zeros(FNV1A_BASIS, CHUNK_BYTES);
	for (size_t i = 0; i < COUNT_OF(pools); i++) {
		pool_init(pool_of(p, i), pools[i].node_bytes);
		pool_of(p, i)->bound = pools[i].bound;
	}
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		error |= table_init(table_of(p, i));
	p->stored = calloc(STORED_MAX, sizeof(*p->stored));
	if (!p->stored)
		error = -ENOMEM;
	if (!error)
		selection_begin(p);
	if (!error && !p->out_of_memory)
		return p;
	pipeline_free(p);
	return NULL;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	names_free(p);
	for (size_t i = 0; i < COUNT_OF(pools); i++)
		pool_fini(pool_of(p, i));
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		table_fini(table_of(p, i));
	free(p->stored);
	free(p->match);
	free(p->current);
	free(p->logged);
	free(p);
}

/* A recorder that was told to leave calls out: what nobody wrote is no metadata then. */
static void attribute_met(struct pipeline *p, const struct event *event)
{
	const struct attribute_event *attribute = &event->attribute;

	identity_attribute(p, event);
	if (text_is(&attribute->name, "calls") && text_is(&attribute->value, "none"))
		p->blind = true;
}

static void block_issued(struct pipeline *p, const struct event *event)
{
	if (p->blind)
		return;
	p->evidence |= event->block.sums.count > 0;
	if (event->block.op == BLOCK_READ)
		read_issued(p, event);
	else if (event->block.op == BLOCK_WRITE)
		write_issued(p, event);
}

static void block_completed(struct pipeline *p, const struct event *event)
{
	if (p->blind)
		return;
	p->evidence |= event->complete.sums.count > 0;
	read_completed(p, event);
}

static void process_met(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_of(p, event);

	p->evidence = true;
	if (!process)
		return;
	program_named(p, process, &event->process.executable);
	folder_told(p, process, &event->process.cwd);
}

static void entered(struct pipeline *p, const struct event *event)
{
	p->evidence = true;
	call_entered(p, event);
}

static void monitored(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_of(p, event);

	if (process && !event->monitor.on)
		process_gone(p, process);
}

static void gone(struct pipeline *p, const struct event *event)
{
	uint32_t process = process_known(p, event);
	uint32_t thread = process ? thread_known(p, process, event) : 0;

	if (thread)
		thread_gone(p, thread);
	if (process && event->gone.last_thread)
		process_gone(p, process);
}

static void (*const handlers[EVENT_KINDS])(struct pipeline *, const struct event *) = {
	[EVENT_ATTRIBUTE] = attribute_met,
	[EVENT_PROCESS] = process_met,
	[EVENT_DESCRIPTOR] = descriptor_snapshot,
	[EVENT_MAP] = area_snapshot,
	[EVENT_ENTRY] = entered,
	[EVENT_EXIT] = call_returned,
	[EVENT_SWITCH] = call_switched,
	[EVENT_FORK] = identity_forked,
	[EVENT_EXEC] = process_executed,
	[EVENT_GONE] = gone,
	[EVENT_MONITOR] = monitored,
	[EVENT_INSIGHT] = insight_gained,
	[EVENT_MAPPING] = mapping_changed,
	[EVENT_BLOCK] = block_issued,
	[EVENT_COMPLETE] = block_completed,
};

static void feed_one(struct pipeline *p, const struct event *event)
{
	uint64_t time_ns = event->time_ns > p->now_ns ? event->time_ns : p->now_ns;

	read_expire(p, time_ns);
	p->now_ns = time_ns;
	p->seq = event->seq;
	bounds_keep(p);
	p->origin = (struct origin){0};
	written_expire(p);
	copying_expire(p);
	if (event->kind < EVENT_KINDS && handlers[event->kind])
		handlers[event->kind](p, event);
}

/* How far ahead of its turn an event's checksums are looked at, and how many of them. */
#define AHEAD	   8
#define AHEAD_SUMS 16

/* Its look-ups will find their slots in the processor's cache. */
static void look_ahead(const struct pipeline *p, const struct event *event)
{
	struct words sums = {0};

	if (event->kind == EVENT_ENTRY)
		sums = event->entry.sums;
	else if (event->kind == EVENT_BLOCK)
		sums = event->block.sums;
	if (sums.count > AHEAD_SUMS)
		sums.count = AHEAD_SUMS;
	sums_prefetch(&p->live_sums, &sums);
}

int pipeline_feed(struct pipeline *p, const struct event *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i + AHEAD < count)
			look_ahead(p, &events[i + AHEAD]);
		feed_one(p, &events[i]);
	}
	hint_batch_flush(&p->hints);
	return p->out_of_memory ? -ENOMEM : 0;
}

int pipeline_finish(struct pipeline *p)
{
	read_finish(p);
	hint_batch_flush(&p->hints);
	return p->out_of_memory ? -ENOMEM : 0;
}

bool pipeline_has_evidence(const struct pipeline *p)
{
	return p->evidence;
}

struct statistic {
	const char *name;
	size_t offset;
	bool wide; /* 64 bits, not 32 */
};

#define COUNTER(member)                            \
	{                                          \
#member, AT(counters.member), true \
	}
#define NOW(title, member)                     \
	{                                      \
		title, AT(member.count), false \
	}
#define PEAK(title, member)                   \
	{                                     \
		title, AT(member.peak), false \
	}

static const struct statistic statistics[] = {
	NOW("outstanding", calls),
	NOW("submissions", submissions),
	NOW("frames", frames),
	COUNTER(completions_unseen),
	COUNTER(completions_unknown),
	COUNTER(processes_with_sqpoll),
	COUNTER(split_calls),
	COUNTER(fallback_lookups),
	COUNTER(thread_switches),
	COUNTER(nested_calls),
	COUNTER(restarted_calls),
	COUNTER(first_returns),
	COUNTER(lost_exits),
	COUNTER(unmatched_exits),
	COUNTER(unknown_descriptors),
	COUNTER(failed_writes),
	COUNTER(short_writes),
	COUNTER(chunks_written),
	COUNTER(chunks_rewritten),
	COUNTER(chunks_dropped),
	COUNTER(chunks_aged),
	COUNTER(chunks_matched_again),
	COUNTER(chunks_without_sum),
	COUNTER(chunks_given_up),
	COUNTER(reads_given_up),
	COUNTER(calls_given_up),
	COUNTER(threads_given_up),
	COUNTER(processes_given_up),
	COUNTER(reads_unwanted),
	COUNTER(requests_without_sums),
	COUNTER(requests_never_completed),
	COUNTER(journal_chunks),
	COUNTER(clones),
	COUNTER(copy_sums_forgotten),
	COUNTER(stored_forgotten),
	COUNTER(chunks_unselected),
	COUNTER(chunks_classed),
	COUNTER(class_out_of_range),
	COUNTER(class_in_handler),
	NOW("copy_sums", copy_sums),
	NOW("names", names),
	NOW("written_live", live),
	NOW("written_remembered", remembered),
	NOW("written_dropped", dropped),
	COUNTER(waiting),
	NOW("processes", processes),
	NOW("threads", threads),
	NOW("descriptors", descriptors),
	NOW("open_files", open_files),
	NOW("files", files),
	NOW("requests", requests),
	PEAK("outstanding_peak", calls),
	PEAK("submissions_peak", submissions),
	PEAK("frames_peak", frames),
	COUNTER(live_peak),
	PEAK("written_peak", written),
	COUNTER(waiting_peak),
	PEAK("read_chunks_peak", read_chunks),
	PEAK("requests_peak", requests),
	PEAK("processes_peak", processes),
	PEAK("threads_peak", threads),
	PEAK("descriptors_peak", descriptors),
	PEAK("open_files_peak", open_files),
	PEAK("files_peak", files),
};

static uint64_t value_of(const struct pipeline *p, const struct statistic *statistic)
{
	const void *at = (const char *)p + statistic->offset;

	return statistic->wide ? *(const uint64_t *)at : *(const uint32_t *)at;
}

/* Chunks that wait for the disk, and for a call. */
static uint64_t table_entries(const struct pipeline *p)
{
	return p->live.count + p->counters.waiting;
}

/* Neither pools nor tables shrink: what they take now is what they took at their largest. */
static uint64_t pool_bytes(const struct pool *pool)
{
	return ((uint64_t)pool->blocks << POOL_SHIFT) * pool->node_bytes;
}

static uint64_t slot_bytes(const struct table *table)
{
	return (table->mask + 1ull) * sizeof(*table->slot);
}

/* What all takes at its largest: slots, nodes, the rest. */
static uint64_t table_bytes(const struct pipeline *p)
{
	uint64_t bytes = sizeof(*p) + p->match_room * (sizeof(*p->match) + sizeof(*p->logged));

	bytes += p->vcpus * sizeof(*p->current) + STORED_MAX * sizeof(*p->stored);
	for (size_t i = 0; i < COUNT_OF(pools); i++)
		bytes += pool_bytes(pool_of(p, i));
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		bytes += slot_bytes(table_of(p, i));
	return bytes;
}

static uint64_t refused(const struct pipeline *p)
{
	uint64_t all = 0;

	for (size_t i = 0; i < COUNT_OF(pools); i++)
		all += pool_of(p, i)->refused;
	return all;
}

/* A table that may hold no more than so much. */
struct bounded {
	uint64_t entries, peak, bytes, bound, refused;
};

static void add_bounded(json_t *all, const char *name, const struct bounded *table)
{
	json_object_set_new(all, name,
			    json_pack("{s:I, s:I, s:I, s:I, s:I}", "entries",
				      (json_int_t)table->entries, "peak", (json_int_t)table->peak,
				      "peak_bytes", (json_int_t)table->bytes, "bound",
				      (json_int_t)table->bound, "refused",
				      (json_int_t)table->refused));
}

/* Those that have their full size from the start; what finds no room goes or makes room. */
static void add_fixed(const struct pipeline *p, json_t *all)
{
	uint64_t raw = p->raw_count < RAW_DISKS_MAX ? p->raw_count : RAW_DISKS_MAX;

	add_bounded(all, "stored",
		    &(struct bounded){p->stored_count, p->stored_peak,
				      STORED_MAX * sizeof(*p->stored), STORED_MAX, 0});
	add_bounded(all, "journals",
		    &(struct bounded){p->journal_count, p->journal_count, sizeof(p->journals),
				      JOURNALS_MAX, 0});
	add_bounded(all, "raw_disks",
		    &(struct bounded){raw, raw, sizeof(p->raw_disks), RAW_DISKS_MAX, 0});
}

/* Every table: what it holds now, held at most, may hold, had no room for. */
static json_t *tables_json(const struct pipeline *p)
{
	json_t *all = json_object();

	for (size_t i = 0; i < COUNT_OF(pools); i++) {
		const struct pool *pool = pool_of(p, i);

		add_bounded(all, pools[i].name,
			    &(struct bounded){pool->count, pool->peak, pool_bytes(pool),
					      pool->bound, pool->refused});
	}
	add_fixed(p, all);
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		const struct table *table = table_of(p, i);

		json_object_set_new(all, tables[i].name,
				    json_pack("{s:I, s:I, s:I}", "entries",
					      (json_int_t)table->count, "peak",
					      (json_int_t)table->peak, "peak_bytes",
					      (json_int_t)slot_bytes(table)));
	}
	return all;
}

json_t *pipeline_statistics(const struct pipeline *p)
{
	json_t *all = json_object();

	for (size_t i = 0; i < COUNT_OF(statistics); i++)
		json_object_set_new(all, statistics[i].name,
				    json_integer(value_of(p, &statistics[i])));
	json_object_set_new(all, "table_entries", json_integer(table_entries(p)));
	json_object_set_new(all, "table_bytes", json_integer(table_bytes(p)));
	json_object_set_new(all, "entries_without_room", json_integer(refused(p)));
	json_object_set_new(all, "tables", tables_json(p));
	return all;
}

uint64_t pipeline_counter(const struct pipeline *p, const char *name)
{
	if (!strcmp(name, "table_entries"))
		return table_entries(p);
	if (!strcmp(name, "table_bytes"))
		return table_bytes(p);
	if (!strcmp(name, "entries_without_room"))
		return refused(p);
	for (size_t i = 0; i < COUNT_OF(statistics); i++)
		if (!strcmp(statistics[i].name, name))
			return value_of(p, &statistics[i]);
	return 0;
}
