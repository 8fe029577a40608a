/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/host/page_insight.h"

bool page_insight(struct event *event, enum call call, uint64_t index, const uint64_t *sums,
		  unsigned count)
{
	unsigned first = 0;

	while (count && sums[count - 1] == SUM_UNKNOWN)
		count--;
	while (first < count && sums[first] == SUM_UNKNOWN)
		first++;
	if (first == count)
		return false;
	event_init(event, EVENT_INSIGHT);
	event->insight.number = call_number(ABI_LINUX64, call);
	event->insight.fd = -1;
	event->insight.file_offset = (index + first) * CHUNK_BYTES;
	event->insight.sums = (struct words){.at = sums + first, .count = count - first};
	return true;
}
