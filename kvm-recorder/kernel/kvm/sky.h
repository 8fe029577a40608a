/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sky's hooks in KVM: what the patch's lines call.
 *
 * System calls of monitored processes are seen by hiding EFER.SCE from the
 * hardware: SYSCALL and SYSRET raise #UD, and Sky does what they would have done
 * (paper, section 4.1). All that costs anything hangs on a static key that is
 * off while no process of any guest is monitored.
 */
#ifndef __KVM_X86_SKY_H
#define __KVM_X86_SKY_H

#include <linux/jump_label.h>
#include <linux/kvm_host.h>

/* Beyond those of asm/kvm_host.h; a virtual CPU heeds it before it runs its guest. */
#define KVM_REQ_SKY KVM_ARCH_REQ_FLAGS(48, KVM_REQUEST_WAIT | KVM_REQUEST_NO_WAKEUP)

DECLARE_STATIC_KEY_FALSE(sky_in_use);

/*
 * What kvm-amd or kvm-intel can do. All but the first two may be missing: returns by IRET
 * are seen by a breakpoint then.
 */
struct sky_vendor {
	void (*intercept_space)(struct kvm_vcpu *vcpu, bool on);
	/* The guest's accesses to debug registers, until KVM leaves them to it. */
	void (*intercept_debug)(struct kvm_vcpu *vcpu);
	void (*intercept_iret)(struct kvm_vcpu *vcpu, bool on);
	void (*intercept_faults)(struct kvm_vcpu *vcpu, bool on);
};

void sky_set_vendor(const struct sky_vendor *vendor);

void sky_vcpu_created(struct kvm_vcpu *vcpu);
void sky_vcpu_destroyed(struct kvm_vcpu *vcpu);

/* Asks whether it is a call of Sky's; then it is done, and rax has the answer. */
bool sky_hypercall(struct kvm_vcpu *vcpu);

/* KVM_REQ_SKY: intercepts what is to be intercepted from now on. */
void sky_requested(struct kvm_vcpu *vcpu);

u64 __sky_efer(struct kvm_vcpu *vcpu, u64 efer);
void __sky_space_loaded(struct kvm_vcpu *vcpu);
bool __sky_undefined_instruction(struct kvm_vcpu *vcpu);
bool __sky_iret(struct kvm_vcpu *vcpu);
bool __sky_page_fault(struct kvm_vcpu *vcpu, u64 address, u64 error_code);
void __sky_debug_registers(struct kvm_vcpu *vcpu);
bool __sky_breakpoint(struct kvm_vcpu *vcpu, u64 *dr6);

/* Whether the guest's access to a debug register is to be emulated, for Sky has some in use. */
bool sky_debug_in_use(struct kvm_vcpu *vcpu);

/* The guest is not to have what Sky doesn't cover. */
void sky_cpuid(struct kvm_vcpu *vcpu);

/* What the hardware gets instead of the guest's EFER. */
static inline u64 sky_efer(struct kvm_vcpu *vcpu, u64 efer)
{
	return static_branch_unlikely(&sky_in_use) ? __sky_efer(vcpu, efer) : efer;
}

/* The guest has loaded CR3. */
static inline void sky_space_loaded(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&sky_in_use))
		__sky_space_loaded(vcpu);
}

/* True: #UD was Sky's doing, and the instruction is done. */
static inline bool sky_undefined_instruction(struct kvm_vcpu *vcpu)
{
	return static_branch_unlikely(&sky_in_use) && __sky_undefined_instruction(vcpu);
}

/* True: IRET was intercepted for Sky alone, and is done or may be tried again. */
static inline bool sky_iret(struct kvm_vcpu *vcpu)
{
	return static_branch_unlikely(&sky_in_use) && __sky_iret(vcpu);
}

/* True: the page fault was intercepted for Sky alone, and the guest will have it. */
static inline bool sky_page_fault(struct kvm_vcpu *vcpu, u64 address, u64 error_code)
{
	return static_branch_unlikely(&sky_in_use) && __sky_page_fault(vcpu, address, error_code);
}

/* KVM has set the debug registers that the guest will run with. */
static inline void sky_debug_registers(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&sky_in_use))
		__sky_debug_registers(vcpu);
}

/* True: #DB came from nothing but Sky's breakpoints; *dr6 keeps what did not. */
static inline bool sky_breakpoint(struct kvm_vcpu *vcpu, u64 *dr6)
{
	return static_branch_unlikely(&sky_in_use) && __sky_breakpoint(vcpu, dr6);
}

void sky_svm_init(void);
void sky_vmx_init(void);

#endif
