/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "skytag_rules.h"

#define PATH_MAX_BYTES	  1024
#define PRESET_PAGE_BYTES 16384u
#define SMALLEST_PAGE	  4096u
#define LARGEST_PAGE	  65536u
#define BOTH_DIRECTIONS	  (1u << TAG_READ | 1u << TAG_WRITE)

struct word {
	const char *at;
	size_t bytes;
};

/* What a line said so far: conditions may not be repeated. */
enum condition {
	HAS_PATH = 1 << 0,
	HAS_FD = 1 << 1,
	HAS_OFFSET = 1 << 2,
	HAS_OP = 1 << 3,
	HAS_PAGE_KIND = 1 << 4,
	HAS_INDEX_ID = 1 << 5,
	HAS_PAGE_BYTES = 1 << 6,
	HAS_CLASS = 1 << 7,
};

struct key {
	const char *name;
	enum condition condition;
	/* NULL, or what the value should have been. */
	const char *(*take)(struct tag_rule *rule, struct word value);
};

struct page_name {
	const char *name;
	enum tag_page page;
	uint16_t type; /* of TAG_PAGE_TYPE */
	uint8_t role;  /* of TAG_INDEX_ROLE: enum innodb_role */
};

static const struct page_name page_names[] = {
	{"index", TAG_INDEX, 0, 0},
	{"clustered", TAG_INDEX_ROLE, 0, INNODB_CLUSTERED},
	{"secondary", TAG_INDEX_ROLE, 0, INNODB_SECONDARY},
	{"undo", TAG_PAGE_TYPE, INNODB_UNDO, 0},
	{"inode", TAG_PAGE_TYPE, INNODB_INODE, 0},
	{"ibuf-bitmap", TAG_PAGE_TYPE, INNODB_IBUF_BITMAP, 0},
	{"header", TAG_PAGE_TYPE, INNODB_FSP_HEADER, 0},
	{"extents", TAG_PAGE_TYPE, INNODB_EXTENTS, 0},
	{"blob", TAG_PAGE_TYPE, INNODB_BLOB, 0},
};

static bool is(struct word word, const char *text)
{
	return strlen(text) == word.bytes && !memcmp(word.at, text, word.bytes);
}

/* Takes a decimal number off the word's front. */
static bool take_number(struct word *word, uint64_t *number)
{
	size_t digits = 0;

	*number = 0;
	while (digits < word->bytes && word->at[digits] >= '0' && word->at[digits] <= '9') {
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(word->at[digits] - '0'), number))
			return false;
		digits++;
	}
	word->at += digits;
	word->bytes -= digits;
	return digits > 0;
}

static bool take_char(struct word *word, char c)
{
	if (!word->bytes || *word->at != c)
		return false;
	word->at++;
	word->bytes--;
	return true;
}

/* A number of bytes, with K, M, G or T for powers of 1024. */
static bool take_size(struct word *word, uint64_t *bytes)
{
	static const char units[] = "KMGT";

	if (!take_number(word, bytes))
		return false;
	for (unsigned i = 0; units[i]; i++)
		if (take_char(word, units[i]))
			return !__builtin_mul_overflow(*bytes, 1ull << 10 * (i + 1), bytes);
	return true;
}

/* N or FIRST-LAST, at most limit. */
static bool take_range(struct word value, uint64_t limit, uint64_t *first, uint64_t *last)
{
	if (!take_number(&value, first))
		return false;
	*last = *first;
	if (take_char(&value, '-') && !take_number(&value, last))
		return false;
	return !value.bytes && *first <= *last && *last <= limit;
}

static const char *take_path(struct tag_rule *rule, struct word value)
{
	if (!value.bytes || value.bytes > PATH_MAX_BYTES)
		return "a pattern of 1 to 1024 characters, as in path=*.ibd";
	rule->path = value.at;
	rule->path_bytes = value.bytes;
	return NULL;
}

static const char *take_fd(struct tag_rule *rule, struct word value)
{
	uint64_t first, last;

	if (!take_range(value, INT_MAX, &first, &last))
		return "a descriptor, or FIRST-LAST";
	rule->fd_first = first;
	rule->fd_last = last;
	return NULL;
}

static const char *take_offset(struct tag_rule *rule, struct word value)
{
	static const char wanted[] = "FROM-UNTIL or FROM- in bytes, both multiples of 4096, as in "
				     "offset=0-64K";

	if (!take_size(&value, &rule->offset_from) || !take_char(&value, '-'))
		return wanted;
	if (value.bytes && (!take_size(&value, &rule->offset_until) || value.bytes))
		return wanted;
	if (rule->offset_from % TAG_CHUNK_BYTES || rule->offset_from >= rule->offset_until ||
	    (rule->offset_until != UINT64_MAX && rule->offset_until % TAG_CHUNK_BYTES))
		return wanted;
	return NULL;
}

static const char *take_op(struct tag_rule *rule, struct word value)
{
	if (is(value, "read"))
		rule->directions = 1u << TAG_READ;
	else if (is(value, "write"))
		rule->directions = 1u << TAG_WRITE;
	else
		return "read or write";
	return NULL;
}

static const char *take_innodb(struct tag_rule *rule, struct word value)
{
	for (size_t i = 0; i < sizeof(page_names) / sizeof(page_names[0]); i++)
		if (is(value, page_names[i].name)) {
			rule->page = page_names[i].page;
			rule->page_type = page_names[i].type;
			rule->index_role = page_names[i].role;
			return NULL;
		}
	return "one of index, clustered, secondary, undo, inode, ibuf-bitmap, header, extents, "
	       "blob";
}

static const char *take_type(struct tag_rule *rule, struct word value)
{
	uint64_t first, last;

	if (!take_range(value, INNODB_UNKNOWN - 1, &first, &last) || first != last)
		return "InnoDB's number of a page type, 0 to 65534";
	rule->page = TAG_PAGE_TYPE;
	rule->page_type = first;
	return NULL;
}

static const char *take_index_id(struct tag_rule *rule, struct word value)
{
	if (!take_range(value, INNODB_INDEX_LIMIT, &rule->index_first, &rule->index_last) ||
	    !rule->index_first)
		return "an index's number, or FIRST-LAST, as INNODB_SYS_INDEXES shows it";
	if (rule->page == TAG_ANY_CONTENT)
		rule->page = TAG_INDEX;
	return NULL;
}

static const char *take_page_bytes(struct tag_rule *rule, struct word value)
{
	uint64_t bytes;

	if (!take_size(&value, &bytes) || value.bytes || bytes < SMALLEST_PAGE ||
	    bytes > LARGEST_PAGE || bytes & (bytes - 1))
		return "4K, 8K, 16K, 32K or 64K";
	rule->page_bytes = bytes;
	return NULL;
}

static const char *take_class(struct tag_rule *rule, struct word value)
{
	uint64_t first, last;

	if (!take_range(value, TAG_CLASSES - 1, &first, &last) || first != last)
		return "a class, 0 to 31";
	rule->io_class = first;
	return NULL;
}

static const struct key keys[] = {
	{"path", HAS_PATH, take_path},
	{"fd", HAS_FD, take_fd},
	{"offset", HAS_OFFSET, take_offset},
	{"op", HAS_OP, take_op},
	{"innodb", HAS_PAGE_KIND, take_innodb},
	{"type", HAS_PAGE_KIND, take_type},
	{"index-id", HAS_INDEX_ID, take_index_id},
	{"page", HAS_PAGE_BYTES, take_page_bytes},
	{"class", HAS_CLASS, take_class},
};

__attribute__((format(printf, 3, 4))) static int wrong(struct tag_error *error, unsigned line,
						       const char *format, ...)
{
	va_list arguments;

	error->line = line;
	va_start(arguments, format);
	vsnprintf(error->what, sizeof(error->what), format, arguments);
	va_end(arguments);
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What is between double quotes, or up to a blank; returns where it ends. */
static const char *next_value(const char *at, const char *end, struct word *value)
{
	const char *quote = at < end && *at == '"' ? memchr(at + 1, '"', end - at - 1) : NULL;

	if (quote && (quote + 1 == end || is_blank(quote[1]))) {
		*value = (struct word){at + 1, quote - at - 1};
		return quote + 1;
	}
	*value = (struct word){.at = at};
	while (at < end && !is_blank(*at))
		at++;
	value->bytes = at - value->at;
	return at;
}

/* Cuts the next KEY=VALUE off the line; value->at is NULL without a "=". False at the line's end. */
static bool next_pair(struct word *line, struct word *name, struct word *value)
{
	const char *end = line->at + line->bytes, *at = line->at;

	while (at < end && is_blank(*at))
		at++;
	if (at == end || *at == '#')
		return false;
	*name = (struct word){.at = at};
	while (at < end && *at != '=' && !is_blank(*at))
		at++;
	name->bytes = at - name->at;
	*value = (struct word){.at = NULL};
	if (at < end && *at == '=')
		at = next_value(at + 1, end, value);
	*line = (struct word){at, end - at};
	return true;
}

static const struct key *find_key(struct word name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (is(name, keys[i].name))
			return &keys[i];
	return NULL;
}

/* For messages: not more of a word than fits. */
static int shown(struct word word)
{
	return word.bytes > 40 ? 40 : (int)word.bytes;
}

static int take_pair(struct tag_rule *rule, unsigned *has, struct word name, struct word value,
		     struct tag_error *error)
{
	const struct key *key = find_key(name);
	const char *wanted;

	if (!key)
		return wrong(error, rule->line,
			     "%.*s is no condition; use path, fd, offset, op, innodb, type, "
			     "index-id, page or class",
			     shown(name), name.at);
	if (!value.at)
		return wrong(error, rule->line, "%s has no value; write %s=VALUE", key->name,
			     key->name);
	if (value.bytes && *value.at == '"')
		return wrong(
			error, rule->line,
			"The quote of %s isn't closed before a blank; close it (in a pattern, ? "
			"stands for a quote)",
			key->name);
	if (*has & key->condition)
		return wrong(error, rule->line,
			     "%s is given a second time%s; write a rule for each", key->name,
			     key->condition == HAS_PAGE_KIND
				     ? " (innodb and type are one condition)"
				     : "");
	*has |= key->condition;
	wanted = key->take(rule, value);
	if (wanted)
		return wrong(error, rule->line, "%s=%.*s should be %s", key->name, shown(value),
			     value.at, wanted);
	return 0;
}

static int check_rule(const struct tag_rule *rule, unsigned has, struct tag_error *error)
{
	const unsigned content = HAS_PAGE_KIND | HAS_INDEX_ID;

	if (!(has & HAS_CLASS))
		return wrong(error, rule->line, "The rule gives no class; end it with class=N");
	if (has & content && !(has & HAS_PATH))
		return wrong(error, rule->line,
			     "A rule on InnoDB's pages needs the files that have such pages; add "
			     "path=*.ibd");
	if (has & HAS_PAGE_BYTES && !(has & content))
		return wrong(error, rule->line,
			     "page= says how large InnoDB's pages are; add innodb=, type= or "
			     "index-id=");
	if (has & HAS_INDEX_ID && rule->page == TAG_PAGE_TYPE && !innodb_is_index(rule->page_type))
		return wrong(error, rule->line,
			     "Pages of that type have no index-id; leave it out");
	return 0;
}

static int parse_line(struct tag_rules *rules, struct word line, unsigned number,
		      struct tag_error *error)
{
	struct tag_rule rule = {.fd_last = INT_MAX,
				.offset_until = UINT64_MAX,
				.directions = BOTH_DIRECTIONS,
				.page_bytes = PRESET_PAGE_BYTES,
				.index_last = UINT64_MAX,
				.io_class = TAG_NO_CLASS,
				.line = number};
	struct word name, value;
	unsigned has = 0;

	for (size_t i = 0; i < line.bytes; i++)
		if ((unsigned char)line.at[i] < ' ' && line.at[i] != '\t')
			return wrong(
				error, number,
				"The line has a control character; rules are plain text with lines "
				"that end as Unix has them");
	while (next_pair(&line, &name, &value))
		if (take_pair(&rule, &has, name, value, error) < 0)
			return -1;
	if (!has)
		return 0;
	if (check_rule(&rule, has, error) < 0)
		return -1;
	if (rules->count == TAG_RULES)
		return wrong(error, number, "More than %d rules; join some by patterns or ranges",
			     TAG_RULES);
	rules->rule[rules->count++] = rule;
	return 0;
}

static bool matches_all(const struct tag_rule *rule)
{
	return !rule->path && !rule->fd_first && rule->fd_last == INT_MAX &&
	       rule->directions == BOTH_DIRECTIONS && !tag_rule_looks_inside(rule);
}

static int check_reach(const struct tag_rules *rules, struct tag_error *error)
{
	for (unsigned i = 0; i + 1 < rules->count; i++)
		if (matches_all(&rules->rule[i]))
			return wrong(error, rules->rule[i + 1].line,
				     "The rule is never reached, because line %u matches "
				     "everything; put it before that",
				     rules->rule[i].line);
	if (!rules->count)
		return wrong(error, 0,
			     "No rule in it; write at least one, as in path=*.ibd class=6");
	return 0;
}

int tag_rules_parse(struct tag_rules *rules, const char *text, size_t bytes,
		    struct tag_error *error)
{
	const char *end = text + bytes, *line_end;

	rules->count = 0;
	if (bytes > TAG_TEXT_BYTES)
		return wrong(error, 0, "Larger than %d bytes; leave comments out", TAG_TEXT_BYTES);
	for (unsigned number = 1; text < end; number++, text = line_end + 1) {
		line_end = memchr(text, '\n', end - text);
		if (!line_end)
			line_end = end;
		if (parse_line(rules, (struct word){text, line_end - text}, number, error) < 0)
			return -1;
	}
	return check_reach(rules, error);
}

/*
 * `*` is any run of characters but slashes, `**` any run, `?` one but a slash. Backtracks
 * to the last star of each kind only, which is enough: time is at most quadratic.
 */
static bool glob_matches(const char *glob, const char *glob_end, const char *text)
{
	const char *star = NULL, *star_text = NULL, *deep = NULL, *deep_text = NULL;

	for (;;) {
		if (glob < glob_end && *glob == '*') {
			if (glob + 1 < glob_end && glob[1] == '*') {
				deep = glob += 2;
				deep_text = text;
				star = NULL;
			} else {
				star = ++glob;
				star_text = text;
			}
		} else if (glob == glob_end && !*text) {
			return true;
		} else if (glob < glob_end && *text &&
			   (*glob == *text || (*glob == '?' && *text != '/'))) {
			glob++;
			text++;
		} else if (star && *star_text && *star_text != '/') {
			glob = star;
			text = ++star_text;
		} else if (deep && *deep_text) {
			star = NULL;
			glob = deep;
			text = ++deep_text;
		} else {
			return false;
		}
	}
}

static bool path_matches(const struct tag_rule *rule, const char *path)
{
	if (!memchr(rule->path, '/', rule->path_bytes))
		path = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	return glob_matches(rule->path, rule->path + rule->path_bytes, path);
}

uint64_t tag_rules_for(const struct tag_rules *rules, int fd, const char *path)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < rules->count; i++) {
		const struct tag_rule *rule = &rules->rule[i];

		if (fd < rule->fd_first || fd > rule->fd_last)
			continue;
		if (!rule->path || (path && path_matches(rule, path)))
			mask |= 1ull << i;
	}
	return mask;
}

static bool any_content(const struct tag_rule *rule, const struct innodb_page *page)
{
	return true;
}

static bool has_type(const struct tag_rule *rule, const struct innodb_page *page)
{
	return page->type == rule->page_type;
}

static bool is_of_index(const struct tag_rule *rule, const struct innodb_page *page)
{
	return innodb_is_index(page->type);
}

static bool has_role(const struct tag_rule *rule, const struct innodb_page *page)
{
	return page->role == rule->index_role;
}

static bool (*const page_holds[])(const struct tag_rule *, const struct innodb_page *) = {
	[TAG_ANY_CONTENT] = any_content,
	[TAG_PAGE_TYPE] = has_type,
	[TAG_INDEX] = is_of_index,
	[TAG_INDEX_ROLE] = has_role,
};

static bool index_holds(const struct tag_rule *rule, const struct innodb_page *page)
{
	return !rule->index_first ||
	       (page->index_id >= rule->index_first && page->index_id <= rule->index_last);
}

bool tag_rule_holds(const struct tag_rule *rule, enum tag_direction direction, uint64_t offset,
		    const struct innodb_page *page)
{
	return rule->directions & 1u << direction && offset >= rule->offset_from &&
	       offset < rule->offset_until && page_holds[rule->page](rule, page) &&
	       index_holds(rule, page);
}

uint64_t tag_rule_border(const struct tag_rule *rule, uint64_t offset)
{
	uint64_t border = UINT64_MAX;

	if (offset < rule->offset_from)
		border = rule->offset_from;
	else if (offset < rule->offset_until)
		border = rule->offset_until;
	if (rule->page != TAG_ANY_CONTENT &&
	    offset - offset % rule->page_bytes + rule->page_bytes < border)
		border = offset - offset % rule->page_bytes + rule->page_bytes;
	return border;
}
