/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `sky watch` shows: intervals, who is heaviest, pages; and traces that
 * are still being written.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/source.h"
#include "sim/watch/labels.h"
#include "sim/watch/page.h"

#define SECOND_NS 1000000000ull

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

/* Exact counts of few things, against a few places for them. */
Test(space_saving, keeps_its_bounds_on_random_streams)
{
	enum { THINGS = 400, PLACES = 32, ADDITIONS = 20000 };

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct space_saving *s = space_saving_new(PLACES);
		uint64_t exact[THINGS] = {0}, all = 0, seen[THINGS] = {0};
		const struct tracked *top[PLACES];
		uint64_t random = seed * 0x9e3779b97f4a7c15u;
		size_t count;

		for (int i = 0; i < ADDITIONS; i++) {
			uint32_t thing, bytes;

			random = random * 6364136223846793005u + 1442695040888963407u;
			/* small numbers are much more likely */
			thing = ((random >> 33) % THINGS) * ((random >> 43) % THINGS) / THINGS *
				((random >> 52) % THINGS) / THINGS;
			bytes = 1 + (random >> 20) % 4096;
			cr_assert_eq(space_saving_add(s, thing, 7, 1, bytes, i), 0);
			exact[thing] += bytes;
			all += bytes;
		}
		count = space_saving_top(s, 1, UINT64_MAX, top, PLACES);
		cr_assert_eq(count, PLACES);
		for (size_t i = 0; i < count; i++) {
			uint64_t thing = top[i]->key[0];

			seen[thing]++;
			cr_assert_leq(top[i]->missed, all / PLACES);
			cr_assert_leq(top[i]->total[1], exact[thing]);
			cr_assert_geq(top[i]->total[1] + top[i]->missed, exact[thing]);
			cr_assert_geq(top[i]->weight, exact[thing]);
			cr_assert(!i || top[i - 1]->total[1] >= top[i]->total[1]);
		}
		for (int thing = 0; thing < THINGS; thing++) {
			cr_assert_leq(seen[thing], 1);
			cr_assert(seen[thing] || exact[thing] <= all / PLACES);
		}
		space_saving_free(s);
	}
}

Test(space_saving, is_exact_where_all_have_room)
{
	struct space_saving *s = space_saving_new(8);
	const struct tracked *top[8];

	for (uint64_t i = 0; i < 80; i++)
		space_saving_add(s, i % 8, i % 8, 0, i, i / 40);
	cr_assert_eq(space_saving_top(s, 0, UINT64_MAX, top, 8), 8);
	for (uint64_t i = 0; i < 8; i++) {
		cr_expect_eq(top[i]->key[0], 7 - i);
		cr_expect_eq(top[i]->total[0], 10 * (7 - i) + 8 * 45);
		cr_expect_eq(top[i]->missed, 0);
		cr_expect_eq(space_saving_recent(top[i], 0, 1), 5 * (7 - i) + 8 * 35);
		cr_expect_eq(space_saving_recent(top[i], 0, 2), 0);
	}
	cr_expect_eq(space_saving_top(s, 1, UINT64_MAX, top, 8), 0);
	cr_expect_eq(space_saving_top(s, 0, 5, top, 8), 0);
	cr_expect_eq(space_saving_top(s, 0, UINT64_MAX, top, 0), 0);
	space_saving_free(s);
}

Test(labels, are_the_newest)
{
	struct labels *labels = labels_new(100);
	char name[600];

	for (uint64_t i = 0; i < 1000; i++) {
		struct text text = {name, snprintf(name, sizeof(name), "file %d", (int)i)};

		cr_assert_eq(labels_set(labels, 1, i, &text), 0);
		cr_assert_eq(labels_set_mark(labels, 1, 900, 77), 0);
	}
	cr_expect_null(labels_get(labels, 1, 899));
	cr_expect_str_eq(labels_get(labels, 1, 999), "file 999");
	cr_expect_str_eq(labels_get(labels, 1, 900), "file 900");
	cr_expect_eq(labels_mark(labels, 1, 900), 77);
	cr_expect_eq(labels_mark(labels, 2, 900), 0);
	memset(name, 'a', sizeof(name));
	memcpy(name + sizeof(name) - 4, "tail", 4);
	labels_set(labels, 1, 999, &(struct text){name, sizeof(name)});
	cr_expect_eq(strlen(labels_get(labels, 1, 999)), LABEL_BYTES_MAX);
	cr_expect_str_eq(labels_get(labels, 1, 999) + LABEL_BYTES_MAX - 5, "atail");
	labels_free(labels);
}

/* A watch with a log of what its sink was told. */
struct log {
	struct watch *watch;
	uint64_t seq, most;
	struct watch_interval *at;
	size_t count;
	struct watch_counts sum;
};

static bool note(void *context, struct watch *watch)
{
	struct log *log = context;
	const struct watch_interval *i = watch_interval(watch);
	uint64_t *sum = (uint64_t *)&log->sum;

	log->at = realloc(log->at, (log->count + 1) * sizeof(*log->at));
	log->at[log->count++] = *i;
	for (size_t n = 0; n < sizeof(log->sum) / sizeof(*sum); n++)
		sum[n] += ((const uint64_t *)&i->now)[n];
	return !log->most || log->count < log->most;
}

static void begin(struct log *log, uint64_t interval_ns)
{
	*log = (struct log){.watch = watch_new(interval_ns, note, log)};
	cr_assert(log->watch);
}

static bool feed(struct log *log, struct event *e, uint64_t time_ns)
{
	int error;
	bool more;

	e->seq = ++log->seq;
	e->time_ns = time_ns;
	more = watch_take(log->watch, e, &error);
	cr_assert_eq(error, 0);
	return more;
}

static bool mark_at(struct log *log, uint64_t time_ns)
{
	struct event e;

	event_init(&e, EVENT_MARK);
	e.mark.name = (struct text){"x", 1};
	return feed(log, &e, time_ns);
}

static void end(struct log *log)
{
	watch_free(log->watch);
	free(log->at);
}

Test(watch, intervals_are_as_long_as_they_should_be)
{
	static const uint64_t at_ms[] = {1000, 1001, 1099, 1100, 1350, 1349, 1399, 1400, 1404};
	struct log log;

	begin(&log, 100000000);
	for (size_t i = 0; i < sizeof(at_ms) / sizeof(*at_ms); i++)
		cr_assert(mark_at(&log, at_ms[i] * 1000000));
	cr_assert_eq(watch_finish(log.watch), 0);
	cr_assert_eq(log.count, 5);
	for (size_t i = 0; i < 5; i++) {
		cr_expect_eq(log.at[i].number, i);
		cr_expect_eq(log.at[i].start_ns, SECOND_NS + i * 100000000);
		cr_expect_eq(log.at[i].last, i == 4);
		cr_expect_eq(log.at[i].length_ns, i == 4 ? 4000000 : 100000000);
	}
	cr_expect_eq(log.at[0].now.events, 3);
	cr_expect_eq(log.at[1].now.events, 1);
	cr_expect_eq(log.at[2].now.events, 0);
	cr_expect_eq(log.at[3].now.events, 3);
	cr_expect_eq(log.at[4].now.events, 2);
	cr_expect_eq(log.at[4].total.events, 9);
	cr_expect_eq(log.at[4].total_ns, 404000000);
	cr_expect_eq(memcmp(&log.sum, &log.at[4].total, sizeof(log.sum)), 0);
	end(&log);
}

Test(watch, a_long_gap_is_left_out)
{
	struct log log;

	begin(&log, SECOND_NS);
	mark_at(&log, SECOND_NS);
	mark_at(&log, (1ull << 63) + SECOND_NS / 2);
	watch_finish(log.watch);
	cr_expect_leq(log.count, WATCH_GAP_MAX + 3);
	cr_expect_eq(log.at[log.count - 1].number, ((1ull << 63) - SECOND_NS / 2) / SECOND_NS);
	cr_expect_eq(log.at[log.count - 1].now.events, 1);
	cr_expect_eq(log.sum.events, 2);
	end(&log);
}

Test(watch, the_sink_ends_it)
{
	struct log log;

	begin(&log, SECOND_NS);
	log.most = 2;
	cr_expect(mark_at(&log, 0));
	cr_expect(mark_at(&log, SECOND_NS));
	cr_expect_not(mark_at(&log, 10 * SECOND_NS));
	cr_expect_eq(log.count, 2);
	end(&log);
}

Test(watch, time_passes_without_events)
{
	struct log log;

	begin(&log, SECOND_NS);
	cr_expect(watch_pass(log.watch, 100 * SECOND_NS));
	cr_expect_eq(log.count, 0, "time began before the first event");
	mark_at(&log, 0);
	watch_pass(log.watch, 2 * SECOND_NS + 1);
	cr_expect_eq(log.count, 2);
	mark_at(&log, SECOND_NS);
	watch_finish(log.watch);
	cr_expect_eq(log.count, 3);
	cr_expect_eq(log.at[2].now.events, 1);
	cr_expect_eq(log.at[2].length_ns, 0);
	end(&log);
}

/* Calls and requests, as a recorder tells of them. */
static void open_file(struct log *log, uint64_t time_ns, const char *path)
{
	struct event e;

	event_init(&e, EVENT_INSIGHT);
	e.pid = e.tid = 5;
	e.insight.number = call_number(ABI_LINUX64, CALL_fstat);
	e.insight.fd = 3;
	e.insight.device = 0x700;
	e.insight.inode = 12;
	e.insight.links = 1;
	e.insight.mode = 0100644;
	e.insight.path = (struct text){path, strlen(path)};
	feed(log, &e, time_ns);
}

static void call(struct log *log, uint64_t time_ns, enum call which, const struct words *sums)
{
	struct event e;

	event_init(&e, EVENT_ENTRY);
	e.pid = e.tid = 5;
	e.entry.number = call_number(ABI_LINUX64, which);
	e.entry.argument[0] = 3;
	e.entry.argument[2] = sums->count * CHUNK_BYTES;
	if (which == CALL_pwrite64) {
		e.entry.file_offset = 0;
		e.entry.sums = *sums;
	}
	feed(log, &e, time_ns);
	event_init(&e, EVENT_EXIT);
	e.pid = e.tid = 5;
	e.exit.number = call_number(ABI_LINUX64, which);
	e.exit.result = sums->count * CHUNK_BYTES;
	if (which == CALL_pread64) {
		e.exit.file_offset = 0;
		e.exit.sums = *sums;
	}
	feed(log, &e, time_ns + 1000);
}

static void request(struct log *log, uint64_t time_ns, enum block_op op, uint64_t id,
		    const struct words *sums)
{
	struct event e;

	event_init(&e, EVENT_BLOCK);
	e.block.op = op;
	e.block.id = id;
	e.block.sectors = sums->count * SECTORS_PER_CHUNK;
	if (op == BLOCK_WRITE)
		e.block.sums = *sums;
	feed(log, &e, time_ns);
	event_init(&e, EVENT_COMPLETE);
	e.complete.id = id;
	if (op == BLOCK_READ)
		e.complete.sums = *sums;
	feed(log, &e, time_ns + 1000);
}

static const uint64_t sums_of_data[] = {0xa1, 0xa2, 0xa3}, sums_of_rest[] = {0xee};
static const struct words data = {sums_of_data, 3}, rest = {sums_of_rest, 1};

Test(watch, counts_what_is_written_and_by_whom)
{
	struct watch_top top[8];
	struct log log;
	const struct watch_interval *i;

	begin(&log, SECOND_NS);
	open_file(&log, 0, "/a/file");
	call(&log, 1000, CALL_pwrite64, &data);
	request(&log, SECOND_NS + 1, BLOCK_WRITE, 1, &data);
	request(&log, SECOND_NS + 2, BLOCK_WRITE, 2, &rest);
	watch_finish(log.watch);
	i = watch_interval(log.watch);
	cr_expect_eq(i->total.requests[BLOCK_WRITE], 2);
	cr_expect_eq(i->total.bytes[BLOCK_WRITE], 4 * CHUNK_BYTES);
	cr_expect_eq(i->total.found[BLOCK_WRITE][4].requests, 1);
	cr_expect_eq(i->total.found[BLOCK_WRITE][4].chunks, 3);
	cr_expect_eq(i->total.found[BLOCK_WRITE][ROW_METADATA].bytes, CHUNK_BYTES);
	cr_expect_eq(i->total.call_bytes[BLOCK_WRITE], 3 * CHUNK_BYTES);
	cr_expect_float_eq(watch_amplification(&i->total, WRITTEN_ALL), 4.0 / 3, 1e-9);
	cr_expect_float_eq(watch_amplification(&i->total, WRITTEN_DATA), 1, 1e-9);
	cr_expect_lt(watch_amplification(&i->now, WRITTEN_ALL), 0, "nothing to divide by");
	cr_expect_float_eq(watch_metadata_share(&i->total, BLOCK_WRITE), 0.25, 1e-9);
	cr_expect_lt(watch_metadata_share(&i->total, BLOCK_READ), 0);
	cr_assert_eq(watch_files(log.watch, DISK_WRITTEN, false, top, 8), 1);
	cr_expect_str_eq(top[0].name, "/a/file");
	cr_expect_eq(top[0].now[DISK_WRITTEN], 3 * CHUNK_BYTES);
	cr_expect_eq(top[0].now[CALLS_WRITTEN], 0);
	cr_expect_eq(top[0].tracked->total[CALLS_WRITTEN], 3 * CHUNK_BYTES);
	cr_assert_eq(watch_processes(log.watch, DISK_WRITTEN, true, top, 8), 2);
	cr_expect_eq(top[0].tracked->key[0], 5);
	cr_expect_eq(top[1].tracked->key[0], PROCESS_FILE_SYSTEM);
	end(&log);
}

Test(watch, what_becomes_known_later_is_late)
{
	struct watch_top top[8];
	struct log log;

	begin(&log, SECOND_NS);
	open_file(&log, 0, "/a/file");
	request(&log, 1000, BLOCK_READ, 1, &data);
	request(&log, 2000, BLOCK_READ, 2, &rest);
	call(&log, 3 * SECOND_NS / 2, CALL_pread64, &data);
	mark_at(&log, 9 * SECOND_NS);
	watch_finish(log.watch);
	cr_assert_eq(log.count, 10);
	cr_expect_eq(log.at[0].pending_chunks, 4);
	cr_expect_eq(log.at[0].now.bytes[BLOCK_READ], 4 * CHUNK_BYTES);
	cr_expect_eq(log.at[1].pending_chunks, 1);
	cr_expect_eq(log.at[1].now.late_chunks, 3);
	cr_expect_eq(log.at[1].now.found[BLOCK_READ][4].chunks, 3);
	cr_expect_eq(log.at[9].pending_chunks, 0);
	cr_expect_eq(log.at[9].total.found[BLOCK_READ][ROW_METADATA].chunks, 1);
	cr_expect_eq(log.at[9].total.late_chunks, 4);
	cr_assert_eq(watch_processes(log.watch, DISK_READ, true, top, 8), 2);
	cr_expect_eq(top[0].tracked->key[0], 5);
	cr_expect_eq(top[0].tracked->total[DISK_READ], 3 * CHUNK_BYTES);
	end(&log);
}

Test(watch, tells_losses_and_broken_recordings)
{
	struct log log;
	struct event e;

	begin(&log, SECOND_NS);
	event_init(&e, EVENT_MARK);
	e.mark.name = (struct text){"command", 7};
	feed(&log, &e, 1);
	event_init(&e, EVENT_LOSS);
	e.loss.count = 12;
	feed(&log, &e, 2);
	log.seq += 5;
	mark_at(&log, 3);
	cr_expect(watch_broke_off(log.watch));
	event_init(&e, EVENT_MARK);
	e.mark.name = (struct text){"end", 3};
	feed(&log, &e, 4);
	cr_expect_not(watch_broke_off(log.watch));
	watch_finish(log.watch);
	cr_expect_eq(log.sum.lost_events, 12);
	cr_expect_eq(log.sum.missing_events, 5);
	cr_expect_eq(log.sum.events, 4);
	end(&log);
}

Test(watch, a_page_fits_whatever_the_terminal_is)
{
	struct page_options options = {.trace = "a trace with a rather long name.pcap",
				       .state = "live"};
	static struct page page;
	struct log log;

	begin(&log, SECOND_NS);
	open_file(&log, 0, "/a/file/with/a/very/long/name/so/that/its/beginning/is/not/shown\n");
	call(&log, 1000, CALL_pwrite64, &data);
	request(&log, 2000, BLOCK_WRITE, 1, &data);
	for (options.rows = 1; options.rows < 200; options.rows += 3) {
		for (options.columns = 1; options.columns < 400; options.columns += 7) {
			options.in_all = options.columns % 2;
			page_make(&page, log.watch, &options);
			cr_assert_leq(page.count, options.rows);
			for (unsigned i = 0; i < page.count; i++)
				cr_assert_leq(strlen(page.line[i].text), options.columns);
		}
	}
	options.rows = PAGE_ROWS - 1;
	options.columns = PAGE_COLUMNS;
	mark_at(&log, SECOND_NS);
	page_make(&page, log.watch, &options);
	cr_expect_leq(page.count, 23);
	cr_expect_str_eq(page.line[16].text,
			 ".../so/that/its/beginning/is/not/shown?     12.0K         0     12.0K"
			 "         0");
	end(&log);
}

/* Of all lines but those of files and processes, whose names are cut. */
Test(watch, no_number_is_cut_on_a_terminal_of_80_columns)
{
	struct page_options options = {.trace = "a.pcap", .state = "live", .rows = 15};
	static struct page page, wide;
	struct log log;
	struct event e;

	begin(&log, SECOND_NS);
	for (unsigned i = 0; i < 100000; i++) {
		event_init(&e, EVENT_BLOCK);
		e.block.op = i % BLOCK_OPS;
		e.block.id = i;
		e.block.sectors = 1u << 20;
		feed(&log, &e, i);
	}
	event_init(&e, EVENT_LOSS);
	e.loss.count = 1234567;
	feed(&log, &e, 100000);
	mark_at(&log, SECOND_NS);
	options.columns = PAGE_COLUMNS_MAX;
	page_make(&wide, log.watch, &options);
	options.columns = PAGE_COLUMNS;
	page_make(&page, log.watch, &options);
	cr_assert_eq(page.count, 15);
	for (unsigned i = 1; i < page.count; i++)
		cr_expect_str_eq(page.line[i].text, wide.line[i].text);
	cr_expect_neq(strstr(page.line[0].text, "no calls"), NULL, "%s", page.line[0].text);
	cr_expect_neq(strstr(page.line[14].text, "lost 1234k"), NULL, "%s", page.line[14].text);
	end(&log);
}

/* A stream's bytes of so many marks; the caller frees. */
static char *stream_bytes(int marks, size_t *bytes)
{
	int fd = memfd_create("stream", 0);
	struct sink *sink = stream_create(dup(fd), "stream");
	struct event e;
	char *at;

	for (int i = 0; i < marks; i++) {
		event_init(&e, EVENT_MARK);
		e.seq = e.time_ns = i + 1;
		e.mark.name = (struct text){"mark", 4};
		cr_assert_eq(sink_write(sink, &e, 1), 0);
	}
	sink_flush(sink);
	*bytes = lseek(fd, 0, SEEK_END);
	at = malloc(*bytes);
	cr_assert_eq(pread(fd, at, *bytes, 0), (ssize_t)*bytes);
	sink_abandon(sink);
	close(fd);
	return at;
}

struct growing {
	char path[64];
	char *bytes;
	size_t size, header, record;
	int fd;
	struct source *source;
	struct event events[BATCH_EVENTS];
};

/* A file that holds a header and three and a half records, and is open for more. */
static void begin_growing(struct growing *g)
{
	size_t two;

	free(stream_bytes(0, &g->header));
	free(stream_bytes(1, &two));
	g->record = two - g->header;
	g->bytes = stream_bytes(10, &g->size);
	strcpy(g->path, "/tmp/sky-growing-XXXXXX");
	g->fd = mkstemp(g->path);
	cr_assert_geq(g->fd, 0);
	cr_assert_gt(write(g->fd, g->bytes, g->header + 3 * g->record + g->record / 2), 0);
	g->source = trace_follow(g->path, KINDS_ALL);
	cr_assert(g->source);
}

static int read_marks(struct growing *g, int wanted)
{
	int count = 0;

	while (count < wanted) {
		ssize_t n = source_read(g->source, g->events, BATCH_EVENTS);

		if (n <= 0)
			return n ? -1 : count;
		count += n;
	}
	return count;
}

static void end_growing(struct growing *g)
{
	source_close(g->source);
	unlink(g->path);
	free(g->bytes);
}

Test(growing, a_record_that_is_not_whole_is_waited_for)
{
	struct growing g;
	size_t begun;

	begin_growing(&g);
	begun = g.header + 3 * g.record + g.record / 2;
	cr_expect_eq(read_marks(&g, 3), 3);
	cr_expect_not(source_ready(g.source, 150));
	cr_assert_gt(write(g.fd, g.bytes + begun, g.size - begun - 7), 0);
	cr_expect(source_ready(g.source, 10000));
	cr_expect_eq(read_marks(&g, 6), 6);
	cr_expect_not(source_ready(g.source, 150));
	cr_assert_eq(write(g.fd, g.bytes + g.size - 7, 7), 7);
	close(g.fd);
	cr_expect(source_ready(g.source, 10000));
	cr_expect_eq(read_marks(&g, 2), 1);
	cr_expect_eq(source_read(g.source, g.events, 1), 0);
	cr_expect_eq(g.source->cut_bytes, 0);
	end_growing(&g);
}

Test(growing, ends_where_its_writer_does)
{
	struct growing g;

	begin_growing(&g);
	cr_expect_eq(read_marks(&g, 3), 3);
	close(g.fd);
	cr_expect_eq(read_marks(&g, 1), 0);
	cr_expect_eq(g.source->cut_bytes, g.record / 2);
	end_growing(&g);
}

Test(growing, is_left_in_the_middle)
{
	struct growing g;

	begin_growing(&g);
	cr_expect_eq(read_marks(&g, 3), 3);
	end_growing(&g); /* would hang if the guard still waited */
	close(g.fd);
}

Test(growing, what_is_truncated_is_an_error)
{
	struct growing g;

	quiet();
	begin_growing(&g);
	cr_expect_eq(read_marks(&g, 3), 3);
	cr_assert_eq(ftruncate(g.fd, g.header), 0);
	cr_expect_eq(read_marks(&g, 1), -1);
	close(g.fd);
	end_growing(&g);
}

Test(growing, what_is_damaged_is_an_error)
{
	struct growing g;
	char garbage[64];

	quiet();
	memset(garbage, 0xff, sizeof(garbage));
	begin_growing(&g);
	cr_expect_eq(read_marks(&g, 3), 3);
	cr_assert_eq(pwrite(g.fd, garbage, sizeof(garbage), g.header + 3 * g.record), 64);
	lseek(g.fd, 0, SEEK_END);
	cr_assert_gt(write(g.fd, g.bytes, g.size), 0);
	cr_expect_eq(read_marks(&g, 1), -1);
	close(g.fd);
	end_growing(&g);
}
