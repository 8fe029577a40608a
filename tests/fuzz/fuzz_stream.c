/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_stream [TRIES [SEED]]: damages streams and texts at random places.
 *
 * A damaged stream must give an intact prefix of its events, or an error; a
 * damaged text must not crash the reader, and what it accepts must survive a
 * round trip. Prints the try that failed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/source.h"
#include "tests/random_event.h"

#define EVENTS 50
#define TRACES 16
#define ROOM   (4u << 20)

struct bytes {
	char *at;
	size_t count;
};

static int die(const char *what, uint64_t try)
{
	printf("fuzz_stream: %s in try %" PRIu64 "\n", what, try);
	return 1;
}

static struct bytes make(struct sink *(*create)(int, const char *), uint64_t seed)
{
	struct random_events *r = random_events_new(seed);
	int fd = memfd_create("fuzz", 0);
	struct sink *sink = create(dup(fd), "fuzz");
	struct bytes made;
	struct event e;

	r->longest_words = 200;
	for (int i = 0; i < EVENTS; i++) {
		random_event(r, &e);
		if (sink_write(sink, &e, 1))
			abort();
	}
	if (sink_commit(sink))
		abort();
	made.count = lseek(fd, 0, SEEK_END);
	made.at = malloc(ROOM);
	if (pread(fd, made.at, made.count, 0) != (ssize_t)made.count)
		abort();
	close(fd);
	free(r);
	return made;
}

/* Flips bits, cuts, or doubles a piece. */
static size_t damage(struct random_events *dice, char *at, size_t count)
{
	uint64_t how = random_next(dice) % 8;
	size_t place = random_next(dice) % count;

	if (how < 5) {
		at[place] ^= 1 << random_next(dice) % 8;
	} else if (how == 5) {
		count = place;
	} else {
		size_t piece = random_next(dice) % (count - place) % 4096;

		memmove(at + place + piece, at + place, count - place);
		count += piece;
	}
	return count;
}

static struct source *open_bytes(const struct bytes *b, struct source *(*open)(int, const char *))
{
	int fd = memfd_create("damaged", 0);

	if (write(fd, b->at, b->count) != (ssize_t)b->count)
		abort();
	lseek(fd, 0, SEEK_SET);
	return open(fd, "damaged");
}

/* True if all that is read are the random events of that seed, in order. */
static bool intact_prefix(const struct bytes *b, uint64_t seed)
{
	struct source *source = open_bytes(b, stream_open);
	struct random_events *r = random_events_new(seed);
	static struct event got[BATCH_EVENTS];
	struct event expected;
	bool intact = true;
	ssize_t n;

	r->longest_words = 200;
	while (source && (n = source_read(source, got, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			random_event(r, &expected);
			intact = intact && !event_difference(&expected, &got[i]);
		}
	source_close(source);
	free(r);
	return intact;
}

/* Reads a text; what it gives is written and read again, and must be the same bytes. */
static bool round_trip(const struct bytes *b)
{
	struct source *source = open_bytes(b, text_open);
	struct event got[BATCH_EVENTS];
	int first = memfd_create("first", 0), second = memfd_create("second", 0);
	struct sink *sink = text_create(dup(first), "first");
	off_t bytes, again;
	ssize_t n;
	bool same;

	while (source && (n = source_read(source, got, BATCH_EVENTS)) > 0)
		sink_write(sink, got, n);
	source_close(source);
	sink_commit(sink);
	bytes = lseek(first, 0, SEEK_END);
	lseek(first, 0, SEEK_SET);
	source = text_open(first, "first");
	sink = text_create(dup(second), "second");
	while ((n = source_read(source, got, BATCH_EVENTS)) > 0)
		sink_write(sink, got, n);
	sink_commit(sink);
	again = lseek(second, 0, SEEK_END);
	same = n == 0 && again == bytes;
	source_close(source);
	close(second);
	return same;
}

int main(int argc, char **argv)
{
	uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct random_events *dice = random_events_new(seed);
	struct bytes streams[TRACES], texts[TRACES], copy = {malloc(ROOM), 0};
	int null = open("/dev/null", O_WRONLY);

	for (int i = 0; i < TRACES; i++) {
		streams[i] = make(stream_create, seed + i);
		texts[i] = make(text_create, seed + i);
	}
	dup2(null, STDERR_FILENO); /* thousands of sentences are expected */
	for (uint64_t try = 0; try < tries; try++) {
		int i = random_next(dice) % TRACES;

		memcpy(copy.at, streams[i].at, streams[i].count);
		copy.count = damage(dice, copy.at, streams[i].count);
		if (!intact_prefix(&copy, seed + i))
			return die("a wrong event from a damaged stream", try);
		memcpy(copy.at, texts[i].at, texts[i].count);
		copy.count = damage(dice, copy.at, texts[i].count);
		if (!round_trip(&copy))
			return die("a text that changes on a round trip", try);
	}
	printf("fuzz_stream: %" PRIu64 " tries, seed %" PRIu64 ", all well\n", tries, seed);
	for (int i = 0; i < TRACES; i++) {
		free(streams[i].at);
		free(texts[i].at);
	}
	free(copy.at);
	free(dice);
	return 0;
}
