/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * skyrun: asks the recorder on the host, by a hypercall, to record this process,
 * and becomes the command. Nothing else of the guest is recorded.
 */
#include <argp.h>
#include <cpuid.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm-recorder/kernel/sky_hypercall.h"

#define STATUS_FAILED	   1
#define STATUS_WRONG_USAGE 2
#define STATUS_NOT_RUN	   126 /* as the shell and env(1) have it */
#define STATUS_NOT_FOUND   127

/* argp's own variable, which it must be able to see. */
__attribute__((visibility("default"))) const char *argp_program_version = "skyrun " SKYRUN_VERSION;

static sigjmp_buf without_hypervisor;

static void on_fault(int signal)
{
	siglongjmp(without_hypervisor, signal);
}

/* AMD's instruction, which Hygon has too, or Intel's. */
static int wants_vmmcall(void)
{
	unsigned leaf, b, c, d;

	if (!__get_cpuid(0, &leaf, &b, &c, &d))
		return 0;
	return b == signature_AMD_ebx || b == 0x6f677948; /* "Hygo" */
}

/* 0 or -errno; -EPERM where nobody knows the call. */
static long ask(enum sky_ask what)
{
	const struct sigaction action = {.sa_handler = on_fault};
	struct sigaction ill, segv;
	volatile long result = -EPERM;
	long rax = SKY_HYPERCALL, rbx = what, pid = getpid(), tid = gettid();

	sigaction(SIGILL, &action, &ill);
	sigaction(SIGSEGV, &action, &segv);
	if (!sigsetjmp(without_hypervisor, 1)) {
		if (wants_vmmcall())
			__asm__ volatile("vmmcall"
					 : "+a"(rax)
					 : "b"(rbx), "c"(pid), "d"(tid)
					 : "memory");
		else
			__asm__ volatile("vmcall"
					 : "+a"(rax)
					 : "b"(rbx), "c"(pid), "d"(tid)
					 : "memory");
		result = rax;
	}
	sigaction(SIGILL, &ill, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return result;
}

static const char *reason(long result)
{
	switch (result) {
	case -EPERM:
		return "there is no Sky below this machine; load its KVM on the host";
	case -EAGAIN:
		return "nobody records this machine; start `sky record --kvm` on the host first";
	case -ENOSPC:
		return "too many processes are recorded; wait until some have ended";
	default:
		return strerror(-result);
	}
}

static error_t take_option(int key, char *value, struct argp_state *state)
{
	char ***command = state->input;

	switch (key) {
	case ARGP_KEY_ARGS:
		*command = state->argv + state->next; /* ends with a NULL, as exec wants it */
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "No command; name one that is to be recorded");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = take_option,
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = "Runs COMMAND so that `sky record --kvm` on the host of this virtual machine "
	       "records its system calls, and those of its children."
	       "\vThe exit status is COMMAND's; 1 if it can't be recorded, and then it isn't run; "
	       "126 or 127 if it can't be run.",
};

int main(int argc, char **argv)
{
	char **command = NULL;
	long result;

	argp_err_exit_status = STATUS_WRONG_USAGE;
	/* in order: what follows COMMAND is COMMAND's */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &command);
	result = ask(SKY_ASK_BEGIN);
	if (result) {
		fprintf(stderr, "skyrun: %s can't be recorded: %s\n", *command, reason(result));
		return STATUS_FAILED;
	}
	execvp(*command, command);
	fprintf(stderr, "skyrun: %s can't be run: %s; check the path\n", *command, strerror(errno));
	return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
}
