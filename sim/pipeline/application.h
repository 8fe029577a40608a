/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classes that applications give with their calls (application.c).
 */
#ifndef SKY_PIPELINE_APPLICATION_H
#define SKY_PIPELINE_APPLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"

struct pipeline;
struct call_state;

/* Disks without a file system that programs give classes for; the last few. */
#define RAW_DISKS_MAX 16

/*
 * The class that the application gave with a call, about to begin; also keeps
 * what a handler must not be taken at its word for.
 */
uint8_t application_class(struct pipeline *p, uint32_t thread, const struct entry_event *entry,
			  uint64_t stack);

/* The call is over. */
void application_returned(struct pipeline *p, const struct call_state *call,
			  const struct exit_event *exit);

/* Of what is being written to the file. */
uint8_t application_written(struct pipeline *p, uint32_t file);

/* What is at this sector of a disk is that chunk of the file, if the file is that disk. */
bool application_knows_place(const struct pipeline *p, uint32_t file, uint64_t index,
			     uint64_t sector);

#endif
