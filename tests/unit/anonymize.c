/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing of a trace is published that nobody decided about, and what is keyed keeps what
 * the pipeline lives on: equality, and what is below what.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/archive.h"
#include "common/fnv1a.h"
#include "sim/anonymize/anonymize.h"
#include "sim/anonymize/rules.h"
#include "tests/random_event.h"

#define EVENTS 4000

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

static struct anonymize_key key_of(const char *text)
{
	struct anonymize_key key;

	cr_assert_eq(key_make(&key, text, strlen(text)), 0);
	return key;
}

static struct anonymizer *anonymizer_of(const struct anonymize_key *key)
{
	struct anonymizer *a = anonymizer_new(key, NULL);

	cr_assert_not_null(a);
	return a;
}

static struct text text_of(const char *text)
{
	return (struct text){text, strlen(text)};
}

/* In one of a few buffers, so that several can be compared. */
static const char *path_as(const struct anonymize_key *key, const char *kept, const char *path)
{
	static char buffers[8][8192];
	static unsigned next;
	const struct names names = {key, kept};
	const struct text text = text_of(path);
	char *at = buffers[next++ % 8];

	cr_assert_lt(names_room(text.count), sizeof(buffers[0]));
	at[names_key_path(&names, &text, at)] = '\0';
	return at;
}

/* A field that was added to the event model: add it to sim/anonymize/rules.c and docs/anonymize.md. */
Test(anonymize, every_column_of_the_archive_has_one_rule)
{
	for (unsigned kind = 0; kind < EVENT_KINDS; kind++) {
		struct column columns[ARCHIVE_COLUMNS_MAX];
		size_t count = archive_columns(kind, columns);

		for (size_t i = 0; i < count; i++) {
			const char *name = columns[i].field->name;
			bool shared = false;

			for (const struct field *f = event_header; f->name; f++)
				shared |= f == columns[i].field;
			cr_expect_neq(field_treatment(shared ? EVENT_KINDS : kind, name),
				      TREATMENT_NONE, "%s of %s has no rule, or two", name,
				      event_kinds[kind].name);
		}
	}
	cr_expect_eq(field_treatment(EVENT_BLOCK, "sum"), TREATMENT_NONE);
	cr_expect_eq(field_treatment(EVENT_SWITCH, "new"), TREATMENT_NONE);
}

static void expect_fitting(const struct field *f, enum treatment treatment, const char *kind)
{
	bool sums = !strncmp(f->name, "sum", 3) || !strcmp(f->name, "written");

	if (f->type == FIELD_TEXT)
		cr_expect(treatment != TREATMENT_KEPT && treatment != TREATMENT_SUMS,
			  "the text %s of %s stays as it is", f->name, kind);
	else
		cr_expect(treatment == TREATMENT_KEPT || treatment == TREATMENT_SUMS,
			  "%s of %s is no text", f->name, kind);
	cr_expect_eq(sums, treatment == TREATMENT_SUMS, "%s of %s", f->name, kind);
}

Test(anonymize, every_text_and_every_checksum_is_keyed)
{
	for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
		for (const struct field *f = event_kinds[kind].fields; f->name; f++)
			expect_fitting(f, field_treatment(kind, f->name), event_kinds[kind].name);
}

Test(anonymize, checksums_are_equal_where_they_were)
{
	const struct anonymize_key key = key_of("a"), same = key_of("a"), other = key_of("b");
	struct random_events *r = random_events_new(7);

	for (int i = 0; i < EVENTS; i++) {
		uint64_t sum = random_next(r);

		cr_assert_eq(key_sum(&key, sum), key_sum(&same, sum));
		cr_assert_neq(key_sum(&key, sum), key_sum(&other, sum));
		cr_assert_neq(key_sum(&key, sum), sum);
		cr_assert_neq(key_sum(&key, sum), key_sum(&key, sum + 1));
	}
	free(r);
}

Test(anonymize, checksums_that_mean_something_stay)
{
	const struct anonymize_key key = key_of("a");
	static const char zeros[CHUNK_BYTES];
	uint64_t sum = fnv1a_update(FNV1A_BASIS, zeros, sizeof(zeros));

	cr_expect_eq(key_sum(&key, SUM_UNKNOWN), SUM_UNKNOWN);
	cr_expect_eq(key_sum(&key, sum), sum);
}

/* So that a change of what the same key gives, which would part traces from each other, is seen. */
Test(anonymize, a_key_gives_the_same_for_ever)
{
	const struct anonymize_key key = key_of("correct horse battery staple");

	cr_expect_eq(key_sum(&key, 0x123456789abcdef), 0x6b3c864ff05cd887);
	cr_expect_str_eq(path_as(&key, NULL, "/etc"), "/ba8b8752da1600db");
}

Test(anonymize, paths_keep_their_shape)
{
	const struct anonymize_key key = key_of("a");
	const char *file = path_as(&key, NULL, "/data/db/table");
	const char *folder = path_as(&key, NULL, "/data/db");
	const char *name = path_as(&key, NULL, "table");

	cr_expect_eq(strlen(file), 3 * (1 + KEYED_CHARACTERS));
	cr_expect_eq(strncmp(file, folder, strlen(folder)), 0);
	cr_expect_str_eq(file + strlen(folder) + 1, name);
	cr_expect_str_eq(path_as(&key, NULL, "/"), "/");
	cr_expect_str_eq(path_as(&key, NULL, ""), "");
	cr_expect_str_eq(path_as(&key, NULL, "//.././.."), "//.././..");
	cr_expect_str_neq(path_as(&key, NULL, "..."), "...");
	cr_expect_str_eq(strrchr(path_as(&key, NULL, "x/db/"), '/'), "/");
	cr_expect_str_neq(path_as(&key, NULL, "Table"), name);
}

Test(anonymize, names_that_a_classification_needs_stay)
{
	const struct anonymize_key key = key_of("a");

	cr_expect_str_eq(strrchr(path_as(&key, NULL, "/usr/bin/rsync"), '/'), "/rsync");
	cr_expect_str_eq(strchr(path_as(&key, NULL, "secret.tar.gpg"), '.'), ".gpg");
	cr_expect_null(strchr(path_as(&key, NULL, "secret.tar"), '.'));
	cr_expect_null(strchr(path_as(&key, NULL, "secret.gpg.tar"), '.'));
	cr_expect_str_eq(path_as(&key, "vault,tar", "vault"), "vault");
	cr_expect_str_eq(strchr(path_as(&key, "vault,tar", "secret.tar"), '.'), ".tar");
	cr_expect_str_neq(path_as(&key, "vault,tar", "vaul"), "vaul");
}

Test(anonymize, a_name_is_the_same_with_its_extension_or_not_only_if_it_was)
{
	const struct anonymize_key key = key_of("a");
	const char *encrypted = path_as(&key, NULL, "letter.gpg");
	const char *plain = path_as(&key, NULL, "letter");

	cr_expect_neq(strncmp(encrypted, plain, KEYED_CHARACTERS), 0);
}

Test(anonymize, a_path_that_is_too_long_grows_no_further)
{
	const struct anonymize_key key = key_of("a");
	const struct names names = {&key, NULL};
	static char path[100000], keyed[200000];
	struct text text = {path, sizeof(path)};

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? 'x' : '/';
	cr_assert_leq(names_room(text.count), sizeof(keyed));
	cr_expect_eq(names_key_path(&names, &text, keyed), 1 + KEYED_CHARACTERS);
	cr_expect_eq(*keyed, '/');
	memcpy(path + sizeof(path) - 5, "y.gpg", 5);
	cr_expect_eq(names_key_path(&names, &text, keyed), 1 + KEYED_CHARACTERS + 4);
	text.count = 4096;
	cr_expect_eq(names_key_path(&names, &text, keyed), 2048 * (1 + KEYED_CHARACTERS));
}

/* One word stays, what could be a command line never. */
Test(anonymize, of_marks_only_sky_s_own_stay)
{
	cr_expect(is_own_word(&(struct text){"command", 7}));
	cr_expect(is_own_word(&(struct text){"end", 3}));
	cr_expect(!is_own_word(&(struct text){"command line", 12}));
	cr_expect(!is_own_word(&(struct text){"", 0}));
}

static struct event change_attribute(struct anonymizer *a, const char *name, const char *value)
{
	struct event e;

	event_init(&e, EVENT_ATTRIBUTE);
	e.attribute = (struct attribute_event){text_of(name), text_of(value)};
	cr_assert_eq(anonymizer_change(a, &e, 1), 0);
	return e;
}

static void expect_value(struct anonymizer *a, const char *name, const char *value,
			 const char *expected)
{
	struct event e = change_attribute(a, name, value);

	cr_expect(text_is(&e.attribute.name, name), "%s", name);
	cr_expect(text_is(&e.attribute.value, expected), "%s=%.*s", name,
		  (int)e.attribute.value.count, e.attribute.value.at);
}

Test(anonymize, attributes_are_kept_by_name_and_only_those)
{
	const struct anonymize_key key = key_of("a");
	struct anonymizer *a = anonymizer_of(&key);
	struct event e;

	expect_value(a, "calls", "none", "none");
	expect_value(a, "layout.12", "8+16 1024+8", "8+16 1024+8");
	expect_value(a, "kernel", "6.1.0-acme", "6.1.0");
	expect_value(a, "checksum", "fnv1a64", "keyed fnv1a64");
	expect_value(a, "mount_point", "/srv/x", path_as(&key, NULL, "/srv/x"));
	expect_value(a, "disk.0.name", "vda", path_as(&key, NULL, "vda"));
	expect_value(a, "host", "", "");
	e = change_attribute(a, "layout.0", "8+16 john");
	cr_expect_eq(e.attribute.value.count, KEYED_CHARACTERS);
	e = change_attribute(a, "command", "mysqldump --password=x");
	cr_expect(text_is(&e.attribute.name, "command"));
	cr_expect_eq(e.attribute.value.count, KEYED_CHARACTERS);
	for (const char *const *name =
		     (const char *const[]){"patient", "layout.", "layout.x", "layout.12345678901",
					   "vm.names", "disk.0.names", NULL};
	     *name; name++) {
		e = change_attribute(a, *name, "12");
		cr_expect_eq(e.attribute.name.count, KEYED_CHARACTERS, "%s", *name);
		cr_expect_eq(e.attribute.value.count, KEYED_CHARACTERS, "%s", *name);
	}
	anonymizer_free(a);
}

/* The mark of a command that `sky record --then` ran says no more than its attribute, and the same. */
Test(anonymize, texts_are_equal_wherever_they_stand)
{
	const struct anonymize_key key = key_of("a");
	struct anonymizer *a = anonymizer_of(&key);
	struct event events[2];

	event_init(&events[0], EVENT_ATTRIBUTE);
	events[0].attribute = (struct attribute_event){text_of("then.0"), text_of("find .")};
	event_init(&events[1], EVENT_MARK);
	events[1].mark.name = text_of("find .");
	cr_assert_eq(anonymizer_change(a, events, 2), 0);
	cr_expect_eq(events[0].attribute.value.count, KEYED_CHARACTERS);
	cr_expect_eq(memcmp(events[0].attribute.value.at, events[1].mark.name.at, KEYED_CHARACTERS),
		     0);
	anonymizer_free(a);
}

static void expect_keyed_sums(const struct anonymize_key *key, const struct words *before,
			      const struct words *after)
{
	cr_assert_eq(before->count, after->count);
	for (uint32_t i = 0; i < before->count; i++)
		cr_assert_eq(after->at[i], key_sum(key, before->at[i]));
}

/* Whatever a foreign trace holds: what is kept is kept, the rest is keyed, and the event is valid. */
Test(anonymize, random_events_stay_valid)
{
	const struct anonymize_key key = key_of("a");
	struct anonymizer *a = anonymizer_of(&key);
	struct random_events *r = random_events_new(3);
	struct event before, after;

	for (int i = 0; i < EVENTS; i++) {
		random_event(r, &before);
		after = before;
		cr_assert_eq(anonymizer_change(a, &after, 1), 0);
		cr_assert_eq(event_check(&after) == NULL, event_check(&before) == NULL);
		for (const struct field *f = event_header; f->name; f++)
			cr_assert(same_field(&before, &after, f));
		for (const struct field *f = event_kinds[before.kind].fields; f->name; f++) {
			enum treatment treatment = field_treatment(before.kind, f->name);

			if (treatment == TREATMENT_KEPT)
				cr_assert(same_field(&before, &after, f), "%s", f->name);
			else if (treatment == TREATMENT_SUMS && f->type == FIELD_WORDS)
				expect_keyed_sums(&key, field_words(&before, f),
						  field_words(&after, f));
			else if (treatment == TREATMENT_SUMS)
				cr_assert_eq(field_get(&after, f),
					     key_sum(&key, field_get(&before, f)));
			else if (field_text(&before, f)->count > 8)
				cr_assert(!same_field(&before, &after, f), "%s", f->name);
		}
	}
	free(r);
	anonymizer_free(a);
}

static const char *file_of(const char *content, size_t bytes)
{
	static char path[] = "/tmp/sky-key-XXXXXX";
	int fd;

	strcpy(path, "/tmp/sky-key-XXXXXX");
	fd = mkstemp(path);
	cr_assert_eq(write(fd, content, bytes), (ssize_t)bytes);
	close(fd);
	return path;
}

Test(anonymize, a_key_file_is_its_content, .init = quiet)
{
	const struct anonymize_key text = key_of("0123456789abcdef");
	const char *path = file_of("0123456789abcdef\n", 17);
	struct anonymize_key key;

	cr_expect_eq(key_read(&key, path), 0);
	unlink(path);
	cr_expect_eq(memcmp(&key, &text, sizeof(key)), 0);
	cr_expect_eq(key_read(&key, "0123456789abcdef"), 0);
	cr_expect_eq(memcmp(&key, &text, sizeof(key)), 0);
	key_forget(&key);
	cr_expect_neq(memcmp(&key, &text, sizeof(key)), 0);
}

Test(anonymize, what_is_no_key_is_refused, .init = quiet)
{
	static char large[KEY_FILE_BYTES_MAX + 1];
	struct anonymize_key key;
	const char *path;

	cr_expect_eq(key_read(&key, ""), -1);
	cr_expect_eq(key_read(&key, "/tmp"), -1);
	for (size_t bytes = 0; bytes < 2; bytes++) {
		path = file_of("\n", bytes);
		cr_expect_eq(key_read(&key, path), -1);
		unlink(path);
	}
	path = file_of(large, sizeof(large));
	cr_expect_eq(key_read(&key, path), -1);
	unlink(path);
	path = file_of(large, sizeof(large) - 1);
	cr_expect_eq(key_read(&key, path), 0);
	unlink(path);
}
