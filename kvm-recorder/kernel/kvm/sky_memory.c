// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's user memory, read where it lies: hashed in place, never copied out.
 * What the guest or the host does not have in memory at the moment is counted
 * and left alone: nobody waits for a page because of the recorder.
 *
 * Chunks are hashed as the bytes of a file go by. A chunk's checksum is known if
 * its bytes were seen from its beginning, in this call or in the calls before it
 * (struct sky_file: small writes and reads in sequence add up).
 */
#include <linux/mm.h>

#include "kvm_cache_regs.h"
#include "mmu.h"
#include "x86.h"
#include "sky_hash.h"
#include "sky_kvm.h"

/* Bits of an address below those that the top page table translates. */
#define TOP_SHIFT_4 39
#define TOP_SHIFT_5 48

#define CHUNK_MASK (SKY_CHUNK_BYTES - 1)

/* As a user of that space would read it, or its kernel, whatever mode the virtual CPU is in. */
static const void *page_get(struct kvm_vcpu *vcpu, u64 address, u64 access, struct page **page)
{
	struct kvm_mmu *mmu = vcpu->arch.walk_mmu;
	struct x86_exception exception;
	unsigned long host;
	gpa_t gpa;

	if (is_noncanonical_address(address, vcpu))
		return NULL;
	gpa = mmu->gva_to_gpa(vcpu, mmu, address, access, &exception);
	if (gpa == INVALID_GPA)
		return NULL;
	host = kvm_vcpu_gfn_to_hva(vcpu, gpa_to_gfn(gpa));
	if (kvm_is_error_hva(host) || get_user_pages_fast_only(host, 1, 0, page) != 1)
		return NULL;
	return page_address(*page) + offset_in_page(gpa);
}

u64 sky_top_entry(struct sky_vcpu *sky, u64 space, u64 address)
{
	unsigned int shift = kvm_read_cr4_bits(sky->vcpu, X86_CR4_LA57) ? TOP_SHIFT_5 : TOP_SHIFT_4;
	u64 entry, index = (address >> shift) & (PTRS_PER_PGD - 1);

	if (kvm_vcpu_read_guest(sky->vcpu, space + index * sizeof(entry), &entry, sizeof(entry)))
		return 0;
	return entry & GENMASK_ULL(51, PAGE_SHIFT);
}

static size_t read_as(struct sky_vcpu *sky, u64 address, u64 access, void *to, size_t bytes)
{
	size_t done = 0, part;
	struct page *page;
	const void *from;

	while (done < bytes) {
		part = min(bytes - done, PAGE_SIZE - offset_in_page(address + done));
		from = page_get(sky->vcpu, address + done, access, &page);
		if (!from)
			break;
		memcpy(to + done, from, part);
		put_page(page);
		done += part;
	}
	return done;
}

size_t sky_read_user(struct sky_vcpu *sky, u64 address, void *to, size_t bytes)
{
	return read_as(sky, address, PFERR_USER_MASK, to, bytes);
}

size_t sky_read_kernel(struct sky_vcpu *sky, u64 address, void *to, size_t bytes)
{
	return read_as(sky, address, 0, to, bytes);
}

/* Within a page. */
static bool write_part(struct kvm_vcpu *vcpu, u64 address, const void *from, size_t bytes)
{
	struct kvm_mmu *mmu = vcpu->arch.walk_mmu;
	struct x86_exception exception;
	gpa_t gpa;

	if (is_noncanonical_address(address, vcpu))
		return false;
	gpa = mmu->gva_to_gpa(vcpu, mmu, address, PFERR_USER_MASK | PFERR_WRITE_MASK, &exception);
	return gpa != INVALID_GPA && !kvm_vcpu_write_guest(vcpu, gpa, from, bytes);
}

size_t sky_write_user(struct sky_vcpu *sky, u64 address, const void *from, size_t bytes)
{
	size_t done = 0, part;

	while (done < bytes) {
		part = min(bytes - done, PAGE_SIZE - offset_in_page(address + done));
		if (!write_part(sky->vcpu, address + done, from + done, part))
			break;
		done += part;
	}
	return done;
}

int sky_read_text(struct sky_vcpu *sky, u64 address, char *to, u32 room)
{
	u32 done = 0, part, length;

	while (done < room) {
		part = min_t(u32, room - done, PAGE_SIZE - offset_in_page(address + done));
		part = sky_read_user(sky, address + done, to + done, part);
		if (!part)
			return -1;
		length = strnlen(to + done, part);
		done += length;
		if (length < part)
			return done;
	}
	return -1;
}

void sky_hash_begin(struct sky_hasher *hasher, struct sky_vcpu *sky, u64 offset,
		    const struct sky_file *file, u64 *sums, u32 room)
{
	bool goes_on = file && offset != SKY_OFFSET_UNKNOWN && file->run_offset == offset;

	*hasher = (struct sky_hasher){
		.sky = sky,
		.offset = offset == SKY_OFFSET_UNKNOWN ? 0 : offset,
		.state = goes_on ? file->run_state : SKY_FNV_BASIS,
		.sum = sums,
		.room = room,
	};
	hasher->whole = !(hasher->offset & CHUNK_MASK) || goes_on;
}

static void push(struct sky_hasher *hasher, u64 sum)
{
	hasher->sum[hasher->sums++] = sum;
	hasher->state = SKY_FNV_BASIS;
	hasher->whole = true;
}

/*
 * Whole chunks go side by side, wherever in their pages they begin. Returns how many bytes
 * that was: it ends in front of a page that isn't in memory.
 */
static u64 hash_chunks(struct sky_hasher *hasher, u64 address, u64 bytes)
{
	const u8 *from[SKY_HASH_LANES + 1], *begin[SKY_HASH_LANES];
	unsigned int lead = offset_in_page(address), pages, lanes, i;
	u64 *sum = hasher->sum + hasher->sums;
	struct page *page[SKY_HASH_LANES + 1];

	lanes = min_t(u64, bytes / SKY_CHUNK_BYTES, SKY_HASH_LANES);
	for (pages = 0; pages < lanes + !!lead; pages++) {
		from[pages] = page_get(hasher->sky->vcpu,
				       (address & PAGE_MASK) + pages * PAGE_SIZE,
				       PFERR_USER_MASK, page + pages);
		if (!from[pages])
			break;
	}
	lanes = pages > !!lead ? pages - !!lead : 0;
	for (i = 0; i < lanes; i++) {
		begin[i] = from[i] + lead;
		sum[i] = SKY_FNV_BASIS;
	}
	sky_fnv1a_lanes(sum, begin, lanes, SKY_CHUNK_BYTES - lead);
	if (lead)
		sky_fnv1a_lanes(sum, from + 1, lanes, lead);
	for (i = 0; i < pages; i++)
		put_page(page[i]);
	hasher->sums += lanes;
	hasher->offset += lanes * SKY_CHUNK_BYTES;
	return lanes * SKY_CHUNK_BYTES;
}

static u64 hash_part(struct sky_hasher *hasher, u64 address, u64 bytes)
{
	u64 left = SKY_CHUNK_BYTES - (hasher->offset & CHUNK_MASK);
	struct page *page;
	const void *from;

	bytes = min3(bytes, left, (u64)PAGE_SIZE - offset_in_page(address));
	if (hasher->whole) {
		from = page_get(hasher->sky->vcpu, address, PFERR_USER_MASK, &page);
		if (from) {
			hasher->state = sky_fnv1a(hasher->state, from, bytes);
			put_page(page);
		} else {
			hasher->whole = false;
			hasher->unread++;
		}
	}
	hasher->offset += bytes;
	if (bytes == left)
		push(hasher, hasher->whole ? hasher->state : SKY_SUM_UNKNOWN);
	return bytes;
}

void sky_hash(struct sky_hasher *hasher, u64 address, u64 bytes)
{
	while (bytes) {
		u64 done = 0;

		if (hasher->sums + SKY_HASH_LANES >= hasher->room ||
		    hasher->unread >= SKY_UNREAD_MAX) {
			hasher->cut = true;
			return;
		}
		if (!(hasher->offset & CHUNK_MASK))
			done = hash_chunks(hasher, address, bytes);
		if (!done)
			done = hash_part(hasher, address, bytes);
		address += done;
		bytes -= done;
		cond_resched();
	}
}

/* H(x | 0^n) = H(x) * PRIME^n, for FNV-1a's step with a zero byte is its multiplication. */
static u64 with_zeros(u64 state, unsigned int zeros)
{
	u64 power = SKY_FNV_PRIME;

	for (; zeros; zeros >>= 1, power *= power)
		if (zeros & 1)
			state *= power;
	return state;
}

void sky_hash_head(struct sky_hasher *hasher, const struct sky_content *content)
{
	u32 bytes = hasher->offset & CHUNK_MASK, there;

	if (hasher->whole || content->head_bytes < 0)
		return;
	there = min_t(u32, bytes, content->head_bytes);
	hasher->offset -= bytes;
	hasher->whole = true;
	sky_hash(hasher, content->head_address, there);
	hasher->state = with_zeros(hasher->state, bytes - there);
	hasher->offset += bytes - there;
}

void sky_hash_end(struct sky_hasher *hasher, u64 address, s32 bytes)
{
	u32 covered = hasher->offset & CHUNK_MASK;
	struct sky_hasher last = *hasher; /* what goes on from here may see another end */

	if (!covered || hasher->cut || hasher->sums >= hasher->room)
		return;
	if (bytes > (s32)covered)
		sky_hash(&last, address + covered, bytes - covered);
	if (last.sums == hasher->sums)
		last.sum[last.sums++] = last.whole && bytes >= 0 ?
			with_zeros(last.state, SKY_CHUNK_BYTES - (last.offset & CHUNK_MASK)) :
			SKY_SUM_UNKNOWN;
	hasher->sums = last.sums;
	hasher->unread = last.unread;
}
