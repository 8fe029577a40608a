/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What recording costs by `sky overhead`: exits and checksums of a trace, times what one costs. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "kvm-recorder/collector/overhead.h"
#include "kvm-recorder/collector/unit_costs.h"

static void add(struct overhead *overhead, enum event_kind kind, uint64_t time_ns,
		struct words sums)
{
	struct event event;

	event_init(&event, kind);
	event.time_ns = time_ns;
	switch (kind) {
	case EVENT_ENTRY:
		event.entry.sums = sums;
		break;
	case EVENT_EXIT:
		event.exit.sums = sums;
		event.exit.written = sums;
		break;
	case EVENT_BLOCK:
		event.block.sums = sums;
		break;
	default:
		break;
	}
	overhead_add(overhead, &event);
}

Test(overhead, counts_calls_and_chunks)
{
	uint64_t sums[3] = {1, 2, 3};
	struct overhead overhead = {0};

	add(&overhead, EVENT_ENTRY, 1000, (struct words){sums, 3});
	add(&overhead, EVENT_INSIGHT, 1500, (struct words){0});
	add(&overhead, EVENT_EXIT, 2000, (struct words){sums, 1});
	add(&overhead, EVENT_BLOCK, 2500, (struct words){sums, 2});
	add(&overhead, EVENT_ENTRY, 3000, (struct words){0});
	cr_assert(eq(u64, overhead.calls, 2));
	cr_assert(eq(u64, overhead.returns, 1));
	cr_assert(eq(u64, overhead.insights, 1));
	cr_assert(eq(u64, overhead.call_chunks, 5));
	cr_assert(eq(u64, overhead.request_chunks, 2));
	cr_assert(eq(u64, overhead.last_ns - overhead.first_ns, 2000));
}

Test(overhead, is_exits_and_checksums_times_their_cost)
{
	const struct overhead overhead = {
		.calls = 10, .returns = 8, .insights = 3, .call_chunks = 100, .request_chunks = 7};
	struct overhead_share share = overhead_share(&overhead, 1000, 50);

	cr_assert(epsilon_eq(dbl, share.exits_ns, 18000, 1e-6));
	cr_assert(epsilon_eq(dbl, share.interception_ns, 5000, 1e-6));
	cr_assert(epsilon_eq(dbl, share.insights_ns, 3000, 1e-6));
}

Test(overhead, of_nothing_is_nothing)
{
	const struct overhead overhead = {0};
	struct overhead_share share = overhead_share(&overhead, 1000, 50);

	cr_assert(eq(dbl, share.exits_ns + share.interception_ns + share.insights_ns, 0));
}

Test(overhead, a_checksum_takes_time)
{
	cr_assert(gt(dbl, measure_chunk(), 0));
}
