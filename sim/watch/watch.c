/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event -> intervals that it ends -> counts at issue -> pipeline -> ledger
 * (which hint is whose) -> counts of what was found, and whose it was.
 *
 * A chunk on the disk is its file's; it is that process's which wrote to the
 * file last, or whose call took it. Metadata is the file system's own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "common/error.h"
#include "sim/ledger.h"
#include "sim/pipeline/pipeline.h"
#include "sim/pipeline/traffic.h"
#include "sim/watch/labels.h"
#include "sim/watch/watch.h"

#define FILES_TRACKED	  4096
#define PROCESSES_TRACKED 1024
#define FILE_NAMES	  65536
#define PROCESS_NAMES	  16384

/* Requests that wait for hints in a trace that has shown no evidence so far. */
#define BLIND_REQUESTS_MAX 1024u

struct watch {
	struct pipeline *pipeline;
	struct ledger *ledger;
	struct space_saving *files, *processes;
	struct labels *file_names, *process_names; /* a file's mark: who wrote to it last */
	watch_sink sink;
	void *context;
	uint64_t interval_ns, first_ns, now_ns, last_seq, issued_chunks, judged_chunks;
	struct watch_interval interval, closed;
	bool begun, began_command, ended, out_of_memory, device_known;
	uint64_t device;		       /* of the recorded file system */
	char mount_point[LABEL_BYTES_MAX + 1]; /* its root; names below it are told from there */
	uint64_t taker;			       /* of the event under way: who reads */
};

static struct watch_counts *counts(struct watch *w)
{
	return &w->interval.now;
}

static enum watch_row row_of(const struct event *hint)
{
	switch (hint ? hint->hint.what : CHUNK_UNKNOWN) {
	case CHUNK_METADATA:
		return ROW_METADATA;
	case CHUNK_DATA:
		return hint->hint.io_class < CLASS_COUNT ? hint->hint.io_class : CLASS_REST;
	case CHUNK_UNCONSUMED:
		return ROW_UNCONSUMED;
	default:
		return ROW_UNKNOWN;
	}
}

static void add(struct watch *w, struct space_saving *to, uint64_t key0, uint64_t key1,
		enum watch_amount amount, uint64_t bytes)
{
	w->out_of_memory |= space_saving_add(to, key0, key1, amount, bytes, w->interval.number);
}

/* Whose was it? Told after the chunk was found to be something. */
static void attribute(struct watch *w, const struct judged *judged)
{
	const struct hint_event *hint = &judged->hint->hint;
	enum watch_amount amount = judged->op == BLOCK_WRITE ? DISK_WRITTEN : DISK_READ;
	uint64_t bytes = judged->sectors * SECTOR_BYTES, process = PROCESS_UNKNOWN;

	if (hint->what == CHUNK_METADATA)
		process = PROCESS_FILE_SYSTEM;
	else if (judged->op == BLOCK_READ && w->taker)
		process = w->taker;
	else if (judged->op == BLOCK_WRITE)
		process = labels_mark(w->file_names, hint->device, hint->inode);
	if (hint->device || hint->inode)
		add(w, w->files, hint->device, hint->inode, amount, bytes);
	if (!process && hint->what != CHUNK_METADATA)
		process = PROCESS_UNKNOWN;
	add(w, w->processes, process, 0, amount, bytes);
}

static void take_judged(void *context, const struct judged *judged)
{
	struct watch *w = context;
	struct watch_cell *cell = &counts(w)->found[judged->op][row_of(judged->hint)];

	cell->requests += judged->first;
	cell->chunks += judged->chunks;
	cell->bytes += judged->sectors * SECTOR_BYTES;
	w->judged_chunks += judged->chunks;
	if (!judged->hint)
		return;
	if (judged->issued_ns < w->interval.start_ns)
		counts(w)->late_chunks += judged->chunks;
	attribute(w, judged);
}

static void take_hints(void *context, const struct event *hints, size_t count)
{
	struct watch *w = context;

	for (size_t i = 0; i < count; i++)
		ledger_hint(w->ledger, &hints[i]);
}

static void moved(void *context, const struct traffic *t)
{
	struct watch *w = context;
	enum watch_amount amount = t->written ? CALLS_WRITTEN : CALLS_READ;

	if (!t->written)
		w->taker = t->process;
	if (w->device_known && t->device != w->device)
		return;
	counts(w)->call_bytes[t->written ? BLOCK_WRITE : BLOCK_READ] += t->bytes;
	add(w, w->processes, t->process, 0, amount, t->bytes);
	if (!t->device && !t->inode)
		return;
	add(w, w->files, t->device, t->inode, amount, t->bytes);
	if (t->written)
		w->out_of_memory |= labels_set_mark(w->file_names, t->device, t->inode, t->process);
}

static void executes(void *context, uint64_t process, const struct text *executable)
{
	struct watch *w = context;

	w->out_of_memory |= labels_set(w->process_names, process, 0, executable);
}

static void made(void *context, uint64_t parent, uint64_t child)
{
	struct watch *w = context;
	const char *name = labels_get(w->process_names, parent, 0);
	char copy[LABEL_BYTES_MAX + 1];
	struct text text = {copy, 0};

	if (!name || parent == child)
		return;
	text.count = strlen(name);
	memcpy(copy, name, text.count);
	executes(w, child, &text);
}

static void path(void *context, uint64_t device, uint64_t inode, const struct text *path)
{
	struct watch *w = context;
	size_t above = strlen(w->mount_point);
	struct text text = *path;

	if (above && text.count > above + 1 && text.at[above] == '/' &&
	    !memcmp(text.at, w->mount_point, above)) {
		text.at += above + 1;
		text.count -= above + 1;
	}
	w->out_of_memory |= labels_set(w->file_names, device, inode, &text);
}

static const struct traffic_watcher traffic_watcher = {
	.moved = moved,
	.executes = executes,
	.made = made,
	.path = path,
};

struct watch *watch_new(uint64_t interval_ns, watch_sink sink, void *context)
{
	struct pipeline_options options;
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		goto no_memory;
	pipeline_defaults(&options);
	w->interval_ns = interval_ns;
	w->sink = sink;
	w->context = context;
	w->pipeline = pipeline_new(&options, take_hints, w);
	w->ledger = ledger_new(options.write_age_ns + options.read_window_ns, take_judged, w);
	w->files = space_saving_new(FILES_TRACKED);
	w->processes = space_saving_new(PROCESSES_TRACKED);
	w->file_names = labels_new(FILE_NAMES);
	w->process_names = labels_new(PROCESS_NAMES);
	if (!w->pipeline || !w->ledger || !w->files || !w->processes || !w->file_names ||
	    !w->process_names)
		goto no_memory;
	pipeline_watch_traffic(w->pipeline, &traffic_watcher, w);
	return w;
no_memory:
	watch_free(w);
	fail("out of memory for watching");
	return NULL;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	pipeline_free(w->pipeline);
	ledger_free(w->ledger);
	space_saving_free(w->files);
	space_saving_free(w->processes);
	labels_free(w->file_names);
	labels_free(w->process_names);
	free(w);
}

/* All counts are numbers of the same type side by side. */
_Static_assert(sizeof(struct watch_counts) % sizeof(uint64_t) == 0, "summed up word by word");
static void sum_up(struct watch_counts *total, const struct watch_counts *now)
{
	uint64_t *to = (uint64_t *)total;
	const uint64_t *from = (const uint64_t *)now;

	for (size_t i = 0; i < sizeof(*total) / sizeof(*to); i++)
		to[i] += from[i];
}

static bool end_interval(struct watch *w, uint64_t length_ns, bool last)
{
	struct watch_interval *i = &w->interval;

	sum_up(&i->total, &i->now);
	i->length_ns = length_ns;
	i->last = last;
	i->total_ns = i->start_ns - w->first_ns + length_ns;
	i->pending_chunks = w->issued_chunks - w->judged_chunks;
	i->evidence = pipeline_has_evidence(w->pipeline);
	w->closed = *i;
	return w->sink(w->context, w);
}

static void begin_interval(struct watch *w, uint64_t intervals_on)
{
	struct watch_interval *i = &w->interval;

	i->number += intervals_on;
	i->start_ns += intervals_on * w->interval_ns;
	memset(&i->now, 0, sizeof(i->now));
}

bool watch_pass(struct watch *w, uint64_t time_ns)
{
	uint64_t passed = 0;

	if (!w->begun)
		return true;
	while (time_ns > w->interval.start_ns && time_ns - w->interval.start_ns >= w->interval_ns) {
		if (!end_interval(w, w->interval_ns, false))
			return false;
		begin_interval(w, 1);
		if (++passed > WATCH_GAP_MAX)
			begin_interval(w, (time_ns - w->interval.start_ns) / w->interval_ns);
	}
	return true;
}

/* Where the recorded file system is. */
static void take_attribute(struct watch *w, const struct attribute_event *attribute)
{
	char value[LABEL_BYTES_MAX + 1] = "";
	unsigned major_number, minor_number;

	if (attribute->value.count >= sizeof(value))
		return;
	memcpy(value, attribute->value.at, attribute->value.count);
	if (text_is(&attribute->name, "mount_point")) {
		memcpy(w->mount_point, value, sizeof(value));
	} else if (text_is(&attribute->name, "mount_device") &&
		   sscanf(value, "%u:%u", &major_number, &minor_number) == 2) {
		w->device = makedev(major_number, minor_number);
		w->device_known = true;
	}
}

/* As `sky record` sets them. */
static void take_mark(struct watch *w, const struct mark_event *mark)
{
	w->began_command |= text_is(&mark->name, "command");
	w->ended |= text_is(&mark->name, "end");
}

static int take_block(struct watch *w, const struct event *event)
{
	const struct block_event *block = &event->block;

	if (block->op >= BLOCK_OPS)
		return 0;
	counts(w)->requests[block->op]++;
	counts(w)->bytes[block->op] += (uint64_t)block->sectors * SECTOR_BYTES;
	if (block->op != BLOCK_READ && block->op != BLOCK_WRITE)
		return 0;
	w->issued_chunks += ledger_chunks(event);
	return ledger_issue(w->ledger, event, NULL);
}

static void count_event(struct watch *w, const struct event *event)
{
	counts(w)->events++;
	if (event->seq > w->last_seq + 1 && w->last_seq)
		counts(w)->missing_events += event->seq - w->last_seq - 1;
	if (event->seq > w->last_seq)
		w->last_seq = event->seq;
}

static int before_pipeline(struct watch *w, const struct event *event)
{
	switch (event->kind) {
	case EVENT_BLOCK:
		return take_block(w, event);
	case EVENT_COMPLETE:
		counts(w)->failed_requests += event->complete.error != 0;
		return 0;
	case EVENT_ATTRIBUTE:
		take_attribute(w, &event->attribute);
		return 0;
	case EVENT_MARK:
		take_mark(w, &event->mark);
		return 0;
	case EVENT_LOSS:
		counts(w)->lost_events += event->loss.count;
		return 0;
	default:
		return 0;
	}
}

/* What has got no hint by now gets none. */
static void after_pipeline(struct watch *w, const struct event *event)
{
	if (event->kind == EVENT_BLOCK && event->block.op == BLOCK_WRITE)
		ledger_close(w->ledger, event->block.disk, event->block.id);
	else if (event->kind == EVENT_COMPLETE &&
		 (event->complete.error || !event->complete.sums.count))
		ledger_close(w->ledger, event->complete.disk, event->complete.id);
	ledger_expire(w->ledger, w->now_ns);
	if (!pipeline_has_evidence(w->pipeline))
		ledger_trim(w->ledger, BLIND_REQUESTS_MAX);
}

bool watch_take(struct watch *w, const struct event *event, int *error)
{
	if (!w->begun) {
		w->begun = true;
		w->first_ns = w->interval.start_ns = event->time_ns;
	}
	if (event->time_ns > w->now_ns)
		w->now_ns = event->time_ns;
	*error = 0;
	if (!watch_pass(w, w->now_ns))
		return false;
	count_event(w, event);
	w->taker = event->kind == EVENT_EXIT || event->kind == EVENT_INSIGHT ? event->pid : 0;
	if (before_pipeline(w, event) || pipeline_feed(w->pipeline, event, 1) || w->out_of_memory)
		*error = -ENOMEM;
	after_pipeline(w, event);
	return true;
}

int watch_finish(struct watch *w)
{
	uint64_t passed_ns =
		w->now_ns > w->interval.start_ns ? w->now_ns - w->interval.start_ns : 0;
	int error = pipeline_finish(w->pipeline);

	w->taker = 0;
	ledger_trim(w->ledger, 0);
	if (w->begun)
		end_interval(w, passed_ns, true);
	return error || w->out_of_memory ? -ENOMEM : 0;
}

uint64_t watch_now_ns(const struct watch *w)
{
	return w->now_ns;
}

bool watch_broke_off(const struct watch *w)
{
	return w->began_command && !w->ended;
}

const struct watch_interval *watch_interval(const struct watch *w)
{
	return &w->closed;
}

static size_t rank(const struct watch *w, const struct space_saving *from,
		   const struct labels *names, enum watch_amount by, bool in_all,
		   struct watch_top *top, size_t max)
{
	const struct tracked *found[WATCH_TOP_MAX];
	size_t count;

	if (max > WATCH_TOP_MAX)
		max = WATCH_TOP_MAX;
	count = space_saving_top(from, by, in_all ? UINT64_MAX : w->closed.number, found, max);
	for (size_t i = 0; i < count; i++) {
		top[i].tracked = found[i];
		top[i].name = labels_get(names, found[i]->key[0], found[i]->key[1]);
		for (unsigned amount = 0; amount < AMOUNTS; amount++)
			top[i].now[amount] =
				space_saving_recent(found[i], amount, w->closed.number);
	}
	return count;
}

size_t watch_files(const struct watch *w, enum watch_amount by, bool in_all, struct watch_top *top,
		   size_t max)
{
	return rank(w, w->files, w->file_names, by, in_all, top, max);
}

size_t watch_processes(const struct watch *w, enum watch_amount by, bool in_all,
		       struct watch_top *top, size_t max)
{
	return rank(w, w->processes, w->process_names, by, in_all, top, max);
}

static uint64_t found_bytes(const struct watch_counts *c, unsigned op, enum watch_written what)
{
	uint64_t bytes = 0;

	for (int row = 0; row < WATCH_ROWS; row++)
		if (what == WRITTEN_ALL || (what == WRITTEN_DATA && row < CLASS_COUNT) ||
		    (what == WRITTEN_METADATA && row == ROW_METADATA))
			bytes += c->found[op][row].bytes;
	return bytes;
}

static double ratio(uint64_t part, uint64_t of)
{
	return of ? (double)part / of : -1;
}

double watch_metadata_share(const struct watch_counts *c, unsigned op)
{
	return ratio(found_bytes(c, op, WRITTEN_METADATA), found_bytes(c, op, WRITTEN_ALL));
}

double watch_amplification(const struct watch_counts *c, enum watch_written what)
{
	return ratio(found_bytes(c, BLOCK_WRITE, what), c->call_bytes[BLOCK_WRITE]);
}
