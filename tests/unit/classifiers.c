/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The baselines: what each says of which request, and how `sky classify` judges them.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/classifier.h"
#include "sim/classify.h"

#define HINTS_KEPT 8192

struct heard {
	struct event hint[HINTS_KEPT];
	size_t count;
};

static void hear(void *context, const struct event *hints, size_t count)
{
	struct heard *heard = context;

	cr_assert(heard->count + count <= HINTS_KEPT);
	memcpy(heard->hint + heard->count, hints, count * sizeof(*hints));
	heard->count += count;
}

static struct heard heard;

static struct classifier open_classifier(const char *spec)
{
	struct classifier_setup setup = {.sink = hear, .context = &heard};
	struct classifier c;

	heard.count = 0;
	pipeline_defaults(&setup.pipeline);
	cr_assert_eq(classifier_open(&c, spec, &setup), 0);
	return c;
}

static struct event block(uint64_t id, uint64_t sector, uint32_t chunks, uint64_t time_ns)
{
	struct event e;

	event_init(&e, EVENT_BLOCK);
	e.seq = id;
	e.time_ns = time_ns;
	e.block.op = BLOCK_WRITE;
	e.block.id = id;
	e.block.sector = sector;
	e.block.sectors = chunks * SECTORS_PER_CHUNK;
	return e;
}

/* What a classifier says of the last chunk of a request. */
static const struct hint_event *say(const struct classifier *c, const struct event *e)
{
	size_t before = heard.count;

	cr_assert_eq(c->ops->feed(c->state, e, 1), 0);
	return heard.count > before ? &heard.hint[heard.count - 1].hint : NULL;
}

static const struct hint_event *say_block(const struct classifier *c, uint64_t id, uint64_t sector,
					  uint32_t chunks, uint64_t time_ns)
{
	struct event e = block(id, sector, chunks, time_ns);

	return say(c, &e);
}

Test(classifiers, sequential_takes_small_and_random_for_metadata)
{
	struct classifier c = open_classifier("sequential");

	cr_expect_eq(say_block(&c, 1, 80000, 1, 1000)->what, CHUNK_METADATA);
	cr_expect_eq(say_block(&c, 2, 160000, 2, 2000)->what, CHUNK_DATA);
	cr_expect_eq(heard.hint[heard.count - 1].hint.io_class, 4, "a small file's");
	classifier_close(&c);
}

Test(classifiers, sequential_takes_a_run_of_4_mib_for_a_large_file)
{
	struct classifier c = open_classifier("sequential");
	const struct hint_event *hint = NULL;

	for (uint32_t i = 0; i < 8; i++) {
		hint = say_block(&c, i + 1, 1024 * i, 128, 1000 * i);
		cr_expect_eq(hint->io_class, i < 3 ? 4 : i < 7 ? 3 : 0, "request %u", i);
	}
	cr_expect_eq(hint->reason, REASON_RULE);
	cr_expect_eq(say_block(&c, 9, 8 * 1024, 1, 9000)->io_class, 0, "small, but going on");
	classifier_close(&c);
}

Test(classifiers, sequential_forgets_a_run_after_5_s)
{
	struct classifier c = open_classifier("sequential:cutoff=1M");

	say_block(&c, 1, 0, 256, 0);
	cr_expect_eq(say_block(&c, 2, 2048, 1, 4999999999)->io_class, 0);
	cr_expect_eq(say_block(&c, 3, 2056, 1, 9999999999)->what, CHUNK_METADATA);
	classifier_close(&c);
}

Test(classifiers, flags_go_by_meta_and_prio_of_requests)
{
	struct classifier c = open_classifier("flags");
	struct event e = block(1, 0, 1, 1000);

	cr_expect_null(say(&c, &e), "no flags were seen: the recorder may not have them");
	e.block.flags = BLOCK_FLAG_META | BLOCK_FLAG_SYNC;
	cr_expect_eq(say(&c, &e)->what, CHUNK_METADATA);
	e.block.flags = BLOCK_FLAG_PRIO;
	cr_expect_eq(say(&c, &e)->what, CHUNK_METADATA);
	e.block.flags = BLOCK_FLAG_SYNC;
	cr_expect_eq(say(&c, &e)->what, CHUNK_DATA);
	cr_expect(c.ops->has_evidence(c.state));
	classifier_close(&c);
}

Test(classifiers, flags_of_bios_stand_for_those_that_the_disk_cannot_see)
{
	struct classifier c = open_classifier("flags");
	struct event e;

	event_init(&e, EVENT_TRUTH);
	e.truth.op = BLOCK_WRITE;
	e.truth.sector = 8;
	e.truth.sectors = 8;
	e.truth.flags = BLOCK_FLAG_META;
	say(&c, &e);
	say_block(&c, 1, 0, 3, 1000);
	cr_assert_eq(heard.count, 3);
	cr_expect_eq(heard.hint[0].hint.what, CHUNK_DATA);
	cr_expect_eq(heard.hint[1].hint.what, CHUNK_METADATA);
	cr_expect_eq(heard.hint[2].hint.what, CHUNK_DATA);
	classifier_close(&c);
}

static void tell_layout(const struct classifier *c, const char *name, const char *places)
{
	struct event e;

	event_init(&e, EVENT_ATTRIBUTE);
	e.attribute.name = (struct text){name, strlen(name)};
	e.attribute.value = (struct text){places, strlen(places)};
	say(c, &e);
}

Test(classifiers, layout_knows_fixed_places_only)
{
	struct classifier c = open_classifier("layout");

	cr_expect_null(say_block(&c, 1, 0, 1, 1000), "nothing is known yet");
	tell_layout(&c, "layout.0", "0+8 1024+16 1032+4");
	tell_layout(&c, "layout.1", "800+1");
	cr_expect_eq(say_block(&c, 2, 0, 1, 1000)->what, CHUNK_METADATA);
	cr_expect_eq(say_block(&c, 3, 8, 1, 1000)->what, CHUNK_DATA);
	cr_expect_eq(say_block(&c, 4, 1032, 1, 1000)->what, CHUNK_METADATA);
	cr_expect_eq(say_block(&c, 5, 1040, 1, 1000)->what, CHUNK_DATA);
	cr_expect_eq(say_block(&c, 6, 800, 1, 1000)->what, CHUNK_DATA, "that is disk 1's");
	classifier_close(&c);
}

Test(classifiers, layout_stands_damaged_lists)
{
	static const char *const lists[] = {"",	     "x",   "+",   "1",	   "1+",
					    "1+x",   "8+0", "1 2", "-1+8", "18446744073709551615+8",
					    "16+8 q"};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct classifier c = open_classifier("layout");

		tell_layout(&c, "layout.0", lists[i]);
		tell_layout(&c, "layout.", "0+8");
		tell_layout(&c, "layout", "0+8");
		if (c.ops->has_evidence(c.state))
			cr_expect_eq(say_block(&c, 1, 0, 1, 1000)->what, CHUNK_DATA, "%s",
				     lists[i]);
		classifier_close(&c);
	}
}

Test(classifiers, say_which_there_are)
{
	cr_expect_str_eq(classifier_names(), "flags, layout, sequential, sky or truth");
	cr_expect_null(classifier_find("guess"));
}

static const char judged[] =
	"1000 - - - attribute name=\"layout.0\" value=\"320+8\"\n"
	"3000 - - - truth W sector=8000 count=16 what=data source=file dev=7:0 inode=11 index=0\n"
	"3000 - - - truth W sector=320 count=8 flags=META what=metadata source=block-device\n"
	"3000 - - - truth W sector=640 count=8 flags=META what=metadata source=block-device\n"
	"4000 - - - block W id=1 sector=8000 count=16\n"
	"4200 - - - block W id=2 sector=320 count=8\n"
	"4300 - - - block W id=3 sector=640 count=8\n";

/* Errors of a classifier over the trace above, or -1 where it can say nothing. */
static long long errors_of(const char *hints)
{
	struct classify_options options;
	char path[64];
	FILE *file;
	json_t *result, *percent;
	long long errors;

	snprintf(path, sizeof(path), "/tmp/sky-classifiers-%d.events", getpid());
	file = fopen(path, "w");
	cr_assert(file);
	fputs(judged, file);
	fclose(file);
	classify_defaults(&options);
	options.hints = hints;
	result = classify_trace(path, &options);
	unlink(path);
	cr_assert(result);
	cr_expect_str_eq(json_string_value(json_object_get(result, "hints")), hints);
	percent = json_object_get(result, "write_error_percent");
	errors = json_integer_value(json_object_get(result, "write_errors"));
	errors = json_is_number(percent) ? errors : -1;
	json_decref(result);
	return errors;
}

Test(classifiers, are_judged_against_the_truth)
{
	cr_expect_eq(errors_of("truth"), 0);
	cr_expect_eq(errors_of("flags"), 0);
	cr_expect_eq(errors_of("layout"), 1, "metadata outside the fixed places");
	cr_expect_eq(errors_of("sequential"), 0);
	cr_expect_eq(errors_of("sequential:small=0"), 2);
	cr_expect_eq(errors_of("sky"), -1, "neither calls nor checksums");
}
