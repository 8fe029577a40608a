/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * skyrun: asks the recorder on the host, by a hypercall or over vsock, to record
 * this process, and becomes the command. Nothing else of the guest is recorded.
 */
#include <argp.h>
#include <cpuid.h>
#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kvm-recorder/guest/sky_vsock.h"
#include "kvm-recorder/kernel/sky_hypercall.h"

#define STATUS_FAILED	   1
#define STATUS_WRONG_USAGE 2
#define STATUS_NOT_RUN	   126 /* as the shell and env(1) have it */
#define STATUS_NOT_FOUND   127

#define OPTION_VSOCK 256
#define TEXT_OF(n)   #n
#define TEXT(n)	     TEXT_OF(n)
#define PRESET_PORT  TEXT(SKY_VSOCK_PORT)

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

static int connect_to(const struct sockaddr_vm *host)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect(fd, (const struct sockaddr *)host, sizeof(*host)))
		return fd;
	fprintf(stderr,
		"skyrun: cannot reach vsock port %u of %u: %s; start `sky record --kvm --vsock` on "
		"the host, and load vmw_vsock_virtio_transport here\n",
		host->svm_port, host->svm_cid, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* It is by its system calls that this process is found: it must make some meanwhile. */
static long await_answer(int fd)
{
	struct pollfd answer_is_there = {.fd = fd, .events = POLLIN};
	struct sky_vsock_answer answer;
	time_t end = time(NULL) + 2 * SKY_VSOCK_SECONDS;

	while (poll(&answer_is_there, 1, 1) <= 0)
		if (time(NULL) > end)
			return -ETIMEDOUT;
	return recv(fd, &answer, sizeof(answer), MSG_WAITALL) == sizeof(answer) ? answer.result
										: -ECONNRESET;
}

/* 0 or -errno; STATUS_FAILED after saying why not. */
static long ask_by_vsock(const struct sockaddr_vm *host)
{
	const struct sky_vsock_request request = {.magic = SKY_VSOCK_MAGIC, .pid = getpid()};
	long result;
	int fd = connect_to(host);

	if (fd < 0)
		return STATUS_FAILED;
	result = -ECONNRESET;
	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) == sizeof(request))
		result = await_answer(fd);
	close(fd);
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
	case -ESRCH:
		return "the recorder doesn't find this process; leave out --vsock";
	default:
		return strerror(-result);
	}
}

struct options {
	char **command;
	struct sockaddr_vm host; /* svm_port 0: by a hypercall */
};

static unsigned number(struct argp_state *state, const char *text, char **end)
{
	unsigned long value = strtoul(text, end, 10);

	if (*text < '0' || *text > '9' || value >= UINT32_MAX || !value)
		argp_error(state, "--vsock wants CID:PORT, two numbers");
	return value;
}

static void set_host(struct argp_state *state, struct sockaddr_vm *host, const char *text)
{
	char *end = "";

	*host = (struct sockaddr_vm){
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = SKY_VSOCK_PORT};
	if (!text)
		return;
	host->svm_cid = number(state, text, &end);
	if (*end != ':')
		argp_error(state, "--vsock wants CID:PORT, two numbers");
	host->svm_port = number(state, end + 1, &end);
	if (*end)
		argp_error(state, "--vsock wants CID:PORT, two numbers");
}

static error_t take_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case OPTION_VSOCK:
		set_host(state, &options->host, value);
		return 0;
	case ARGP_KEY_ARGS:
		options->command = state->argv + state->next; /* ends with a NULL, as exec wants it */
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "No command; name one that is to be recorded");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option option_table[] = {
	{"vsock", OPTION_VSOCK, "CID:PORT", OPTION_ARG_OPTIONAL,
	 "Ask over vsock instead of by a hypercall; the host is 2:" PRESET_PORT
	 ", if nothing else is said",
	 0},
	{0},
};

static const struct argp argp = {
	.options = option_table,
	.parser = take_option,
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = "Runs COMMAND so that `sky record --kvm` on the host of this virtual machine "
	       "records its system calls, and those of its children."
	       "\vThe exit status is COMMAND's; 1 if it can't be recorded, and then it isn't run; "
	       "126 or 127 if it can't be run.",
};

int main(int argc, char **argv)
{
	struct options options = {};
	const char *name;
	long result;

	argp_err_exit_status = STATUS_WRONG_USAGE;
	/* in order: what follows COMMAND is COMMAND's */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &options);
	name = *options.command;
	result = options.host.svm_port ? ask_by_vsock(&options.host) : ask(SKY_ASK_BEGIN);
	if (result) {
		if (result < 0)
			fprintf(stderr, "skyrun: %s can't be recorded: %s\n", name, reason(result));
		return STATUS_FAILED;
	}
	execvp(name, options.command);
	fprintf(stderr, "skyrun: %s can't be run: %s; check the path\n", name, strerror(errno));
	return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
}
