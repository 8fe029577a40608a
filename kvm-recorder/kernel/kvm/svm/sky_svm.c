// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What Sky needs of SVM: which instructions make a guest exit.
 */
#define pr_fmt(fmt) "SVM: " fmt

#include <linux/kvm_host.h>

#include "irq.h"
#include "mmu.h"
#include "kvm_cache_regs.h"
#include "x86.h"
#include "svm.h"
#include "sky.h"

/* Without nested paging KVM itself needs to see CR3 writes. */
static void svm_intercept_space(struct kvm_vcpu *vcpu, bool on)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (on && !svm_is_intercept(svm, INTERCEPT_CR3_WRITE))
		svm_set_intercept(svm, INTERCEPT_CR3_WRITE);
	else if (!on && npt_enabled && svm_is_intercept(svm, INTERCEPT_CR3_WRITE))
		svm_clr_intercept(svm, INTERCEPT_CR3_WRITE);
}

/* As long as NMIs are masked the intercept is KVM's, which waits for their handler's end. */
static void svm_intercept_iret(struct kvm_vcpu *vcpu, bool on)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (vcpu->arch.hflags & HF_NMI_MASK)
		return;
	if (on && !svm_is_intercept(svm, INTERCEPT_IRET))
		svm_set_intercept(svm, INTERCEPT_IRET);
	else if (!on && svm_is_intercept(svm, INTERCEPT_IRET))
		svm_clr_intercept(svm, INTERCEPT_IRET);
}

/* The guest's own, which KVM has nothing to do with under nested paging. */
static void svm_intercept_faults(struct kvm_vcpu *vcpu, bool on)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	bool is_on = vmcb_is_intercept(&svm->vmcb01.ptr->control,
				       INTERCEPT_EXCEPTION_OFFSET + PF_VECTOR);

	if (on && !is_on)
		set_exception_intercept(svm, PF_VECTOR);
	else if (!on && is_on)
		clr_exception_intercept(svm, PF_VECTOR);
}

static void svm_intercept_debug(struct kvm_vcpu *vcpu)
{
	vcpu->arch.switch_db_regs &= ~KVM_DEBUGREG_WONT_EXIT;
	set_dr_intercepts(to_svm(vcpu));
}

static const struct sky_vendor sky_svm = {
	.intercept_space = svm_intercept_space,
	.intercept_debug = svm_intercept_debug,
	.intercept_iret = svm_intercept_iret,
	.intercept_faults = svm_intercept_faults,
};

void sky_svm_init(void)
{
	sky_set_vendor(&sky_svm);
}
