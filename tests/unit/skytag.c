/* SPDX-License-Identifier: GPL-2.0-or-later */
/* skytag's rules and what it makes of InnoDB's pages. */
#include <criterion/criterion.h>
#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kvm-recorder/guest/skytag_rules.h"
#include "workloads/prng.h"

static struct tag_rules rules;

static int parse(const char *text, struct tag_error *error)
{
	return tag_rules_parse(&rules, text, strlen(text), error);
}

static void parse_good(const char *text)
{
	struct tag_error error;

	cr_assert_eq(parse(text, &error), 0, "%s: line %u: %s", text, error.line, error.what);
}

Test(skytag, takes_rules_as_they_are_meant)
{
	parse_good("# comment\n\n"
		   "path=*.ibd innodb=secondary class=6 # another\n"
		   "\tpath=\"/a b/**\"  fd=3-9 op=read offset=64K-1M class=31\n"
		   "path=*.ibd type=10 page=8K class=1\n"
		   "path=*.ibd index-id=20-25 class=2\n"
		   "offset=4G- class=0");
	cr_assert_eq(rules.count, 5);
	cr_assert_eq(rules.rule[0].page, TAG_INDEX_ROLE);
	cr_assert_eq(rules.rule[0].index_role, INNODB_SECONDARY);
	cr_assert_eq(rules.rule[0].page_bytes, 16384);
	cr_assert_eq(rules.rule[0].line, 3);
	cr_assert_eq(rules.rule[1].io_class, 31);
	cr_assert_eq(rules.rule[1].path_bytes, strlen("/a b/**"));
	cr_assert_eq(rules.rule[1].fd_first, 3);
	cr_assert_eq(rules.rule[1].fd_last, 9);
	cr_assert_eq(rules.rule[1].offset_from, 65536);
	cr_assert_eq(rules.rule[1].offset_until, 1 << 20);
	cr_assert_eq(rules.rule[2].page_type, INNODB_BLOB);
	cr_assert_eq(rules.rule[2].page_bytes, 8192);
	cr_assert_eq(rules.rule[3].page, TAG_INDEX);
	cr_assert_eq(rules.rule[3].index_last, 25);
	cr_assert_eq(rules.rule[4].offset_from, 1ull << 32);
	cr_assert_eq(rules.rule[4].offset_until, UINT64_MAX);
}

Test(skytag, refuses_wrong_rules_by_line_and_reason)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *reason;
	} cases[] = {
		{"", 0, "No rule"},
		{"# nothing\n", 0, "No rule"},
		{"path=a", 1, "no class"},
		{"\npath=a class=32", 2, "0 to 31"},
		{"class=-1", 1, "0 to 31"},
		{"class=1x", 1, "0 to 31"},
		{"class=", 1, "0 to 31"},
		{"class", 1, "no value"},
		{"class=18446744073709551617", 1, "0 to 31"},
		{"klass=1", 1, "no condition"},
		{"=1", 1, "no condition"},
		{"path=a path=b class=1", 1, "second time"},
		{"path= class=1", 1, "pattern"},
		{"fd=5-3 class=1", 1, "descriptor"},
		{"fd=99999999999 class=1", 1, "descriptor"},
		{"op=both class=1", 1, "read or write"},
		{"offset=0-100 class=1", 1, "multiples of 4096"},
		{"offset=8K-4K class=1", 1, "multiples of 4096"},
		{"offset=4K-4K class=1", 1, "multiples of 4096"},
		{"offset=0-99999999T class=1", 1, "multiples of 4096"},
		{"innodb=index class=1", 1, "add path="},
		{"path=a innodb=tertiary class=1", 1, "one of index"},
		{"path=a innodb=index type=3 class=1", 1, "one condition"},
		{"path=a innodb=undo index-id=3 class=1", 1, "no index-id"},
		{"path=a index-id=0 class=1", 1, "index's number"},
		{"path=a page=16K class=1", 1, "add innodb="},
		{"path=a innodb=index page=12K class=1", 1, "64K"},
		{"path=a innodb=index page=2K class=1", 1, "64K"},
		{"class=1\npath=a class=2", 2, "never reached"},
		{"path=a\001b class=1", 1, "control character"},
		{"path=\"a b class=1", 1, "quote"},
		{"path=\"a class=1", 1, "quote"},
		{"path=\"a\"b class=1", 1, "quote"},
		{"path=a class=1\r\n", 1, "control character"},
	};
	struct tag_error error;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(parse(cases[i].text, &error), -1, "case %zu: %s", i, cases[i].text);
		cr_assert_eq(error.line, cases[i].line, "case %zu: line %u", i, error.line);
		cr_assert_neq(strstr(error.what, cases[i].reason), NULL, "case %zu: %s", i,
			      error.what);
	}
}

Test(skytag, refuses_more_rules_than_a_mask_holds)
{
	char text[(TAG_RULES + 1) * 32];
	struct tag_error error;
	size_t bytes = 0;

	for (int i = 0; i < TAG_RULES; i++)
		bytes += sprintf(text + bytes, "path=file-%d class=1\n", i);
	parse_good(text);
	sprintf(text + bytes, "path=one-more class=1\n");
	cr_assert_eq(parse(text, &error), -1);
	cr_assert_eq(error.line, TAG_RULES + 1);
}

/* No bytes may do more than be refused; run with sanitizers this looks beyond the ends, too. */
Test(skytag, survives_any_bytes_as_rules)
{
	static const char *const words[] = {
		"path=", "fd=",	   "offset=",	"op=", "innodb=", "type=", "index-id=",
		"page=", "class=", "clustered", "\"",  "#",	  " ",	   "\n",
		"-",	 "9",	   "4K",	"*",   "\t",	  "=",
	};
	struct tag_error error;
	struct prng prng;
	char text[256];

	prng_seed(&prng, 1, 0);
	for (int round = 0; round < 20000; round++) {
		size_t bytes = 0, wanted = prng_below(&prng, sizeof(text));

		while (bytes < wanted) {
			const char *word =
				words[prng_below(&prng, sizeof(words) / sizeof(words[0]))];

			if (prng_below(&prng, 8) == 0) {
				text[bytes++] = prng_below(&prng, 256);
				continue;
			}
			for (; *word && bytes < wanted; word++)
				text[bytes++] = *word;
		}
		if (tag_rules_parse(&rules, text, bytes, &error) < 0)
			cr_assert_gt(strlen(error.what), 0);
		else
			tag_rules_for(&rules, 3, "/some/path");
	}
}

Test(skytag, matches_paths)
{
	static const struct {
		const char *glob, *path;
		bool matches;
	} cases[] = {
		{"*.ibd", "/var/lib/mysql/db/t.ibd", true},
		{"*.ibd", "/var/t.ibd/other", false},
		{"t?.ibd", "/x/t1.ibd", true},
		{"t?.ibd", "/x/t12.ibd", false},
		{"/var/*/t", "/var/lib/t", true},
		{"/var/*/t", "/var/lib/mysql/t", false},
		{"/var/**/t", "/var/lib/mysql/t", true},
		{"**/t", "/t", true},
		{"/a/**", "/a/b/c", true},
		{"/a/**/c*d/e", "/a/x/cd/x/cud/e", true},
		{"/a/**/c*d/e", "/a/x/cd/x/cud/f", false},
		{"/a/*/*/b", "/a/x/y/b", true},
		{"/a/**b*c**d", "/a/bxbyc/zd", true},
		{"a*b*c*d*e*f*g*h", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"ibdata1", "/data/ibdata1", true},
		{"ibdata1", "/data/ibdata12", false},
	};
	char text[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sprintf(text, "path=%s class=1", cases[i].glob);
		parse_good(text);
		cr_assert_eq(tag_rules_for(&rules, 3, cases[i].path) == 1, cases[i].matches,
			     "%s against %s", cases[i].glob, cases[i].path);
	}
}

Test(skytag, gives_rules_to_descriptors)
{
	parse_good("path=a class=1\nfd=4 class=2\npath=a fd=5 class=3");
	cr_assert_eq(tag_rules_for(&rules, 3, "/a"), 1);
	cr_assert_eq(tag_rules_for(&rules, 4, "/a"), 3);
	cr_assert_eq(tag_rules_for(&rules, 5, "/a"), 5);
	cr_assert_eq(tag_rules_for(&rules, 4, NULL), 2, "a path that can't be known");
}

Test(skytag, knows_where_a_rule_begins_and_ends)
{
	struct innodb_page secondary = {.type = INNODB_INDEX, .role = INNODB_SECONDARY},
			   unknown = {.type = INNODB_UNKNOWN};

	parse_good("path=a innodb=secondary offset=8K-40K op=write class=1");
	cr_assert(tag_rule_holds(&rules.rule[0], TAG_WRITE, 8192, &secondary));
	cr_assert_not(tag_rule_holds(&rules.rule[0], TAG_WRITE, 8191, &secondary));
	cr_assert_not(tag_rule_holds(&rules.rule[0], TAG_WRITE, 40960, &secondary));
	cr_assert_not(tag_rule_holds(&rules.rule[0], TAG_READ, 8192, &secondary));
	cr_assert_not(tag_rule_holds(&rules.rule[0], TAG_WRITE, 8192, &unknown));
	cr_assert_eq(tag_rule_border(&rules.rule[0], 0), 8192);
	cr_assert_eq(tag_rule_border(&rules.rule[0], 8192), 16384);
	cr_assert_eq(tag_rule_border(&rules.rule[0], 32768), 40960);
	cr_assert_eq(tag_rule_border(&rules.rule[0], 40960), 49152);
}

/* A page's head as InnoDB writes it. */
static void make_page(void *at, uint32_t number, uint32_t space, uint16_t type, uint64_t index_id)
{
	char *page = at;

	memset(page, 0, 16384);
	*(uint32_t *)(page + 4) = htobe32(number);
	*(uint16_t *)(page + 24) = htobe16(type);
	memcpy(page + 34, &(uint32_t){htobe32(space)}, 4);
	if (!innodb_is_index(type))
		return;
	memcpy(page + 38, &(uint16_t){htobe16(2)}, 2);	 /* directory slots */
	memcpy(page + 40, &(uint16_t){htobe16(120)}, 2); /* heap top */
	memcpy(page + 66, &(uint64_t){htobe64(index_id)}, 8);
}

static uint8_t role_of(uint32_t number, uint32_t space, uint16_t type, uint64_t index_id)
{
	static char bytes[16384];
	struct innodb_page page;

	make_page(bytes, number, space, type, index_id);
	innodb_page_parse(bytes, &page);
	cr_assert_eq(page.type, type);
	cr_assert_eq(page.number, number);
	cr_assert_eq(page.space, space);
	innodb_learn(1, number, &page);
	return page.role;
}

Test(skytag, tells_clustered_from_secondary_indices)
{
	cr_assert_eq(role_of(3, 5, INNODB_INDEX, 23), INNODB_CLUSTERED);
	cr_assert_eq(role_of(36, 5, INNODB_INDEX, 26), INNODB_SECONDARY);
	cr_assert_eq(role_of(37, 5, INNODB_INDEX, 23), INNODB_CLUSTERED);
	cr_assert_eq(role_of(40, 5, INNODB_SPATIAL, 27), INNODB_SECONDARY);
	cr_assert_eq(role_of(3, 6, INNODB_INSTANT, 28), INNODB_CLUSTERED);
	cr_assert_eq(role_of(9, 5, INNODB_BLOB, 0), INNODB_NO_ROLE);
	cr_assert_eq(role_of(3, 0, INNODB_INDEX, 1), INNODB_NO_ROLE, "the system tablespace");
	cr_assert_eq(role_of(3, 0xfffffffe, INNODB_INDEX, 1), INNODB_NO_ROLE, "the temporary one");
}

Test(skytag, takes_the_smallest_index_until_the_root_was_seen)
{
	cr_assert_eq(role_of(50, 7, INNODB_INDEX, 31), INNODB_CLUSTERED, "for want of better");
	cr_assert_eq(role_of(51, 7, INNODB_INDEX, 30), INNODB_CLUSTERED);
	cr_assert_eq(role_of(50, 7, INNODB_INDEX, 31), INNODB_SECONDARY);
	cr_assert_eq(role_of(3, 7, INNODB_INDEX, 40), INNODB_CLUSTERED, "page 3 is certain");
	cr_assert_eq(role_of(51, 7, INNODB_INDEX, 30), INNODB_SECONDARY);
}

Test(skytag, reads_no_index_id_where_there_is_none)
{
	char bytes[16384];
	struct innodb_page page;
	struct prng prng;

	prng_seed(&prng, 2, 0);
	for (int round = 0; round < 2000; round++) { /* bodies as encryption leaves them */
		make_page(bytes, 4, 5, INNODB_INDEX, 1);
		for (int i = 38; i < 74; i++)
			bytes[i] = prng_below(&prng, 256);
		innodb_page_parse(bytes, &page);
		cr_assert_eq(page.index_id, 0);
	}
}

Test(skytag, remembers_pages_by_file_and_place)
{
	char bytes[16384];
	struct innodb_page page;

	make_page(bytes, 3, 9, INNODB_INDEX, 23);
	innodb_page_parse(bytes, &page);
	innodb_learn(11, 1000000, &page);
	innodb_recall(11, 1000000, &page);
	cr_assert_eq(page.type, INNODB_INDEX);
	cr_assert_eq(page.role, INNODB_CLUSTERED);
	cr_assert_eq(page.index_id, 23);
	innodb_recall(12, 1000000, &page);
	cr_assert_eq(page.type, INNODB_UNKNOWN);
	innodb_recall(11, 1000001, &page);
	cr_assert_eq(page.type, INNODB_UNKNOWN);
}

/*
 * A tablespace of 192 pages: the clustered index 50 has its root in page 3 and extent 1, the
 * secondary index 51 its root in page 4, single pages 5 and 6 and extent 2.
 */
#define TABLE_PAGES 192

static char table[TABLE_PAGES][16384];

static void put32(char *at, uint32_t value)
{
	memcpy(at, &(uint32_t){htobe32(value)}, 4);
}

static void put16(char *at, uint16_t value)
{
	memcpy(at, &(uint16_t){htobe16(value)}, 2);
}

#define INODE_AT(slot) (50 + 192 * (slot))

static void put_segment(unsigned slot, uint32_t id, uint32_t first_page, uint32_t second_page)
{
	char *inode = table[2] + INODE_AT(slot);

	put32(inode + 4, id);
	put32(inode + 60, 97937874);
	memset(inode + 64, 0xff, 128);
	put32(inode + 64, first_page);
	put32(inode + 68, second_page);
}

static void put_root(uint32_t number, uint64_t index_id, unsigned top_slot, unsigned leaf_slot)
{
	make_page(table[number], number, 60, INNODB_INDEX, index_id);
	put32(table[number] + 78, 2);
	put16(table[number] + 82, INODE_AT(leaf_slot));
	put32(table[number] + 88, 2);
	put16(table[number] + 92, INODE_AT(top_slot));
}

static void put_extent(unsigned number, uint32_t segment, uint32_t state)
{
	put32(table[0] + 150 + 40 * number + 4, segment);
	put32(table[0] + 150 + 40 * number + 20, state);
}

static void make_table(void)
{
	make_page(table[0], 0, 60, INNODB_FSP_HEADER, 0);
	put32(table[0] + 46, TABLE_PAGES);
	make_page(table[2], 2, 60, INNODB_INODE, 0);
	put_segment(0, 1, 3, UINT32_MAX);
	put_segment(1, 2, UINT32_MAX, UINT32_MAX);
	put_segment(2, 3, 4, UINT32_MAX);
	put_segment(3, 4, 5, 6);
	put_root(3, 50, 0, 1);
	put_root(4, 51, 2, 3);
	put_extent(0, 0, 3);
	put_extent(1, 2, 4);
	put_extent(2, 4, 4);
}

static unsigned table_reads;

static ssize_t read_table(void *context, void *at, size_t bytes, uint64_t offset)
{
	table_reads++;
	if (offset + bytes > sizeof(table))
		return 0;
	memcpy(at, (char *)table + offset, bytes);
	return bytes;
}

static void expect_page(uint64_t file, uint64_t number, uint16_t type, uint8_t role,
			uint64_t index_id)
{
	struct innodb_page page;

	innodb_recall(file, number, &page);
	cr_assert_eq(page.type, type, "page %lu: type %u", number, page.type);
	cr_assert_eq(page.role, role, "page %lu: role %u", number, page.role);
	cr_assert_eq(page.index_id, index_id, "page %lu: index %lu", number, page.index_id);
}

Test(skytag, learns_a_tables_pages_from_its_own_map)
{
	make_table();
	innodb_survey(20, 16384, read_table, NULL);
	cr_assert_leq(table_reads, 4, "pages 0, 2 and two roots");
	expect_page(20, 0, INNODB_FSP_HEADER, INNODB_NO_ROLE, 0);
	expect_page(20, 3, INNODB_INDEX, INNODB_CLUSTERED, 50);
	expect_page(20, 4, INNODB_INDEX, INNODB_SECONDARY, 51);
	expect_page(20, 5, INNODB_INDEX, INNODB_SECONDARY, 51);
	expect_page(20, 6, INNODB_INDEX, INNODB_SECONDARY, 51);
	expect_page(20, 7, INNODB_UNKNOWN, INNODB_NO_ROLE, 0);
	for (uint64_t i = 64; i < 128; i++)
		expect_page(20, i, INNODB_INDEX, INNODB_CLUSTERED, 50);
	for (uint64_t i = 128; i < TABLE_PAGES; i++)
		expect_page(20, i, INNODB_INDEX, INNODB_SECONDARY, 51);
	table_reads = 0;
	innodb_survey(20, 16384, read_table, NULL);
	cr_assert_eq(table_reads, 0, "once a file");
}

Test(skytag, survives_any_bytes_as_a_table)
{
	struct prng prng;

	prng_seed(&prng, 3, 0);
	for (uint64_t file = 100; file < 400; file++) {
		make_table();
		for (int i = 0; i < 200; i++) {
			unsigned number = prng_below(&prng, 5);

			table[number][38 + prng_below(&prng, 1500)] = prng_below(&prng, 256);
		}
		innodb_survey(file, 16384, read_table, NULL);
	}
}
