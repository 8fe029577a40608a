/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cachestat() ----> which ranges have pages under write-back, or new ones
 * preadv2() ------> what is under write-back, by RWF_NOWAIT: the disk waits for this look,
 *                   and who holds a page locked may be waiting for the disk
 * mincore() ------> which pages of a block with new ones can be read
 * process_vm_readv() of our own mapping --> what came: it may wait for a page, but unlike
 *                   pread() leaves the marks at which the kernel reads further ahead
 *
 * A page is hashed once while it is under write-back: what was told is remembered
 * by page and by checksum in two tables of fixed size. A lost entry means that
 * something is told twice, or that one look is made too many. Before Linux 6.5
 * there is no cachestat(), and so no look at writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/host/page_insight.h"
#include "capture/host/page_key.h"
#include "capture/host/page_look.h"
#include "common/fnv1a.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

#define BATCH_PAGES 64u
#define BLOCK_PAGES 512u
#define TOLD_PAGES  (1u << 15) /* more are hardly ever under write-back: 128 MiB */

/* A disk that waits gets its answer after at most so many pages: about 10 ms. */
#define PAGES_A_LOOK 8192u
#define PAGES_AGAIN  1024u

/* Write-back of a page takes less; what was told before may have changed since. */
#define TOLD_LATELY_NS 100000000u

/* Beyond 64 GiB a file is watched only up to there. */
#define PAGES_MAX (1ull << 24)

struct told {
	uint64_t key, sum, time_ns;
	bool written; /* a request had it */
};

struct told_sum {
	uint64_t sum, key;
};

struct look {
	struct look_output *output;
	const struct words *wanted;
	unsigned left; /* pages that may still be hashed */
	bool again;    /* those that were, too: they may have changed meanwhile */
	uint64_t now_ns;
	struct told told[TOLD_PAGES];
	struct told_sum sums[TOLD_PAGES];
	uint8_t buffer[BATCH_PAGES * CHUNK_BYTES];
};

#define CACHED_UNKNOWN UINT64_MAX

/* How many pages of a range are in the cache, and under write-back. */
struct range {
	uint64_t cached, writing;
};

struct look *look_new(struct look_output *output)
{
	struct look *look = calloc(1, sizeof(*look));

	if (look)
		look->output = output;
	return look;
}

void look_free(struct look *look)
{
	free(look);
}

static uint64_t key_of(const struct watched_file *file, uint64_t index)
{
	return page_key(file->device, file->inode, index);
}

static struct told *told_of(struct look *look, uint64_t key)
{
	return &look->told[page_slot(key, TOLD_PAGES)];
}

static struct told_sum *told_sum_of(struct look *look, uint64_t sum)
{
	return &look->sums[sum >> 20 & (TOLD_PAGES - 1)];
}

/* Room for so many pages, more than that where the file seems to grow. */
static int make_room(struct watched_file *file, uint64_t pages)
{
	uint64_t room = file->pages * 2 > pages ? file->pages * 2 : pages;
	uint64_t blocks = (room + BLOCK_PAGES - 1) / BLOCK_PAGES;
	uint8_t *map, *known;
	uint16_t *cached;

	map = mmap(NULL, room * CHUNK_BYTES, PROT_READ, MAP_SHARED, file->fd, 0);
	known = realloc(file->known, room);
	file->known = known ? known : file->known;
	cached = realloc(file->cached, blocks * sizeof(*cached));
	file->cached = cached ? cached : file->cached;
	if (map == MAP_FAILED || !known || !cached) {
		if (map != MAP_FAILED)
			munmap(map, room * CHUNK_BYTES);
		return -1;
	}
	if (file->map)
		munmap(file->map, file->pages * CHUNK_BYTES);
	madvise(map, room * CHUNK_BYTES, MADV_RANDOM);
	memset(known + file->pages, 0, room - file->pages);
	memset(cached, 0xff, blocks * sizeof(*cached)); /* not looked at yet */
	file->map = map;
	file->pages = room;
	return 0;
}

/* How many pages it has now; *facts is set. */
static uint64_t pages_of(const struct watched_file *file, struct stat *facts)
{
	uint64_t pages;

	if (fstat(file->fd, facts) || facts->st_size <= 0)
		return 0;
	pages = (facts->st_size + CHUNK_BYTES - 1) / CHUNK_BYTES;
	return pages < PAGES_MAX ? pages : PAGES_MAX;
}

int watched_open(struct watched_file *file, const char *path)
{
	struct stat facts;

	*file = (struct watched_file){
		.fd = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
	if (file->fd < 0 || fstat(file->fd, &facts)) {
		watched_close(file);
		return -1;
	}
	file->device = facts.st_dev;
	file->inode = facts.st_ino;
	return 0;
}

void watched_close(struct watched_file *file)
{
	if (file->map)
		munmap(file->map, file->pages * CHUNK_BYTES);
	if (file->fd >= 0)
		close(file->fd);
	free(file->known);
	free(file->cached);
}

static struct range range_of(const struct watched_file *file, uint64_t first, uint64_t count)
{
	struct {
		uint64_t offset, bytes;
	} where = {first * CHUNK_BYTES, count * CHUNK_BYTES};
	struct {
		uint64_t cached, dirty, writing, evicted, recently_evicted;
	} pages = {0};

	if (syscall(SYS_cachestat, file->fd, &where, &pages, 0))
		return (struct range){.cached = CACHED_UNKNOWN};
	return (struct range){pages.cached, pages.writing};
}

/* Which pages of a range are in the cache and can be read. */
static void cached_pages(const struct watched_file *file, uint64_t first, unsigned count,
			 uint8_t *there)
{
	if (mincore(file->map + first * CHUNK_BYTES, count * CHUNK_BYTES, there))
		memset(there, 0, count);
	for (unsigned i = 0; i < count; i++)
		there[i] &= 1;
}

static void emit(struct look *look, const struct watched_file *file, const struct stat *facts,
		 enum call call, uint64_t index, const uint64_t *sums, unsigned count)
{
	struct event event;

	if (!page_insight(&event, call, index, sums, count))
		return;
	event.insight.device = file->device;
	event.insight.inode = file->inode;
	event.insight.links = facts->st_nlink;
	event.insight.size = facts->st_size;
	event.insight.mode = facts->st_mode;
	pthread_mutex_lock(&look->output->lock);
	event.time_ns = monotonic_ns();
	/* It fails when the recording has broken off, which the collector has said. */
	ring_push(look->output->ring, &event);
	pthread_mutex_unlock(&look->output->lock);
}

/* Of `bytes` bytes from the page on; the file's last chunk is filled up with zeros. */
static unsigned hash_buffer(struct look *look, const struct stat *facts, uint64_t first,
			    uint64_t bytes, uint64_t *sums)
{
	uint64_t end = facts->st_size - first * CHUNK_BYTES;
	unsigned count;

	if (bytes >= end) {
		bytes = (end + CHUNK_BYTES - 1) / CHUNK_BYTES * CHUNK_BYTES;
		memset(look->buffer + end, 0, bytes - end);
	}
	count = bytes / CHUNK_BYTES;
	fnv1a_chunks(look->buffer, count, CHUNK_BYTES, sums);
	return count;
}

static bool is_wanted(const struct look *look, uint64_t sum)
{
	for (uint32_t i = 0; i < look->wanted->count; i++)
		if (look->wanted->at[i] == sum)
			return true;
	return false;
}

static bool told_lately(const struct look *look, const struct told *told, uint64_t key)
{
	return told->key == key && look->now_ns - told->time_ns < TOLD_LATELY_NS;
}

static bool waits_for_its_request(struct look *look, const struct watched_file *file,
				  uint64_t index)
{
	uint64_t key = key_of(file, index);
	const struct told *told = told_of(look, key);

	return !look->again && told_lately(look, told, key) && !told->written;
}

/* False where the page is still under the write-back that was told and that the disk has got. */
static bool is_news(struct look *look, const struct watched_file *file, uint64_t index,
		    uint64_t sum)
{
	uint64_t key = key_of(file, index);
	struct told *told = told_of(look, key);

	if (told_lately(look, told, key) && told->sum == sum &&
	    (!told->written || !is_wanted(look, sum)))
		return false;
	*told = (struct told){.key = key, .sum = sum, .time_ns = look->now_ns};
	*told_sum_of(look, sum) = (struct told_sum){.sum = sum, .key = key};
	return true;
}

/* At most BATCH_PAGES pages, all of them under write-back. */
static void tell_written(struct look *look, const struct watched_file *file,
			 const struct stat *facts, uint64_t first, unsigned count)
{
	struct iovec part = {look->buffer, count * CHUNK_BYTES};
	uint64_t sums[BATCH_PAGES];
	unsigned waiting = 0;
	ssize_t got;

	for (unsigned i = 0; i < count; i++)
		waiting += waits_for_its_request(look, file, first + i);
	if (waiting == count)
		return;
	got = preadv2(file->fd, &part, 1, first * CHUNK_BYTES, RWF_NOWAIT);
	if (got < 0 && errno == EOPNOTSUPP) /* ext2 */
		got = preadv(file->fd, &part, 1, first * CHUNK_BYTES);
	count = got > 0 ? hash_buffer(look, facts, first, got, sums) : 0;
	look->left -= count < look->left ? count : look->left;
	for (unsigned i = 0; i < count; i++)
		if (!is_news(look, file, first + i, sums[i]))
			sums[i] = SUM_UNKNOWN;
	emit(look, file, facts, CALL_msync, first, sums, count);
}

/* Halves the range until all of it is under write-back, or nothing. */
static void search_written(struct look *look, const struct watched_file *file,
			   const struct stat *facts, uint64_t first, uint64_t count)
{
	struct range range = range_of(file, first, count);
	uint64_t half = count / 2;

	if (!range.writing || !look->left)
		return;
	if (count <= BATCH_PAGES && range.writing >= count) {
		tell_written(look, file, facts, first, count);
	} else if (half) {
		search_written(look, file, facts, first, half);
		search_written(look, file, facts, first + half, count - half);
	}
}

/* The page that was told with this checksum and that no request had yet, or NULL. */
static struct told *told_with(struct look *look, uint64_t sum)
{
	const struct told_sum *told_sum = told_sum_of(look, sum);
	struct told *told = told_of(look, told_sum->key);
	bool known = told_sum->sum == sum && told->key == told_sum->key && told->sum == sum;

	return known && sum != SUM_UNKNOWN && !told->written ? told : NULL;
}

static bool all_told(struct look *look, const struct words *sums)
{
	for (uint32_t i = 0; i < sums->count; i++)
		if (!told_with(look, sums->at[i]))
			return false;
	return true;
}

static void search_files(struct look *look, const struct watched_file *files, unsigned count,
			 unsigned left)
{
	struct stat facts;

	look->left = left;
	for (unsigned i = 0; i < count; i++) {
		uint64_t pages = pages_of(&files[i], &facts);

		if (pages)
			search_written(look, &files[i], &facts, 0, pages);
	}
}

void look_at_writes(struct look *look, struct watched_file *files, unsigned count,
		    const struct words *sums)
{
	look->now_ns = monotonic_ns();
	look->wanted = sums;
	look->again = false;
	if (!all_told(look, sums))
		search_files(look, files, count, PAGES_A_LOOK);
	look->again = !all_told(look, sums);
	if (look->again)
		search_files(look, files, count, PAGES_AGAIN);
	for (uint32_t i = 0; i < sums->count; i++) {
		struct told *told = told_with(look, sums->at[i]);

		if (told)
			told->written = true;
	}
}

static void tell_read(struct look *look, const struct watched_file *file, const struct stat *facts,
		      uint64_t first, unsigned count)
{
	uint8_t *map = file->map + first * CHUNK_BYTES;
	struct iovec local = {look->buffer, count * CHUNK_BYTES};
	struct iovec remote = {map, count * CHUNK_BYTES};
	uint64_t sums[BATCH_PAGES];
	ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	madvise(map, count * CHUNK_BYTES, MADV_DONTNEED);
	if (got <= 0)
		return;
	count = hash_buffer(look, facts, first, got, sums);
	emit(look, file, facts, CALL_mmap, first, sums, count);
}

static void look_at_block(struct look *look, struct watched_file *file, const struct stat *facts,
			  uint64_t first, unsigned count)
{
	struct range range = range_of(file, first, count);
	uint16_t *cached = &file->cached[first / BLOCK_PAGES];
	uint8_t there[BLOCK_PAGES], *known = file->known + first;
	unsigned run = 0, readable = 0;

	if (range.cached == *cached)
		return;
	cached_pages(file, first, count, there);
	for (unsigned i = 0; i < count; i++) {
		readable += there[i];
		run = there[i] && !known[i] ? run + 1 : 0;
		if (run &&
		    (run == BATCH_PAGES || i + 1 == count || !there[i + 1] || known[i + 1])) {
			tell_read(look, file, facts, first + i + 1 - run, run);
			run = 0;
		}
	}
	memcpy(known, there, count);
	*cached = readable;
}

/* The file was cut off: what will be there is new. */
static void forget_behind(struct watched_file *file, uint64_t pages)
{
	uint64_t block = (pages + BLOCK_PAGES - 1) / BLOCK_PAGES;

	for (uint64_t first = block * BLOCK_PAGES; first < file->looked_at; first += BLOCK_PAGES)
		file->cached[first / BLOCK_PAGES] = 0;
	if (pages < file->looked_at)
		memset(file->known + pages, 0, file->looked_at - pages);
	file->looked_at = pages;
}

void look_at_reads(struct look *look, struct watched_file *files, unsigned count)
{
	struct stat facts;

	for (unsigned i = 0; i < count; i++) {
		uint64_t pages = pages_of(&files[i], &facts);

		if (pages > files[i].pages && make_room(&files[i], pages))
			continue;
		forget_behind(&files[i], pages);
		for (uint64_t first = 0; first < pages; first += BLOCK_PAGES)
			look_at_block(look, &files[i], &facts, first,
				      pages - first < BLOCK_PAGES ? pages - first : BLOCK_PAGES);
	}
}
