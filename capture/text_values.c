/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values that the text form shows by name: flags, modes, descriptors.
 *
 * The flags' values are those of Linux x86-64 (include/uapi/asm-generic/fcntl.h,
 * include/uapi/linux/sched.h). On FreeBSD other bits mean other things, but
 * what is written by name is read back by name, so nothing is lost.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct bit_name {
	const char *name;
	uint64_t mask, value;
};

static const struct bit_name open_flags[] = {
	{"O_RDONLY", 3, 0},
	{"O_WRONLY", 3, 1},
	{"O_RDWR", 3, 2},
	{"O_CREAT", 0100, 0100},
	{"O_EXCL", 0200, 0200},
	{"O_NOCTTY", 0400, 0400},
	{"O_TRUNC", 01000, 01000},
	{"O_APPEND", 02000, 02000},
	{"O_NONBLOCK", 04000, 04000},
	{"O_SYNC", 04010000, 04010000},
	{"O_DSYNC", 010000, 010000},
	{"O_DIRECT", 040000, 040000},
	{"O_LARGEFILE", 0100000, 0100000},
	{"O_TMPFILE", 020200000, 020200000},
	{"O_DIRECTORY", 0200000, 0200000},
	{"O_NOFOLLOW", 0400000, 0400000},
	{"O_NOATIME", 01000000, 01000000},
	{"O_CLOEXEC", 02000000, 02000000},
	{"O_PATH", 010000000, 010000000},
	{0},
};

static const struct bit_name clone_flags[] = {
	{"CLONE_VM", 0x100, 0x100},
	{"CLONE_FS", 0x200, 0x200},
	{"CLONE_FILES", 0x400, 0x400},
	{"CLONE_SIGHAND", 0x800, 0x800},
	{"CLONE_VFORK", 0x4000, 0x4000},
	{"CLONE_PARENT", 0x8000, 0x8000},
	{"CLONE_THREAD", 0x10000, 0x10000},
	{"CLONE_NEWNS", 0x20000, 0x20000},
	{"CLONE_SYSVSEM", 0x40000, 0x40000},
	{"CLONE_SETTLS", 0x80000, 0x80000},
	{"CLONE_PARENT_SETTID", 0x100000, 0x100000},
	{"CLONE_CHILD_CLEARTID", 0x200000, 0x200000},
	{"CLONE_CHILD_SETTID", 0x1000000, 0x1000000},
	{0},
};

static const char *const whences[] = {"SEEK_SET",  "SEEK_CUR",	"SEEK_END",
				      "SEEK_DATA", "SEEK_HOLE", NULL};

bool text_parse_number(const char *text, uint64_t *value)
{
	bool negative = *text == '-';
	const char *digits = text + negative;
	char *end;

	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	*value = strtoull(digits, &end, digits[0] == '0' && digits[1] == 'x' ? 16 : 10);
	if (errno || *end)
		return false;
	if (negative)
		*value = -*value;
	return true;
}

/* Calls take() for each part of A|B|C; false as soon as one is not understood. */
static bool each_part(const char *text, const void *table,
		      bool (*take)(const void *table, const char *part, uint64_t *value),
		      uint64_t *value)
{
	char part[64];

	*value = 0;
	for (;;) {
		size_t length = strcspn(text, "|");

		if (!length || length >= sizeof(part))
			return false;
		memcpy(part, text, length);
		part[length] = '\0';
		if (!take(table, part, value))
			return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

static bool take_number(const char *part, uint64_t *value)
{
	uint64_t number;

	if (!text_parse_number(part, &number))
		return false;
	*value |= number;
	return true;
}

static bool take_field_name(const void *table, const char *part, uint64_t *value)
{
	const char *const *names = table;

	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], part)) {
			*value |= 1ull << i;
			return true;
		}
	return take_number(part, value);
}

static bool take_bit_name(const void *table, const char *part, uint64_t *value)
{
	for (const struct bit_name *b = table; b->name; b++)
		if (!strcmp(b->name, part)) {
			*value |= b->value;
			return true;
		}
	return take_number(part, value);
}

bool text_parse_bits(const char *text, const char *const *names, uint64_t *value)
{
	return each_part(text, names, take_field_name, value);
}

static void put_bit_names(FILE *out, const struct bit_name *names, uint64_t value)
{
	const char *separator = "";

	for (; names->name; names++) {
		/* a name of several bits is shown only where all are left to show */
		if ((value & names->mask) != names->value)
			continue;
		fprintf(out, "%s%s", separator, names->name);
		separator = "|";
		value &= ~names->mask;
	}
	if (value)
		fprintf(out, "%s0x%" PRIx64, separator, value);
}

static void put_open_flags(FILE *out, uint64_t value)
{
	/* the access mode 3 has no name: shown as a number, it must not meet O_RDONLY's */
	if ((value & 3) == 3)
		fprintf(out, "0x%" PRIx64, value);
	else
		put_bit_names(out, open_flags, value);
}

static bool parse_open_flags(const char *text, uint64_t *value)
{
	return each_part(text, open_flags, take_bit_name, value);
}

static void put_clone_flags(FILE *out, uint64_t value)
{
	put_bit_names(out, clone_flags, value);
}

static bool parse_clone_flags(const char *text, uint64_t *value)
{
	return each_part(text, clone_flags, take_bit_name, value);
}

static void put_decimal(FILE *out, uint64_t value)
{
	fprintf(out, "%" PRIu64, value);
}

static void put_signed(FILE *out, uint64_t value)
{
	fprintf(out, "%" PRId64, (int64_t)value);
}

static void put_hex(FILE *out, uint64_t value)
{
	fprintf(out, "0x%" PRIx64, value);
}

/* As compilers pass it: 32 bits, the upper half of the register zero. */
#define AT_FDCWD_REGISTER 0xffffff9cu

static void put_directory(FILE *out, uint64_t value)
{
	if (value == AT_FDCWD_REGISTER)
		fputs("AT_FDCWD", out);
	else
		put_signed(out, value);
}

static bool parse_directory(const char *text, uint64_t *value)
{
	*value = AT_FDCWD_REGISTER;
	return !strcmp(text, "AT_FDCWD") || text_parse_number(text, value);
}

static void put_whence(FILE *out, uint64_t value)
{
	if (name_of(whences, value))
		fputs(whences[value], out);
	else
		put_decimal(out, value);
}

static bool parse_whence(const char *text, uint64_t *value)
{
	for (*value = 0; whences[*value]; ++*value)
		if (!strcmp(whences[*value], text))
			return true;
	return text_parse_number(text, value);
}

static void put_octal(FILE *out, uint64_t value)
{
	fprintf(out, "0%" PRIo64, value);
}

static bool parse_octal(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 8);
	return *text >= '0' && *text <= '7' && !*end && !errno;
}

const struct argument_form argument_forms[] = {
	[ARGUMENT_NONE] = {.put = put_hex, .parse = text_parse_number},
	[ARGUMENT_NUMBER] = {.put = put_decimal, .parse = text_parse_number},
	[ARGUMENT_SIGNED] = {.put = put_signed, .parse = text_parse_number},
	[ARGUMENT_ADDRESS] = {.put = put_hex, .parse = text_parse_number},
	[ARGUMENT_FD] = {.put = put_signed, .parse = text_parse_number, .shown = true},
	[ARGUMENT_DIRECTORY] = {.put = put_directory, .parse = parse_directory, .shown = true},
	[ARGUMENT_OPEN_FLAGS] = {.put = put_open_flags, .parse = parse_open_flags, .shown = true},
	[ARGUMENT_MODE] = {.put = put_octal, .parse = parse_octal},
	[ARGUMENT_WHENCE] = {.put = put_whence, .parse = parse_whence, .shown = true},
	[ARGUMENT_PATH] = {.put = put_hex, .parse = text_parse_number},
	[ARGUMENT_CLONE_FLAGS] = {.put = put_clone_flags, .parse = parse_clone_flags},
};

const struct text_header_field text_header_fields[] = {
	{"pid", false, offsetof(struct event, pid), FIELD_U32},
	{"tid", false, offsetof(struct event, tid), FIELD_U32},
	{"fs", true, offsetof(struct event, fs_base), FIELD_U64},
	{"ran", false, offsetof(struct event, cpu_ns), FIELD_U64},
	{"held", false, offsetof(struct event, held_ns), FIELD_U64},
	{"seq", false, offsetof(struct event, seq), FIELD_U64},
	{0},
};
