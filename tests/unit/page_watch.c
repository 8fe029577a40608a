/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at the page cache, both sides in one process, on a file of /var/tmp.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/frame.h"
#include "capture/host/page_watch.h"
#include "common/fnv1a.h"

#define PAGES	   100
#define PATIENCE_S 10

struct watching {
	struct ring *ring;
	struct page_watch *watch;
	char path[64];
	int fd;
	uint64_t sums[PAGES + 1], inode, words[256];
};

/* A file of PAGES pages, the last of them half full, and all of them in the cache. */
static void begin(struct watching *w)
{
	uint8_t page[CHUNK_BYTES];
	struct stat facts;

	strcpy(w->path, "/var/tmp/sky-page-watch-XXXXXX");
	w->fd = mkostemp(w->path, O_CLOEXEC);
	cr_assert_geq(w->fd, 0);
	for (unsigned i = 0; i < PAGES; i++) {
		memset(page, i + 1, sizeof(page));
		if (i == PAGES - 1)
			memset(page + CHUNK_BYTES / 2, 0, CHUNK_BYTES / 2);
		w->sums[i] = fnv1a_update(FNV1A_BASIS, page, sizeof(page));
		cr_assert_eq(write(w->fd, page, i < PAGES - 1 ? CHUNK_BYTES : CHUNK_BYTES / 2),
			     i < PAGES - 1 ? CHUNK_BYTES : CHUNK_BYTES / 2);
	}
	cr_assert_eq(fsync(w->fd), 0);
	cr_assert_eq(fstat(w->fd, &facts), 0);
	w->inode = facts.st_ino;
	w->ring = ring_new(1 << 20);
	w->watch = page_watch_new(w->ring);
	cr_assert(w->ring && w->watch);
	page_watch_add(w->watch, w->path, 1);
}

static void end(struct watching *w)
{
	page_watch_free(w->watch);
	ring_free(w->ring);
	close(w->fd);
	unlink(w->path);
}

/* The next event; false if there is none within that time. */
static bool next(struct watching *w, struct event *event, unsigned seconds)
{
	const void *record;
	uint64_t time_ns;
	size_t bytes;

	for (unsigned i = 0; i < seconds * 1000; i++) {
		if (ring_peek(w->ring, &record, &bytes, &time_ns)) {
			cr_assert_null(event_decode(event, record, bytes, w->words));
			ring_pop(w->ring);
			return true;
		}
		usleep(1000);
	}
	return false;
}

/* What was told of pages [from, until) is right, whatever the events it came in. */
static void expect_pages(struct watching *w, unsigned from, unsigned until)
{
	struct event event;

	while (from < until) {
		cr_assert(next(w, &event, PATIENCE_S), "page %u was not told", from);
		cr_assert_eq(event.kind, EVENT_INSIGHT);
		cr_assert_eq(event.insight.number, (unsigned)call_number(ABI_LINUX64, CALL_mmap));
		cr_assert_eq(event.insight.inode, w->inode);
		cr_assert_eq(event.insight.file_offset, from * CHUNK_BYTES);
		for (unsigned i = 0; i < event.insight.sums.count; i++)
			cr_assert_eq(event.insight.sums.at[i], w->sums[from + i], "page %u",
				     from + i);
		from += event.insight.sums.count;
	}
}

Test(page_watch, tells_once_of_what_is_in_the_cache)
{
	struct watching w;
	struct event event;

	begin(&w);
	page_watch_after_read(w.watch);
	expect_pages(&w, 0, PAGES);
	page_watch_after_read(w.watch);
	cr_assert_not(next(&w, &event, 1));
	end(&w);
}

Test(page_watch, follows_a_file_that_grows_and_is_cut_off)
{
	static const uint8_t page[CHUNK_BYTES] = {7};
	struct watching w;

	begin(&w);
	page_watch_after_read(w.watch);
	expect_pages(&w, 0, PAGES);
	w.sums[PAGES] = fnv1a_update(FNV1A_BASIS, page, sizeof(page));
	cr_assert_eq(pwrite(w.fd, page, sizeof(page), PAGES * CHUNK_BYTES), (ssize_t)sizeof(page));
	page_watch_after_read(w.watch);
	expect_pages(&w, PAGES, PAGES + 1);
	cr_assert_eq(ftruncate(w.fd, 100), 0);
	page_watch_after_read(w.watch);
	end(&w);
}

Test(page_watch, answers_before_a_write)
{
	const uint64_t sum = 12345;
	const struct words sums = {&sum, 1};
	struct watching w;
	struct event event;

	begin(&w);
	for (unsigned i = 0; i < 100; i++)
		page_watch_before_write(w.watch, &sums);
	cr_assert_eq(page_watch_late(w.watch), 0);
	cr_assert_not(next(&w, &event, 1), "nothing is under write-back");
	end(&w);
}

Test(page_watch, drops_what_is_mapped_no_more)
{
	struct watching w;
	struct event event;

	begin(&w);
	page_watch_prune(w.watch, 2);
	page_watch_after_read(w.watch);
	cr_assert_not(next(&w, &event, 1));
	end(&w);
}
