/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests alone, out of archives by several threads, are those of the events;
 * the crew that does it.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/requests.h"
#include "capture/source.h"
#include "common/component.h"

#define EVENTS 150000

static const char *archive_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/sky-requests-%d.h5", getpid());
	return path;
}

static void forget_archive(void)
{
	unlink(archive_path());
}

TestSuite(requests, .fini = forget_archive);

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

static void write_archive(size_t events)
{
	struct sink *sink = archive_create(archive_path());
	uint64_t random = 1;

	cr_assert_not_null(sink);
	for (size_t i = 0; i < events; i++) {
		struct event e;

		random = random * 6364136223846793005u + 1442695040888963407u;
		event_init(&e, i % 7 ? EVENT_BLOCK : EVENT_COMPLETE);
		e.seq = i + 1;
		e.time_ns = i * 100 + random % 100;
		if (e.kind == EVENT_BLOCK) {
			e.block.op = random % BLOCK_OPS;
			e.block.disk = random >> 20 & 3;
			e.block.id = i;
			e.block.sector = random >> 30;
			e.block.sectors = random >> 10 & 255;
		}
		cr_assert_eq(sink_write(sink, &e, 1), 0);
	}
	cr_assert_eq(sink_commit(sink), 0);
}

/* All requests of the archive by its events. */
static struct request *expect_requests(size_t *count)
{
	struct source *source = archive_open(archive_path(), KIND_BIT(EVENT_BLOCK));
	struct request_source *events = requests_of_events(source);
	struct request *all = malloc(EVENTS * sizeof(*all));
	const struct request *r;
	ssize_t n;

	cr_assert(events && all);
	for (*count = 0; (n = request_read(events, &r)) > 0; *count += n)
		memcpy(all + *count, r, n * sizeof(*r));
	cr_assert_eq(n, 0);
	request_close(events);
	return all;
}

/* How many requests there are, which must be those; -1 if reading fails. */
static ssize_t compare(const struct request *expected, unsigned int threads)
{
	struct crew *crew = crew_new(threads);
	struct request_source *requests = archive_requests(archive_path(), crew);
	const struct request *r;
	ssize_t count = -1, sum = 0;

	while (requests && (count = request_read(requests, &r)) > 0)
		for (; count; count--, r++, sum++)
			cr_assert(r->time_ns == expected[sum].time_ns &&
				  r->op == expected[sum].op && r->sector == expected[sum].sector &&
				  r->disk == expected[sum].disk &&
				  r->sectors == expected[sum].sectors);
	request_close(requests);
	crew_free(crew);
	return count ? -1 : sum;
}

static void expect_same(size_t events, size_t requests)
{
	struct request *expected;
	size_t count;

	write_archive(events);
	expected = expect_requests(&count);
	cr_expect_eq(count, requests);
	for (unsigned int threads = 1; threads <= 5; threads += 2)
		cr_expect_eq(compare(expected, threads), (ssize_t)requests);
	free(expected);
}

Test(requests, are_those_of_the_events_for_any_number_of_threads)
{
	expect_same(EVENTS, EVENTS - (EVENTS + 6) / 7);
	expect_same(1, 0);
	expect_same(2, 1);
}

/* Whatever byte is wrong: the right requests or an error. */
Test(requests, of_a_damaged_archive_are_right_or_refused, .init = quiet)
{
	unsigned int refused = 0;
	struct request *expected;
	struct stat st;
	uint8_t byte;
	size_t count;
	int fd;

	write_archive(30000);
	expected = expect_requests(&count);
	fd = open(archive_path(), O_RDWR);
	cr_assert(fd >= 0 && !fstat(fd, &st));
	for (int i = 0; i < 40; i++) {
		off_t at = st.st_size / 40 * i + i;

		cr_assert_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
		refused += compare(expected, 2) < 0;
		byte ^= 0x10;
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	cr_expect_geq(refused, 10);
	cr_expect_eq(compare(expected, 2), (ssize_t)count, "all is well again");
	free(expected);
}

struct counter {
	struct crew_job job;
	_Atomic int done;
	atomic_bool runs;
};

static void count(struct crew_job *job)
{
	struct counter *c = container_of(job, struct counter, job);

	cr_assert(!atomic_exchange(&c->runs, true), "never by two at a time");
	c->done++;
	atomic_store(&c->runs, false);
}

Test(crew, does_every_job_that_is_handed_out_after_its_last_change)
{
	for (unsigned int threads = 1; threads < 6; threads++) {
		struct crew *crew = crew_new(threads);
		struct counter counters[8] = {0};

		cr_assert_not_null(crew);
		cr_expect_eq(crew_threads(crew), threads);
		for (int i = 0; i < 8; i++)
			counters[i].job = (struct crew_job){.work = count, .urgent = i % 2};
		crew_help(crew);
		for (int round = 0; round < 1000; round++) {
			int before = counters[round % 8].done;

			crew_submit(crew, &counters[round % 8].job);
			if (round % 100)
				continue;
			while (counters[round % 8].done == before)
				crew_help(crew);
		}
		crew_settle(crew);
		for (int i = 0; i < 8; i++) {
			cr_expect_geq(counters[i].done, 1);
			cr_expect_leq(counters[i].done, 125);
		}
		crew_free(crew);
	}
}

/* A job that says when it is half done, and doesn't end before somebody has heard that. */
struct halves {
	struct crew_job job;
	struct crew *crew;
	unsigned int round;
	atomic_bool begun, half, heard;
};

static void do_halves(struct crew_job *job)
{
	struct halves *h = container_of(job, struct halves, job);

	cr_expect(!crew_is_helped(h->crew), "another thread does it");
	atomic_store(&h->begun, true);
	usleep(h->round % 8 * 50);
	atomic_store(&h->half, true);
	crew_nudge(h->crew);
	while (!atomic_load(&h->heard))
		usleep(50);
}

static bool is_half(const void *context)
{
	const struct halves *h = context;

	return atomic_load(&h->half);
}

static bool never(const void *context)
{
	return false;
}

Test(crew, is_helped_until_somebody_in_the_middle_of_a_job_says_enough)
{
	struct crew *crew = crew_new(2);

	cr_assert_not_null(crew);
	cr_expect(crew_is_helped(crew));
	for (unsigned int round = 0; round < 200; round++) {
		struct halves h = {.job.work = do_halves, .crew = crew, .round = round};

		crew_submit(crew, &h.job);
		while (!atomic_load(&h.begun))
			usleep(50);
		crew_help_until(crew, is_half, &h);
		atomic_store(&h.heard, true);
		crew_settle(crew);
	}
	crew_help_until(crew, never, NULL); /* nothing is to be done or waited for */
	crew_free(crew);
}
