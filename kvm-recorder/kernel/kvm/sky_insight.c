// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Insight-calls (paper, section 3.2): calls of Sky's own, made by a monitored
 * process right before one of its own, to learn what only the guest knows: which
 * file a descriptor is, and where it stands; what the process is.
 *
 * When the process enters a call, its registers are kept and those of the
 * insight-call set, with the SYSCALL instruction itself as the address to return
 * to. So it comes by once more, with the result; then the next question is put,
 * or its registers are as they were and its own call begins. Calls that the
 * guest's kernel would restart two bytes before that address are not among them,
 * and none is put before restart_syscall. Where something is to be asked after a
 * call, its return is made the entry of an insight-call instead.
 *
 * A signal's handler may run before the thread is back: it is shown the call's own
 * registers (sky_handler.c). Where that can't be done, nothing but the thread's coming back,
 * whenever that is, ends a sequence. Where monitoring ends before that, its registers are
 * owed to it (sky_select.c).
 *
 * Answers that are structures need memory: 8192 bytes that the first insight-call
 * of a program maps, once for each sequence that goes on at the same time. Nothing
 * else of the guest's state changes. A process under seccomp might be killed for a
 * call it doesn't make, and a tracer would see it: neither is asked anything.
 */
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <uapi/linux/mman.h>

#include "kvm_cache_regs.h"
#include "x86.h"
#include "sky_kvm.h"

static bool insights = true;
module_param_named(sky_insights, insights, bool, 0644);
MODULE_PARM_DESC(sky_insights, "Put insight-calls to monitored processes");

#define BUFFER_BYTES 8192
#define NAME_PLACE   4096 /* of the buffer: paths go there */
#define NAME_BYTES   4095

/* The argument, from 0, that no question uses. */
#define COOKIE 4
#define NO_BUFFER                                                                          \
	(BIT(SKY_STEP_PID) | BIT(SKY_STEP_TID) | BIT(SKY_STEP_TOUCH) | BIT(SKY_STEP_CLOSE))
/* Sequences before one call: what it takes is eight; an answer that couldn't be kept has no end. */
#define ROUNDS_MAX 16
#define NO_BUFFER_FREEBSD BIT(SKY_STEP_PID)
#define DESCRIPTOR_STEPS (BIT(SKY_STEP_STAT) | BIT(SKY_STEP_FLAGS) | BIT(SKY_STEP_SEEK) | \
			  BIT(SKY_STEP_NAME))
/* A text may go on in the next page. */
#define TOUCH_BYTES 8192

/* arch/x86/include/uapi/asm/stat.h */
struct guest_stat {
	u64 device, inode, links;
	u32 mode, user, group, padding;
	u64 special_device;
	s64 size;
	u64 rest[11];
};

/* False: it can't be asked. */
static bool put_question(struct sky_vcpu *sky, struct sky_insight *insight,
			 struct sky_question *question)
{
	u64 buffer = insight->buffer, name = buffer + NAME_PLACE, path;
	int fd = insight->fd;

	switch (insight->step) {
	case SKY_STEP_BUFFER:
		*question = (struct sky_question){9, {0, BUFFER_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, ~0ull, 0}};
		return true;
	case SKY_STEP_PID:
		question->number = 39;
		return true;
	case SKY_STEP_TID:
		question->number = 186;
		return true;
	case SKY_STEP_TOUCH:
		*question = (struct sky_question){28, {insight->content.touch, TOUCH_BYTES,
			MADV_POPULATE_READ}};
		return true;
	case SKY_STEP_CWD:
		*question = (struct sky_question){79, {name, NAME_BYTES}};
		return true;
	case SKY_STEP_EXE:
		if (!sky_put_path(sky, buffer, "/proc/self/exe", 0, &path))
			return false;
		*question = (struct sky_question){89, {path, name, NAME_BYTES}};
		return true;
	case SKY_STEP_STAT:
		*question = (struct sky_question){5, {fd, buffer}};
		return true;
	case SKY_STEP_FLAGS:
		*question = (struct sky_question){72, {fd, 3 /* F_GETFL */}};
		return true;
	case SKY_STEP_SEEK:
		*question = (struct sky_question){8, {fd, 0, 1 /* SEEK_CUR */}};
		return true;
	case SKY_STEP_NAME:
		if (!sky_put_path(sky, buffer, "/proc/self/fd/%d", fd, &path))
			return false;
		*question = (struct sky_question){89, {path, name, NAME_BYTES}};
		return true;
	default:
		return sky_content_question(sky, insight, question);
	}
}

void sky_tell_insight(struct sky_vcpu *sky, struct sky_process *process,
		      struct sky_insight *insight, u32 sums, u32 path)
{
	struct sky_insight_record record = insight->record;
	struct sky_part parts[] = {{sky->sums, sums * sizeof(u64)}, {sky->path, path}};

	record.sums = sums;
	record.path = path;
	sky_cpu_now(sky, &record.cpu, insight->stack, process->pid,
		    sky_thread_id(process, insight->fs_base));
	sky_record_put(sky, SKY_RECORD_INSIGHT, &record, sizeof(record), parts, ARRAY_SIZE(parts));
}

/* A path that the guest's kernel has written; to sky->path. */
static u32 take_name(struct sky_vcpu *sky, const struct sky_insight *insight, s64 result)
{
	if (result <= 0 || result > NAME_BYTES)
		return 0;
	return sky_read_user(sky, insight->buffer + NAME_PLACE, sky->path, result);
}

static void take_place(struct sky_vcpu *sky, struct sky_process *process,
		       struct sky_insight *insight, u32 number, s64 result)
{
	insight->record.number = number;
	insight->record.result = result;
	sky_tell_insight(sky, process, insight, 0, take_name(sky, insight, result));
}

static void take_number(struct sky_vcpu *sky, struct sky_process *process,
			struct sky_insight *insight, u32 number, s64 result)
{
	insight->record.number = number;
	insight->record.result = result;
	sky_tell_insight(sky, process, insight, 0, 0);
}

/* False: there is no more to be asked of this descriptor. */
static bool take_stat(struct sky_vcpu *sky, struct sky_process *process,
		      struct sky_insight *insight, s64 result)
{
	struct sky_insight_record *record = &insight->record;
	struct guest_stat stat;

	if (result == -EFAULT)
		process->unasked = true; /* the buffer is gone */
	record->number = 5;
	record->result = 0;
	if (sky_is_freebsd(sky->vm))
		return !result && sky_freebsd_status(sky, insight->buffer, record);
	if (result || sky_read_user(sky, insight->buffer, &stat, sizeof(stat)) != sizeof(stat))
		return false;
	record->device = stat.device;
	record->inode = stat.inode;
	record->links = stat.links;
	record->mode = stat.mode;
	record->size = stat.size;
	return true;
}

static bool take_answer(struct sky_vcpu *sky, struct sky_process *process,
			struct sky_insight *insight, s64 result)
{
	u32 bytes;

	if (sky_is_freebsd(sky->vm))
		result = sky_freebsd_answer(sky, insight, insight->buffer + NAME_PLACE, result);
	switch (insight->step) {
	case SKY_STEP_BUFFER:
		process->unasked = result <= 0;
		if (!process->unasked)
			insight->buffer = result;
		return !process->unasked;
	case SKY_STEP_PID:
		process->pid = result;
		if (process->host)
			sky_thread_told(process, insight->fs_base, result);
		sky_fork_seen(sky, process);
		take_number(sky, process, insight, 39, result);
		return true;
	case SKY_STEP_TID:
		sky_thread_told(process, insight->fs_base, result);
		take_number(sky, process, insight, 186, result);
		return true;
	case SKY_STEP_TOUCH:
		return true;
	case SKY_STEP_CWD:
		/* The system call counts the terminating zero. */
		take_place(sky, process, insight, 79, result > 0 ? result - 1 : result);
		return true;
	case SKY_STEP_EXE:
		take_place(sky, process, insight, 89, result);
		return true;
	case SKY_STEP_STAT:
		return take_stat(sky, process, insight, result);
	case SKY_STEP_FLAGS:
		insight->record.flags = result;
		return result >= 0;
	case SKY_STEP_SEEK:
		insight->record.offset = result < 0 ? 0 : result;
		insight->seeks = result >= 0;
		if (sky_is_freebsd(sky->vm)) { /* names are not asked for */
			sky_file_told(process, insight->fd, &insight->record, insight->seeks);
			sky_tell_insight(sky, process, insight, 0, 0);
		}
		return true;
	case SKY_STEP_NAME:
		bytes = take_name(sky, insight, result);
		if (!sky_file_told(process, insight->fd, &insight->record, insight->seeks))
			return true;
		sky_file_named(sky->vm, process, insight->fd, sky->path, bytes);
		sky_tell_insight(sky, process, insight, 0, bytes);
		return true;
	default:
		sky_content_answer(sky, process, insight, result);
		return true;
	}
}

static bool is_asked(const struct sky_rule *rule)
{
	return rule->fd && (rule->reads || rule->writes || rule->kind == SKY_RULE_FORGET ||
			    rule->kind == SKY_RULE_COPY || rule->kind == SKY_RULE_CLONE ||
			    rule->kind == SKY_RULE_TRUNCATE || rule->kind == SKY_RULE_MAP);
}

/*
 * A path in a page that the program hasn't touched yet, as those of its literals: the call
 * itself would bring it into memory next. Asked for once a call.
 */
static bool is_absent(struct sky_vcpu *sky, struct sky_call *call, u8 number)
{
	u64 address = number ? call->argument[number - 1] : 0;

	if (!address || call->content.touch ||
	    sky_read_text(sky, address, sky->path, SKY_PATH_BYTES) >= 0)
		return false;
	call->content.touch = address & PAGE_MASK;
	return true;
}

/* What is worth asking before this call, as a set of steps; *fd where it is about one. */
static u32 wanted(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call, int *fd)
{
	const struct sky_rule *rule = call->rule;
	struct sky_file *file;
	unsigned int i;

	/* A child of vfork() shares its parent's buffers: it is asked what needs none. */
	if (!process->pid)
		return BIT(SKY_STEP_PID) | (process->host ? 0 : BIT(SKY_STEP_TID));
	if (call->content.own_fd >= 0) /* of a sequence that was left */
		return BIT(SKY_STEP_CLOSE);
	if (is_absent(sky, call, rule->path) || is_absent(sky, call, rule->path2))
		return BIT(SKY_STEP_TOUCH);
	if (process->host)
		return 0;
	if (!sky_thread_id(process, call->fs_base) && sky_thread_room(process))
		return BIT(SKY_STEP_TID);
	if (!process->placed) {
		process->placed = true;
		return BIT(SKY_STEP_CWD) | BIT(SKY_STEP_EXE);
	}
	if (rule->kind == SKY_RULE_SUBMIT && sky_is_freebsd(sky->vm)) {
		*fd = sky_freebsd_untold(sky, process, call);
		return *fd < 0 ? 0 : DESCRIPTOR_STEPS;
	}
	for (i = 0; is_asked(rule) && i < 2; i++) {
		u8 number = i ? rule->fd2 : rule->fd;

		*fd = number ? (int)(u32)call->argument[number - 1] : -1;
		file = sky_file_at(process, *fd);
		if (*fd >= 0 && (file ? !file->told : sky_file_room(process)))
			return DESCRIPTOR_STEPS;
	}
	if (call->content.planned || (!rule->writes && rule->kind != SKY_RULE_COPY))
		return 0;
	*fd = (int)(u32)call->argument[rule->fd - 1];
	return sky_content_plan(sky, process, call);
}

static bool may_be_first(const struct sky_process *process, const struct sky_call *call)
{
	return READ_ONCE(insights) && !process->unasked && call->rule->kind != SKY_RULE_SIGRETURN &&
	       call->number != 219 /* restart_syscall */ &&
	       !(call->flags & (SKY_CALL_INT80 | SKY_CALL_COMPAT));
}

static bool may_ask(struct sky_vcpu *sky, const struct sky_process *process,
		    const struct sky_call *call)
{
	if (!may_be_first(process, call))
		return false;
	if (!process->strict)
		return true;
	sky_count(sky->vm, SKY_COUNT_insights_refused);
	return false;
}

void sky_set_registers(struct kvm_vcpu *vcpu, u64 number, const u64 *argument)
{
	kvm_rax_write(vcpu, number);
	kvm_rdi_write(vcpu, argument[0]);
	kvm_rsi_write(vcpu, argument[1]);
	kvm_rdx_write(vcpu, argument[2]);
	kvm_r10_write(vcpu, argument[3]);
	kvm_r8_write(vcpu, argument[4]);
	kvm_r9_write(vcpu, argument[5]);
}

void sky_insight_set(struct sky_process *process, struct sky_insight *insight,
		     enum sky_insight_state state)
{
	process->asks -= insight->state == SKY_INSIGHT_ASKS;
	process->insights -= insight->state != SKY_INSIGHT_FREE;
	insight->state = state;
	process->asks += state == SKY_INSIGHT_ASKS;
	process->insights += state != SKY_INSIGHT_FREE;
}

/* Linux leaves all arguments as they are; FreeBSD only what a function has to (rbx). */
static void put_cookie(struct sky_vcpu *sky, const struct sky_insight *insight,
		       struct sky_question *question)
{
	if (sky_is_freebsd(sky->vm))
		kvm_rbx_write(sky->vcpu, insight->cookie);
	else
		question->argument[COOKIE] = insight->cookie;
}

u64 sky_cookie(struct sky_vcpu *sky)
{
	return sky_is_freebsd(sky->vm) ? kvm_rbx_read(sky->vcpu) : kvm_r8_read(sky->vcpu);
}

/* Puts the next question of the sequence. False: there is none left. */
static bool ask_next(struct sky_vcpu *sky, struct sky_process *process, struct sky_insight *insight)
{
	struct sky_question question = {};

	while (insight->steps) {
		insight->step = __ffs(insight->steps);
		insight->steps &= insight->steps - 1;
		if (put_question(sky, insight, &question) &&
		    (!sky_is_freebsd(sky->vm) || sky_freebsd_question(sky, insight, &question))) {
			put_cookie(sky, insight, &question);
			sky_set_registers(sky->vcpu, question.number, question.argument);
			sky_insight_set(process, insight, SKY_INSIGHT_ASKS);
			sky_count(sky->vm, SKY_COUNT_insights);
			return true;
		}
	}
	return false;
}

/* A descriptor that gave no answer isn't asked again until it is opened anew. */
static void sequence_failed(struct sky_process *process, struct sky_insight *insight)
{
	if (insight->step <= SKY_STEP_NAME && insight->fd >= 0)
		sky_file_told(process, insight->fd, NULL, false);
	insight->steps = 0;
}

bool sky_insight_take(struct sky_vcpu *sky, struct sky_process *process,
		      struct sky_insight *insight, s64 result)
{
	bool goes_on = take_answer(sky, process, insight, result);

	if (!goes_on)
		sequence_failed(process, insight);
	return goes_on;
}

static bool waits(const struct sky_insight *insight)
{
	return insight->state == SKY_INSIGHT_ASKS || insight->state == SKY_INSIGHT_LEFT;
}

static bool is_at(const struct sky_insight *insight, u64 stack, u64 fs_base, u64 rip)
{
	return insight->stack == stack && insight->fs_base == fs_base && insight->rip == rip;
}

/*
 * A thread comes by a place where it was asked: it is back from the insight-call if
 * it has that one's registers. It may come late, out of a signal handler, or never.
 */
static struct sky_insight *comes_back(struct sky_vcpu *sky, struct sky_process *process, u64 stack,
				      u64 rip, bool at_return)
{
	u64 fs_base = sky_fs_base(sky->vcpu);
	struct sky_insight *insight;
	unsigned int i;

	for (i = 0; i < sky_insight_places(process); i++) {
		insight = process->insight + i;
		if (waits(insight) && insight->at_return == at_return &&
		    is_at(insight, stack, fs_base, rip) &&
		    sky_cookie(sky) == insight->cookie)
			return insight;
	}
	return NULL;
}

bool sky_insight_returns(const struct sky_process *process, const struct sky_cpu *cpu, u64 rip)
{
	unsigned int i;

	for (i = 0; i < sky_insight_places(process); i++)
		if (waits(process->insight + i) && !process->insight[i].at_return &&
		    is_at(process->insight + i, cpu->stack, cpu->fs_base, rip))
			return true;
	return false;
}

static void give_back(struct sky_vcpu *sky, const struct sky_insight *insight)
{
	sky_set_registers(sky->vcpu, insight->rax, insight->argument);
	if (sky_is_freebsd(sky->vm))
		kvm_rbx_write(sky->vcpu, insight->rbx);
}

/* How well it can be spared; 0: not at all. */
static unsigned int spare(const struct sky_insight *insight)
{
	if (insight->state == SKY_INSIGHT_FREE)
		return 3;
	if (insight->state == SKY_INSIGHT_PAUSES && insight->content.own_fd < 0)
		return 2; /* what it knows so far will be asked again */
	return insight->state == SKY_INSIGHT_LEFT && insight->content.own_fd < 0;
}

static void slot_release(struct sky_process *process, struct sky_insight *insight)
{
	sky_content_free(&insight->content);
	if (insight->after)
		sky_call_free(insight->after);
	insight->after = NULL;
	sky_insight_set(process, insight, SKY_INSIGHT_FREE);
}

static struct sky_insight *slot_free(struct sky_vcpu *sky, struct sky_process *process)
{
	struct sky_insight *best = process->insight;
	unsigned int i;

	for (i = 1; i < SKY_INSIGHTS; i++)
		if (spare(process->insight + i) > spare(best))
			best = process->insight + i;
	if (spare(best)) {
		slot_release(process, best);
		return best;
	}
	sky_count(sky->vm, SKY_COUNT_insights_busy);
	return NULL;
}

/* The registers are those that the thread is to have when the sequence is through. */
static void sequence_begin(struct sky_vcpu *sky, struct sky_insight *insight, u32 steps, int fd)
{
	struct kvm_vcpu *vcpu = sky->vcpu;

	insight->seeks = false;
	insight->resumes = false;
	insight->frame = 0;
	insight->cookie = get_random_u64();
	insight->fs_base = sky_fs_base(vcpu);
	insight->rax = kvm_rax_read(vcpu);
	insight->rbx = kvm_rbx_read(vcpu);
	insight->argument[0] = kvm_rdi_read(vcpu);
	insight->argument[1] = kvm_rsi_read(vcpu);
	insight->argument[2] = kvm_rdx_read(vcpu);
	insight->argument[3] = kvm_r10_read(vcpu);
	insight->argument[4] = kvm_r8_read(vcpu);
	insight->argument[5] = kvm_r9_read(vcpu);
	insight->rcx = kvm_rcx_read(vcpu);
	insight->r11 = kvm_r11_read(vcpu);
	insight->steps = steps;
	if (!insight->buffer &&
	    steps & ~(sky_is_freebsd(sky->vm) ? NO_BUFFER_FREEBSD : NO_BUFFER))
		insight->steps |= BIT(SKY_STEP_BUFFER);
	insight->fd = fd;
	insight->record = (struct sky_insight_record){
		.fd = steps & BIT(SKY_STEP_STAT) ? fd : -1, .file_offset = SKY_OFFSET_UNKNOWN};
}

/* The thread has its own registers again; the rest of the entry goes by them, too. */
static void sequence_ends(struct sky_vcpu *sky, struct sky_insight *insight, struct sky_call *call)
{
	give_back(sky, insight);
	call->raw_number = insight->rax;
	memcpy(call->raw_argument, insight->argument, sizeof(call->raw_argument));
	sky_call_read(sky, call);
	call->content = insight->content;
	insight->content.copy = NULL;
}

void sky_insight_done(struct sky_process *process, const struct sky_call *call)
{
	unsigned int i;

	for (i = 0; i < sky_insight_places(process); i++)
		if (process->insight[i].state == SKY_INSIGHT_HELD &&
		    process->insight[i].stack == call->stack &&
		    process->insight[i].fs_base == call->fs_base)
			sky_insight_set(process, process->insight + i, SKY_INSIGHT_FREE);
}

/* Puts all that is worth it; true: a question is put. */
static bool ask_all(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call,
		    struct sky_insight **slot)
{
	int fd = -1;
	u32 steps;

	while (may_ask(sky, process, call)) {
		steps = wanted(sky, process, call, &fd);
		if (!steps)
			return false;
		if (call->content.rounds++ >= ROUNDS_MAX) {
			sky_count(sky->vm, SKY_COUNT_insights_given_up);
			return false;
		}
		if (!*slot)
			*slot = slot_free(sky, process);
		if (!*slot)
			return false;
		(*slot)->stack = call->stack;
		(*slot)->rip = call->rip;
		(*slot)->content = call->content;
		(*slot)->at_return = false;
		sequence_begin(sky, *slot, steps, fd);
		if (ask_next(sky, process, *slot))
			return true;
		sequence_failed(process, *slot);
		(*slot)->content.copy = NULL; /* it is the call's */
	}
	return false;
}

/* The thread took its time: what was learnt before is not worth anything any more. */
static void forget_left(struct sky_insight *insight, const struct sky_call *call)
{
	int own_fd = insight->content.own_fd;

	insight->steps = 0;
	sky_content_free(&insight->content);
	insight->content = call->content;
	insight->content.own_fd = own_fd;
}

bool sky_insight(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call)
{
	struct sky_insight *insight = comes_back(sky, process, call->stack, call->rip, false);

	if (insight)
		sky_insight_take(sky, process, insight,
				 sky_result(sky, kvm_get_rflags(sky->vcpu)));
	else
		insight = sky_insight_resumes(sky, process, call);
	if (insight) {
		if (insight->state == SKY_INSIGHT_LEFT)
			forget_left(insight, call);
		if (ask_next(sky, process, insight))
			return true;
		sequence_ends(sky, insight, call);
	} else {
		sky_insights_over(sky, process, call,
				  !process->strict && may_be_first(process, call));
	}
	if (ask_all(sky, process, call, &insight))
		return true;
	if (insight)
		sky_insight_set(process, insight, SKY_INSIGHT_HELD);
	return false;
}

bool sky_insight_after(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call,
		       u64 rip)
{
	struct sky_insight *insight;
	u32 steps;

	/* FreeBSD's would leave its own carry flag to the call. */
	if (!may_ask(sky, process, call) || process->host || sky_is_freebsd(sky->vm))
		return false;
	steps = sky_content_plan_read(process, call, kvm_rax_read(sky->vcpu));
	insight = steps ? slot_free(sky, process) : NULL;
	if (!insight)
		return false;
	insight->stack = call->stack;
	insight->rip = rip;
	insight->content = call->content;
	insight->at_return = true;
	sequence_begin(sky, insight, steps, call->content.fd);
	if (!ask_next(sky, process, insight))
		return false;
	insight->after = call;
	return true;
}

bool sky_insight_answered(struct sky_vcpu *sky, struct sky_process *process, u64 rip, u64 stack,
			  bool may_ask, struct sky_call **call)
{
	struct sky_insight *insight = comes_back(sky, process, stack, rip, true);

	if (!insight)
		return false;
	if (insight->state == SKY_INSIGHT_LEFT) { /* its call was told of by then */
		give_back(sky, insight);
		sky_insight_set(process, insight, SKY_INSIGHT_FREE);
		return false;
	}
	sky_insight_take(sky, process, insight, kvm_rax_read(sky->vcpu));
	if (may_ask && ask_next(sky, process, insight))
		return true;
	give_back(sky, insight);
	*call = sky_insight_kept(process, insight);
	return false;
}

struct sky_call *sky_insight_kept(struct sky_process *process, struct sky_insight *insight)
{
	struct sky_call *call = insight->after;

	call->content = insight->content;
	insight->after = NULL;
	sky_insight_set(process, insight, SKY_INSIGHT_HELD);
	return call;
}

void sky_insight_unmapped(struct sky_process *process, u64 address, u64 bytes)
{
	struct sky_insight *insight;
	unsigned int i;

	for (i = 0; i < SKY_INSIGHTS; i++) {
		insight = process->insight + i;
		if (address < insight->buffer + BUFFER_BYTES && insight->buffer < address + bytes)
			insight->buffer = 0;
	}
}

void sky_insight_closed(struct sky_process *process, u32 first, u32 last)
{
	struct sky_content *content;
	unsigned int i;

	for (i = 0; i < SKY_INSIGHTS; i++) {
		content = &process->insight[i].content;
		if (content->own_fd >= 0 && content->own_fd >= first && content->own_fd <= last)
			content->own_fd = -1;
	}
}

bool sky_insights_wait(const struct sky_process *process)
{
	const struct sky_process *guest;

	if (process->asks)
		return true;
	list_for_each_entry(guest, &process->guests, of_host)
		if (sky_insights_wait(guest))
			return true;
	return false;
}

void sky_insight_thread_gone(struct sky_process *process, u64 fs_base)
{
	unsigned int i;

	for (i = 0; i < SKY_INSIGHTS; i++)
		if (process->insight[i].fs_base == fs_base)
			slot_release(process, process->insight + i);
}

void sky_insight_buffers(struct sky_process *child, const struct sky_process *parent)
{
	unsigned int i;

	for (i = 0; i < SKY_INSIGHTS; i++)
		child->insight[i].buffer = parent->insight[i].buffer;
}

void sky_insights_free(struct sky_process *process)
{
	unsigned int i;

	for (i = 0; i < SKY_INSIGHTS; i++) {
		slot_release(process, process->insight + i);
		process->insight[i] = (struct sky_insight){};
	}
}
