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
#include <stdio.h>

#include "fields.h"
#include "foreign.h"

#define WORDS_MAX  32
#define WORDS_MIN  8 /* without the checksums, and with a name of one word */
#define MD5_DIGITS 32

static const char no_disk[] = "has no major and minor number of a disk";

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

/* "6,0" of two words; NULL, or what is wrong. */
static const char *name_disk(const struct word *major, const struct word *minor,
			     struct foreign_name *disk)
{
	int length =
		snprintf(disk->made, sizeof(disk->made), "%.*s,%.*s", (int)(major->end - major->at),
			 major->at, (int)(minor->end - minor->at), minor->at);

	disk->at = disk->made;
	disk->end = disk->made + length;
	return length < (int)sizeof(disk->made) ? NULL : no_disk;
}

static const char *fiu_parse(const char *at, const char *end, struct foreign_record *r,
			     struct foreign_name *disk)
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
		return no_disk;
	r->pid = pid;
	r->op = *last[-2].at == 'R' ? BLOCK_READ : BLOCK_WRITE;
	return name_disk(&last[-1], &last[0], disk);
}

/* By its MD5s: what ends within one is wrong. */
static bool fiu_is_whole(const struct foreign *f, const char *at, const char *end)
{
	struct word words[WORDS_MAX];
	size_t n = split(at, end, words);

	return n && are_md5s(&words[n - 1]);
}

static const struct foreign_format fiu_format = {
	.name = "fiu",
	.layout = "time pid process lba size R|W major minor [md5]",
	.units = "addresses and sizes in sectors of 512 bytes, times in ns",
	.unit_bytes = SECTOR_BYTES,
	.parse = fiu_parse,
	.is_whole = fiu_is_whole,
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
	.format = &fiu_format,
};
