/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Sky classification pipeline (paper, section 3): raw events in, hints out.
 *
 * Events are fed in seq order. A hint is handed to the sink during the feed of
 * the event that made it known, so a hint's time_ns is never earlier than what
 * it follows from and never later than the event under way. A request's chunk
 * gets exactly one hint, or none (unknown) where the trace has no evidence.
 */
#ifndef SKY_PIPELINE_H
#define SKY_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "capture/event.h"
#include "sim/hint_batch.h"

struct pipeline;

struct pipeline_options {
	/* Class i+1's upper bound of the file size in bytes, descending: 14, 10, 5, 2 MB. */
	uint64_t size_bound_bytes[4];
	uint64_t read_window_ns; /* paper 3.4.1: 4 s */
	uint64_t write_age_ns;	 /* a written chunk that never came to the disk is forgotten */
	/* Files below this path have classes by their size; NULL: all (paper, 3.3). */
	const char *only;
	/* What names tell (paper, 3.5): words with commas between them. */
	const char *copy_programs, *encryption_programs, *encryption_extensions;
};

/* Those that a system is likely to have; whoever has others says so. */
#define COPY_PROGRAMS	      "cp,mv,dd,cat,install,rsync,tar,bsdtar,cpio,pax,tee"
#define ENCRYPTION_PROGRAMS   "gpg,gpg1,gpg2,openssl,age,rage,ccrypt,mcrypt,scrypt"
#define ENCRYPTION_EXTENSIONS "gpg,pgp,asc,enc,age,cpt,nc,scrypt,aes,crypt"

/* The paper's values (size bounds reconstructed: table 6 is damaged in our copy). */
void pipeline_defaults(struct pipeline_options *options);

/* NULL if out of memory. */
struct pipeline *pipeline_new(const struct pipeline_options *options, hint_sink sink,
			      void *context);
void pipeline_free(struct pipeline *pipeline);

/* 0 or -ENOMEM. */
int pipeline_feed(struct pipeline *pipeline, const struct event *events, size_t count);

/* The trace ended: decides what was still open, at the time of the last event. */
int pipeline_finish(struct pipeline *pipeline);

/*
 * False while the trace has shown neither calls nor checksums: block events
 * alone (an import) leave every chunk unknown.
 */
bool pipeline_has_evidence(const struct pipeline *pipeline);

/* Counters and table peaks, as `sky classify --json` shows them; a new reference. */
json_t *pipeline_statistics(const struct pipeline *pipeline);

/* The number that a counter has ("split_calls", "outstanding", "table_entries"); 0 if unknown. */
uint64_t pipeline_counter(const struct pipeline *pipeline, const char *name);

/* The class of data of a file of this size in bytes (paper, table 6). */
uint8_t size_class(const struct pipeline_options *options, uint64_t size);

#endif
