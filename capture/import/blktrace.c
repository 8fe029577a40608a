/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of Linux's block layer that blktrace writes, a file a processor.
 *
 * Records have 48 bytes, in the byte order of the machine that wrote them, and what
 * they bear behind them; their magic tells the order and the version. Times in ns of the
 * machine's clock, sectors of 512 bytes, lengths in bytes. block_layer.h says
 * which records count.
 *
 * Any NAME.blktrace.N stands for all of them, which are merged by time.
 * Traps: without the others it is a part of the requests only; records that
 * blktrace itself lost are not seen; SCSI commands that are no reads or writes are
 * left out; the pid of an issue is of whoever ran the queue.
 */
#include <linux/blktrace_api.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "block_layer.h"
#include "common/error.h"
#include "common/load.h"

#define RECORD_BYTES   48
#define CPUS_MAX       1000
#define CPU_ENDING     ".blktrace."
#define DEVICES_CACHED 64 /* whose disk numbers are at hand */
/* Linux's dev_t, as the kernel has it inside. */
#define MINOR_BITS     20

/* Where a record keeps its fields (linux/blktrace_api.h). */
enum record_offset {
	MAGIC_AT = 0,
	TIME_AT = 8,
	SECTOR_AT = 16,
	BYTES_AT = 24,
	ACTION_AT = 28,
	PID_AT = 32,
	DEVICE_AT = 36,
	ERROR_AT = 44,
	PDU_LENGTH_AT = 46,
};

struct byte_order {
	uint16_t (*load16)(const void *from);
	uint32_t (*load32)(const void *from);
	uint64_t (*load64)(const void *from);
};

static const struct byte_order little = {load_le16, load_le32, load_le64};
static const struct byte_order big = {load_be16, load_be32, load_be64};

/* A processor's file; reader NULL = at its end. */
struct cpu_file {
	struct byte_reader *reader;
	const struct byte_order *order;
	const uint8_t *record; /* the next one */
	uint64_t time_ns;
};

struct blktrace {
	struct issuers issuers;
	struct cpu_file *file;
	size_t files;
	struct {
		uint32_t device, disk;
		bool known;
	} cached[DEVICES_CACHED];
};

/* The order that a magic of the known version is in; NULL if it is none. */
static const struct byte_order *order_of(const void *record)
{
	if (load_le32(record) == (BLK_IO_TRACE_MAGIC | BLK_IO_TRACE_VERSION))
		return &little;
	if (load_be32(record) == (BLK_IO_TRACE_MAGIC | BLK_IO_TRACE_VERSION))
		return &big;
	return NULL;
}

static int damaged(const struct foreign *f, size_t i, uint64_t record)
{
	return fail("%s (processor %zu's file): record %" PRIu64 " has no magic of blktrace's "
		    "version 7; the file is damaged, or of two machines",
		    foreign_path(f), i, record);
}

/* Finds file i's next record; 0, also at the end, or -1 after saying what is wrong. */
static int advance(struct foreign *f, size_t i)
{
	struct cpu_file *file = &((struct blktrace *)foreign_state(f))->file[i];
	const char *head;
	size_t got;
	int rc;

	if (byte_reader_peek(file->reader, RECORD_BYTES, &head, &got))
		return -1;
	if (got == RECORD_BYTES) {
		if (!file->order)
			file->order = order_of(head);
		if (!file->order || order_of(head) != file->order)
			return damaged(f, i, file->reader->taken + 1);
		got += file->order->load16(head + PDU_LENGTH_AT);
	} else {
		got = RECORD_BYTES; /* and taking it says that it is cut */
	}
	rc = byte_reader_take(file->reader, got, &file->record);
	if (rc > 0)
		file->time_ns = file->order->load64(file->record + TIME_AT);
	if (rc == 0) {
		byte_reader_close(file->reader);
		file->reader = NULL;
	}
	return rc < 0 ? -1 : 0;
}

/* How much of NAME.blktrace.N stands before N; 0 where a name is none of these. */
static size_t before_cpu(const char *path)
{
	size_t length = strlen(path), middle = strlen(CPU_ENDING);

	while (length && path[length - 1] >= '0' && path[length - 1] <= '9')
		length--;
	return path[length] && length > middle &&
			       !memcmp(path + length - middle, CPU_ENDING, middle)
		       ? length
		       : 0;
}

static int open_cpu(struct foreign *f, const char *path)
{
	struct blktrace *b = foreign_state(f);

	b->file[b->files] = (struct cpu_file){.reader = byte_reader_open(path)};
	if (!b->file[b->files].reader)
		return -1;
	return advance(f, b->files++);
}

/* A processor that is missing may have been offline. */
static int open_cpus(struct foreign *f)
{
	const char *path = foreign_path(f);
	size_t length = before_cpu(path);
	char name[PATH_MAX];
	struct stat st;

	if (!length || length + sizeof("4294967295") > sizeof(name))
		return open_cpu(f, path);
	for (unsigned int cpu = 0; cpu < CPUS_MAX; cpu++) {
		snprintf(name, sizeof(name), "%.*s%u", (int)length, path, cpu);
		if (!stat(name, &st) && open_cpu(f, name))
			return -1;
	}
	return 0;
}

static void close_cpus(struct blktrace *b)
{
	for (size_t i = 0; i < b->files; i++)
		byte_reader_close(b->file[i].reader);
	b->files = 0;
}

static uint32_t load_action(const struct cpu_file *file)
{
	return file->order->load32(file->record + ACTION_AT);
}

static bool has_category(uint32_t action, uint32_t category)
{
	return action >> BLK_TC_SHIFT & category;
}

/* Q, D, C or R; 0 for what never counts. */
static char action_letter(uint32_t action)
{
	static const char letters[] = {
		[__BLK_TA_QUEUE] = 'Q',
		[__BLK_TA_REQUEUE] = 'R',
		[__BLK_TA_ISSUE] = 'D',
		[__BLK_TA_COMPLETE] = 'C',
	};
	uint32_t what = action & ((1u << BLK_TC_SHIFT) - 1) & ~(uint32_t)__BLK_TA_CGROUP;

	if (has_category(action, BLK_TC_NOTIFY | BLK_TC_DRV_DATA))
		return 0;
	return what < sizeof(letters) ? letters[what] : 0;
}

/* NULL, or what is wrong with the record's device. */
static const char *find_disk(struct foreign *f, uint32_t device, uint32_t *disk)
{
	struct blktrace *b = foreign_state(f);
	size_t i = (device ^ device >> MINOR_BITS) % DEVICES_CACHED;
	const char *wrong;
	char name[24];
	int length;

	if (b->cached[i].known && b->cached[i].device == device) {
		*disk = b->cached[i].disk;
		return NULL;
	}
	length = snprintf(name, sizeof(name), "%" PRIu32 ",%" PRIu32, device >> MINOR_BITS,
			  device & ((1u << MINOR_BITS) - 1));
	wrong = foreign_disk(f, name, name + length, disk);
	if (wrong)
		return wrong;
	b->cached[i].device = device;
	b->cached[i].disk = *disk;
	b->cached[i].known = true;
	return NULL;
}

static int disk_of(struct foreign *f, const struct cpu_file *file, uint32_t *disk)
{
	uint32_t device = file->order->load32(file->record + DEVICE_AT);
	const char *wrong = find_disk(f, device, disk);

	return wrong ? fail("%s: record %" PRIu64 " %s", foreign_path(f), file->reader->taken,
			    wrong)
		     : 0;
}

static const struct {
	uint32_t category, flag;
} flags[] = {
	{BLK_TC_SYNC, BLOCK_FLAG_SYNC},	      {BLK_TC_META, BLOCK_FLAG_META},
	{BLK_TC_AHEAD, BLOCK_FLAG_READAHEAD}, {BLK_TC_FUA, BLOCK_FLAG_FUA},
	{BLK_TC_FLUSH, BLOCK_FLAG_PREFLUSH},
};

static void decode_action(uint32_t action, struct foreign_record *r)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (has_category(action, flags[i].category))
			r->flags |= flags[i].flag;
	r->op = has_category(action, BLK_TC_WRITE) ? BLOCK_WRITE : BLOCK_READ;
	if (has_category(action, BLK_TC_DISCARD))
		r->op = BLOCK_DISCARD;
	if (!r->length && has_category(action, BLK_TC_FLUSH))
		r->op = BLOCK_FLUSH;
}

/* 1 a record that counts, 0 one that doesn't, -1 after saying what is wrong. */
static int decode(struct foreign *f, const struct cpu_file *file, struct foreign_record *r)
{
	struct blktrace *b = foreign_state(f);
	uint32_t action = load_action(file), bytes;
	char letter = action_letter(action);

	if (!letter)
		return 0;
	if (disk_of(f, file, &r->disk))
		return -1;
	if (!issuers_kind(&b->issuers, letter, r->disk, &r->kind))
		return 0;
	if (has_category(action, BLK_TC_PC)) {
		foreign_skip(f);
		return 0;
	}
	bytes = file->order->load32(file->record + BYTES_AT);
	r->time_ns = file->time_ns;
	r->offset = file->order->load64(file->record + SECTOR_AT);
	r->length = bytes / SECTOR_BYTES + (bytes % SECTOR_BYTES != 0);
	r->pid = file->order->load32(file->record + PID_AT);
	if (letter == 'C')
		r->error = (int16_t)file->order->load16(file->record + ERROR_AT);
	decode_action(action, r);
	return 1;
}

static struct cpu_file *earliest(struct blktrace *b)
{
	struct cpu_file *first = NULL;

	for (struct cpu_file *file = b->file; file < b->file + b->files; file++)
		if (file->reader && (!first || file->time_ns < first->time_ns))
			first = file;
	return first;
}

static int blktrace_next(struct foreign *f, struct foreign_record *r)
{
	struct blktrace *b = foreign_state(f);
	struct cpu_file *file;
	int rc = 0;

	while (!rc && (file = earliest(b))) {
		rc = decode(f, file, r);
		if (rc < 0 || advance(f, file - b->file))
			return -1;
	}
	return rc;
}

static int find_issuers(struct foreign *f)
{
	struct blktrace *b = foreign_state(f);
	uint32_t disk;

	for (struct cpu_file *file = b->file; file < b->file + b->files; file++)
		while (file->reader) {
			if (action_letter(load_action(file)) == 'D') {
				if (disk_of(f, file, &disk))
					return -1;
				issuers_add(&b->issuers, disk);
			}
			if (advance(f, file - b->file))
				return -1;
		}
	return 0;
}

static int blktrace_begin(struct foreign *f)
{
	struct blktrace *b = foreign_state(f);

	b->file = calloc(CPUS_MAX, sizeof(*b->file));
	if (!b->file)
		return fail("out of memory for %s", foreign_path(f));
	if (open_cpus(f) || find_issuers(f))
		return -1;
	close_cpus(b);
	return open_cpus(f);
}

static void blktrace_end(struct foreign *f)
{
	struct blktrace *b = foreign_state(f);

	close_cpus(b);
	free(b->file);
}

static bool blktrace_recognise(const void *first, size_t bytes)
{
	return bytes >= RECORD_BYTES && order_of(first);
}

static const struct foreign_format blktrace_format = {
	.name = "blktrace",
	.layout = "blktrace, version 7",
	.units = "sectors of 512 bytes, lengths in bytes, times in ns",
	.unit_bytes = SECTOR_BYTES,
	.any_multiple = true,
	.completions = COMPLETIONS_RECORDS,
	.state_bytes = sizeof(struct blktrace),
	.begin = blktrace_begin,
	.next = blktrace_next,
	.end = blktrace_end,
};

IMPORTER(blktrace){
	.head =
		{
			.kind = "import",
			.name = "blktrace",
			.summary = "blktrace's binary records of Linux's block layer",
			.source = "Linux, include/uapi/linux/blktrace_api.h, version 7",
		},
	.recognise = blktrace_recognise,
	.format = &blktrace_format,
};
