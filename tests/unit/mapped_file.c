/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are read where they lie, and cut meanwhile.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/import/import.h"
#include "capture/import/mapped_file.h"
#include "common/load.h"

#define PAGES	     64
#define PAGE_BYTES   4096
#define RECORDS	     20000
#define RECORD_BYTES 24

static char path[64];

static void name_file(void)
{
	snprintf(path, sizeof(path), "/tmp/sky-mapped-%d", getpid());
}

static void forget_file(void)
{
	unlink(path);
}

TestSuite(mapped_file, .init = name_file, .fini = forget_file);

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

static void write_file(const void *bytes, size_t count)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(bytes, 1, count, f), count);
	fclose(f);
}

static int copy(struct mapped_file *file, size_t bytes)
{
	static char to[PAGES * PAGE_BYTES];

	return mapped_file_copy(file, 0, bytes, to);
}

static void open_pages(struct mapped_file *file)
{
	static char pages[PAGES * PAGE_BYTES];

	memset(pages, 'x', sizeof(pages));
	write_file(pages, sizeof(pages));
	cr_assert_eq(mapped_file_open(file, path), 0);
	cr_assert_eq(copy(file, file->bytes), 0);
}

Test(mapped_file, what_is_gone_reads_as_zeros_and_is_told)
{
	struct mapped_file file;

	open_pages(&file);
	cr_assert_eq(truncate(path, 2 * PAGE_BYTES), 0);
	cr_expect_eq(file.at[2 * PAGE_BYTES - 1], 'x');
	cr_expect_eq(file.at[10 * PAGE_BYTES + 5], 0);
	cr_expect_eq(file.at[file.bytes - 1], 0);
	quiet();
	cr_expect_eq(copy(&file, 1), -1);
	mapped_file_close(&file);
}

Test(mapped_file, a_file_that_grew_again_is_not_what_it_was)
{
	struct mapped_file file;

	open_pages(&file);
	cr_assert_eq(truncate(path, 0), 0);
	cr_expect_eq(file.at[PAGE_BYTES], 0);
	cr_assert_eq(truncate(path, PAGES * PAGE_BYTES), 0);
	quiet();
	cr_expect_eq(copy(&file, 1), -1);
	mapped_file_close(&file);
}

Test(mapped_file, a_cut_within_a_page_is_told)
{
	struct mapped_file file;

	open_pages(&file);
	cr_assert_eq(truncate(path, PAGES * PAGE_BYTES - 1), 0);
	quiet();
	cr_expect_eq(copy(&file, 1), -1);
	mapped_file_close(&file);
}

Test(mapped_file, one_that_is_longer_than_it_was_is_read_as_it_was)
{
	struct mapped_file file;

	open_pages(&file);
	cr_assert_eq(truncate(path, 2 * PAGES * PAGE_BYTES), 0);
	cr_expect_eq(copy(&file, file.bytes), 0);
	mapped_file_close(&file);
	mapped_file_close(&file);
}

/* Touches a page of another mapping whose file is gone. */
static void touch_other(void)
{
	int fd = memfd_create("other", 0);
	volatile char *at;

	if (fd < 0 || ftruncate(fd, PAGE_BYTES))
		_exit(1);
	at = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || ftruncate(fd, 0))
		_exit(1);
	at[0];
	_exit(0);
}

Test(mapped_file, what_is_none_of_its_files_ends_the_program_as_ever)
{
	struct mapped_file file;
	int status;
	pid_t child;

	open_pages(&file);
	child = fork();
	if (!child)
		touch_other();
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	mapped_file_close(&file);
}

static void store(uint8_t *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = value >> 8 * i;
}

/* Objects that are each asked for once. */
static const struct importer *write_objects(void)
{
	static uint8_t records[RECORDS * RECORD_BYTES];

	for (size_t i = 0; i < RECORDS; i++) {
		uint8_t *record = records + i * RECORD_BYTES;

		store(record, i, 4);
		store(record + 4, i, 8);
		store(record + 12, 512, 4);
		store(record + 16, UINT64_MAX, 8);
	}
	write_file(records, sizeof(records));
	return container_of(component_find("import", "oracleGeneral"), struct importer, head);
}

Test(mapped_file, an_importer_says_that_its_file_was_cut)
{
	const off_t left[] = {0, 100, PAGE_BYTES, 200000, RECORDS * RECORD_BYTES - 1};
	const struct importer *importer = write_objects();

	quiet();
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
		struct request_source *source;
		const struct request *requests;
		ssize_t count;

		write_objects();
		source = import_requests(importer, path, NULL);
		cr_assert_not_null(source);
		cr_assert_gt(request_read(source, &requests), 0);
		cr_assert_eq(truncate(path, left[i]), 0);
		while ((count = request_read(source, &requests)) > 0)
			;
		cr_expect_eq(count, -1, "cut to %lld bytes", (long long)left[i]);
		request_close(source);
	}
}
