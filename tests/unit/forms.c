/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text and stream give back what was put in, and refuse what they can't.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/frame.h"
#include "capture/source.h"
#include "tests/random_event.h"

#define EVENTS 3000

struct form {
	const char *name;
	struct sink *(*create)(int fd, const char *name);
	struct source *(*open)(int fd, const char *name);
};

static const struct form text = {"text", text_create, text_open};
static const struct form stream = {"stream", stream_create, stream_open};

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

static int write_random(const struct form *form, uint64_t seed, int events)
{
	struct random_events *r = random_events_new(seed);
	int fd = memfd_create(form->name, 0);
	struct sink *sink = form->create(dup(fd), form->name);
	struct event e;

	for (int i = 0; i < events; i++) {
		random_event(r, &e);
		cr_assert_eq(sink_write(sink, &e, 1), 0);
	}
	cr_assert_eq(sink_commit(sink), 0);
	free(r);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Reads until the end or an error; every event must be the random one of its place. */
static int count_intact(const struct form *form, int fd, uint64_t seed, ssize_t *last)
{
	struct random_events *r = random_events_new(seed);
	struct source *source = form->open(fd, form->name);
	static struct event got[BATCH_EVENTS];
	struct event expected;
	int count = 0;

	*last = -1;
	while (source && (*last = source_read(source, got, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < *last; i++, count++) {
			const char *field;

			random_event(r, &expected);
			field = event_difference(&expected, &got[i]);
			cr_assert_null(field, "%s: event %d (%s) differs in %s", form->name, count,
				       event_kinds[expected.kind].name, field);
		}
	source_close(source);
	free(r);
	return count;
}

static void round_trip(const struct form *form)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		ssize_t last;
		int count = count_intact(form, write_random(form, seed, EVENTS), seed, &last);

		cr_expect_eq(count, EVENTS);
		cr_expect_eq(last, 0);
	}
}

Test(forms, text_gives_back_every_event_of_every_kind)
{
	round_trip(&text);
}

Test(forms, stream_gives_back_every_event_of_every_kind)
{
	round_trip(&stream);
}

Test(forms, text_of_a_text_is_the_same_bytes)
{
	int fd = write_random(&text, 9, 500), copy = memfd_create("copy", 0);
	off_t bytes = lseek(fd, 0, SEEK_END);
	struct event e[BATCH_EVENTS];
	struct source *source;
	struct sink *sink;
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	source = text_open(dup(fd), "text");
	sink = text_create(dup(copy), "copy");
	while ((n = source_read(source, e, BATCH_EVENTS)) > 0)
		cr_assert_eq(sink_write(sink, e, n), 0);
	cr_assert_eq(n, 0);
	sink_commit(sink);
	source_close(source);
	cr_assert_eq(lseek(copy, 0, SEEK_END), bytes);
	cr_assert_arr_eq(mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0),
			 mmap(NULL, bytes, PROT_READ, MAP_SHARED, copy, 0), bytes);
}

Test(forms, stream_cut_anywhere_gives_an_intact_prefix_and_what_was_lost)
{
	int fd = write_random(&stream, 4, 40);
	off_t bytes = lseek(fd, 0, SEEK_END);

	for (off_t cut = 24; cut < bytes; cut += 1 + cut % 7 * 13) {
		static struct event got[BATCH_EVENTS];
		struct source *source;
		char path[64];
		ssize_t n;
		int count = 0;

		cr_assert_eq(ftruncate(fd, cut), 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		source = stream_open(open(path, O_RDONLY), "cut");
		cr_assert_not_null(source);
		while ((n = source_read(source, got, BATCH_EVENTS)) > 0)
			count += n;
		cr_assert_eq(n, 0);
		cr_expect(count <= 40);
		source_close(source);
		close(fd);
		fd = write_random(&stream, 4, 40);
	}
}

Test(forms, stream_with_a_flipped_byte_gives_an_intact_prefix_or_an_error)
{
	struct random_events *dice = random_events_new(77);
	int fd = write_random(&stream, 6, 60);
	off_t bytes = lseek(fd, 0, SEEK_END);

	quiet();
	for (int i = 0; i < 500; i++) {
		off_t at = random_next(dice) % bytes;
		uint8_t byte, flipped;
		char path[64];
		ssize_t last;

		cr_assert_eq(pread(fd, &byte, 1, at), 1);
		flipped = byte ^ 1 << random_next(dice) % 8;
		cr_assert_eq(pwrite(fd, &flipped, 1, at), 1);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		count_intact(&stream, open(path, O_RDONLY), 6, &last);
		cr_expect_eq(last, -1, "a flip at byte %ld went unnoticed", (long)at);
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	}
	free(dice);
}

Test(forms, stream_is_read_live_through_a_pipe)
{
	struct random_events *r = random_events_new(3);
	struct event sent, got[BATCH_EVENTS];
	struct source *source;
	struct sink *sink;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	sink = stream_create(ends[1], "pipe");
	for (int i = 0; i < 20; i++) {
		random_event(r, &sent);
		sink_write(sink, &sent, 1);
		sink_flush(sink);
		if (!i)
			source = stream_open(ends[0], "pipe");
		/* would hang here if the event were held back */
		cr_assert_eq(source_read(source, got, BATCH_EVENTS), 1);
		cr_assert_null(event_difference(&sent, got));
	}
	sink_commit(sink);
	cr_assert_eq(source_read(source, got, BATCH_EVENTS), 0);
	source_close(source);
	free(r);
}

static ssize_t read_text(const char *lines)
{
	int fd = memfd_create("lines", 0);
	struct event e[BATCH_EVENTS];
	struct source *source;
	ssize_t n, count = 0;

	cr_assert_eq(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
	lseek(fd, 0, SEEK_SET);
	source = text_open(fd, "lines");
	while ((n = source_read(source, e, BATCH_EVENTS)) > 0)
		count += n;
	source_close(source);
	return n < 0 ? -1 : count;
}

Test(forms, text_takes_comments_blank_lines_and_unquoted_strings)
{
	cr_expect_eq(read_text("# a comment\n\n  guest linux64\n"
			       "1 - - - mark name=begin # of the workload\n"),
		     1);
}

Test(forms, text_refuses_what_it_does_not_understand)
{
	static const char *const lines[] = {
		"x - - - switch\n",
		"1 - - switch\n",
		"-1 - - - switch\n",
		"1 -1 - - switch\n",
		"1 - - - block W id=-1\n",
		"1 70000 - - switch\n",
		"1 - - - nosuchkind\n",
		"1 - - - block Q id=1\n",
		"1 - - - block W id=1 id2=3\n",
		"1 - - - block W id=one\n",
		"1 - - - block W count=8 sums=[1,2,3]\n",
		"1 - - - block W sums=[1,\n",
		"1 - - - mark name=\"open\n",
		"1 - - - mark name=\"\\q\"\n",
		"1 - - - gone status=4294967296\n",
		"1 - - - switch seq=5\n2 - - - switch seq=5\n",
		"guest vms\n",
	};

	quiet();
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		cr_expect_eq(read_text(lines[i]), -1, "taken: %s", lines[i]);
}

Test(forms, an_event_too_short_or_too_long_is_not_decoded)
{
	struct random_events *r = random_events_new(21);
	static uint8_t bytes[1 << 20];
	static uint64_t words[1 << 17];
	struct event e, got;

	for (int i = 0; i < 300; i++) {
		size_t length;

		random_event(r, &e);
		length = event_encode(&e, bytes);
		cr_assert_eq(length, event_encoded_bytes(&e));
		cr_assert_null(event_decode(&got, bytes, length, words));
		cr_assert_null(event_difference(&e, &got));
		cr_expect_not_null(event_decode(&got, bytes, length + 1, words));
		for (size_t cut = 0; cut < length && cut < 200; cut++)
			cr_expect_not_null(event_decode(&got, bytes, cut, words));
	}
	free(r);
}
