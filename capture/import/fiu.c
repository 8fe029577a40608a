/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block traces of Florida International University (IODedup, 2010).
 *
 *	time pid process lba size R|W major minor [md5...]
 *	89966527996712 4253 nfsd 508516680 8 W 6 0 b5e9f4e5ab62a4fff5313a606b0ad4e3
 *
 * Time in ns since the machine started, address and size in sectors. The MD5s are of
 * 4096 bytes each, or, in the traces "homes", of 512; they are not taken, nor are
 * there completions. Traps: a process's name may have blanks; a day's files
 * begin at that day's uptime.
 */
#include "fields.h"
#include "foreign.h"

#define WORDS_MAX  32
#define WORDS_MIN  8 /* without the checksums, and with a name of one word */
#define MD5_DIGITS 32

struct word {
	const char *at, *end;
};

static bool number_of(const struct word *word, uint64_t *value)
{
	const char *at = word->at;

	return take_number(&at, word->end, value) && at == word->end;
}

static bool are_md5s(const struct word *word)
{
	size_t digits = word->end - word->at;

	if (digits < MD5_DIGITS || digits % MD5_DIGITS)
		return false;
	for (const char *at = word->at; at < word->end; at++)
		if (!((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f') ||
		      (*at >= 'A' && *at <= 'F')))
			return false;
	return true;
}

static size_t split(const char *at, const char *end, struct word words[WORDS_MAX])
{
	size_t n = 0;

	while (n < WORDS_MAX && take_word(&at, end, &words[n].at, &words[n].end))
		n++;
	return n;
}

/* The record but for its disk, whose numbers are the words *device; NULL, or what is wrong. */
static const char *parse(const char *at, const char *end, struct foreign_record *r,
			 struct word device[2])
{
	struct word words[WORDS_MAX], *last;
	size_t n = split(at, end, words);
	uint64_t pid, number;

	n -= n && are_md5s(&words[n - 1]);
	if (n < WORDS_MIN)
		return "should be: time pid process lba size R|W major minor [md5]";
	last = &words[n - 1];
	if (!number_of(&words[0], &r->time_ns) || !number_of(&words[1], &pid) || pid > UINT32_MAX)
		return "doesn't begin with a time in ns and a pid";
	if (!number_of(&last[-4], &r->offset) || !number_of(&last[-3], &r->length))
		return "has an address or size that is no number";
	if (last[-2].end - last[-2].at != 1 || (*last[-2].at != 'R' && *last[-2].at != 'W'))
		return "has neither R nor W behind its size";
	if (!number_of(&last[-1], &number) || !number_of(&last[0], &number))
		return "has no major and minor number of a disk";
	r->pid = pid;
	r->op = *last[-2].at == 'R' ? BLOCK_READ : BLOCK_WRITE;
	device[0] = last[-1];
	device[1] = last[0];
	return NULL;
}

static const char *fiu_line(struct foreign *f, const char *at, const char *end,
			    struct foreign_record *r)
{
	struct word device[2];
	const char *wrong = parse(at, end, r, device);
	size_t major, minor;
	char name[48];

	if (wrong)
		return wrong;
	major = device[0].end - device[0].at;
	minor = device[1].end - device[1].at;
	if (major + minor + 1 > sizeof(name))
		return "has no major and minor number of a disk";
	memcpy(name, device[0].at, major);
	name[major] = ',';
	memcpy(name + major + 1, device[1].at, minor);
	return foreign_disk(f, name, name + major + 1 + minor, &r->disk);
}

static bool fiu_recognise(const void *first, size_t bytes)
{
	struct foreign_record record;
	struct word device[2];
	const char *at, *end;

	return foreign_first_line(first, bytes, &at, &end) && !parse(at, end, &record, device);
}

static const struct foreign_format fiu_format = {
	.name = "fiu",
	.layout = "time pid process lba size R|W major minor [md5]",
	.units = "addresses and sizes in sectors of 512 bytes, times in ns",
	.unit_bytes = SECTOR_BYTES,
	.line = fiu_line,
};

IMPORTER(fiu){
	.head =
		{
			.kind = "import",
			.name = "fiu",
			.summary = "FIU's block traces with content (IODedup), without the content",
			.source = "R. Koller, R. Rangaswami, I/O deduplication: utilizing content "
				  "similarity to improve I/O performance, FAST 2010",
		},
	.recognise = fiu_recognise,
	.format = &fiu_format,
};
