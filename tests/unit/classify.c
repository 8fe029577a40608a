/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky classify` over small traces: the score, what is null, and the copy with hints.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/source.h"
#include "sim/classify.h"

/*
 * Two data chunks written, of which a call announced one; a metadata chunk
 * written, whose content a call announced by chance; a metadata chunk and
 * three data chunks read, of which a call took two.
 */
static const char judged_trace[] =
	"1000 - 0x5 0x7 process pid=5 tid=5\n"
	"1000 - 0x5 0x7 descriptor pid=5 tid=5 fd=3 open_file=1 dev=7:0 inode=11 links=1 "
	"size=12288 mode=0x81a4\n"
	"2000 - 0x5 0x7 entry pwrite64 pid=5 tid=5 fd=3 len=4096 offset=0 sums=[a0]\n"
	"2100 - 0x5 0x7 exit pwrite64 pid=5 tid=5 ret=4096\n"
	"2200 - 0x5 0x7 entry pwrite64 pid=5 tid=5 fd=3 len=4096 offset=4096 sums=[ee]\n"
	"2300 - 0x5 0x7 exit pwrite64 pid=5 tid=5 ret=4096\n"
	"3000 - - - truth W sector=8000 count=8 what=data source=file dev=7:0 inode=11 index=0\n"
	"3000 - - - truth W sector=9000 count=8 what=data source=file dev=7:0 inode=11 index=5\n"
	"3000 - - - truth W sector=320 count=8 what=metadata source=block-device\n"
	"4000 - - - block W id=1 sector=8000 count=8 sums=[a0]\n"
	"4100 - - - block W id=2 sector=9000 count=8 sums=[a5]\n"
	"4200 - - - block W id=3 sector=320 count=8 sums=[ee]\n"
	"5000 - - - truth R sector=100 count=8 what=metadata source=block-device\n"
	"5000 - - - truth R sector=8000 count=24 what=data source=file dev=7:0 inode=11 index=0\n"
	"6000 - - - block R id=4 sector=100 count=8\n"
	"6100 - - - block R id=5 sector=8000 count=24\n"
	"7000 - - - complete id=4 sums=[77]\n"
	"7100 - - - complete id=5 sums=[b0,b1,b2]\n"
	"8000 - 0x5 0x7 entry pread64 pid=5 tid=5 fd=3 len=8192 offset=0\n"
	"9000 - 0x5 0x7 exit pread64 pid=5 tid=5 ret=8192 sums=[b0,b1]\n"
	"10000 - - - block W id=6 sector=400 count=8 sums=[99]\n";

static const char blind_trace[] = "1000 - - - block R id=1 sector=0 count=16\n"
				  "2000 - - - block W id=2 sector=0 count=9\n"
				  "3000 - - - block R id=1 sector=0 count=4294967295\n";

static char *write_trace(const char *text)
{
	static char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/sky-classify-%d.events", getpid());
	file = fopen(path, "w");
	cr_assert(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static json_t *classify(const char *path, const char *output)
{
	struct classify_options options;
	json_t *result;

	classify_defaults(&options);
	options.output = output;
	result = classify_trace(path, &options);
	cr_assert(result);
	return result;
}

static long long count_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	cr_assert(json_is_integer(value), "%s is no count", key);
	return json_integer_value(value);
}

static double percent_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	cr_assert(json_is_number(value), "%s is no number", key);
	return json_number_value(value);
}

static bool is_null(const json_t *object, const char *key)
{
	return json_is_null(json_object_get(object, key));
}

Test(classify, judges_every_chunk_against_its_truth)
{
	char *path = write_trace(judged_trace);
	json_t *result = classify(path, NULL);

	cr_expect_eq(count_of(result, "write_chunks_judged"), 3);
	cr_expect_eq(count_of(result, "write_errors"), 2);
	cr_expect_float_eq(percent_of(result, "write_error_percent"), 200.0 / 3, 1e-9);
	cr_expect_eq(count_of(result, "write_chunks_without_truth"), 1);
	cr_expect_eq(count_of(result, "read_chunks_judged"), 4);
	cr_expect_eq(count_of(result, "read_errors"), 0);
	cr_expect_eq(count_of(result, "unconsumed_chunks"), 1);
	cr_expect_float_eq(percent_of(result, "unconsumed_percent"), 25, 1e-9);
	cr_expect_eq(json_array_size(json_object_get(result, "error_examples")), 2);
	cr_expect_eq(count_of(result, "write_wrong_inodes"), 0);
	json_decref(result);
	unlink(path);
}

Test(classify, says_null_where_nothing_is_known)
{
	char *path = write_trace(blind_trace);
	json_t *result = classify(path, NULL);

	cr_expect(is_null(result, "write_error_percent"));
	cr_expect(is_null(result, "read_error_percent"));
	cr_expect(is_null(result, "unconsumed_percent"));
	cr_expect(is_null(result, "truth_by_class"));
	cr_expect(is_null(result, "cross_checks"));
	cr_expect(is_null(json_object_get(result, "paper"), "error_percent"));
	cr_expect(json_is_false(json_object_get(result, "evidence")));
	cr_expect_eq(count_of(json_object_get(result, "chunks"), "write"), 2);
	cr_expect_eq(count_of(json_object_get(result, "chunks"), "read"), 2 + 536870912);
	json_decref(result);
	unlink(path);
}

static size_t count_hints(const char *path)
{
	struct event *events = calloc(BATCH_EVENTS, sizeof(*events));
	struct source *source = trace_open(path, KINDS_ALL);
	uint64_t last_seq = 0;
	size_t hints = 0;
	ssize_t count;

	cr_assert(source);
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		for (ssize_t i = 0; i < count; i++) {
			hints += events[i].kind == EVENT_HINT;
			cr_expect(events[i].kind != EVENT_HINT || events[i].seq == last_seq,
				  "a hint does not follow the event that made it known");
			last_seq = events[i].seq;
		}
	}
	cr_expect_eq(count, 0);
	source_close(source);
	free(events);
	return hints;
}

static void expect_same(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"chunks",	     "confusion",      "by_class",
					   "truth_by_class", "known_after_ns", "over_time",
					   "pipeline"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		cr_expect(json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])),
			  "%s differ", keys[i]);
}

Test(classify, copies_a_trace_with_its_hints)
{
	char *path = write_trace(judged_trace), first[64], second[64];
	json_t *a, *b, *c;

	snprintf(first, sizeof(first), "/tmp/sky-classify-%d-a.h5", getpid());
	snprintf(second, sizeof(second), "/tmp/sky-classify-%d-b.h5", getpid());
	a = classify(path, first);
	cr_expect_eq(count_hints(path), 0, "the input was changed");
	cr_expect_eq(count_hints(first), 8);
	b = classify(first, second);
	cr_expect_eq(count_hints(second), 8, "hints of the input were not replaced");
	c = classify(second, NULL);
	expect_same(a, b);
	expect_same(a, c);
	json_decref(a);
	json_decref(b);
	json_decref(c);
	unlink(path);
	unlink(first);
	unlink(second);
}
