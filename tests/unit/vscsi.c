/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vscsi importer: both versions, what it leaves out, what it refuses.
 */
#include <criterion/criterion.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture/import/import.h"

#define READ_10		  0x28
#define WRITE_16	  0x8a
#define SYNCHRONIZE_CACHE 0x35

struct record {
	uint16_t command;
	uint32_t length;
	uint64_t sector, time_us, response_us;
};

static void put16(uint8_t *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static size_t encode_v1(uint8_t *at, const struct record *r)
{
	memset(at, 0, 32);
	put32(at + 4, r->length);
	put16(at + 12, r->command);
	put16(at + 14, 1 << 8);
	put64(at + 16, r->sector);
	put64(at + 24, r->time_us);
	return 32;
}

static size_t encode_v2(uint8_t *at, const struct record *r)
{
	memset(at, 0, 40);
	put16(at, r->command);
	put16(at + 2, 2 << 8);
	put32(at + 8, r->length);
	put64(at + 16, r->sector);
	put64(at + 24, r->time_us);
	put64(at + 32, r->response_us);
	return 40;
}

static const char *file_of(const void *bytes, size_t count)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/sky-vscsi-%d", getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert_eq(write(fd, bytes, count), (ssize_t)count);
	close(fd);
	return path;
}

static const struct importer *importer(void)
{
	return container_of(component_find("import", "vscsi"), struct importer, head);
}

/* All events of a file, checked, in one array (their texts are not kept); -1 if reading fails. */
static ssize_t read_all(const char *path, struct event *events, size_t max)
{
	struct source *source = import_open(importer(), path, NULL);
	ssize_t count = 0;
	size_t n = 0;

	if (!source)
		return -1;
	/* small batches, so that every state is left and entered again */
	while (n + 2 <= max && (count = source_read(source, events + n, 2)) > 0)
		for (ssize_t i = 0; i < count; i++)
			cr_assert_null(event_check(&events[n++]));
	source_close(source);
	return count < 0 ? -1 : (ssize_t)n;
}

static ssize_t read_records(size_t (*encode)(uint8_t *, const struct record *),
			    const struct record *records, size_t count, size_t cut,
			    struct event *events, size_t max)
{
	uint8_t bytes[64 * 40];
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		used += encode(bytes + used, &records[i]);
	return read_all(file_of(bytes, used - cut), events, max);
}

static size_t keep_kind(struct event *events, size_t count, enum event_kind kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (events[i].kind == kind)
			events[kept++] = events[i];
	return kept;
}

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

static void forget_file(void)
{
	unlink(file_of("", 0));
}

TestSuite(vscsi, .init = quiet, .fini = forget_file);

Test(vscsi, version_1_becomes_block_events)
{
	static const struct record records[] = {
		{READ_10, 4096, 800, 1000, 0},
		{SYNCHRONIZE_CACHE, 0, 0, 1500, 0},
		{WRITE_16, 512, 1ull << 40, 2000, 0},
		{READ_10, 0, 77, 2500, 0},
	};
	struct event e[32];
	ssize_t n = read_records(encode_v1, records, 4, 0, e, 32);

	cr_assert_eq(n, 5 + 2 + 2, "attributes, requests, what was left out");
	for (ssize_t i = 0; i < n; i++)
		cr_expect_eq(e[i].seq, i + 1);
	cr_assert_eq(keep_kind(e, n, EVENT_BLOCK), 2);
	cr_expect(e[0].block.op == BLOCK_READ && e[0].block.sector == 800 &&
		  e[0].block.sectors == 8 && e[0].time_ns == 1000000 && e[0].block.id == 1);
	cr_expect(e[1].block.op == BLOCK_WRITE && e[1].block.sector == 1ull << 40 &&
		  e[1].block.sectors == 1 && e[1].time_ns == 2000000 && e[1].block.id == 3);
}

Test(vscsi, version_2_completes_in_the_order_of_time)
{
	static const struct record records[] = {
		{READ_10, 4096, 8, 100, 900},  {READ_10, 4096, 16, 200, 50},
		{WRITE_16, 4096, 24, 300, 0},  {READ_10, 4096, 32, 400, 600},
		{READ_10, 4096, 40, 2000, 10},
	};
	static const struct {
		enum event_kind kind;
		uint64_t id, time_us;
	} expected[] = {
		{EVENT_BLOCK, 1, 100},	   {EVENT_BLOCK, 2, 200},     {EVENT_COMPLETE, 2, 250},
		{EVENT_BLOCK, 3, 300},	   {EVENT_COMPLETE, 3, 300},  {EVENT_BLOCK, 4, 400},
		{EVENT_COMPLETE, 1, 1000}, {EVENT_COMPLETE, 4, 1000}, {EVENT_BLOCK, 5, 2000},
		{EVENT_COMPLETE, 5, 2010},
	};
	struct event e[32];
	ssize_t n = read_records(encode_v2, records, 5, 0, e, 32);

	cr_assert_eq(n, 5 + 10 + 2);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		const struct event *got = &e[5 + i];

		cr_expect_eq(got->kind, expected[i].kind, "event %zu", i);
		cr_expect_eq(got->time_ns, expected[i].time_us * 1000, "event %zu", i);
		cr_expect_eq(got->kind == EVENT_BLOCK ? got->block.id : got->complete.id,
			     expected[i].id, "event %zu", i);
	}
}

Test(vscsi, time_that_goes_back_is_raised)
{
	static const struct record records[] = {
		{READ_10, 4096, 8, 500, 0},
		{READ_10, 4096, 16, 400, 0},
		{READ_10, 4096, 24, 600, 0},
	};
	struct event e[32];
	ssize_t n = read_records(encode_v1, records, 3, 0, e, 32);

	cr_assert_eq(keep_kind(e, n > 0 ? n : 0, EVENT_BLOCK), 3);
	cr_expect_eq(e[1].time_ns, 500000);
	cr_expect_eq(e[2].time_ns, 600000);
}

Test(vscsi, a_cut_record_is_an_error)
{
	static const struct record records[] = {
		{READ_10, 4096, 8, 500, 0},
		{READ_10, 4096, 16, 600, 0},
	};
	struct event e[32];

	for (size_t cut = 1; cut < 32; cut++)
		cr_expect_eq(read_records(encode_v1, records, 2, cut, e, 32), -1, "%zu", cut);
	for (size_t cut = 1; cut < 40; cut++)
		cr_expect_eq(read_records(encode_v2, records, 2, cut, e, 32), -1, "%zu", cut);
}

Test(vscsi, refuses_what_no_disk_and_no_clock_has)
{
	static const struct record wrong[] = {
		{READ_10, 4095, 8, 1000, 0},
		{READ_10, 1u << 31, 8, 1000, 0},
		{READ_10, UINT32_MAX, 8, 1000, 0},
		{READ_10, 4096, UINT64_MAX, 1000, 0},
		{READ_10, 4096, 8, UINT64_MAX, 0},
		{READ_10, 4096, 8, 1000, UINT64_MAX},
		{SYNCHRONIZE_CACHE, 0, 0, UINT64_MAX, 0},
	};
	struct event e[32];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const struct record records[] = {{READ_10, 4096, 8, 10, 0}, wrong[i]};

		cr_expect_eq(read_records(encode_v2, records, 2, 0, e, 32), -1, "%zu", i);
		cr_expect_eq(read_records(encode_v1, records, 2, 0, e, 32) == -1,
			     !wrong[i].response_us, "%zu", i);
	}
}

Test(vscsi, refuses_other_files_and_mixed_versions)
{
	uint8_t bytes[80] = {0};
	const struct record record = {READ_10, 4096, 8, 500, 0};
	struct event e[32];

	cr_expect_eq(read_all("/nonexistent", e, 32), -1);
	cr_expect_eq(read_all("/dev/null", e, 32), -1, "not a regular file");
	cr_expect_eq(read_all(file_of("", 0), e, 32), -1);
	cr_expect_eq(read_all(file_of("a text long enough, without version", 35), e, 32), -1);
	cr_expect_eq(read_all(file_of(bytes, 80), e, 32), -1);
	encode_v1(bytes, &record);
	encode_v1(bytes + 32, &record);
	put16(bytes + 32 + 14, 3 << 8);
	cr_expect_eq(read_all(file_of(bytes, 64), e, 32), -1);
}

/* Whatever the bytes are: an error or events that pass the check of all readers. */
Test(vscsi, survives_any_bytes)
{
	uint64_t random = 88172645463325252u;
	uint8_t bytes[40 * 20];
	struct event e[128];

	for (int try = 0; try < 3000; try++) {
		size_t used = 0;

		while (used + 40 <= sizeof(bytes)) {
			struct record r = {READ_10, 4096, random % 4096, used, random % 50};

			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			used += (try % 2 ? encode_v1 : encode_v2)(bytes + used, &r);
		}
		for (int flips = try % 5; flips; flips--) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			bytes[random % used] ^= 1 << (random >> 32) % 8;
		}
		cr_assert_lt(read_all(file_of(bytes, used - random % 3), e, 128), 128);
	}
}
