// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What Sky needs of VMX: what makes a guest exit. Nothing makes it do so for IRET
 * (paper, section 4.1), so calls that return by it are seen by a breakpoint.
 */
#define pr_fmt(fmt) "VMX: " fmt

#include <linux/kvm_host.h>

#include "kvm_cache_regs.h"
#include "x86.h"
#include "vmx.h"
#include "sky.h"

/*
 * Without EPT KVM itself needs to see CR3 writes. While they exit, KVM takes the guest's CR3
 * from where it keeps it, so it must be there before.
 */
static void vmx_intercept_space(struct kvm_vcpu *vcpu, bool on)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!enable_ept)
		return;
	if (!on) {
		exec_controls_clearbit(vmx, CPU_BASED_CR3_LOAD_EXITING);
		return;
	}
	kvm_read_cr3(vcpu);
	exec_controls_setbit(vmx, CPU_BASED_CR3_LOAD_EXITING);
}

/* The guest's own; KVM itself wants only those of addresses that its processor hasn't, if any. */
static void vmx_intercept_faults(struct kvm_vcpu *vcpu, bool on)
{
	u32 exceptions = vmcs_read32(EXCEPTION_BITMAP);
	bool is_on = exceptions & BIT(PF_VECTOR) && !vmcs_read32(PAGE_FAULT_ERROR_CODE_MASK);

	if (on && !is_on) {
		vmcs_write32(PAGE_FAULT_ERROR_CODE_MASK, 0);
		vmcs_write32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
		vmcs_write32(EXCEPTION_BITMAP, exceptions | BIT(PF_VECTOR));
	} else if (!on && is_on) {
		vmx_update_exception_bitmap(vcpu);
	}
}

static void vmx_intercept_debug(struct kvm_vcpu *vcpu)
{
	vcpu->arch.switch_db_regs &= ~KVM_DEBUGREG_WONT_EXIT;
	exec_controls_setbit(to_vmx(vcpu), CPU_BASED_MOV_DR_EXITING);
}

static const struct sky_vendor sky_vmx = {
	.intercept_space = vmx_intercept_space,
	.intercept_debug = vmx_intercept_debug,
	.intercept_faults = vmx_intercept_faults,
};

/*
 * Processors without unrestricted guests (before 2010) are left out: KVM stops these exits
 * whenever such a guest writes to CR0.
 */
void sky_vmx_init(void)
{
	if (!enable_ept || enable_unrestricted_guest)
		sky_set_vendor(&sky_vmx);
}
