/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fio's write_iolog records and read_iolog replays, versions 2 and 3.
 *
 *	fio version 2 iolog		fio version 3 iolog
 *	/dev/sdb add			0 /dev/sdb add
 *	/dev/sdb read 4096 512		128 /dev/sdb read 4096 512
 *	/dev/sdb wait 250		...
 *
 * Offset and length in bytes, times in us since the log began. Each file is a
 * disk. Traps: version 2 has no times but what `wait` adds up to, us since the
 * wait before, so most requests share theirs; version 3 ignores waits; offsets in files need
 * not be multiples of 512, requests are then rounded to whole sectors. trim is a
 * discard; sync and datasync are flushes. Completions are not known.
 */
#include "common/error.h"
#include "fields.h"
#include "foreign.h"

#define BEFORE_VERSION "fio version "

struct iolog {
	bool has_times; /* version 3 */
	uint64_t time_us;
};

static const struct action {
	const char *name;
	enum { ACTION_FILE, ACTION_REQUEST, ACTION_SYNC, ACTION_WAIT } what;
	enum block_op op;
} actions[] = {
	{"read", ACTION_REQUEST, BLOCK_READ},
	{"write", ACTION_REQUEST, BLOCK_WRITE},
	{"trim", ACTION_REQUEST, BLOCK_DISCARD},
	{"sync", ACTION_SYNC, BLOCK_FLUSH},
	{"datasync", ACTION_SYNC, BLOCK_FLUSH},
	{"sync_file_range", ACTION_SYNC, BLOCK_FLUSH},
	{"wait", ACTION_WAIT, 0},
	{"add", ACTION_FILE, 0},
	{"open", ACTION_FILE, 0},
	{"close", ACTION_FILE, 0},
	{"unlink", ACTION_FILE, 0},
};

static const struct action *find_action(const char *word, const char *end)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (word_is(word, end, actions[i].name))
			return &actions[i];
	return NULL;
}

static bool take_blank_number(const char **at, const char *end, uint64_t *value)
{
	skip_blanks(at, end);
	return take_number(at, end, value) && (*at == end || is_blank(**at));
}

static const char *take_wait(struct iolog *log, const char *at, const char *end)
{
	uint64_t us;

	if (log->has_times)
		return foreign_skipped;
	if (!take_blank_number(&at, end, &us))
		return "waits for no number of us";
	if (__builtin_add_overflow(log->time_us, us, &log->time_us))
		log->time_us = UINT64_MAX;
	return foreign_nothing;
}

static const char *take_extent(const char *at, const char *end, struct foreign_record *r)
{
	if (!take_blank_number(&at, end, &r->offset) || !take_blank_number(&at, end, &r->length))
		return "has no offset and length";
	skip_blanks(&at, end);
	return at == end ? NULL : "has more than an offset and a length";
}

static const char *iolog_line(struct foreign *f, const char *at, const char *end,
			      struct foreign_record *r)
{
	struct iolog *log = foreign_state(f);
	const char *file, *file_end, *word, *word_end, *wrong = NULL;
	const struct action *action;

	skip_blanks(&at, end);
	if (at == end)
		return foreign_nothing;
	if (log->has_times && !take_blank_number(&at, end, &log->time_us))
		return "doesn't begin with a time in us, as version 3 does";
	if (!take_word(&at, end, &file, &file_end) || !take_word(&at, end, &word, &word_end))
		return "has no file and action";
	action = find_action(word, word_end);
	if (!action)
		return "has an action that fio doesn't know";
	if (action->what == ACTION_FILE)
		return foreign_nothing;
	if (action->what == ACTION_WAIT)
		return take_wait(log, at, end);
	if (action->what == ACTION_REQUEST)
		wrong = take_extent(at, end, r);
	if (wrong)
		return wrong;
	r->time_ns = scale(log->time_us, NS_PER_US);
	r->op = action->op;
	if (file_end - file > FOREIGN_DISK_NAME_MAX)
		file = file_end - FOREIGN_DISK_NAME_MAX;
	return foreign_disk(f, file, file_end, &r->disk);
}

/* The version that a first line bears; 0 if it is none. */
static int version_of(const char *at, const char *end)
{
	const char *digit = at + strlen(BEFORE_VERSION);

	if (!foreign_begins(at, end, BEFORE_VERSION) || !word_is(digit + 1, end, " iolog"))
		return 0;
	return *digit == '2' || *digit == '3' ? *digit - '0' : 0;
}

static int iolog_begin(struct foreign *f)
{
	struct iolog *log = foreign_state(f);
	const char *at, *end;

	if (byte_reader_line(foreign_reader(f), &at, &end) <= 0)
		return -1;
	log->has_times = version_of(at, end) == 3;
	return 0;
}

static bool iolog_recognise(const void *first, size_t bytes)
{
	const char *at, *end;

	return foreign_first_line(first, bytes, &at, &end) && version_of(at, end);
}

static const struct foreign_format iolog_format = {
	.name = "fio",
	.layout = "[time] file action [offset length]",
	.units = "offsets and lengths in bytes, times in us",
	.unit_bytes = 1,
	.any_alignment = true,
	.state_bytes = sizeof(struct iolog),
	.begin = iolog_begin,
	.line = iolog_line,
};

IMPORTER(fio_iolog){
	.head =
		{
			.kind = "import",
			.name = "fio",
			.summary = "fio's I/O logs, versions 2 and 3",
			.source = "fio's documentation, trace file formats 2 and 3",
		},
	.recognise = iolog_recognise,
	.format = &iolog_format,
};
