/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workloads that are a loop of steps over a file set, as Filebench's
 * personalities are.
 *
 * Unlike there, each thread has a part of the files of its own (a read-only set
 * is everyone's): so what it does depends on the seed alone and never on the
 * other threads. Two threads never use one file at the same time there either.
 */
#ifndef SKY_PERSONALITY_H
#define SKY_PERSONALITY_H

#include "capture/event.h"
#include "workloads/file_set.h"

struct visitor;

/* One operation on a file picked at random, or on the file that is open. 0 or -1. */
typedef int personality_step(struct visitor *visitor);

personality_step step_create; /* a file that isn't there; it stays open */
personality_step step_open;   /* one that is */
personality_step step_close;
personality_step step_read;   /* the open file, whole */
personality_step step_write;  /* the open file, whole, from its beginning */
personality_step step_append; /* up to append-size bytes to the open file */
personality_step step_sync;   /* the open file */
personality_step step_delete; /* a file that is there */
personality_step step_stat;
personality_step step_log; /* up to append-size bytes to the log that all share */

struct personality {
	struct workload workload;
	personality_step *const *steps;
	unsigned step_count;
	unsigned made_percent; /* of the files when it begins */
	bool log;	       /* it has one */
	bool read_only;	       /* all threads use all files */
};

struct personality_settings {
	uint64_t operations, threads, files, seed, width;
	uint64_t file_bytes, append_bytes, request_bytes;
};

int personality_prepare(const struct workload *self, const void *settings,
			struct workload_counts *counts);
int personality_run(const struct workload *self, const void *settings,
		    struct workload_counts *counts);

#define PERSONALITY_NUMBER(called, member, says, least, most, usual)                      \
	{                                                                                 \
		.name = called, .help = says, .min = least, .max = most, .preset = usual, \
		.offset = offsetof(struct personality_settings, member),                  \
	}

/* The entries of a table of parameters, with its end. */
#define PERSONALITY_PARAMETERS(thread_count, file_count, folder_width, mean_bytes)                \
	PERSONALITY_NUMBER("operations", operations,                                              \
			   "after which it ends, opens and closes included", 1, UINT32_MAX,       \
			   100000),                                                               \
		PERSONALITY_NUMBER("threads", threads, "that do them", 1, 4096, thread_count),    \
		PERSONALITY_NUMBER("files", files, "of the file set", 2, 10000000, file_count),   \
		PERSONALITY_NUMBER("file-size", file_bytes,                                       \
				   "mean; sizes are gamma-distributed, shape 1.5", TAG_BYTES,     \
				   1ull << 32, mean_bytes),                                       \
		PERSONALITY_NUMBER("append-size", append_bytes,                                   \
				   "appends are evenly distributed up to it", TAG_BYTES, 1 << 30, \
				   16 << 10),                                                     \
		PERSONALITY_NUMBER("request-size", request_bytes, "of the largest read or write", \
				   CHUNK_BYTES, 1 << 30, 1 << 20),                                \
		PERSONALITY_NUMBER("width", width, "entries of a folder", 2, 10000000,            \
				   folder_width),                                                 \
		PERSONALITY_NUMBER("seed", seed, "of sizes and choices", 0, UINT64_MAX, 1),       \
	{                                                                                         \
		NULL                                                                              \
	}

/* Registers the personality that follows it. */
#define PERSONALITY(identifier)                                                      \
	static const struct personality identifier##_personality;                    \
	COMPONENT(identifier##_personality, identifier##_personality.workload.head); \
	static const struct personality identifier##_personality =

#define STEPS(array) .steps = array, .step_count = sizeof(array) / sizeof(*array)

#endif
