/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From top to bottom: how much, of which class, what the file system adds to
 * it, which files and processes; the last two share the lines that are left.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "sim/watch/page.h"

struct layout {
	struct page *page;
	const struct watch *watch;
	const struct page_options *options;
	const struct watch_interval *interval;
	const struct watch_counts *now; /* of the interval, or of all */
	double seconds;			/* 0: nothing can be said per second */
};

/* Room for a number in short: "1023.9K". */
struct cell {
	char text[24];
};

static void line(struct layout *l, enum page_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Cut at the edge; what a file name holds beside ASCII becomes "?". */
static void line(struct layout *l, enum page_style style, const char *format, ...)
{
	unsigned columns = l->options->columns, rows = l->options->rows;
	struct page *page = l->page;
	char *text;
	va_list args;

	if (page->count >= rows || page->count >= PAGE_ROWS_MAX)
		return;
	text = page->line[page->count].text;
	page->line[page->count++].style = style;
	va_start(args, format);
	vsnprintf(text, sizeof(page->line->text), format, args);
	va_end(args);
	if (columns < PAGE_COLUMNS_MAX)
		text[columns] = '\0';
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* At most five characters up to 10 million, so that a line keeps the numbers at its end. */
static struct cell count_text(uint64_t count)
{
	struct cell c;

	if (count < 100000)
		snprintf(c.text, sizeof(c.text), "%" PRIu64, count);
	else
		snprintf(c.text, sizeof(c.text), "%" PRIu64 "k", count / 1000);
	return c;
}

static struct cell bytes_text(double value)
{
	static const char units[] = "BKMGTPE";
	struct cell c;
	int unit = 0;

	for (; value >= 1023.95 && unit < 6; unit++)
		value /= 1024;
	snprintf(c.text, sizeof(c.text),
		 unit	 ? "%.1f%c"
		 : value ? "%.0f%c"
			 : "0",
		 value, units[unit]);
	return c;
}

static const struct cell nothing = {"-"};

static struct cell count_rate(const struct layout *l, uint64_t count)
{
	double rate = l->seconds ? count / l->seconds : 0;
	struct cell c = nothing;

	if (l->seconds && (!count || rate >= 9.95))
		return count_text(rate + 0.5);
	if (l->seconds)
		snprintf(c.text, sizeof(c.text), "%.1f", rate);
	return c;
}

static struct cell bytes_rate(const struct layout *l, uint64_t bytes)
{
	return l->seconds ? bytes_text(bytes / l->seconds) : nothing;
}

static struct cell percent(double share)
{
	struct cell c = nothing;

	if (share >= 0)
		snprintf(c.text, sizeof(c.text), "%.1f%%", 100 * share);
	return c;
}

static struct cell ratio(double ratio)
{
	struct cell c = nothing;

	if (ratio >= 0)
		snprintf(c.text, sizeof(c.text),
			 ratio < 9.995	 ? "%.2f"
			 : ratio < 99.95 ? "%.1f"
					 : "%.0f",
			 ratio);
	return c;
}

static void put_title(struct layout *l)
{
	char left[PAGE_COLUMNS_MAX + 1], right[64];
	int columns =
		l->options->columns < PAGE_COLUMNS_MAX ? l->options->columns : PAGE_COLUMNS_MAX;
	bool blind = l->interval->total.events && !l->interval->evidence;
	const char *calls = blind ? "no calls  " : "";
	int room;

	snprintf(left, sizeof(left), "sky watch %s", l->options->trace);
	if (l->options->in_all)
		snprintf(right, sizeof(right), "%saverages of %.3f s  %s", calls, l->seconds,
			 l->options->state);
	else
		snprintf(right, sizeof(right), "%s%.3f s, the last %.6g s  %s", calls,
			 l->interval->total_ns / 1e9, l->seconds, l->options->state);
	room = columns - 1 - (int)strlen(right);
	if (room < 10)
		room = 10;
	line(l, PAGE_TITLE, "%-*.*s %s", room, room, left, right);
}

static void put_rates(struct layout *l)
{
	const struct watch_counts *now = l->now;

	line(l, PAGE_PLAIN, "requests/s read %s written %s flushes %s discards %s  events/s %s",
	     count_rate(l, now->requests[BLOCK_READ]).text,
	     count_rate(l, now->requests[BLOCK_WRITE]).text,
	     count_rate(l, now->requests[BLOCK_FLUSH]).text,
	     count_rate(l, now->requests[BLOCK_DISCARD]).text, count_rate(l, now->events).text);
	line(l, PAGE_PLAIN, "bytes/s disk: read %s written %s  calls: read %s written %s",
	     bytes_rate(l, now->bytes[BLOCK_READ]).text,
	     bytes_rate(l, now->bytes[BLOCK_WRITE]).text,
	     bytes_rate(l, now->call_bytes[BLOCK_READ]).text,
	     bytes_rate(l, now->call_bytes[BLOCK_WRITE]).text);
}

static void put_row(struct layout *l, enum watch_row row, const char *what, int io_class)
{
	const struct watch_counts *now = l->now, *total = &l->interval->total;
	char class_text[12] = "";

	if (io_class >= 0)
		snprintf(class_text, sizeof(class_text), "%d", io_class);
	line(l, PAGE_PLAIN, "%-15s %5s %8s %9s %8s %9s %10s %9s", what, class_text,
	     count_rate(l, now->found[BLOCK_READ][row].requests).text,
	     bytes_rate(l, now->found[BLOCK_READ][row].bytes).text,
	     count_rate(l, now->found[BLOCK_WRITE][row].requests).text,
	     bytes_rate(l, now->found[BLOCK_WRITE][row].bytes).text,
	     bytes_text(total->found[BLOCK_READ][row].bytes).text,
	     bytes_text(total->found[BLOCK_WRITE][row].bytes).text);
}

/* The bounds of size_class(): what `sky help classify` says of --size-bounds. */
static void put_classes(struct layout *l)
{
	static const char *const names[] = {"data, larger", "data < 14 MiB", "data < 10 MiB",
					    "data < 5 MiB", "data < 2 MiB"};
	const struct watch_counts *total = &l->interval->total;

	line(l, PAGE_HEAD, "%-15s %5s %8s %9s %8s %9s %10s %9s", "FOUND", "class", "reads/s",
	     "read/s", "writes/s", "written/s", "all read", "written");
	put_row(l, ROW_METADATA, "metadata", CLASS_METADATA);
	for (int row = CLASS_COUNT - 1; row > 4; row--)
		if (total->found[BLOCK_READ][row].chunks || total->found[BLOCK_WRITE][row].chunks)
			put_row(l, row, "application's", row);
	for (int row = 4; row >= 0; row--)
		put_row(l, row, names[row], row);
	put_row(l, ROW_UNCONSUMED, "read ahead only", -1);
	put_row(l, ROW_UNKNOWN, "unknown", -1);
}

static void put_overhead(struct layout *l)
{
	const struct watch_counts *now = l->now, *total = &l->interval->total;

	line(l, PAGE_PLAIN, "metadata share      read %s, written %s   in all %s, %s",
	     percent(watch_metadata_share(now, BLOCK_READ)).text,
	     percent(watch_metadata_share(now, BLOCK_WRITE)).text,
	     percent(watch_metadata_share(total, BLOCK_READ)).text,
	     percent(watch_metadata_share(total, BLOCK_WRITE)).text);
	line(l, PAGE_PLAIN, "write amplification %s (data %s, metadata %s)   in all %s (%s, %s)",
	     ratio(watch_amplification(now, WRITTEN_ALL)).text,
	     ratio(watch_amplification(now, WRITTEN_DATA)).text,
	     ratio(watch_amplification(now, WRITTEN_METADATA)).text,
	     ratio(watch_amplification(total, WRITTEN_ALL)).text,
	     ratio(watch_amplification(total, WRITTEN_DATA)).text,
	     ratio(watch_amplification(total, WRITTEN_METADATA)).text);
	line(l, PAGE_PLAIN, "chunks pending %s, late %s  events lost %s, missing %s  errors %s",
	     count_text(l->interval->pending_chunks).text, count_text(now->late_chunks).text,
	     count_text(total->lost_events).text, count_text(total->missing_events).text,
	     count_text(total->failed_requests).text);
}

static struct cell amount_text(const struct layout *l, const struct watch_top *top,
			       enum watch_amount amount)
{
	if (l->options->in_all)
		return bytes_text(top->tracked->total[amount]);
	return bytes_rate(l, top->now[amount]);
}

static void put_top_head(struct layout *l, const char *what)
{
	const char *per = l->options->in_all ? "" : "/s";
	char title[64];

	snprintf(title, sizeof(title), "%s by %s%s", what, watch_amount_names[l->options->by], per);
	line(l, PAGE_HEAD, "%-*s %9s %9s %9s %9s", (int)l->options->columns - 41, title, "disk wr",
	     "disk rd", "calls wr", "calls rd");
}

/* Of a name that is too long the end is shown. */
static void put_top(struct layout *l, const struct watch_top *top, const char *name)
{
	int room = l->options->columns > 51 ? (int)l->options->columns - 41 : 10;
	int length = strlen(name);
	bool cut = length > room;

	line(l, PAGE_PLAIN, "%s%-*s %9s %9s %9s %9s", cut ? "..." : "", cut ? room - 3 : room,
	     cut ? name + length - (room - 3) : name, amount_text(l, top, DISK_WRITTEN).text,
	     amount_text(l, top, DISK_READ).text, amount_text(l, top, CALLS_WRITTEN).text,
	     amount_text(l, top, CALLS_READ).text);
}

static void put_files(struct layout *l, unsigned most)
{
	struct watch_top top[WATCH_TOP_MAX];
	size_t count = watch_files(l->watch, l->options->by, l->options->in_all, top, most);

	put_top_head(l, "FILES");
	for (size_t i = 0; i < count; i++) {
		const uint64_t *key = top[i].tracked->key;
		char identity[64];

		snprintf(identity, sizeof(identity), "inode %" PRIu64 " of %u:%u", key[1],
			 major(key[0]), minor(key[0]));
		put_top(l, &top[i], top[i].name ? top[i].name : identity);
	}
}

static void put_processes(struct layout *l, unsigned most)
{
	struct watch_top top[WATCH_TOP_MAX];
	size_t count = watch_processes(l->watch, l->options->by, l->options->in_all, top, most);

	put_top_head(l, "PROCESSES");
	for (size_t i = 0; i < count; i++) {
		uint64_t process = top[i].tracked->key[0];
		char name[300];

		if (process == PROCESS_FILE_SYSTEM)
			snprintf(name, sizeof(name), "[the file system]");
		else if (process == PROCESS_UNKNOWN)
			snprintf(name, sizeof(name), "[unknown]");
		else if (process <= UINT32_MAX)
			snprintf(name, sizeof(name), "%" PRIu64 " %s", process,
				 top[i].name ? top[i].name : "");
		else
			snprintf(name, sizeof(name), "space %#" PRIx64 " %s", process << 1 >> 1,
				 top[i].name ? top[i].name : "");
		put_top(l, &top[i], name);
	}
}

void page_make(struct page *page, const struct watch *watch, const struct page_options *options)
{
	struct layout l = {
		.page = page,
		.watch = watch,
		.options = options,
		.interval = watch_interval(watch),
	};
	unsigned left, processes;

	page->count = 0;
	l.now = options->in_all ? &l.interval->total : &l.interval->now;
	l.seconds = (options->in_all ? l.interval->total_ns : l.interval->length_ns) / 1e9;
	put_title(&l);
	put_rates(&l);
	put_classes(&l);
	put_overhead(&l);
	/* a third, and never fewer than two, are processes; each part has its heading */
	left = options->rows > page->count + 2 ? options->rows - page->count - 2 : 0;
	processes = left / 3 > 2 ? left / 3 : 2;
	put_files(&l, left > processes ? left - processes : 1);
	put_processes(&l, processes);
}
