/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What blkparse prints of blktrace's records, in its own format.
 *
 *	device cpu sequence time pid action rwbs sector + sectors [process]
 *	  8,0    3       12     0.000126531   697  D  WS 223490 + 8 [kjournald]
 *	  8,0    3       14     0.000341028     0  C  WS 223490 + 8 [0]
 *
 * Time in seconds since tracing began, sectors of 512 bytes. block_layer.h
 * says which lines count. Traps: the pid of a D is of whoever ran the queue; SCSI
 * commands that are no reads or writes, and notes of drivers, are left out; from
 * an empty line or a summary ("CPU0 (...") on, the rest is not read.
 */
#include "block_layer.h"
#include "common/error.h"
#include "fields.h"

struct blkparse {
	struct issuers issuers;
	bool ended; /* the summary has begun */
};

struct blkparse_line {
	const char *device, *device_end, *rwbs, *rwbs_end, *rest;
	uint64_t time_ns;
	uint32_t pid;
	char action; /* 0: one that never counts */
};

/* MAJOR,MINOR */
static bool is_device(const char *at, const char *end)
{
	uint64_t number;

	return take_number(&at, end, &number) && take_char(&at, end, ',') &&
	       take_number(&at, end, &number) && at == end;
}

static bool take_blank_number(const char **at, const char *end)
{
	uint64_t number;

	skip_blanks(at, end);
	return take_number(at, end, &number) && *at < end && is_blank(**at);
}

/* Up to the words that depend on the action; NULL, or what is wrong. */
static const char *parse(const char *at, const char *end, struct blkparse_line *line)
{
	const char *word, *word_end;

	if (!take_word(&at, end, &line->device, &line->device_end) ||
	    !is_device(line->device, line->device_end))
		return "doesn't begin with a device, as 8,0";
	if (!take_blank_number(&at, end) || !take_blank_number(&at, end))
		return "has no number of a processor and of itself";
	skip_blanks(&at, end);
	if (!take_scaled(&at, end, NS_PER_SECOND, &line->time_ns))
		return "has no time in seconds";
	skip_blanks(&at, end);
	if (!take_number32(&at, end, &line->pid))
		return "has no pid behind its time";
	if (!take_word(&at, end, &word, &word_end))
		return "has no action";
	line->action = word_end - word == 1 && memchr("QDCR", *word, 4) ? *word : 0;
	if (line->action && !take_word(&at, end, &line->rwbs, &line->rwbs_end))
		return "has no rwbs behind its action";
	line->rest = at;
	return NULL;
}

static const struct {
	char letter;
	uint32_t flag;
} flags[] = {
	{'F', BLOCK_FLAG_FUA},	{'A', BLOCK_FLAG_READAHEAD}, {'S', BLOCK_FLAG_SYNC},
	{'M', BLOCK_FLAG_META}, {'P', BLOCK_FLAG_PRIO},	     {'B', BLOCK_FLAG_PREFLUSH},
};

static uint32_t flag_of(char letter)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (flags[i].letter == letter)
			return flags[i].flag;
	return 0;
}

/* [F](R|W|D|N)[flags] or F: what is asked for. false: nothing of a disk's sectors. */
static bool take_rwbs(const char *at, const char *end, struct foreign_record *r)
{
	static const char letters[] = "RWD";
	static const uint8_t ops[] = {BLOCK_READ, BLOCK_WRITE, BLOCK_DISCARD};
	const char *letter;

	if (*at == 'F') {
		r->flags |= BLOCK_FLAG_PREFLUSH;
		at++;
	}
	letter = at < end ? memchr(letters, *at, sizeof(letters) - 1) : NULL;
	if (!letter && !r->flags)
		return false;
	r->op = letter ? ops[letter - letters] : BLOCK_FLUSH;
	while (at < end)
		r->flags |= flag_of(*at++);
	return true;
}

/* SECTOR + SECTORS; false: there is none. */
static bool take_extent(const char **at, const char *end, struct foreign_record *r)
{
	skip_blanks(at, end);
	if (!take_number(at, end, &r->offset))
		return false;
	skip_blanks(at, end);
	if (!take_char(at, end, '+'))
		return false;
	skip_blanks(at, end);
	return take_number(at, end, &r->length);
}

/* [ERROR] at the end of a completion. */
static int32_t error_of(const char *at, const char *end)
{
	const char *bracket = memrchr(at, '[', end - at);
	uint64_t number = 0;

	if (!bracket)
		return 0;
	bracket++;
	bracket += bracket < end && *bracket == '-';
	return take_number(&bracket, end, &number) && number < 4096 ? -(int32_t)number : 0;
}

static bool begins_summary(const char *at, const char *end)
{
	skip_blanks(&at, end);
	return at == end || foreign_begins(at, end, "CPU") || foreign_begins(at, end, "Total (") ||
	       foreign_begins(at, end, "Input file");
}

/* SCSI commands have bytes in parentheses instead, or nothing when they complete. */
static const char *wrong_extent(const struct blkparse_line *line, const char *end)
{
	bool is_issue = line->action == 'Q' || line->action == 'D';

	if (is_issue && !memchr(line->rest, '(', end - line->rest))
		return "has no sector + sectors";
	return foreign_skipped;
}

static const char *blkparse_line(struct foreign *f, const char *at, const char *end,
				 struct foreign_record *r)
{
	struct blkparse *blkparse = foreign_state(f);
	struct blkparse_line line;
	const char *wrong;

	if (blkparse->ended || begins_summary(at, end)) {
		blkparse->ended = true;
		return foreign_nothing;
	}
	wrong = parse(at, end, &line);
	if (!wrong && !line.action)
		return foreign_nothing;
	if (!wrong)
		wrong = foreign_disk(f, line.device, line.device_end, &r->disk);
	if (wrong)
		return wrong;
	if (!issuers_kind(&blkparse->issuers, line.action, r->disk, &r->kind))
		return foreign_nothing;
	at = line.rest;
	if (!take_rwbs(line.rwbs, line.rwbs_end, r))
		return foreign_skipped;
	if (!take_extent(&at, end, r) && r->op != BLOCK_FLUSH)
		return wrong_extent(&line, end);
	if (!r->length && r->flags & BLOCK_FLAG_PREFLUSH)
		r->op = BLOCK_FLUSH;
	r->time_ns = line.time_ns;
	r->pid = line.pid;
	r->error = r->kind == FOREIGN_COMPLETION ? error_of(at, end) : 0;
	return NULL;
}

/* The process, or the error, ends it; of the summary nothing is read. */
static bool blkparse_is_whole(const struct foreign *f, const char *at, const char *end)
{
	const struct blkparse *blkparse = foreign_state(f);

	return blkparse->ended || end[-1] == ']';
}

/* The pass that finds out which disks issue requests; what is wrong is said by the other one. */
static int find_issuers(struct foreign *f, struct byte_reader *reader)
{
	struct blkparse *blkparse = foreign_state(f);
	struct blkparse_line line;
	const char *at, *end;
	uint32_t disk;
	int rc;

	while ((rc = byte_reader_any_line(reader, &at, &end)) > 0 && !begins_summary(at, end))
		if (!parse(at, end, &line) && line.action == 'D' &&
		    !foreign_disk(f, line.device, line.device_end, &disk))
			issuers_add(&blkparse->issuers, disk);
	return rc < 0 ? -1 : 0;
}

static int blkparse_begin(struct foreign *f)
{
	struct byte_reader *reader = byte_reader_open(foreign_path(f));
	int rc = reader ? find_issuers(f, reader) : -1;

	byte_reader_close(reader);
	return rc;
}

static bool blkparse_recognise(const void *first, size_t bytes)
{
	struct blkparse_line line;
	const char *at, *end;

	return foreign_first_line(first, bytes, &at, &end) && !parse(at, end, &line);
}

static const struct foreign_format blkparse_format = {
	.name = "blkparse",
	.layout = "device cpu sequence time pid action rwbs sector + sectors [process]",
	.units = "sectors of 512 bytes, times in seconds",
	.unit_bytes = SECTOR_BYTES,
	.any_multiple = true,
	.completions = COMPLETIONS_RECORDS,
	.state_bytes = sizeof(struct blkparse),
	.begin = blkparse_begin,
	.line = blkparse_line,
	.is_whole = blkparse_is_whole,
};

IMPORTER(blkparse){
	.head =
		{
			.kind = "import",
			.name = "blkparse",
			.summary = "what blkparse prints of Linux's block layer",
			.source = "blkparse(1), its default format",
		},
	.recognise = blkparse_recognise,
	.format = &blkparse_format,
};
