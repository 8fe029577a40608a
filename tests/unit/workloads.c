/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workloads do what they say: the same operations for the same seed, contents
 * that tell whose they are, counts that agree with the files.
 */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/event.h"
#include "workloads/content.h"
#include "workloads/file_set.h"
#include "workloads/prng.h"
#include "workloads/worker.h"
#include "workloads/workload.h"

struct done {
	struct workload_counts prepare, run;
};

static char folder[] = "/tmp/sky-workloads-XXXXXX";

static void enter_folder(void)
{
	cr_assert(mkdtemp(folder) && !chdir(folder));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	return remove(path);
}

static void leave_folder(void)
{
	cr_assert(!chdir("/"));
	nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(workloads, .init = enter_folder, .fini = leave_folder);

static const struct workload *workload(const char *name)
{
	const struct component *c = component_find("workload", name);

	cr_assert(c, "%s", name);
	return container_of(c, struct workload, head);
}

static int prepare_and_run(const char *name, const char *parameters, struct done *done)
{
	const struct workload *w = workload(name);
	void *settings = calloc(1, w->settings_bytes);
	int rc = component_set_parameters(&w->head, settings, parameters);

	*done = (struct done){0};
	if (!rc)
		rc = w->prepare(w, settings, &done->prepare);
	if (!rc)
		rc = w->run(w, settings, &done->run);
	free(settings);
	return rc;
}

static struct done performed(const char *name, const char *parameters)
{
	struct done done;

	cr_assert_eq(prepare_and_run(name, parameters, &done), 0, "%s", name);
	return done;
}

/* Those whose operations don't end in another program, small. */
static const struct {
	const char *name, *parameters, *other_seed;
	uint64_t operations;
} cases[] = {
	{"varmail", "operations=700,threads=4,files=60", "operations=700,threads=4,files=60,seed=2",
	 700},
	{"fileserver", "operations=500,threads=3,files=40,file-size=8K",
	 "operations=500,threads=3,files=40,file-size=8K,seed=2", 500},
	{"webserver", "operations=900,threads=5,files=50",
	 "operations=900,threads=5,files=50,seed=2", 900},
	{"oltp", "operations=5000,threads=4,writers=3,files=2,file-size=64K,log-size=512K",
	 "operations=5000,threads=4,writers=3,files=2,file-size=64K,log-size=512K,seed=2", 5000},
	{"random-reads", "operations=99,file-size=64K", "operations=99,file-size=64K,seed=2", 99},
	{"random-writes", "operations=99,file-size=64K", "operations=99,file-size=64K,seed=2", 100},
	{"sequential-reads", "operations=33,file-size=64K", NULL, 33},
	{"sequential-writes", "operations=33,file-size=64K", NULL, 34},
	{"repeated-reads", "operations=99,file-size=64K", NULL, 99},
	{"repeated-writes", "operations=99,file-size=64K", NULL, 99},
	{"write-wait-delete", "size=1M,files=4,wait=0", NULL, 20},
};

#define CASES (sizeof(cases) / sizeof(*cases))

Test(workloads, are_the_same_for_the_same_seed)
{
	for (size_t i = 0; i < CASES; i++) {
		struct done first = performed(cases[i].name, cases[i].parameters);
		struct done again = performed(cases[i].name, cases[i].parameters);

		cr_expect_eq(first.run.stream, again.run.stream, "%s", cases[i].name);
		cr_expect_eq(first.prepare.stream, again.prepare.stream, "%s", cases[i].name);
		cr_expect_arr_eq(first.run.operations, again.run.operations,
				 sizeof(first.run.operations), "%s", cases[i].name);
		cr_expect_eq(first.run.written_bytes, again.run.written_bytes, "%s", cases[i].name);
	}
}

Test(workloads, differ_by_the_seed)
{
	for (size_t i = 0; i < CASES; i++) {
		if (!cases[i].other_seed)
			continue;
		cr_expect_neq(performed(cases[i].name, cases[i].parameters).run.stream,
			      performed(cases[i].name, cases[i].other_seed).run.stream, "%s",
			      cases[i].name);
	}
}

Test(workloads, end_after_as_many_operations_as_were_asked_for)
{
	for (size_t i = 0; i < CASES; i++) {
		struct done done = performed(cases[i].name, cases[i].parameters);

		cr_expect_eq(workload_operations(&done.run), cases[i].operations, "%s: %llu",
			     cases[i].name, (unsigned long long)workload_operations(&done.run));
	}
}

Test(workloads, varmail_goes_through_its_loop_in_order)
{
	/* one thread, ten rounds of thirteen operations */
	struct done done = performed("varmail", "operations=130,threads=1,files=30");
	const uint64_t *count = done.run.operations;

	cr_expect_eq(count[OPERATION_DELETE], 10);
	cr_expect_eq(count[OPERATION_CREATE], 10);
	cr_expect_eq(count[OPERATION_OPEN], 20);
	cr_expect_eq(count[OPERATION_CLOSE], 30);
	cr_expect_eq(count[OPERATION_APPEND], 20);
	cr_expect_eq(count[OPERATION_SYNC], 20);
	cr_expect_eq(count[OPERATION_READ], 20);
	/* four fifths of the set are made before */
	cr_expect_eq(done.prepare.operations[OPERATION_CREATE], 24);
}

Test(workloads, oltp_writes_a_batch_a_writer_for_every_thousand_reads)
{
	struct done done = performed("oltp", "operations=8002,threads=4,writers=10,files=2,"
					     "file-size=64K,log-size=512K");
	const uint64_t *count = done.run.operations;

	cr_expect_eq(count[OPERATION_READ], 4001);
	cr_expect_eq(count[OPERATION_WRITE], 4001);
	/* one of them, after 3200 reads, is of the log: 64 chunks of 4 KiB */
	cr_expect_eq(done.run.written_bytes, 4000 * 2048 + (256 << 10));
	cr_expect_eq(done.run.written_chunks, 4000 + 64);
}

Test(workloads, chunks_are_counted_once_a_write)
{
	struct worker worker;

	cr_assert_eq(worker_init(&worker, 0, 1, 4096), 0);
	worker_wrote(&worker, 0, 4096);
	cr_expect_eq(worker.counts.written_chunks, 1);
	worker_wrote(&worker, 4064, 64);
	cr_expect_eq(worker.counts.written_chunks, 3);
	worker_wrote(&worker, 8192, 4097);
	cr_expect_eq(worker.counts.written_chunks, 5);
	cr_expect_eq(worker.counts.written_bytes, 4096 + 64 + 4097);
	worker_fini(&worker);
}

/* Reads files of a set as another program would; returns how many chunks it saw. */
static uint64_t check_tags(const char *set, uint32_t files)
{
	static char chunk[CHUNK_BYTES];
	uint64_t chunks = 0;

	for (uint32_t i = 0; i < files; i++) {
		char path[PATH_BYTES];
		FILE *file;
		size_t n;

		snprintf(path, sizeof(path), "%s/%08u", set, i);
		file = fopen(path, "r");
		if (!file)
			continue;
		for (uint64_t at = 0; (n = fread(chunk, 1, sizeof(chunk), file)); at += n) {
			cr_expect(content_belongs(chunk, i, at, n), "%s at %llu", path,
				  (unsigned long long)at);
			chunks++;
		}
		fclose(file);
	}
	return chunks;
}

Test(workloads, every_chunk_of_their_files_is_tagged)
{
	performed("varmail", "operations=700,threads=4,files=60");
	cr_expect_gt(check_tags("varmail", 60), 100);
}

Test(workloads, refuse_parameters_that_do_not_go_together)
{
	struct done done;

	cr_assert_eq(prepare_and_run("varmail", "operations=1,threads=1,files=10", &done), 0);
	cr_expect_eq(prepare_and_run("varmail", "operations=1,threads=6,files=10", &done), -1,
		     "each thread needs two files");
	cr_expect_eq(prepare_and_run("random-reads", "file-size=4K,request-size=8K", &done), -1);
	cr_expect_eq(prepare_and_run("oltp", "request-size=33", &done), -1);
}

Test(workloads, say_which_program_is_missing)
{
	struct done done;

	cr_assert_eq(setenv("PATH", "/no-such-folder", 1), 0);
	cr_expect_eq(prepare_and_run("gpg", "size=4K", &done), -1);
	cr_expect_eq(prepare_and_run("cp", "size=4K", &done), -1);
	cr_expect_eq(prepare_and_run("find", "files=3", &done), -1);
}

Test(workloads, copy_with_the_real_program)
{
	struct done done = performed("cp", "size=40K");

	cr_expect_eq(done.prepare.written_bytes, 40 << 10);
	cr_expect_eq(done.run.written_chunks, 10);
	cr_expect_eq(done.run.operations[OPERATION_PROGRAM], 1);
}

Test(workload_content, tells_file_chunk_and_author)
{
	static char buffer[3 * CHUNK_BYTES];
	const struct author author = {.seed = 5, .worker = 6, .version = 7};
	struct tag tag;

	content_fill(buffer, &author, 9, 2 * CHUNK_BYTES, sizeof(buffer));
	cr_assert(content_tag(buffer + CHUNK_BYTES, CHUNK_BYTES, &tag));
	cr_expect_eq(tag.file, 9);
	cr_expect_eq(tag.chunk, 3);
	cr_expect_eq(tag.seed, 5);
	cr_expect_eq(tag.worker, 6);
	cr_expect_eq(tag.version, 7);
	cr_expect(content_belongs(buffer, 9, 2 * CHUNK_BYTES, sizeof(buffer)));
	cr_expect_not(content_belongs(buffer, 8, 2 * CHUNK_BYTES, sizeof(buffer)));
	cr_expect_not(content_belongs(buffer, 9, CHUNK_BYTES, sizeof(buffer)));
	cr_expect_not(content_belongs(buffer, 9, 2 * CHUNK_BYTES + TAG_BYTES, TAG_BYTES),
		      "a tag knows its place in the chunk");
	buffer[5000] ^= 1;
	cr_expect_not(content_belongs(buffer, 9, 2 * CHUNK_BYTES, sizeof(buffer)));
}

Test(workload_content, is_never_written_twice)
{
	static char a[CHUNK_BYTES], b[CHUNK_BYTES];
	const struct author authors[] = {{1, 2, 3}, {2, 2, 3}, {1, 3, 3}, {1, 2, 4}};

	content_fill(a, &authors[0], 1, 0, sizeof(a));
	for (int i = 1; i < 4; i++) {
		content_fill(b, &authors[i], 1, 0, sizeof(b));
		cr_expect(memcmp(a, b, sizeof(a)), "author %d", i);
	}
	content_fill(b, &authors[0], 1, CHUNK_BYTES, sizeof(b));
	cr_expect(memcmp(a, b, sizeof(a)), "another chunk");
	content_fill(b, &authors[0], 2, 0, sizeof(b));
	cr_expect(memcmp(a, b, sizeof(a)), "another file");
}

Test(workload_content, begins_in_the_middle_of_a_chunk_where_a_write_does)
{
	static char buffer[2 * CHUNK_BYTES];
	const struct author author = {.version = 1};
	const uint64_t offset = CHUNK_BYTES - 3 * TAG_BYTES;

	content_fill(buffer, &author, 1, offset, sizeof(buffer));
	cr_expect(content_belongs(buffer, 1, offset, sizeof(buffer)));
}

Test(workload_prng, has_the_published_values)
{
	struct prng prng = {.state = 1234567};

	/* of the authors' reference implementation */
	cr_expect_eq(prng_next(&prng), 6457827717110365317u);
	cr_expect_eq(prng_next(&prng), 3203168211198807973u);
}

Test(workload_prng, draws_sizes_with_the_mean_and_spread_of_the_gamma_distribution)
{
	const int draws = 200000;
	double sum = 0, squares = 0, mean;
	struct prng prng;

	prng_seed(&prng, 1, 0);
	for (int i = 0; i < draws; i++) {
		double x = prng_gamma(&prng, 3);

		cr_assert_geq(x, 0);
		sum += x;
		squares += x * x;
	}
	mean = sum / draws;
	cr_expect_float_eq(mean, 3, 0.03);
	/* variance = mean^2 / shape */
	cr_expect_float_eq(squares / draws - mean * mean, 6, 0.2);
}

Test(workload_prng, picks_evenly)
{
	int counts[7] = {0};
	struct prng prng;

	prng_seed(&prng, 3, 4);
	for (int i = 0; i < 70000; i++)
		counts[prng_below(&prng, 7)]++;
	for (int i = 0; i < 7; i++)
		cr_expect(counts[i] > 9500 && counts[i] < 10500, "%d: %d", i, counts[i]);
}
