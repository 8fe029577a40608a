/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libCacheSim's binary format of requests for objects.
 *
 * Records of 24 bytes, little endian, without a header: time in seconds (32 bits),
 * the object's number (64), its size in bytes (32), and the number of the record
 * that asks for it next (64; -1, -2 or the largest number: none).
 *
 * Traps: objects have no place on a disk, so a simulation knows them by their
 * numbers alone (--granularity start), and all requests are reads. Where traces
 * of disks were converted, the number is an address, in whatever unit. Requests without
 * a size are left out, as libCacheSim does. Sizes are rounded up to sectors. What
 * the file says of the next request is not used.
 */
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "byte_reader.h"
#include "common/error.h"
#include "common/load.h"
#include "import.h"
#include "mapped_file.h"

#define RECORD_BYTES  24
#define TIME_AT	      0
#define OBJECT_AT     4
#define SIZE_AT	      12
#define NEXT_AT	      16
#define RECORDS_MAX   (1ll << 40)
#define NS_PER_SECOND 1000000000ull
#define READ_REQUESTS 4096
#define ATTRIBUTES    4

struct oracle {
	struct request_source source;
	struct mapped_file file;    /* where it lies, or ... */
	struct byte_reader *packed; /* ... what unpacks it */
	char *path;
	uint64_t record;				/* the next one */
	uint32_t seconds;				/* of the one before */
	uint8_t records[MAPPED_RECORDS * RECORD_BYTES]; /* that were copied from the file */
	struct request request[READ_REQUESTS];
};

/* Times don't fall, and what comes next comes later, but not after any trace's end. */
static bool is_plausible(const uint8_t *record, uint64_t number, uint32_t before)
{
	int64_t next = load_le64(record + NEXT_AT);
	bool comes_later = next > (int64_t)number && next < RECORDS_MAX;

	return load_le32(record + TIME_AT) >= before &&
	       (comes_later || next == INT64_MAX || (next < 0 && next >= -2));
}

static bool oracle_recognise(const void *first, size_t bytes)
{
	const uint8_t *at = first;
	uint32_t before = 0;
	size_t records = bytes / RECORD_BYTES;

	for (size_t i = 0; i < records; i++, at += RECORD_BYTES) {
		if (!is_plausible(at, i, before))
			return false;
		before = load_le32(at + TIME_AT);
	}
	return records != 0;
}

static int damaged(const struct oracle *o, const char *what)
{
	return fail("%s: record %" PRIu64 " (at byte %" PRIu64 ") %s", o->path, o->record + 1,
		    o->record * RECORD_BYTES, what);
}

/* 1 and the next record, 0 at the end, -1 after saying what is wrong. */
static int next_record(struct oracle *o, const uint8_t **record)
{
	if (o->packed)
		return byte_reader_take(o->packed, RECORD_BYTES, record);
	if (o->record == o->source.count)
		return 0;
	*record =
		mapped_file_record(&o->file, o->record, o->source.count, RECORD_BYTES, o->records);
	return *record ? 1 : -1;
}

/* 1 a request, 0 a record without one, -1 after saying what is wrong. */
static int decode(struct oracle *o, const uint8_t *record, struct request *request)
{
	uint32_t bytes = load_le32(record + SIZE_AT);

	if (!is_plausible(record, o->record, o->seconds))
		return damaged(o, "is earlier than the one before it, or says that it is asked for "
				  "again before it is: this is another format, or damaged");
	o->seconds = load_le32(record + TIME_AT);
	*request = (struct request){
		.time_ns = o->seconds * NS_PER_SECOND,
		.sector = load_le64(record + OBJECT_AT),
		.sectors = bytes / SECTOR_BYTES + (bytes % SECTOR_BYTES != 0),
		.op = BLOCK_READ,
	};
	return bytes != 0;
}

static ssize_t oracle_requests_read(struct request_source *source, const struct request **requests)
{
	struct oracle *o = container_of(source, struct oracle, source);
	const uint8_t *record;
	size_t n = 0;
	int rc = 1;

	for (; n < READ_REQUESTS && (rc = next_record(o, &record)) > 0; o->record++) {
		rc = decode(o, record, &o->request[n]);
		if (rc < 0)
			return -1;
		n += rc;
	}
	if (rc < 0)
		return -1;
	source->read_bytes = o->packed ? byte_reader_position(o->packed) : o->record * RECORD_BYTES;
	*requests = o->request;
	return n;
}

static void oracle_requests_close(struct request_source *source)
{
	struct oracle *o = container_of(source, struct oracle, source);

	mapped_file_close(&o->file);
	byte_reader_close(o->packed);
	free(o->path);
	free(o);
}

static const struct request_source_ops requests_ops = {
	.read = oracle_requests_read,
	.close = oracle_requests_close,
};

static int unpack_file(struct oracle *o)
{
	o->packed = byte_reader_open(o->path);
	if (!o->packed)
		return -1;
	o->source.total_bytes = o->packed->total_bytes;
	return 0;
}

static int map_file(struct oracle *o)
{
	if (mapped_file_open(&o->file, o->path))
		return -1;
	if (o->file.bytes % RECORD_BYTES)
		return fail(
			"%s is cut: its %zu bytes are no multiple of the %d of a record; get the "
			"whole file again",
			o->path, o->file.bytes, RECORD_BYTES);
	o->source.total_bytes = o->file.bytes;
	o->source.count = o->file.bytes / RECORD_BYTES;
	return 0;
}

static struct oracle *new_oracle(const char *path, const struct import_options *options)
{
	struct oracle *o = calloc(1, sizeof(*o));

	if (!o || !(o->path = strdup(path))) {
		fail("out of memory for %s", path);
		free(o);
		return NULL;
	}
	o->source.ops = &requests_ops;
	o->source.objects = true;
	if (!(options->packed ? unpack_file(o) : map_file(o)))
		return o;
	oracle_requests_close(&o->source);
	return NULL;
}

static struct request_source *oracle_requests(const char *path,
					      const struct import_options *options)
{
	struct oracle *o = new_oracle(path, options);

	return o ? &o->source : NULL;
}

/* The same as events: attributes, then a request each. */
struct oracle_events {
	struct source source;
	struct oracle *oracle;
	uint64_t seq;
	const struct request *next;
	size_t left;
	unsigned int attributes;
	char value[ATTRIBUTES][128];
};

static const char *const attribute_names[ATTRIBUTES] = {"importer", "format", "source", "units"};

static void emit_attribute(struct oracle_events *e, struct event *event)
{
	const char *name = attribute_names[e->attributes], *value = e->value[e->attributes];

	event_init(event, EVENT_ATTRIBUTE);
	event->attribute.name = (struct text){name, strlen(name)};
	event->attribute.value = (struct text){value, strlen(value)};
	e->attributes++;
}

static int emit_request(struct oracle_events *e, struct event *event)
{
	if (sectors_beyond_any_disk(e->next->sector, e->next->sectors))
		return fail("%s has object numbers beyond any disk, of which no trace can be made; "
			    "simulate it as it is: sky sim %s --format oracleGeneral "
			    "--granularity start",
			    e->oracle->path, e->oracle->path);
	event_init(event, EVENT_BLOCK);
	event->time_ns = e->next->time_ns;
	event->block.op = e->next->op;
	event->block.id = e->seq + 1;
	event->block.sector = e->next->sector;
	event->block.sectors = e->next->sectors;
	e->next++;
	e->left--;
	return 0;
}

static ssize_t oracle_read(struct source *source, struct event *events, size_t max)
{
	struct oracle_events *e = container_of(source, struct oracle_events, source);
	ssize_t count;
	size_t n = 0;

	for (; n < max; n++) {
		if (e->attributes < ATTRIBUTES) {
			emit_attribute(e, &events[n]);
		} else {
			count = e->left ? 1 : request_read(&e->oracle->source, &e->next);
			if (count <= 0)
				return n && !count ? (ssize_t)n : count;
			e->left = e->left ? e->left : (size_t)count;
			if (emit_request(e, &events[n]))
				return -1;
		}
		events[n].seq = ++e->seq;
	}
	source->read_bytes = e->oracle->source.read_bytes;
	return n;
}

static void oracle_close(struct source *source)
{
	struct oracle_events *e = container_of(source, struct oracle_events, source);

	request_close(&e->oracle->source);
	free(e);
}

static const struct source_ops events_ops = {
	.form = "oracleGeneral",
	.read = oracle_read,
	.close = oracle_close,
};

static struct source *oracle_open(const char *path, const struct import_options *options)
{
	struct oracle *o = new_oracle(path, options);
	struct oracle_events *e = o ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		if (o) {
			fail("out of memory for %s", path);
			oracle_requests_close(&o->source);
		}
		return NULL;
	}
	e->source.ops = &events_ops;
	e->source.total_bytes = o->source.total_bytes;
	e->oracle = o;
	snprintf(e->value[0], sizeof(*e->value), "sky import oracleGeneral " SKY_VERSION);
	snprintf(e->value[1], sizeof(*e->value), "oracleGeneral");
	snprintf(e->value[2], sizeof(*e->value), "%s", basename(o->path));
	snprintf(e->value[3], sizeof(*e->value),
		 "times in seconds, sizes in bytes; an object's number stands as its sector");
	return &e->source;
}

IMPORTER(oracle_general){
	.head =
		{
			.kind = "import",
			.name = "oracleGeneral",
			.summary = "libCacheSim's binary requests for objects",
			.source = "J. Yang, Y. Yue, K. V. Rashmi, A large scale analysis of "
				  "hundreds of in-memory cache clusters at Twitter, OSDI 2020 "
				  "(traces); "
				  "the record layout as libCacheSim reads it",
		},
	.recognise = oracle_recognise,
	.open = oracle_open,
	.requests = oracle_requests,
};
