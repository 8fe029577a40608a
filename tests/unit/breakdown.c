/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results by true class, by file size and by disk. Traces are written in the text form.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/breakdown.h"
#include "sim/cache_sim.h"

static const char *trace_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/sky-breakdown-%d.events", getpid());
	return path;
}

static void forget_trace(void)
{
	unlink(trace_path());
}

TestSuite(breakdown, .fini = forget_trace);

static json_t *run(const char *text, struct cache_sim_options options)
{
	static const char *const lru = "lru", *const ten = "10", *const none = HINTS_NONE;
	FILE *f = fopen(trace_path(), "w");
	json_t *json;

	cr_assert_not_null(f);
	cr_assert(fputs(text, f) >= 0);
	fclose(f);
	options.caches = options.caches ? options.caches : &lru;
	options.cache_count = 1;
	options.sizes = options.sizes ? options.sizes : &ten;
	options.size_count = 1;
	options.hints = options.hints ? options.hints : &none;
	options.hint_count = 1;
	json = cache_simulate(trace_path(), &options);
	cr_assert_not_null(json);
	return json;
}

static json_t *result(json_t *json)
{
	return json_array_get(json_object_get(json, "results"), 0);
}

static json_int_t number(const json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	cr_assert(json_is_integer(value), "%s", name);
	return json_integer_value(value);
}

/* The sum of a member over all parts of a list. */
static json_int_t sum(json_t *json, const char *list, const char *name)
{
	json_t *part;
	json_int_t total = 0;
	size_t i;

	json_array_foreach (json_object_get(result(json), list), i, part)
		total += number(part, name);
	return total;
}

/* "class:references/hits ..." of the parts of a list, named by a member. */
static const char *parts(json_t *json, const char *list, const char *name)
{
	static char text[256];
	json_t *part;
	size_t i, used = 0;

	text[0] = '\0';
	json_array_foreach (json_object_get(result(json), list), i, part)
		used += snprintf(
			text + used, sizeof(text) - used, "%s%lld:%lld/%lld", i ? " " : "",
			json_is_null(json_object_get(part, name)) ? -1
								  : (long long)number(part, name),
			(long long)number(part, "references"), (long long)number(part, "hits"));
	return text;
}

/* Metadata, 4 KiB of a file of 3 MiB, a file of 8 KiB, and something that nobody knows. */
static const char files[] =
	"900 - - - truth W sector=0 count=8 what=metadata source=block-device\n"
	"901 - - - truth W sector=8 count=8 what=data source=file dev=8:1 inode=7\n"
	"902 - - - truth W sector=16 count=16 what=data source=file dev=8:1 inode=8\n"
	"1000 - - - block W id=1 sector=0 count=40\n"
	"2000 - - - truth R sector=0 count=8 what=metadata source=block-device\n"
	"2001 - - - truth R sector=16 count=8 what=data source=file dev=8:1 inode=8\n"
	"2002 - - - block R id=2 sector=0 count=8\n"
	"2003 - - - block R id=3 sector=16 count=8\n"
	"2004 - - - block R id=4 sector=32 count=8\n"
	"3000 - - - truth R sector=24 count=8 what=data source=file dev=8:1 inode=7 index=767\n";

Test(breakdown, a_group_of_files_has_one_class)
{
	const struct chunk_truth data = {.what = CHUNK_DATA}, metadata = {.what = CHUNK_METADATA},
				 nothing = {0};
	struct pipeline_options options;
	struct file_groups groups;

	pipeline_defaults(&options);
	file_groups_init(&groups, &options);
	for (unsigned int i = 0; i < FILE_GROUPS; i++) {
		uint64_t least = i ? groups.most_bytes[i - 1] + 1 : 1;
		uint64_t most = groups.most_bytes[i];

		cr_expect(least <= most);
		cr_expect_eq(size_class(&options, least), size_class(&options, most));
		cr_expect_eq(group_of_chunk(&groups, &data, least), GROUP_FILES + i);
		cr_expect_eq(group_of_chunk(&groups, &data, most), GROUP_FILES + i);
	}
	cr_expect_eq(group_of_chunk(&groups, &metadata, 0), GROUP_METADATA);
	cr_expect_eq(group_of_chunk(&groups, &nothing, 0), GROUP_UNKNOWN);
}

Test(breakdown, the_true_class_shows_whatever_the_hints_say)
{
	static const char *const modes[] = {HINTS_NONE, "truth", "sequential"};

	for (size_t i = 0; i < 3; i++) {
		json_t *json = run(files, (struct cache_sim_options){
						  .hints = &modes[i],
						  .by = BY_TRUE_CLASS | BY_FILE_SIZE,
					  });

		cr_expect_str_eq(parts(json, "by_true_class", "io_class"),
				 "5:2/1 4:3/1 3:1/0 -1:2/1", "%s", modes[i]);
		cr_expect_str_eq(parts(json, "by_file_size", "least_bytes"),
				 "4097:3/1 2097152:1/0");
		cr_expect_eq(sum(json, "by_true_class", "hits"), number(result(json), "hits"));
		cr_expect_eq(sum(json, "by_true_class", "bytes"), number(result(json), "bytes"));
		cr_expect_null(json_object_get(result(json), "by_disk"));
		json_decref(json);
	}
}

Test(breakdown, nothing_else_depends_on_it)
{
	json_t *plain = run(files, (struct cache_sim_options){0});
	json_t *apart = run(files, (struct cache_sim_options){.by = BY_TRUTH | BY_DISK});
	json_t *one = result(apart);

	json_object_del(one, "by_true_class");
	json_object_del(one, "by_file_size");
	json_object_del(one, "by_disk");
	cr_expect(json_equal(result(plain), one));
	json_decref(plain);
	json_decref(apart);
}

Test(breakdown, requests_of_the_warm_up_are_not_counted)
{
	json_t *json = run(files, (struct cache_sim_options){
					  .by = BY_TRUTH | BY_DISK,
					  .rules.warm_up_requests = 1,
				  });

	cr_expect_str_eq(parts(json, "by_true_class", "io_class"), "5:1/1 4:1/1 -1:1/1");
	cr_expect_str_eq(parts(json, "by_disk", "disk"), "0:3/3");
	json_decref(json);
}

Test(breakdown, a_device_is_busy_for_all_parts_together)
{
	static const char *const modes[] = {HINTS_NONE, "truth"};

	for (size_t i = 0; i < 2; i++) {
		json_t *json = run(files, (struct cache_sim_options){
						  .hints = &modes[i],
						  .by = BY_TRUTH | BY_DISK,
						  .device = "hdd",
					  });
		json_t *device = json_object_get(result(json), "device");

		cr_expect_eq(sum(json, "by_true_class", "device_ns"), number(device, "device_ns"));
		cr_expect_eq(sum(json, "by_disk", "device_ns_saved"),
			     number(device, "device_ns_saved"));
		cr_expect_gt(number(device, "device_ns_saved"), 0);
		json_decref(json);
	}
}

Test(breakdown, without_truth_nothing_is_known_of_it)
{
	json_t *json = run("1000 - - - block R id=1 sector=0 count=8\n",
			   (struct cache_sim_options){.by = BY_TRUTH | BY_DISK});

	cr_expect(json_is_null(json_object_get(result(json), "by_true_class")));
	cr_expect(json_is_null(json_object_get(result(json), "by_file_size")));
	cr_expect_str_eq(parts(json, "by_disk", "disk"), "0:1/0");
	json_decref(json);
}

Test(breakdown, start_keys_have_the_class_of_the_first_chunk)
{
	json_t *json = run(files, (struct cache_sim_options){
					  .by = BY_TRUE_CLASS | BY_DISK,
					  .granularity = GRANULARITY_START,
				  });

	cr_expect_str_eq(parts(json, "by_true_class", "io_class"), "5:2/1 4:1/0 -1:1/0");
	cr_expect_str_eq(parts(json, "by_disk", "disk"), "0:4/1");
	json_decref(json);
}

/* Disk 3 asks for the same four blocks again and again, disk 70 scans. */
static void write_disks(char *text, size_t room)
{
	size_t used = 0;

	for (unsigned int i = 0; i < 400; i++)
		used += snprintf(text + used, room - used,
				 "%u - - - block R disk=%u id=%u sector=%u count=8\n", 1000 + i,
				 i % 8 ? 70 : 3, i, i % 8 ? i * 8 : i / 8 % 4 * 8);
	cr_assert_lt(used, room);
}

Test(breakdown, fair_shares_show_by_disk)
{
	static const char *const policies[] = {"lru", "disks:base=lru"};
	static const char *const expected[] = {"3:50/0 70:350/0", "3:50/46 70:350/0"};
	static char text[32768];

	write_disks(text, sizeof(text));
	for (size_t i = 0; i < 2; i++) {
		json_t *json = run(text, (struct cache_sim_options){
						 .caches = &policies[i],
						 .by = BY_DISK,
					 });

		cr_expect_str_eq(parts(json, "by_disk", "disk"), expected[i], "%s", policies[i]);
		json_decref(json);
	}
}
