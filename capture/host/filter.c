/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seccomp filter of traced programs: only the calls of host_calls[] stop
 * for the tracer, all others run at full speed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/host/calls_host.h"

/* The kernel looks at the low half of `unsigned int` arguments only. */
#define LOW_HALF UINT32_MAX

static int trace_call(scmp_filter_ctx filter, int number)
{
	return seccomp_rule_add(filter, SCMP_ACT_TRACE(0), number, 0);
}

static int trace_values(scmp_filter_ctx filter, int number, unsigned argument,
			const uint64_t *values, unsigned count)
{
	int error = 0;

	for (unsigned i = 0; i < count && !error; i++)
		error = seccomp_rule_add(
			filter, SCMP_ACT_TRACE(0), number, 1,
			SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, LOW_HALF, values[i]));
	return error;
}

static int trace_by_rule(scmp_filter_ctx filter, int number, enum stop_rule rule)
{
	static const uint64_t clones[] = {FICLONE, FICLONERANGE, FIDEDUPERANGE};
	static const uint64_t duplicates[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_SETFD, F_SETFL};

	switch (rule) {
	case STOP_NEVER:
		return 0;
	case STOP_ALWAYS:
		return trace_call(filter, number);
	case STOP_FILE_MAPPINGS:
		return seccomp_rule_add(filter, SCMP_ACT_TRACE(0), number, 1,
					SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
	case STOP_CLONES:
		return trace_values(filter, number, 1, clones, 3);
	case STOP_DUPLICATES:
		return trace_values(filter, number, 1, duplicates, 4);
	}
	return -EINVAL;
}

static int set_attributes(scmp_filter_ctx filter)
{
	int error;

	/* Calls of 32-bit programs come to the tracer, too: it counts them. */
	error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRACE(0));
	if (error)
		return error;
	/* Root needs no "no new privileges", so that set-user-id programs work as ever. */
	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, geteuid() != 0);
	if (error)
		return error;
	/* The program is slowed down no more than it is without a filter. */
	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	if (error)
		return error;
	return seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
}

int filter_load(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int error;

	if (!filter)
		return -ENOMEM;
	error = set_attributes(filter);
	for (int call = 0; call < CALL_COUNT && !error; call++)
		error = trace_by_rule(filter, call_number(ABI_LINUX64, call),
				      host_calls[call].stop);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}
