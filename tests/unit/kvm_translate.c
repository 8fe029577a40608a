/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's records as events, and records that no kernel would make. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "capture/calls.h"
#include "kvm-recorder/collector/translate.h"

#define RECORD_BYTES 2048

static union {
	struct sky_record record;
	struct sky_block_record block;
	struct sky_complete_record complete;
	struct sky_mark_record mark;
	struct sky_entry_record entry;
	struct sky_exit_record exit;
	struct sky_fork_record fork;
	struct sky_exec_record exec;
	struct sky_gone_record gone;
	struct sky_monitor_record monitor;
	struct sky_insight_record insight;
	struct sky_mapping_record mapping;
	char bytes[RECORD_BYTES];
} r;

static struct event event;

static void make(uint16_t kind, uint32_t fixed, uint32_t behind)
{
	memset(&r, 0, sizeof(r));
	r.record.kind = kind;
	r.record.vcpu = 3;
	r.record.length = (fixed + behind + 7) / 8 * 8;
	cr_assert_leq(r.record.length, RECORD_BYTES);
}

static struct sky_cpu some_cpu(void)
{
	return (struct sky_cpu){
		.space = 0x1000,
		.stack = 0x7ffd0,
		.fs_base = 0x7f00,
		.held_ns = 12,
		.pid = 8,
		.tid = 9,
	};
}

static void expect_cpu(void)
{
	cr_expect_eq(event.space, 0x1000);
	cr_expect_eq(event.stack, 0x7ffd0);
	cr_expect_eq(event.fs_base, 0x7f00);
	cr_expect_eq(event.held_ns, 12);
	cr_expect_eq(event.pid, 8);
	cr_expect_eq(event.tid, 9);
	cr_expect_eq(event.vcpu, 3);
}

static void expect_words(const struct words *words, uint64_t first, uint32_t count)
{
	cr_expect_eq(words->count, count);
	for (uint32_t i = 0; i < words->count; i++)
		cr_expect_eq(words->at[i], first + i);
}

static void expect_text(const struct text *text, const char *expected)
{
	cr_expect_eq(text->count, strlen(expected));
	cr_expect(!memcmp(text->at, expected, text->count));
}

static void number(__u64 *words, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		words[i] = 100 + i;
}

Test(kvm_translate, a_request_has_its_sums_markers_and_frames_in_that_order)
{
	make(SKY_RECORD_BLOCK, sizeof(r.block), 3 * 2 * 8);
	r.block.id = 7;
	r.block.sector = 80;
	r.block.sectors = 16;
	r.block.flags = BLOCK_FLAG_FUA;
	r.block.op = BLOCK_WRITE;
	r.block.pid = 4;
	r.block.sums = r.block.markers = r.block.frames = 2;
	number(r.block.words, 6);
	cr_assert_null(translate(&r.record, 5, &event));
	cr_expect_eq(event.kind, EVENT_BLOCK);
	cr_expect_eq(event.block.disk, 5);
	cr_expect_eq(event.block.id, 7);
	cr_expect_eq(event.block.sector, 80);
	cr_expect_eq(event.block.sectors, 16);
	cr_expect_eq(event.block.flags, BLOCK_FLAG_FUA);
	cr_expect_eq(event.pid, 4);
	expect_words(&event.block.sums, 100, 2);
	expect_words(&event.block.markers, 102, 2);
	expect_words(&event.block.frames, 104, 2);
}

Test(kvm_translate, a_completion_bears_its_request_and_error)
{
	make(SKY_RECORD_COMPLETE, sizeof(r.complete), 8);
	r.complete.id = 7;
	r.complete.error = -5;
	r.complete.sums = 1;
	number(r.complete.words, 1);
	cr_assert_null(translate(&r.record, 5, &event));
	cr_expect_eq(event.complete.disk, 5);
	cr_expect_eq(event.complete.id, 7);
	cr_expect_eq(event.complete.error, -5);
	expect_words(&event.complete.sums, 100, 1);
	cr_expect_eq(event.complete.frames.count, 0);
}

Test(kvm_translate, a_mark_has_a_name)
{
	make(SKY_RECORD_MARK, sizeof(r.mark), 5);
	r.mark.bytes = 5;
	memcpy(r.mark.name, "phase", 5);
	cr_assert_null(translate(&r.record, 0, &event));
	expect_text(&event.mark.name, "phase");
}

Test(kvm_translate, a_class_is_handed_on_behind_the_arguments)
{
	make(SKY_RECORD_ENTRY, sizeof(r.entry), 0);
	r.entry.number = 1;
	r.entry.argument[2] = 4096;
	r.entry.argument[3] = CLASS_MAGIC;
	r.entry.argument[4] = 7;
	r.entry.argument[5] = 8;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(entry_class(&event.entry), 7);
	cr_expect_eq(event.entry.argument[5], 0);
	r.entry.argument[3]++;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.entry.argument[3], 0);
	cr_expect_eq(event.entry.argument[4], 0);
}

Test(kvm_translate, an_unknown_call_has_all_arguments)
{
	make(SKY_RECORD_ENTRY, sizeof(r.entry), 0);
	r.entry.number = 12;
	r.entry.argument[5] = 8;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.entry.argument[5], 8);
}

Test(kvm_translate, an_indirect_call_of_freebsd_has_all_arguments)
{
	make(SKY_RECORD_ENTRY, sizeof(r.entry), 0);
	r.entry.abi = ABI_FREEBSD64;
	r.entry.number = call_number(ABI_FREEBSD64, CALL___syscall);
	for (int i = 0; i < 6; i++)
		r.entry.argument[i] = i + 1;
	cr_assert_null(translate(&r.record, 0, &event));
	for (int i = 0; i < 6; i++)
		cr_expect_eq(event.entry.argument[i], i + 1);
	r.entry.number = call_number(ABI_FREEBSD64, CALL_aio_read);
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.entry.argument[0], 1);
	cr_expect_eq(event.entry.argument[1], 0);
}

Test(kvm_translate, an_entry_has_numbers_then_texts)
{
	make(SKY_RECORD_ENTRY, sizeof(r.entry), (2 + RECORD_WORDS + 3) * 8 + 4 + 2);
	r.entry.cpu = some_cpu();
	r.entry.number = 257;
	r.entry.argument[3] = 6;
	r.entry.argument[5] = 7;
	r.entry.file_offset = OFFSET_UNKNOWN;
	r.entry.lengths = 2;
	r.entry.requests = 1;
	r.entry.sums = 3;
	r.entry.path = 4;
	r.entry.path2 = 2;
	number(r.entry.words, 2 + RECORD_WORDS + 3);
	memcpy(&r.entry.words[2 + RECORD_WORDS + 3], "/etcab", 6);
	cr_assert_null(translate(&r.record, 0, &event));
	expect_cpu();
	cr_expect_eq(event.entry.number, 257);
	cr_expect_eq(event.entry.argument[3], 6);
	cr_expect_eq(event.entry.argument[5], 0, "what a call has no such argument for");
	cr_expect_eq(event.entry.file_offset, OFFSET_UNKNOWN);
	expect_words(&event.entry.lengths, 100, 2);
	expect_words(&event.entry.records, 102, RECORD_WORDS);
	expect_words(&event.entry.sums, 102 + RECORD_WORDS, 3);
	expect_text(&event.entry.path, "/etc");
	expect_text(&event.entry.path2, "ab");
}

Test(kvm_translate, a_call_of_the_32_bit_table_is_not_taken_for_one_of_the_64_bit_table)
{
	make(SKY_RECORD_ENTRY, sizeof(r.entry), 0);
	r.entry.number = 4;
	r.entry.flags = SKY_CALL_INT80;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.entry.number, CALL_NUMBER_32BIT | 4);
	make(SKY_RECORD_EXIT, sizeof(r.exit), 0);
	r.exit.number = 4;
	r.exit.flags = SKY_CALL_COMPAT;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.exit.number, CALL_NUMBER_32BIT | 4);
}

Test(kvm_translate, an_exit_has_its_result_and_what_it_read)
{
	make(SKY_RECORD_EXIT, sizeof(r.exit), (RECORD_WORDS + 2 + 1) * 8);
	r.exit.cpu = some_cpu();
	r.exit.result = -11;
	r.exit.way = EXIT_IRET;
	r.exit.requests = 1;
	r.exit.sums = 2;
	r.exit.written = 1;
	r.exit.file_offset = 4096;
	r.exit.written_offset = OFFSET_UNKNOWN;
	number(r.exit.words, RECORD_WORDS + 3);
	cr_assert_null(translate(&r.record, 0, &event));
	expect_cpu();
	cr_expect_eq(event.exit.result, -11);
	cr_expect_eq(event.exit.way, EXIT_IRET);
	cr_expect_eq(event.exit.file_offset, 4096);
	expect_words(&event.exit.records, 100, RECORD_WORDS);
	expect_words(&event.exit.sums, 100 + RECORD_WORDS, 2);
	expect_words(&event.exit.written, 102 + RECORD_WORDS, 1);
}

Test(kvm_translate, freebsd_says_failure_by_the_carry_flag)
{
	make(SKY_RECORD_EXIT, sizeof(r.exit), 0);
	r.exit.abi = ABI_FREEBSD64;
	r.exit.result = 2;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.exit.result, 2);
	r.exit.carry = 1;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.exit.result, -2);
	r.exit.result = INT64_MIN;
	cr_assert_null(translate(&r.record, 0, &event));
	r.exit.abi = ABI_LINUX64;
	r.exit.result = 2;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.exit.result, 2);
	cr_expect_eq(event.exit.carry, 0);
}

Test(kvm_translate, what_becomes_of_processes)
{
	make(SKY_RECORD_FORK, sizeof(r.fork), 0);
	r.fork.cpu = some_cpu();
	r.fork.child_space = 0x3000;
	r.fork.child_tid = 11;
	r.fork.flags = 17;
	cr_assert_null(translate(&r.record, 0, &event));
	expect_cpu();
	cr_expect_eq(event.fork.child_space, 0x3000);
	cr_expect_eq(event.fork.child_tid, 11);
	cr_expect_eq(event.fork.flags, 17);

	make(SKY_RECORD_EXEC, sizeof(r.exec), 3);
	r.exec.bytes = 3;
	memcpy(r.exec.name, "/ls", 3);
	cr_assert_null(translate(&r.record, 0, &event));
	expect_text(&event.exec.name, "/ls");

	make(SKY_RECORD_GONE, sizeof(r.gone), 0);
	r.gone.status = 256;
	r.gone.last_thread = 0x100;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.gone.status, 256);
	cr_expect_eq(event.gone.last_thread, 1);

	make(SKY_RECORD_MONITOR, sizeof(r.monitor), 0);
	r.monitor.cpu = some_cpu();
	r.monitor.on = 1;
	cr_assert_null(translate(&r.record, 0, &event));
	expect_cpu();
	cr_expect_eq(event.monitor.on, 1);

	make(SKY_RECORD_SWITCH, sizeof(struct sky_switch_record), 0);
	r.monitor.cpu = some_cpu();
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.kind, EVENT_SWITCH);
	expect_cpu();
}

Test(kvm_translate, insights_and_mappings)
{
	make(SKY_RECORD_INSIGHT, sizeof(r.insight), 8 + 2);
	r.insight.number = 5;
	r.insight.fd = 4;
	r.insight.inode = 12;
	r.insight.size = 5000;
	r.insight.sums = 1;
	r.insight.path = 2;
	number(r.insight.words, 1);
	memcpy(&r.insight.words[1], "/a", 2);
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.insight.number, 5);
	cr_expect_eq(event.insight.inode, 12);
	cr_expect_eq(event.insight.size, 5000);
	expect_words(&event.insight.sums, 100, 1);
	expect_text(&event.insight.path, "/a");

	make(SKY_RECORD_MAPPING, sizeof(r.mapping), 0);
	r.mapping.action = MAPPING_GOES;
	r.mapping.frame = 99;
	r.mapping.index = 3;
	cr_assert_null(translate(&r.record, 0, &event));
	cr_expect_eq(event.mapping.action, MAPPING_GOES);
	cr_expect_eq(event.mapping.frame, 99);
	cr_expect_eq(event.mapping.index, 3);
}

Test(kvm_translate, counts_beyond_the_record_are_refused)
{
	make(SKY_RECORD_BLOCK, sizeof(r.block), 8);
	r.block.sectors = 8;
	r.block.sums = 2;
	cr_expect(translate(&r.record, 0, &event));
	r.block.sums = UINT32_MAX;
	cr_expect(translate(&r.record, 0, &event));
	r.block.sums = 1;
	r.block.frames = 1;
	cr_expect(translate(&r.record, 0, &event));
	make(SKY_RECORD_ENTRY, sizeof(r.entry), 16);
	r.entry.requests = UINT32_MAX; /* times nine: more than 32 bits */
	cr_expect(translate(&r.record, 0, &event));
	r.entry.requests = 0;
	r.entry.path = 17;
	cr_expect(translate(&r.record, 0, &event));
	make(SKY_RECORD_MARK, sizeof(r.mark), 8);
	r.mark.bytes = UINT32_MAX;
	cr_expect(translate(&r.record, 0, &event));
	make(SKY_RECORD_EXEC, sizeof(r.exec), 8);
	r.exec.bytes = 9;
	cr_expect(translate(&r.record, 0, &event));
}

Test(kvm_translate, values_outside_their_enumerations_are_refused)
{
	make(SKY_RECORD_BLOCK, sizeof(r.block), 0);
	r.block.op = 256; /* 0 in eight bits */
	cr_expect(translate(&r.record, 0, &event));
	make(SKY_RECORD_ENTRY, sizeof(r.entry), 0);
	r.entry.abi = 256;
	cr_expect(translate(&r.record, 0, &event));
	make(SKY_RECORD_EXIT, sizeof(r.exit), 0);
	r.exit.way = 256;
	cr_expect(translate(&r.record, 0, &event));
	make(SKY_RECORD_MAPPING, sizeof(r.mapping), 0);
	r.mapping.action = 256;
	cr_expect(translate(&r.record, 0, &event));
}

Test(kvm_translate, texts_with_a_nul_and_requests_beyond_any_disk_are_refused)
{
	make(SKY_RECORD_MARK, sizeof(r.mark), 4);
	r.mark.bytes = 4;
	cr_expect(translate(&r.record, 0, &event));
	make(SKY_RECORD_BLOCK, sizeof(r.block), 0);
	r.block.sector = UINT64_MAX;
	r.block.sectors = 8;
	cr_expect(translate(&r.record, 0, &event));
}

Test(kvm_translate, unknown_kinds_and_records_shorter_than_their_kind_are_refused)
{
	for (uint32_t kind = 0; kind <= UINT16_MAX; kind++) {
		memset(&r, 0, sizeof(r));
		r.record.kind = kind;
		r.record.length = sizeof(r.record);
		cr_expect(translate(&r.record, 0, &event));
	}
}

static uint64_t state = 88172645463325252;

static uint64_t random_word(void) /* xorshift, Marsaglia 2003 */
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* Small and huge numbers at any place: an event comes out whose arrays lie in the record, or none. */
Test(kvm_translate, random_records_yield_events_within_them_or_none)
{
	for (int i = 0; i < 300000; i++) {
		uint32_t length = sizeof(r.record) + random_word() % 40 * 8;
		char *copy;

		for (uint32_t k = 0; k < length; k += 4) {
			uint32_t word = random_word() % 4 ? random_word() % 6 : random_word();

			memcpy(r.bytes + k, &word, 4);
		}
		r.record.kind = random_word() % (SKY_RECORD_MAPPING + 2);
		r.record.length = length;
		copy = malloc(length); /* a sanitizer sees who reads behind it */
		memcpy(copy, r.bytes, length);
		if (!translate((struct sky_record *)copy, 0, &event))
			for (const struct field *f = event_kinds[event.kind].fields; f->name; f++) {
				const struct words *w = field_words(&event, f);

				if (f->type == FIELD_WORDS && w->count) {
					cr_assert((char *)w->at >= copy);
					cr_assert((char *)(w->at + w->count) <= copy + length);
				}
			}
		free(copy);
	}
}
