/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The archive gives back what was put in, is a plain HDF5 file to others, and
 * refuses every file that it didn't write with one sentence.
 */
#include <criterion/criterion.h>
#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/archive.h"
#include "capture/frame.h"
#include "capture/source.h"
#include "tests/random_event.h"

#define EVENTS 3000

static char folder[] = "/tmp/sky-archive-XXXXXX";
static char path[64], other[64];

static void make_folder(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.h5", folder);
	snprintf(other, sizeof(other), "%s/b.h5", folder);
	archive_enter_hdf5();
}

static void remove_folder(void)
{
	unlink(path);
	unlink(other);
	cr_expect_eq(rmdir(folder), 0, "something is left in %s", folder);
}

TestSuite(archive, .init = make_folder, .fini = remove_folder);

/* What is said on stderr goes to a memory file; returns it. */
static int capture_stderr(void)
{
	int fd = memfd_create("stderr", 0);

	dup2(fd, STDERR_FILENO);
	return fd;
}

static const char *captured(int fd)
{
	static char text[4096];
	ssize_t bytes = pread(fd, text, sizeof(text) - 1, 0);

	text[bytes < 0 ? 0 : bytes] = '\0';
	return text;
}

static void write_random(const char *to, uint64_t seed, int events)
{
	struct random_events *r = random_events_new(seed);
	struct sink *sink = archive_create(to);
	struct event e;

	cr_assert_not_null(sink);
	for (int i = 0; i < events; i++) {
		random_event(r, &e);
		cr_assert_eq(sink_write(sink, &e, 1), 0);
	}
	cr_assert_eq(sink_commit(sink), 0);
	free(r);
}

/* The next random event of a wanted kind; false after `events` of all kinds. */
static bool next_wanted(struct random_events *r, struct event *e, uint32_t kinds, int *done,
			int events)
{
	while (*done < events) {
		(*done)++;
		random_event(r, e);
		if (kinds & KIND_BIT(e->kind))
			return true;
	}
	return false;
}

static void read_random(const char *from, uint64_t seed, int events, uint32_t kinds)
{
	struct random_events *r = random_events_new(seed);
	struct source *source = archive_open(from, kinds);
	static struct event got[BATCH_EVENTS];
	struct event expected;
	int done = 0;
	ssize_t n;

	cr_assert_not_null(source);
	while ((n = source_read(source, got, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			const char *field;

			cr_assert(next_wanted(r, &expected, kinds, &done, events));
			field = event_difference(&expected, &got[i]);
			cr_assert_null(field, "event %d (%s) differs in %s", done,
				       event_kinds[expected.kind].name, field);
		}
	cr_expect_eq(n, 0);
	cr_expect_not(next_wanted(r, &expected, kinds, &done, events));
	cr_expect_eq(source->read_bytes, source->total_bytes);
	source_close(source);
	free(r);
}

Test(archive, gives_back_every_event_of_every_kind)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		write_random(path, seed, EVENTS);
		read_random(path, seed, EVENTS, KINDS_ALL);
	}
}

Test(archive, gives_back_only_the_wanted_kinds_in_their_order)
{
	write_random(path, 4, EVENTS);
	for (int k = 0; k < EVENT_KINDS; k++)
		read_random(path, 4, EVENTS, KIND_BIT(k));
	read_random(path, 4, EVENTS, KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_COMPLETE));
	read_random(path, 4, EVENTS, KIND_BIT(EVENT_BLOCK) | KIND_BIT(EVENT_HINT));
	read_random(path, 4, EVENTS, 0);
}

Test(archive, without_events_is_an_archive)
{
	write_random(path, 1, 0);
	read_random(path, 1, 0, KINDS_ALL);
}

Test(archive, of_equal_events_has_equal_bytes)
{
	size_t bytes[2];
	char *at[2];

	write_random(path, 5, EVENTS);
	write_random(other, 5, EVENTS);
	for (int i = 0; i < 2; i++) {
		int fd = open(i ? other : path, O_RDONLY);

		bytes[i] = lseek(fd, 0, SEEK_END);
		at[i] = mmap(NULL, bytes[i], PROT_READ, MAP_PRIVATE, fd, 0);
		close(fd);
	}
	cr_assert_eq(bytes[0], bytes[1]);
	cr_assert_arr_eq(at[0], at[1], bytes[0]);
}

/* Rows over several chunks, three kinds in turn; their values follow from seq. */
static void turn_event(struct event *e, uint64_t seq, uint64_t *sums)
{
	static const enum event_kind kinds[] = {EVENT_BLOCK, EVENT_GONE, EVENT_MARK};

	event_init(e, kinds[seq % 7 % 3]);
	e->seq = seq;
	e->time_ns = seq * 1000;
	for (int i = 0; i < 3; i++)
		sums[i] = seq * 3 + i;
	if (e->kind == EVENT_BLOCK) {
		e->block.sectors = SECTORS_PER_CHUNK * (1 + seq % 3);
		e->block.sums = (struct words){sums, 1 + seq % 3};
	}
	if (e->kind == EVENT_MARK)
		e->mark.name = (struct text){"abcdefghijklmnop" + seq % 16, 16 - seq % 16};
}

static void write_turns(const char *to, uint64_t events)
{
	struct sink *sink = archive_create(to);
	static uint64_t sums[BATCH_EVENTS][3];
	static struct event e[BATCH_EVENTS];

	cr_assert_not_null(sink);
	for (uint64_t seq = 1; seq <= events;) {
		size_t n = 0;

		for (; n < BATCH_EVENTS && seq <= events; n++, seq++)
			turn_event(&e[n], seq, sums[n]);
		cr_assert_eq(sink_write(sink, e, n), 0);
	}
	cr_assert_eq(sink_commit(sink), 0);
}

static void read_turns(const char *from, uint64_t events)
{
	struct source *source = archive_open(from, KINDS_ALL);
	static struct event got[BATCH_EVENTS];
	struct event expected;
	uint64_t sums[3], seq = 0;
	ssize_t n;

	cr_assert_not_null(source);
	while ((n = source_read(source, got, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			turn_event(&expected, ++seq, sums);
			cr_assert_null(event_difference(&expected, &got[i]), "event %lu", seq);
		}
	cr_expect_eq(n, 0);
	cr_expect_eq(seq, events);
	source_close(source);
}

Test(archive, keeps_the_order_over_many_chunks)
{
	write_turns(path, 700001);
	read_turns(path, 700001);
	/* datasets that end exactly with a chunk, or just don't */
	for (uint64_t rows = 2 * ARCHIVE_CHUNK - 1; rows <= 2 * ARCHIVE_CHUNK + 1; rows++) {
		struct sink *sink = archive_create(path);
		struct source *source;
		struct event e;
		uint64_t seq = 0;

		for (uint64_t i = 1; i <= rows; i++) {
			event_init(&e, EVENT_SWITCH);
			e.seq = i;
			cr_assert_eq(sink_write(sink, &e, 1), 0);
		}
		cr_assert_eq(sink_commit(sink), 0);
		source = archive_open(path, KINDS_ALL);
		while (source_read(source, &e, 1) == 1)
			cr_assert_eq(e.seq, ++seq);
		cr_expect_eq(seq, rows);
		source_close(source);
	}
}

Test(archive, holds_arrays_and_texts_longer_than_a_chunk)
{
	static const uint32_t counts[] = {200000, 0, 1, 65536, 65537, 500000, 7};
	uint64_t *words = malloc(500000 * sizeof(*words));
	struct sink *sink = archive_create(path);
	struct source *source;
	char *text = malloc(500000);
	struct event e;

	for (int i = 0; i < 500000; i++) {
		words[i] = i * 0x9e3779b97f4a7c15u;
		text[i] = 'a' + i % 26;
	}
	for (int i = 0; i < 7; i++) {
		event_init(&e, EVENT_ENTRY);
		e.seq = i + 1;
		e.entry.sums = (struct words){words + i, counts[i] - (i == 5 ? i : 0)};
		e.entry.path = (struct text){text + i, counts[6 - i] - (i == 1 ? i : 0)};
		cr_assert_eq(sink_write(sink, &e, 1), 0);
	}
	cr_assert_eq(sink_commit(sink), 0);
	source = archive_open(path, KINDS_ALL);
	for (int i = 0; i < 7; i++) {
		cr_assert_eq(source_read(source, &e, 1), 1);
		cr_assert_eq(e.entry.sums.count, counts[i] - (i == 5 ? i : 0));
		cr_assert_eq(e.entry.path.count, counts[6 - i] - (i == 1 ? i : 0));
		cr_assert(!memcmp(e.entry.sums.at, words + i, 8 * e.entry.sums.count));
		cr_assert(!memcmp(e.entry.path.at, text + i, e.entry.path.count));
	}
	cr_expect_eq(source_read(source, &e, 1), 0);
	source_close(source);
	free(words);
	free(text);
}

#ifndef __SANITIZE_ADDRESS__ /* which keeps freed memory for a while */
static long peak_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

Test(archive, takes_memory_that_does_not_grow_with_the_trace)
{
	long before;

	for (int round = 0; round < 2; round++) { /* the second finds the heap of the first */
		write_turns(path, 600000);
		read_turns(path, 600000);
	}
	before = peak_kib();
	write_turns(path, 2400000);
	read_turns(path, 2400000);
	cr_expect(peak_kib() < before + before / 10, "%ld KiB, then %ld KiB", before, peak_kib());
}
#endif

Test(archive, refuses_events_out_of_order_and_leaves_no_file)
{
	struct sink *sink = archive_create(path);
	int said = capture_stderr();
	struct event e;

	event_init(&e, EVENT_SWITCH);
	e.seq = 2;
	cr_assert_eq(sink_write(sink, &e, 1), 0);
	cr_assert_eq(sink_write(sink, &e, 1), -1);
	cr_expect_not_null(strstr(captured(said), "event 2 comes after event 2"));
	sink_abandon(sink);
	cr_expect_neq(access(path, F_OK), 0);
}

Test(archive, holds_the_longest_event_and_refuses_a_longer_one)
{
	uint32_t longest = FRAME_BYTES_MAX / sizeof(uint64_t);
	uint64_t *words = calloc(longest + 1, sizeof(*words));
	struct sink *sink = archive_create(path);
	struct source *source;
	struct event e;
	int said;

	event_init(&e, EVENT_ENTRY);
	e.seq = 1;
	words[longest - 1] = 7;
	e.entry.lengths = (struct words){words, longest};
	cr_assert_eq(sink_write(sink, &e, 1), 0);
	cr_assert_eq(sink_commit(sink), 0);
	source = archive_open(path, KINDS_ALL);
	cr_assert_eq(source_read(source, &e, 1), 1);
	cr_expect_eq(e.entry.lengths.count, longest);
	cr_expect_eq(e.entry.lengths.at[longest - 1], 7);
	source_close(source);

	said = capture_stderr();
	sink = archive_create(path);
	e.entry.lengths = (struct words){words, longest + 1};
	cr_expect_eq(sink_write(sink, &e, 1), -1);
	cr_expect_not_null(strstr(captured(said), "event 1 has more than 64 MiB"));
	sink_abandon(sink);
	free(words);
}

Test(archive, on_a_full_disk_says_so_once_and_leaves_no_file)
{
	/* a limit of the file's size is to HDF5 what a full disk is */
	const struct rlimit limit = {300000, 300000};
	struct random_events *r = random_events_new(6);
	struct sink *sink = archive_create(path);
	int said = capture_stderr(), written = 0;
	const char *sentence, *rest;
	struct event e;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	while (written < 100000) {
		random_event(r, &e);
		if (sink_write(sink, &e, 1))
			break;
		written++;
	}
	if (written < 100000)
		sink_abandon(sink);
	else
		cr_expect_eq(sink_commit(sink), -1);
	sentence = captured(said);
	rest = strchr(sentence, '\n');
	cr_expect_not_null(strstr(sentence, "File too large; free some space"), "%s", sentence);
	cr_expect(rest && !rest[1], "%s", sentence);
	free(r);
}

/* The descriptor through which HDF5 writes our .part file. */
static int part_descriptor(void)
{
	char link[64], target[256];

	for (int fd = 3; fd < 1024; fd++) {
		ssize_t bytes;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		bytes = readlink(link, target, sizeof(target) - 1);
		target[bytes < 0 ? 0 : bytes] = '\0';
		if (strstr(target, "/a.h5.part"))
			return fd;
	}
	return -1;
}

Test(archive, that_cannot_be_closed_is_given_up_with_one_sentence)
{
	struct sink *sink = archive_create(path);
	int part = part_descriptor(), full = open("/dev/full", O_WRONLY);
	int said = capture_stderr();
	const char *sentence, *rest;

	/* nothing but metadata is left to be written, and the disk stays full */
	cr_assert_geq(part, 0);
	cr_assert_eq(dup2(full, part), part);
	cr_expect_eq(sink_commit(sink), -1);
	sentence = captured(said);
	rest = strchr(sentence, '\n');
	cr_expect_not_null(strstr(sentence, "cannot write"), "%s", sentence);
	cr_expect(rest && !rest[1], "%s", sentence);
	cr_expect_neq(access(path, F_OK), 0);
}

Test(archive, columns_of_a_kind_have_different_names)
{
	struct column columns[ARCHIVE_COLUMNS_MAX];

	for (int k = 0; k < EVENT_KINDS; k++) {
		size_t count = archive_columns(k, columns);

		cr_expect_str_eq(columns[0].name, "seq");
		for (size_t i = 0; i < count; i++)
			for (size_t j = 0; j < i; j++)
				cr_expect_str_neq(columns[i].name, columns[j].name, "%s",
						  event_kinds[k].name);
	}
}

/* The line of a kind in the documentation's table. */
static bool find_line(FILE *file, const char *kind, char *line, size_t bytes)
{
	char start[64];

	snprintf(start, sizeof(start), "| `%s` |", kind);
	rewind(file);
	while (fgets(line, bytes, file))
		if (!strncmp(line, start, strlen(start)))
			return true;
	return false;
}

Test(archive, columns_are_all_in_the_documentation)
{
	FILE *file = fopen("docs/trace-format.md", "r");
	char line[2048], quoted[64];

	if (!file)
		cr_skip_test("docs/trace-format.md is not there: run in the source folder");
	for (int k = 0; k < EVENT_KINDS; k++) {
		cr_assert(find_line(file, event_kinds[k].name, line, sizeof(line)), "%s",
			  event_kinds[k].name);
		for (const struct field *f = event_kinds[k].fields; f->name; f++) {
			snprintf(quoted, sizeof(quoted), "`%s`", f->name);
			cr_expect_not_null(strstr(line, quoted), "%s of %s", f->name,
					   event_kinds[k].name);
		}
	}
	fclose(file);
}

static int count_in_output(const char *command, const char *word)
{
	FILE *pipe = popen(command, "r");
	char line[4096];
	int count = 0;

	cr_assert_not_null(pipe);
	while (fgets(line, sizeof(line), pipe))
		if (strstr(line, word))
			count++;
	cr_assert_eq(pclose(pipe), 0, "%s", command);
	return count;
}

Test(archive, has_checksums_everywhere_and_no_variable_length)
{
	char command[128];
	int datasets;

	write_random(path, 8, EVENTS);
	snprintf(command, sizeof(command), "h5dump -p -H %s", path);
	datasets = count_in_output(command, "DATASET \"");
	cr_expect_gt(datasets, 300);
	cr_expect_eq(count_in_output(command, "CHECKSUM FLETCHER32"), datasets);
	cr_expect_eq(count_in_output(command, "FILTER_ID 32001"), datasets);
	cr_expect_eq(count_in_output(command, "H5T_VARIABLE"), 0);
	snprintf(command, sizeof(command), "h5dump -B -H %s", path);
	cr_expect_eq(count_in_output(command, "SUPERBLOCK_VERSION 3"), 1);
	snprintf(command, sizeof(command), "grep -ac GCOL %s || true", path);
	cr_expect_eq(count_in_output(command, "0"), 1);
}

Test(archive, is_read_by_hdf5_with_its_own_filters)
{
	uint64_t *seq = malloc(700000 * sizeof(*seq));
	hid_t file, dataset, space;
	hssize_t rows;

	write_turns(path, 700000);
	file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
	dataset = H5Dopen2(file, "block/sums", H5P_DEFAULT);
	space = H5Dget_space(dataset);
	rows = H5Sget_simple_extent_npoints(space);
	cr_assert_gt(rows, 3 * ARCHIVE_CHUNK);
	cr_assert_geq(H5Dread(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, seq), 0,
		      "%s", archive_reason());
	cr_expect_eq(seq[0], 9); /* of event 3, the first request */
	H5Sclose(space);
	H5Dclose(dataset);
	H5Fclose(file);
	free(seq);
}

Test(archive, checksum_is_the_one_of_hdf5_for_every_length)
{
	/* straight from the definition: two sums over 16-bit words, carries folded back */
	uint8_t data[200];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 37 + (i > 100 ? 0xff : 0);
	for (size_t bytes = 0; bytes <= sizeof(data); bytes++) {
		uint32_t low = 0, high = 0;

		for (size_t i = 0; i < bytes; i += 2) {
			low += data[i] << 8 | (i + 1 < bytes ? data[i + 1] : 0);
			low = (low & 0xffff) + (low >> 16);
			high += low;
			high = (high & 0xffff) + (high >> 16);
		}
		cr_assert_eq(archive_fletcher32(data, bytes), high << 16 | low, "%zu", bytes);
	}
}

Test(archive, checksums_notice_zeros_in_place_of_ones)
{
	char stored[64 + ARCHIVE_CHECKSUM_BYTES];
	size_t bytes;
	uint32_t before;

	memset(stored, 'x', 64);
	memset(stored + 20, 0xff, 8);
	bytes = archive_seal(stored, 64);
	cr_expect_eq(bytes, sizeof(stored));
	cr_expect_eq(archive_sealed_bytes(stored, bytes), 64);
	before = archive_fletcher32(stored, 64);
	memset(stored + 20, 0, 8);
	cr_expect_eq(archive_fletcher32(stored, 64), before, "fletcher32 alone is enough");
	cr_expect_eq(archive_sealed_bytes(stored, bytes), 0);
	for (size_t i = 0; i <= ARCHIVE_CHECKSUM_BYTES; i++)
		cr_expect_eq(archive_sealed_bytes(stored, i), 0);
}

Test(archive, tells_what_its_kinds_take)
{
	json_t *storage, *groups, *group;
	struct stat st;
	const char *name;
	json_int_t bytes = 0, rows = 0;

	write_random(path, 10, EVENTS);
	storage = archive_storage(path);
	cr_assert_not_null(storage);
	stat(path, &st);
	cr_expect_eq(json_integer_value(json_object_get(storage, "file_bytes")), st.st_size);
	groups = json_object_get(storage, "groups");
	cr_expect_eq(json_object_size(groups), EVENT_KINDS);
	json_object_foreach (groups, name, group) {
		bytes += json_integer_value(json_object_get(group, "stored_bytes"));
		rows += json_integer_value(json_object_get(group, "rows"));
	}
	cr_expect_eq(rows, EVENTS);
	cr_expect(bytes > 0 && bytes < st.st_size);
	json_decref(storage);
}

/* Attributes show up as HDF5 attributes of the root, the last value of a name. */
Test(archive, shows_its_attributes_to_other_programs)
{
	static const char *const pairs[][2] = {
		{"command", "first"}, {"format", "not this"},  {"", "nameless"},
		{"empty", ""},	      {"command", "make -j2"},
	};
	struct sink *sink = archive_create(path);
	char command[128];
	struct event e;

	for (int i = 0; i < 5; i++) {
		event_init(&e, EVENT_ATTRIBUTE);
		e.seq = i + 1;
		e.attribute.name = (struct text){pairs[i][0], strlen(pairs[i][0])};
		if (*pairs[i][1])
			e.attribute.value = (struct text){pairs[i][1], strlen(pairs[i][1])};
		cr_assert_eq(sink_write(sink, &e, 1), 0);
	}
	cr_assert_eq(sink_commit(sink), 0);
	snprintf(command, sizeof(command), "h5dump -a /command %s", path);
	cr_expect_eq(count_in_output(command, "make -j2"), 1);
	snprintf(command, sizeof(command), "h5dump -a /format %s", path);
	cr_expect_eq(count_in_output(command, "sky archive"), 1);
	snprintf(command, sizeof(command), "h5dump -a /empty %s", path);
	cr_expect_eq(count_in_output(command, "STRSIZE 1"), 1);
}

/*
 * Hostile files: a good archive with one thing changed by HDF5 itself, so that
 * all checksums are right.
 */

/* What the good archive has: marks "a" and requests of one sum, in turn. */
#define HOSTILE_ROWS 10

static void write_good(void)
{
	struct sink *sink = archive_create(path);
	uint64_t sum = 0xc0ffee;
	struct event e;

	for (int i = 0; i < 2 * HOSTILE_ROWS; i++) {
		event_init(&e, i % 2 ? EVENT_BLOCK : EVENT_MARK);
		e.seq = i + 1;
		if (e.kind == EVENT_MARK) {
			e.mark.name = (struct text){"a", 1};
		} else {
			e.block.sectors = SECTORS_PER_CHUNK;
			e.block.sums = (struct words){&sum, 1};
		}
		cr_assert_eq(sink_write(sink, &e, 1), 0);
	}
	cr_assert_eq(sink_commit(sink), 0);
}

/* Stores bytes as a dataset's only chunk, as the writer does; some things may be wrong in it. */
static void store_chunk(hid_t dataset, size_t width, const void *values, size_t bytes,
			uint32_t claimed_bytes, int flipped)
{
	const hsize_t start = 0;
	char stored[1024];
	int length = blosc_compress_ctx(1, BLOSC_SHUFFLE, width, bytes, values, stored,
					sizeof(stored), BLOSC_LZ4_COMPNAME, 0, 1);

	cr_assert_gt(length, 0);
	claimed_bytes = htole32(claimed_bytes);
	memcpy(stored + 4, &claimed_bytes, 4); /* of Blosc's head: the size when decompressed */
	length = archive_seal(stored, length);
	if (flipped)
		stored[length - flipped] ^= 1;
	cr_assert_geq(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, &start, length, stored), 0);
}

/* One element of a column gets another value. */
static void set_element(hid_t file, const char *name, int row, uint64_t value)
{
	hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT), type = H5Dget_type(dataset);
	size_t width = H5Tget_size(type);
	char values[HOSTILE_ROWS * 8];

	cr_assert_geq(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
	memcpy(values + row * width, &value, width);
	store_chunk(dataset, width, values, HOSTILE_ROWS * width, HOSTILE_ROWS * width, 0);
	H5Tclose(type);
	H5Dclose(dataset);
}

/* The chunk of block/sector holds some numbers and says how many bytes that are. */
static void set_sectors(hid_t file, size_t numbers, uint32_t claimed_bytes, int flipped)
{
	hid_t dataset = H5Dopen2(file, "block/sector", H5P_DEFAULT);
	const uint64_t values[2 * HOSTILE_ROWS] = {0};

	store_chunk(dataset, 8, values, numbers * 8, claimed_bytes, flipped);
	H5Dclose(dataset);
}

/* A dataset of no data, like the archive's but for what its maker changes. */
struct shape {
	hid_t type;
	int dimensions;
	hsize_t size, chunk; /* chunk 0: in one piece */
	bool blosc, gzip, fletcher;
};

static struct shape usual_shape(void)
{
	return (struct shape){H5T_STD_U64LE, 1, HOSTILE_ROWS, HOSTILE_ROWS, true, false, true};
}

static void replace(hid_t file, const char *name, const struct shape *s)
{
	const hsize_t size[] = {s->size, 2}, limit[] = {H5S_UNLIMITED, 2}, chunk[] = {s->chunk, 2};
	hid_t space = H5Screate_simple(s->dimensions, size, s->chunk ? limit : size);
	hid_t plist = H5Pcreate(H5P_DATASET_CREATE), dataset;

	if (H5Lexists(file, name, H5P_DEFAULT) > 0)
		H5Ldelete(file, name, H5P_DEFAULT);
	if (s->chunk)
		H5Pset_chunk(plist, s->dimensions, chunk);
	if (s->blosc)
		H5Pset_filter(plist, ARCHIVE_BLOSC, H5Z_FLAG_OPTIONAL, 0, NULL);
	if (s->gzip)
		H5Pset_deflate(plist, 1);
	if (s->fletcher)
		H5Pset_fletcher32(plist);
	dataset = H5Dcreate2(file, name, s->type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
	cr_assert_geq(dataset, 0, "%s", archive_reason());
	H5Dclose(dataset);
	H5Pclose(plist);
	H5Sclose(space);
}

static void delete_column(hid_t file)
{
	H5Ldelete(file, "block/sector", H5P_DEFAULT);
}

static void delete_seq(hid_t file)
{
	H5Ldelete(file, "block/seq", H5P_DEFAULT);
}

static void delete_elements(hid_t file)
{
	H5Ldelete(file, "block/sums", H5P_DEFAULT);
}

static void add_column(hid_t file)
{
	struct shape s = usual_shape();

	replace(file, "block/surprise", &s);
}

static void add_group(hid_t file)
{
	H5Gclose(H5Gcreate2(file, "surprise", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void add_known_group(hid_t file)
{
	H5Gclose(H5Gcreate2(file, "exit", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void group_as_dataset(hid_t file)
{
	struct shape s = usual_shape();

	replace(file, "exit", &s);
}

static void dataset_as_group(hid_t file)
{
	H5Ldelete(file, "block/sector", H5P_DEFAULT);
	H5Gclose(H5Gcreate2(file, "block/sector", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void soft_link(hid_t file)
{
	H5Ldelete(file, "block/sector", H5P_DEFAULT);
	H5Lcreate_soft("/block/id", file, "block/sector", H5P_DEFAULT, H5P_DEFAULT);
}

static void external_link(hid_t file)
{
	H5Lcreate_external("/etc/passwd", "/", file, "exit", H5P_DEFAULT, H5P_DEFAULT);
}

static void link_to_the_root(hid_t file)
{
	H5Lcreate_hard(file, "/", file, "exit", H5P_DEFAULT, H5P_DEFAULT);
}

static void wrong_type(hid_t file)
{
	struct shape s = usual_shape();

	s.type = H5T_STD_U32LE;
	replace(file, "block/sector", &s);
}

static void big_endian(hid_t file)
{
	struct shape s = usual_shape();

	s.type = H5T_STD_U64BE;
	replace(file, "block/sector", &s);
}

static void variable_strings(hid_t file)
{
	hid_t type = H5Tcopy(H5T_C_S1);
	struct shape s = usual_shape();

	H5Tset_size(type, H5T_VARIABLE);
	s.type = type;
	s.blosc = false;
	s.fletcher = false;
	replace(file, "mark/name", &s);
	H5Tclose(type);
}

static void two_dimensions(hid_t file)
{
	struct shape s = usual_shape();

	s.dimensions = 2;
	replace(file, "block/sector", &s);
}

static void wrong_rows(hid_t file)
{
	struct shape s = usual_shape();

	s.size = HOSTILE_ROWS + 1;
	s.chunk = HOSTILE_ROWS + 1;
	replace(file, "block/sector", &s);
}

static void no_rows(hid_t file)
{
	struct shape s = usual_shape();

	s.size = 0;
	replace(file, "block/seq", &s);
}

static void no_chunks(hid_t file)
{
	struct shape s = usual_shape();

	s.chunk = 0;
	s.blosc = false;
	s.fletcher = false;
	replace(file, "block/sector", &s);
}

static void large_chunks(hid_t file)
{
	struct shape s = usual_shape();

	s.chunk = ARCHIVE_CHUNK + 1;
	replace(file, "block/sector", &s);
}

static void small_chunks(hid_t file)
{
	struct shape s = usual_shape();

	s.chunk = HOSTILE_ROWS - 1;
	replace(file, "block/sector", &s);
}

static void no_checksum(hid_t file)
{
	struct shape s = usual_shape();

	s.fletcher = false;
	replace(file, "block/sector", &s);
}

static void another_filter(hid_t file)
{
	struct shape s = usual_shape();

	s.blosc = false;
	s.gzip = true;
	replace(file, "block/sector", &s);
}

static void one_filter_more(hid_t file)
{
	struct shape s = usual_shape();

	s.gzip = true;
	replace(file, "block/sector", &s);
}

static void missing_chunk(hid_t file)
{
	struct shape s = usual_shape();

	replace(file, "block/sector", &s);
}

static void many_elements(hid_t file)
{
	struct shape s = usual_shape();

	s.size = 1ull << 40;
	s.chunk = ARCHIVE_CHUNK;
	replace(file, "block/sums", &s);
}

/* All columns say 16 G rows, of which none is there. */
static void many_rows(hid_t file)
{
	struct column columns[ARCHIVE_COLUMNS_MAX];
	size_t count = archive_columns(EVENT_BLOCK, columns);
	uint64_t rows = 1ull << 34;
	hid_t group = H5Gopen2(file, "block", H5P_DEFAULT);
	hid_t attribute = H5Aopen(group, "events", H5P_DEFAULT);
	struct shape s = usual_shape();

	H5Awrite(attribute, H5T_STD_U64LE, &rows);
	H5Aclose(attribute);
	s.size = rows;
	s.chunk = ARCHIVE_CHUNK;
	for (size_t i = 0; i < count; i++) {
		s.type = archive_type(columns[i].type);
		replace(group, columns[i].name, &s);
	}
	H5Gclose(group);
}

static void no_event_count(hid_t file)
{
	H5Adelete_by_name(file, "block", "events", H5P_DEFAULT);
}

static void no_format(hid_t file)
{
	H5Adelete(file, "format");
}

static void next_version(hid_t file)
{
	hid_t attribute = H5Aopen(file, "format_version", H5P_DEFAULT);
	uint64_t version = ARCHIVE_VERSION + 1;

	H5Awrite(attribute, H5T_STD_U64LE, &version);
	H5Aclose(attribute);
}

static void largest_count(hid_t file)
{
	set_element(file, "block/sums_count", 3, UINT32_MAX);
}

static void count_too_many(hid_t file)
{
	set_element(file, "block/frames_count", 3, 1);
}

static void count_too_few(hid_t file)
{
	set_element(file, "mark/name_count", 3, 0);
}

static void count_against_sectors(hid_t file)
{
	set_element(file, "block/count", 3, 8000);
}

static void sequence_falls(hid_t file)
{
	set_element(file, "block/seq", 5, 1);
}

static void sequence_repeats(hid_t file)
{
	set_element(file, "block/seq", 0, 1);
}

static void unknown_operation(hid_t file)
{
	set_element(file, "block/op", 9, 77);
}

static void nul_in_a_text(hid_t file)
{
	set_element(file, "mark/name", 2, 0);
}

static void chunk_of_too_few_bytes(hid_t file)
{
	set_sectors(file, HOSTILE_ROWS - 1, (HOSTILE_ROWS - 1) * 8, 0);
}

static void chunk_of_too_many_bytes(hid_t file)
{
	set_sectors(file, HOSTILE_ROWS + 1, (HOSTILE_ROWS + 1) * 8, 0);
}

static void chunk_that_lies(hid_t file)
{
	set_sectors(file, HOSTILE_ROWS - 1, HOSTILE_ROWS * 8, 0);
}

static void chunk_of_gigabytes(hid_t file)
{
	set_sectors(file, HOSTILE_ROWS, 0x7fffffff, 0);
}

static void chunk_with_a_wrong_checksum(hid_t file)
{
	set_sectors(file, HOSTILE_ROWS, HOSTILE_ROWS * 8, 1);
}

static const struct hostile {
	void (*change)(hid_t file);
	const char *sentence; /* part of what has to be said */
} hostiles[] = {
	{delete_column, "/block/sector cannot be opened"},
	{delete_seq, "/block/seq cannot be opened"},
	{delete_elements, "/block/sums cannot be opened"},
	{add_column, "/block has columns that this version doesn't know"},
	{add_group, "/surprise is nothing that this version knows"},
	{add_known_group, "/exit/seq cannot be opened"},
	{group_as_dataset, "/exit is not a group"},
	{dataset_as_group, "/block/sector is not a dataset"},
	{soft_link, "/block/sector is a soft or external link"},
	{external_link, "/exit is a soft or external link"},
	{link_to_the_root, "/exit/seq cannot be opened"},
	{wrong_type, "/block/sector has a wrong type"},
	{big_endian, "/block/sector has a wrong type"},
	{variable_strings, "/mark/name has a wrong type"},
	{two_dimensions, "/block/sector is not one-dimensional"},
	{wrong_rows, "/block/sector has a wrong number of rows"},
	{no_rows, "/block/time_ns has a wrong number of rows"},
	{no_chunks, "/block/sector is not stored in chunks"},
	{large_chunks, "/block/sector has chunks of a wrong size"},
	{small_chunks, "/block/sector has chunks of a wrong size"},
	{no_checksum, "/block/sector is not stored with Blosc and then fletcher32"},
	{another_filter, "/block/sector is not stored with Blosc and then fletcher32"},
	{one_filter_more, "/block/sector is not stored with Blosc and then fletcher32"},
	{missing_chunk, "/block/sector lacks chunks"},
	{many_elements, "/block/sums has more elements than its rows could hold"},
	{many_rows, "/block/seq lacks chunks"},
	{no_event_count, "/block does not say how many rows it has"},
	{no_format, "is an HDF5 file but not a Sky archive"},
	{next_version, "is an archive of version 2"},
	{largest_count, "/block, row 3: an event that is too long"},
	{count_too_many, "/block/frames, row 10: the rows count more elements than there are"},
	{count_too_few, "/mark/name, row 10: there are more elements than the rows count"},
	{count_against_sectors, "/block, row 3: "},
	{sequence_falls, "/block/seq, row 5: the sequence does not rise"},
	{sequence_repeats, "/mark/seq, row 0: the sequence does not rise"},
	{unknown_operation, "/block, row 9: "},
	{nul_in_a_text, "/mark, row 2: a text holds a NUL"},
	{chunk_of_too_few_bytes, "/block/sector, row 0: a chunk cannot be decompressed"},
	{chunk_of_too_many_bytes, "/block/sector, row 0: a chunk cannot be decompressed"},
	{chunk_that_lies, "/block/sector, row 0: a chunk cannot be decompressed"},
	{chunk_of_gigabytes, "/block/sector, row 0: a chunk cannot be decompressed"},
	{chunk_with_a_wrong_checksum, "/block/sector, row 0: a chunk's checksum is wrong"},
};

/* Opens and reads all; -1 when that failed anywhere. */
static int read_all(const char *from)
{
	struct source *source = archive_open(from, KINDS_ALL);
	static struct event e[BATCH_EVENTS];
	ssize_t n = -1;

	while (source && (n = source_read(source, e, BATCH_EVENTS)) > 0)
		;
	source_close(source);
	return n;
}

static void expect_sentence(int said, const char *part, size_t number)
{
	const char *sentence = captured(said), *end = strchr(sentence, '\n');

	cr_expect_not_null(strstr(sentence, part), "%zu: %s, not: %s", number, part, sentence);
	cr_expect(end && !end[1], "%zu: one sentence, not: %s", number, sentence);
}

Test(archive, refuses_hostile_files_with_one_sentence)
{
	for (size_t i = 0; i < sizeof(hostiles) / sizeof(hostiles[0]); i++) {
		hid_t file, access = H5Pcreate(H5P_FILE_ACCESS);
		int said;

		write_good();
		H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
		file = H5Fopen(path, H5F_ACC_RDWR, access);
		cr_assert_geq(file, 0);
		hostiles[i].change(file);
		H5Pclose(access);
		cr_assert_geq(H5Fclose(file), 0);
		said = capture_stderr();
		cr_expect_eq(read_all(path), -1, "%zu was read", i);
		expect_sentence(said, hostiles[i].sentence, i);
		close(said);
	}
}

Test(archive, refuses_what_is_no_archive_with_one_sentence)
{
	hid_t file, access = H5Pcreate(H5P_FILE_ACCESS);
	int said = capture_stderr();

	cr_expect_eq(read_all("/nonexistent/a.h5"), -1);
	expect_sentence(said, "cannot open /nonexistent/a.h5: No such file", 0);

	said = capture_stderr();
	close(open(path, O_CREAT | O_WRONLY, 0600));
	cr_expect_eq(read_all(path), -1);
	expect_sentence(said, "not an archive", 1);

	said = capture_stderr();
	file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
	H5Fclose(file);
	cr_expect_eq(read_all(path), -1);
	expect_sentence(said, "old HDF5 format without checksums", 2);

	said = capture_stderr();
	H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
	file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
	H5Fclose(file);
	H5Pclose(access);
	cr_expect_eq(read_all(path), -1);
	expect_sentence(said, "an HDF5 file but not a Sky archive", 3);
}

Test(archive, cut_anywhere_is_refused_with_one_sentence)
{
	struct stat st;

	write_good();
	stat(path, &st);
	for (off_t bytes = st.st_size - 1; bytes > 0; bytes -= 1 + st.st_size / 50) {
		int said = capture_stderr();

		cr_assert_eq(truncate(path, bytes), 0);
		cr_expect_eq(read_all(path), -1);
		expect_sentence(said, "restore it or convert its stream again", bytes);
		close(said);
	}
}
