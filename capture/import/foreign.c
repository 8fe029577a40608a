/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records wait in a window of up to twice FOREIGN_WINDOW. When it is full, or
 * the file has ended, it is sorted if it has to be, and its earlier half
 * goes out. A record that is earlier than what went out is refused.
 */
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "completions.h"
#include "disk_names.h"
#include "foreign.h"
#include "in_flight.h"

#define WINDOW_ENTRIES (2 * FOREIGN_WINDOW)
#define READ_REQUESTS  4096

/* What no request, disk or time of a real trace reaches: beyond it the units are wrong. */
#define REQUEST_SECTORS_MAX ((64u << 20) / SECTOR_BYTES)
#define SECTOR_MAX	    (1ull << 50)
#define SPAN_NS_MAX	    (20 * 366 * 86400 * NS_PER_SECOND)
#define RESPONSE_NS_MAX	    (86400 * NS_PER_SECOND)

/* Seconds since 1970: a number in between is taken for a date. */
#define YEAR_2001 978307200ull
#define YEAR_2100 4102444800ull

#define HEAD_ATTRIBUTES 5
#define TAIL_ATTRIBUTES 4
#define DISKS_A_READ	64 /* whose names are told */

const char foreign_skipped[] = "", foreign_nothing[] = "";

struct entry {
	uint64_t time_ns, response_ns, sector;
	uint64_t number; /* of the record, from 1 */
	uint32_t sectors, disk, flags, pid;
	int32_t error;
	uint8_t op, kind;
};

struct attribute {
	char name[32], value[160];
};

struct foreign {
	struct source source;
	struct request_source requests;
	const struct foreign_format *format;
	struct import_options options;
	struct byte_reader *reader;
	char *path;
	void *state;
	unsigned int unit_bytes;

	struct entry *entry; /* the window */
	size_t count, ready, next;
	bool ended, unsorted;
	uint64_t number;     /* of the record read last */
	uint64_t newest_ns;  /* its time */
	uint64_t first_ns;   /* the first record's, if ... */
	bool has_first;
	uint64_t emitted_ns; /* nothing earlier can be taken any more */
	uint64_t skipped, sorted, rounded, unmatched;
	uint64_t whole_units; /* how many are multiples of 512 units */

	struct completions completions;
	struct in_flight in_flight;
	struct disk_names disks;
	uint64_t seq, id, time_ns; /* of the event emitted last */
	struct attribute attributes[HEAD_ATTRIBUTES + TAIL_ATTRIBUTES];
	unsigned int attribute_count, attributes_done;
	uint32_t disks_told;
	char disk_label[DISKS_A_READ][24];
	struct request *request; /* where requests alone are asked for */
};

void *foreign_state(const struct foreign *f)
{
	return f->state;
}

const char *foreign_path(const struct foreign *f)
{
	return f->path;
}

const struct import_options *foreign_options(const struct foreign *f)
{
	return &f->options;
}

struct byte_reader *foreign_reader(struct foreign *f)
{
	return f->reader;
}

void foreign_set_unit(struct foreign *f, unsigned int unit_bytes)
{
	f->unit_bytes = unit_bytes;
}

void foreign_skip(struct foreign *f)
{
	f->skipped++;
}

const char *foreign_disk(struct foreign *f, const char *at, const char *end, uint32_t *disk)
{
	return disk_names_find(&f->disks, at, end, disk);
}

bool foreign_first_line(const void *first, size_t bytes, const char **at, const char **end)
{
	const char *newline = memchr(first, '\n', bytes);

	*at = first;
	*end = newline ? newline : *at + bytes;
	if (newline && newline > *at && newline[-1] == '\r')
		--*end;
	return *end > *at && !memchr(*at, '\0', *end - *at);
}

bool foreign_begins(const char *at, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - at) >= length && !strncasecmp(at, word, length);
}

static bool is_access(uint8_t op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE;
}

/* Out of the format's units; NULL, or what is wrong. */
static const char *place(struct foreign *f, const struct foreign_record *r, struct entry *entry)
{
	uint64_t end;

	if (__builtin_add_overflow(r->offset, r->length, &end) || end > INT64_MAX)
		return "has an address beyond any disk";
	if (f->unit_bytes == 1) {
		f->rounded += (r->offset | r->length) % SECTOR_BYTES != 0;
		end = end / SECTOR_BYTES + (end % SECTOR_BYTES != 0);
		entry->sector = r->offset / SECTOR_BYTES;
	} else {
		entry->sector = r->offset;
	}
	f->whole_units += (r->offset | r->length) % SECTOR_BYTES == 0;
	if (end > SECTOR_MAX)
		return "has an address beyond any disk";
	if (end - entry->sector > (is_access(r->op) ? REQUEST_SECTORS_MAX : UINT32_MAX))
		return "has a length of more than 64 MiB";
	entry->sectors = end - entry->sector;
	return NULL;
}

static const char *check_times(struct foreign *f, const struct foreign_record *r)
{
	uint64_t before = f->first_ns > SPAN_NS_MAX ? f->first_ns - SPAN_NS_MAX : 0;

	if (r->time_ns > INT64_MAX)
		return "has a time beyond any clock";
	if (!f->has_first)
		f->first_ns = r->time_ns;
	else if (r->time_ns > f->first_ns + SPAN_NS_MAX || r->time_ns < before)
		return "has a time more than 20 years from the first";
	f->has_first = true;
	if (r->response_ns != RESPONSE_UNKNOWN && r->response_ns > RESPONSE_NS_MAX)
		return "has a response time of over a day";
	return NULL;
}

static const char *counted_as(const struct foreign *f)
{
	return f->format->next ? "record" : "line";
}

static int wrong_units(const struct foreign *f, const char *what)
{
	return fail("%s: %s %" PRIu64 " %s; %s has %s", f->path, counted_as(f), f->number, what,
		    f->format->name, f->format->units);
}

static int too_late(const struct foreign *f, const struct foreign_record *r)
{
	uint64_t late_ms = (f->emitted_ns - r->time_ns) / 1000000;

	return fail("%s: %s %" PRIu64 " is %" PRIu64 ".%03u s earlier than one more than %u before "
		    "it; sort the file by time",
		    f->path, counted_as(f), f->number, late_ms / 1000,
		    (unsigned int)(late_ms % 1000), FOREIGN_WINDOW);
}

/* Into the window; 0, or -1 after saying what is wrong. */
static int take(struct foreign *f, const struct foreign_record *r)
{
	struct entry *entry = &f->entry[f->count];
	const char *wrong = check_times(f, r);

	if (!wrong)
		wrong = place(f, r, entry);
	if (wrong)
		return wrong_units(f, wrong);
	if (r->time_ns < f->emitted_ns)
		return too_late(f, r);
	if (r->kind == FOREIGN_REQUEST && is_access(r->op) && !entry->sectors) {
		f->skipped++;
		return 0;
	}
	if (r->time_ns < f->newest_ns) {
		f->sorted++;
		f->unsorted = true;
	}
	f->newest_ns = r->time_ns;
	entry->time_ns = r->time_ns;
	entry->response_ns = r->response_ns;
	entry->number = f->number;
	entry->disk = r->disk;
	entry->flags = r->flags;
	entry->pid = r->pid;
	entry->error = r->error;
	entry->op = r->op;
	entry->kind = r->kind;
	f->count++;
	return 0;
}

bool foreign_recognise(const struct foreign_format *format, const void *first, size_t bytes)
{
	struct foreign_record record;
	struct foreign_name disk;
	const char *at, *end;

	return foreign_first_line(first, bytes, &at, &end) &&
	       ((format->header && foreign_begins(at, end, format->header)) ||
		!format->parse(at, end, &record, &disk));
}

static const char *decode_line(struct foreign *f, const char *at, const char *end,
			       struct foreign_record *r)
{
	struct foreign_name disk;
	const char *wrong;

	if (f->format->line)
		return f->format->line(f, at, end, r);
	wrong = f->format->parse(at, end, r, &disk);
	return wrong ? wrong : foreign_disk(f, disk.at, disk.end, &r->disk);
}

static bool is_wrong(const char *what)
{
	return what && what != foreign_skipped && what != foreign_nothing;
}

/* Whoever packed a file had the whole of it, and its end was found. */
static bool is_whole(const struct foreign *f, const char *at, const char *end)
{
	return f->reader->packed || (f->format->is_whole && f->format->is_whole(f, at, end));
}

static int read_line(struct foreign *f, struct foreign_record *r)
{
	const char *at, *end, *wrong;
	int rc;

	for (;;) {
		rc = byte_reader_any_line(f->reader, &at, &end);
		if (rc <= 0)
			return rc;
		f->number = f->reader->taken;
		*r = (struct foreign_record){.response_ns = RESPONSE_UNKNOWN};
		wrong = decode_line(f, at, end, r);
		if (f->reader->unended && (is_wrong(wrong) || !is_whole(f, at, end)))
			return byte_reader_cut(f->reader);
		if (!wrong)
			return 1;
		if (wrong == foreign_skipped)
			f->skipped++;
		else if (is_wrong(wrong))
			return fail("%s: line %" PRIu64 " %s", f->path, f->number, wrong);
	}
}

static int read_record(struct foreign *f, struct foreign_record *r)
{
	if (!f->format->next)
		return read_line(f, r);
	*r = (struct foreign_record){.response_ns = RESPONSE_UNKNOWN};
	f->number++;
	return f->format->next(f, r);
}

static int by_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int fill_window(struct foreign *f)
{
	struct foreign_record record;
	int rc;

	f->count -= f->ready;
	memmove(f->entry, f->entry + f->ready, f->count * sizeof(*f->entry));
	f->ready = f->next = 0;
	while (f->count < WINDOW_ENTRIES && !f->ended) {
		rc = read_record(f, &record);
		if (rc < 0 || (rc && take(f, &record)))
			return -1;
		f->ended = !rc;
	}
	if (f->unsorted)
		qsort(f->entry, f->count, sizeof(*f->entry), by_time);
	f->unsorted = false;
	f->ready = f->ended ? f->count : FOREIGN_WINDOW;
	if (f->ready)
		f->emitted_ns = f->entry[f->ready - 1].time_ns;
	return 0;
}

/* A date in another unit than the format's is no time of a clock that began at 0. */
static int check_dates(const struct foreign *f)
{
	static const struct {
		uint64_t a_second;
		const char *name;
	} units[] = {{1, "s"}, {1000, "ms"}, {1000000, "us"}, {1000000000, "ns"}};
	uint64_t first = f->entry[0].time_ns;

	if (!f->format->date_unit_ns || !f->count ||
	    (first >= YEAR_2001 * NS_PER_SECOND && first < YEAR_2100 * NS_PER_SECOND))
		return 0;
	first /= f->format->date_unit_ns;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (first >= YEAR_2001 * units[i].a_second && first < YEAR_2100 * units[i].a_second)
			return fail("%s: its first time is a date in %s; %s has %s", f->path,
				    units[i].name, f->format->name, f->format->units);
	return 0;
}

/* What is seen of the first records: units that can't be. */
static int check_units(const struct foreign *f)
{
	if (f->format->any_alignment || f->count < 2)
		return 0;
	if (f->unit_bytes == 1 && f->rounded > f->count / 2)
		return fail(
			"%s: most offsets or lengths are no multiples of 512; are they in sectors? "
			"%s has %s",
			f->path, f->format->name, f->format->units);
	if (f->unit_bytes == SECTOR_BYTES && !f->format->any_multiple && f->whole_units >= f->count)
		return fail(
			"%s: all offsets and lengths are multiples of 512; are they in bytes? %s "
			"has %s",
			f->path, f->format->name, f->format->units);
	return 0;
}

/* Is there a next record in the order of time? -1 after saying what is wrong. */
static int has_entry(struct foreign *f)
{
	if (f->next == f->ready && !f->ended && fill_window(f))
		return -1;
	return f->next < f->ready;
}

static int no_memory(const struct foreign *f)
{
	return fail("out of memory for the requests in flight of %s", f->path);
}

/* 1 if it is a request, 0 if it was one before, or is a completion; -1 on failure. */
static int issue(struct foreign *f, const struct entry *entry, uint64_t *completed)
{
	const struct place place = {entry->sector, entry->disk, entry->op};
	int rc = 1;

	*completed = 0;
	if (entry->kind == FOREIGN_REQUEUE) {
		in_flight_requeue(&f->in_flight, &place);
		return 0;
	}
	if (entry->kind == FOREIGN_COMPLETION) {
		*completed = in_flight_complete(&f->in_flight, &place);
		f->unmatched += !*completed;
		return 0;
	}
	if (f->format->completions == COMPLETIONS_RECORDS)
		rc = in_flight_issue(&f->in_flight, &place, f->id + 1);
	if (rc < 0)
		return no_memory(f);
	f->id += rc;
	return rc;
}

static int await(struct foreign *f, const struct entry *entry)
{
	int rc;

	if (entry->response_ns == RESPONSE_UNKNOWN)
		return 0;
	rc = completions_push(
		&f->completions,
		(struct completion){entry->time_ns + entry->response_ns, f->id, entry->disk});
	if (rc == -EOVERFLOW)
		return fail("%s: more than %u requests are in flight at %s %" PRIu64 "; %s has %s",
			    f->path, IN_FLIGHT_MAX, counted_as(f), entry->number, f->format->name,
			    f->format->units);
	return rc ? no_memory(f) : 0;
}

static void begin_event(struct foreign *f, struct event *event, enum event_kind kind,
			uint64_t time_ns)
{
	event_init(event, kind);
	event->seq = ++f->seq;
	event->time_ns = f->time_ns = time_ns;
}

static void emit_attribute(struct foreign *f, struct event *event)
{
	const struct attribute *a = &f->attributes[f->attributes_done++];

	begin_event(f, event, EVENT_ATTRIBUTE, f->time_ns);
	event->attribute.name = (struct text){a->name, strlen(a->name)};
	event->attribute.value = (struct text){a->value, strlen(a->value)};
}

static char *add_attribute(struct foreign *f, const char *name)
{
	struct attribute *a = &f->attributes[f->attribute_count++];

	snprintf(a->name, sizeof(a->name), "%s", name);
	return a->value;
}

static void add_text(struct foreign *f, const char *name, const char *value)
{
	snprintf(add_attribute(f, name), sizeof(f->attributes->value), "%s", value);
}

static void add_count(struct foreign *f, const char *name, uint64_t count)
{
	snprintf(add_attribute(f, name), sizeof(f->attributes->value), "%" PRIu64, count);
}

static void add_head_attributes(struct foreign *f)
{
	static const char *const completions[] = {
		[COMPLETIONS_NONE] = "none",
		[COMPLETIONS_RESPONSES] = "from response times",
		[COMPLETIONS_RECORDS] = "from completion records",
	};

	snprintf(add_attribute(f, "importer"), sizeof(f->attributes->value),
		 "sky import %s " SKY_VERSION, f->format->name);
	add_text(f, "format", f->format->layout);
	add_text(f, "source", basename(f->path));
	add_text(f, "units", f->format->units);
	add_text(f, "completions", completions[f->format->completions]);
}

static void add_tail_attributes(struct foreign *f)
{
	if (f->attribute_count > HEAD_ATTRIBUTES)
		return;
	add_count(f, "skipped_records", f->skipped);
	add_count(f, "sorted_records", f->sorted);
	if (f->unit_bytes == 1)
		add_count(f, "rounded_requests", f->rounded);
	if (f->format->completions == COMPLETIONS_RECORDS)
		add_count(f, "unmatched_completions", f->unmatched);
}

static void emit_disk(struct foreign *f, struct event *event)
{
	const char *value = f->disks.name[f->disks_told];
	char *name = f->disk_label[f->disks_told % DISKS_A_READ];

	snprintf(name, sizeof(*f->disk_label), "disk.%" PRIu32 ".name", f->disks_told++);
	begin_event(f, event, EVENT_ATTRIBUTE, f->time_ns);
	event->attribute.name = (struct text){name, strlen(name)};
	event->attribute.value = (struct text){value, strlen(value)};
}

static void emit_response(struct foreign *f, struct event *event)
{
	struct completion completion = completions_pop(&f->completions);

	begin_event(f, event, EVENT_COMPLETE, completion.time_ns);
	event->complete.id = completion.id;
	event->complete.disk = completion.disk;
}

static int emit_request(struct foreign *f, const struct entry *entry, struct event *event)
{
	begin_event(f, event, EVENT_BLOCK, entry->time_ns);
	event->pid = event->tid = entry->pid;
	event->block.op = entry->op;
	event->block.disk = entry->disk;
	event->block.id = f->id;
	event->block.sector = entry->sector;
	event->block.sectors = entry->sectors;
	event->block.flags = entry->flags;
	return await(f, entry) ? -1 : 1;
}

/* 1 an event, 0 a record without one, -1 after saying what is wrong. */
static int emit_entry(struct foreign *f, struct event *event)
{
	const struct entry *entry = &f->entry[f->next++];
	uint64_t completed;
	int rc = issue(f, entry, &completed);

	if (rc > 0)
		return emit_request(f, entry, event);
	if (!completed)
		return rc;
	begin_event(f, event, EVENT_COMPLETE, entry->time_ns);
	event->complete.disk = entry->disk;
	event->complete.id = completed;
	event->complete.error = entry->error;
	return 1;
}

/* What follows the last request. 1 an event, 0 the end. */
static int emit_tail(struct foreign *f, struct event *event)
{
	add_tail_attributes(f);
	if (f->attributes_done < f->attribute_count)
		emit_attribute(f, event);
	else if (f->disks_told < f->disks.count)
		emit_disk(f, event);
	else
		return 0;
	return 1;
}

/* 1 an event, 0 the end, -1 after saying what is wrong. */
static int emit(struct foreign *f, struct event *event)
{
	int rc;

	if (f->attributes_done < f->attribute_count) {
		emit_attribute(f, event);
		return 1;
	}
	do {
		rc = has_entry(f);
		if (rc < 0)
			return -1;
		if (f->completions.count &&
		    (!rc || completions_first_ns(&f->completions) <= f->entry[f->next].time_ns)) {
			emit_response(f, event);
			return 1;
		}
		if (!rc)
			return emit_tail(f, event);
		rc = emit_entry(f, event);
	} while (!rc);
	return rc;
}

static ssize_t foreign_read(struct source *source, struct event *events, size_t max)
{
	struct foreign *f = container_of(source, struct foreign, source);
	uint32_t told = f->disks_told;
	size_t n = 0;
	int rc;

	while (n < max && f->disks_told - told < DISKS_A_READ) {
		rc = emit(f, &events[n]);
		if (rc < 0)
			return -1;
		if (!rc)
			break;
		n++;
	}
	source->read_bytes = byte_reader_position(f->reader);
	return n;
}

static void free_foreign(struct foreign *f)
{
	if (f->format->end && f->state)
		f->format->end(f);
	byte_reader_close(f->reader);
	completions_fini(&f->completions);
	in_flight_fini(&f->in_flight);
	disk_names_fini(&f->disks);
	free(f->request);
	free(f->entry);
	free(f->state);
	free(f->path);
	free(f);
}

static void foreign_close(struct source *source)
{
	free_foreign(container_of(source, struct foreign, source));
}

static ssize_t foreign_requests_read(struct request_source *source, const struct request **requests)
{
	struct foreign *f = container_of(source, struct foreign, requests);
	const struct entry *entry;
	uint64_t completed;
	size_t n = 0;
	int rc = 0;

	while (n < READ_REQUESTS && (rc = has_entry(f)) > 0) {
		entry = &f->entry[f->next++];
		rc = issue(f, entry, &completed);
		if (rc < 0)
			return -1;
		if (rc)
			f->request[n++] = (struct request){
				.time_ns = entry->time_ns,
				.sector = entry->sector,
				.sectors = entry->sectors,
				.disk = entry->disk,
				.op = entry->op,
			};
	}
	source->read_bytes = byte_reader_position(f->reader);
	*requests = f->request;
	return rc < 0 ? -1 : (ssize_t)n;
}

static void foreign_requests_close(struct request_source *source)
{
	free_foreign(container_of(source, struct foreign, requests));
}

/* A first line that names the columns. */
static int skip_header(struct foreign *f)
{
	const char *first, *at, *end;
	size_t bytes;

	if (!f->format->header)
		return 0;
	if (byte_reader_peek(f->reader, IMPORT_HEAD_BYTES, &first, &bytes))
		return -1;
	if (!foreign_first_line(first, bytes, &at, &end) ||
	    !foreign_begins(at, end, f->format->header))
		return 0;
	return byte_reader_line(f->reader, &at, &end) < 0 ? -1 : 0;
}

static int allocate(struct foreign *f)
{
	f->state = calloc(1, f->format->state_bytes + 1);
	f->entry = malloc(WINDOW_ENTRIES * sizeof(*f->entry));
	f->request = malloc(READ_REQUESTS * sizeof(*f->request));
	if (!f->state || !f->entry || !f->request || in_flight_init(&f->in_flight) ||
	    disk_names_init(&f->disks))
		return fail("out of memory for %s", f->path);
	return 0;
}

static int begin(struct foreign *f)
{
	f->reader = byte_reader_open(f->path);
	if (!f->reader || allocate(f) || skip_header(f))
		return -1;
	if (f->format->begin && f->format->begin(f))
		return -1;
	if (fill_window(f) || check_dates(f) || check_units(f))
		return -1;
	f->time_ns = f->count ? f->entry[0].time_ns : 0;
	add_head_attributes(f);
	return 0;
}

static const struct source_ops events_ops = {
	.form = "foreign",
	.read = foreign_read,
	.close = foreign_close,
};

static const struct request_source_ops requests_ops = {
	.read = foreign_requests_read,
	.close = foreign_requests_close,
};

static struct foreign *new_foreign(const struct foreign_format *format, const char *path,
				   const struct import_options *options)
{
	struct foreign *f = calloc(1, sizeof(*f));

	if (!f || !(f->path = strdup(path))) {
		fail("out of memory for %s", path);
		free(f);
		return NULL;
	}
	f->format = format;
	f->options = *options;
	f->unit_bytes = format->unit_bytes;
	f->source.ops = &events_ops;
	f->requests.ops = &requests_ops;
	if (begin(f)) {
		free_foreign(f);
		return NULL;
	}
	f->source.total_bytes = f->requests.total_bytes = f->reader->total_bytes;
	return f;
}

struct source *foreign_open(const struct foreign_format *format, const char *path,
			    const struct import_options *options)
{
	struct foreign *f = new_foreign(format, path, options);

	return f ? &f->source : NULL;
}

struct request_source *foreign_requests(const struct foreign_format *format, const char *path,
					const struct import_options *options)
{
	struct foreign *f = new_foreign(format, path, options);

	return f ? &f->requests : NULL;
}
