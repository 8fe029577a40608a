// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ends of calls without an IRET intercept: a breakpoint on the guest kernel's own
 * IRET instruction, in a debug register that the guest doesn't use.
 *
 * Calls by `int 0x80` and SYSENTER are seen where they come to the guest's kernel.
 *
 * A kernel has one IRETQ by which it returns to user mode, and a few for other ends,
 * not far from where SYSCALL enters it. Those are looked for once, and tried; the one
 * that returned to user mode gets the first register from then on. At the breakpoint
 * all is there that an IRET intercept shows, for the instruction hasn't begun: and
 * it is done by the processor, with the resume flag set.
 *
 * Nothing that a guest's software can look at is changed. While breakpoints are in the
 * registers its accesses to them are emulated by KVM, with the values that it put there,
 * and what it breaks at itself goes before Sky's.
 */
#include <linux/slab.h>
#include <asm/debugreg.h>
#include <asm/desc.h>

#include "cpuid.h"
#include "kvm_cache_regs.h"
#include "x86.h"
#include "sky_kvm.h"

#define DR6_HITS	(DR_TRAP_BITS | DR6_BD | DR6_BS | DR6_BT)
#define DR7_SLOT	(DR_LOCAL_ENABLE | DR_GLOBAL_ENABLE)
#define PAGES_NEAR	4 /* before and behind the entry's */
#define SELECTOR_RPL	3
#define PRIVILEGE_USER	3

/* Without the places of IRET: calls by `int 0x80` and SYSENTER. */
#define PLACES_OF_CALLS 2

static bool guest_uses(const struct kvm_vcpu *vcpu, unsigned int slot)
{
	return vcpu->arch.dr7 & (DR7_SLOT << slot * DR_ENABLE_SIZE);
}

static void find_in_page(struct sky_vcpu *sky, u64 address, u8 *bytes)
{
	struct sky_vm *vm = sky->vm;
	size_t i, count = sky_read_kernel(sky, address, bytes, PAGE_SIZE + 1);

	for (i = 0; i + 1 < count && vm->iret_count < SKY_IRETS_MAX; i++)
		if (bytes[i] == 0x48 && bytes[i + 1] == 0xcf)
			vm->iret[vm->iret_count++] = address + i;
}

/* Where `int 0x80` goes; 0: not known. */
static u64 gate_80(struct sky_vcpu *sky)
{
	struct desc_ptr idt;
	gate_desc gate;

	static_call(kvm_x86_get_idt)(sky->vcpu, &idt);
	if (sky_read_kernel(sky, idt.address + 0x80 * sizeof(gate), &gate, sizeof(gate)) !=
	    sizeof(gate))
		return 0;
	return gate.bits.p ? gate_offset(&gate) : 0;
}

/*
 * The nearest pages first: of what looks like an IRETQ farther off, most is none.
 * With vm->lock; again for a kernel that begins elsewhere.
 */
static void find_places(struct sky_vcpu *sky)
{
	u64 entry = sky_msr(sky->vcpu, MSR_LSTAR);
	unsigned int i;
	u8 *bytes;

	if (entry == sky->vm->entry)
		return;
	bytes = kmalloc(PAGE_SIZE + 1, GFP_KERNEL_ACCOUNT);
	if (!bytes)
		return;
	sky->vm->entry = entry;
	sky->vm->gate_80 = gate_80(sky);
	sky->vm->sysenter = guest_cpuid_is_intel(sky->vcpu) ?
				    sky_msr(sky->vcpu, MSR_IA32_SYSENTER_EIP) : 0;
	sky->vm->iret_count = 0;
	sky->vm->iret_proven = false;
	for (i = 0; i <= PAGES_NEAR; i++) {
		find_in_page(sky, (entry & PAGE_MASK) + i * PAGE_SIZE, bytes);
		if (i)
			find_in_page(sky, (entry & PAGE_MASK) - i * PAGE_SIZE, bytes);
	}
	kfree(bytes);
}

/* The registers as they are to be while the guest runs; its own use goes first. */
void __sky_debug_registers(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);
	unsigned long dr7 = vcpu->arch.dr7;
	unsigned int slot;

	if (!sky || !sky->breakpoints || is_guest_mode(vcpu) ||
	    vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		return;
	for (slot = 0; slot < KVM_NR_DB_REGS; slot++) {
		if (!sky->breakpoint[slot] || guest_uses(vcpu, slot))
			continue;
		vcpu->arch.eff_db[slot] = sky->breakpoint[slot];
		dr7 &= ~(0xful << (DR_CONTROL_SHIFT + slot * DR_CONTROL_SIZE)); /* execution */
		dr7 |= DR_GLOBAL_ENABLE << slot * DR_ENABLE_SIZE;
	}
	static_call(kvm_x86_set_dr7)(vcpu, dr7);
	vcpu->arch.switch_db_regs |= KVM_DEBUGREG_BP_ENABLED;
}

/* An address of 0 leaves the slot to the guest. */
static void load(struct sky_vcpu *sky, const u64 *breakpoint, const struct sky_vendor *vendor)
{
	struct kvm_vcpu *vcpu = sky->vcpu;
	unsigned int slot;

	sky->breakpoints = 0;
	for (slot = 0; slot < KVM_NR_DB_REGS; slot++) {
		if (sky->breakpoint[slot])
			vcpu->arch.eff_db[slot] = vcpu->arch.db[slot];
		sky->breakpoint[slot] = breakpoint[slot];
		sky->breakpoints += breakpoint[slot] != 0;
	}
	if (sky->breakpoints)
		vendor->intercept_debug(vcpu);
	kvm_update_dr7(vcpu); /* ends with the above */
}

static bool is_loaded(const struct sky_vcpu *sky, const u64 *breakpoint)
{
	const struct kvm_vcpu_arch *arch = &sky->vcpu->arch;
	unsigned int slot;

	for (slot = 0; slot < KVM_NR_DB_REGS; slot++)
		if (sky->breakpoint[slot] != breakpoint[slot] ||
		    (breakpoint[slot] && arch->eff_db[slot] != breakpoint[slot]))
			return false;
	return true;
}

/*
 * The places in the order of their worth. SYSENTER, which only 32-bit programs use, makes room for
 * returns until it is known which IRET they take.
 */
static unsigned int places(const struct sky_vm *vm, bool calls, bool returns, u64 *place)
{
	unsigned int count = 0, i = 0;

	if (returns && vm->iret_proven)
		place[count++] = vm->iret[i++];
	if (calls && vm->gate_80)
		place[count++] = vm->gate_80;
	if (calls && vm->sysenter && (vm->iret_proven || !returns))
		place[count++] = vm->sysenter;
	while (returns && i < vm->iret_count)
		place[count++] = vm->iret[i++];
	return count;
}

bool sky_breakpoints(struct sky_vcpu *sky, const struct sky_vendor *vendor, bool calls,
		     bool returns)
{
	u64 place[SKY_IRETS_MAX + PLACES_OF_CALLS], breakpoint[KVM_NR_DB_REGS] = {};
	unsigned int slot, next = 0, count = 0;
	struct kvm_vcpu *vcpu = sky->vcpu;

	if (!calls && !returns && !sky->breakpoints)
		return true;
	if ((calls || returns) && !(vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP)) {
		find_places(sky);
		count = places(sky->vm, calls, returns, place);
	}
	for (slot = 0; slot < KVM_NR_DB_REGS && next < count; slot++)
		if (!guest_uses(vcpu, slot))
			breakpoint[slot] = place[next++];
	if (!is_loaded(sky, breakpoint))
		load(sky, breakpoint, vendor);
	return !returns || (next && (sky->vm->iret_proven || next == count));
}

bool sky_debug_in_use(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky;

	if (!static_branch_unlikely(&sky_in_use))
		return false;
	sky = sky_vcpu_of(vcpu);
	if (!sky || !sky->breakpoints)
		return false;
	kvm_make_request(KVM_REQ_SKY, vcpu); /* with what the guest will have changed */
	return true;
}
EXPORT_SYMBOL_GPL(sky_debug_in_use);

/* It returns to user mode: the first place is its. */
static void iret_proven(struct sky_vm *vm, u64 rip)
{
	unsigned int i;

	for (i = 0; i < vm->iret_count && vm->iret[i] != rip; i++)
		;
	if (i < vm->iret_count)
		swap(vm->iret[0], vm->iret[i]);
	vm->iret_proven = i < vm->iret_count;
}

static void iret_comes(struct sky_vcpu *sky, const struct sky_frame *frame)
{
	enum sky_return to;

	if ((frame->cs & SELECTOR_RPL) != PRIVILEGE_USER) {
		sky_count(sky->vm, SKY_COUNT_exit_iret_kernel);
		sky_kernel_return(sky);
		return;
	}
	if (!sky->vm->iret_proven) {
		mutex_lock(&sky->vm->lock);
		iret_proven(sky->vm, kvm_rip_read(sky->vcpu));
		mutex_unlock(&sky->vm->lock);
	}
	to = sky_user_return(sky, frame->rip, frame->rsp, frame->flags, SKY_WAY_BREAKPOINT);
	sky_count(sky->vm, to == SKY_RETURN_CALL ? SKY_COUNT_exit_iret_call :
						   SKY_COUNT_exit_iret_interrupt);
}

/* `int 0x80` has come to the kernel, and its frame is that of a return behind it. */
static void call_comes(struct sky_vcpu *sky, const struct sky_frame *frame)
{
	sky_count(sky->vm, SKY_COUNT_exit_int80);
	if ((frame->cs & SELECTOR_RPL) == PRIVILEGE_USER)
		sky_int80(sky, frame->rip - SKY_INT80_BYTES, frame->rip, frame->rsp, frame->cs);
}

/* But for SYSENTER, what it is about stands at the top of the kernel's stack. */
static void place_reached(struct sky_vcpu *sky, u64 rip)
{
	struct sky_frame frame;

	if (rip == READ_ONCE(sky->vm->sysenter)) {
		sky_count(sky->vm, SKY_COUNT_exit_sysenter);
		sky_sysenter(sky);
		return;
	}
	if (sky_read_kernel(sky, kvm_rsp_read(sky->vcpu), &frame, sizeof(frame)) != sizeof(frame))
		sky_count(sky->vm, SKY_COUNT_exit_iret_native);
	else if (rip == READ_ONCE(sky->vm->gate_80))
		call_comes(sky, &frame);
	else
		iret_comes(sky, &frame);
}

bool __sky_breakpoint(struct kvm_vcpu *vcpu, u64 *dr6)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);
	u64 rip = kvm_get_linear_rip(vcpu), own = 0;
	unsigned int slot;

	if (!sky || !sky->breakpoints || is_guest_mode(vcpu))
		return false;
	for (slot = 0; slot < KVM_NR_DB_REGS; slot++)
		if (sky->breakpoint[slot] == rip && !guest_uses(vcpu, slot))
			own |= *dr6 & (DR_TRAP0 << slot);
	if (!own)
		return false;
	sky->begun_ns = ktime_get_ns();
	kvm_set_rflags(vcpu, kvm_get_rflags(vcpu) | X86_EFLAGS_RF);
	if (!static_call(kvm_x86_get_cpl)(vcpu) && is_64_bit_mode(vcpu))
		place_reached(sky, rip);
	*dr6 &= ~own;
	return !(*dr6 & DR6_HITS);
}
EXPORT_SYMBOL_GPL(__sky_breakpoint);
