// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtio disk behind virtio-mmio's first version, and a cache of its blocks, which are
 * written back when somebody asks for it or room is needed. What each request was, and
 * whose, is kept: that is the truth that the recorder's answer is held against.
 */
#include "kernel.h"

#define SLOTS	    0xfeb00000ull /* of QEMU's microvm, 512 bytes each */
#define SLOT_COUNT  24
#define QUEUE	    128
#define REQUESTS    4 /* at a time, each with room for its descriptors: */
#define DESCRIPTORS (RUN_MAX + 2)
#define BLOCKS	    192 /* in the cache */
#define TRUTHS	    8192
#define NEXT	    1
#define DEVICE_WRITES 2
#define WRITE	    1 /* to the disk, for it */

enum { /* registers of virtio-mmio */
	VIRTIO_MAGIC = 0x0, VIRTIO_VERSION = 0x4, VIRTIO_DEVICE = 0x8, VIRTIO_FEATURES = 0x20,
	VIRTIO_PAGE = 0x28, VIRTIO_QUEUE = 0x30, VIRTIO_QUEUE_SIZE = 0x38, VIRTIO_ALIGN = 0x3c,
	VIRTIO_PLACE = 0x40, VIRTIO_NOTIFY = 0x50, VIRTIO_STATUS = 0x70, VIRTIO_CAPACITY = 0x100,
};

struct descriptor {
	u64 address;
	u32 bytes;
	u16 flags, next;
};

struct queue {
	struct descriptor descriptor[QUEUE];
	volatile u16 flags, next, ring[QUEUE];
	u8 padding[PAGE - QUEUE * sizeof(struct descriptor) - 4 - QUEUE * 2];
	volatile u16 used_flags, used_next;
	struct {
		volatile u32 id, bytes;
	} used[QUEUE];
};

static struct request {
	struct {
		u32 operation, zero;
		u64 sector;
	} header;
	volatile u8 status;
	bool taken, done;
} requests[REQUESTS];

static struct {
	u32 block, inode, index;
	u8 count;
	bool writes;
} truths[TRUTHS];

static u64 device;
static struct queue *queue;
static u16 used_seen;
static struct block blocks[BLOCKS];
static u64 uses;
static u32 truth_count;

static volatile u32 *at(u32 place)
{
	return (volatile u32 *)(device + place);
}

u32 disk_begin(void)
{
	u32 i;

	for (i = 0; i < SLOT_COUNT; i++) {
		device = MMIO + SLOTS + i * 512;
		if (*at(VIRTIO_MAGIC) == 0x74726976 && *at(VIRTIO_VERSION) == 1 &&
		    *at(VIRTIO_DEVICE) == 2)
			break;
	}
	if (i == SLOT_COUNT)
		panic("no disk");
	queue = pages_take(sizeof(*queue) / PAGE + 1);
	*at(VIRTIO_STATUS) = 0;
	*at(VIRTIO_STATUS) = 3; /* acknowledged, driven */
	*at(VIRTIO_FEATURES) = 0;
	*at(VIRTIO_PAGE) = PAGE;
	*at(VIRTIO_QUEUE) = 0;
	*at(VIRTIO_QUEUE_SIZE) = QUEUE;
	*at(VIRTIO_ALIGN) = PAGE;
	*at(VIRTIO_PLACE) = physical(queue) / PAGE;
	*at(VIRTIO_STATUS) = 7; /* ready */
	queue->flags = 1; /* no interrupts: it is looked at */
	for (i = 0; i < BLOCKS; i++)
		blocks[i].data = pages_take(1);
	return *at(VIRTIO_CAPACITY) / (PAGE / 512);
}

static void look_for_ends(void)
{
	struct request *request;

	for (; used_seen != queue->used_next; used_seen++) {
		request = requests + queue->used[used_seen % QUEUE].id / DESCRIPTORS;
		request->done = true;
	}
}

static struct request *request_take(void)
{
	u32 i;

	for (;; wait_a_little()) {
		for (i = 0; i < REQUESTS; i++) {
			if (!requests[i].taken) {
				requests[i].taken = true;
				requests[i].done = false;
				return requests + i;
			}
		}
	}
}

static void describe(u32 i, const void *data, u32 bytes, u16 flags)
{
	queue->descriptor[i] = (struct descriptor){physical(data), bytes, flags, i + 1};
}

static void remember(struct block *const *run, u32 count, bool writes)
{
	if (truth_count == TRUTHS)
		panic("too many requests to remember");
	truths[truth_count].block = run[0]->number;
	truths[truth_count].inode = run[0]->inode;
	truths[truth_count].index = run[0]->index;
	truths[truth_count].count = count;
	truths[truth_count++].writes = writes;
}

/* Blocks that follow each other, all held; returns when it is done. */
static void transfer(struct block *const *run, u32 count, bool writes)
{
	struct request *request = request_take();
	u32 first = (request - requests) * DESCRIPTORS, i;

	remember(run, count, writes);
	request->header.operation = writes ? WRITE : 0;
	request->header.sector = (u64)run[0]->number * (PAGE / 512);
	describe(first, &request->header, sizeof(request->header), NEXT);
	for (i = 0; i < count; i++)
		describe(first + 1 + i, run[i]->data, PAGE, NEXT | (writes ? 0 : DEVICE_WRITES));
	describe(first + 1 + count, (void *)&request->status, 1, DEVICE_WRITES);
	queue->ring[queue->next % QUEUE] = first;
	asm volatile("mfence" : : : "memory");
	queue->next++;
	asm volatile("mfence" : : : "memory");
	*at(VIRTIO_NOTIFY) = 0;
	for (look_for_ends(); !request->done; look_for_ends())
		wait_a_little();
	if (request->status)
		panic("the disk has failed");
	request->taken = false;
	current->by_iret = true; /* who has waited: so that both ways are taken */
}

static struct block *block_find(u32 number)
{
	u32 i;

	for (i = 0; i < BLOCKS; i++)
		if ((blocks[i].valid || blocks[i].busy) && blocks[i].number == number)
			return blocks + i;
	return NULL;
}

/* The one that was not used for longest, and may go. */
static struct block *block_free(void)
{
	struct block *oldest;
	u32 i;

	for (;; blocks_write(0, true)) {
		oldest = NULL;
		for (i = 0; i < BLOCKS; i++)
			if (!blocks[i].busy && !blocks[i].dirty &&
			    (!oldest || blocks[i].used < oldest->used))
				oldest = blocks + i;
		if (oldest)
			return oldest;
		wait_a_little();
	}
}

/* Held; the content is not valid where it isn't in the cache. */
static struct block *block_hold(u32 number, u32 inode, u32 index)
{
	struct block *block;

	for (;;) {
		block = block_find(number);
		if (!block) {
			block = block_free();
			if (block_find(number))
				continue; /* somebody was quicker */
			block->valid = false;
			break;
		}
		if (!block->busy)
			break;
		wait_a_little();
	}
	block->number = number;
	block->inode = inode;
	block->index = index;
	block->busy = true;
	block->used = ++uses;
	return block;
}

struct block *block_get(u32 number, u32 inode, u32 index, bool read)
{
	struct block *block = block_hold(number, inode, index);

	if (!block->valid && read)
		transfer(&block, 1, false);
	block->valid = true;
	return block;
}

void block_put(struct block *block, bool dirty)
{
	block->dirty |= dirty;
	block->busy = false;
}

bool block_is_there(u32 number)
{
	return block_find(number);
}

void blocks_read(u32 number, u32 inode, u32 index, u32 count)
{
	struct block *run[RUN_MAX];
	u32 held = 0, i;

	while (held < count && !block_find(number + held)) {
		run[held] = block_hold(number + held, inode, index + held);
		if (run[held]->valid) { /* it has come meanwhile */
			block_put(run[held], false);
			break;
		}
		held++;
	}
	if (!held)
		return;
	transfer(run, held, false);
	for (i = 0; i < held; i++) {
		run[i]->valid = true;
		block_put(run[i], false);
	}
}

static bool is_due(const struct block *block, u32 inode, bool all)
{
	return block->dirty && !block->busy && (all || block->inode == inode);
}

/* Does it go on behind the last one of a run, as what it is? */
static bool goes_on(const struct block *last, const struct block *next)
{
	return next->number == last->number + 1 && next->inode == last->inode &&
	       (!last->inode || next->index == last->index + 1);
}

static struct block *first_due(u32 inode, bool all)
{
	struct block *first = NULL;
	u32 i;

	for (i = 0; i < BLOCKS; i++)
		if (is_due(blocks + i, inode, all) && (!first || blocks[i].number < first->number))
			first = blocks + i;
	return first;
}

void blocks_write(u32 inode, bool all)
{
	struct block *run[RUN_MAX], *next;
	u32 count, i;

	while ((next = first_due(inode, all))) {
		for (count = 0; next && count < RUN_MAX; count++) {
			run[count] = next;
			next->busy = true;
			next->dirty = false;
			next = block_find(next->number + 1);
			if (next && (!is_due(next, inode, all) || !goes_on(run[count], next)))
				next = NULL;
		}
		transfer(run, count, true);
		for (i = 0; i < count; i++)
			block_put(run[i], false);
	}
}

void blocks_forget(void)
{
	u32 i;

	for (i = 0; i < BLOCKS; i++)
		if (!blocks[i].busy && !blocks[i].dirty)
			blocks[i].valid = false;
}

void truth_print(void)
{
	u32 i;

	for (i = 0; i < truth_count; i++)
		print("truth %s %u %u %u %u\n", truths[i].writes ? "W" : "R",
		      (u64)truths[i].block, (u64)truths[i].count, (u64)truths[i].inode,
		      (u64)truths[i].index);
}
