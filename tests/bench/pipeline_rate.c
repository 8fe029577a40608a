/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipeline_rate TRACE: how fast the pipeline is on one core, beside merely
 * reading the trace's columns, and how much memory it takes for a chunk in flight.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "capture/source.h"
#include "sim/pipeline/pipeline.h"

#define ROUNDS 3

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

struct run {
	uint64_t events;
	double seconds, in_pipeline; /* CPU time: in all, and of it between source and source */
};

/* NULL: only reads. */
static struct run read_all(const char *path, struct pipeline *pipeline)
{
	static struct event events[BATCH_EVENTS];
	struct source *source = trace_open(path, KINDS_ALL);
	struct run run = {0};
	double begun = seconds();
	ssize_t count;

	if (!source)
		exit(1);
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		double before = seconds();

		run.events += count;
		if (pipeline && pipeline_feed(pipeline, events, count))
			exit(1);
		run.in_pipeline += seconds() - before;
	}
	if (count < 0)
		exit(1);
	run.seconds = seconds() - begun;
	source_close(source);
	return run;
}

static void better(struct run *best, struct run run)
{
	if (!best->events || run.seconds < best->seconds)
		*best = run;
}

/* A pool's first block alone has room for 4096 nodes: fewer chunks say nothing of a chunk. */
#define CHUNKS_TELLING 4096

static void print_memory(const struct pipeline *p)
{
	uint64_t bytes = pipeline_counter(p, "table_bytes");
	uint64_t chunks = pipeline_counter(p, "live_peak") + pipeline_counter(p, "waiting_peak");

	printf("pipeline's tables at their peak: %.1f MiB for %" PRIu64 " chunks in flight",
	       bytes / 1048576.0, chunks);
	if (chunks >= CHUNKS_TELLING)
		printf(", %.0f bytes a chunk", (double)bytes / chunks);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct pipeline_options options;
	struct run reading = {0}, classifying = {0};

	if (argc != 2) {
		fprintf(stderr, "usage: pipeline_rate TRACE\n");
		return 2;
	}
	pipeline_defaults(&options);
	for (int i = 0; i < ROUNDS; i++) {
		struct pipeline *p = pipeline_new(&options, NULL, NULL);

		if (!p)
			return 1;
		better(&reading, read_all(argv[1], NULL));
		better(&classifying, read_all(argv[1], p));
		if (i + 1 == ROUNDS)
			print_memory(p);
		pipeline_free(p);
	}
	printf("pipeline alone: %.2f M events/s of one core; reading the columns alone: %.2f M; "
	       "both: %.2f M\n",
	       classifying.events / classifying.in_pipeline / 1e6,
	       reading.events / reading.seconds / 1e6,
	       classifying.events / classifying.seconds / 1e6);
	return 0;
}
