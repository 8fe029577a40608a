/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SKY_INFO_H
#define SKY_INFO_H

#include <jansson.h>

/*
 * The facts of a trace: {"trace", "form", "file_bytes", "events", "kinds":
 * {kind: count}, "first_ns", "last_ns", "duration_ns", "requests": {op: {count,
 * bytes}}, "lost_events", "missing_seqs", "cut_bytes", "attributes": {name:
 * value}, "marks": [{time_ns, name}], "storage": archive_storage()}. Times are
 * null in an empty trace, storage in other forms than the archive. NULL after
 * saying what is wrong.
 */
json_t *trace_info(const char *path);

#endif
