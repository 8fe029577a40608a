/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A binary heap.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "completions.h"

static bool earlier(const struct completion *a, const struct completion *b)
{
	return a->time_ns < b->time_ns || (a->time_ns == b->time_ns && a->id < b->id);
}

static int make_room(struct completions *c)
{
	size_t room = c->room ? 2 * c->room : 64;
	struct completion *heap;

	if (c->count < c->room)
		return 0;
	if (c->count == IN_FLIGHT_MAX)
		return -EOVERFLOW;
	heap = realloc(c->heap, room * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	c->heap = heap;
	c->room = room;
	return 0;
}

int completions_push(struct completions *c, struct completion completion)
{
	int rc = make_room(c);
	size_t i;

	if (rc)
		return rc;
	for (i = c->count++; i && earlier(&completion, &c->heap[(i - 1) / 2]); i = (i - 1) / 2)
		c->heap[i] = c->heap[(i - 1) / 2];
	c->heap[i] = completion;
	return 0;
}

struct completion completions_pop(struct completions *c)
{
	struct completion first = c->heap[0], last = c->heap[--c->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < c->count) {
		if (child + 1 < c->count && earlier(&c->heap[child + 1], &c->heap[child]))
			child++;
		if (!earlier(&c->heap[child], &last))
			break;
		c->heap[i] = c->heap[child];
		i = child;
	}
	c->heap[i] = last;
	return first;
}

void completions_fini(struct completions *c)
{
	free(c->heap);
	*c = (struct completions){0};
}
