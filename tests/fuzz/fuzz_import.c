/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_import [TRIES [SEED]]: damages foreign traces at random places.
 *
 * Every importer reads each of them, of whatever format it was, some of them
 * packed: it must refuse the file or give events that every reader accepts,
 * numbered without gaps and in the order of time. Prints the try that failed.
 */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/import/import.h"
#include "tests/random_event.h"

#define RECORDS 200
#define ROOM	(RECORDS * 400)

/* vscsi records of 32 (version 1) or 40 bytes; times rise, most commands are READ(10). */
static size_t make_vscsi(struct random_events *dice, uint8_t *at, bool second)
{
	size_t bytes = second ? 40 : 32;

	memset(at, 0, RECORDS * bytes);
	for (uint64_t i = 0; i < RECORDS; i++, at += bytes) {
		uint16_t command = i % 9 ? 0x28 : 0x35, version = second ? 2 << 8 : 1 << 8;
		uint32_t length = (1 + random_next(dice) % 64) * 512;
		uint64_t sector = random_next(dice) % (1 << 30);
		uint64_t response = random_next(dice) % 5000;
		uint64_t time_us = i * 1000;

		memcpy(at + (second ? 0 : 12), &command, sizeof(command));
		memcpy(at + (second ? 2 : 14), &version, sizeof(version));
		memcpy(at + (second ? 8 : 4), &length, sizeof(length));
		memcpy(at + 16, &sector, sizeof(sector));
		memcpy(at + 24, &time_us, sizeof(time_us));
		if (second)
			memcpy(at + 32, &response, sizeof(response));
	}
	return RECORDS * bytes;
}

static size_t make_vscsi_1(struct random_events *dice, uint8_t *at)
{
	return make_vscsi(dice, at, false);
}

static size_t make_vscsi_2(struct random_events *dice, uint8_t *at)
{
	return make_vscsi(dice, at, true);
}

static size_t make_oracle(struct random_events *dice, uint8_t *at)
{
	for (uint64_t i = 0; i < RECORDS; i++, at += 24) {
		uint64_t object = random_next(dice) % 100;
		uint32_t time_s = i, bytes = random_next(dice) % 10000;
		int64_t next = random_next(dice) % 2 ? -1 : (int64_t)i + 1;

		memcpy(at, &time_s, sizeof(time_s));
		memcpy(at + 4, &object, sizeof(object));
		memcpy(at + 12, &bytes, sizeof(bytes));
		memcpy(at + 16, &next, sizeof(next));
	}
	return RECORDS * 24;
}

/* Issues and completions of few places, requeues, notes with a payload. */
static size_t make_blktrace(struct random_events *dice, uint8_t *at)
{
	static const uint32_t actions[] = {0x00110001, 0x00410007, 0x00420007, 0x00810008,
					   0x00820008, 0x00210006, 0x04000000, 0x00460007};
	const uint8_t *begin = at;

	for (uint32_t i = 0; i < RECORDS; i++) {
		uint32_t magic = 0x65617407, bytes = random_next(dice) % 16 * 512;
		uint32_t action = actions[random_next(dice) % 8], device = 8 << 20;
		uint64_t sector = random_next(dice) % 64 * 8, time_ns = i * 1000;
		uint16_t payload = action == 0x04000000 ? 16 : 0;

		memset(at, 0, 48 + payload);
		memcpy(at, &magic, sizeof(magic));
		memcpy(at + 4, &i, sizeof(i));
		memcpy(at + 8, &time_ns, sizeof(time_ns));
		memcpy(at + 16, &sector, sizeof(sector));
		memcpy(at + 24, &bytes, sizeof(bytes));
		memcpy(at + 28, &action, sizeof(action));
		memcpy(at + 36, &device, sizeof(device));
		memcpy(at + 46, &payload, sizeof(payload));
		at += 48 + payload;
	}
	return at - begin;
}

__attribute__((format(printf, 2, 3))) static uint8_t *print(uint8_t *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	at += vsprintf((char *)at, format, args);
	va_end(args);
	return at;
}

static unsigned int dice_below(struct random_events *dice, unsigned int below)
{
	return random_next(dice) % below;
}

static size_t make_msr(struct random_events *dice, uint8_t *at)
{
	const uint8_t *begin = at;

	for (unsigned int i = 0; i < RECORDS; i++)
		at = print(at, "%llu,hm,%u,%s,%u,%u,%u\n",
			   128166372003061629ull + i * 1000 - dice_below(dice, 3000),
			   dice_below(dice, 3), i % 3 ? "Read" : "Write",
			   dice_below(dice, 99) * 512, dice_below(dice, 9) * 512,
			   dice_below(dice, 9999));
	return at - begin;
}

static size_t make_alibaba(struct random_events *dice, uint8_t *at)
{
	const uint8_t *begin = at;

	for (unsigned int i = 0; i < RECORDS; i++)
		at = print(at, "%u,%c,%u,%u,%llu\n", dice_below(dice, 5), i % 3 ? 'R' : 'W',
			   dice_below(dice, 99) * 512, dice_below(dice, 9) * 512,
			   1577808144360767ull + i);
	return at - begin;
}

static size_t make_tencent(struct random_events *dice, uint8_t *at)
{
	const uint8_t *begin = at;

	for (unsigned int i = 0; i < RECORDS; i++)
		at = print(at, "%u,%u,%u,%u,%u\n", 1538323200 + i / 7, dice_below(dice, 9999),
			   dice_below(dice, 99), dice_below(dice, 2), dice_below(dice, 9999));
	return at - begin;
}

static size_t make_fiu(struct random_events *dice, uint8_t *at)
{
	const uint8_t *begin = at;

	for (unsigned int i = 0; i < RECORDS; i++)
		at = print(at, "%llu %u %s %u 8 %c 6 %u b5e9f4e5ab62a4fff5313a606b0ad4e3\n",
			   89966527996712ull + i, dice_below(dice, 9999), i % 5 ? "nfsd" : "a b c",
			   dice_below(dice, 9999), i % 3 ? 'R' : 'W', dice_below(dice, 20));
	return at - begin;
}

static size_t make_blkparse(struct random_events *dice, uint8_t *at)
{
	static const char *const rwbs[] = {"R", "WS", "RA", "FWFS", "D", "FN", "N", "W"};
	static const char actions[] = "QGDDCCRm";
	const uint8_t *begin = at;

	for (unsigned int i = 0; i < RECORDS; i++)
		at = print(at, "  8,%-3u %2u %8u %5u.%09u %5u  %c %3s %u + %u [%u]\n",
			   dice_below(dice, 2), dice_below(dice, 4), i, i / 9, i * 1000,
			   dice_below(dice, 999), actions[dice_below(dice, 8)],
			   rwbs[dice_below(dice, 8)], dice_below(dice, 32) * 8, dice_below(dice, 9),
			   dice_below(dice, 6));
	return at - begin;
}

static size_t make_iolog(struct random_events *dice, uint8_t *at)
{
	static const char *const actions[] = {"read",	  "write", "trim", "sync",
					      "datasync", "wait",  "open", "close"};
	bool third = dice_below(dice, 2);
	const uint8_t *begin = at;

	at = print(at, "fio version %d iolog\n", third ? 3 : 2);
	for (unsigned int i = 0; i < RECORDS; i++) {
		if (third)
			at = print(at, "%u ", i * 9);
		at = print(at, "/dev/sd%c %s %u %u\n", 'a' + dice_below(dice, 3),
			   actions[dice_below(dice, 8)], dice_below(dice, 99999),
			   dice_below(dice, 9999));
	}
	return at - begin;
}

static size_t make_csv(struct random_events *dice, uint8_t *at)
{
	static const char separators[] = ",;\t ";
	char s = separators[dice_below(dice, 4)];
	const uint8_t *begin = at;

	at = print(at, "time_us%cop%coffset_bytes%clength_sectors%cresponse_ms%cdisk\n", s, s, s, s,
		   s);
	for (unsigned int i = 0; i < RECORDS; i++)
		at = print(at, "%u.%u%c%c%c%u%c%u%c0.%u%c\"x%u\"\n", i, dice_below(dice, 1000), s,
			   i % 3 ? 'R' : 'w', s, dice_below(dice, 999) * 512, s,
			   dice_below(dice, 99), s, dice_below(dice, 999), s, dice_below(dice, 4));
	return at - begin;
}

static size_t (*const makers[])(struct random_events *dice, uint8_t *at) = {
	make_vscsi_1, make_vscsi_2,  make_oracle, make_blktrace, make_msr, make_alibaba,
	make_tencent, make_blkparse, make_fiu,	  make_iolog,	 make_csv,
};

#define MAKERS (sizeof(makers) / sizeof(*makers))

/* What a text's reader looks at most, where it doesn't belong. */
static void garble(struct random_events *dice, uint8_t *at, size_t count)
{
	static const char letters[] = "0123456789-+.,; \t\n\r#\"[(RWDF";
	size_t from = random_next(dice) % count, to = random_next(dice) % count;
	size_t bytes = random_next(dice) % 64;

	at[from] = letters[random_next(dice) % (sizeof(letters) - 1)];
	if (from + bytes <= count && to + bytes <= count && random_next(dice) % 4 == 0)
		memmove(at + to, at + from, bytes);
}

static size_t damage(struct random_events *dice, uint8_t *at, size_t count)
{
	for (uint64_t flips = random_next(dice) % 4; flips; flips--)
		at[random_next(dice) % count] ^= 1 << random_next(dice) % 8;
	for (uint64_t places = random_next(dice) % 4; places; places--)
		garble(dice, at, count);
	if (random_next(dice) % 8 == 0)
		memset(at + random_next(dice) % (count - 8), 0xff, 8);
	return random_next(dice) % 4 ? count : random_next(dice) % count;
}

static void must(int rc)
{
	if (rc)
		abort();
}

/* Packs in place what then takes fewer bytes, or stays within ROOM. */
static size_t pack(struct random_events *dice, uint8_t *at, size_t count)
{
	static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4,
				      ARCHIVE_FILTER_BZIP2};
	static uint8_t packed[ROOM];
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	size_t used = 0;

	must(archive_write_add_filter(a, filters[random_next(dice) % 4]));
	must(random_next(dice) % 2 ? archive_write_set_format_raw(a)
				   : archive_write_set_format_ustar(a));
	must(archive_write_open_memory(a, packed, sizeof(packed), &used));
	archive_entry_set_pathname(entry, "trace");
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_size(entry, count);
	must(archive_write_header(a, entry));
	must(archive_write_data(a, at, count) != (ssize_t)count);
	must(archive_write_close(a));
	archive_write_free(a);
	archive_entry_free(entry);
	memcpy(at, packed, used);
	return used;
}

static bool reads_well(const struct importer *importer, const char *path,
		       const struct import_options *options)
{
	static struct event events[BATCH_EVENTS];
	struct source *source = import_open(importer, path, options);
	uint64_t seq = 0, time_ns = 0;
	bool well = true;
	ssize_t count;

	while (source && (count = source_read(source, events, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < count; i++) {
			well = well && !event_check(&events[i]) && events[i].seq == seq + 1 &&
			       events[i].time_ns >= time_ns;
			seq = events[i].seq;
			time_ns = events[i].time_ns;
		}
	source_close(source);
	return well;
}

/* Requests alone: each on a disk, unless they are for objects. */
static bool requests_read_well(const struct importer *importer, const char *path,
			       const struct import_options *options)
{
	struct request_source *source = import_requests(importer, path, options);
	const struct request *requests;
	bool well = true;
	ssize_t count;

	while (source && (count = request_read(source, &requests)) > 0)
		for (const struct request *r = requests; r < requests + count; r++)
			well = well && r->op < BLOCK_OPS &&
			       (source->objects || !sectors_beyond_any_disk(r->sector, r->sectors));
	request_close(source);
	return well;
}

static bool is_read_well(const struct importer *importer, const char *path)
{
	static const struct import_options none,
		named = {
			.columns = "time_us,op,offset_bytes,length_bytes",
		};

	return reads_well(importer, path, &none) && requests_read_well(importer, path, &none) &&
	       (!importer->takes_columns || reads_well(importer, path, &named));
}

static bool all_read_well(const uint8_t *bytes, size_t count)
{
	int fd = memfd_create("damaged", 0);
	bool well = true;
	char path[32];

	if (write(fd, bytes, count) != (ssize_t)count)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	component_for_each (entry)
		if (!strcmp((*entry)->kind, "import"))
			well = well &&
			       is_read_well(container_of(*entry, struct importer, head), path);
	close(fd);
	return well;
}

/* One of the formats in turn, damaged before or after it is packed, or not packed. */
static size_t make(struct random_events *dice, uint64_t try, uint8_t *bytes)
{
	size_t count = makers[try % MAKERS](dice, bytes);
	uint64_t how = random_next(dice) % 8;

	if (how == 0)
		count = pack(dice, bytes, count);
	count = damage(dice, bytes, count);
	return how == 1 ? pack(dice, bytes, count) : count;
}

int main(int argc, char **argv)
{
	uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 10) : 2200;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct random_events *dice = random_events_new(seed);
	static uint8_t bytes[ROOM];
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO); /* thousands of sentences are expected */
	for (uint64_t try = 0; try < tries; try++)
		if (!all_read_well(bytes, make(dice, try, bytes))) {
			printf("fuzz_import: events that can't be in try %" PRIu64 "\n", try);
			return 1;
		}
	printf("fuzz_import: %" PRIu64 " tries, seed %" PRIu64 ", all well\n", tries, seed);
	close(null);
	free(dice);
	return 0;
}
