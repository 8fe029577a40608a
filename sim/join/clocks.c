/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "capture/event.h"
#include "clocks.h"

/* Differences that lie within this count as close together: a busy disk's queue. */
#define CLOSE_NS 1000000000ull

int sights_add(struct sights *sights, uint8_t op, uint64_t sector, uint32_t sectors,
	       uint64_t time_ns)
{
	for (uint32_t chunk = 0; chunk < sectors / SECTORS_PER_CHUNK; chunk++) {
		if (sights->count == SIGHTS_MAX)
			return 0;
		if (sights->count == sights->room) {
			size_t room = sights->room ? 2 * sights->room : 4096;
			void *at = reallocarray(sights->at, room, sizeof(*sights->at));

			if (!at)
				return -ENOMEM;
			sights->at = at;
			sights->room = room;
		}
		sights->at[sights->count++] = (struct sight){
			.sector = sector + (uint64_t)chunk * SECTORS_PER_CHUNK,
			.time_ns = time_ns,
			.op = op,
		};
	}
	return 0;
}

void sights_free(struct sights *sights)
{
	free(sights->at);
	*sights = (struct sights){0};
}

static int by_place(const struct sight *a, const struct sight *b)
{
	if (a->op != b->op)
		return a->op < b->op ? -1 : 1;
	return (a->sector > b->sector) - (a->sector < b->sector);
}

static int by_place_and_time(const void *left, const void *right)
{
	const struct sight *a = left, *b = right;
	int order = by_place(a, b);

	return order ? order : (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);
}

static int by_number(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

/* How many from `first` on are of one place. */
static size_t run_length(const struct sights *sights, size_t first)
{
	size_t end = first + 1;

	while (end < sights->count && !by_place(&sights->at[first], &sights->at[end]))
		end++;
	return end - first;
}

/* Differences of the pairs, into room for as many as there are chunks; how many. */
static size_t pair(const struct sights *earlier, const struct sights *later, int64_t *apart_ns)
{
	size_t i = 0, j = 0, count = 0;

	while (i < earlier->count && j < later->count) {
		int order = by_place(&earlier->at[i], &later->at[j]);
		size_t left = order <= 0 ? run_length(earlier, i) : 0;
		size_t right = order >= 0 ? run_length(later, j) : 0;

		for (size_t k = 0; left == right && k < left; k++)
			apart_ns[count++] = later->at[j + k].time_ns - earlier->at[i + k].time_ns;
		i += left;
		j += right;
	}
	return count;
}

/* The most sorted numbers that lie close together: where they begin, and how many. */
static size_t densest(const int64_t *apart_ns, size_t count, size_t *first)
{
	size_t begin = 0, most = 0;

	for (size_t end = 0; end < count; end++) {
		while ((uint64_t)apart_ns[end] - (uint64_t)apart_ns[begin] > CLOSE_NS)
			begin++;
		if (end + 1 - begin > most) {
			most = end + 1 - begin;
			*first = begin;
		}
	}
	return most;
}

int64_t clocks_apart(struct sights *earlier, struct sights *later, int64_t *apart_ns)
{
	int64_t *differences;
	size_t count, first = 0;

	if (!earlier->count || !later->count)
		return 0;
	differences = calloc(earlier->count, sizeof(*differences));
	if (!differences)
		return -ENOMEM;
	qsort(earlier->at, earlier->count, sizeof(*earlier->at), by_place_and_time);
	qsort(later->at, later->count, sizeof(*later->at), by_place_and_time);
	count = pair(earlier, later, differences);
	qsort(differences, count, sizeof(*differences), by_number);
	count = densest(differences, count, &first);
	if (count)
		*apart_ns = differences[first];
	free(differences);
	return count;
}
