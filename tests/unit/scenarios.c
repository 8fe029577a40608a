/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios: events in their text form, and below a line "expect" the hints
 * that must come of them and the counters that must be left.
 *
 *   id=1 chunk=0-3 data class=4 inode=12 reason=write-checksum known_ns=5000
 *   id=2 chunk=0   metadata class=5 dedup=unique reason=exclusion
 *   outstanding=0 table_entries=0
 *   blocks_born=3 blocks_cut=1 blocks_lived_ns=5000	(sim/block_lives.h; all lifetimes added up)
 *
 * A first line "#! only=PREFIX" selects files.
 *
 * Every hint must be expected, and every expectation met; of a hint, what the
 * line names is compared. The same must come of the events when they are anonymized. A new scenario is a new file in tests/data/scenarios.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/source.h"
#include "common/fnv1a.h"
#include "sim/anonymize/anonymize.h"
#include "sim/block_lives.h"
#include "sim/pipeline/pipeline.h"

#define SCENARIOS "tests/data/scenarios/*.events"
#define HINTS_MAX 4096

struct scenario {
	const char *path;
	FILE *file;
	int line;
	struct anonymizer *anonymizer; /* NULL: the events as they are */
	struct pipeline *pipeline;
	struct block_lives *lives;
	uint64_t lived_ns;
	struct event hints[HINTS_MAX];
	bool expected[HINTS_MAX];
	size_t count;
};

static void take_hints(void *context, const struct event *hints, size_t count)
{
	struct scenario *s = context;

	cr_assert(s->count + count <= HINTS_MAX, "%s: too many hints", s->path);
	memcpy(s->hints + s->count, hints, count * sizeof(*hints));
	s->count += count;
}

static void take_life(void *context, const struct life *life)
{
	struct scenario *s = context;

	s->lived_ns += life->chunks * life->lifetime_ns;
}

static bool next_line(struct scenario *s, char **line, size_t *room)
{
	char *comment;

	if (getline(line, room, s->file) < 0)
		return false;
	s->line++;
	comment = strchr(*line, '#');
	if (comment)
		*comment = '\0';
	return true;
}

/* The part above "expect", line numbers kept, as a file of its own. */
static int events_of(struct scenario *s)
{
	int fd = memfd_create("events", 0);
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	cr_assert(fd >= 0);
	while (!found && getline(&line, &room, s->file) > 0) {
		s->line++;
		found = !strncmp(line, "expect", 6);
		if (!found)
			cr_assert(write(fd, line, strlen(line)) == (ssize_t)strlen(line));
	}
	cr_assert(found, "%s: no line \"expect\"", s->path);
	lseek(fd, 0, SEEK_SET);
	free(line);
	return fd;
}

static void run(struct scenario *s)
{
	struct source *source = text_open(events_of(s), s->path);
	struct event events[BATCH_EVENTS];
	ssize_t count;

	cr_assert(source != NULL);
	while ((count = source_read(source, events, BATCH_EVENTS)) > 0) {
		if (s->anonymizer)
			cr_assert(!anonymizer_change(s->anonymizer, events, count));
		cr_assert(!pipeline_feed(s->pipeline, events, count));
	}
	cr_assert(count == 0, "%s: can't be read", s->path);
	cr_assert(!pipeline_finish(s->pipeline));
	source_close(source);
}

struct member {
	const char *name;
	const char *const *values; /* NULL: numbers */
	size_t offset, bytes;
};

#define MEMBER(title, field, names)                                                             \
	{                                                                                       \
		title, names, offsetof(struct event, field), sizeof(((struct event *)0)->field) \
	}

static const struct member members[] = {
	MEMBER("disk", hint.disk, NULL),
	MEMBER("id", hint.request, NULL),
	MEMBER("class", hint.io_class, NULL),
	MEMBER("dedup", hint.dedup, dedup_hint_names),
	MEMBER("reason", hint.reason, hint_reason_names),
	MEMBER("inode", hint.inode, NULL),
	MEMBER("index", hint.index, NULL),
	MEMBER("known_ns", time_ns, NULL),
	MEMBER("known_seq", seq, NULL),
	MEMBER("what", hint.what, chunk_class_names),
};

static const struct member *find_member(const char *name)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (!strcmp(members[i].name, name))
			return &members[i];
	return NULL;
}

static uint64_t get(const struct event *hint, const struct member *member)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)hint + member->offset, member->bytes);
	return value;
}

static uint64_t number_of(const struct scenario *s, const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	cr_assert(end != text && !*end, "%s:%d: not a number: %s", s->path, s->line, text);
	return value;
}

static bool agrees(const struct scenario *s, const struct event *hint, const struct member *member,
		   const char *value)
{
	uint64_t got = get(hint, member);
	const char *name;

	if (!member->values)
		return got == number_of(s, value);
	name = name_of(member->values, got);
	return name && !strcmp(name, value);
}

static struct event *find_hint(struct scenario *s, uint64_t disk, uint64_t id, uint64_t chunk)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct hint_event *h = &s->hints[i].hint;

		if (h->disk == disk && h->request == id && h->chunk == chunk && !s->expected[i]) {
			s->expected[i] = true;
			return &s->hints[i];
		}
	}
	return NULL;
}

#define WORDS_MAX 16

struct word {
	const char *name, *value;
};

static size_t split(char *line, struct word *words)
{
	size_t count = 0;

	for (char *at = strtok(line, " \t\n"); at; at = strtok(NULL, " \t\n")) {
		char *equals = strchr(at, '=');

		cr_assert(count < WORDS_MAX);
		if (equals)
			*equals = '\0';
		words[count++] = (struct word){equals ? at : "what", equals ? equals + 1 : at};
	}
	return count;
}

static const char *value_of(const struct word *words, size_t count, const char *name,
			    const char *otherwise)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(words[i].name, name))
			return words[i].value;
	return otherwise;
}

static void expect_hint(struct scenario *s, const struct word *words, size_t count, uint64_t chunk)
{
	uint64_t disk = number_of(s, value_of(words, count, "disk", "0"));
	uint64_t id = number_of(s, value_of(words, count, "id", ""));
	const struct event *hint = find_hint(s, disk, id, chunk);

	cr_assert(hint, "%s:%d: no hint for id=%lu chunk=%lu", s->path, s->line, id, chunk);
	for (size_t i = 0; i < count; i++) {
		const struct member *member = find_member(words[i].name);

		if (!strcmp(words[i].name, "chunk"))
			continue;
		cr_assert(member, "%s:%d: a hint has no %s", s->path, s->line, words[i].name);
		cr_expect(agrees(s, hint, member, words[i].value),
			  "%s:%d: chunk %lu: %s should be %s, but is %lu", s->path, s->line, chunk,
			  words[i].name, words[i].value, get(hint, member));
	}
}

static void expect_hints(struct scenario *s, const struct word *words, size_t count)
{
	char *end;
	uint64_t first = strtoull(value_of(words, count, "chunk", "0"), &end, 10);
	uint64_t last = *end == '-' ? number_of(s, end + 1) : first;

	for (uint64_t chunk = first; chunk <= last; chunk++)
		expect_hint(s, words, count, chunk);
}

static uint64_t counter_of(const struct scenario *s, const char *name)
{
	const struct life_counts *lives = block_lives_counts(s->lives, 0);
	const struct {
		const char *name;
		uint64_t value;
	} blocks[] = {
		{"blocks_born", lives->born},
		{"blocks_overwritten", lives->ended[LIFE_OVERWRITTEN]},
		{"blocks_cut", lives->ended[LIFE_CUT]},
		{"blocks_deleted", lives->ended[LIFE_DELETED]},
		{"blocks_ended_found", lives->ended_found},
		{"blocks_unplaced_bytes", block_lives_unplaced(s->lives)},
		{"blocks_lived_ns", s->lived_ns},
	};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
		if (!strcmp(blocks[i].name, name))
			return blocks[i].value;
	return pipeline_counter(s->pipeline, name);
}

static void expect_counters(struct scenario *s, const struct word *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t got = counter_of(s, words[i].name);

		cr_expect(got == number_of(s, words[i].value), "%s:%d: %s should be %s, but is %lu",
			  s->path, s->line, words[i].name, words[i].value, got);
	}
}

static void check(struct scenario *s)
{
	struct word words[WORDS_MAX];
	char *line = NULL;
	size_t room = 0, count;

	while (next_line(s, &line, &room)) {
		count = split(line, words);
		if (count && value_of(words, count, "id", NULL))
			expect_hints(s, words, count);
		else
			expect_counters(s, words, count);
	}
	free(line);
	for (size_t i = 0; i < s->count; i++)
		cr_expect(s->expected[i],
			  "%s: unexpected: id=%lu chunk=%u %s reason=%s known_ns=%lu", s->path,
			  s->hints[i].hint.request, s->hints[i].hint.chunk,
			  name_of(chunk_class_names, s->hints[i].hint.what),
			  name_of(hint_reason_names, s->hints[i].hint.reason), s->hints[i].time_ns);
}

struct path {
	char text[256];
};

static struct criterion_test_params all_scenarios(void)
{
	struct path *paths;
	size_t count;
	glob_t found;

	if (glob(SCENARIOS, 0, NULL, &found))
		return cr_make_param_array(struct path, NULL, 0);
	paths = cr_calloc(found.gl_pathc, sizeof(*paths));
	for (size_t i = 0; i < found.gl_pathc; i++)
		snprintf(paths[i].text, sizeof(paths[i].text), "%s", found.gl_pathv[i]);
	count = found.gl_pathc;
	globfree(&found);
	return cr_make_param_array(struct path, paths, count);
}

static void come_out(struct scenario *s, const char *only)
{
	struct pipeline_options options;

	pipeline_defaults(&options);
	options.only = only;
	s->pipeline = pipeline_new(&options, take_hints, s);
	s->lives = block_lives_new(take_life, s);
	cr_assert(s->pipeline && s->lives);
	pipeline_observe(s->pipeline, &block_lives_observer, s->lives);
	run(s);
	check(s);
	pipeline_free(s->pipeline);
	block_lives_free(s->lives);
	fclose(s->file);
}

/* Opens the scenario; what is selected in it, or NULL. */
static const char *begin(struct scenario *s, const char *path)
{
	static char only[256];
	bool selects;

	*s = (struct scenario){.path = path, .file = fopen(path, "r")};
	cr_assert(s->file, "%s: can't be opened", path);
	selects = fscanf(s->file, "#! only=%255s", only) == 1;
	rewind(s->file);
	return selects ? only : NULL;
}

ParameterizedTestParameters(scenarios, come_out_as_expected)
{
	return all_scenarios();
}

ParameterizedTest(struct path *path, scenarios, come_out_as_expected)
{
	static struct scenario s;
	const char *only = begin(&s, path->text);

	come_out(&s, only);
}

ParameterizedTestParameters(scenarios, come_out_the_same_when_anonymized)
{
	return all_scenarios();
}

ParameterizedTest(struct path *path, scenarios, come_out_the_same_when_anonymized)
{
	const struct anonymize_key key = {.of = {{1}, {2}, {3}},
					  .zeros = fnv1a_zeros(FNV1A_BASIS, CHUNK_BYTES)};
	const struct names names = {&key, NULL};
	static struct scenario s;
	static char keyed[4096];
	const char *only = begin(&s, path->text);
	struct text prefix = {only, only ? strlen(only) : 0};

	s.anonymizer = anonymizer_new(&key, NULL);
	cr_assert(s.anonymizer);
	keyed[names_key_path(&names, &prefix, keyed)] = '\0';
	come_out(&s, only ? keyed : NULL);
	anonymizer_free(s.anonymizer);
}
