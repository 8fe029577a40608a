/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMware's vscsi traces, as CloudPhysics published them (versions 1 and 2).
 *
 * Records of fixed size, little endian, without a header; each bears its
 * version. Units: length in bytes, address in 512-byte sectors, times in us.
 * The time is that of the issue; version 2 adds the response time, from which
 * completions are made.
 *
 * Traps: a record that is earlier than the one before it keeps its place in the
 * file, and its time is raised to that one's (attribute "raised_times").
 * Commands other than READ and WRITE of 6, 10, 12 and 16 bytes, and those
 * without data, are left out (attribute "skipped_commands").
 */
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "byte_reader.h"
#include "common/error.h"
#include "common/load.h"
#include "completions.h"
#include "import.h"
#include "mapped_file.h"

#define NS_PER_US	  1000u
/* What no request, disk or time of a real trace reaches: beyond it the units are wrong. */
#define REQUEST_BYTES_MAX (64u << 20)
#define SECTOR_MAX	  (1ull << 50)
#define TIME_US_MAX	  (1ull << 53)
#define RESPONSE_US_MAX	  (1ull << 32)

#define READ_REQUESTS	 4096
#define RECORD_BYTES_MAX 40
#define HEAD_ATTRIBUTES	 5
#define TAIL_ATTRIBUTES	 2

/* Where a version keeps its fields, as offsets in the record. */
struct layout {
	const char *name;
	uint16_t version;
	uint8_t bytes, version_at, command_at, length_at, sector_at, time_at;
	uint8_t response_at; /* 0: has none */
};

static const struct layout layouts[] = {
	{.name = "vscsi version 1",
	 .version = 1,
	 .bytes = 32,
	 .length_at = 4,
	 .command_at = 12,
	 .version_at = 14,
	 .sector_at = 16,
	 .time_at = 24},
	{.name = "vscsi version 2",
	 .version = 2,
	 .bytes = 40,
	 .command_at = 0,
	 .version_at = 2,
	 .length_at = 8,
	 .sector_at = 16,
	 .time_at = 24,
	 .response_at = 32},
};

/* SCSI operation codes (SBC-3): READ and WRITE of 6, 10, 12 and 16 bytes. */
static const struct {
	uint8_t code;
	enum block_op op;
} commands[] = {
	{0x08, BLOCK_READ},  {0x28, BLOCK_READ},  {0xa8, BLOCK_READ},  {0x88, BLOCK_READ},
	{0x0a, BLOCK_WRITE}, {0x2a, BLOCK_WRITE}, {0xaa, BLOCK_WRITE}, {0x8a, BLOCK_WRITE},
};

struct command {
	uint64_t time_ns, response_ns, sector, id;
	uint32_t sectors;
	enum block_op op;
};

struct attribute {
	const char *name;
	char value[128];
};

struct vscsi {
	struct source source;
	struct byte_reader *file;
	char *path;
	const struct layout *layout;
	uint64_t record; /* the number of the one read last, from 1 */
	uint64_t seq, issued_ns, emitted_ns;
	uint64_t skipped, raised;
	struct command next;
	bool has_next;
	struct completions in_flight;
	struct attribute attributes[HEAD_ATTRIBUTES + TAIL_ATTRIBUTES];
	unsigned int attribute_count, attributes_done;
};

static bool has_version(const struct layout *layout, const uint8_t *record)
{
	return load_le16(record + layout->version_at) >> 8 == layout->version;
}

/* The version that all whole records of the head bear; NULL if there is none. */
static const struct layout *layout_of(const uint8_t *first, size_t bytes)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
		const struct layout *layout = &layouts[i];
		size_t at = 0;

		while (at + layout->bytes <= bytes && has_version(layout, first + at))
			at += layout->bytes;
		if (at && at + layout->bytes > bytes)
			return layout;
	}
	return NULL;
}

static bool vscsi_recognise(const void *first, size_t bytes)
{
	return layout_of(first, bytes) != NULL;
}

static const char *wrong_with(const struct layout *layout, const uint8_t *record)
{
	if (!has_version(layout, record))
		return "bears another version than the file's first";
	if (load_le64(record + layout->time_at) > TIME_US_MAX)
		return "has a time beyond any clock; are its times in us?";
	if (layout->response_at && load_le64(record + layout->response_at) > RESPONSE_US_MAX)
		return "has a response time of over an hour; are its times in us?";
	return NULL;
}

static const char *wrong_with_data(const struct layout *layout, const uint8_t *record)
{
	uint32_t bytes = load_le32(record + layout->length_at);

	if (bytes % SECTOR_BYTES)
		return "has a length that is no multiple of 512 bytes";
	if (bytes > REQUEST_BYTES_MAX)
		return "has a length of more than 64 MiB; are its lengths in bytes?";
	if (load_le64(record + layout->sector_at) > SECTOR_MAX)
		return "has an address beyond any disk; are its addresses in sectors?";
	return NULL;
}

static bool find_command(uint16_t code, enum block_op *op)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (commands[i].code == code) {
			*op = commands[i].op;
			return true;
		}
	return false;
}

/* 1 a request, 0 a record without one, -1 after saying what is wrong. */
static int decode(struct vscsi *v, const uint8_t *record, struct command *request)
{
	const struct layout *layout = v->layout;
	const char *wrong = wrong_with(layout, record);
	uint64_t time_ns;

	request->sectors = load_le32(record + layout->length_at) / SECTOR_BYTES;
	if (!wrong && (!find_command(load_le16(record + layout->command_at), &request->op) ||
		       !load_le32(record + layout->length_at))) {
		v->skipped++;
		return 0;
	}
	if (!wrong)
		wrong = wrong_with_data(layout, record);
	if (wrong)
		return fail("%s: record %" PRIu64 " (at byte %" PRIu64 ") %s", v->path, v->record,
			    (v->record - 1) * layout->bytes, wrong);
	time_ns = load_le64(record + layout->time_at) * NS_PER_US;
	v->raised += time_ns < v->issued_ns;
	if (time_ns > v->issued_ns)
		v->issued_ns = time_ns;
	request->time_ns = v->issued_ns;
	request->sector = load_le64(record + layout->sector_at);
	request->id = v->record;
	request->response_ns =
		layout->response_at ? load_le64(record + layout->response_at) * NS_PER_US : 0;
	return 1;
}

static int cut(const struct vscsi *v, uint64_t record, size_t bytes)
{
	return fail("%s is cut: record %" PRIu64 " has only %zu of %u bytes; get the whole file "
		    "again, or cut that record off",
		    v->path, record, bytes, v->layout->bytes);
}

/* Finds the next request; has_next says whether there is one. -1 after saying what is wrong. */
static int advance(struct vscsi *v)
{
	const uint8_t *record;
	int rc = 0, got;

	v->has_next = false;
	while (!rc) {
		got = byte_reader_take(v->file, v->layout->bytes, &record);
		if (got <= 0)
			return got;
		v->record++;
		rc = decode(v, record, &v->next);
	}
	v->has_next = rc > 0;
	return rc < 0 ? -1 : 0;
}

static void begin_event(struct vscsi *v, struct event *event, enum event_kind kind,
			uint64_t time_ns)
{
	event_init(event, kind);
	event->seq = ++v->seq;
	event->time_ns = v->emitted_ns = time_ns;
}

static void emit_attribute(struct vscsi *v, struct event *event)
{
	const struct attribute *a = &v->attributes[v->attributes_done++];

	begin_event(v, event, EVENT_ATTRIBUTE, v->emitted_ns);
	event->attribute.name = (struct text){a->name, strlen(a->name)};
	event->attribute.value = (struct text){a->value, strlen(a->value)};
}

static void emit_completion(struct vscsi *v, struct event *event)
{
	struct completion completion = completions_pop(&v->in_flight);

	begin_event(v, event, EVENT_COMPLETE, completion.time_ns);
	event->complete.id = completion.id;
}

static int add_in_flight(struct vscsi *v, const struct command *r)
{
	int rc = completions_push(&v->in_flight,
				  (struct completion){r->time_ns + r->response_ns, r->id, 0});

	if (rc == -EOVERFLOW)
		return fail("%s: more than %u requests are in flight at record %" PRIu64
			    "; are its times in us?",
			    v->path, IN_FLIGHT_MAX, v->record);
	if (rc)
		return fail("out of memory for the requests in flight of %s", v->path);
	return 0;
}

static int emit_request(struct vscsi *v, struct event *event)
{
	const struct command *r = &v->next;

	begin_event(v, event, EVENT_BLOCK, r->time_ns);
	event->block.op = r->op;
	event->block.id = r->id;
	event->block.sector = r->sector;
	event->block.sectors = r->sectors;
	if (v->layout->response_at && add_in_flight(v, r))
		return -1;
	return advance(v);
}

static char *add_attribute(struct vscsi *v, const char *name)
{
	struct attribute *a = &v->attributes[v->attribute_count++];

	a->name = name;
	return a->value;
}

static void add_tail_attributes(struct vscsi *v)
{
	if (v->attribute_count > HEAD_ATTRIBUTES)
		return;
	snprintf(add_attribute(v, "skipped_commands"), sizeof(v->attributes->value), "%" PRIu64,
		 v->skipped);
	snprintf(add_attribute(v, "raised_times"), sizeof(v->attributes->value), "%" PRIu64,
		 v->raised);
	if (v->raised)
		warn("%s: %" PRIu64 " of %" PRIu64 " records are earlier than the one before "
		     "them; they take its time",
		     v->path, v->raised, v->record);
}

static bool completion_is_next(const struct vscsi *v)
{
	return v->in_flight.count &&
	       (!v->has_next || completions_first_ns(&v->in_flight) <= v->next.time_ns);
}

static ssize_t vscsi_read(struct source *source, struct event *events, size_t max)
{
	struct vscsi *v = container_of(source, struct vscsi, source);
	size_t n;

	for (n = 0; n < max; n++) {
		if (v->attributes_done < v->attribute_count) {
			emit_attribute(v, &events[n]);
		} else if (completion_is_next(v)) {
			emit_completion(v, &events[n]);
		} else if (v->has_next) {
			if (emit_request(v, &events[n]))
				return -1;
		} else {
			add_tail_attributes(v);
			if (v->attributes_done == v->attribute_count)
				break;
			emit_attribute(v, &events[n]);
		}
	}
	v->source.read_bytes = byte_reader_position(v->file);
	return n;
}

static void vscsi_close(struct source *source)
{
	struct vscsi *v = container_of(source, struct vscsi, source);

	byte_reader_close(v->file);
	completions_fini(&v->in_flight);
	free(v->path);
	free(v);
}

static const struct source_ops vscsi_ops = {
	.form = "vscsi",
	.read = vscsi_read,
	.close = vscsi_close,
};

static int open_file(struct vscsi *v)
{
	const char *head;
	size_t bytes;

	v->file = byte_reader_open(v->path);
	if (!v->file || byte_reader_peek(v->file, IMPORT_HEAD_BYTES, &head, &bytes))
		return -1;
	v->source.total_bytes = v->file->total_bytes;
	v->layout = layout_of((const uint8_t *)head, bytes);
	return v->layout ? 0 : fail("%s is no vscsi trace", v->path);
}

static void add_head_attributes(struct vscsi *v)
{
	size_t room = sizeof(v->attributes->value);

	snprintf(add_attribute(v, "importer"), room, "sky import vscsi " SKY_VERSION);
	snprintf(add_attribute(v, "format"), room, "%s", v->layout->name);
	snprintf(add_attribute(v, "source"), room, "%s", basename(v->path));
	snprintf(add_attribute(v, "units"), room,
		 "length in bytes, address in 512-byte sectors, times in us");
	snprintf(add_attribute(v, "completions"), room, "%s",
		 v->layout->response_at ? "from response times" : "none");
}

static struct source *vscsi_open(const char *path, const struct import_options *options)
{
	struct vscsi *v = calloc(1, sizeof(*v));

	if (!v || !(v->path = strdup(path))) {
		fail("out of memory for %s", path);
		free(v);
		return NULL;
	}
	v->source.ops = &vscsi_ops;
	if (open_file(v) || advance(v)) {
		vscsi_close(&v->source);
		return NULL;
	}
	v->emitted_ns = v->issued_ns;
	add_head_attributes(v);
	return &v->source;
}

/* Requests alone, where the file lies; v reads them, but from memory. */
struct vscsi_requests {
	struct request_source source;
	struct vscsi v;
	struct mapped_file file;
	uint8_t records[MAPPED_RECORDS * RECORD_BYTES_MAX]; /* that were copied from the file */
	struct request request[READ_REQUESTS];
};

static ssize_t vscsi_requests_read(struct request_source *source, const struct request **requests)
{
	struct vscsi_requests *r = container_of(source, struct vscsi_requests, source);
	struct command command = {0};
	size_t n = 0;

	while (n < READ_REQUESTS && r->v.record < source->count) {
		const uint8_t *record =
			mapped_file_record(&r->file, r->v.record++, source->count,
					   r->v.layout->bytes, r->records);
		int rc = record ? decode(&r->v, record, &command) : -1;

		if (rc < 0)
			return -1;
		if (rc)
			r->request[n++] = (struct request){
				.time_ns = command.time_ns,
				.sector = command.sector,
				.sectors = command.sectors,
				.op = command.op,
			};
	}
	source->read_bytes = r->v.record * r->v.layout->bytes;
	*requests = r->request;
	return n;
}

static void vscsi_requests_close(struct request_source *source)
{
	struct vscsi_requests *r = container_of(source, struct vscsi_requests, source);

	mapped_file_close(&r->file);
	free(r->v.path);
	free(r);
}

static const struct request_source_ops requests_ops = {
	.read = vscsi_requests_read,
	.close = vscsi_requests_close,
};

static int map_file(struct vscsi_requests *r)
{
	size_t bytes, head;

	if (mapped_file_open(&r->file, r->v.path))
		return -1;
	bytes = r->file.bytes;
	head = bytes < IMPORT_HEAD_BYTES ? bytes : IMPORT_HEAD_BYTES;
	r->v.layout = layout_of(r->file.at, head);
	if (!r->v.layout)
		return fail("%s is no vscsi trace", r->v.path);
	r->source.total_bytes = bytes;
	r->source.count = bytes / r->v.layout->bytes;
	if (bytes % r->v.layout->bytes)
		return cut(&r->v, r->source.count + 1, bytes % r->v.layout->bytes);
	return 0;
}

static struct request_source *vscsi_requests(const char *path, const struct import_options *options)
{
	struct vscsi_requests *r;

	if (options->packed)
		return requests_of_events(vscsi_open(path, options));
	r = calloc(1, sizeof(*r));
	if (!r || !(r->v.path = strdup(path))) {
		fail("out of memory for %s", path);
		free(r);
		return NULL;
	}
	r->source.ops = &requests_ops;
	if (!map_file(r))
		return &r->source;
	vscsi_requests_close(&r->source);
	return NULL;
}

IMPORTER(vscsi){
	.head =
		{
			.kind = "import",
			.name = "vscsi",
			.summary = "VMware vscsi traces (CloudPhysics), versions 1 and 2",
			.source = "C. A. Waldspurger et al., Efficient MRC construction with "
				  "SHARDS, FAST "
				  "2015 (the traces); the record layout as libCacheSim reads it",
		},
	.recognise = vscsi_recognise,
	.open = vscsi_open,
	.requests = vscsi_requests,
};
