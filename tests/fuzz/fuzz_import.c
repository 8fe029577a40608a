/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_import [TRIES [SEED]]: damages foreign traces at random places.
 *
 * Every importer reads each of them: it must refuse the file or give events
 * that every reader accepts, numbered without gaps and in the order of time.
 * Prints the try that failed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/import/import.h"
#include "tests/random_event.h"

#define RECORDS 200
#define ROOM	(RECORDS * 40)

/* vscsi records of 32 (version 1) or 40 bytes; times rise, most commands are READ(10). */
static size_t make_vscsi(struct random_events *dice, uint8_t *at, bool second)
{
	size_t bytes = second ? 40 : 32;

	memset(at, 0, RECORDS * bytes);
	for (uint64_t i = 0; i < RECORDS; i++, at += bytes) {
		uint16_t command = i % 9 ? 0x28 : 0x35, version = second ? 2 << 8 : 1 << 8;
		uint32_t length = (1 + random_next(dice) % 64) * 512;
		uint64_t sector = random_next(dice) % (1 << 30);
		uint64_t response = random_next(dice) % 5000;
		uint64_t time_us = i * 1000;

		memcpy(at + (second ? 0 : 12), &command, sizeof(command));
		memcpy(at + (second ? 2 : 14), &version, sizeof(version));
		memcpy(at + (second ? 8 : 4), &length, sizeof(length));
		memcpy(at + 16, &sector, sizeof(sector));
		memcpy(at + 24, &time_us, sizeof(time_us));
		if (second)
			memcpy(at + 32, &response, sizeof(response));
	}
	return RECORDS * bytes;
}

static size_t damage(struct random_events *dice, uint8_t *at, size_t count)
{
	for (uint64_t flips = random_next(dice) % 4; flips; flips--)
		at[random_next(dice) % count] ^= 1 << random_next(dice) % 8;
	if (random_next(dice) % 8 == 0)
		memset(at + random_next(dice) % (count - 8), 0xff, 8);
	return random_next(dice) % 4 ? count : random_next(dice) % count;
}

static bool reads_well(const struct importer *importer, const char *path)
{
	static struct event events[BATCH_EVENTS];
	struct source *source = import_open(importer, path, NULL);
	uint64_t seq = 0, time_ns = 0;
	bool well = true;
	ssize_t count;

	while (source && (count = source_read(source, events, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < count; i++) {
			well = well && !event_check(&events[i]) && events[i].seq == seq + 1 &&
			       events[i].time_ns >= time_ns;
			seq = events[i].seq;
			time_ns = events[i].time_ns;
		}
	source_close(source);
	return well;
}

/* Requests alone: each on a disk, unless they are for objects. */
static bool requests_read_well(const struct importer *importer, const char *path)
{
	struct request_source *source = import_requests(importer, path, NULL);
	const struct request *requests;
	bool well = true;
	ssize_t count;

	while (source && (count = request_read(source, &requests)) > 0)
		for (const struct request *r = requests; r < requests + count; r++)
			well = well && r->op < BLOCK_OPS &&
			       (source->objects || !sectors_beyond_any_disk(r->sector, r->sectors));
	request_close(source);
	return well;
}

static bool is_read_well(const struct importer *importer, const char *path)
{
	return reads_well(importer, path) && requests_read_well(importer, path);
}

static bool all_read_well(const uint8_t *bytes, size_t count)
{
	int fd = memfd_create("damaged", 0);
	bool well = true;
	char path[32];

	if (write(fd, bytes, count) != (ssize_t)count)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	component_for_each (entry)
		if (!strcmp((*entry)->kind, "import"))
			well = well &&
			       is_read_well(container_of(*entry, struct importer, head), path);
	close(fd);
	return well;
}

int main(int argc, char **argv)
{
	uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct random_events *dice = random_events_new(seed);
	static uint8_t bytes[ROOM];
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO); /* thousands of sentences are expected */
	for (uint64_t try = 0; try < tries; try++) {
		size_t count = make_vscsi(dice, bytes, try % 2);

		if (!all_read_well(bytes, damage(dice, bytes, count))) {
			printf("fuzz_import: events that can't be in try %" PRIu64 "\n", try);
			return 1;
		}
	}
	printf("fuzz_import: %" PRIu64 " tries, seed %" PRIu64 ", all well\n", tries, seed);
	close(null);
	free(dice);
	return 0;
}
