/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four rings are merged by time, numbered and appended to a sink.
 *
 * The oldest record of all rings is next, once no ring that is empty now can
 * bring an older one: the probe says up to when the truth is complete; a call
 * or a request is in its ring SLACK_NS after its time at the latest, or is
 * written behind what happened meanwhile (never behind what it caused: it is
 * in the ring before the call, or the request, goes on).
 *
 * When the sink fails, nothing more is written, but the rings are emptied
 * still: what is recorded must not notice.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture/frame.h"
#include "collector.h"
#include "common/error.h"

#define SLACK_NS 50000000
#define FLUSH_NS 100000000
#define NAP_NS	 5000000

enum { CALLS, DISK, PAGES, TRUTH, RINGS };

struct collector {
	struct sink *sink;
	struct ring *rings[RINGS];
	struct truth_probe *probe;
	pthread_t merger, drainer;
	_Atomic bool truth_ends, ends;
	_Atomic uint64_t truth_until_ns; /* the truth ring is complete up to here */
	_Atomic uint64_t truth_lost;

	/* the merger's own */
	uint64_t seq, last_ns, flushed_ns, lost_told;
	bool dirty, failed;
	uint64_t *words; /* of the event that is being written */
	size_t words_room;
};

static void nap(void)
{
	const struct timespec time = {.tv_nsec = NAP_NS};

	nanosleep(&time, NULL);
}

static void drain(struct collector *c)
{
	uint64_t until_ns = truth_probe_drain(c->probe);

	atomic_store(&c->truth_lost, truth_probe_lost(c->probe));
	atomic_store(&c->truth_until_ns, until_ns);
}

static void *drain_truth(void *argument)
{
	struct collector *c = argument;

	while (!atomic_load(&c->truth_ends)) {
		drain(c);
		nap();
	}
	drain(c);
	atomic_store(&c->truth_until_ns, UINT64_MAX);
	return NULL;
}

static void write_event(struct collector *c, struct event *event)
{
	if (c->failed)
		return;
	event->seq = ++c->seq;
	c->last_ns = event->time_ns;
	c->failed = sink_write(c->sink, event, 1);
	c->dirty = true;
}

static bool make_room(struct collector *c, size_t bytes)
{
	uint64_t *larger;

	if (bytes / 8 <= c->words_room)
		return true;
	larger = realloc(c->words, bytes);
	if (!larger)
		return false;
	c->words = larger;
	c->words_room = bytes / 8;
	return true;
}

static void write_record(struct collector *c, const void *record, size_t bytes)
{
	struct event event;
	const char *wrong;

	if (c->failed)
		return;
	if (!make_room(c, bytes + 8)) {
		c->failed = true;
		fail("out of memory for an event of %zu bytes; recording stops here", bytes);
		return;
	}
	wrong = event_decode(&event, record, bytes, c->words);
	if (wrong) {
		c->failed = true;
		fail("the recorder made %s; recording stops here", wrong);
		return;
	}
	write_event(c, &event);
}

static void write_loss(struct collector *c)
{
	uint64_t lost = atomic_load(&c->truth_lost);
	struct event event;

	if (lost == c->lost_told)
		return;
	event_init(&event, EVENT_LOSS);
	event.time_ns = c->last_ns;
	event.loss.count = lost - c->lost_told;
	event.loss.where = (struct text){"truth", strlen("truth")};
	c->lost_told = lost;
	write_event(c, &event);
}

static void flush(struct collector *c, uint64_t now_ns)
{
	if (!c->dirty || c->failed || now_ns - c->flushed_ns < FLUSH_NS)
		return;
	write_loss(c);
	c->failed = c->failed || sink_flush(c->sink);
	c->dirty = false;
	c->flushed_ns = now_ns;
}

/* Writes the oldest record; false if there is none, or it may not be the oldest yet. */
static bool merge_one(struct collector *c, bool all)
{
	uint64_t now_ns = monotonic_ns(), limit_ns = UINT64_MAX, oldest_ns = UINT64_MAX, time_ns;
	const uint64_t complete_ns[RINGS] = {
		[CALLS] = now_ns - SLACK_NS,
		[DISK] = now_ns - SLACK_NS,
		[PAGES] = now_ns - SLACK_NS,
		[TRUTH] = atomic_load(&c->truth_until_ns),
	};
	const void *record, *next = NULL;
	size_t bytes, next_bytes = 0;
	int from = 0;

	flush(c, now_ns);
	for (int i = 0; i < RINGS; i++) {
		if (!ring_peek(c->rings[i], &record, &bytes, &time_ns)) {
			if (complete_ns[i] < limit_ns)
				limit_ns = complete_ns[i];
		} else if (!next || time_ns < oldest_ns) {
			next = record;
			next_bytes = bytes;
			oldest_ns = time_ns;
			from = i;
		}
	}
	if (!next || (oldest_ns > limit_ns && !all))
		return false;
	write_record(c, next, next_bytes);
	ring_pop(c->rings[from]);
	return true;
}

static void *merge(void *argument)
{
	struct collector *c = argument;

	while (!atomic_load(&c->ends))
		if (!merge_one(c, false))
			nap();
	while (merge_one(c, true))
		;
	write_loss(c);
	return NULL;
}

static void write_attributes(struct collector *c, const struct attribute_event *attributes,
			     size_t count)
{
	uint64_t now_ns = monotonic_ns();
	struct event event;

	for (size_t i = 0; i < count; i++) {
		event_init(&event, EVENT_ATTRIBUTE);
		event.time_ns = now_ns;
		event.attribute = attributes[i];
		write_event(c, &event);
	}
	c->failed = c->failed || sink_flush(c->sink);
}

/* Signals are the main thread's. */
static int start_threads(struct collector *c)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&c->merger, NULL, merge, c);
	if (!rc && c->probe) {
		rc = pthread_create(&c->drainer, NULL, drain_truth, c);
		if (rc) {
			atomic_store(&c->ends, true);
			pthread_join(c->merger, NULL);
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? fail_errno(rc, "cannot start the recorder's threads") : 0;
}

struct collector *collector_start(const struct collector_options *options,
				  const struct attribute_event *attributes, size_t count)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c) {
		fail("out of memory for the recorder");
		sink_abandon(options->sink);
		return NULL;
	}
	c->sink = options->sink;
	c->rings[CALLS] = options->calls;
	c->rings[DISK] = options->disk;
	c->rings[PAGES] = options->pages;
	c->rings[TRUTH] = options->truth;
	c->probe = options->probe;
	c->truth_until_ns = c->probe ? 0 : UINT64_MAX;
	write_attributes(c, attributes, count);
	if (!c->failed && !start_threads(c))
		return c;
	sink_abandon(c->sink);
	free(c);
	return NULL;
}

void collector_end_truth(struct collector *collector)
{
	if (!collector->probe)
		return;
	atomic_store(&collector->truth_ends, true);
	pthread_join(collector->drainer, NULL);
	collector->probe = NULL;
}

int collector_stop(struct collector *collector)
{
	int rc;

	collector_end_truth(collector);
	atomic_store(&collector->ends, true);
	pthread_join(collector->merger, NULL);
	if (collector->failed) {
		sink_abandon(collector->sink);
		rc = -1;
	} else {
		rc = sink_commit(collector->sink);
	}
	free(collector->words);
	free(collector);
	return rc;
}
