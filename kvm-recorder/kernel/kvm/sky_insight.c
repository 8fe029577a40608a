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
 * and none is put before restart_syscall.
 *
 * Answers that are structures need memory: 8192 bytes that the first
 * insight-call of a program maps. Nothing else of the guest's state changes.
 * A process under seccomp might be killed for a call it doesn't make, and a
 * tracer would see it: neither is asked anything.
 */
#include <linux/module.h>
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
#define PATH_PLACE   2048 /* ... and what a link is called here */
/* A question whose thread hasn't come back by then was lost to a signal handler. */
#define ANSWER_NS NSEC_PER_SEC

enum step { STEP_BUFFER, STEP_PID, STEP_TID, STEP_CWD, STEP_EXE, STEP_STAT, STEP_FLAGS, STEP_SEEK,
	    STEP_NAME, STEP_COUNT };

/* arch/x86/include/uapi/asm/stat.h */
struct guest_stat {
	u64 device, inode, links;
	u32 mode, user, group, padding;
	u64 special_device;
	s64 size;
	u64 rest[11];
};

struct question {
	u32 number;
	u64 argument[6];
};

/* Of /proc/self, as the text that readlink is to be given. */
static bool put_path(struct sky_vcpu *sky, const struct sky_process *process, const char *format,
		     int fd)
{
	char path[32];
	int bytes = snprintf(path, sizeof(path), format, fd) + 1;

	return sky_write_user(sky, process->buffer + PATH_PLACE, path, bytes) == bytes;
}

/* False: it can't be asked. */
static bool put_question(struct sky_vcpu *sky, const struct sky_process *process, int fd,
			 enum step step, struct question *question)
{
	u64 buffer = process->buffer, name = buffer + NAME_PLACE;

	switch (step) {
	case STEP_BUFFER:
		*question = (struct question){9, {0, BUFFER_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, ~0ull, 0}};
		return true;
	case STEP_PID:
		question->number = 39;
		return true;
	case STEP_TID:
		question->number = 186;
		return true;
	case STEP_CWD:
		*question = (struct question){79, {name, NAME_BYTES}};
		return true;
	case STEP_EXE:
		*question = (struct question){89, {buffer + PATH_PLACE, name, NAME_BYTES}};
		return put_path(sky, process, "/proc/self/exe", 0);
	case STEP_STAT:
		*question = (struct question){5, {fd, buffer}};
		return true;
	case STEP_FLAGS:
		*question = (struct question){72, {fd, 3 /* F_GETFL */}};
		return true;
	case STEP_SEEK:
		*question = (struct question){8, {fd, 0, 1 /* SEEK_CUR */}};
		return true;
	case STEP_NAME:
		*question = (struct question){89, {buffer + PATH_PLACE, name, NAME_BYTES}};
		return put_path(sky, process, "/proc/self/fd/%d", fd);
	default:
		return false;
	}
}

static void tell(struct sky_vcpu *sky, const struct sky_process *process, u32 path)
{
	struct sky_insight_record record = process->insight.record;
	struct sky_part part = {sky->path, path};

	record.path = path;
	sky_cpu_now(sky, &record.cpu, process->insight.stack, process->pid,
		    sky_thread_id(process, process->insight.fs_base));
	sky_record_put(sky, SKY_RECORD_INSIGHT, &record, sizeof(record), &part, 1);
}

/* A path that the guest's kernel has written; to sky->path. */
static u32 take_name(struct sky_vcpu *sky, const struct sky_process *process, s64 result)
{
	if (result <= 0 || result > NAME_BYTES)
		return 0;
	return sky_read_user(sky, process->buffer + NAME_PLACE, sky->path, result);
}

static void take_place(struct sky_vcpu *sky, struct sky_process *process, u32 number, s64 result)
{
	process->insight.record.number = number;
	process->insight.record.result = result;
	tell(sky, process, take_name(sky, process, result));
}

static void take_number(struct sky_vcpu *sky, struct sky_process *process, u32 number, s64 result)
{
	process->insight.record.number = number;
	process->insight.record.result = result;
	tell(sky, process, 0);
}

/* False: there is no more to be asked of this descriptor. */
static bool take_stat(struct sky_vcpu *sky, struct sky_process *process, s64 result)
{
	struct sky_insight_record *record = &process->insight.record;
	struct guest_stat stat;

	if (result == -EFAULT)
		process->unasked = true; /* the buffer is gone */
	if (result || sky_read_user(sky, process->buffer, &stat, sizeof(stat)) != sizeof(stat))
		return false;
	record->number = 5;
	record->result = 0;
	record->device = stat.device;
	record->inode = stat.inode;
	record->links = stat.links;
	record->mode = stat.mode;
	record->size = stat.size;
	return true;
}

/* The answer that the process has come back with; false: the sequence ends with it. */
static bool take_answer(struct sky_vcpu *sky, struct sky_process *process, enum step step,
			s64 result)
{
	struct sky_insight *insight = &process->insight;
	u32 bytes;

	switch (step) {
	case STEP_BUFFER:
		process->buffer = result;
		process->unasked = result <= 0;
		return !process->unasked;
	case STEP_PID:
		process->pid = result;
		if (process->host)
			sky_thread_told(process, insight->fs_base, result);
		sky_fork_seen(sky, process);
		take_number(sky, process, 39, result);
		return true;
	case STEP_TID:
		sky_thread_told(process, insight->fs_base, result);
		take_number(sky, process, 186, result);
		return true;
	case STEP_CWD:
		/* The system call counts the terminating zero. */
		take_place(sky, process, 79, result > 0 ? result - 1 : result);
		return true;
	case STEP_EXE:
		take_place(sky, process, 89, result);
		return true;
	case STEP_STAT:
		return take_stat(sky, process, result);
	case STEP_FLAGS:
		insight->record.flags = result;
		return result >= 0;
	case STEP_SEEK:
		insight->record.offset = result < 0 ? 0 : result;
		insight->seeks = result >= 0;
		return true;
	case STEP_NAME:
		bytes = take_name(sky, process, result);
		sky_file_told(process, insight->fd, &insight->record, insight->seeks);
		sky_file_named(sky->vm, process, insight->fd, sky->path, bytes);
		tell(sky, process, bytes);
		return true;
	default:
		return false;
	}
}

static bool is_asked(const struct sky_rule *rule)
{
	return rule->fd && (rule->reads || rule->writes || rule->kind == SKY_RULE_FORGET ||
			    rule->kind == SKY_RULE_TRUNCATE || rule->kind == SKY_RULE_MAP);
}

/* What is worth asking before this call, as a set of steps; *fd where it is about one. */
static u32 wanted(struct sky_process *process, const struct sky_call *call, int *fd)
{
	const struct sky_rule *rule = call->rule;
	u32 steps = process->buffer ? 0 : BIT(STEP_BUFFER);
	struct sky_file *file;
	unsigned int i;

	/* A child of vfork() shares its parent's buffer: it is asked what needs none. */
	if (process->host)
		return process->pid ? 0 : BIT(STEP_PID);
	if (!process->pid)
		return BIT(STEP_PID) | BIT(STEP_TID);
	if (!sky_thread_id(process, call->fs_base) && sky_thread_room(process))
		return BIT(STEP_TID);
	if (!process->placed) {
		process->placed = true;
		return steps | BIT(STEP_CWD) | BIT(STEP_EXE);
	}
	for (i = 0; is_asked(rule) && i < 2; i++) {
		u8 number = i ? rule->fd2 : rule->fd;

		*fd = number ? (int)(u32)call->argument[number - 1] : -1;
		file = sky_file_at(process, *fd);
		if (*fd >= 0 && (file ? !file->told : sky_file_room(process)))
			return steps | BIT(STEP_STAT) | BIT(STEP_FLAGS) | BIT(STEP_SEEK) |
			       BIT(STEP_NAME);
	}
	return 0;
}

static bool may_ask(struct sky_vcpu *sky, const struct sky_process *process,
		    const struct sky_call *call)
{
	if (!READ_ONCE(insights) || process->unasked || call->number == 219 /* restart_syscall */ ||
	    call->flags & (SKY_CALL_INT80 | SKY_CALL_COMPAT) ||
	    call->rule->kind == SKY_RULE_SIGRETURN)
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

/* Puts the next question of the sequence. False: there is none left. */
static bool ask_next(struct sky_vcpu *sky, struct sky_process *process)
{
	struct sky_insight *insight = &process->insight;
	struct question question = {};

	while (insight->steps) {
		insight->step = __ffs(insight->steps);
		insight->steps &= insight->steps - 1;
		if (put_question(sky, process, insight->fd, insight->step, &question)) {
			sky_set_registers(sky->vcpu, question.number, question.argument);
			insight->since_ns = sky->begun_ns;
			sky_count(sky->vm, SKY_COUNT_insights);
			return true;
		}
	}
	return false;
}

/* A descriptor that gave no answer isn't asked again until it is opened anew. */
static void sequence_failed(struct sky_process *process)
{
	process->insight.steps = 0;
	if (process->insight.fd >= 0)
		sky_file_told(process, process->insight.fd, NULL, false);
}

static bool comes_back(const struct sky_insight *insight, const struct sky_call *call)
{
	return insight->stack == call->stack && insight->fs_base == call->fs_base &&
	       insight->rip == call->rip;
}

bool sky_insight_returns(const struct sky_process *process, const struct sky_cpu *cpu, u64 rip)
{
	const struct sky_insight *insight = &process->insight;

	return insight->active && insight->rip == rip && insight->stack == cpu->stack &&
	       insight->fs_base == cpu->fs_base;
}

/* The registers as the process had them; the rest of the entry goes by them, too. */
static void give_back(struct sky_vcpu *sky, const struct sky_insight *insight,
		      struct sky_call *call)
{
	sky_set_registers(sky->vcpu, insight->rax, insight->argument);
	call->number = insight->rax;
	memcpy(call->argument, insight->argument, sizeof(call->argument));
	call->rule = sky_rule_of(call);
}

static void sequence_begin(struct sky_vcpu *sky, struct sky_process *process,
			   const struct sky_call *call, u32 steps, int fd)
{
	process->insight = (struct sky_insight){
		.active = true,
		.stack = call->stack,
		.fs_base = call->fs_base,
		.rip = call->rip,
		.rax = kvm_rax_read(sky->vcpu),
		.steps = steps,
		.fd = steps & BIT(STEP_STAT) ? fd : -1,
		.record = {.fd = fd, .file_offset = SKY_OFFSET_UNKNOWN},
	};
	memcpy(process->insight.argument, call->argument, sizeof(call->argument));
}

bool sky_insight(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call)
{
	struct sky_insight *insight = &process->insight;
	int fd = -1;
	u32 steps;

	if (insight->active && comes_back(insight, call)) {
		if (!take_answer(sky, process, insight->step, kvm_rax_read(sky->vcpu)))
			sequence_failed(process);
		if (ask_next(sky, process))
			return true;
		give_back(sky, insight, call);
		insight->active = false;
	} else if (insight->active && sky_passed_ns(sky, insight->since_ns) > ANSWER_NS) {
		sky_owe(sky->vm, process);
		insight->active = false;
	} else if (insight->active) {
		return false; /* another thread's turn */
	}
	if (!may_ask(sky, process, call))
		return false;
	steps = wanted(process, call, &fd);
	if (!steps)
		return false;
	sequence_begin(sky, process, call, steps, fd);
	insight->active = ask_next(sky, process);
	return insight->active;
}
