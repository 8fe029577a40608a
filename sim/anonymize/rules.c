/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <string.h>

#include "common/word_list.h"
#include "sim/anonymize/rules.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* Names of fields, with commas between them. */
static const struct kind_rules {
	const char *kept, *sums, *paths, *texts, *attributes, *values;
} rules[EVENT_KINDS + 1] = {
	[EVENT_KINDS] = {.kept = "seq,time_ns,space,stack,fs_base,cpu_ns,held_ns,pid,tid,vcpu"},
	[EVENT_ATTRIBUTE] = {.attributes = "name", .values = "value"},
	[EVENT_PROCESS] = {.kept = "parent_pid", .paths = "cwd,executable"},
	[EVENT_DESCRIPTOR] = {.kept = "fd,open_file,offset,flags,dev,inode,links,size,mode",
			      .paths = "path"},
	[EVENT_MAP] = {.kept = "address,bytes,protection,flags,dev,inode,offset", .paths = "path"},
	[EVENT_ENTRY] = {.kept = "abi,call,arg0,arg1,arg2,arg3,arg4,arg5,lengths,records,at",
			 .sums = "sums",
			 .paths = "path,path2"},
	[EVENT_EXIT] = {.kept = "abi,call,ret,carry,way,records,at,written_at",
			.sums = "sums,written"},
	[EVENT_SWITCH] = {0},
	[EVENT_FORK] = {.kept = "child_pid,child_tid,flags,child_space,child_stack,child_fs_base"},
	[EVENT_EXEC] = {.paths = "name"},
	[EVENT_GONE] = {.kept = "status,last_thread"},
	[EVENT_MONITOR] = {.kept = "on"},
	[EVENT_INSIGHT] = {.kept = "call,ret,fd,offset,flags,dev,inode,links,size,mode,at",
			   .sums = "sums",
			   .paths = "path"},
	[EVENT_MAPPING] = {.kept = "action,frame,address,dev,inode,index", .sums = "sum"},
	[EVENT_BLOCK] = {.kept = "op,disk,id,sector,count,flags,frames,markers", .sums = "sums"},
	[EVENT_COMPLETE] = {.kept = "disk,id,error,frames,markers", .sums = "sums"},
	[EVENT_MARK] = {.texts = "name"},
	[EVENT_CLOCK] = {.kept = "guest_minus_host_ns"},
	[EVENT_LOSS] = {.kept = "count", .texts = "where"},
	[EVENT_TRUTH] = {.kept = "op,disk,sector,count,flags,what,source,dev,inode,index"},
	[EVENT_EXTENT] = {.kept = "disk,sector,count,dev,inode,index"},
	[EVENT_HINT] = {.kept = "what,disk,id,chunk,class,dedup,reason,dev,inode,index"},
};

enum treatment field_treatment(unsigned kind, const char *field)
{
	const struct kind_rules *r = &rules[kind];
	const char *const lists[TREATMENTS] = {
		[TREATMENT_KEPT] = r->kept,
		[TREATMENT_SUMS] = r->sums,
		[TREATMENT_PATH] = r->paths,
		[TREATMENT_TEXT] = r->texts,
		[TREATMENT_ATTRIBUTE] = r->attributes,
		[TREATMENT_VALUE] = r->values,
	};
	enum treatment found = TREATMENT_NONE;

	for (unsigned i = TREATMENT_KEPT; i < TREATMENTS; i++) {
		if (!lists[i] || !word_list_has(lists[i], field, strlen(field)))
			continue;
		if (found)
			return TREATMENT_NONE;
		found = i;
	}
	return found;
}

/* What Sky's recorders and importers write; a # stands for a number. */
static const struct {
	const char *name;
	enum attribute_rule rule;
} attributes[] = {
	{"recorder", ATTRIBUTE_WORD},
	{"version", ATTRIBUTE_VERSION},
	{"started", ATTRIBUTE_NUMBERS},
	{"clock", ATTRIBUTE_WORD},
	{"guest", ATTRIBUTE_WORD},
	{"kernel", ATTRIBUTE_VERSION},
	{"host", ATTRIBUTE_TEXT},
	{"chunk", ATTRIBUTE_NUMBERS},
	{"checksum", ATTRIBUTE_SUM},
	{"kpti", ATTRIBUTE_WORD},
	{"fs", ATTRIBUTE_WORD},
	{"size", ATTRIBUTE_NUMBERS},
	{"mkfs_options", ATTRIBUTE_TEXT},
	{"mount_options", ATTRIBUTE_TEXT},
	{"mount_device", ATTRIBUTE_NUMBERS},
	{"mount_point", ATTRIBUTE_PATH},
	{"disk.#.name", ATTRIBUTE_PATH},
	{"disk.#.bytes", ATTRIBUTE_NUMBERS},
	{"disk.#.image", ATTRIBUTE_PATH},
	{"layout.#", ATTRIBUTE_NUMBERS},
	{"command", ATTRIBUTE_TEXT},
	{"prepare", ATTRIBUTE_TEXT},
	{"then.#", ATTRIBUTE_TEXT},
	{"calls", ATTRIBUTE_WORD},
	{"truth", ATTRIBUTE_WORD},
	{"copy_offload", ATTRIBUTE_WORD},
	{"misaligned", ATTRIBUTE_WORD},
	{"vm.pid", ATTRIBUTE_NUMBERS},
	{"vm.name", ATTRIBUTE_TEXT},
	{"vm.vcpus", ATTRIBUTE_NUMBERS},
	{"only", ATTRIBUTE_PATH},
	{"ring_bytes", ATTRIBUTE_NUMBERS},
	{"calls_not_covered", ATTRIBUTE_NUMBERS},
	{"chunks_skipped", ATTRIBUTE_NUMBERS},
	{"page_looks_late", ATTRIBUTE_NUMBERS},
	{"cut_bytes", ATTRIBUTE_NUMBERS},
	{"importer", ATTRIBUTE_WORD},
	{"format", ATTRIBUTE_WORD},
	{"source", ATTRIBUTE_PATH},
	{"units", ATTRIBUTE_WORD},
	{"completions", ATTRIBUTE_WORD},
	{"skipped_commands", ATTRIBUTE_NUMBERS},
	{"raised_times", ATTRIBUTE_NUMBERS},
};

/* Is it the pattern, with a number, of at most 10 digits, for the # there may be? */
static bool fits(const char *pattern, const struct text *text)
{
	uint32_t at = 0, digits;

	for (; *pattern; pattern++) {
		if (*pattern != '#') {
			if (at == text->count || text->at[at++] != *pattern)
				return false;
			continue;
		}
		for (digits = 0; at < text->count && isdigit((unsigned char)text->at[at]); at++)
			digits++;
		if (!digits || digits > 10)
			return false;
	}
	return at == text->count;
}

enum attribute_rule attribute_rule(const struct text *name)
{
	for (size_t i = 0; i < COUNT_OF(attributes); i++)
		if (fits(attributes[i].name, name))
			return attributes[i].rule;
	return ATTRIBUTE_KEYED;
}

bool is_numbers(const struct text *value)
{
	for (uint32_t i = 0; i < value->count; i++)
		if (!memchr("0123456789 +-:.TZ", value->at[i], strlen("0123456789 +-:.TZ")))
			return false;
	return true;
}

bool is_own_word(const struct text *text)
{
	return text_is(text, "command") || text_is(text, "end") || text_is(text, "truth");
}
