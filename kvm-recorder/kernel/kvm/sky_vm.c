// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Virtual machines and their virtual CPUs: sources of records, what a guest may
 * ask for, and which of its instructions are intercepted at the moment.
 *
 *	nobody is monitored		nothing
 *	a process of the guest is,
 *	or is looked for		CR3 writes, on all its virtual CPUs
 *	... and its space is loaded	SYSCALL, SYSRET, `int 0x80`, on that virtual CPU
 *	... and has calls under way	IRET
 *	... or insight-calls
 *	... or page faults in mapped files
 *	... and can write to mapped files	page faults
 *
 * A virtual CPU changes that only for itself; the others are asked to (KVM_REQ_SKY).
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "cpuid.h"
#include "kvm_cache_regs.h"
#include "x86.h"
#include "sky_hypercall.h"
#include "sky_ioctl.h"
#include "sky_kvm.h"

#define CR3_NOT_SPACE (BIT_ULL(63) | 0xfff) /* "keep the TLB", and the PCID */
#define CR3_PTI_USER  BIT_ULL(12)
#define ENTRY_BYTES   256

DEFINE_STATIC_KEY_FALSE(sky_in_use);
EXPORT_SYMBOL_GPL(sky_in_use);

/* How returns by IRET are seen; a virtual machine takes it over when its monitoring begins. */
enum { EXITS_IRET, EXITS_BREAKPOINT };
static const char *const exits_names[] = {"iret", "breakpoint", NULL};
static int exits = EXITS_IRET;

static int exits_set(const char *value, const struct kernel_param *param)
{
	int which = sysfs_match_string(exits_names, value);

	if (which < 0)
		return which;
	WRITE_ONCE(exits, which);
	return 0;
}

static int exits_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", exits_names[READ_ONCE(exits)]);
}

static const struct kernel_param_ops exits_ops = {.set = exits_set, .get = exits_get};
module_param_cb(sky_exits, &exits_ops, NULL, 0644);
MODULE_PARM_DESC(sky_exits, "How a call's end by IRET is seen: iret (default), breakpoint");

static const struct sky_vendor *vendor;
static struct dentry *debugfs_folder;

static LIST_HEAD(vms);
static DEFINE_HASHTABLE(vcpus, 8); /* read under RCU; a virtual CPU outlives its own use */
static DEFINE_MUTEX(vms_lock);

void sky_set_vendor(const struct sky_vendor *of_module)
{
	vendor = of_module;
}
EXPORT_SYMBOL_GPL(sky_set_vendor);

struct sky_vcpu *sky_vcpu_of(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky, *found = NULL;

	rcu_read_lock();
	hash_for_each_possible_rcu(vcpus, sky, by_vcpu, (unsigned long)vcpu) {
		if (sky->vcpu == vcpu) {
			found = sky;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

u64 sky_space(const struct sky_vm *vm, u64 cr3)
{
	return cr3 & ~(CR3_NOT_SPACE | (vm->pti ? CR3_PTI_USER : 0));
}

u64 sky_space_now(struct sky_vcpu *sky)
{
	return sky_space(sky->vm, kvm_read_cr3(sky->vcpu));
}

/* Whether a collector has a ring of any virtual CPU; with vm->lock. */
bool sky_recorded(const struct sky_vm *vm)
{
	const struct sky_vcpu *sky;

	list_for_each_entry(sky, &vm->vcpu_list, of_vm)
		if (sky->registered && sky_source_active(&sky->source))
			return true;
	return false;
}

#define CR4_FRED BIT_ULL(32) /* asm/processor-flags.h of later kernels */

/*
 * Nested guests and encrypted ones are not covered; nor are guests that enter and
 * leave their kernel by FRED, or whose calls have a shadow stack (sky_cpuid()).
 */
static bool covered(struct kvm_vcpu *vcpu)
{
	return !is_guest_mode(vcpu) && !vcpu->arch.guest_state_protected &&
	       !(kvm_read_cr4(vcpu) & (X86_CR4_CET | CR4_FRED));
}

static void hide(struct sky_vcpu *sky, bool hidden)
{
	struct kvm_vcpu *vcpu = sky->vcpu;

	if (sky->hidden == hidden)
		return;
	sky->hidden = hidden;
	static_call(kvm_x86_set_efer)(vcpu, vcpu->arch.efer);
}

/*
 * Monitoring begins with the first process and ends when the last one is gone:
 * then each virtual CPU notices at its next exit for Sky that it needs no more.
 * The hooks stay until the virtual machine goes, for one may be in between.
 */
static void set_monitoring(struct sky_vm *vm)
{
	bool before = vm->monitoring;

	WRITE_ONCE(vm->monitoring, vm->process_count || vm->watchers || sky_selects(vm));
	if (vm->monitoring && !before) {
		vm->by_breakpoint = READ_ONCE(exits) == EXITS_BREAKPOINT || !vendor->intercept_iret;
		vm->entry = 0;
	}
	if (vm->monitoring && !vm->in_use)
		static_branch_inc(&sky_in_use);
	vm->in_use |= vm->monitoring;
}

/* What a breakpoint can't see at the moment is intercepted, where that can be. */
static void watch(struct sky_vcpu *sky, bool calls, bool returns)
{
	bool by_breakpoint = sky->vm->by_breakpoint;
	bool seen = sky_breakpoints(sky, vendor, calls, by_breakpoint && returns);

	if (vendor->intercept_iret)
		vendor->intercept_iret(sky->vcpu, returns && !(by_breakpoint && seen));
	else if (!seen)
		sky_count(sky->vm, SKY_COUNT_returns_unwatched);
}

void sky_sync(struct sky_vcpu *sky)
{
	struct sky_vm *vm = sky->vm;
	u64 space;
	struct sky_process *process;
	bool under_way;

	if (!vendor || !covered(sky->vcpu))
		return;
	space = sky_space_now(sky);
	process = sky_process_in(vm, space);
	sky->space = space;
	sky->watching &= !process && vm->watchers;
	sky->asking = false;
	if (!process && sky_selects(vm)) {
		sky_meet(sky);
		process = sky_process_in(vm, space);
	}
	under_way = sky->watching || sky->asking ||
		    (process && (process->calls || process->faults || sky_insights_wait(process)));
	set_monitoring(vm);
	vendor->intercept_space(sky->vcpu, vm->monitoring);
	watch(sky, process, under_way);
	sky->faulting = process && process->shared_areas && tdp_enabled && vendor->intercept_faults;
	if (tdp_enabled && vendor->intercept_faults)
		vendor->intercept_faults(sky->vcpu, sky->faulting);
	hide(sky, process || sky->watching || sky->asking);
}

void sky_iret_native(struct sky_vcpu *sky)
{
	vendor->intercept_iret(sky->vcpu, false);
}

/* Each virtual CPU of the machine will have synced before it runs its guest again. */
void sky_sync_all(struct sky_vm *vm)
{
	kvm_make_all_cpus_request(vm->kvm, KVM_REQ_SKY);
}

static struct sky_vcpu *lock(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);

	if (sky) {
		sky->begun_ns = ktime_get_ns();
		mutex_lock(&sky->vm->lock);
	}
	return sky;
}

void sky_requested(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = lock(vcpu);

	if (!sky)
		return;
	if (!vcpu->vcpu_id && !is_long_mode(vcpu)) {
		sky_processes_end_all(sky);
		sky_strangers_forget(sky->vm, true);
		sky->vm->entry = 0;
	}
	sky->unmet = true;
	sky_look(sky);
	sky_sync(sky);
	mutex_unlock(&sky->vm->lock);
}

/*
 * Guest software sees EFER in vcpu->arch.efer, as it wrote it. A virtual CPU
 * that leaves long mode is being reset, and what it intercepts with it; where it
 * is the first one, the guest starts anew and none of its processes is left.
 */
u64 __sky_efer(struct kvm_vcpu *vcpu, u64 efer)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);

	if (!sky || !covered(vcpu))
		return efer;
	if (!(efer & EFER_LMA)) {
		sky->hidden = false;
		sky->watching = false;
		kvm_make_request(KVM_REQ_SKY, vcpu);
		return efer;
	}
	return sky->hidden ? efer & ~EFER_SCE : efer;
}
EXPORT_SYMBOL_GPL(__sky_efer);

/*
 * Only page table isolation loads CR3 within the first instructions of the system
 * call's entry.
 */
static bool is_entry(struct kvm_vcpu *vcpu)
{
	struct msr_data entry = {.index = MSR_LSTAR, .host_initiated = true};

	return !static_call(kvm_x86_get_msr)(vcpu, &entry) && entry.data &&
	       kvm_rip_read(vcpu) - entry.data < ENTRY_BYTES;
}

/*
 * The guest switches to another process (paper, section 3.1.1), or under page
 * table isolation between the two halves of the same.
 */
void __sky_space_loaded(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);
	struct sky_process *process, *before;
	struct sky_vm *vm;
	u64 space;

	if (!sky || !covered(vcpu))
		return;
	vm = sky->vm;
	sky_count(vm, SKY_COUNT_exit_space);
	if (READ_ONCE(vm->monitoring) && vm->pti && sky_space_now(sky) == sky->space)
		return;
	sky->begun_ns = ktime_get_ns();
	mutex_lock(&vm->lock);
	/* FreeBSD's other page table of a process is anywhere; calls are made and end with one. */
	if (!vm->pti && vm->monitoring && !sky_is_freebsd(vm) && is_entry(vcpu)) {
		vm->pti = true;
		sky_processes_rename(vm);
		sky_strangers_rename(vm);
		sky->space = sky_space(vm, sky->space);
	}
	if (vm->process_count && !sky_recorded(vm))
		sky_processes_end_all(sky); /* the collector has gone */
	space = sky_space_now(sky);
	if (space != sky->space || !vm->monitoring) {
		before = sky_process_in(vm, sky->space);
		/* Linux makes who dirties too many pages wait within the fault. */
		if (before && before->faults)
			sky_faults_return(sky, before, false);
		process = sky_process_in(vm, space);
		if (process && !sky_process_lives(sky, process)) {
			sky_process_displaced(sky, process);
			process = NULL;
		}
		if (vm->fork_count)
			sky_expire(sky);
		if (!process || sky_process_in_doubt(process))
			sky_candidate(sky, sky->space, space, !process);
		sky->watching = true;
		sky->unmet = true;
		if (before || process)
			sky_record_switch(sky, space, process, process ? process->pid : 0);
		sky_sync(sky);
	}
	mutex_unlock(&vm->lock);
}

static int ask(struct sky_vcpu *sky, u64 what, u32 pid, u32 tid)
{
	struct sky_vm *vm = sky->vm;
	struct sky_process *process;
	bool before = vm->monitoring;
	struct sky_cpu cpu;
	int rc;

	if (!vendor)
		return -ENODEV;
	/* Before that nobody knows what the calls mean, or which files are wanted. */
	if (!sky_recorded(vm) || !vm->abi_told)
		return -EAGAIN;
	switch (what) {
	case SKY_ASK_PRESENT:
		return 0;
	case SKY_ASK_BEGIN:
		sky_cpu_now(sky, &cpu, kvm_rsp_read(sky->vcpu), pid, tid);
		rc = sky_process_begin(sky, &cpu, SKY_WHY_ASKED);
		break;
	case SKY_ASK_END:
		process = sky_process_in(vm, sky_space_now(sky));
		if (!process)
			return -ESRCH;
		sky_process_end(sky, process, SKY_WHY_ASKED);
		rc = 0;
		break;
	default:
		return -EINVAL;
	}
	sky_sync(sky);
	if (vm->monitoring && !before)
		sky_sync_all(vm);
	return rc;
}

bool sky_hypercall(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky;
	int rc;

	if (kvm_rax_read(vcpu) != SKY_HYPERCALL || !is_64_bit_hypercall(vcpu) || !covered(vcpu) ||
	    static_call(kvm_x86_get_cpl)(vcpu) != 3)
		return false;
	sky = lock(vcpu);
	if (!sky)
		return false;
	sky_count(sky->vm, SKY_COUNT_exit_hypercall);
	rc = ask(sky, kvm_rbx_read(vcpu), kvm_rcx_read(vcpu), kvm_rdx_read(vcpu));
	if (rc)
		sky_count(sky->vm, SKY_COUNT_hypercalls_refused);
	mutex_unlock(&sky->vm->lock);
	kvm_rax_write(vcpu, (long)rc);
	return true;
}

/* CPUID 7: FRED, shadow stacks and indirect branch tracking; KVM of Linux 6.1 has none of them. */
void sky_cpuid(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *entry = kvm_find_cpuid_entry_index(vcpu, 7, 0);

	if (entry) {
		entry->ecx &= ~BIT(7);
		entry->edx &= ~BIT(20);
	}
	entry = kvm_find_cpuid_entry_index(vcpu, 7, 1);
	if (entry)
		entry->eax &= ~BIT(17);
}

static const char *const counter_names[] = {
	[SKY_COUNT_exit_syscall] = "exit_syscall",
	[SKY_COUNT_exit_int80] = "exit_int80",
	[SKY_COUNT_exit_sysenter] = "exit_sysenter",
	[SKY_COUNT_exit_sysret] = "exit_sysret",
	[SKY_COUNT_exit_iret_call] = "exit_iret_call",
	[SKY_COUNT_exit_iret_interrupt] = "exit_iret_interrupt",
	[SKY_COUNT_exit_iret_kernel] = "exit_iret_kernel",
	[SKY_COUNT_exit_iret_native] = "exit_iret_native",
	[SKY_COUNT_exit_space] = "exit_space",
	[SKY_COUNT_exit_hypercall] = "exit_hypercall",
	[SKY_COUNT_exit_idle] = "exit_idle",
	[SKY_COUNT_exit_fault] = "exit_fault",
	[SKY_COUNT_faults_mapped] = "faults_mapped",
	[SKY_COUNT_faults_unseen] = "faults_unseen",
	[SKY_COUNT_calls] = "calls",
	[SKY_COUNT_returns] = "returns",
	[SKY_COUNT_returns_split] = "returns_split",
	[SKY_COUNT_restarts] = "restarts",
	[SKY_COUNT_abandoned] = "abandoned",
	[SKY_COUNT_calls_refused] = "calls_refused",
	[SKY_COUNT_returns_unwatched] = "returns_unwatched",
	[SKY_COUNT_returns_unknown] = "returns_unknown",
	[SKY_COUNT_compat] = "compat",
	[SKY_COUNT_uncovered] = "uncovered",
	[SKY_COUNT_completions] = "completions",
	[SKY_COUNT_insights] = "insights",
	[SKY_COUNT_insights_joined] = "insights_joined",
	[SKY_COUNT_insights_refused] = "insights_refused",
	[SKY_COUNT_insights_busy] = "insights_busy",
	[SKY_COUNT_insights_given_up] = "insights_given_up",
	[SKY_COUNT_insights_left] = "insights_left",
	[SKY_COUNT_handlers] = "handlers",
	[SKY_COUNT_handlers_unreached] = "handlers_unreached",
	[SKY_COUNT_descriptors_left] = "descriptors_left",
	[SKY_COUNT_neighbours] = "neighbours",
	[SKY_COUNT_neighbours_unread] = "neighbours_unread",
	[SKY_COUNT_writes_beside] = "writes_beside",
	[SKY_COUNT_copies] = "copies",
	[SKY_COUNT_copies_unread] = "copies_unread",
	[SKY_COUNT_strangers] = "strangers",
	[SKY_COUNT_strangers_asked] = "strangers_asked",
	[SKY_COUNT_strangers_refused] = "strangers_refused",
	[SKY_COUNT_calls_outside] = "calls_outside",
	[SKY_COUNT_chunks] = "chunks",
	[SKY_COUNT_chunks_unread] = "chunks_unread",
	[SKY_COUNT_texts_unread] = "texts_unread",
	[SKY_COUNT_processes] = "processes",
	[SKY_COUNT_processes_refused] = "processes_refused",
	[SKY_COUNT_processes_vanished] = "processes_vanished",
	[SKY_COUNT_entries_refused] = "entries_refused",
	[SKY_COUNT_children_lost] = "children_lost",
	[SKY_COUNT_hypercalls_refused] = "hypercalls_refused",
	[SKY_COUNT_areas] = "areas",
	[SKY_COUNT_areas_refused] = "areas_refused",
	[SKY_COUNT_pages_appeared] = "pages_appeared",
	[SKY_COUNT_pages_gone] = "pages_gone",
	[SKY_COUNT_pages_refused] = "pages_refused",
	[SKY_COUNT_pages_moved] = "pages_moved",
	[SKY_COUNT_pages_unheld] = "pages_unheld",
	[SKY_COUNT_looks] = "looks",
	[SKY_COUNT_records_lost] = "records_lost",
};

static int counters_show(struct seq_file *file, void *unused)
{
	struct sky_vm *vm = file->private;
	unsigned int i;

	for (i = 0; i < SKY_COUNTERS; i++)
		seq_printf(file, "%s %lld\n", counter_names[i],
			   (long long)atomic64_read(&vm->counter[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

/* /sys/kernel/debug/sky/vm-PID: a counter a line */
static void show_counters(struct sky_vm *vm)
{
	char name[24];

	if (!debugfs_folder)
		debugfs_folder = debugfs_create_dir("sky", NULL);
	snprintf(name, sizeof(name), "vm-%d", task_tgid_nr(current));
	vm->counters_file = debugfs_create_file(name, 0400, debugfs_folder, vm, &counters_fops);
}

static struct sky_vm *vm_new(struct kvm *kvm)
{
	struct sky_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	vm->kvm = kvm;
	mutex_init(&vm->lock);
	INIT_LIST_HEAD(&vm->vcpu_list);
	INIT_LIST_HEAD(&vm->calls_by_age);
	INIT_LIST_HEAD(&vm->forks);
	INIT_LIST_HEAD(&vm->areas);
	INIT_LIST_HEAD(&vm->held);
	INIT_DELAYED_WORK(&vm->look, sky_look_due);
	INIT_LIST_HEAD(&vm->wishes);
	INIT_LIST_HEAD(&vm->debts);
	list_add(&vm->all, &vms);
	show_counters(vm);
	return vm;
}

static void vm_free(struct sky_vm *vm)
{
	mutex_lock(&vm->lock);
	sky_processes_free(vm);
	sky_select_nothing(vm);
	sky_strangers_forget(vm, true);
	mutex_unlock(&vm->lock);
	cancel_delayed_work_sync(&vm->look);
	sky_mapped_free(vm);
	if (vm->in_use)
		static_branch_dec(&sky_in_use);
	debugfs_remove(vm->counters_file);
	list_del(&vm->all);
	if (list_empty(&vms)) {
		debugfs_remove(debugfs_folder);
		debugfs_folder = NULL;
	}
	kfree(vm);
}

static struct sky_vm *vm_of(struct kvm *kvm)
{
	struct sky_vm *vm;

	list_for_each_entry(vm, &vms, all)
		if (vm->kvm == kvm)
			return vm;
	return vm_new(kvm);
}

static void vcpu_free(struct sky_vcpu *sky)
{
	kfree(sky->spare);
	kvfree(sky->sums);
	kvfree(sky->words);
	kfree(sky->path);
	kfree(sky->path2);
	kfree(sky);
}

static struct sky_vcpu *vcpu_new(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = kzalloc(sizeof(*sky), GFP_KERNEL_ACCOUNT);

	if (!sky)
		return NULL;
	sky->vcpu = vcpu;
	sky->sums = kvcalloc(SKY_SUMS_MAX, sizeof(u64), GFP_KERNEL_ACCOUNT);
	sky->words = kvcalloc(SKY_WORDS_MAX, sizeof(u64), GFP_KERNEL_ACCOUNT);
	sky->path = kmalloc(SKY_PATH_BYTES, GFP_KERNEL_ACCOUNT);
	sky->path2 = kmalloc(SKY_PATH_BYTES, GFP_KERNEL_ACCOUNT);
	if (sky->sums && sky->words && sky->path && sky->path2)
		return sky;
	vcpu_free(sky);
	return NULL;
}

/* Each virtual CPU looks anew at what it has loaded. */
static int select(struct sky_source *source, const struct sky_select *select)
{
	struct sky_vm *vm = container_of(source, struct sky_vcpu, source)->vm;
	int rc;

	if (!vendor)
		return -ENODEV;
	mutex_lock(&vm->lock);
	rc = sky_select(vm, select);
	if (!rc)
		sky_sync_all(vm);
	mutex_unlock(&vm->lock);
	return rc;
}

static void detached(struct sky_source *source)
{
	struct sky_vm *vm = container_of(source, struct sky_vcpu, source)->vm;

	mutex_lock(&vm->lock);
	if (!sky_recorded(vm)) {
		vm->abi_told = false;
		if (!list_empty(&vm->wishes)) {
			sky_select_nothing(vm);
			sky_sync_all(vm);
		}
	}
	mutex_unlock(&vm->lock);
}

static const struct sky_source_ops source_ops = {
	.select = select,
	.detached = detached,
};

static void vcpu_register(struct sky_vcpu *sky)
{
	char name[SKY_RING_NAME_BYTES];

	sky->source.ops = &source_ops;
	snprintf(name, sizeof(name), "vm %d vcpu %d", task_tgid_nr(current), sky->vcpu->vcpu_id);
	sky->registered = !sky_source_register(&sky->source, name);
	if (!sky->registered)
		pr_warn("sky: there is a source \"%s\" already: this one cannot be recorded\n",
			name);
}

/* A virtual machine runs without Sky where there is no memory for it. */
void sky_vcpu_created(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = vcpu_new(vcpu);

	mutex_lock(&vms_lock);
	if (sky)
		sky->vm = vm_of(vcpu->kvm);
	if (!sky || !sky->vm) {
		pr_warn("sky: no memory: virtual CPU %d cannot be recorded\n", vcpu->vcpu_id);
		if (sky)
			vcpu_free(sky);
		goto out;
	}
	sky->vm->vcpus++;
	vcpu_register(sky);
	mutex_lock(&sky->vm->lock);
	list_add_tail(&sky->of_vm, &sky->vm->vcpu_list);
	if (sky->vm->monitoring)
		kvm_make_request(KVM_REQ_SKY, vcpu);
	mutex_unlock(&sky->vm->lock);
	hash_add_rcu(vcpus, &sky->by_vcpu, (unsigned long)vcpu);
out:
	mutex_unlock(&vms_lock);
}

void sky_vcpu_destroyed(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);

	if (!sky)
		return;
	mutex_lock(&vms_lock);
	hash_del_rcu(&sky->by_vcpu);
	mutex_lock(&sky->vm->lock);
	list_del(&sky->of_vm);
	mutex_unlock(&sky->vm->lock);
	if (sky->registered)
		sky_source_unregister(&sky->source);
	synchronize_rcu();
	if (!--sky->vm->vcpus)
		vm_free(sky->vm);
	vcpu_free(sky);
	mutex_unlock(&vms_lock);
}
