// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For the emulated host alone: what QEMU's VMRUN (helper_vmrun of QEMU 7.2) does otherwise
 * than a processor, put right from KVM's tracepoints right before VMRUN and after the exit.
 *
 * Breakpoints: it takes DR7 over from the guest's state but doesn't look at it, so that a
 * guest stops at no breakpoint but those that its host had enabled itself. What KVM is
 * about to give to the guest is enabled in the host, and disabled after the guest's exit.
 *
 * The module is loaded before kvm, whose tracepoints it finds as that is loaded, and doesn't
 * keep it from being unloaded.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/tracepoint.h>
#include <asm/debugreg.h>

#include "svm/svm.h"

static void entry(void *unused, struct kvm_vcpu *vcpu, bool force_immediate_exit)
{
	if (vcpu->arch.switch_db_regs & KVM_DEBUGREG_BP_ENABLED)
		set_debugreg(to_svm(vcpu)->vmcb->save.dr7, 7);
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
