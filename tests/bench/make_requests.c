/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace of block requests for `make bench`, the stream of zipf.h:
 *
 *	make_requests REQUESTS OBJECTS zipf|scan TRACE
 *
 * A request is a read of one block, one in eight a write, 1 us after the one
 * before. The same arguments give the same trace.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "tests/bench/zipf.h"

#define SKEW	   0.9
#define STEP_NS	   1000
#define WRITE_EACH 8

static void make_event(struct event *event, uint64_t number, uint64_t block)
{
	event_init(event, EVENT_BLOCK);
	event->seq = number + 1;
	event->time_ns = number * STEP_NS;
	event->block.op = number % WRITE_EACH ? BLOCK_READ : BLOCK_WRITE;
	event->block.id = number + 1;
	event->block.sector = block * SECTORS_PER_CHUNK;
	event->block.sectors = SECTORS_PER_CHUNK;
}

static int write_trace(struct sink *sink, const uint64_t *block, size_t requests)
{
	static struct event events[BATCH_EVENTS];

	for (size_t i = 0, n; i < requests; i += n) {
		n = requests - i < BATCH_EVENTS ? requests - i : BATCH_EVENTS;
		for (size_t k = 0; k < n; k++)
			make_event(&events[k], i + k, block[i + k]);
		if (sink_write(sink, events, n)) {
			sink_abandon(sink);
			return 1;
		}
	}
	return sink_commit(sink) ? 1 : 0;
}

int main(int argc, char **argv)
{
	size_t requests = argc == 5 ? strtoull(argv[1], NULL, 10) : 0;
	size_t objects = argc == 5 ? strtoull(argv[2], NULL, 10) : 0;
	struct sink *sink;
	uint64_t *block;
	int rc;

	if (!requests || !objects || (strcmp(argv[3], "zipf") && strcmp(argv[3], "scan"))) {
		fprintf(stderr, "usage: make_requests REQUESTS OBJECTS zipf|scan TRACE\n");
		return 2;
	}
	block = zipf_blocks(requests, objects, SKEW);
	if (!block) {
		fprintf(stderr, "not enough memory for %zu requests\n", requests);
		return 1;
	}
	if (!strcmp(argv[3], "scan"))
		add_scans(block, requests);
	sink = trace_new(argv[4], NULL);
	rc = sink ? write_trace(sink, block, requests) : 1;
	free(block);
	return rc;
}
