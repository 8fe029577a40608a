/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipeline's front: each event to its kind's handler, each decision out as
 * a hint.
 *
 * Before an event is looked at, what became due since the last one is decided:
 * such a hint bears the time when it was due and the seq of the event before,
 * so that hints in the order in which they are handed out fall in time nowhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/pipeline/state.h"

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
	};
}

#define AT(member) offsetof(struct pipeline, member)

static const struct {
	size_t offset, node_bytes;
} pools[] = {
	{AT(processes), sizeof(struct process)},
	{AT(sets), sizeof(struct descriptor_set)},
	{AT(descriptors), sizeof(struct descriptor)},
	{AT(open_files), sizeof(struct open_file)},
	{AT(files), sizeof(struct file)},
	{AT(calls), sizeof(struct call_state)},
	{AT(written), sizeof(struct written)},
	{AT(requests), sizeof(struct read_request)},
	{AT(read_chunks), sizeof(struct read_chunk)},
};

static const size_t tables[] = {
	AT(by_pid),    AT(by_space),  AT(by_descriptor),   AT(by_open_file_id), AT(by_identity),
	AT(by_thread), AT(live_sums), AT(remembered_sums), AT(by_chunk),	AT(read_sums),
	AT(in_flight), AT(by_start),  AT(by_end),
};

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

struct pipeline *pipeline_new(const struct pipeline_options *options, hint_sink sink, void *context)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	int error = 0;

	if (!p)
		return NULL;
	p->options = *options;
	p->sink = sink;
	p->context = context;
	p->zero_sum = fnv1a_zeros(FNV1A_BASIS, CHUNK_BYTES);
	for (size_t i = 0; i < COUNT_OF(pools); i++)
		pool_init((struct pool *)((char *)p + pools[i].offset), pools[i].node_bytes);
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		error |= table_init((struct table *)((char *)p + tables[i]));
	if (!error)
		return p;
	pipeline_free(p);
	return NULL;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < COUNT_OF(pools); i++)
		pool_fini((struct pool *)((char *)p + pools[i].offset));
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		table_fini((struct table *)((char *)p + tables[i]));
	free(p->match);
	free(p);
}

static void flush_hints(struct pipeline *p)
{
	if (p->hint_count && p->sink)
		p->sink(p->context, p->hints, p->hint_count);
	p->hint_count = 0;
}

static struct hint_event *next_hint(struct pipeline *p, uint32_t disk, uint64_t request,
				    uint32_t chunk)
{
	struct event *event;

	if (p->hint_count == HINT_BATCH)
		flush_hints(p);
	event = &p->hints[p->hint_count++];
	event_init(event, EVENT_HINT);
	event->seq = p->seq;
	event->time_ns = p->now_ns;
	event->hint.disk = disk;
	event->hint.request = request;
	event->hint.chunk = chunk;
	return &event->hint;
}

void hint_data(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk,
	       enum chunk_class what, enum hint_reason reason, uint32_t file, uint64_t index)
{
	struct hint_event *hint = next_hint(p, disk, request, chunk);
	const struct file *f = file ? FILE_AT(p, file) : NULL;

	hint->what = what;
	hint->reason = reason;
	hint->dedup = DEDUP_NONE;
	hint->io_class = size_class(&p->options, f ? file_size(f) : SIZE_UNKNOWN);
	if (!f || !f->identified)
		return;
	hint->device = f->device;
	hint->inode = f->inode;
	hint->index = index;
}

void hint_metadata(struct pipeline *p, uint32_t disk, uint64_t request, uint32_t chunk)
{
	struct hint_event *hint = next_hint(p, disk, request, chunk);

	hint->what = CHUNK_METADATA;
	hint->reason = REASON_EXCLUSION;
	hint->dedup = DEDUP_UNIQUE;
	hint->io_class = CLASS_METADATA;
}

static void block_issued(struct pipeline *p, const struct event *event)
{
	p->evidence |= event->block.sums.count > 0;
	if (event->block.op == BLOCK_READ)
		read_issued(p, event);
	else if (event->block.op == BLOCK_WRITE)
		written_to_disk(p, event);
}

static void block_completed(struct pipeline *p, const struct event *event)
{
	p->evidence |= event->complete.sums.count > 0;
	read_completed(p, event);
}

static void process_met(struct pipeline *p, const struct event *event)
{
	p->evidence = true;
	process_of(p, event);
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
	uint32_t process = process_of(p, event), call;

	if (!process)
		return;
	call = call_of(p, event);
	if (call)
		call_abandon(p, call);
	if (event->gone.last_thread)
		process_gone(p, process);
}

static void (*const handlers[EVENT_KINDS])(struct pipeline *, const struct event *) = {
	[EVENT_PROCESS] = process_met,
	[EVENT_DESCRIPTOR] = descriptor_snapshot,
	[EVENT_ENTRY] = entered,
	[EVENT_EXIT] = call_returned,
	[EVENT_FORK] = process_forked,
	[EVENT_EXEC] = process_executed,
	[EVENT_GONE] = gone,
	[EVENT_MONITOR] = monitored,
	[EVENT_INSIGHT] = insight_gained,
	[EVENT_BLOCK] = block_issued,
	[EVENT_COMPLETE] = block_completed,
};

static void feed_one(struct pipeline *p, const struct event *event)
{
	uint64_t time_ns = event->time_ns > p->now_ns ? event->time_ns : p->now_ns;

	read_expire(p, time_ns);
	p->now_ns = time_ns;
	p->seq = event->seq;
	written_expire(p);
	if (event->kind < EVENT_KINDS && handlers[event->kind])
		handlers[event->kind](p, event);
}

int pipeline_feed(struct pipeline *p, const struct event *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		feed_one(p, &events[i]);
	flush_hints(p);
	return p->out_of_memory ? -ENOMEM : 0;
}

int pipeline_finish(struct pipeline *p)
{
	read_finish(p);
	flush_hints(p);
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
	COUNTER(split_calls),
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
	COUNTER(reads_unwanted),
	COUNTER(requests_without_sums),
	COUNTER(requests_never_completed),
	NOW("written_live", live),
	NOW("written_remembered", remembered),
	COUNTER(waiting),
	NOW("processes", processes),
	NOW("descriptors", descriptors),
	NOW("open_files", open_files),
	NOW("files", files),
	NOW("requests", requests),
	PEAK("outstanding_peak", calls),
	COUNTER(live_peak),
	PEAK("written_peak", written),
	COUNTER(waiting_peak),
	PEAK("read_chunks_peak", read_chunks),
	PEAK("requests_peak", requests),
	PEAK("processes_peak", processes),
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

/* What all tables take, slots and nodes, at their largest. */
static uint64_t table_bytes(const struct pipeline *p)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < COUNT_OF(pools); i++) {
		const struct pool *pool = (const void *)((const char *)p + pools[i].offset);

		bytes += ((uint64_t)pool->blocks << POOL_SHIFT) * pool->node_bytes;
	}
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		const struct table *table = (const void *)((const char *)p + tables[i]);

		bytes += (table->mask + 1ull) * sizeof(*table->slot);
	}
	return bytes;
}

json_t *pipeline_statistics(const struct pipeline *p)
{
	json_t *all = json_object();

	for (size_t i = 0; i < COUNT_OF(statistics); i++)
		json_object_set_new(all, statistics[i].name,
				    json_integer(value_of(p, &statistics[i])));
	json_object_set_new(all, "table_entries", json_integer(table_entries(p)));
	json_object_set_new(all, "table_bytes", json_integer(table_bytes(p)));
	return all;
}

uint64_t pipeline_counter(const struct pipeline *p, const char *name)
{
	if (!strcmp(name, "table_entries"))
		return table_entries(p);
	for (size_t i = 0; i < COUNT_OF(statistics); i++)
		if (!strcmp(statistics[i].name, name))
			return value_of(p, &statistics[i]);
	return 0;
}
