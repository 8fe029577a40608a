/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pipeline knows of names and content, where a scenario would be too long
 * to read: bounds, lists, paths.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "capture/calls.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"

#define CHUNKS 1000u

static struct text text_of(const char *text)
{
	return (struct text){text, strlen(text)};
}

static struct pipeline *pipeline_with(const char *only)
{
	struct pipeline_options options;

	pipeline_defaults(&options);
	options.only = only;
	return pipeline_new(&options, NULL, NULL);
}

static void feed(struct pipeline *p, const struct event *event)
{
	cr_assert(!pipeline_feed(p, event, 1));
}

static struct event call_event(enum event_kind kind, enum call call)
{
	struct event event;

	event_init(&event, kind);
	event.pid = event.tid = 5;
	if (kind == EVENT_ENTRY)
		event.entry.number = call_number(ABI_LINUX64, call);
	else
		event.exit.number = call_number(ABI_LINUX64, call);
	return event;
}

static void begin_process(struct pipeline *p, const char *folder, const char *executable)
{
	struct event event;

	event_init(&event, EVENT_PROCESS);
	event.pid = event.tid = 5;
	event.process.cwd = text_of(folder);
	event.process.executable = text_of(executable);
	feed(p, &event);
}

static void read_chunks(struct pipeline *p, uint64_t first_sum)
{
	struct event entry = call_event(EVENT_ENTRY, CALL_read);
	struct event exit = call_event(EVENT_EXIT, CALL_read);
	uint64_t sums[CHUNKS];

	for (unsigned i = 0; i < CHUNKS; i++)
		sums[i] = first_sum + i;
	entry.entry.argument[0] = 3;
	entry.entry.argument[2] = CHUNKS * CHUNK_BYTES;
	exit.exit.result = CHUNKS * CHUNK_BYTES;
	exit.exit.sums = (struct words){sums, CHUNKS};
	feed(p, &entry);
	feed(p, &exit);
}

Test(content, what_a_copier_read_is_bounded_and_says_so)
{
	struct pipeline *p = pipeline_with(NULL);
	uint64_t sum = 1;

	begin_process(p, "/", "/usr/bin/cp");
	for (; sum <= COPY_SUMS_MAX; sum += CHUNKS)
		read_chunks(p, sum);
	cr_assert_eq(pipeline_counter(p, "copy_sums"), COPY_SUMS_MAX);
	cr_assert_eq(pipeline_counter(p, "copy_sums_forgotten"), sum - 1 - COPY_SUMS_MAX);
	read_chunks(p, sum - CHUNKS);
	cr_assert_eq(pipeline_counter(p, "copy_sums_forgotten"), sum - 1 - COPY_SUMS_MAX,
		     "read again, nothing is new");
	pipeline_free(p);
}

Test(content, what_others_read_is_not_kept)
{
	struct pipeline *p = pipeline_with(NULL);

	begin_process(p, "/", "/usr/bin/ed");
	read_chunks(p, 1);
	cr_assert_eq(pipeline_counter(p, "copy_sums"), 0);
	pipeline_free(p);
}

Test(content, what_was_read_long_ago_is_no_source)
{
	struct pipeline *p = pipeline_with(NULL);
	struct event mark;

	begin_process(p, "/", "/usr/bin/cp");
	read_chunks(p, 1);
	event_init(&mark, EVENT_MARK);
	mark.time_ns = p->options.write_age_ns;
	feed(p, &mark);
	cr_assert_eq(pipeline_counter(p, "copy_sums"), 0);
	cr_assert_eq(pipeline_counter(p, "copy_sums_forgotten"), 0);
	pipeline_free(p);
}

Test(content, extensions_are_those_of_the_list)
{
	static const struct {
		const char *path;
		bool encrypted;
	} cases[] = {
		{"a.gpg", true}, {"/x.d/a.tar.gpg", true}, {"a.gp", false}, {"a.gpgx", false},
		{"gpg", false},	 {"x.gpg/a", false},	   {"a.", false},   {"", false},
		{".gpg", true},	 {"/x.gpg/b.c/a", false},
	};
	struct pipeline *p = pipeline_with(NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct text path = text_of(cases[i].path);

		cr_assert_eq(is_encrypted_name(p, &path), cases[i].encrypted, "%s", cases[i].path);
	}
	pipeline_free(p);
}

static void open_path(struct pipeline *p, const char *path)
{
	struct event entry = call_event(EVENT_ENTRY, CALL_open);
	struct event exit = call_event(EVENT_EXIT, CALL_open);

	entry.entry.path = text_of(path);
	exit.exit.result = 3;
	feed(p, &entry);
	feed(p, &exit);
}

static bool opens_selected(const char *only, const char *folder, const char *path)
{
	struct pipeline *p = pipeline_with(only);
	struct event process;
	bool selected;

	begin_process(p, folder, "/bin/app");
	open_path(p, path);
	event_init(&process, EVENT_PROCESS);
	process.pid = 5;
	selected = is_selected(
		p, OPEN_FILE_AT(p, descriptor_find(p, process_of(p, &process), 3))->file);
	pipeline_free(p);
	return selected;
}

Test(content, prefixes_end_where_parts_of_paths_do)
{
	cr_assert(opens_selected("/", "/", "/a"));
	cr_assert(opens_selected("/a", "/", "a"));
	cr_assert(opens_selected("/a/", "/a", "b/c"));
	cr_assert(opens_selected("//a/./b/..", "/a", "b"));
	cr_assert(opens_selected("b", "/a", "/a/b/c"));
	cr_assert(opens_selected("../c", "/a", "../../../c"));
	cr_assert(!opens_selected("/a", "/", "ab"));
	cr_assert(!opens_selected("/a", "/a", "../b"));
	cr_assert(!opens_selected("/a/b", "/", "a"));
	cr_assert(!opens_selected("/a", "", "a"), "nobody knows where it is");
}

Test(content, paths_too_long_are_unknown)
{
	struct pipeline *p = pipeline_with("/a");
	char path[300];

	begin_process(p, "/a", "/bin/app");
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (int i = 0; i < 40; i++) {
		struct event entry = call_event(EVENT_ENTRY, CALL_chdir);
		struct event exit = call_event(EVENT_EXIT, CALL_chdir);

		entry.entry.path = text_of(path);
		feed(p, &entry);
		feed(p, &exit);
	}
	cr_assert_leq(pipeline_counter(p, "names"), 2);
	pipeline_free(p);
}

Test(content, no_path_is_kept_when_its_process_and_files_are_gone)
{
	struct pipeline *p = pipeline_with("/a");
	struct event gone;

	begin_process(p, "/b", "/bin/app");
	open_path(p, "c");
	cr_assert_eq(pipeline_counter(p, "names"), 3);
	event_init(&gone, EVENT_GONE);
	gone.pid = gone.tid = 5;
	gone.gone.last_thread = 1;
	feed(p, &gone);
	cr_assert_eq(pipeline_counter(p, "names"), 1, "the prefix stays");
	pipeline_free(p);
}
