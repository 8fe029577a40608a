/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a result does not cover: every hole is counted, and each has its sentence.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "sim/classify.h"
#include "sim/not_covered.h"

/*
 * Five events and three calls were left out; the kernel polls for one process's
 * requests; a completion has no request, a return no call; a descriptor is unknown.
 */
static const char trace[] =
	"1000 - - - attribute name=\"calls_not_covered\" value=\"3\"\n"
	"1000 - - - attribute name=\"chunks_skipped\" value=\"all of them\"\n"
	"1000 - 0x5 0x7 process pid=5 tid=5\n"
	"1500 - - - loss count=5 where=\"calls\"\n"
	"2000 - 0x5 0x7 entry io_uring_setup pid=5 tid=5 records=[0,0,0,0,0,0,2,0,0]\n"
	"2100 - 0x5 0x7 exit io_uring_setup pid=5 tid=5 ret=4\n"
	"2200 - 0x5 0x7 insight io_uring_enter pid=5 tid=5 offset=77 ret=4096\n"
	"2300 - 0x5 0x7 exit pread64 pid=5 tid=5 ret=4096\n"
	"3000 - 0x5 0x7 entry pwrite64 pid=5 tid=5 fd=3 len=4096 offset=0 sums=[a0]\n"
	"3100 - 0x5 0x7 exit pwrite64 pid=5 tid=5 ret=4096\n"
	"4000 - - - block W id=1 sector=8000 count=8 sums=[a0]\n";

static json_t *classify(void)
{
	struct classify_options options;
	char path[64];
	json_t *result;
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/sky-not-covered-%d.events", getpid());
	file = fopen(path, "w");
	cr_assert(file);
	fputs(trace, file);
	fclose(file);
	classify_defaults(&options);
	result = classify_trace(path, &options);
	unlink(path);
	cr_assert(result);
	return result;
}

static long long count(const json_t *result, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(result, "not_covered"), name));
}

Test(not_covered, counts_every_hole_and_says_why)
{
	json_t *result = classify();
	const json_t *why = json_object_get(result, "not_covered_why");

	cr_expect(count(result, "events_lost") == 5);
	cr_expect(count(result, "calls_not_covered") == 3);
	cr_expect(count(result, "chunks_skipped") == 0, "what is no number was counted");
	cr_expect(count(result, "processes_with_sqpoll") == 1);
	cr_expect(count(result, "completions_unknown") == 1);
	cr_expect(count(result, "unmatched_exits") == 1);
	cr_expect(count(result, "unknown_descriptors") == 1);
	cr_expect(json_object_size(why) == 6, "%zu sentences", json_object_size(why));
	cr_expect(json_object_get(why, "processes_with_sqpoll"));
	json_decref(result);
}

Test(not_covered, has_a_sentence_on_each_hole)
{
	json_t *result = classify(), *value;
	const char *name;

	json_object_foreach (json_object_get(result, "not_covered"), name, value)
		cr_expect(not_covered_why(name), "nothing on %s", name);
	json_decref(result);
}
