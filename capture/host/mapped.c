/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/TID/maps ---> which mappings are of recorded files
 * /proc/TID/pagemap -> which of their pages are present, in which frame
 * /proc/kpageflags --> whether the frame is dirty
 * process_vm_readv() > what it holds
 *
 * Pages that are not present are left alone: looking at them would read them
 * from the disk. Pages that are read and written back in between are told of when
 * the disk is used (page_watch.h), where a shared mapping can be written; such files
 * are watched as long as a look finds them mapped. What was told of a page is
 * remembered in a table of fixed size, where a page may lose its place to another
 * one: then it is told once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/host/mapped.h"
#include "capture/host/page_insight.h"
#include "capture/host/page_key.h"
#include "common/error.h"
#include "common/fnv1a.h"

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGE_PRESENT	(1ull << 63)
#define PAGE_OF_FILE	(1ull << 61)
#define PAGE_FRAME(e)	((e) & ((1ull << 55) - 1))
#define FRAME_DIRTY	(1ull << 4)
#define FRAME_OF_FOLIO	(1ull << 16) /* not its first */
#define FRAMES_OF_FOLIO 64u

/* A batch of pages is told by one event. */
#define BATCH_PAGES 64u

/* 256 Ki pages are 1 GiB of mapped files. */
#define TOLD_PAGES (1u << 18)

/* Ends waitpid() every period. */
#define PERIOD_SIGNAL SIGRTMIN

struct told_page {
	uint64_t key, sum;
	bool dirty;
};

struct mapped {
	struct told_page told[TOLD_PAGES];
	uint8_t buffer[BATCH_PAGES * CHUNK_BYTES];
	int frame_flags; /* /proc/kpageflags, or -1 */
	uint64_t next_ns;
	timer_t timer;
	bool has_timer;
};

/* A mapping, cut to the part that is looked at. */
struct mapping {
	uint64_t begin, end, offset; /* in the file, of begin */
	bool written;		     /* what the process writes goes to the file */
	struct file file;
};

/* What is to be told of a batch. */
struct batch {
	uint64_t entry[BATCH_PAGES]; /* of pagemap */
	bool dirty[BATCH_PAGES], wanted[BATCH_PAGES];
	uint64_t sum[BATCH_PAGES], read[BATCH_PAGES], written[BATCH_PAGES];
	unsigned count;
};

static void interrupt(int signal)
{
}

/* To this thread; without it, mapped files are looked at only when something happens. */
static void start_timer(struct mapped *mapped, uint64_t period_ns)
{
	struct sigaction action = {.sa_handler = interrupt};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = PERIOD_SIGNAL};
	struct itimerspec period;
	sigset_t set;

	event._sigev_un._tid = gettid();
	period.it_interval.tv_sec = period_ns / 1000000000;
	period.it_interval.tv_nsec = period_ns % 1000000000;
	period.it_value = period.it_interval;
	sigaction(PERIOD_SIGNAL, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, PERIOD_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	mapped->has_timer = !timer_create(CLOCK_MONOTONIC, &event, &mapped->timer);
	if (mapped->has_timer)
		timer_settime(mapped->timer, 0, &period, NULL);
}

static struct mapped *mapped_new(uint64_t period_ns)
{
	struct mapped *mapped = calloc(1, sizeof(*mapped));

	if (!mapped)
		return NULL;
	mapped->frame_flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (period_ns)
		start_timer(mapped, period_ns);
	mapped->next_ns = monotonic_ns() + period_ns;
	return mapped;
}

void mapped_shared(struct tracer *tracer, const struct file *file)
{
	char path[32];

	if (!tracer->options->watch)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	page_watch_add(tracer->options->watch, path, tracer->looks);
}

void mapped_begin(struct tracer *tracer, struct thread *thread)
{
	thread->process->mapped = true;
	if (tracer->mapped)
		return;
	tracer->mapped = mapped_new(tracer->options->map_period_ns);
	if (!tracer->mapped)
		warn("Out of memory for mapped files: what is read and written through mappings "
		     "is not in the trace");
}

void mapped_end(struct tracer *tracer)
{
	struct mapped *mapped = tracer->mapped;

	tracer->mapped = NULL;
	if (tracer->options->watch)
		page_watch_prune(tracer->options->watch, UINT64_MAX);
	if (!mapped)
		return;
	if (mapped->has_timer)
		timer_delete(mapped->timer);
	if (mapped->frame_flags >= 0)
		close(mapped->frame_flags);
	free(mapped);
}

static uint64_t key_of(const struct file *file, uint64_t index)
{
	return page_key(file->device, file->inode, index);
}

static struct told_page *told_of(struct mapped *mapped, uint64_t key)
{
	return &mapped->told[page_slot(key, TOLD_PAGES)];
}

static uint64_t frame_flags(const struct mapped *mapped, uint64_t frame)
{
	uint64_t flags = 0;

	/* A frame of which nothing can be said may be dirty. */
	if (pread(mapped->frame_flags, &flags, sizeof(flags), frame * sizeof(flags)) !=
	    sizeof(flags))
		return FRAME_DIRTY;
	return flags;
}

/* Until Linux 6.8, only the first frame of a large folio shows that it is dirty. */
static bool is_dirty(const struct mapped *mapped, uint64_t frame)
{
	uint64_t flags = frame_flags(mapped, frame);

	for (unsigned i = 0;
	     !(flags & FRAME_DIRTY) && flags & FRAME_OF_FOLIO && frame && i < FRAMES_OF_FOLIO; i++)
		flags = frame_flags(mapped, --frame);
	return flags & FRAME_DIRTY;
}

/* Which pages of the batch have to be read to know what to tell. */
static void choose_pages(struct mapped *mapped, const struct mapping *mapping, uint64_t first,
			 struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		uint64_t key = key_of(&mapping->file, first + i), entry = batch->entry[i];
		bool known = told_of(mapped, key)->key == key;

		batch->wanted[i] = batch->dirty[i] = false;
		if ((first + i) * CHUNK_BYTES >= mapping->file.size || !(entry & PAGE_PRESENT) ||
		    !(entry & PAGE_OF_FILE))
			continue;
		batch->dirty[i] = mapping->written && is_dirty(mapped, PAGE_FRAME(entry));
		batch->wanted[i] = batch->dirty[i] || !known;
	}
}

/* Their contents into the buffer, one behind the other; how many could be read. */
static unsigned read_pages(struct mapped *mapped, const struct thread *thread, uint64_t address,
			   const struct batch *batch)
{
	struct iovec remote[BATCH_PAGES], local = {.iov_base = mapped->buffer};
	unsigned count = 0;
	ssize_t got;

	for (unsigned i = 0; i < batch->count; i++)
		if (batch->wanted[i])
			remote[count++] =
				(struct iovec){(void *)(address + i * CHUNK_BYTES), CHUNK_BYTES};
	local.iov_len = count * CHUNK_BYTES;
	got = count ? process_vm_readv(thread->tid, &local, 1, remote, count, 0) : 0;
	return got > 0 ? got / CHUNK_BYTES : 0;
}

/* What a mapping holds behind the end of the file never reaches the disk. */
static void clear_behind_end(const struct file *file, uint64_t index, uint8_t *page)
{
	uint64_t begin = index * CHUNK_BYTES;

	if (file->size - begin < CHUNK_BYTES)
		memset(page + (file->size - begin), 0, CHUNK_BYTES - (file->size - begin));
}

static void hash_pages(struct mapped *mapped, const struct thread *thread,
		       const struct mapping *mapping, uint64_t first, struct batch *batch)
{
	uint64_t address = mapping->begin + (first * CHUNK_BYTES - mapping->offset);
	unsigned count = read_pages(mapped, thread, address, batch), at = 0;
	uint64_t sums[BATCH_PAGES];

	for (unsigned i = 0; i < batch->count && at < count; i++)
		if (batch->wanted[i])
			clear_behind_end(&mapping->file, first + i,
					 mapped->buffer + at++ * CHUNK_BYTES);
	fnv1a_chunks(mapped->buffer, count, CHUNK_BYTES, sums);
	at = 0;
	for (unsigned i = 0; i < batch->count; i++) {
		batch->sum[i] = SUM_UNKNOWN;
		if (batch->wanted[i] && at < count)
			batch->sum[i] = sums[at++];
	}
}

/* What of the batch is news. */
static void compare(struct mapped *mapped, const struct mapping *mapping, uint64_t first,
		    bool written_now, struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		uint64_t key = key_of(&mapping->file, first + i), sum = batch->sum[i];
		struct told_page *told = told_of(mapped, key);
		bool known = told->key == key;

		batch->read[i] = batch->written[i] = SUM_UNKNOWN;
		if (sum == SUM_UNKNOWN)
			continue;
		if (!known)
			batch->read[i] = sum;
		if (batch->dirty[i] && (written_now || !known || !told->dirty || told->sum != sum))
			batch->written[i] = sum;
		*told = (struct told_page){.key = key, .sum = sum, .dirty = batch->dirty[i]};
	}
}

static void emit_pages(struct tracer *tracer, struct thread *thread, const struct mapping *mapping,
		       uint64_t index, enum call call, const uint64_t *sums, unsigned count)
{
	const struct file *file = &mapping->file;
	struct event event;

	if (!page_insight(&event, call, index, sums, count))
		return;
	event.insight.device = file->device;
	event.insight.inode = file->inode;
	event.insight.links = file->links;
	event.insight.size = file->size;
	event.insight.mode = file->mode;
	emit_event(tracer, thread, &event);
}

static void tell_mapping(struct tracer *tracer, struct thread *thread,
			 const struct mapping *mapping, int pagemap, bool written_now)
{
	uint64_t pages = (mapping->end - mapping->begin) / CHUNK_BYTES, done;
	struct batch batch;

	for (done = 0; done < pages; done += batch.count) {
		uint64_t index = mapping->offset / CHUNK_BYTES + done;
		uint64_t number = mapping->begin / CHUNK_BYTES + done;

		batch.count = pages - done < BATCH_PAGES ? pages - done : BATCH_PAGES;
		if (pread(pagemap, batch.entry, batch.count * sizeof(*batch.entry),
			  number * sizeof(*batch.entry)) !=
		    (ssize_t)(batch.count * sizeof(*batch.entry)))
			return;
		choose_pages(tracer->mapped, mapping, index, &batch);
		hash_pages(tracer->mapped, thread, mapping, index, &batch);
		compare(tracer->mapped, mapping, index, written_now, &batch);
		emit_pages(tracer, thread, mapping, index, CALL_mmap, batch.read, batch.count);
		emit_pages(tracer, thread, mapping, index, CALL_msync, batch.written, batch.count);
	}
}

/* A line of maps; false if nothing of it is to be looked at. */
static bool parse(const struct tracer *tracer, const struct thread *thread, const char *line,
		  const struct mapped_part *part, struct mapping *mapping)
{
	uint64_t begin, end, inode;
	char rights[5];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64, &begin, &end,
		   rights, &mapping->offset, &inode) != 5 ||
	    !inode || rights[0] != 'r' || begin >= part->end || end <= part->begin ||
	    !mapping_stat(tracer, thread, begin, end, &mapping->file) || !mapping->file.recorded)
		return false;
	if (part->inode &&
	    (mapping->file.inode != part->inode || mapping->file.device != part->device))
		return false;
	mapping->begin = begin > part->begin ? begin : part->begin;
	mapping->end = end < part->end ? end : part->end;
	mapping->offset += mapping->begin - begin;
	mapping->written = rights[1] == 'w' && rights[3] == 's';
	if (tracer->options->watch && rights[3] == 's')
		page_watch_keep(tracer->options->watch, mapping->file.device, mapping->file.inode,
				tracer->looks);
	return true;
}

void mapped_tell(struct tracer *tracer, struct thread *thread, const struct mapped_part *part)
{
	char path[32], line[PATH_MAX + 128];
	struct mapping mapping;
	FILE *maps;
	int pagemap;

	if (!thread->process->mapped || !tracer->mapped)
		return;
	snprintf(path, sizeof(path), "/proc/%d/maps", thread->tid);
	maps = fopen(path, "re");
	if (!maps)
		return; /* it has ended */
	snprintf(path, sizeof(path), "/proc/%d/pagemap", thread->tid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	while (pagemap >= 0 && fgets(line, sizeof(line), maps)) {
		if (parse(tracer, thread, line, part, &mapping))
			tell_mapping(tracer, thread, &mapping, pagemap, part->written_now);
	}
	if (pagemap >= 0)
		close(pagemap);
	fclose(maps);
}

void mapped_tell_everywhere(struct tracer *tracer, const struct mapped_part *part)
{
	tracer->looks++;
	for (unsigned i = 0; i < THREAD_BUCKETS && tracer->mapped; i++)
		for (struct thread *thread = tracer->buckets[i]; thread; thread = thread->next) {
			struct process *process = thread->process;

			if (thread->state != THREAD_LIVE || process->looked == tracer->looks)
				continue;
			process->looked = tracer->looks;
			mapped_tell(tracer, thread, part);
		}
}

void mapped_look_again(struct tracer *tracer)
{
	static const struct mapped_part all = {.end = UINT64_MAX};
	uint64_t now_ns;

	if (!tracer->mapped || !tracer->options->map_period_ns)
		return;
	now_ns = monotonic_ns();
	if (now_ns < tracer->mapped->next_ns)
		return;
	mapped_tell_everywhere(tracer, &all);
	if (tracer->options->watch)
		page_watch_prune(tracer->options->watch, tracer->looks);
	tracer->mapped->next_ns = now_ns + tracer->options->map_period_ns;
}
