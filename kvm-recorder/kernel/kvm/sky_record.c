// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records of a virtual CPU: made beside the ring, so that what may sleep or fail
 * is done when room is taken, and put onto it in one go.
 */
#include <linux/ktime.h>
#include <linux/string.h>

#include "sky_kvm.h"

void sky_cpu_now(struct sky_vcpu *sky, struct sky_cpu *cpu, u64 stack, u32 pid, u32 tid)
{
	cpu->space = sky_space_now(sky);
	cpu->stack = stack;
	cpu->fs_base = sky_fs_base(sky->vcpu);
	cpu->held_ns = 0;
	cpu->pid = pid;
	cpu->tid = tid;
}

/* All kinds of this file's callers have struct sky_cpu behind the head. */
struct sky_cpu_record {
	struct sky_record record;
	struct sky_cpu cpu;
};

void sky_record_put(struct sky_vcpu *sky, u16 kind, void *from, u32 fixed,
		    const struct sky_part *parts, unsigned int count)
{
	struct sky_cpu_record *to;
	struct sky_ring *ring;
	u32 length = ALIGN(fixed, 8), place = length;
	unsigned int i;
	u64 id;

	for (i = 0; i < count; i++)
		length += parts[i].bytes;
	length = ALIGN(length, 8);
	rcu_read_lock();
	ring = sky_source_ring(&sky->source);
	to = ring ? (struct sky_cpu_record *)sky_ring_reserve(ring, length, &id) : NULL;
	if (!to)
		goto out;
	memcpy((char *)to + sizeof(struct sky_record), from + sizeof(struct sky_record),
	       fixed - sizeof(struct sky_record));
	for (i = 0; i < count; i++) {
		memcpy((char *)to + place, parts[i].at, parts[i].bytes);
		place += parts[i].bytes;
	}
	to->record.kind = kind;
	to->record.vcpu = sky->vcpu->vcpu_id;
	to->record.time_ns = ktime_get_ns();
	to->cpu.held_ns = to->record.time_ns - sky->begun_ns;
	sky_ring_commit(&to->record, length);
out:
	rcu_read_unlock();
	if (ring && !to)
		sky_count(sky->vm, SKY_COUNT_records_lost);
}

void sky_record_monitor(struct sky_vcpu *sky, const struct sky_cpu *cpu, bool on, u32 why)
{
	struct sky_monitor_record record = {.cpu = *cpu, .on = on, .why = why};

	sky_record_put(sky, SKY_RECORD_MONITOR, &record, sizeof(record), NULL, 0);
}

void sky_record_switch(struct sky_vcpu *sky, u64 space, bool monitored, u32 pid)
{
	struct sky_switch_record record = {
		.cpu = {.space = space, .pid = pid},
		.monitored = monitored,
	};

	sky_record_put(sky, SKY_RECORD_SWITCH, &record, sizeof(record), NULL, 0);
}
