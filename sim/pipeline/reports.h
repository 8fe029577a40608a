/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is told to who looks at files (observer.c) or at traffic (traffic.c).
 */
#ifndef SKY_PIPELINE_REPORTS_H
#define SKY_PIPELINE_REPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"

struct pipeline;

/* Tell the observer, if there is one, of what happened to a file: bytes from offset on. */
void observe_size(struct pipeline *p, uint32_t file, uint64_t bytes);

/*
 * Before file_reached(). What lies behind the end that the file had when the call
 * was made, or has now, was no content: it is not overwritten.
 */
void observe_write(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t bytes,
		   uint64_t size_before);

/* Until UINT64_MAX: all that follows. */
void observe_cut(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t until);
void observe_move(struct pipeline *p, uint32_t file, uint64_t offset, uint64_t bytes,
		  bool inserted);
void observe_gone(struct pipeline *p, uint32_t file);

/* Tell the watcher, if there is one: a process moved bytes of a file; executes; was made; a name. */
void traffic_moved(struct pipeline *p, uint32_t process, uint32_t file, uint64_t bytes,
		   bool written);
void traffic_executes(struct pipeline *p, uint32_t process, const struct text *executable);
void traffic_made(struct pipeline *p, uint32_t parent, uint32_t child);
void traffic_path(struct pipeline *p, uint32_t file, const struct text *path);

#endif
