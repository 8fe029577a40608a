/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_archive [TRIES] [SEED]: archives with one thing damaged.
 *
 * Each try takes one of a few good archives, damages a copy (a byte flipped,
 * the end cut off, bytes put in, overwritten or taken out) and reads it. That
 * must give all events or a prefix of them, each as it was, and one sentence
 * where it is a prefix. A child does the tries, so that a crash, a hang or a
 * sanitizer's report is told with what repeats it: try I is seed SEED + I.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/frame.h"
#include "capture/source.h"
#include "common/error.h"
#include "common/fnv1a.h"
#include "tests/random_event.h"

#define DEFAULT_TRIES 100
#define HANG_SECONDS  120

struct good_archive {
	int events;
	uint32_t kinds;	 /* which kinds the random events are taken from */
	unsigned weight; /* of 16 tries */
	char *bytes;
	size_t size;
	uint64_t *digests; /* of each event */
};

/* All kinds; a few small groups; datasets of several chunks. */
static struct good_archive archives[] = {
	{.events = 300, .kinds = KINDS_ALL, .weight = 6},
	{.events = 150, .kinds = KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_HINT), .weight = 9},
	{.events = 70000, .kinds = KIND_BIT(EVENT_MONITOR), .weight = 1},
};

/* What the parent must know of a child that is gone. */
struct state {
	uint64_t seed; /* of the current try */
	uint64_t whole, prefixes, refused, contained;
};

static struct state *state;
static char folder[] = "/tmp/sky-fuzz-XXXXXX";
static char path[64];
static int said, real_stderr;

static uint64_t digest(const struct event *event)
{
	static char *bytes;
	static size_t room;
	size_t needed = event_encoded_bytes(event);

	if (needed > room) {
		room = needed;
		bytes = realloc(bytes, room);
	}
	return fnv1a_update(FNV1A_BASIS, bytes, event_encode(event, bytes));
}

static void make_archive(struct good_archive *archive, uint64_t seed)
{
	struct random_events *r = random_events_new(seed);
	struct sink *sink = archive_create(path);
	struct event e;
	int fd;

	r->longest_words = 200;
	archive->digests = malloc(archive->events * sizeof(*archive->digests));
	for (int i = 0; i < archive->events;) {
		random_event(r, &e);
		if (!(archive->kinds & KIND_BIT(e.kind)))
			continue;
		archive->digests[i++] = digest(&e);
		if (sink_write(sink, &e, 1))
			exit(1);
	}
	if (sink_commit(sink))
		exit(1);
	free(r);
	fd = open(path, O_RDONLY);
	archive->size = lseek(fd, 0, SEEK_END);
	archive->bytes = mmap(NULL, archive->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	unlink(path);
}

static const struct good_archive *choose(uint64_t dice)
{
	const struct good_archive *archive = archives;

	for (dice %= 16; dice >= archive->weight; archive++)
		dice -= archive->weight;
	return archive;
}

/* Writes the damaged copy; says what was done. */
static const char *damage(const struct good_archive *archive, struct random_events *r)
{
	static char done[128];
	size_t at = random_next(r) % archive->size, count = 1 + random_next(r) % 64;
	size_t left = archive->size - at, skipped = 0;
	char extra[64] = {0};
	uint64_t dice = random_next(r) % 16;
	FILE *file = fopen(path, "w");

	if (count > left)
		count = left;
	for (size_t i = 0; i < count; i++)
		extra[i] = random_next(r);
	if (dice < 10) {
		count = 1;
		extra[0] = archive->bytes[at] ^ (1 + random_next(r) % 255);
		skipped = 1;
		snprintf(done, sizeof(done), "byte %zu of %zu flipped", at, archive->size);
	} else if (dice < 12) {
		count = 0;
		skipped = left;
		snprintf(done, sizeof(done), "cut at %zu of %zu", at, archive->size);
	} else if (dice < 13) {
		snprintf(done, sizeof(done), "%zu bytes put in at %zu of %zu", count, at,
			 archive->size);
	} else if (dice < 14) {
		skipped = count;
		count = 0;
		snprintf(done, sizeof(done), "%zu bytes taken out at %zu of %zu", skipped, at,
			 archive->size);
	} else {
		skipped = count;
		if (dice == 15)
			memset(extra, 0, sizeof(extra));
		snprintf(done, sizeof(done), "%zu bytes overwritten at %zu of %zu", count, at,
			 archive->size);
	}
	if (fwrite(archive->bytes, 1, at, file) != at || fwrite(extra, 1, count, file) != count ||
	    fwrite(archive->bytes + at + skipped, 1, left - skipped, file) != left - skipped ||
	    fclose(file)) {
		fail_errno(errno, "cannot write %s", path);
		exit(1);
	}
	return done;
}

/* NULL if the archive gave what it may; *intact is how many events that were. */
static const char *read_archive(const struct good_archive *archive, int *intact, ssize_t *last)
{
	struct source *source = archive_open(path, KINDS_ALL);
	static struct event e[BATCH_EVENTS];
	const char *wrong = NULL;

	*intact = 0;
	*last = -1;
	while (!wrong && source && (*last = source_read(source, e, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < *last && !wrong; i++)
			if (*intact == archive->events)
				wrong = "more events than there were";
			else if (digest(&e[i]) != archive->digests[(*intact)++])
				wrong = "a changed event";
	if (!wrong && !*last && *intact != archive->events)
		wrong = "an end before the end";
	source_close(source);
	return wrong;
}

/* One sentence where reading failed, nothing otherwise. */
static const char *check_said(bool failed)
{
	static char text[65536];
	ssize_t bytes = pread(said, text, sizeof(text) - 1, 0);
	char *end;

	text[bytes < 0 ? 0 : bytes] = '\0';
	end = strchr(text, '\n');
	state->contained += strstr(text, "cannot even list it") != NULL;
	if (!failed)
		return *text ? "a sentence although all was well" : NULL;
	if (strncmp(text, "sky: ", 5) || !end)
		return "no sentence";
	return end[1] ? "more than one sentence" : NULL;
}

static int try(uint64_t seed)
{
	struct random_events *r = random_events_new(seed);
	const struct good_archive *archive = choose(random_next(r));
	const char *done = damage(archive, r), *wrong;
	ssize_t last;
	int intact;

	state->seed = seed;
	free(r);
	if (ftruncate(said, 0) || lseek(said, 0, SEEK_SET))
		return -1;
	alarm(HANG_SECONDS);
	wrong = read_archive(archive, &intact, &last);
	alarm(0);
	if (!wrong)
		wrong = check_said(last < 0);
	if (wrong) {
		dprintf(real_stderr, "seed %llu: %s: %s after %d of %d events\n",
			(unsigned long long)seed, done, wrong, intact, archive->events);
		return -1;
	}
	if (!last)
		state->whole++;
	else if (intact)
		state->prefixes++;
	else
		state->refused++;
	return 0;
}

static void __attribute__((noreturn)) run_tries(uint64_t tries, uint64_t seed)
{
	for (size_t i = 0; i < sizeof(archives) / sizeof(archives[0]); i++)
		make_archive(&archives[i], i + 1);
	dup2(said, STDERR_FILENO);
	for (uint64_t i = 0; i < tries; i++)
		if (try(seed + i))
			_exit(1);
	_exit(0);
}

static void show_said(void)
{
	char text[4096];
	ssize_t bytes;

	lseek(said, 0, SEEK_SET);
	while ((bytes = read(said, text, sizeof(text))) > 0)
		if (write(STDERR_FILENO, text, bytes) < 0)
			return;
}

int main(int argc, char **argv)
{
	uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 0) : DEFAULT_TRIES;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	int status;
	pid_t child;

	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	said = memfd_create("stderr", 0);
	real_stderr = dup(STDERR_FILENO);
	if (state == MAP_FAILED || said < 0 || !mkdtemp(folder)) {
		fail_errno(errno, "cannot prepare the tries in %s", folder);
		return 1;
	}
	snprintf(path, sizeof(path), "%s/a.h5", folder);
	child = fork();
	if (!child)
		run_tries(tries, seed);
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		fail_errno(errno, "cannot run the tries");
		return 1;
	}
	if (status) {
		show_said();
		fprintf(stderr,
			"fuzz_archive: seed %llu failed (status %#x): fuzz_archive 1 %llu "
			"repeats it; the file is %s\n",
			(unsigned long long)state->seed, status, (unsigned long long)state->seed,
			path);
		return 1;
	}
	unlink(path);
	rmdir(folder);
	printf("fuzz_archive: %llu tries: %llu refused, %llu gave a prefix, %llu were whole; "
	       "%llu crashed or hung only the probe\n",
	       (unsigned long long)tries, (unsigned long long)state->refused,
	       (unsigned long long)state->prefixes, (unsigned long long)state->whole,
	       (unsigned long long)state->contained);
	return 0;
}
