/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table by kind of record: how long its fixed part is, what event it becomes,
 * and the function that fills that in. Arrays stand behind the fixed part in
 * the order in which the functions take them.
 */
#include <stdbool.h>
#include <string.h>

#include "capture/calls.h"
#include "translate.h"

#define TOO_SHORT "its arrays are longer than itself"

/* What is left of a record, and which disk it is of. */
struct rest {
	const char *at, *end;
	uint32_t disk;
};

static bool take_words(struct rest *rest, uint64_t count, struct words *words)
{
	if (count > (uint64_t)(rest->end - rest->at) / 8)
		return false;
	*words = (struct words){(const uint64_t *)rest->at, count};
	rest->at += 8 * count;
	return true;
}

static bool take_text(struct rest *rest, uint32_t bytes, struct text *text)
{
	if (bytes > (uint64_t)(rest->end - rest->at))
		return false;
	*text = (struct text){rest->at, bytes};
	rest->at += bytes;
	return true;
}

static void take_cpu(const struct sky_cpu *cpu, struct event *event)
{
	event->space = cpu->space;
	event->stack = cpu->stack;
	event->fs_base = cpu->fs_base;
	event->held_ns = cpu->held_ns;
	event->pid = cpu->pid;
	event->tid = cpu->tid;
}

static const char *take_block(const struct sky_record *record, struct rest *rest,
			      struct event *event)
{
	const struct sky_block_record *r = (const struct sky_block_record *)record;
	struct block_event *block = &event->block;

	if (r->op > BLOCK_ZERO)
		return "its operation is unknown";
	event->pid = r->pid;
	event->tid = r->tid;
	block->disk = rest->disk;
	block->op = r->op;
	block->id = r->id;
	block->sector = r->sector;
	block->sectors = r->sectors;
	block->flags = r->flags;
	return take_words(rest, r->sums, &block->sums) &&
			       take_words(rest, r->markers, &block->markers) &&
			       take_words(rest, r->frames, &block->frames)
		       ? NULL
		       : TOO_SHORT;
}

static const char *take_complete(const struct sky_record *record, struct rest *rest,
				 struct event *event)
{
	const struct sky_complete_record *r = (const struct sky_complete_record *)record;
	struct complete_event *complete = &event->complete;

	complete->disk = rest->disk;
	complete->id = r->id;
	complete->error = r->error;
	return take_words(rest, r->sums, &complete->sums) &&
			       take_words(rest, r->markers, &complete->markers) &&
			       take_words(rest, r->frames, &complete->frames)
		       ? NULL
		       : TOO_SHORT;
}

static const char *take_mark(const struct sky_record *record, struct rest *rest,
			     struct event *event)
{
	const struct sky_mark_record *r = (const struct sky_mark_record *)record;

	rest->at = r->name;
	return take_text(rest, r->bytes, &event->mark.name) ? NULL : TOO_SHORT;
}

/* The table that a call's number is of must be told from the 64-bit one. */
static uint32_t call_number_of(uint32_t number, uint16_t flags)
{
	return flags & (SKY_CALL_INT80 | SKY_CALL_COMPAT) ? number | CALL_NUMBER_32BIT : number;
}

/* What the call's registers are for; in the others is what happens to be there. */
static void take_arguments(const __u64 argument[6], struct entry_event *entry)
{
	enum call call = call_by_number(entry->abi, entry->number);
	const struct argument *known = call_arguments(entry->abi, call);
	unsigned magic = call_magic_argument(entry->abi, call), i;
	bool classed;

	memcpy(entry->argument, argument, sizeof(entry->argument));
	/* An indirect call's come after its number, and of what is not known all may count. */
	if (call == CALL_NONE || call == CALL_nosys || call == CALL___syscall)
		return;
	classed = entry_class(entry) != CLASS_UNDECIDED;
	for (i = 0; i < 6 && known[i].style != ARGUMENT_NONE; i++)
		;
	for (; i < 6; i++)
		if (!classed || (i != magic && i != magic + 1))
			entry->argument[i] = 0;
}

static const char *take_entry(const struct sky_record *record, struct rest *rest,
			      struct event *event)
{
	const struct sky_entry_record *r = (const struct sky_entry_record *)record;
	struct entry_event *entry = &event->entry;

	if (r->abi > ABI_FREEBSD64)
		return "its ABI is unknown";
	take_cpu(&r->cpu, event);
	entry->abi = r->abi;
	entry->number = call_number_of(r->number, r->flags);
	take_arguments(r->argument, entry);
	entry->file_offset = r->file_offset;
	return take_words(rest, r->lengths, &entry->lengths) &&
			       take_words(rest, (uint64_t)r->requests * RECORD_WORDS,
					  &entry->records) &&
			       take_words(rest, r->sums, &entry->sums) &&
			       take_text(rest, r->path, &entry->path) &&
			       take_text(rest, r->path2, &entry->path2)
		       ? NULL
		       : TOO_SHORT;
}

static const char *take_exit(const struct sky_record *record, struct rest *rest,
			     struct event *event)
{
	const struct sky_exit_record *r = (const struct sky_exit_record *)record;
	struct exit_event *exit = &event->exit;

	if (r->abi > ABI_FREEBSD64 || r->way > EXIT_RESTART)
		return "its ABI or its way back is unknown";
	take_cpu(&r->cpu, event);
	exit->abi = r->abi;
	exit->number = call_number_of(r->number, r->flags);
	/* FreeBSD returns a positive errno and sets the carry flag; in Linux that means nothing */
	exit->carry = r->abi == ABI_FREEBSD64 && r->carry;
	exit->result = exit->carry ? (__s64) - (__u64)r->result : r->result;
	exit->way = r->way;
	exit->file_offset = r->file_offset;
	exit->written_offset = r->written_offset;
	return take_words(rest, (uint64_t)r->requests * RECORD_WORDS, &exit->records) &&
			       take_words(rest, r->sums, &exit->sums) &&
			       take_words(rest, r->written, &exit->written)
		       ? NULL
		       : TOO_SHORT;
}

static const char *take_switch(const struct sky_record *record, struct rest *rest,
			       struct event *event)
{
	take_cpu(&((const struct sky_switch_record *)record)->cpu, event);
	return NULL;
}

static const char *take_fork(const struct sky_record *record, struct rest *rest,
			     struct event *event)
{
	const struct sky_fork_record *r = (const struct sky_fork_record *)record;

	take_cpu(&r->cpu, event);
	event->fork = (struct fork_event){
		.child_pid = r->child_pid,
		.child_tid = r->child_tid,
		.flags = r->flags,
		.child_space = r->child_space,
		.child_stack = r->child_stack,
		.child_fs_base = r->child_fs_base,
	};
	return NULL;
}

static const char *take_exec(const struct sky_record *record, struct rest *rest,
			     struct event *event)
{
	const struct sky_exec_record *r = (const struct sky_exec_record *)record;

	take_cpu(&r->cpu, event);
	rest->at = r->name;
	return take_text(rest, r->bytes, &event->exec.name) ? NULL : TOO_SHORT;
}

static const char *take_gone(const struct sky_record *record, struct rest *rest,
			     struct event *event)
{
	const struct sky_gone_record *r = (const struct sky_gone_record *)record;

	take_cpu(&r->cpu, event);
	event->gone = (struct gone_event){r->status, r->last_thread != 0};
	return NULL;
}

static const char *take_monitor(const struct sky_record *record, struct rest *rest,
				struct event *event)
{
	const struct sky_monitor_record *r = (const struct sky_monitor_record *)record;

	take_cpu(&r->cpu, event);
	event->monitor.on = r->on != 0;
	return NULL;
}

static const char *take_insight(const struct sky_record *record, struct rest *rest,
				struct event *event)
{
	const struct sky_insight_record *r = (const struct sky_insight_record *)record;

	take_cpu(&r->cpu, event);
	event->insight = (struct insight_event){
		.number = r->number,
		.result = r->result,
		.fd = r->fd,
		.offset = r->offset,
		.flags = r->flags,
		.device = r->device,
		.inode = r->inode,
		.links = r->links,
		.size = r->size,
		.mode = r->mode,
		.file_offset = r->file_offset,
	};
	return take_words(rest, r->sums, &event->insight.sums) &&
			       take_text(rest, r->path, &event->insight.path)
		       ? NULL
		       : TOO_SHORT;
}

static const char *take_mapping(const struct sky_record *record, struct rest *rest,
				struct event *event)
{
	const struct sky_mapping_record *r = (const struct sky_mapping_record *)record;

	if (r->action > MAPPING_CLEANED)
		return "its action is unknown";
	take_cpu(&r->cpu, event);
	event->mapping = (struct mapping_event){
		.action = r->action,
		.frame = r->frame,
		.address = r->address,
		.device = r->device,
		.inode = r->inode,
		.index = r->index,
		.sum = r->sum,
	};
	return NULL;
}

static const struct {
	uint32_t bytes; /* of the fixed part */
	enum event_kind kind;
	const char *(*take)(const struct sky_record *record, struct rest *rest,
			    struct event *event);
} kinds[] = {
	[SKY_RECORD_BLOCK] = {sizeof(struct sky_block_record), EVENT_BLOCK, take_block},
	[SKY_RECORD_COMPLETE] = {sizeof(struct sky_complete_record), EVENT_COMPLETE, take_complete},
	[SKY_RECORD_MARK] = {sizeof(struct sky_mark_record), EVENT_MARK, take_mark},
	[SKY_RECORD_ENTRY] = {sizeof(struct sky_entry_record), EVENT_ENTRY, take_entry},
	[SKY_RECORD_EXIT] = {sizeof(struct sky_exit_record), EVENT_EXIT, take_exit},
	[SKY_RECORD_SWITCH] = {sizeof(struct sky_switch_record), EVENT_SWITCH, take_switch},
	[SKY_RECORD_FORK] = {sizeof(struct sky_fork_record), EVENT_FORK, take_fork},
	[SKY_RECORD_EXEC] = {sizeof(struct sky_exec_record), EVENT_EXEC, take_exec},
	[SKY_RECORD_GONE] = {sizeof(struct sky_gone_record), EVENT_GONE, take_gone},
	[SKY_RECORD_MONITOR] = {sizeof(struct sky_monitor_record), EVENT_MONITOR, take_monitor},
	[SKY_RECORD_INSIGHT] = {sizeof(struct sky_insight_record), EVENT_INSIGHT, take_insight},
	[SKY_RECORD_MAPPING] = {sizeof(struct sky_mapping_record), EVENT_MAPPING, take_mapping},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *translate(const struct sky_record *record, uint32_t disk, struct event *event)
{
	uint32_t length = record->length;
	uint16_t kind = record->kind;
	const char *wrong;
	struct rest rest;

	if (kind >= KINDS || !kinds[kind].take)
		return "its kind is unknown";
	if (length < kinds[kind].bytes)
		return "it is shorter than its kind";
	event_init(event, kinds[kind].kind);
	event->vcpu = record->vcpu;
	rest = (struct rest){
		.at = (const char *)record + kinds[kind].bytes,
		.end = (const char *)record + length,
		.disk = disk,
	};
	wrong = kinds[kind].take(record, &rest, event);
	return wrong ? wrong : event_check(event);
}
