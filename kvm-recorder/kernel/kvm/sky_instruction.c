// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SYSCALL and SYSRET, which #UD while EFER.SCE is hidden, and IRET, where it is
 * intercepted: what the processor would have done (AMD64 Architecture Programmer's
 * Manual, volume 3), and the call or return that it means.
 *
 * What is out of the ordinary (prefixes, compatibility mode's IRET, another
 * segment than Linux's and FreeBSD's) is left to KVM's emulator or to the hardware.
 */
#include <linux/kvm_host.h>

#include "irq.h"
#include "kvm_cache_regs.h"
#include "kvm_emulate.h"
#include "mmu.h"
#include "x86.h"
#include "sky_kvm.h"

#define INSTRUCTION_MAX	 15
#define REX_FIRST	 0x40
#define REX_LAST	 0x4f
#define REX_W		 BIT(3)
#define SYSRET_FLAGS	 0x3c7fd7ul /* that it can load: neither RF nor VM */
#define SELECTOR_RPL	 3

u64 sky_fs_base(struct kvm_vcpu *vcpu)
{
	return static_call(kvm_x86_get_segment_base)(vcpu, VCPU_SREG_FS);
}

u64 sky_msr(struct kvm_vcpu *vcpu, u32 index)
{
	struct msr_data msr = {.index = index, .host_initiated = true};

	return static_call(kvm_x86_get_msr)(vcpu, &msr) ? 0 : msr.data;
}

/* The flat segments that these instructions load without looking at the tables. */
static void set_segment(struct kvm_vcpu *vcpu, int which, u16 selector, bool is_64_bit)
{
	bool code = which == VCPU_SREG_CS;
	struct kvm_segment segment = {
		.limit = 0xffffffff,
		.selector = selector,
		.type = code ? 0xb : 0x3, /* accessed; readable or writable */
		.s = 1,
		.dpl = selector & SELECTOR_RPL,
		.present = 1,
		.g = 1,
		.l = code && is_64_bit,
		.db = !code || !is_64_bit,
	};

	static_call(kvm_x86_set_segment)(vcpu, &segment, which);
}

static void go_to(struct kvm_vcpu *vcpu, u64 rip, u64 flags)
{
	kvm_rip_write(vcpu, rip);
	kvm_set_rflags(vcpu, flags | X86_EFLAGS_FIXED);
	static_call(kvm_x86_set_interrupt_shadow)(vcpu, 0);
}

/* A trap flag that is loaded this way takes effect at once. */
static void trap(struct kvm_vcpu *vcpu, u64 flags)
{
	if (flags & X86_EFLAGS_TF)
		kvm_queue_exception_p(vcpu, DB_VECTOR, DR6_BS);
}

#define LANDING_BYTES 16

/*
 * Linux has 32-bit programs make SYSCALL in a page of its own, where `int 0x80` follows:
 * there such a call is made anew, and it returns right behind (do_fast_syscall_32). Elsewhere
 * it does as the instruction says.
 */
static u64 landing(struct sky_vcpu *sky, u64 next_rip)
{
	u8 bytes[LANDING_BYTES];
	size_t i, count = sky_read_user(sky, next_rip, bytes, sizeof(bytes));

	for (i = 0; i + 1 < count; i++)
		if (bytes[i] == 0xcd && bytes[i + 1] == 0x80)
			return next_rip + i + SKY_INT80_BYTES;
	return next_rip;
}

static enum sky_entry enter(struct sky_vcpu *sky, bool is_64_bit, u64 rip, unsigned int length)
{
	u64 stack = kvm_rsp_read(sky->vcpu);

	if (is_64_bit)
		return sky_call_enter(sky, 0, rip, rip + length, stack);
	rip = landing(sky, rip + length);
	return sky_call_enter(sky, SKY_CALL_COMPAT, rip - SKY_INT80_BYTES, rip, stack);
}

/* From user mode, to return to rip with those flags. */
static void enter_kernel(struct kvm_vcpu *vcpu, u64 rip, u64 flags, bool is_64_bit)
{
	u16 selector = (sky_msr(vcpu, MSR_STAR) >> 32) & ~SELECTOR_RPL;
	u64 now = flags & ~sky_msr(vcpu, MSR_SYSCALL_MASK);

	kvm_rcx_write(vcpu, is_64_bit ? rip : (u32)rip);
	kvm_r11_write(vcpu, flags);
	set_segment(vcpu, VCPU_SREG_CS, selector, true);
	set_segment(vcpu, VCPU_SREG_SS, selector + 8, false);
	go_to(vcpu, sky_msr(vcpu, is_64_bit ? MSR_LSTAR : MSR_CSTAR), now);
	trap(vcpu, now);
}

static bool undefined(struct sky_vcpu *sky, enum sky_counter counter);

static bool syscall(struct sky_vcpu *sky, unsigned int length, enum sky_counter counter)
{
	struct kvm_vcpu *vcpu = sky->vcpu;
	u64 rip = kvm_rip_read(vcpu);
	u64 flags = kvm_get_rflags(vcpu) & ~X86_EFLAGS_RF;
	bool is_64_bit = is_64_bit_mode(vcpu);
	enum sky_entry entry = SKY_ENTRY_BEGINS;

	/* Intel's processors don't have it in compatibility mode. */
	if (!is_64_bit && guest_cpuid_is_intel(vcpu))
		return false;
	sky_count(sky->vm, counter);
	if (static_call(kvm_x86_get_cpl)(vcpu) == 3)
		entry = enter(sky, is_64_bit, rip, length);
	if (entry == SKY_ENTRY_IDLE) {
		sky_count(sky->vm, SKY_COUNT_exit_idle);
		return true; /* it isn't hidden any more: once again */
	}
	if (entry == SKY_ENTRY_INSIGHT)
		length = 0;
	enter_kernel(vcpu, rip + length, flags, is_64_bit);
	return true;
}

static bool sysret(struct sky_vcpu *sky, bool is_64_bit)
{
	struct kvm_vcpu *vcpu = sky->vcpu;
	u64 rip = kvm_rcx_read(vcpu), flags = kvm_r11_read(vcpu) & SYSRET_FLAGS;
	u16 selector = sky_msr(vcpu, MSR_STAR) >> 48;
	enum sky_return to;

	if (static_call(kvm_x86_get_cpl)(vcpu) ||
	    (is_64_bit && is_noncanonical_address(rip, vcpu))) {
		kvm_inject_gp(vcpu, 0);
		return true;
	}
	if (!is_64_bit)
		rip = (u32)rip;
	sky_count(sky->vm, SKY_COUNT_exit_sysret);
	to = sky_user_return(sky, rip, kvm_rsp_read(vcpu), flags, SKY_WAY_SYSRET);
	if (to == SKY_RETURN_INSIGHT) {
		enter_kernel(vcpu, rip, flags | X86_EFLAGS_FIXED, true);
		return true;
	}
	set_segment(vcpu, VCPU_SREG_CS, (is_64_bit ? selector + 16 : selector) | 3, is_64_bit);
	set_segment(vcpu, VCPU_SREG_SS, (selector + 8) | 3, false);
	go_to(vcpu, rip, flags);
	trap(vcpu, flags);
	/*
	 * The thread is in front of the SYSCALL where it was asked, which would be its next exit.
	 * What is there now is read as the processor would; if it is something else, the guest
	 * goes on.
	 */
	if (to == SKY_RETURN_ASKED && sky->hidden && !(flags & X86_EFLAGS_TF))
		undefined(sky, SKY_COUNT_insights_joined);
	return true;
}

/* Prefixes that change nothing about SYSCALL and SYSRET but its length. */
static bool is_idle_prefix(u8 byte)
{
	static const u8 idle[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};

	return memchr(idle, byte, sizeof(idle));
}

static bool is_rex(struct kvm_vcpu *vcpu, u8 byte)
{
	return byte >= REX_FIRST && byte <= REX_LAST && is_64_bit_mode(vcpu);
}

/* What lies at the instruction pointer, as far as it was looked at. */
struct code {
	u8 byte[INSTRUCTION_MAX];
	unsigned int count;
};

/*
 * All of a page that an instruction may take, at once, and only what may be executed. False:
 * the processor can't have fetched it.
 */
static bool fetch(struct kvm_vcpu *vcpu, struct code *code, unsigned int at, u8 *byte)
{
	u64 address = kvm_get_linear_rip(vcpu) + code->count;
	struct x86_exception exception;
	unsigned int bytes;
	gpa_t gpa;

	if (at >= INSTRUCTION_MAX)
		return false;
	if (at >= code->count) {
		gpa = kvm_mmu_gva_to_gpa_fetch(vcpu, address, &exception);
		if (gpa == INVALID_GPA)
			return false;
		bytes = min_t(unsigned int, INSTRUCTION_MAX - code->count,
			      PAGE_SIZE - offset_in_page(address));
		if (kvm_vcpu_read_guest_page(vcpu, gpa_to_gfn(gpa), code->byte + code->count,
					     offset_in_page(gpa), bytes))
			return false;
		code->count += bytes;
	}
	*byte = code->byte[at];
	return true;
}

/* False: it is nothing of Sky's. What is counted is a SYSCALL. */
static bool undefined(struct sky_vcpu *sky, enum sky_counter counter)
{
	struct kvm_vcpu *vcpu = sky->vcpu;
	struct code code = {};
	unsigned int at = 0;
	u8 byte, rex = 0;

	sky->begun_ns = ktime_get_ns();
	if (!fetch(vcpu, &code, at++, &byte))
		return false;
	while (is_idle_prefix(byte))
		if (!fetch(vcpu, &code, at++, &byte))
			return false;
	if (is_rex(vcpu, byte)) {
		rex = byte;
		if (!fetch(vcpu, &code, at++, &byte))
			return false;
	}
	if (byte != 0x0f || !fetch(vcpu, &code, at++, &byte))
		return false;
	if (byte == 0x05)
		return syscall(sky, at, counter);
	return byte == 0x07 && sysret(sky, rex & REX_W);
}

bool __sky_undefined_instruction(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);

	if (!sky || !sky->hidden || is_guest_mode(vcpu) || !is_long_mode(vcpu) ||
	    !(vcpu->arch.efer & EFER_SCE))
		return false;
	return undefined(sky, SKY_COUNT_exit_syscall);
}

void sky_int80(struct sky_vcpu *sky, u64 rip, u64 next_rip, u64 stack, u16 segment)
{
	u16 selector = sky_msr(sky->vcpu, MSR_STAR) >> 48;
	bool compat = segment != ((selector + 16) | SELECTOR_RPL);

	sky_call_enter(sky, SKY_CALL_INT80 | (compat ? SKY_CALL_COMPAT : 0), rip, next_rip, stack);
}

void sky_sysenter(struct sky_vcpu *sky)
{
	sky_call_enter(sky, SKY_CALL_INT80 | SKY_CALL_COMPAT, 0, 0, (u32)kvm_rbp_read(sky->vcpu));
}

void sky_sysenter_returns(struct sky_vcpu *sky, struct sky_call *call, u64 rip)
{
	u8 bytes[SKY_INT80_BYTES] = {};

	sky_read_user(sky, rip, bytes, sizeof(bytes));
	call->rip = bytes[0] == 0xcd && bytes[1] == 0x80 ? rip : rip - SKY_INT80_BYTES;
	call->next_rip = call->rip + SKY_INT80_BYTES;
}

/* A page fault ends in the kernel, too, where a system call reads or writes what is mapped. */
void sky_kernel_return(struct sky_vcpu *sky)
{
	struct sky_vm *vm = sky->vm;
	struct sky_process *process;

	if (!sky->faulting)
		return;
	mutex_lock(&vm->lock);
	process = sky_process_in(vm, sky_space_now(sky));
	if (process && process->faults) {
		sky_faults_return(sky, process, false);
		sky_sync(sky);
	}
	mutex_unlock(&vm->lock);
}

/* The hardware does it; should the intercept be needed on, the next exit sets it again. */
static bool iret_native(struct sky_vcpu *sky)
{
	sky_count(sky->vm, SKY_COUNT_exit_iret_native);
	sky_iret_native(sky);
	return true;
}

static bool iret_to_kernel(struct sky_vcpu *sky, const struct sky_frame *frame)
{
	struct kvm_vcpu *vcpu = sky->vcpu;
	struct kvm_segment cs, ss;

	static_call(kvm_x86_get_segment)(vcpu, &cs, VCPU_SREG_CS);
	static_call(kvm_x86_get_segment)(vcpu, &ss, VCPU_SREG_SS);
	sky_kernel_return(sky);
	/* A null SS is what an interrupt from user mode left. */
	if ((u16)frame->cs != cs.selector || ((u16)frame->ss && (u16)frame->ss != cs.selector + 8))
		return iret_native(sky);
	if ((u16)frame->ss) {
		set_segment(vcpu, VCPU_SREG_SS, frame->ss, false);
	} else if (ss.selector) {
		ss = (struct kvm_segment){.unusable = 1};
		static_call(kvm_x86_set_segment)(vcpu, &ss, VCPU_SREG_SS);
	}
	sky_count(sky->vm, SKY_COUNT_exit_iret_kernel);
	kvm_rsp_write(vcpu, frame->rsp);
	go_to(vcpu, frame->rip, frame->flags);
	return true;
}

static bool iret_to_user(struct sky_vcpu *sky, const struct sky_frame *frame)
{
	struct kvm_vcpu *vcpu = sky->vcpu;
	u16 selector = sky_msr(vcpu, MSR_STAR) >> 48;
	bool is_64_bit = (u16)frame->cs == ((selector + 16) | SELECTOR_RPL);
	enum sky_return to = sky_user_return(sky, frame->rip, frame->rsp, frame->flags,
					     SKY_WAY_IRET);

	sky_count(sky->vm, to == SKY_RETURN_CALL ? SKY_COUNT_exit_iret_call :
						   SKY_COUNT_exit_iret_interrupt);
	if ((!is_64_bit && (u16)frame->cs != (selector | SELECTOR_RPL)) ||
	    (u16)frame->ss != ((selector + 8) | SELECTOR_RPL))
		return iret_native(sky);
	set_segment(vcpu, VCPU_SREG_CS, frame->cs, is_64_bit);
	set_segment(vcpu, VCPU_SREG_SS, frame->ss, false);
	kvm_rsp_write(vcpu, frame->rsp);
	go_to(vcpu, frame->rip, frame->flags);
	return true;
}

/* Flags that IRET loads at privilege level 0; VM never is set in long mode. */
#define IRET_FLAGS (SYSRET_FLAGS | X86_EFLAGS_RF)

bool __sky_iret(struct kvm_vcpu *vcpu)
{
	struct sky_vcpu *sky = sky_vcpu_of(vcpu);
	struct x86_exception exception;
	struct sky_frame frame;

	/* While NMIs are masked the intercept is KVM's. */
	if (!sky || is_guest_mode(vcpu) || vcpu->arch.hflags & HF_NMI_MASK)
		return false;
	sky->begun_ns = ktime_get_ns();
	if (static_call(kvm_x86_get_cpl)(vcpu) || !is_64_bit_mode(vcpu) ||
	    kvm_get_rflags(vcpu) & X86_EFLAGS_NT ||
	    kvm_read_guest_virt(vcpu, kvm_rsp_read(vcpu), &frame, sizeof(frame), &exception) ||
	    is_noncanonical_address(frame.rip, vcpu) ||
	    frame.flags & ~(IRET_FLAGS | X86_EFLAGS_FIXED))
		return iret_native(sky);
	return (frame.cs & SELECTOR_RPL) == 3 ? iret_to_user(sky, &frame) :
						iret_to_kernel(sky, &frame);
}
EXPORT_SYMBOL_GPL(__sky_iret);
