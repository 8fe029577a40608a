// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapped files (paper, section 3.4.3): in which frames of the host the pages lie of
 * files that monitored processes have mapped. A disk's requests tell the same frames.
 *
 * The paper write-protects the guest's page tables. With nested paging that can't be
 * done: the processor walks them with write access (AMD64 Architecture Programmer's
 * Manual, volume 2, 15.25.5), so that each walk would fault, and KVM can't let it
 * through. So the tables are read when they are about to matter:
 *
 *	a page fault in a shared mapping	when the guest returns from it, before the
 *						program can write to the page
 *	every SKY_LOOK_MS			part by part, all that has been mapped
 *	a call that unmaps, or ends a process	what is about to go
 *
 * Page faults are intercepted while a space is loaded that has a shared mapping
 * through which a file can be written. No page table is ever written to.
 *
 * The host may move a page of the guest's memory to another frame (huge pages,
 * compaction). As long as a mapping shows it the next look tells; a dirty page that
 * no mapping shows any more is held in its frame for as long as its guest may take to
 * write it.
 */
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/stat.h>

#include "kvm_cache_regs.h"
#include "mmu.h"
#include "x86.h"
#include "sky_kvm.h"

#define PAGES_BITS    14
#define LOOK_STEPS    8192 /* of the tables, in one look: less than a millisecond */
#define GOING_STEPS   SKY_PAGES_MAX /* of what is about to go */
#define TABLE_STEPS   8 /* that reading a table takes, in entries of one that is read already */
#define ENTRIES	      64 /* read at once */
#define AROUND_BYTES  65536 /* Linux maps what is around a page that is read */
#define FAULT_NS      NSEC_PER_SEC /* a fault that didn't return by then is left to the looks */
#define ENTRY_ADDRESS GENMASK_ULL(51, PAGE_SHIFT)
#define TOP_SHIFT     39 /* of an address, at the top of four levels; five: */
#define TOP_SHIFT_5   48
#define LEVEL_SHIFT   9
/*
 * Linux writes what is dirty after 30 s, which it looks for every 5 s
 * (dirty_expire_centisecs, dirty_writeback_centisecs); as much again for a busy disk. The
 * pipeline takes a frame for its page as long (sim/pipeline/mapped.c).
 */
#define HOLD_NS	      (70ull * NSEC_PER_SEC)
/*
 * Linux makes a page clean first and submits the request then, and the virtual CPU may not
 * be run for a while in between.
 */
#define CLEANED_NS    (2ull * NSEC_PER_SEC)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* A page of a file where a process has mapped it. */
struct sky_page {
	struct hlist_node by_address, by_frame;
	struct list_head of_area;
	struct sky_area *area;
	u64 number; /* of the page in the space */
	u64 gfn; /* of the guest */
	u64 frame; /* of the host */
	u32 sweep; /* the last one that has seen it */
	bool dirty; /* when it was seen last */
	u64 dirty_ns; /* when it was seen so last; 0: never */
	bool dirty_elsewhere; /* it went, dirty, from another mapping of the frame */
};

/* A frame that no mapping shows any more, but that is yet to be written to the disk. */
struct sky_held {
	struct list_head by_age;
	struct page *page;
	u64 since_ns;
};

/* A look at page tables: how much of them may still be read, and whether they are about to go. */
struct look {
	struct sky_vcpu *sky;
	u32 steps;
	bool last;
	bool blind; /* the host had a part of them, or of what they lead to, not at hand */
};

static bool tables_new(struct sky_vm *vm)
{
	if (!vm->pages_by_address)
		vm->pages_by_address =
			kvcalloc(1 << PAGES_BITS, sizeof(struct hlist_head), GFP_KERNEL_ACCOUNT);
	if (!vm->pages_by_frame)
		vm->pages_by_frame =
			kvcalloc(1 << PAGES_BITS, sizeof(struct hlist_head), GFP_KERNEL_ACCOUNT);
	return vm->pages_by_address && vm->pages_by_frame;
}

static void release(struct sky_vm *vm, struct sky_held *held)
{
	list_del(&held->by_age);
	put_page(held->page);
	kfree(held);
	vm->held_count--;
}

/* Those that have been written by now. */
static void release_old(struct sky_vm *vm, u64 now_ns)
{
	struct sky_held *held, *next;

	list_for_each_entry_safe(held, next, &vm->held, by_age) {
		if (now_ns < held->since_ns + HOLD_NS)
			return;
		release(vm, held);
	}
}

void sky_mapped_free(struct sky_vm *vm)
{
	struct sky_held *held, *next;

	list_for_each_entry_safe(held, next, &vm->held, by_age)
		release(vm, held);
	kvfree(vm->pages_by_address);
	kvfree(vm->pages_by_frame);
}

static struct hlist_head *at_address(struct sky_vm *vm, const struct sky_process *process,
				     u64 number)
{
	return vm->pages_by_address + hash_64((u64)process ^ number, PAGES_BITS);
}

static struct hlist_head *in_frame(struct sky_vm *vm, u64 frame)
{
	return vm->pages_by_frame + hash_64(frame, PAGES_BITS);
}

static struct sky_page *page_at(struct sky_vm *vm, const struct sky_process *process, u64 number)
{
	struct sky_page *page;

	hlist_for_each_entry(page, at_address(vm, process, number), by_address)
		if (page->number == number && page->area->process == process)
			return page;
	return NULL;
}

static void page_free(struct sky_vm *vm, struct sky_page *page)
{
	hlist_del(&page->by_address);
	hlist_del(&page->by_frame);
	list_del(&page->of_area);
	vm->page_count--;
	kfree(page);
}

static u64 index_of(const struct sky_page *page)
{
	return page->area->index + page->number - (page->area->from >> PAGE_SHIFT);
}

/* The same page of the same file, in the same place of the guest's memory; files may be unknown. */
static bool is_same(const struct sky_page *one, const struct sky_page *other)
{
	const struct sky_area *a = one->area, *b = other->area;

	if (one->gfn != other->gfn || index_of(one) != index_of(other))
		return false;
	return !a->inode || !b->inode || (a->inode == b->inode && a->device == b->device);
}

/* Numbers of the event model: enum mapping_action. */
enum action { PAGE_APPEARS, PAGE_GOES, PAGE_REUSED, PAGE_CLEANED };

static void tell(struct sky_vcpu *sky, const struct sky_page *page, enum action action)
{
	const struct sky_area *area = page->area;
	struct sky_mapping_record record = {
		.cpu = {.space = area->process->space, .pid = area->process->pid},
		.frame = page->frame,
		.address = page->number << PAGE_SHIFT,
		.device = area->device,
		.inode = area->inode,
		.index = index_of(page),
		.action = action,
	};

	sky_record_put(sky, SKY_RECORD_MAPPING, &record, sizeof(record), NULL, 0);
}

/* Where the host has it, with a reference; NULL: it isn't at hand. */
static struct page *host_page(struct kvm_vcpu *vcpu, u64 gfn)
{
	unsigned long host = kvm_vcpu_gfn_to_hva(vcpu, gfn);
	struct page *page;

	if (kvm_is_error_hva(host) || get_user_pages_fast_only(host, 1, 0, &page) != 1)
		return NULL;
	return page;
}

/* The host's frame; 0 where it isn't at hand. */
static u64 frame_of(struct kvm_vcpu *vcpu, u64 gfn)
{
	struct page *page = host_page(vcpu, gfn);
	u64 frame;

	if (!page)
		return 0;
	frame = page_to_pfn(page);
	put_page(page);
	return frame;
}

/* The guest's kernel has yet to write it, and nobody will look where it is. */
static void hold(struct sky_vcpu *sky, const struct sky_page *goes)
{
	struct page *page = host_page(sky->vcpu, goes->gfn);
	struct sky_vm *vm = sky->vm;
	struct sky_held *held = NULL;

	if (page && page_to_pfn(page) == goes->frame)
		held = kmalloc(sizeof(*held), GFP_KERNEL_ACCOUNT);
	if (!held) {
		if (page)
			put_page(page);
		sky_count(vm, SKY_COUNT_pages_unheld);
		return;
	}
	if (vm->held_count >= SKY_PAGES_MAX) {
		release(vm, list_first_entry(&vm->held, struct sky_held, by_age));
		sky_count(vm, SKY_COUNT_pages_unheld);
	}
	held->page = page;
	held->since_ns = sky->begun_ns;
	list_add_tail(&held->by_age, &vm->held);
	vm->held_count++;
}

/*
 * A page that nobody has written to since it was seen clean has nothing more for the
 * disk: from now on the frame means nothing. Another one will be written, from this
 * frame, after it has gone.
 */
static void page_goes(struct sky_vcpu *sky, struct sky_page *page)
{
	struct sky_vm *vm = sky->vm;
	bool dirty = page->dirty || page->dirty_elsewhere, elsewhere = false;
	bool cleaned = page->dirty_ns && sky_passed_ns(sky, page->dirty_ns) < CLEANED_NS;
	enum action action = PAGE_REUSED;
	struct sky_page *other;

	hlist_for_each_entry(other, in_frame(vm, page->frame), by_frame) {
		if (other == page || other->frame != page->frame)
			continue;
		other->dirty_elsewhere |= dirty;
		other->dirty_ns = max(other->dirty_ns, page->dirty_ns);
		elsewhere = true;
	}
	if (page->dirty)
		action = PAGE_GOES;
	else if (dirty || cleaned || elsewhere)
		action = PAGE_CLEANED;
	tell(sky, page, action);
	if ((dirty || cleaned) && !elsewhere)
		hold(sky, page);
	sky_count(vm, SKY_COUNT_pages_gone);
	page_free(vm, page);
}

/*
 * What was seen in the frame before, and is not this page, has left it unseen: the guest or
 * the host has put something else there.
 */
static void displace(struct sky_vm *vm, const struct sky_page *newer, u64 frame)
{
	struct sky_page *page;
	struct hlist_node *next;

	hlist_for_each_entry_safe(page, next, in_frame(vm, frame), by_frame) {
		if (page->frame != frame || is_same(page, newer))
			continue;
		sky_count(vm, SKY_COUNT_pages_gone);
		page_free(vm, page);
	}
}

static struct sky_page *page_appears(struct sky_vcpu *sky, struct sky_area *area, u64 number,
				     u64 gfn, u64 frame)
{
	struct sky_vm *vm = sky->vm;
	struct sky_page *page = NULL;

	if (vm->page_count < SKY_PAGES_MAX)
		page = kzalloc(sizeof(*page), GFP_KERNEL_ACCOUNT);
	if (!page) {
		sky_count(vm, SKY_COUNT_pages_refused);
		return NULL;
	}
	page->area = area;
	page->number = number;
	page->gfn = gfn;
	page->frame = frame;
	displace(vm, page, frame);
	hlist_add_head(&page->by_address, at_address(vm, area->process, number));
	hlist_add_head(&page->by_frame, in_frame(vm, frame));
	list_add_tail(&page->of_area, &area->pages);
	vm->page_count++;
	sky_count(vm, SKY_COUNT_pages_appeared);
	tell(sky, page, PAGE_APPEARS);
	return page;
}

/* The host has put it elsewhere. */
static void page_moves(struct sky_vcpu *sky, struct sky_page *page, u64 frame)
{
	sky_count(sky->vm, SKY_COUNT_pages_moved);
	displace(sky->vm, page, frame);
	tell(sky, page, PAGE_REUSED);
	hlist_del(&page->by_frame);
	page->frame = frame;
	hlist_add_head(&page->by_frame, in_frame(sky->vm, frame));
	tell(sky, page, PAGE_APPEARS);
}

/*
 * What the table has for a page. In a private mapping what is, or was, written to
 * is the process's own copy.
 */
static void see(struct look *look, struct sky_area *area, u64 address, u64 entry, u64 gfn)
{
	struct sky_vcpu *sky = look->sky;
	struct sky_page *page = page_at(sky->vm, area->process, address >> PAGE_SHIFT);
	bool of_file = entry & _PAGE_PRESENT &&
		       (area->shared || !(entry & (_PAGE_RW | _PAGE_DIRTY)));
	u64 frame = of_file ? frame_of(sky->vcpu, gfn) : 0;

	/* The host is moving it, perhaps: where to, a later look will tell. */
	if (of_file && !frame) {
		look->blind = true;
		return;
	}
	if (page && frame && page->gfn == gfn && page->frame != frame) {
		page_moves(sky, page, frame);
	} else if (page && page->frame != frame) {
		page_goes(sky, page);
		page = NULL;
	}
	if (!frame)
		return;
	if (!page)
		page = page_appears(sky, area, address >> PAGE_SHIFT, gfn, frame);
	if (!page)
		return;
	page->sweep = area->sweep;
	/* What was dirty at the look before the last was cleaned just now, for all one knows. */
	if (entry & _PAGE_DIRTY || (look->last && page->dirty))
		page->dirty_ns = sky->begun_ns;
	page->dirty = entry & _PAGE_DIRTY;
}

static bool read_entries(struct look *look, u64 table, u64 index, u64 *entries, u32 count)
{
	look->steps -= min_t(u32, look->steps, TABLE_STEPS);
	if (!kvm_vcpu_read_guest_atomic(look->sky->vcpu,
					(table & ENTRY_ADDRESS) + index * sizeof(*entries),
					entries, count * sizeof(*entries)))
		return true;
	look->blind = true;
	return false;
}

/*
 * The entry that leads to the lowest table, or to a huge page; 0 where there is none.
 * It, or nothing, is there for the 1 << *shift bytes around the address.
 */
static u64 lowest_table(struct look *look, u64 space, u64 address, unsigned int *shift)
{
	u64 entry = space;

	*shift = kvm_read_cr4_bits(look->sky->vcpu, X86_CR4_LA57) ? TOP_SHIFT_5 : TOP_SHIFT;
	for (;;) {
		u64 index = (address >> *shift) & (PTRS_PER_PTE - 1);

		if (!read_entries(look, entry, index, &entry, 1) || !(entry & _PAGE_PRESENT))
			return 0;
		if (*shift == PMD_SHIFT || (entry & _PAGE_PSE && *shift == PUD_SHIFT))
			return entry;
		*shift -= LEVEL_SHIFT;
	}
}

static u64 see_huge(struct look *look, struct sky_area *area, u64 address, u64 until, u64 entry)
{
	u64 first = (entry & ENTRY_ADDRESS & PMD_MASK) >> PAGE_SHIFT;

	for (; address < until && look->steps; address += PAGE_SIZE, look->steps--)
		see(look, area, address, entry,
		    first + ((address >> PAGE_SHIFT) & (PTRS_PER_PTE - 1)));
	return address;
}

static u64 see_table(struct look *look, struct sky_area *area, u64 address, u64 until, u64 table)
{
	u64 entries[ENTRIES];
	u32 count, i;

	while (address < until && look->steps) {
		u64 index = (address >> PAGE_SHIFT) & (PTRS_PER_PTE - 1);

		count = min_t(u64, ENTRIES, (until - address) >> PAGE_SHIFT);
		if (!read_entries(look, table, index, entries, count))
			return until;
		for (i = 0; i < count; i++, address += PAGE_SIZE) {
			if (!(entries[i] & _PAGE_PRESENT))
				continue;
			see(look, area, address, entries[i],
			    (entries[i] & ENTRY_ADDRESS) >> PAGE_SHIFT);
			look->steps -= !!look->steps;
		}
	}
	return address;
}

/* Looks at part of an area; how far it got. */
static u64 look_at(struct look *look, struct sky_area *area, u64 from, u64 until)
{
	unsigned int shift;
	u64 entry, end;

	while (from < until && look->steps) {
		entry = lowest_table(look, area->process->space, from, &shift);
		end = min(until, (from | (BIT_ULL(shift) - 1)) + 1);
		if (!entry || shift != PMD_SHIFT)
			from = end;
		else if (entry & _PAGE_PSE)
			from = see_huge(look, area, from, end, entry);
		else
			from = see_table(look, area, from, end, entry);
		cond_resched();
	}
	return from;
}

static struct sky_area *area_at(const struct sky_process *process, u64 address)
{
	struct sky_area *area;

	list_for_each_entry(area, &process->areas, of_process)
		if (address >= area->from && address < area->until)
			return area;
	return NULL;
}

/* Reads the tables of what lies in [from, until), once more before it goes. */
static void look_again(struct sky_vcpu *sky, struct sky_process *process, u64 from, u64 until)
{
	struct look look = {.sky = sky, .steps = GOING_STEPS, .last = true};
	struct sky_area *area;

	list_for_each_entry(area, &process->areas, of_process)
		if (area->from < until && area->until > from)
			look_at(&look, area, max(area->from, from), min(area->until, until));
}

static void area_free(struct sky_area *area)
{
	area->process->area_count--;
	area->process->shared_areas -= area->shared;
	area->vm->area_count--;
	list_del(&area->of_process);
	list_del(&area->all);
	kfree(area);
}

static void area_goes(struct sky_vcpu *sky, struct sky_area *area)
{
	struct sky_page *page, *next;

	list_for_each_entry_safe(page, next, &area->pages, of_area) {
		page_goes(sky, page);
		cond_resched();
	}
	area_free(area);
}

/* Like the other area, whose file's page `index` lies at its beginning; NULL: no room. */
static struct sky_area *area_new(struct sky_vm *vm, struct sky_process *process,
				 const struct sky_area *like, u64 from, u64 until, u64 index)
{
	struct sky_area *area = NULL;

	if (process->area_count < SKY_AREAS_MAX && vm->area_count < SKY_VM_AREAS_MAX &&
	    tables_new(vm))
		area = kzalloc(sizeof(*area), GFP_KERNEL_ACCOUNT);
	if (!area) {
		sky_count(vm, SKY_COUNT_areas_refused);
		return NULL;
	}
	*area = (struct sky_area){
		.vm = vm,
		.process = process,
		.from = from,
		.until = until,
		.next = from,
		.device = like->device,
		.inode = like->inode,
		.index = index,
		.shared = like->shared,
	};
	INIT_LIST_HEAD(&area->pages);
	list_add(&area->of_process, &process->areas);
	list_add_tail(&area->all, &vm->areas);
	process->area_count++;
	process->shared_areas += area->shared;
	if (!vm->area_count++)
		schedule_delayed_work(&vm->look, msecs_to_jiffies(SKY_LOOK_MS));
	sky_count(vm, SKY_COUNT_areas);
	return area;
}

/* The area ends there; what was behind it is another one. */
static void area_split(struct sky_vcpu *sky, struct sky_area *area, u64 at)
{
	struct sky_page *page, *next;
	struct sky_area *rest;

	rest = area_new(sky->vm, area->process, area, at, area->until,
			area->index + ((at - area->from) >> PAGE_SHIFT));
	list_for_each_entry_safe(page, next, &area->pages, of_area) {
		if (page->number << PAGE_SHIFT < at)
			continue;
		if (!rest) {
			page_goes(sky, page);
			continue;
		}
		page->area = rest;
		page->sweep = rest->sweep;
		list_move_tail(&page->of_area, &rest->pages);
	}
	area->until = at;
	area->next = area->from;
}

/* Nothing of [from, until) is mapped any more. */
static void unmapped(struct sky_vcpu *sky, struct sky_process *process, u64 from, u64 until)
{
	struct sky_area *area, *next;

	list_for_each_entry(area, &process->areas, of_process)
		if (area->from < from && area->until > from)
			area_split(sky, area, from);
	list_for_each_entry(area, &process->areas, of_process)
		if (area->from < until && area->until > until)
			area_split(sky, area, until);
	list_for_each_entry_safe(area, next, &process->areas, of_process)
		if (area->from < until && area->until > from)
			area_goes(sky, area);
}

void sky_areas_end(struct sky_vcpu *sky, struct sky_process *process, bool alive)
{
	if (alive && process->listed)
		look_again(sky, process, 0, U64_MAX);
	unmapped(sky, process, 0, U64_MAX);
	process->faults = 0;
}

void sky_areas_free(struct sky_process *process)
{
	struct sky_area *area, *next_area;
	struct sky_page *page, *next;

	list_for_each_entry_safe(area, next_area, &process->areas, of_process) {
		list_for_each_entry_safe(page, next, &area->pages, of_area)
			page_free(area->vm, page);
		area_free(area);
	}
}

void sky_areas_inherit(struct sky_vm *vm, const struct sky_process *parent,
		       struct sky_process *child)
{
	struct sky_area *area;

	list_for_each_entry_reverse(area, &parent->areas, of_process)
		area_new(vm, child, area, area->from, area->until, area->index);
}

/* The end of what begins there, in whole pages; a length that can't be is cut. */
static u64 end_of(u64 from, u64 bytes)
{
	u64 until = from + bytes;

	return until < from || until > PAGE_MASK ? PAGE_MASK : PAGE_ALIGN(until);
}

static void mapped(struct sky_vcpu *sky, struct sky_process *process, const struct sky_call *call,
		   u64 from)
{
	const u64 *argument = call->argument;
	const struct sky_file *file = call->file;
	u64 until = end_of(from, argument[1]);
	struct sky_area like = {.shared = (argument[3] & MAP_TYPE) != MAP_PRIVATE};

	unmapped(sky, process, from, until);
	if (argument[3] & MAP_ANONYMOUS || (file && file->mode && !S_ISREG(file->mode)) ||
	    (file && file->outside))
		return;
	if (file && file->mode) {
		like.device = file->device;
		like.inode = file->inode;
		like.shared &= !file->read_only;
	}
	area_new(sky->vm, process, &like, from, until, argument[5] >> PAGE_SHIFT);
	/* Its threads on other virtual CPUs may have page faults there from now on. */
	if (like.shared && process->shared_areas == 1)
		sky_sync_all(sky->vm);
}

/* What is mapped at `old` is at `from` now, or there, too (a length of 0). */
static void remapped(struct sky_vcpu *sky, struct sky_process *process, const u64 *argument,
		     u64 from)
{
	u64 old = argument[0], until = end_of(from, argument[2]);
	struct sky_area *area = area_at(process, old), like;
	u64 index;

	if (!area) {
		unmapped(sky, process, from, until);
		return;
	}
	if (from == old) {
		unmapped(sky, process, until, end_of(old, argument[1]));
		if (until > area->until)
			area->until = until;
		return;
	}
	like = *area;
	index = area->index + ((old - area->from) >> PAGE_SHIFT);
	unmapped(sky, process, from, until);
	/* There before it goes from its old place, so that its frames mean it all the time. */
	if (area_new(sky->vm, process, &like, from, until, index))
		look_again(sky, process, from, until);
	unmapped(sky, process, old, end_of(old, argument[1]));
}

void sky_mapped_begins(struct sky_vcpu *sky, const struct sky_call *call)
{
	const u64 *argument = call->argument;

	switch (call->rule->kind) {
	case SKY_RULE_MAP:
		if (argument[3] & MAP_FIXED)
			look_again(sky, call->owner, argument[0],
				   end_of(argument[0], argument[1]));
		break;
	case SKY_RULE_ADVISE:
		if ((u32)argument[2] != MADV_DONTNEED && (u32)argument[2] != MADV_PAGEOUT)
			break;
		fallthrough;
	case SKY_RULE_UNMAP:
	case SKY_RULE_REMAP:
		look_again(sky, call->owner, argument[0], end_of(argument[0], argument[1]));
		break;
	case SKY_RULE_EXEC:
		look_again(sky, call->process, 0, U64_MAX);
		break;
	default:
		break;
	}
}

void sky_mapped_returned(struct sky_vcpu *sky, const struct sky_call *call, s64 result)
{
	const u64 *argument = call->argument;
	struct sky_process *process = call->owner;

	if (IS_ERR_VALUE((unsigned long)result) || offset_in_page(result))
		return;
	switch (call->rule->kind) {
	case SKY_RULE_MAP:
		mapped(sky, process, call, result);
		break;
	case SKY_RULE_UNMAP:
		unmapped(sky, process, argument[0], end_of(argument[0], argument[1]));
		break;
	case SKY_RULE_REMAP:
		remapped(sky, process, argument, result);
		break;
	default:
		break;
	}
}

/* Has it given the program what it waits for? */
static bool is_through(struct look *look, struct sky_process *process,
		       const struct sky_fault *fault)
{
	struct sky_area *area = area_at(process, fault->address);
	u64 around = fault->address & ~(u64)(AROUND_BYTES - 1);
	const struct sky_page *page;

	if (!area)
		return true;
	if (fault->write)
		look_at(look, area, fault->address & PAGE_MASK,
			(fault->address & PAGE_MASK) + PAGE_SIZE);
	else
		look_at(look, area, max(area->from, around),
			min(area->until, around + AROUND_BYTES));
	page = page_at(look->sky->vm, process, fault->address >> PAGE_SHIFT);
	return page && (page->dirty || !fault->write);
}

void sky_faults_return(struct sky_vcpu *sky, struct sky_process *process, bool to_user)
{
	struct look look = {.sky = sky, .steps = LOOK_STEPS};
	u64 fs_base = sky_fs_base(sky->vcpu);
	u32 i, left = 0;

	for (i = 0; i < process->faults; i++) {
		const struct sky_fault *fault = process->fault + i;

		if (is_through(&look, process, fault))
			continue;
		if ((to_user && fault->fs_base == fs_base) ||
		    sky_passed_ns(sky, fault->since_ns) > FAULT_NS)
			sky_count(sky->vm, SKY_COUNT_faults_unseen);
		else
			process->fault[left++] = *fault;
	}
	process->faults = left;
}

static void fault_begins(struct sky_vcpu *sky, u64 address, bool write)
{
	struct sky_process *process = sky_process_in(sky->vm, sky_space_now(sky));
	struct sky_area *area;

	if (!process || !process->shared_areas)
		return;
	if (process->faults)
		sky_faults_return(sky, process, false);
	area = area_at(process, address);
	if (!area || !area->shared)
		return;
	if (process->faults == SKY_FAULTS_MAX)
		memmove(process->fault, process->fault + 1,
			--process->faults * sizeof(*process->fault));
	process->fault[process->faults++] = (struct sky_fault){
		.address = address,
		.fs_base = sky_fs_base(sky->vcpu),
		.since_ns = sky->begun_ns,
		.write = write,
	};
	sky_count(sky->vm, SKY_COUNT_faults_mapped);
}

bool __sky_page_fault(struct kvm_vcpu *vcpu, u64 address, u64 error_code)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);
	struct x86_exception fault = {
		.vector = PF_VECTOR,
		.error_code_valid = true,
		.error_code = error_code,
		.address = address,
	};

	/* KVM's own: it shadows the tables, or its host waits for a page. */
	if (!sky || !sky->faulting || vcpu->arch.apf.host_apf_flags)
		return false;
	sky_count(sky->vm, SKY_COUNT_exit_fault);
	if (!is_guest_mode(vcpu)) {
		sky->begun_ns = ktime_get_ns();
		mutex_lock(&sky->vm->lock);
		fault_begins(sky, address, error_code & PFERR_WRITE_MASK);
		sky_sync(sky);
		mutex_unlock(&sky->vm->lock);
	}
	kvm_inject_page_fault(vcpu, &fault);
	return true;
}
EXPORT_SYMBOL_GPL(__sky_page_fault);

/* What all of an area's tables were read for without being seen is gone. */
static void swept(struct sky_vcpu *sky, struct sky_area *area)
{
	struct sky_page *page, *next;

	area->next = area->from;
	if (area->blind) {
		area->blind = false;
		return;
	}
	list_for_each_entry_safe(page, next, &area->pages, of_area)
		if (page->sweep != area->sweep)
			page_goes(sky, page);
	area->sweep++;
}

/* Goes on where the last look ended, and once around at most. */
void sky_look(struct sky_vcpu *sky)
{
	struct sky_vm *vm = sky->vm;
	struct look look = {.sky = sky, .steps = LOOK_STEPS};
	unsigned int count = vm->area_count;
	struct sky_area *area;

	if (!count || sky->begun_ns < vm->next_look_ns)
		return;
	vm->next_look_ns = sky->begun_ns + SKY_LOOK_MS * NSEC_PER_MSEC / 2;
	sky_count(vm, SKY_COUNT_looks);
	for (; count && look.steps; count--) {
		area = list_first_entry(&vm->areas, struct sky_area, all);
		if (area->process->listed && sky_process_lives(sky, area->process)) {
			area->next = look_at(&look, area, area->next, area->until);
			area->blind |= look.blind;
			look.blind = false;
			if (area->next < area->until)
				return;
			swept(sky, area);
		}
		list_move_tail(&area->all, &vm->areas);
	}
}

/* Has a virtual CPU that runs look; one that doesn't will when it does. */
void sky_look_due(struct work_struct *work)
{
	struct sky_vm *vm = container_of(work, struct sky_vm, look.work);
	struct sky_vcpu *sky;

	mutex_lock(&vm->lock);
	release_old(vm, ktime_get_ns());
	list_for_each_entry(sky, &vm->vcpu_list, of_vm) {
		if (!vm->area_count)
			break;
		kvm_make_request(KVM_REQ_SKY, sky->vcpu);
		if (READ_ONCE(sky->vcpu->mode) == IN_GUEST_MODE)
			kvm_vcpu_kick(sky->vcpu);
	}
	if (vm->area_count || vm->held_count)
		schedule_delayed_work(&vm->look, msecs_to_jiffies(SKY_LOOK_MS));
	mutex_unlock(&vm->lock);
}
