/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky join`: what the clocks differ by, and the truth before each request.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/source.h"
#include "sim/join/clocks.h"
#include "sim/join/join.h"

#define SECOND 1000000000ll

static int64_t apart_ns;

static void see(struct sights *sights, uint8_t op, uint64_t sector, uint32_t chunks,
		int64_t time_ns)
{
	cr_assert_eq(sights_add(sights, op, sector, chunks * SECTORS_PER_CHUNK, time_ns), 0);
}

Test(join_clocks, least_of_the_differences_that_lie_close_together)
{
	struct sights guest = {0}, host = {0};

	for (int i = 0; i < 20; i++) {
		see(&guest, BLOCK_WRITE, 80 * i, 2, 100 + i);
		see(&host, BLOCK_WRITE, 80 * i, 2, 7 * SECOND + 100 + i + 1000 * (19 - i));
	}
	/* Other places are the first of their kind by chance. */
	see(&guest, BLOCK_READ, 8, 1, 5);
	see(&host, BLOCK_READ, 8, 1, 2 * SECOND);
	see(&host, BLOCK_READ, 16, 1, 3 * SECOND);
	cr_expect_eq(clocks_apart(&guest, &host, &apart_ns), 40);
	cr_expect_eq(apart_ns, 7 * SECOND);
	sights_free(&guest);
	sights_free(&host);
}

Test(join_clocks, places_that_were_not_seen_equally_often_do_not_count)
{
	struct sights guest = {0}, host = {0};

	see(&guest, BLOCK_WRITE, 8, 1, 1);
	see(&host, BLOCK_WRITE, 8, 1, 100);
	see(&host, BLOCK_WRITE, 8, 1, 200);
	see(&guest, BLOCK_READ, 8, 1, 3);
	cr_expect_eq(clocks_apart(&guest, &host, &apart_ns), 0);
	see(&guest, BLOCK_WRITE, 8, 1, 111);
	cr_expect_eq(clocks_apart(&guest, &host, &apart_ns), 2);
	cr_expect_eq(apart_ns, 89);
	sights_free(&guest);
	sights_free(&host);
}

Test(join_clocks, a_clock_that_is_ahead)
{
	struct sights guest = {0}, host = {0};

	see(&guest, BLOCK_WRITE, 8, 1, 900 * SECOND);
	see(&host, BLOCK_WRITE, 8, 1, SECOND);
	cr_expect_eq(clocks_apart(&guest, &host, &apart_ns), 1);
	cr_expect_eq(apart_ns, -899 * SECOND);
	sights_free(&guest);
	sights_free(&host);
}

/* The host's clock is 5 s ahead; the first truth is of a request from before it recorded. */
static const char trace[] =
	"5000000500 - - - attribute name=\"recorder\" value=\"kvm\"\n"
	"5000000500 - - - attribute name=\"truth\" value=\"none: not on the host\"\n"
	"5000001000 - - - block W id=1 sector=80 count=40 sums=[a0,a1,a2,a3,a4]\n"
	"5000002000 - - - block R id=2 sector=800 count=8\n"
	"5000003000 - - - complete id=2 sums=[77]\n"
	"5000004000 - - - block W disk=1 id=1 sector=80 count=8 sums=[b0]\n"
	"5000005000 - - - block W id=3 sector=80 count=8 sums=[a5]\n"
	"5000006000 - - - block W id=4 sector=8000 count=8 sums=[a6]\n"
	"5000007000 - - - block W id=5 sector=9001 count=3\n"
	"5000007001 - - - block W id=6 sector=9004 count=13 sums=[a7,0]\n"
	"5000008000 - - - block R id=7 sector=80 count=16\n";

static const char truth[] =
	"1 - - - attribute name=\"kernel\" value=\"6.1\"\n"
	"1 - - - truth W sector=96 count=8 what=metadata source=block-device\n"
	"900 - - - truth W sector=80 count=16 what=data source=file dev=7:0 inode=12 index=4\n"
	"901 - - - truth W sector=104 count=8 flags=META what=metadata source=block-device\n"
	"902 - - - truth W sector=96 count=8 what=data source=file dev=7:0 inode=12 index=6\n"
	"1900 - - - truth R sector=800 count=8 what=metadata source=block-device\n"
	"4900 - - - truth W sector=80 count=8 what=data source=file dev=7:0 inode=13\n"
	"6900 - - - truth W sector=9001 count=16 what=metadata source=kernel-buffer\n"
	"7900 - - - truth R sector=80 count=16 what=metadata source=block-device\n";

static const char joined[] =
	"block W 80+40: truth 80+24 inode 12 index 4, truth 104+8 inode 0 index 0\n"
	"block R 800+8: truth 800+8 inode 0 index 0\n"
	"block W 80+8:\n"
	"block W 80+8: truth 80+8 inode 13 index 0\n"
	"block W 8000+8:\n"
	"block W 9001+3:\n"
	"block W 9004+13: truth 9004+8 inode 0 index 0\n"
	"block R 80+16: truth 80+8 inode 13 index 0, truth 88+8 inode 12 index 5\n";

static const char *write_file(const char *name, const char *text)
{
	static char paths[3][80];
	static int next;
	char *path = paths[next++ % 3];
	FILE *file;

	snprintf(path, sizeof(paths[0]), "/tmp/sky-join-%d-%s", getpid(), name);
	file = text ? fopen(path, "w") : NULL;
	if (file) {
		fputs(text, file);
		fclose(file);
	}
	return path;
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool has_attribute(const struct event *event, const char *name, const char *value)
{
	return event->kind == EVENT_ATTRIBUTE && text_is(&event->attribute.name, name) &&
	       text_is(&event->attribute.value, value);
}

struct description {
	char *text;
	size_t room;
	char truths[200];
	uint64_t seq, time_ns;
	int said;
};

/* A request a line, with the truths right before it; numbers and times must rise. */
static void describe_event(struct description *d, const struct event *e)
{
	cr_expect_eq(e->seq, ++d->seq);
	cr_expect_geq(e->time_ns, d->time_ns);
	d->time_ns = e->time_ns;
	d->said += has_attribute(e, "truth", "bpf, in the guest");
	d->said += has_attribute(e, "guest.kernel", "6.1");
	d->said += e->kind == EVENT_CLOCK && e->clock.guest_minus_host_ns == -5000000099;
	if (e->kind == EVENT_TRUTH)
		sprintf(d->truths + strlen(d->truths), "%s truth %d+%d inode %d index %d",
			*d->truths ? "," : "", (int)e->truth.sector, (int)e->truth.sectors,
			(int)e->truth.inode, (int)e->truth.index);
	if (e->kind != EVENT_BLOCK)
		return;
	snprintf(d->text + strlen(d->text), d->room - strlen(d->text), "block %c %d+%d:%s\n",
		 e->block.op == BLOCK_READ ? 'R' : 'W', (int)e->block.sector, (int)e->block.sectors,
		 d->truths);
	*d->truths = '\0';
}

static void describe(const char *path, char *text, size_t room)
{
	struct source *source = trace_open(path, KINDS_ALL);
	struct description d = {.text = text, .room = room};
	struct event events[8];
	ssize_t count;

	cr_assert(source);
	while ((count = source_read(source, events, 8)) > 0)
		for (ssize_t i = 0; i < count; i++)
			describe_event(&d, &events[i]);
	cr_assert_eq(count, 0);
	cr_expect_eq(d.said, 3);
	source_close(source);
}

Test(join, each_request_has_its_truth_before_it)
{
	struct join_options options = {
		.trace = write_file("trace.events", trace),
		.truth = write_file("truth.events", truth),
		.output = write_file("out.events", NULL),
	};
	json_t *result = join_truth(&options);
	char text[1000] = "";

	cr_assert(result);
	describe(options.output, text, sizeof(text));
	cr_expect_str_eq(text, joined);
	cr_expect_eq(number(result, "chunks"), 11);
	cr_expect_eq(number(result, "chunks_with_truth"), 9);
	cr_expect_eq(number(result, "truth_chunks_before_the_trace"), 1);
	json_decref(result);
	unlink(options.trace);
	unlink(options.truth);
	unlink(options.output);
}

Test(join, refuses_a_truth_of_something_else_and_a_second_one)
{
	struct join_options options = {
		.trace = write_file("trace.events", trace),
		.truth = write_file("truth.events",
				    "1 - - - truth R sector=880 count=8 what=metadata "
				    "source=block-device\n"),
		.output = write_file("out.events", NULL),
	};
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	cr_expect_null(join_truth(&options));
	unlink(options.truth);
	options.truth = write_file("truth.events", truth);
	options.trace = options.truth;
	cr_expect_null(join_truth(&options));
	cr_expect_neq(access(options.output, F_OK), 0);
	unlink(options.truth);
}
