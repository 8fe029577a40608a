/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schema of the event model, from which every form of a trace is made.
 */
#include <string.h>

#include "event.h"

static const char *const abi_names[] = {"linux64", "freebsd64", NULL};
static const char *const way_names[] = {"sysret", "iret", "breakpoint", "killed", "restart", NULL};
static const char *const mapping_names[] = {"appears", "goes", "reused", "cleaned", NULL};
const char *const block_op_names[] = {"R", "W", "F", "D", "Z", NULL};
const char *const block_op_words[BLOCK_OPS] = {"read", "write", "flush", "discard", "zero"};
const char *const block_flag_names[] = {"SYNC",	    "META",	 "PRIO",       "FUA",
					"PREFLUSH", "READAHEAD", "BACKGROUND", NULL};
const char *const chunk_class_names[] = {"unknown", "metadata", "data", "unconsumed", NULL};
const char *const truth_source_names[] = {"none",	 "block-device", "btree",	  "file",
					  "system-file", "user-page",	 "kernel-buffer", NULL};
const char *const hint_reason_names[] = {
	"none", "write-checksum", "read-checksum", "exclusion", "neighbour", "truth", "rule", "journal", "frame",
	"application", NULL};
const char *const dedup_hint_names[] = {"none", "unique", "copy", NULL};

#define FIELD(n, t, s, m, ...)                                                                     \
	{                                                                                          \
		.name = n, .type = t, .style = s, .offset = offsetof(struct event, m), __VA_ARGS__ \
	}
#define NUMBER(n, t, m)	  FIELD(n, t, STYLE_DECIMAL, m)
#define SHOWN(n, t, m)	  FIELD(n, t, STYLE_DECIMAL, m, .shown = true)
#define HEX(n, t, m)	  FIELD(n, t, STYLE_HEX, m)
#define DEVICE(m)	  FIELD("dev", FIELD_U64, STYLE_DEVICE, m)
#define TEXT(n, m)	  FIELD(n, FIELD_TEXT, STYLE_STRING, m)
#define SUMS(n, m)	  FIELD(n, FIELD_WORDS, STYLE_SUMS, m)
#define NUMBERS(n, m)	  FIELD(n, FIELD_WORDS, STYLE_NUMBERS, m)
#define OFFSET(n, m)	  FIELD(n, FIELD_U64, STYLE_OFFSET, m, .preset = OFFSET_UNKNOWN)
#define NAME(n, m, table) FIELD(n, FIELD_U8, STYLE_NAME, m, .names = table)
#define WORD(n, m, table) FIELD(n, FIELD_U8, STYLE_NAME, m, .names = table, .bare = true)
#define BITS(n, m, table) FIELD(n, FIELD_U32, STYLE_BITS, m, .names = table)
#define ABI(m)		  FIELD("abi", FIELD_U8, STYLE_ABI, m, .names = abi_names)
#define CALL_NUMBER(m)	  FIELD("call", FIELD_U32, STYLE_CALL, m, .bare = true)
#define ARGUMENT(i, s)	  FIELD("arg" #i, FIELD_U64, s, entry.argument[i])

const struct field event_header[] = {
	NUMBER("seq", FIELD_U64, seq),
	NUMBER("time_ns", FIELD_U64, time_ns),
	HEX("space", FIELD_U64, space),
	HEX("stack", FIELD_U64, stack),
	HEX("fs_base", FIELD_U64, fs_base),
	NUMBER("cpu_ns", FIELD_U64, cpu_ns),
	NUMBER("held_ns", FIELD_U64, held_ns),
	NUMBER("pid", FIELD_U32, pid),
	NUMBER("tid", FIELD_U32, tid),
	FIELD("vcpu", FIELD_U16, STYLE_DECIMAL, vcpu, .preset = VCPU_UNKNOWN),
	{0},
};

static const struct field attribute_fields[] = {
	TEXT("name", attribute.name),
	TEXT("value", attribute.value),
	{0},
};

static const struct field process_fields[] = {
	NUMBER("parent_pid", FIELD_U32, process.parent_pid),
	TEXT("cwd", process.cwd),
	TEXT("executable", process.executable),
	{0},
};

static const struct field descriptor_fields[] = {
	SHOWN("fd", FIELD_I32, descriptor.fd),
	NUMBER("open_file", FIELD_U64, descriptor.open_file),
	NUMBER("offset", FIELD_U64, descriptor.offset),
	HEX("flags", FIELD_U64, descriptor.flags),
	DEVICE(descriptor.device),
	NUMBER("inode", FIELD_U64, descriptor.inode),
	NUMBER("links", FIELD_U64, descriptor.links),
	NUMBER("size", FIELD_U64, descriptor.size),
	HEX("mode", FIELD_U32, descriptor.mode),
	TEXT("path", descriptor.path),
	{0},
};

static const struct field map_fields[] = {
	HEX("address", FIELD_U64, map.address),
	NUMBER("bytes", FIELD_U64, map.bytes),
	HEX("protection", FIELD_U64, map.protection),
	HEX("flags", FIELD_U64, map.flags),
	DEVICE(map.device),
	NUMBER("inode", FIELD_U64, map.inode),
	NUMBER("offset", FIELD_U64, map.offset),
	TEXT("path", map.path),
	{0},
};

static const struct field entry_fields[] = {
	ABI(entry.abi),
	CALL_NUMBER(entry.number),
	ARGUMENT(0, STYLE_ARGUMENTS),
	ARGUMENT(1, STYLE_HIDDEN),
	ARGUMENT(2, STYLE_HIDDEN),
	ARGUMENT(3, STYLE_HIDDEN),
	ARGUMENT(4, STYLE_HIDDEN),
	ARGUMENT(5, STYLE_HIDDEN),
	TEXT("path", entry.path),
	TEXT("path2", entry.path2),
	NUMBERS("lengths", entry.lengths),
	NUMBERS("records", entry.records),
	OFFSET("at", entry.file_offset),
	SUMS("sums", entry.sums),
	{0},
};

static const struct field exit_fields[] = {
	ABI(exit.abi),
	CALL_NUMBER(exit.number),
	SHOWN("ret", FIELD_I64, exit.result),
	NUMBER("carry", FIELD_U8, exit.carry),
	NAME("way", exit.way, way_names),
	NUMBERS("records", exit.records),
	OFFSET("at", exit.file_offset),
	SUMS("sums", exit.sums),
	OFFSET("written_at", exit.written_offset),
	SUMS("written", exit.written),
	{0},
};

static const struct field switch_fields[] = {{0}};

static const struct field fork_fields[] = {
	NUMBER("child_pid", FIELD_U32, fork.child_pid),
	NUMBER("child_tid", FIELD_U32, fork.child_tid),
	HEX("flags", FIELD_U64, fork.flags),
	HEX("child_space", FIELD_U64, fork.child_space),
	HEX("child_stack", FIELD_U64, fork.child_stack),
	HEX("child_fs_base", FIELD_U64, fork.child_fs_base),
	{0},
};

static const struct field exec_fields[] = {
	TEXT("name", exec.name),
	{0},
};

static const struct field gone_fields[] = {
	SHOWN("status", FIELD_I32, gone.status),
	NUMBER("last_thread", FIELD_U8, gone.last_thread),
	{0},
};

static const struct field monitor_fields[] = {
	SHOWN("on", FIELD_U8, monitor.on),
	{0},
};

static const struct field insight_fields[] = {
	CALL_NUMBER(insight.number),
	NUMBER("ret", FIELD_I64, insight.result),
	NUMBER("fd", FIELD_I32, insight.fd),
	NUMBER("offset", FIELD_U64, insight.offset),
	HEX("flags", FIELD_U64, insight.flags),
	DEVICE(insight.device),
	NUMBER("inode", FIELD_U64, insight.inode),
	NUMBER("links", FIELD_U64, insight.links),
	NUMBER("size", FIELD_U64, insight.size),
	HEX("mode", FIELD_U32, insight.mode),
	TEXT("path", insight.path),
	OFFSET("at", insight.file_offset),
	SUMS("sums", insight.sums),
	{0},
};

static const struct field mapping_fields[] = {
	WORD("action", mapping.action, mapping_names),
	NUMBER("frame", FIELD_U64, mapping.frame),
	HEX("address", FIELD_U64, mapping.address),
	DEVICE(mapping.device),
	NUMBER("inode", FIELD_U64, mapping.inode),
	NUMBER("index", FIELD_U64, mapping.index),
	HEX("sum", FIELD_U64, mapping.sum),
	{0},
};

static const struct field block_fields[] = {
	WORD("op", block.op, block_op_names),
	NUMBER("disk", FIELD_U32, block.disk),
	SHOWN("id", FIELD_U64, block.id),
	SHOWN("sector", FIELD_U64, block.sector),
	SHOWN("count", FIELD_U32, block.sectors),
	BITS("flags", block.flags, block_flag_names),
	SUMS("sums", block.sums),
	NUMBERS("frames", block.frames),
	SUMS("markers", block.markers),
	{0},
};

static const struct field complete_fields[] = {
	NUMBER("disk", FIELD_U32, complete.disk),
	SHOWN("id", FIELD_U64, complete.id),
	SHOWN("error", FIELD_I32, complete.error),
	SUMS("sums", complete.sums),
	NUMBERS("frames", complete.frames),
	SUMS("markers", complete.markers),
	{0},
};

static const struct field mark_fields[] = {
	TEXT("name", mark.name),
	{0},
};

static const struct field clock_fields[] = {
	NUMBER("guest_minus_host_ns", FIELD_I64, clock.guest_minus_host_ns),
	{0},
};

static const struct field loss_fields[] = {
	SHOWN("count", FIELD_U64, loss.count),
	TEXT("where", loss.where),
	{0},
};

static const struct field truth_fields[] = {
	WORD("op", truth.op, block_op_names),
	NUMBER("disk", FIELD_U32, truth.disk),
	SHOWN("sector", FIELD_U64, truth.sector),
	SHOWN("count", FIELD_U32, truth.sectors),
	BITS("flags", truth.flags, block_flag_names),
	NAME("what", truth.what, chunk_class_names),
	NAME("source", truth.source, truth_source_names),
	DEVICE(truth.device),
	NUMBER("inode", FIELD_U64, truth.inode),
	NUMBER("index", FIELD_U64, truth.index),
	{0},
};

static const struct field extent_fields[] = {
	NUMBER("disk", FIELD_U32, extent.disk),
	SHOWN("sector", FIELD_U64, extent.sector),
	SHOWN("count", FIELD_U32, extent.sectors),
	DEVICE(extent.device),
	NUMBER("inode", FIELD_U64, extent.inode),
	NUMBER("index", FIELD_U64, extent.index),
	{0},
};

static const struct field hint_fields[] = {
	WORD("what", hint.what, chunk_class_names),
	NUMBER("disk", FIELD_U32, hint.disk),
	SHOWN("id", FIELD_U64, hint.request),
	SHOWN("chunk", FIELD_U32, hint.chunk),
	FIELD("class", FIELD_U8, STYLE_DECIMAL, hint.io_class, .preset = CLASS_UNDECIDED),
	NAME("dedup", hint.dedup, dedup_hint_names),
	NAME("reason", hint.reason, hint_reason_names),
	DEVICE(hint.device),
	NUMBER("inode", FIELD_U64, hint.inode),
	NUMBER("index", FIELD_U64, hint.index),
	{0},
};

static uint32_t chunks_of(uint32_t sectors)
{
	return sectors / SECTORS_PER_CHUNK + (sectors % SECTORS_PER_CHUNK != 0);
}

/* Per-chunk arrays of a request either are absent or cover it; an unaligned request touches one chunk more. */
static bool covers(const struct words *words, uint32_t sectors)
{
	return !words->count || words->count == chunks_of(sectors) ||
	       words->count == chunks_of(sectors) + 1;
}

static const char *check_records(const struct words *records)
{
	return records->count % RECORD_WORDS ? "records of a wrong length" : NULL;
}

static const char *check_entry(const struct event *event)
{
	return check_records(&event->entry.records);
}

static const char *check_exit(const struct event *event)
{
	return check_records(&event->exit.records);
}

static const char *check_block(const struct event *event)
{
	const struct block_event *block = &event->block;

	if (sectors_beyond_any_disk(block->sector, block->sectors))
		return "a request beyond the end of any disk";
	if (!covers(&block->sums, block->sectors) || !covers(&block->markers, block->sectors))
		return "a request's checksums don't fit its length";
	return NULL;
}

static const char *check_truth(const struct event *event)
{
	return sectors_beyond_any_disk(event->truth.sector, event->truth.sectors)
		       ? "a truth beyond the end of any disk"
		       : NULL;
}

static const char *check_extent(const struct event *event)
{
	return sectors_beyond_any_disk(event->extent.sector, event->extent.sectors)
		       ? "an extent beyond the end of any disk"
		       : NULL;
}

static const char *check_hint(const struct event *event)
{
	return event->hint.io_class >= CLASS_COUNT && event->hint.io_class != CLASS_UNDECIDED
		       ? "a priority class above 31"
		       : NULL;
}

const struct event_kind_info event_kinds[EVENT_KINDS] = {
	[EVENT_ATTRIBUTE] = {.name = "attribute", .fields = attribute_fields},
	[EVENT_PROCESS] = {.name = "process", .fields = process_fields},
	[EVENT_DESCRIPTOR] = {.name = "descriptor", .fields = descriptor_fields},
	[EVENT_MAP] = {.name = "map", .fields = map_fields},
	[EVENT_ENTRY] = {.name = "entry", .fields = entry_fields, .check = check_entry},
	[EVENT_EXIT] = {.name = "exit", .fields = exit_fields, .check = check_exit},
	[EVENT_SWITCH] = {.name = "switch", .fields = switch_fields},
	[EVENT_FORK] = {.name = "fork", .fields = fork_fields},
	[EVENT_EXEC] = {.name = "exec", .fields = exec_fields},
	[EVENT_GONE] = {.name = "gone", .fields = gone_fields},
	[EVENT_MONITOR] = {.name = "monitor", .fields = monitor_fields},
	[EVENT_INSIGHT] = {.name = "insight", .fields = insight_fields},
	[EVENT_MAPPING] = {.name = "mapping", .fields = mapping_fields},
	[EVENT_BLOCK] = {.name = "block", .fields = block_fields, .check = check_block},
	[EVENT_COMPLETE] = {.name = "complete", .fields = complete_fields},
	[EVENT_MARK] = {.name = "mark", .fields = mark_fields},
	[EVENT_CLOCK] = {.name = "clock", .fields = clock_fields},
	[EVENT_LOSS] = {.name = "loss", .fields = loss_fields},
	[EVENT_TRUTH] = {.name = "truth", .fields = truth_fields, .check = check_truth},
	[EVENT_EXTENT] = {.name = "extent", .fields = extent_fields, .check = check_extent},
	[EVENT_HINT] = {.name = "hint",
			.fields = hint_fields,
			.derived = true,
			.check = check_hint},
};

/* Little-endian hosts only: a narrow value is the low bytes of a wide one. */
uint64_t field_get(const struct event *event, const struct field *field)
{
	const char *at = (const char *)event + field->offset;
	uint64_t value = 0;

	memcpy(&value, at, field_width(field->type));
	if (field->type == FIELD_I32)
		value = (uint64_t)(int64_t)(int32_t)value;
	return value;
}

void field_set(struct event *event, const struct field *field, uint64_t value)
{
	memcpy((char *)event + field->offset, &value, field_width(field->type));
}

void event_init(struct event *event, enum event_kind kind)
{
	memset(event, 0, sizeof(*event));
	event->kind = kind;
	event->vcpu = VCPU_UNKNOWN;
	for (const struct field *f = event_kinds[kind].fields; f->name; f++)
		if (f->preset)
			field_set(event, f, f->preset);
}

const char *name_of(const char *const *names, uint64_t value)
{
	for (uint64_t i = 0; names[i]; i++)
		if (i == value)
			return names[i];
	return NULL;
}

static const char *check_fields(const struct event *event, const struct field *fields)
{
	for (const struct field *f = fields; f->name; f++) {
		if (f->type == FIELD_TEXT) {
			const struct text *t = field_text(event, f);

			if (t->count && memchr(t->at, '\0', t->count))
				return "a text holds a NUL";
		} else if ((f->style == STYLE_NAME || f->style == STYLE_ABI) &&
			   !name_of(f->names, field_get(event, f))) {
			return "a value is outside its enumeration";
		}
	}
	return NULL;
}

const char *event_check(const struct event *event)
{
	const struct event_kind_info *kind;
	const char *wrong;

	if (event->kind >= EVENT_KINDS)
		return "an event of a kind that this version doesn't know";
	kind = &event_kinds[event->kind];
	wrong = check_fields(event, kind->fields);
	if (wrong || !kind->check)
		return wrong;
	return kind->check(event);
}
