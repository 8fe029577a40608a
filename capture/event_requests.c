/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block requests out of any source of events.
 */
#include <stdlib.h>

#include "common/component.h"
#include "common/error.h"
#include "requests.h"
#include "source.h"

struct event_requests {
	struct request_source source;
	struct source *events;
	struct event event[BATCH_EVENTS];
	struct request request[BATCH_EVENTS];
};

static size_t take_requests(struct event_requests *e, size_t events)
{
	size_t n = 0;

	for (const struct event *event = e->event; event < e->event + events; event++)
		if (event->kind == EVENT_BLOCK)
			e->request[n++] = (struct request){
				.time_ns = event->time_ns,
				.sector = event->block.sector,
				.sectors = event->block.sectors,
				.disk = event->block.disk,
				.op = event->block.op,
			};
	return n;
}

static ssize_t event_requests_read(struct request_source *source, const struct request **requests)
{
	struct event_requests *e = container_of(source, struct event_requests, source);
	ssize_t count;
	size_t n = 0;

	while (!n) {
		count = source_read(e->events, e->event, BATCH_EVENTS);
		if (count <= 0)
			return count;
		n = take_requests(e, count);
	}
	source->read_bytes = e->events->read_bytes;
	*requests = e->request;
	return n;
}

static void event_requests_close(struct request_source *source)
{
	struct event_requests *e = container_of(source, struct event_requests, source);

	source_close(e->events);
	free(e);
}

static const struct request_source_ops ops = {
	.read = event_requests_read,
	.close = event_requests_close,
};

struct request_source *requests_of_events(struct source *events)
{
	struct event_requests *e;

	if (!events)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e) {
		fail("out of memory for the requests");
		source_close(events);
		return NULL;
	}
	e->source.ops = &ops;
	e->source.total_bytes = events->total_bytes;
	e->events = events;
	return &e->source;
}
