// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For the emulated host alone: what QEMU's VMRUN (helper_vmrun of QEMU 7.2) does otherwise
 * than a processor, put right from KVM's tracepoints right before VMRUN and after the exit.
 *
 * Breakpoints: it takes DR7 over from the guest's state but doesn't look at it, so that a
 * guest stops at no breakpoint but those that its host had enabled itself. What KVM is
 * about to give to the guest is enabled in the host, and disabled after the guest's exit.
 *
 * Interrupts: it delivers an interrupt that KVM injects and leaves its vector behind in
 * exception_index, as if it were still to be delivered. The next exit or exception of the
 * guest resets that. If QEMU's loop is asked to pause before (exit_request), it delivers
 * the vector once more, in the guest's first instructions for that same interrupt even, with
 * interrupts off. So an interrupt of the host's own is made to wait whenever one is injected:
 * QEMU looks at those first, and the guest exits before its first instruction.
 *
 * The module is loaded before kvm, whose tracepoints it finds as that is loaded, and doesn't
 * keep it from being unloaded.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/tracepoint.h>
#include <asm/apic.h>
#include <asm/debugreg.h>
#include <asm/irq_vectors.h>
#include <asm/svm.h>

#include "svm/svm.h"

static void entry(void *unused, struct kvm_vcpu *vcpu, bool force_immediate_exit)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;
	u32 injected = vmcb->control.event_inj & (SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_MASK);

	if (vcpu->arch.switch_db_regs & KVM_DEBUGREG_BP_ENABLED)
		set_debugreg(vmcb->save.dr7, 7);
	if (injected == (SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_INTR))
		apic->send_IPI_self(RESCHEDULE_VECTOR);
}

static void leave(void *unused, struct kvm_vcpu *vcpu, u32 isa)
{
	if (vcpu->arch.switch_db_regs & KVM_DEBUGREG_BP_ENABLED)
		set_debugreg(0, 7);
}

static void attach(struct tracepoint *tracepoint, bool on)
{
	void *to;

	if (!strcmp(tracepoint->name, "kvm_entry"))
		to = entry;
	else if (!strcmp(tracepoint->name, "kvm_exit"))
		to = leave;
	else
		return;
	if (!on)
		tracepoint_probe_unregister(tracepoint, to, NULL);
	else if (tracepoint_probe_register(tracepoint, to, NULL))
		pr_err("lab: no probe at %s: guests won't run as they should\n", tracepoint->name);
}

static int modules_change(struct notifier_block *notifier, unsigned long what, void *data)
{
	struct module *module = ((struct tp_module *)data)->mod;
	unsigned int i;

	if (strcmp(module->name, "kvm"))
		return NOTIFY_OK;
	for (i = 0; i < module->num_tracepoints; i++)
		attach(tracepoint_ptr_deref(module->tracepoints_ptrs + i),
		       what == MODULE_STATE_COMING);
	return NOTIFY_OK;
}

static struct notifier_block notifier = {.notifier_call = modules_change};

static int __init begin(void)
{
	return register_tracepoint_module_notifier(&notifier);
}

static void __exit end(void)
{
	unregister_tracepoint_module_notifier(&notifier);
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("What QEMU's VMRUN does otherwise than a processor, put right");
MODULE_LICENSE("GPL");
