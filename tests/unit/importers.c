/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importers of requests in text and records: what they make of good lines, what
 * they say of wrong ones; order, completions, packed files.
 */
#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/import/completions.h"
#include "capture/import/disk_names.h"
#include "capture/import/foreign.h"
#include "capture/import/in_flight.h"

static int said; /* what the tested code says on stderr */

static void listen_to_errors(void)
{
	said = memfd_create("stderr", 0);
	dup2(said, STDERR_FILENO);
}

static const char *path_of(const char *ending)
{
	static char path[96];

	snprintf(path, sizeof(path), "/tmp/sky-importers-%d%s", getpid(), ending);
	return path;
}

static void forget_files(void)
{
	static const char *const endings[] = {"", ".blktrace.0", ".blktrace.3"};

	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
		unlink(path_of(endings[i]));
}

TestSuite(importers, .init = listen_to_errors, .fini = forget_files);

static const char *write_file(const char *ending, const void *bytes, size_t count)
{
	const char *path = path_of(ending);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(write(fd, bytes, count), (ssize_t)count);
	close(fd);
	return path;
}

static const struct importer *importer_of(const char *format)
{
	const struct component *found = component_find("import", format);

	cr_assert_not_null(found, "%s", format);
	return container_of(found, struct importer, head);
}

static const char *letters = "RWFDZ";

/* A request is "Rdisk:sector+sectors@ns", a completion "Cid@ns" or "Cid!error@ns". */
static char *describe(char *at, const struct event *e)
{
	if (e->kind == EVENT_BLOCK)
		at += sprintf(at, "%c%u:%lu+%u@%lu ", letters[e->block.op], e->block.disk,
			      e->block.sector, e->block.sectors, e->time_ns);
	else if (e->kind == EVENT_COMPLETE && e->complete.error)
		at += sprintf(at, "C%lu!%d@%lu ", e->complete.id, e->complete.error, e->time_ns);
	else if (e->kind == EVENT_COMPLETE)
		at += sprintf(at, "C%lu@%lu ", e->complete.id, e->time_ns);
	return at;
}

/* All of a file's requests and completions in words; NULL if it is refused. */
static const char *read_events(const char *format, const char *path,
			       const struct import_options *options)
{
	static char words[65536];
	struct source *source = import_open(importer_of(format), path, options);
	struct event events[3]; /* few at a time, so that every state is left and entered again */
	uint64_t seq = 0, time_ns = 0;
	char *at = words;
	ssize_t count;

	*at = '\0';
	if (!source)
		return NULL;
	while ((count = source_read(source, events, 3)) > 0)
		for (ssize_t i = 0; i < count; i++) {
			cr_assert_null(event_check(&events[i]));
			cr_assert_eq(events[i].seq, ++seq);
			cr_assert_geq(events[i].time_ns, time_ns);
			time_ns = events[i].time_ns;
			at = describe(at, &events[i]);
		}
	source_close(source);
	return count < 0 ? NULL : words;
}

/* The same of its requests alone. */
static const char *read_requests(const char *format, const char *path,
				 const struct import_options *options)
{
	static char words[65536];
	struct request_source *source = import_requests(importer_of(format), path, options);
	const struct request *requests;
	char *at = words;
	ssize_t count;

	*at = '\0';
	if (!source)
		return NULL;
	while ((count = request_read(source, &requests)) > 0)
		for (const struct request *r = requests; r < requests + count; r++)
			at += sprintf(at, "%c%u:%lu+%u@%lu ", letters[r->op], r->disk, r->sector,
				      r->sectors, r->time_ns);
	request_close(source);
	return count < 0 ? NULL : words;
}

static const char *without_completions(const char *words)
{
	static char kept[65536];
	char *to = kept;

	while (*words) {
		size_t length = strcspn(words, " ") + 1;

		if (*words != 'C') {
			memcpy(to, words, length);
			to += length;
		}
		words += length;
	}
	*to = '\0';
	return kept;
}

struct good {
	const char *format, *columns, *text, *events;
};

static const struct good goods[] = {
	{"alibaba", NULL,
	 "419,W,8792731648,16384,1577808144360767\n"
	 "3,R,4096,512,1577808144360768\n",
	 "W0:17173304+32@1577808144360767000 R1:8+1@1577808144360768000 "},
	{"alibaba", NULL,
	 "device_id,opcode,offset,length,timestamp\r\n"
	 "7,R,512,0,10\r\n"
	 "7,R,512,512,10\r\n",
	 "R0:1+1@10000 "},
	{"alibaba", NULL,
	 "device_id,opcode,offset,length,timestamp\n"
	 "7,R,512,512,1577808144360767\n",
	 "R0:1+1@1577808144360767000 "},
	{"msr", NULL,
	 "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime\n"
	 "128166372003061629,hm,1,Read,383496192,32768,1331\n",
	 "R0:749016+64@1172163600306162900 C1@1172163600306296000 "},
	{"csv", NULL,
	 "time_us,op,offset_bytes,length_bytes\n"
	 "1577808144360767,R,512,0\n1577808144360767,R,512,512\n",
	 "R0:1+1@1577808144360767000 "},
	{"tencent", NULL,
	 "1538323200,12910952,128,0,1063\n"
	 "1538323200,8,9,1,1283\n"
	 "1538323201,16,8,0,1063\n",
	 "R0:12910952+128@1538323200000000000 W1:8+9@1538323200000000000 "
	 "R0:16+8@1538323201000000000 "},
	{"msr", NULL,
	 "128166372003061629,hm,1,Read,383496192,32768,1331\n"
	 "128166372016382155,hm,1,Write,310983680,4096,113736\n"
	 "128166372016382255,src1,0,Write,2822144,4096,1257\n",
	 "R0:749016+64@1172163600306162900 C1@1172163600306296000 "
	 "W0:607390+8@1172163601638215500 W1:5512+8@1172163601638225500 "
	 "C3@1172163601638351200 C2@1172163601649589100 "},
	{"msr", NULL, "5,a,0,Read,0,512,1\n4,a,0,Write,512,512,9\n",
	 "W0:1+1@400 R0:0+1@500 C2@600 C1@1300 "},
	{"fiu", NULL,
	 "89966527996712 4253 nfsd 508516680 8 W 6 0 b5e9f4e5ab62a4fff5313a606b0ad4e3\n"
	 "89966527996713 1 a b (c) 8 16 R 3 1\n",
	 "W0:508516680+8@89966527996712 R1:8+16@89966527996713 "},
	{"fio", NULL,
	 "fio version 2 iolog\n/dev/sdb add\n/dev/sdb open\n/dev/sdb read 4096 512\n"
	 "/dev/sdb wait 250\nfile write 100 1000\n/dev/sdb sync\nfile trim 0 1048576\n"
	 "/dev/sdb close\n",
	 "R0:8+1@0 W1:0+3@250000 F0:0+0@250000 D1:0+2048@250000 "},
	{"fio", NULL,
	 "fio version 3 iolog\n0 /dev/sdb add\n5 /dev/sdb read 0 512\n"
	 "7 /dev/sdb datasync 0 0\n7 /dev/sdb wait 9 0\n",
	 "R0:0+1@5000 F0:0+0@7000 "},
	{"csv", NULL,
	 "time_us,op,disk,offset_bytes,length_bytes\n"
	 "# a comment\n\n"
	 "1.5,W,sda,4096,512\n2,read,\"sdb\",512,1024\n",
	 "W0:8+1@1500 R1:1+2@2000 "},
	{"csv", "time_ns,disk,offset_sectors,length_sectors,read",
	 "11413000 0 657728 16 1\n11565000 1 31244784 64 0\n",
	 "R0:657728+16@11413000 W1:31244784+64@11565000 "},
	{"csv", "-,offset_sectors,length_bytes,op,time_s", "0,20941264,8192,W,0.551706\n",
	 "W0:20941264+16@551706000 "},
	{"csv", NULL, "# made by 1, 2\n#\n#time_us op offset_bytes length_bytes\n1 R 0 512\n",
	 "R0:0+1@1000 "},
	{"csv", "time_us,op,offset_bytes,length_bytes", "# one, two\n1\tR\t0\t512\n",
	 "R0:0+1@1000 "},
	{"csv", "time_s,write,offset_4k,length_4k,response_ms,pid", "t;w;o;l;r;p\n1;0;2;3;0.5;77\n",
	 "R0:16+24@1000000000 C1@1000500000 "},
	{"csv", NULL,
	 "#DUMP_OFFSET.I,ELAPSED_USECS.D,CMD.S,LUN_SSID.I,LBA.I,NBLKS.I,LATENCY_USECS.D\n"
	 "3610768,81442951.096,WR_IN,1,2254431928,8,56.910\n",
	 "W0:2254431928+8@81442951096 C1@81443008006 "},
	{"blkparse", NULL,
	 "  8,0    3        1     0.000000000   697  Q   W 223490 + 8 [kjournald]\n"
	 "  8,0    3        2     0.000000829   697  G   W 223490 + 8 [kjournald]\n"
	 "  8,0    3        0     0.000000900     0  m   N cfq697S / insert_request\n"
	 "  8,0    3        3     0.000001000   697  D  WS 223490 + 8 [kjournald]\n"
	 "  8,0    3        4     0.000002000   697  D   R 36 (12 00 00 00 24 00 ..) [scsi]\n"
	 "  8,0    0        5     0.000003000     0  C  WS 223490 + 8 [0]\n"
	 "  8,0    0        6     0.000003500     0  C   R 99 + 1 [0]\n"
	 "253,1    0        7     0.000004000     9  Q FWFS 8 + 8 [dd]\n"
	 "253,1    0        8     0.000005000     9  Q  FN [dd]\n"
	 "253,1    0        9     0.000006000     9  Q   D 64 + 2048 [fstrim]\n"
	 "253,1    0       10     0.000007000     0  C FWFS 8 + 8 [-5]\n"
	 "CPU0 (8,0):\n Reads Queued:  0,  0KiB\n\nTotal (8,0):\n nothing of this is read\n",
	 "W0:223490+8@1000 C1@3000 W1:8+8@4000 F1:0+0@5000 D1:64+2048@6000 C2!-5@7000 "},
	{"blkparse", NULL,
	 "8,0 0 1 1.5 1 D R 8 + 8 [a]\n8,0 0 2 1.6 1 R R 8 + 8 [0]\n"
	 "8,0 0 3 1.7 1 D R 8 + 8 [a]\n8,0 0 4 1.8 1 D R 8 + 8 [b]\n"
	 "8,0 0 5 1.9 1 C R 8 + 8 [0]\n8,0 0 6 2.0 1 C R 8 + 8 (   12) [0]\n",
	 "R0:8+8@1500000000 R0:8+8@1800000000 C1@1900000000 C2@2000000000 "},
};

Test(importers, good_lines_become_requests_and_completions)
{
	for (const struct good *g = goods; g < goods + sizeof(goods) / sizeof(*goods); g++) {
		const struct import_options options = {.columns = g->columns};
		const char *path = write_file("", g->text, strlen(g->text)), *words;

		words = read_events(g->format, path, &options);
		cr_assert_not_null(words, "%s refuses: %s", g->format, g->text);
		cr_expect_str_eq(words, g->events, "%s", g->format);
		words = read_requests(g->format, path, &options);
		cr_assert_not_null(words);
		cr_expect_str_eq(words, without_completions(g->events), "%s", g->format);
	}
}

struct wrong {
	const char *format, *columns, *text, *sentence;
};

#define SHAPE "1577808144360767\n"

static const struct wrong wrongs[] = {
	{"alibaba", NULL, "", "is empty"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,0,512,9",
	 "is cut: nothing ends its last line, which is line 2"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,0,51", "line 2"},
	{"alibaba", NULL, "1,R,0,512,9\n1,X,0,512,9\n",
	 "line 2 doesn't begin with a device and R or W"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,-8,512,9\n", "line 2 has an offset or length"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,0,512,9,7\n", "line 2 doesn't end with a time"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,9223372036854775808,512,9\n",
	 "line 2 has an address beyond any disk; alibaba has offsets and lengths in bytes"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,99999999999999999999,512,9\n",
	 "line 2 has an address beyond"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,18446744073709551615,18446744073709551615,9\n",
	 "beyond any disk"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,0,1073741824,9\n",
	 "line 2 has a length of more than 64 MiB"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,0,512,999999999999999999999\n",
	 "line 2 has a time beyond any clock"},
	{"alibaba", NULL, "1,R,0,512,9\n1,R,0,512,1577808144360767\n",
	 "line 2 has a time more than 20 years"},
	{"alibaba", NULL, "1,R,0,512,1577808144\n1,R,0,512,1577808145\n",
	 "its first time is a date in s; alibaba has offsets and lengths in bytes, times in us"},
	{"alibaba", NULL, "1,R,8,8,1577808144360767\n1,W,17,8,1577808144360767\n",
	 "are they in sectors"},
	{"tencent", NULL, "1538323200000,8,8,0,1\n",
	 "line 1 has a time beyond any clock; tencent has"},
	{"tencent", NULL, "1538323200,4096,4096,0,1\n1538323200,81920,8192,1,1\n",
	 "are they in bytes"},
	{"tencent", NULL, "1538323200,8,8,0,1\n1538323200,8,262144,0,1\n",
	 "line 2 has a length of more"},
	{"tencent", NULL, "1538323200,8,8,0,1\n1538323200,8,8,2,1\n",
	 "line 2 doesn't end with 0 or 1"},
	{"msr", NULL, "1172163600,hm,0,Read,0,512,1\n", "is a date in s; msr has"},
	{"msr", NULL, "1172163600306162900,hm,0,Read,0,512,1\n",
	 "line 1 has a time beyond any clock; msr"},
	{"msr", NULL, "5,hm,0,Read,0,512,1\n5,hm,0,Read,0,512,99999999999999\n",
	 "response time of over a day"},
	{"msr", NULL, "5,hm,0,Read,0,512,1\n5,hm,0,read,0,512,1\n",
	 "line 2 has a type that is neither"},
	{"fiu", NULL, "1 2 a 4096 4096 W 6 0\n2 2 a 8192 4096 W 6 0\n", "are they in bytes"},
	{"fiu", NULL, "1 2 a 8 8 W 6 0\n2 2 a 8 8 W 6\n", "line 2 should be: time pid process"},
	{"fio", NULL, "fio version 4 iolog\n", "is no fio trace"},
	{"fio", NULL, "fio version 3 iolog\n/dev/sdb read 0 512\n",
	 "line 2 doesn't begin with a time"},
	{"fio", NULL, "fio version 2 iolog\n/dev/sdb eat 0 512\n", "line 2 has an action that fio"},
	{"fio", NULL, "fio version 2 iolog\n/dev/sdb read 0\n", "line 2 has no offset and length"},
	{"csv", NULL, "time,op,offset,length\n1,R,0,512\n", "is no csv trace"},
	{"csv", NULL, "time_us,offset_bytes,x\n1,0,512\n", "doesn't name a time, an op"},
	{"csv", "time,op,offset_bytes,length_bytes", "1,R,0,512\n", "there is no column \"time\""},
	{"csv", "time_us,time_ms", "1,1\n", "two columns for one thing: time_ms"},
	{"csv", "time_us,op", "1,R\n", "--columns doesn't name a time, an op"},
	{"csv", "time_us,op,offset_bytes,length_bytes", "1,R,0,512\n1,R,0\n",
	 "line 2 has fewer fields"},
	{"csv", "time_us,op,offset_bytes,length_bytes", "1,R,0,512\n1,R,0,1,2\n",
	 "line 2 has more fields"},
	{"csv", "time_us,op,offset_bytes,length_bytes", "1,1,0,512\n",
	 "name the column after what 1 is"},
	{"csv", "time_us,op,offset_bytes,length_bytes", "1,R,8,8\n1,R,17,8\n",
	 "are they in sectors"},
	{"alibaba", "time_us", "1,R,0,512,9\n", "the columns of alibaba are fixed"},
	{"blkparse", NULL, "8,0 0 1 0.5 1 D R 8 + 8 [a]\n8,0 0 x\n",
	 "line 2 has no number of a processor"},
	{"blkparse", NULL, "8,0 0 1 0.5 1 D R 8 + 8 [a]\n8,0 0 1 0.5 1 D R 8 8\n",
	 "has no sector + sectors"},
	{"blkparse", NULL, "1 2 a 8 8 W 6 0\n", "looks like fiu"},
	{"fiu", NULL, "1,R,0,512,9\n", "looks like alibaba: try `sky import alibaba`"},
};

/* What was said since the last time, which must be one sentence. */
static const char *sentence_said(void)
{
	static char text[4096];
	ssize_t bytes = pread(said, text, sizeof(text) - 1, 0);

	cr_assert_gt(bytes, 0, "nothing was said");
	text[bytes] = '\0';
	cr_assert_eq(strchr(text, '\n') - text, bytes - 1, "more than a sentence: %s", text);
	cr_assert_eq(ftruncate(said, 0), 0);
	lseek(said, 0, SEEK_SET);
	return text;
}

Test(importers, wrong_files_are_refused_in_one_sentence)
{
	for (const struct wrong *w = wrongs; w < wrongs + sizeof(wrongs) / sizeof(*wrongs); w++) {
		const struct import_options options = {.columns = w->columns};
		const char *path = write_file("", w->text, strlen(w->text)), *sentence;

		cr_assert_null(read_events(w->format, path, &options), "%s takes: %s", w->format,
			       w->text);
		sentence = sentence_said();
		cr_expect_not_null(strstr(sentence, w->sentence), "%s: \"%s\" should be in: %s",
				   w->format, w->sentence, sentence);
		cr_assert_null(read_requests(w->format, path, &options));
		sentence_said();
	}
}

Test(importers, no_format_takes_another_ones_file)
{
	const struct component *formats[32];
	size_t count = component_collect("import", formats, 32);

	for (const struct good *g = goods; g < goods + sizeof(goods) / sizeof(*goods); g++) {
		const char *path = write_file("", g->text, strlen(g->text));

		for (size_t i = 0; i < count && !g->columns; i++) {
			if (!strcmp(formats[i]->name, g->format))
				continue;
			cr_assert_null(read_events(formats[i]->name, path, NULL), "%s takes %s",
				       formats[i]->name, g->format);
			cr_expect_not_null(strstr(sentence_said(), g->format));
		}
	}
}

Test(importers, a_file_cut_anywhere_is_refused_or_ends_with_a_whole_line)
{
	const struct good *g = &goods[3];

	for (size_t cut = 1; cut < strlen(g->text); cut++) {
		const char *words = read_events(g->format, write_file("", g->text, cut), NULL);

		cr_expect_eq(words != NULL, g->text[cut - 1] == '\n', "cut at %zu", cut);
	}
}

/* What ends in a way that only a whole line does. */
static const struct good unended[] = {
	{"alibaba", NULL, "1,R,0,512,1577808144360767\n1,W,8192,512,1577808144360768\n", NULL},
	{"fiu", NULL,
	 "1 2 a 8 8 W 6 0 b5e9f4e5ab62a4fff5313a606b0ad4e3\n"
	 "2 2 a 8 8 R 6 0 b5e9f4e5ab62a4fff5313a606b0ad4e3\n",
	 NULL},
	{"blkparse", NULL, "8,0 0 1 1.5 1 D R 8 + 8 [a b]\n8,0 0 2 1.6 1 C R 8 + 8 [0]\n", NULL},
	{"csv", "time_ns,offset_sectors,length_sectors,read", "5 64 8 0\n6 64 8 1\n", NULL},
	{"csv", NULL, "time_us,op,offset_bytes,length_bytes,pid,read_ahead\n5,R,0,512,3,x\n", NULL},
};

Test(importers, a_last_line_that_shows_its_end_is_whole)
{
	for (size_t i = 0; i < sizeof(unended) / sizeof(*unended); i++) {
		const struct good *g = &unended[i];
		const struct import_options options = {.columns = g->columns};
		size_t bytes = strlen(g->text);
		const char *words =
			read_events(g->format, write_file("", g->text, bytes), &options);
		char *whole;

		cr_assert_not_null(words);
		whole = strdup(words);
		words = read_events(g->format, write_file("", g->text, bytes - 1), &options);
		cr_assert_not_null(words, "%s: %s", g->format, g->text);
		cr_expect_str_eq(words, whole);
		free(whole);
	}
}

Test(importers, cut_anywhere_else_it_is_refused)
{
	for (size_t i = 0; i < 3; i++) {
		const struct good *g = &unended[i];

		for (size_t cut = 1; cut < strlen(g->text) - 1; cut++) {
			bool first_whole = strncmp(g->text + cut, "\n", 1) == 0;
			const char *words =
				read_events(g->format, write_file("", g->text, cut), NULL);

			cr_expect_eq(words != NULL, first_whole || g->text[cut - 1] == '\n',
				     "%s cut at %zu", g->format, cut);
		}
	}
}

Test(importers, a_line_without_end_takes_no_memory)
{
	size_t bytes = 8 << 20;
	char *text = malloc(bytes);

	memset(text, '1', bytes);
	memcpy(text, "1,R,0,512,9\n", 12);
	cr_expect_null(read_events("alibaba", write_file("", text, bytes), NULL));
	cr_expect_not_null(strstr(sentence_said(), "line 2 is longer than any"));
	free(text);
}

/* Lines of rising times; the one at `late` belongs to the beginning. */
static const char *write_times(size_t lines, size_t late)
{
	char *text = malloc(lines * 48), *at = text;

	for (size_t i = 0; i < lines; i++)
		at += sprintf(at, "1,R,%zu,512,%zu\n", i * 512, i == late ? 0 : 1000 + i);
	write_file("", text, at - text);
	free(text);
	return path_of("");
}

static size_t count_sorted(const char *path)
{
	struct request_source *source = import_requests(importer_of("alibaba"), path, NULL);
	const struct request *requests;
	uint64_t time_ns = 0;
	size_t total = 0;
	ssize_t count;

	while (source && (count = request_read(source, &requests)) > 0)
		for (ssize_t i = 0; i < count; i++, total++) {
			cr_assert_geq(requests[i].time_ns, time_ns);
			time_ns = requests[i].time_ns;
		}
	request_close(source);
	return source && !count ? total : 0;
}

Test(importers, records_are_sorted_within_the_window_and_refused_beyond_it)
{
	cr_expect_eq(count_sorted(write_times(300000, 100000)), 300000);
	cr_expect_eq(count_sorted(write_times(3 * FOREIGN_WINDOW, 2 * FOREIGN_WINDOW)), 0);
	cr_expect_not_null(strstr(sentence_said(), "line 131073 is 0.066 s earlier than one more "
						   "than 65536 before it; sort the file by time"));
}

Test(importers, equal_times_keep_the_files_order)
{
	static const char text[] = "9,1,8,0,1\n8,2,8,0,1\n8,3,8,0,1\n8,4,8,0,1\n";
	const char *words = read_events("tencent", write_file("", text, strlen(text)), NULL);

	cr_assert_not_null(words);
	cr_expect_str_eq(words, "R0:2+8@8000000000 R0:3+8@8000000000 R0:4+8@8000000000 "
				"R0:1+8@9000000000 ");
}

Test(importers, too_many_disks_are_refused)
{
	char *text = malloc((DISK_NAMES_MAX + 1) * 32), *at = text;

	for (unsigned int i = 0; i <= DISK_NAMES_MAX; i++)
		at += sprintf(at, "%u,R,0,512,9\n", i);
	cr_expect_null(read_events("alibaba", write_file("", text, at - text), NULL));
	cr_expect_not_null(strstr(sentence_said(), "line 65537 names one disk more"));
	free(text);
}

Test(importers, disks_get_attributes_with_their_names)
{
	char text[4096], *at = text;
	struct source *source;
	struct event e[BATCH_EVENTS];
	size_t names = 0;
	ssize_t count;

	for (unsigned int i = 0; i < 200; i++)
		at += sprintf(at, "%u,R,0,512,9\n", i * 7);
	source = import_open(importer_of("alibaba"), write_file("", text, at - text), NULL);
	cr_assert_not_null(source);
	while ((count = source_read(source, e, BATCH_EVENTS)) > 0)
		for (ssize_t i = 0; i < count; i++) {
			char name[32], value[32];

			snprintf(name, sizeof(name), "disk.%zu.name", names);
			snprintf(value, sizeof(value), "%zu", names * 7);
			names += e[i].kind == EVENT_ATTRIBUTE &&
				 text_is(&e[i].attribute.name, name) &&
				 text_is(&e[i].attribute.value, value);
		}
	source_close(source);
	cr_expect_eq(names, 200);
}

/* A file of a filter's and in a tar or not, cut or whole. */
static const char *write_packed(const char *text, int filter, bool tar, int files, size_t cut)
{
	static char packed[16384];
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	size_t used = 0;

	cr_assert_eq(archive_write_add_filter(a, filter), ARCHIVE_OK);
	cr_assert_eq(tar ? archive_write_set_format_ustar(a) : archive_write_set_format_raw(a), 0);
	cr_assert_eq(archive_write_open_memory(a, packed, sizeof(packed), &used), 0);
	archive_entry_set_pathname(entry, "trace");
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_size(entry, strlen(text));
	for (; files; files--) {
		cr_assert_eq(archive_write_header(a, entry), 0);
		cr_assert_eq(archive_write_data(a, text, strlen(text)), (ssize_t)strlen(text));
	}
	cr_assert_eq(archive_write_close(a), 0);
	archive_write_free(a);
	archive_entry_free(entry);
	return write_file("", packed, used - cut);
}

Test(importers, packed_files_are_read_and_cut_ones_refused)
{
	static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ,
				      ARCHIVE_FILTER_LZ4, ARCHIVE_FILTER_BZIP2};
	const struct good *g = &goods[0];

	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		for (int tar = 0; tar < 2; tar++) {
			const char *words = read_events(
				g->format, write_packed(g->text, filters[i], tar, 1, 0), NULL);

			cr_assert_not_null(words);
			cr_expect_str_eq(words, g->events);
		}
		cr_expect_null(read_events(g->format,
					   write_packed(g->text, filters[i], false, 1, 7), NULL));
		cr_expect_not_null(strstr(sentence_said(), path_of("")));
	}
	cr_expect_null(read_events(g->format,
				   write_packed(g->text, ARCHIVE_FILTER_ZSTD, true, 2, 0), NULL));
	cr_expect_not_null(strstr(sentence_said(), "holds more than one file"));
}

Test(importers, the_last_line_of_a_packed_file_needs_no_newline)
{
	static const char text[] = "1538323200,8,8,0,17\n1538323200,8,8,0,17";
	const char *words =
		read_events("tencent", write_packed(text, ARCHIVE_FILTER_GZIP, false, 1, 0), NULL);

	cr_expect_not_null(words);
	cr_expect_null(read_events("tencent", write_file("", text, strlen(text)), NULL));
	cr_expect_not_null(strstr(sentence_said(), "is cut: nothing ends its last line"));
	cr_expect_null(read_events(
		"tencent",
		write_packed("1538323200,8,8,0,17\n1538323200,8", ARCHIVE_FILTER_GZIP, false, 1, 0),
		NULL));
	cr_expect_not_null(strstr(sentence_said(), "is cut: nothing ends its last line"));
}

Test(importers, objects_are_read_packed)
{
	/* seconds, object, bytes, next: two records that hold no NUL at their end would do as text */
	uint8_t records[48] = {0};
	struct request_source *source;
	const struct request *requests;
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	static char packed[4096];
	size_t used = 0;

	for (int i = 0; i < 2; i++) {
		records[24 * i] = i;
		records[24 * i + 4] = 7 + i;
		records[24 * i + 13] = 2; /* 512 bytes */
		memset(records + 24 * i + 16, 0xff, 8);
	}
	archive_write_add_filter_zstd(a);
	archive_write_set_format_raw(a);
	archive_write_open_memory(a, packed, sizeof(packed), &used);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_header(a, entry);
	archive_write_data(a, records, sizeof(records));
	archive_write_close(a);
	archive_write_free(a);
	archive_entry_free(entry);
	source = import_requests(importer_of("oracleGeneral"), write_file("", packed, used), NULL);
	cr_assert_not_null(source);
	cr_expect(source->objects);
	cr_assert_eq(request_read(source, &requests), 2);
	cr_expect_eq(requests[1].sector, 8);
	cr_expect_eq(requests[1].sectors, 1);
	cr_expect_eq(request_read(source, &requests), 0);
	request_close(source);
}

struct trace_record {
	uint64_t time_ns, sector;
	uint32_t bytes, action, minor;
	uint16_t error, payload;
};

#define READ_ACT  (1u << 16)
#define WRITE_ACT (2u << 16)

/* Records of linux/blktrace_api.h, in either byte order. */
static size_t encode(uint8_t *at, const struct trace_record *r, size_t count, bool big)
{
	uint8_t *begin = at;

	for (; count; count--, r++) {
		uint32_t words32[] = {0x65617407, 1},
			 rest32[] = {r->bytes, r->action, 99, 8 << 20 | r->minor, 0};
		uint64_t words64[] = {r->time_ns, r->sector};
		uint16_t words16[] = {r->error, r->payload};

		for (size_t i = 0; i < 2; i++) {
			words32[i] = big ? htobe32(words32[i]) : htole32(words32[i]);
			words64[i] = big ? htobe64(words64[i]) : htole64(words64[i]);
			words16[i] = big ? htobe16(words16[i]) : htole16(words16[i]);
		}
		for (size_t i = 0; i < 5; i++)
			rest32[i] = big ? htobe32(rest32[i]) : htole32(rest32[i]);
		memset(at, 0, 48 + r->payload);
		memcpy(at, words32, 8);
		memcpy(at + 8, words64, 16);
		memcpy(at + 24, rest32, 20);
		memcpy(at + 44, words16, 4);
		at += 48 + r->payload;
	}
	return at - begin;
}

static const struct trace_record first_cpu[] = {
	{0, 0, 0, 0x400u << 16 | 1, 0, 0, 16},		      /* a note of the clock */
	{100, 8, 4096, WRITE_ACT | 0x10u << 16 | 1, 0, 0, 0}, /* Q: this disk issues */
	{200, 8, 4096, WRITE_ACT | 0x48u << 16 | 7, 0, 0, 8}, /* D, sync */
	{300, 24, 512, READ_ACT | 0x10u << 16 | 1, 1, 0, 0},  /* Q of a disk that doesn't issue */
	{400, 0, 0, 4u << 16 | WRITE_ACT | 0x40u << 16 | 7, 0, 0, 0}, /* D: a flush */
	{500, 36, 36, READ_ACT | 0x240u << 16 | 7, 0, 0, 0},	      /* D: a SCSI command */
};

static const struct trace_record fourth_cpu[] = {
	{250, 8, 4096, WRITE_ACT | 0x20u << 16 | 6, 0, 0, 0},	      /* R: comes back */
	{260, 8, 4096, WRITE_ACT | 0x40u << 16 | 7 | 0x100, 0, 0, 0}, /* D again, of a cgroup */
	{350, 8, 4096, WRITE_ACT | 0x80u << 16 | 8, 0, 0, 0},
	{360, 24, 512, READ_ACT | 0x80u << 16 | 8, 1, (uint16_t)-5, 0},
	{450, 0, 0, 4u << 16 | WRITE_ACT | 0x80u << 16 | 8, 0, 0, 0},
	{460, 8, 1 << 20, 0x2000u << 16 | WRITE_ACT | 0x40u << 16 | 7, 0, 0, 0}, /* D: a discard */
};

Test(importers, blktrace_files_of_all_processors_are_merged_in_both_byte_orders)
{
	static const char expected[] = "W0:8+8@200 R1:24+1@300 C1@350 C2!-5@360 F0:0+0@400 C3@450 "
				       "D0:8+2048@460 ";
	uint8_t bytes[4096];

	for (int big = 0; big < 2; big++) {
		const char *words;

		write_file(".blktrace.0", bytes, encode(bytes, first_cpu, 6, big));
		write_file(".blktrace.3", bytes, encode(bytes, fourth_cpu, 6, big));
		words = read_events("blktrace", path_of(".blktrace.0"), NULL);
		cr_assert_not_null(words);
		cr_expect_str_eq(words, expected);
		words = read_events("blktrace", path_of(".blktrace.3"), NULL);
		cr_assert_not_null(words);
		cr_expect_str_eq(words, expected, "any of the files stands for all");
		words = read_requests("blktrace", path_of(".blktrace.0"), NULL);
		cr_assert_not_null(words);
		cr_expect_str_eq(words, without_completions(expected));
	}
}

Test(importers, blktrace_records_that_are_cut_or_of_another_machine_are_refused)
{
	uint8_t bytes[4096];
	size_t count = encode(bytes, first_cpu, 6, false);

	for (size_t cut = 1; cut < 48; cut++) {
		cr_assert_null(read_events("blktrace", write_file("", bytes, count - cut), NULL));
		cr_expect_not_null(strstr(sentence_said(), "is cut: record 6 has only"));
	}
	cr_assert_null(read_events("blktrace", write_file("", bytes, 48 + 7), NULL));
	cr_expect_not_null(strstr(sentence_said(), "is cut: record 1 has only 55 of 64 bytes"));
	encode(bytes + count, first_cpu, 1, true);
	cr_assert_null(read_events("blktrace", write_file("", bytes, count + 64), NULL));
	cr_expect_not_null(strstr(sentence_said(), "record 7 has no magic"));
	bytes[0] = 6;
	cr_assert_null(read_events("blktrace", write_file("", bytes, count), NULL));
	cr_expect_not_null(strstr(sentence_said(), "is no blktrace trace"));
}

Test(importers, requests_to_one_place_complete_in_their_order)
{
	const struct place place = {8, 0, BLOCK_READ}, other = {8, 1, BLOCK_READ};
	struct in_flight f;

	cr_assert_eq(in_flight_init(&f), 0);
	for (uint64_t id = 1; id <= 3; id++)
		cr_expect_eq(in_flight_issue(&f, &place, id), 1);
	in_flight_requeue(&f, &place);
	in_flight_requeue(&f, &other);
	cr_expect_eq(in_flight_issue(&f, &place, 4), 0, "the first, again");
	cr_expect_eq(in_flight_complete(&f, &other), 0);
	for (uint64_t id = 1; id <= 3; id++)
		cr_expect_eq(in_flight_complete(&f, &place), id);
	cr_expect_eq(in_flight_complete(&f, &place), 0);
	in_flight_fini(&f);
}

Test(importers, what_is_in_flight_is_bounded)
{
	struct completions completions = {0};
	uint64_t earlier = 0;

	for (uint64_t i = 0; i < IN_FLIGHT_MAX; i++)
		cr_assert_eq(completions_push(&completions,
					      (struct completion){i * 7919 % 1000003, i, 0}),
			     0);
	cr_expect_eq(completions_push(&completions, (struct completion){0}), -EOVERFLOW);
	while (completions.count) {
		struct completion c = completions_pop(&completions);

		cr_assert_geq(c.time_ns, earlier);
		earlier = c.time_ns;
	}
	completions_fini(&completions);
}
