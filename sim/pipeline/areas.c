/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Areas of address spaces that show files: they keep a file whose names and
 * descriptors are gone.
 */
#include "sim/pipeline/areas.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/state.h"

#define AREA_AT(p, i) POOL_NODE(&(p)->areas, struct area, i)
#define OF_PROCESS    offsetof(struct area, of_process)

/* Linux, Documentation/admin-guide/sysctl/vm.rst: max_map_count. */
#define AREAS_MAX 65530u

/* include/uapi/asm-generic/mman-common.h; FreeBSD sys/mman.h. */
static const uint64_t anonymous_flag[] = {[ABI_LINUX64] = 0x20, [ABI_FREEBSD64] = 0x1000};

static uint64_t end_of(uint64_t from, uint64_t bytes)
{
	uint64_t until = from + bytes;

	return until < from || until > UINT64_MAX - CHUNK_BYTES ? UINT64_MAX
								: chunk_after(until) * CHUNK_BYTES;
}

static void add(struct pipeline *p, uint32_t process, uint64_t from, uint64_t until, uint32_t file,
		uint64_t index)
{
	struct list *areas = &PROCESS_AT(p, process)->areas;
	uint32_t node = areas->count < AREAS_MAX ? take_node(p, &p->areas) : 0;
	struct area *area;

	if (!node)
		return;
	area = AREA_AT(p, node);
	area->from = from;
	area->until = until;
	area->file = file;
	area->index = index;
	file_opened(p, file, p->now_ns);
	list_append(areas, &p->areas, OF_PROCESS, node);
}

static void forget(struct pipeline *p, uint32_t process, uint32_t node)
{
	uint32_t file = AREA_AT(p, node)->file;

	list_remove(&PROCESS_AT(p, process)->areas, &p->areas, OF_PROCESS, node);
	pool_give(&p->areas, node);
	FILE_AT(p, file)->opens--;
	file_settle(p, file);
}

/* Nothing is left of [from, until). */
static void clear(struct pipeline *p, uint32_t process, uint64_t from, uint64_t until)
{
	uint32_t next;

	for (uint32_t node = PROCESS_AT(p, process)->areas.first; node; node = next) {
		struct area *area = AREA_AT(p, node);
		uint64_t end = area->until;

		next = area->of_process.next;
		if (area->from >= until || end <= from)
			continue;
		if (end > until)
			add(p, process, until, end, area->file,
			    area->index + (until - area->from) / CHUNK_BYTES);
		if (area->from < from)
			area->until = from;
		else
			forget(p, process, node);
	}
}

void exit_mmap(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint64_t from = event->exit.result, until = end_of(from, call->argument[1]);
	bool anonymous = call->argument[3] & anonymous_flag[call->abi];
	uint32_t file = anonymous ? 0
				  : content_of(p, descriptor_find(p, call->process,
								  (int32_t)call->argument[4]));

	clear(p, call->process, from, until);
	if (file)
		add(p, call->process, from, until, file, call->argument[5] / CHUNK_BYTES);
}

void exit_munmap(struct pipeline *p, struct call_state *call, const struct event *event)
{
	clear(p, call->process, call->argument[0], end_of(call->argument[0], call->argument[1]));
}

uint32_t area_page(struct pipeline *p, uint32_t process, uint64_t address, uint64_t *index)
{
	uint32_t node = process ? PROCESS_AT(p, process)->areas.first : 0;

	while (node && (AREA_AT(p, node)->from > address || AREA_AT(p, node)->until <= address))
		node = AREA_AT(p, node)->of_process.next;
	if (!node)
		return 0;
	*index = AREA_AT(p, node)->index + (address - AREA_AT(p, node)->from) / CHUNK_BYTES;
	return AREA_AT(p, node)->file;
}

/* The area that begins there moves, grows or shrinks. */
void exit_mremap(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint64_t old = call->argument[0], from = event->exit.result, index;
	uint32_t file = area_page(p, call->process, old, &index);

	if (!file)
		return;
	FILE_AT(p, file)->opens++;
	clear(p, call->process, old, end_of(old, call->argument[1]));
	clear(p, call->process, from, end_of(from, call->argument[2]));
	add(p, call->process, from, end_of(from, call->argument[2]), file, index);
	FILE_AT(p, file)->opens--;
	file_settle(p, file);
}

void area_snapshot(struct pipeline *p, const struct event *event)
{
	const struct map_event *map = &event->map;
	uint32_t process = process_of(p, event), file;

	if (!process || (!map->device && !map->inode))
		return;
	file = file_hold(p, file_of(p, map->device, map->inode));
	if (file)
		add(p, process, map->address, end_of(map->address, map->bytes), file,
		    map->offset / CHUNK_BYTES);
	file_release(p, file);
}

void areas_inherit(struct pipeline *p, uint32_t parent, uint32_t child)
{
	for (uint32_t node = PROCESS_AT(p, parent)->areas.first; node;
	     node = AREA_AT(p, node)->of_process.next) {
		const struct area *area = AREA_AT(p, node);

		add(p, child, area->from, area->until, area->file, area->index);
	}
}

void areas_gone(struct pipeline *p, uint32_t process)
{
	while (PROCESS_AT(p, process)->areas.first)
		forget(p, process, PROCESS_AT(p, process)->areas.first);
}
