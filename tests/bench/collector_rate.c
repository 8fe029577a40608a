/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * collector_rate STREAM [EVENTS]: how fast the collector of the KVM recorder is.
 *
 * A thread for the kernel fills two rings, a virtual CPU's with entries and a
 * disk's with requests, eight checksums each, by the same code as the kernel's.
 * It waits for room, so that nothing is lost; what is measured is the collector,
 * from the rings to the stream file. STREAM is written, measured and removed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kvm-recorder/collector/merge.h"
#include "kvm-recorder/collector/ring_map.h"
#include "kvm-recorder/collector/writer.h"
#include "kvm-recorder/kernel/sky_records.h"

#define RING_BYTES    (8u << 20)
#define EVENTS_PRESET 4000000
#define SUMS	      8

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* The other side needs the processor more. */
static void nap(void)
{
	const struct timespec time = {.tv_nsec = 200000};

	nanosleep(&time, NULL);
}

struct producer {
	struct sky_ring *calls, *disk;
	uint64_t events;
};

/* Room for a record of so many bytes, waited for. */
static struct sky_record *reserve(struct sky_ring *ring, uint32_t length, uint16_t kind)
{
	struct sky_record *record;
	__u64 place;

	while (ring->page->head - sky_load_acquire(&ring->page->tail) + length > ring->bytes)
		nap();
	record = sky_ring_reserve(ring, length, &place);
	record->kind = kind;
	record->vcpu = 0;
	record->time_ns = clock_ns(CLOCK_MONOTONIC);
	return record;
}

static void push_entry(struct sky_ring *ring, uint64_t i)
{
	const uint32_t length = sizeof(struct sky_entry_record) + 8 * SUMS;
	struct sky_entry_record *r =
		(struct sky_entry_record *)reserve(ring, length, SKY_RECORD_ENTRY);

	r->cpu = (struct sky_cpu){.space = 0x1000 + i % 8 * 0x2000, .stack = 0x7ffd00000000};
	r->number = 1;
	r->argument[0] = 3;
	r->file_offset = i * SUMS * CHUNK_BYTES;
	r->sums = SUMS;
	for (uint64_t k = 0; k < SUMS; k++)
		r->words[k] = i + k + 1;
	sky_ring_commit(&r->record, length);
}

static void push_block(struct sky_ring *ring, uint64_t i)
{
	const uint32_t length = sizeof(struct sky_block_record) + 3 * 8 * SUMS;
	struct sky_block_record *r =
		(struct sky_block_record *)reserve(ring, length, SKY_RECORD_BLOCK);

	r->id = i;
	r->sector = i * SUMS * SECTORS_PER_CHUNK;
	r->sectors = SUMS * SECTORS_PER_CHUNK;
	r->op = BLOCK_WRITE;
	r->sums = r->markers = r->frames = SUMS;
	for (uint64_t k = 0; k < SUMS; k++)
		r->words[k] = i + k + 1;
	sky_ring_commit(&r->record, length);
}

static void *produce(void *argument)
{
	const struct producer *p = argument;

	for (uint64_t i = 1; i <= p->events / 2; i++) {
		push_entry(p->calls, i);
		push_block(p->disk, i);
	}
	sky_store_release(&p->calls->page->ended, 1);
	sky_store_release(&p->disk->page->ended, 1);
	return NULL;
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static int collect(struct merge *m, struct writer *writer)
{
	static struct event events[BATCH_EVENTS];
	ssize_t count;

	while (!feed_done(&m->feeds[0], UINT64_MAX) || !feed_done(&m->feeds[1], UINT64_MAX)) {
		uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

		count = merge_next(m, events, BATCH_EVENTS, now_ns, UINT64_MAX);
		if (count < 0 || writer_write(writer, events, count) ||
		    writer_flush(writer, now_ns))
			return -1;
		merge_release(m);
		if (!count)
			nap();
	}
	return 0;
}

/* The same bytes by write(2) alone. */
static double raw_seconds(const char *path, uint64_t bytes)
{
	static char buffer[1 << 20];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint64_t begun_ns = clock_ns(CLOCK_MONOTONIC);

	memset(buffer, 1, sizeof(buffer));
	for (uint64_t done = 0; done < bytes; done += sizeof(buffer))
		if (write(fd, buffer, sizeof(buffer)) != sizeof(buffer))
			exit(1);
	close(fd);
	return (clock_ns(CLOCK_MONOTONIC) - begun_ns) / 1e9;
}

int main(int argc, char **argv)
{
	struct producer producer = {.events =
					    argc > 2 ? strtoull(argv[2], NULL, 0) : EVENTS_PRESET};
	struct attributes none = {0};
	struct feed feeds[2] = {{.name = "vm 1 vcpu 0"}, {.name = "disk a"}};
	struct merge merge = {.feeds = feeds, .count = 2};
	struct writer writer = {.path = argv[1], .attributes = &none, .seq = &merge.seq};
	uint64_t begun_ns, begun_cpu_ns;
	double wall, cpu, megabytes, raw;
	pthread_t thread;
	struct stat st;

	if (argc < 2) {
		fprintf(stderr, "usage: collector_rate STREAM [EVENTS]\n");
		return 2;
	}
	if (ring_make(&feeds[0].ring, RING_BYTES) || ring_make(&feeds[1].ring, RING_BYTES) ||
	    writer_begin(&writer, clock_ns(CLOCK_MONOTONIC)))
		return 1;
	producer.calls = &feeds[0].ring;
	producer.disk = &feeds[1].ring;
	stay_on(1);
	if (pthread_create(&thread, NULL, produce, &producer))
		return 1;
	stay_on(0);
	begun_ns = clock_ns(CLOCK_MONOTONIC);
	begun_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	if (collect(&merge, &writer) || writer_end(&writer, false))
		return 1;
	wall = (clock_ns(CLOCK_MONOTONIC) - begun_ns) / 1e9;
	cpu = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun_cpu_ns) / 1e9;
	pthread_join(thread, NULL);
	if (stat(argv[1], &st))
		return 1;
	unlink(argv[1]);
	megabytes = st.st_size / 1e6;
	raw = raw_seconds(argv[1], st.st_size);
	unlink(argv[1]);
	printf("collector: %" PRIu64 " events, %" PRIu64
	       " lost, %.2f M events/s of one core (%.2f M by the clock), %.0f MB/s; writing "
	       "alone: "
	       "%.0f MB/s\n",
	       merge.events, merge.lost, merge.events / cpu / 1e6, merge.events / wall / 1e6,
	       megabytes / wall, megabytes / raw);
	return 0;
}
