/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interval as one JSON object.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "common/json.h"
#include "sim/watch/watch.h"

const char *const watch_amount_names[] = {"disk-written", "disk-read", "calls-written",
					  "calls-read", NULL};

static const char *const amount_keys[AMOUNTS] = {"disk_written_bytes", "disk_read_bytes",
						 "calls_written_bytes", "calls_read_bytes"};

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *ratio_json(double ratio)
{
	return ratio < 0 ? json_null() : json_real(ratio);
}

static json_t *by_op(const uint64_t *values)
{
	json_t *all = json_object();

	for (int op = 0; op < BLOCK_OPS; op++)
		json_object_set_new(all, block_op_words[op], number(values[op]));
	return all;
}

static json_t *cell_json(const struct watch_cell *cell)
{
	return json_pack("{s:o, s:o, s:o}", "requests", number(cell->requests), "chunks",
			 number(cell->chunks), "bytes", number(cell->bytes));
}

static json_t *row_json(const struct watch_counts *c, const char *what, json_t *io_class, int row)
{
	return json_pack("{s:s, s:o, s:o, s:o}", "what", what, "io_class", io_class, "read",
			 cell_json(&c->found[BLOCK_READ][row]), "write",
			 cell_json(&c->found[BLOCK_WRITE][row]));
}

/* From the highest class down; those of applications where there are any. */
static json_t *by_class(const struct watch_counts *c)
{
	json_t *rows = json_array();

	json_array_append_new(rows,
			      row_json(c, "metadata", json_integer(CLASS_METADATA), ROW_METADATA));
	for (int row = CLASS_COUNT - 1; row >= 0; row--)
		if (row < CLASS_METADATA || c->found[BLOCK_READ][row].chunks ||
		    c->found[BLOCK_WRITE][row].chunks)
			json_array_append_new(rows, row_json(c, "data", json_integer(row), row));
	json_array_append_new(rows, row_json(c, "unconsumed", json_null(), ROW_UNCONSUMED));
	json_array_append_new(rows, row_json(c, "unknown", json_null(), ROW_UNKNOWN));
	return rows;
}

static json_t *counts_json(const struct watch_counts *c)
{
	json_t *all = json_object();

	json_object_set_new(all, "events", number(c->events));
	json_object_set_new(all, "requests", by_op(c->requests));
	json_object_set_new(all, "bytes", by_op(c->bytes));
	json_object_set_new(all, "failed_requests", number(c->failed_requests));
	json_object_set_new(all, "by_class", by_class(c));
	json_object_set_new(all, "metadata_share",
			    json_pack("{s:o, s:o}", "read",
				      ratio_json(watch_metadata_share(c, BLOCK_READ)), "write",
				      ratio_json(watch_metadata_share(c, BLOCK_WRITE))));
	json_object_set_new(all, "calls",
			    json_pack("{s:o, s:o}", "read_bytes", number(c->call_bytes[BLOCK_READ]),
				      "written_bytes", number(c->call_bytes[BLOCK_WRITE])));
	json_object_set_new(all, "write_amplification",
			    json_pack("{s:o, s:o, s:o}", "all",
				      ratio_json(watch_amplification(c, WRITTEN_ALL)), "data",
				      ratio_json(watch_amplification(c, WRITTEN_DATA)), "metadata",
				      ratio_json(watch_amplification(c, WRITTEN_METADATA))));
	json_object_set_new(all, "late_chunks", number(c->late_chunks));
	json_object_set_new(all, "lost_events", number(c->lost_events));
	json_object_set_new(all, "missing_events", number(c->missing_events));
	return all;
}

static json_t *amounts_json(const uint64_t *amounts)
{
	json_t *all = json_object();

	for (int i = 0; i < AMOUNTS; i++)
		json_object_set_new(all, amount_keys[i], number(amounts[i]));
	return all;
}

static void add_amounts(json_t *row, const struct watch_top *top)
{
	json_object_set_new(row, "interval", amounts_json(top->now));
	json_object_set_new(row, "total", amounts_json(top->tracked->total));
	json_object_set_new(row, "missed_bytes_at_most", number(top->tracked->missed));
}

static json_t *name_json(const char *name)
{
	return name ? text_json(name, strlen(name)) : json_null();
}

static json_t *file_json(const struct watch_top *top)
{
	const uint64_t *key = top->tracked->key;
	char device[32];
	json_t *row;

	snprintf(device, sizeof(device), "%u:%u", major(key[0]), minor(key[0]));
	row = json_pack("{s:o, s:s, s:o}", "path", name_json(top->name), "device", device, "inode",
			number(key[1]));
	add_amounts(row, top);
	return row;
}

static json_t *process_json(const struct watch_top *top)
{
	uint64_t process = top->tracked->key[0];
	json_t *row;

	row = json_pack("{s:s, s:o, s:o}", "who",
			process == PROCESS_FILE_SYSTEM ? "file system"
			: process == PROCESS_UNKNOWN   ? "unknown"
						       : "process",
			"pid", process && process <= UINT32_MAX ? number(process) : json_null(),
			"executable", name_json(top->name));
	add_amounts(row, top);
	return row;
}

json_t *watch_json(const struct watch *w, enum watch_amount by, size_t max)
{
	const struct watch_interval *i = watch_interval(w);
	struct watch_top top[WATCH_TOP_MAX];
	json_t *all = json_object(), *files = json_array(), *processes = json_array();
	size_t count;

	json_object_set_new(all, "interval", number(i->number));
	json_object_set_new(all, "start_ns", number(i->start_ns));
	json_object_set_new(all, "seconds", json_real(i->length_ns / 1e9));
	json_object_set_new(all, "last", json_boolean(i->last));
	json_object_set_new(all, "evidence", json_boolean(i->evidence));
	json_object_set_new(all, "pending_chunks", number(i->pending_chunks));
	json_object_set_new(all, "now", counts_json(&i->now));
	json_object_set_new(all, "total", counts_json(&i->total));
	count = watch_files(w, by, false, top, max);
	for (size_t n = 0; n < count; n++)
		json_array_append_new(files, file_json(&top[n]));
	count = watch_processes(w, by, false, top, max);
	for (size_t n = 0; n < count; n++)
		json_array_append_new(processes, process_json(&top[n]));
	json_object_set_new(all, "files", files);
	json_object_set_new(all, "processes", processes);
	return all;
}
