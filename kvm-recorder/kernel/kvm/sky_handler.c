// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Signals' handlers that begin in the midst of insight-calls.
 *
 * A handler is told of the registers that there were (its ucontext), and Linux puts that
 * on the stack right before it returns to the handler's beginning. An insight-call's would be
 * among them: so its answer is taken from there, and those of the call that the thread is
 * about to make are put in their place, as they would be had the signal come a moment
 * sooner. When the handler returns the thread makes its call, and the sequence goes on before
 * it. Where the handler jumps elsewhere nothing is owed to the thread.
 *
 * A handler whose beginning isn't seen, or whose frame isn't in memory, is shown the
 * insight-call's registers. The thread may come back with them, whenever that is, so such
 * a sequence is kept as long as there is room.
 *
 * That a sequence is over shows when the thread makes a call from where its own stack was, or
 * above. What was opened for it is closed then, before that call.
 */
#include "kvm_cache_regs.h"
#include "sky_kvm.h"

/* Of signals that come at once each handler's frame has the beginning of the one before. */
#define FRAMES_MAX 8

/*
 * What handlers of 64-bit programs get as their third argument: struct ucontext, up to where
 * the program goes on (arch/x86/include/uapi/asm/ucontext.h, sigcontext.h).
 */
struct context {
	u64 head[5];
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
};

/* The handler's stack begins with the address that it returns to, and then its context. */
#define CONTEXT_AT(stack) ((stack) + sizeof(u64))

/* The one whose insight-call's registers these are; NULL. */
static struct sky_insight *asked(struct sky_process *process, u64 fs_base,
				 const struct context *context)
{
	struct sky_insight *insight;
	unsigned int i;

	for (i = 0; i < sky_insight_places(process); i++) {
		insight = process->insight + i;
		if (insight->state == SKY_INSIGHT_ASKS && insight->fs_base == fs_base &&
		    insight->rip == context->rip && insight->stack == context->rsp &&
		    insight->cookie == context->r8)
			return insight;
	}
	return NULL;
}

static void put_own(struct context *context, const struct sky_insight *insight)
{
	context->rax = insight->rax;
	context->rdi = insight->argument[0];
	context->rsi = insight->argument[1];
	context->rdx = insight->argument[2];
	context->r10 = insight->argument[3];
	context->r8 = insight->argument[4];
	context->r9 = insight->argument[5];
	context->rcx = insight->rcx;
	context->r11 = insight->r11;
}

/* All or nothing: what is there already can be written, or nothing is. */
static bool write_context(struct sky_vcpu *sky, u64 at, const struct context *old,
			  const struct context *new)
{
	return sky_write_user(sky, at, old, sizeof(*old)) == sizeof(*old) &&
	       sky_write_user(sky, at, new, sizeof(*new)) == sizeof(*new);
}

/* Where its context is, which is read; 0: it is not there, or none is. */
static u64 find_context(struct sky_vcpu *sky, struct sky_process *process, u64 stack,
			struct context *context, struct sky_insight **insight)
{
	u64 fs_base = sky_fs_base(sky->vcpu), at;
	unsigned int left = FRAMES_MAX;

	*context = (struct context){.rsp = stack, .rdx = kvm_rdx_read(sky->vcpu)};
	while (left-- && context->rdx == CONTEXT_AT(context->rsp)) {
		at = context->rdx;
		if (sky_read_user(sky, at, context, sizeof(*context)) != sizeof(*context)) {
			sky_count(sky->vm, SKY_COUNT_handlers_unreached);
			return 0;
		}
		*insight = asked(process, fs_base, context);
		if (*insight)
			return at;
	}
	return 0;
}

struct sky_call *sky_insight_interrupted(struct sky_vcpu *sky, struct sky_process *process,
					 u64 stack, s64 *result)
{
	struct sky_insight *insight;
	struct context context, own;
	u64 at = process->asks ? find_context(sky, process, stack, &context, &insight) : 0;

	if (!at)
		return NULL;
	own = context;
	put_own(&own, insight);
	if (!write_context(sky, at, &context, &own)) {
		sky_count(sky->vm, SKY_COUNT_handlers_unreached);
		return NULL;
	}
	sky_count(sky->vm, SKY_COUNT_handlers);
	sky_insight_take(sky, process, insight, context.rax);
	if (insight->at_return) {
		*result = insight->rax;
		return sky_insight_kept(process, insight);
	}
	insight->frame = at;
	sky_insight_set(process, insight, SKY_INSIGHT_PAUSES);
	return NULL;
}

static bool is_call_of(const struct sky_insight *insight, const struct sky_call *call, u64 rax)
{
	return insight->stack == call->stack && insight->fs_base == call->fs_base &&
	       insight->rip == call->rip && insight->rax == rax &&
	       !memcmp(insight->argument, call->raw_argument, sizeof(call->raw_argument));
}

struct sky_insight *sky_insight_resumes(struct sky_vcpu *sky, struct sky_process *process,
					const struct sky_call *call)
{
	struct sky_insight *insight;
	unsigned int i;

	for (i = 0; i < sky_insight_places(process); i++) {
		insight = process->insight + i;
		if (insight->state == SKY_INSIGHT_PAUSES && insight->resumes &&
		    is_call_of(insight, call, kvm_rax_read(sky->vcpu)))
			return insight;
	}
	return NULL;
}

/* Nobody can have closed it unseen. */
static bool is_own(const struct sky_process *process)
{
	unsigned int i;

	for (i = 0; i < process->ring_count; i++)
		if (process->rings[i].uring)
			return false;
	return process->files->references == 1;
}

/* What it has opened is closed before the call, one descriptor a call. False: not this one. */
static bool descriptor_goes(struct sky_vcpu *sky, const struct sky_process *process,
			    struct sky_insight *insight, struct sky_call *call, bool may_ask)
{
	int *own_fd = &insight->content.own_fd;

	bool closes = may_ask && is_own(process);

	if (*own_fd < 0)
		return true;
	if (closes && call->content.own_fd >= 0)
		return false;
	if (closes)
		call->content.own_fd = *own_fd;
	else
		sky_count(sky->vm, SKY_COUNT_descriptors_left);
	*own_fd = -1;
	return true;
}

static void over(struct sky_vcpu *sky, struct sky_process *process, struct sky_insight *insight,
		 struct sky_call *call, bool may_ask)
{
	if (insight->state != SKY_INSIGHT_LEFT) {
		sky_count(sky->vm, SKY_COUNT_insights_left);
		/* Signals that come as often as answers must not keep it from its call. */
		if (is_call_of(insight, call, kvm_rax_read(sky->vcpu)))
			call->content.planned = true;
	}
	if (insight->after)
		sky_call_left(sky, insight->after, insight->rax);
	insight->after = NULL;
	sky_content_free(&insight->content);
	if (insight->state == SKY_INSIGHT_ASKS)
		sky_insight_set(process, insight, SKY_INSIGHT_LEFT);
	if (descriptor_goes(sky, process, insight, call, may_ask) &&
	    insight->state == SKY_INSIGHT_PAUSES)
		sky_insight_set(process, insight, SKY_INSIGHT_FREE);
}

void sky_insights_over(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call,
		       bool may_ask)
{
	struct sky_insight *insight;
	unsigned int i;

	for (i = 0; i < sky_insight_places(process); i++) {
		insight = process->insight + i;
		if (insight->fs_base != call->fs_base || insight->state == SKY_INSIGHT_FREE ||
		    insight->state == SKY_INSIGHT_HELD)
			continue;
		if (call->rule->kind == SKY_RULE_SIGRETURN && call->stack == insight->frame)
			insight->resumes = true;
		else if (call->rule->kind != SKY_RULE_SIGRETURN &&
			 call->stack >= max(insight->stack, insight->frame))
			over(sky, process, insight, call, may_ask);
	}
}
