/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record's time is taken after its place in the ring was reserved: so a ring
 * that was empty when it was `now` brings nothing older than `now`, and one
 * whose next record is reserved but not committed brings nothing older than
 * when it was last seen empty, or than its last record. The ring with the
 * oldest record hands out a run of them, up to what the others may still bring.
 */
#include <sys/types.h>

#include "common/error.h"
#include "merge.h"
#include "translate.h"

/* Lengths that can't be: the rest of the ring can't be read then. */
static const char *check_length(const struct feed *feed, const struct sky_record *record)
{
	uint32_t length = record->length;

	return length < sizeof(*record) || length % 8 || length > sky_ring_longest(&feed->ring)
		       ? "a record of an impossible length"
		       : NULL;
}

static void look_at_nothing(struct feed *feed, uint64_t now_ns, bool ended)
{
	feed->empty = sky_load_acquire(&feed->ring.page->head) == feed->position;
	if (!feed->empty)
		return;
	feed->ended = ended;
	if (feed->floor_ns < now_ns)
		feed->floor_ns = now_ns;
}

/* Finds the next record, if there is one; -1 after saying that the ring is broken. */
static int look(struct feed *feed, uint64_t now_ns)
{
	bool ended = sky_load_acquire(&feed->ring.page->ended);
	const char *wrong;

	feed->next = sky_ring_at(&feed->ring, feed->position);
	if (!feed->next) {
		look_at_nothing(feed, now_ns, ended);
		return 0;
	}
	wrong = check_length(feed, feed->next);
	if (wrong)
		return fail("the ring of \"%s\" holds %s; recording ends here", feed->name, wrong);
	feed->empty = false;
	if (feed->floor_ns < feed->next->time_ns)
		feed->floor_ns = feed->next->time_ns;
	return 0;
}

static size_t tell_loss(struct merge *m, const struct feed *feed, uint64_t count,
			struct event *event)
{
	event_init(event, EVENT_LOSS);
	m->seq += count + 1;
	m->events++;
	m->lost += count;
	event->seq = m->seq;
	event->time_ns = feed->floor_ns;
	event->loss.count = count;
	event->loss.where = (struct text){feed->name, __builtin_strlen(feed->name)};
	return 1;
}

/* What the ring lost before its next record: 1 event, or none. */
static size_t take_loss(struct merge *m, struct feed *feed, uint64_t lost, struct event *event)
{
	uint64_t count = feed->refused;

	if (lost > feed->lost) { /* producers may read the counter in another order */
		count += lost - feed->lost;
		feed->lost = lost;
	}
	feed->refused = 0;
	return count ? tell_loss(m, feed, count, event) : 0;
}

static void refuse(struct merge *m, struct feed *feed, const char *wrong)
{
	if (!feed->warned)
		warn("a record of \"%s\" was refused and counts as lost: %s", feed->name, wrong);
	feed->warned = true;
	feed->refused++;
	m->refused++;
}

/* The feed's next record as one or two events, or none. */
static size_t take_next(struct merge *m, struct feed *feed, struct event *events)
{
	const struct sky_record *record = feed->next;
	size_t count;
	const char *wrong;

	feed->position += record->length;
	wrong = translate(record, feed->disk, &events[0]);
	if (wrong) {
		refuse(m, feed, wrong);
		return 0;
	}
	count = 0;
	if (record->lost > feed->lost || feed->refused) {
		events[1] = events[0];
		count = take_loss(m, feed, record->lost, &events[0]);
	}
	events[count].seq = ++m->seq;
	events[count].time_ns = feed->floor_ns;
	m->events++;
	return count + 1;
}

/* The feed with the oldest record, and up to when no other can bring an older one. */
static struct feed *oldest(struct merge *m, uint64_t until_ns, uint64_t *limit_ns)
{
	struct feed *first = NULL;

	*limit_ns = until_ns;
	for (struct feed *f = m->feeds; f < m->feeds + m->count; f++) {
		struct feed *later = f;

		if (f->next && (!first || f->floor_ns < first->floor_ns)) {
			later = first;
			first = f;
		}
		if (later && !later->ended && later->floor_ns < *limit_ns)
			*limit_ns = later->floor_ns;
	}
	return first;
}

static int look_at_all(struct merge *m, uint64_t now_ns)
{
	for (struct feed *f = m->feeds; f < m->feeds + m->count; f++)
		if (!f->next && !f->ended && look(f, now_ns))
			return -1;
	return 0;
}

ssize_t merge_next(struct merge *merge, struct event *events, size_t max, uint64_t now_ns,
		   uint64_t until_ns)
{
	uint64_t limit_ns;
	size_t count = 0;

	if (look_at_all(merge, now_ns))
		return -1;
	while (count + 2 <= max) {
		struct feed *feed = oldest(merge, until_ns, &limit_ns);

		if (!feed || feed->floor_ns > limit_ns)
			break;
		do {
			count += take_next(merge, feed, events + count);
			if (look(feed, now_ns))
				return -1;
		} while (feed->next && feed->floor_ns <= limit_ns && count + 2 <= max);
	}
	return count;
}

void merge_release(struct merge *merge)
{
	for (struct feed *f = merge->feeds; f < merge->feeds + merge->count; f++)
		if (f->position != sky_load(&f->ring.page->tail))
			sky_ring_release(&f->ring, f->position);
}

bool feed_done(const struct feed *feed, uint64_t until_ns)
{
	if (feed->ended)
		return true;
	return (feed->next || feed->empty) && feed->floor_ns > until_ns;
}

size_t merge_end(struct merge *merge, struct event *events)
{
	size_t count = 0;

	for (struct feed *f = merge->feeds; f < merge->feeds + merge->count; f++)
		count += take_loss(merge, f, sky_load(&f->ring.page->lost), events + count);
	return count;
}
