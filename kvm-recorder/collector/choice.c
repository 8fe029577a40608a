/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel finds processes by number or program; here it is told which. One
 * that asks over vsock is chosen by its number, and has its answer when the
 * kernel's record says that it has begun. Nobody is waited for.
 */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "choice.h"
#include "common/error.h"
#include "guests.h"
#include "kvm-recorder/guest/sky_vsock.h"
#include "kvm-recorder/kernel/sky_ioctl.h"

#define ASKERS_MAX  16
#define SERVE_NS    10000000
#define PATIENCE_NS (SKY_VSOCK_SECONDS * 1000000000ull)

struct asker {
	int fd; /* -1: nobody */
	uint64_t since_ns;
	struct sky_vsock_request request;
	size_t got; /* bytes of that */
};

struct choice {
	const struct kvm_options *options;
	const struct attached_ring *ring;
	bool found[SKY_SELECTS_MAX]; /* by options->pids[] */
	int listener;		     /* -1: none */
	uint32_t cid;
	uint64_t served_ns;
	bool warned; /* of strangers at the door */
	struct asker askers[ASKERS_MAX];
};

static int choose(const struct attached_ring *ring, enum sky_select_kind kind, uint32_t pid,
		  const char *text, bool off)
{
	struct sky_select select = {.kind = kind, .pid = pid, .off = off};

	snprintf(select.text, sizeof(select.text), "%s", text);
	return ring_select(ring, &select);
}

static int choose_abi(const struct choice *choice)
{
	if (!choose(choice->ring, SKY_SELECT_ABI, choice->options->abi, "", false))
		return 0;
	if (errno == EBUSY)
		return fail(
			"processes of the guest are still followed from an earlier recording with "
			"another --abi; let them run for a moment and try again");
	return fail_errno(errno, "cannot say what the guest's system calls are");
}

/* First the files: nobody shall be recorded who has not heard of them. */
static int choose_all(const struct choice *choice)
{
	const struct kvm_options *o = choice->options;

	if (o->only && *o->only && choose(choice->ring, SKY_SELECT_ONLY, 0, o->only, false))
		return fail_errno(errno, "cannot choose the files below %s", o->only);
	if (choose_abi(choice))
		return -1;
	for (unsigned i = 0; i < o->pid_count; i++)
		if (choose(choice->ring, SKY_SELECT_PID, o->pids[i], "", false))
			return fail_errno(errno, "cannot choose process %u of the guest",
					  o->pids[i]);
	for (unsigned i = 0; i < o->program_count; i++)
		if (choose(choice->ring, SKY_SELECT_EXEC, 0, o->programs[i], false))
			return fail_errno(errno, "cannot choose the program %s", o->programs[i]);
	return 0;
}

static int listen_at(struct choice *choice, pid_t machine, uint32_t port)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_port = port, .svm_cid = VMADDR_CID_ANY};

	if (guest_cid(machine, &choice->cid))
		return fail("virtual machine %d has no vsock device; give QEMU -device "
			    "vhost-vsock-pci,guest-cid=N, or leave out --vsock",
			    (int)machine);
	choice->listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (choice->listener < 0)
		return fail_errno(errno, "cannot make a vsock socket; load vhost_vsock");
	if (bind(choice->listener, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(choice->listener, ASKERS_MAX))
		return fail_errno(errno, "cannot listen at vsock port %u", port);
	return 0;
}

struct choice *choice_begin(const struct kvm_options *options, pid_t machine,
			    const struct attached_ring *ring)
{
	struct choice *choice = calloc(1, sizeof(*choice));

	if (!choice) {
		fail("out of memory for who is recorded");
		return NULL;
	}
	choice->options = options;
	choice->ring = ring;
	choice->listener = -1;
	for (int i = 0; i < ASKERS_MAX; i++)
		choice->askers[i].fd = -1;
	if (!choose_all(choice) &&
	    (!options->vsock_port || !listen_at(choice, machine, options->vsock_port)))
		return choice;
	if (choice->listener >= 0)
		close(choice->listener);
	free(choice);
	return NULL;
}

/* What doesn't fit into the socket's buffer, empty so far, is no asker of ours. */
static void answer(struct asker *asker, int result)
{
	const struct sky_vsock_answer text = {.result = result};

	(void)!send(asker->fd, &text, sizeof(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(asker->fd);
	asker->fd = -1;
}

static bool is_whole(const struct asker *asker)
{
	return asker->got == sizeof(asker->request);
}

static void take_request(struct choice *choice, struct asker *asker)
{
	const struct sky_vsock_request *request = &asker->request;

	if (request->magic != SKY_VSOCK_MAGIC || !request->pid || request->zero) {
		answer(asker, -EINVAL);
		return;
	}
	if (!choose(choice->ring, SKY_SELECT_PID, request->pid, "", false))
		return;
	answer(asker, errno == EEXIST ? 0 : -errno);
}

static void hear(struct choice *choice, struct asker *asker, uint64_t now_ns)
{
	ssize_t got = is_whole(asker) ? -1
				      : recv(asker->fd, (char *)&asker->request + asker->got,
					     sizeof(asker->request) - asker->got, MSG_DONTWAIT);

	if (got > 0) {
		asker->got += got;
		if (is_whole(asker))
			take_request(choice, asker);
	} else if (now_ns - asker->since_ns > PATIENCE_NS) {
		if (is_whole(asker))
			choose(choice->ring, SKY_SELECT_PID, asker->request.pid, "", true);
		answer(asker, -ESRCH);
	}
}

/* False: nobody is waiting. Other machines have nothing to say about this one. */
static bool let_in(struct choice *choice, struct asker *asker, uint64_t now_ns)
{
	struct sockaddr_vm peer;
	socklen_t bytes = sizeof(peer);
	int fd = accept4(choice->listener, (struct sockaddr *)&peer, &bytes,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	if (peer.svm_cid == choice->cid) {
		*asker = (struct asker){.fd = fd, .since_ns = now_ns};
		return true;
	}
	close(fd);
	if (!choice->warned)
		warn("somebody with the vsock address %u asked to be recorded, who is not this "
		     "virtual machine, which has %u",
		     peer.svm_cid, choice->cid);
	choice->warned = true;
	return true;
}

void choice_serve(struct choice *choice, uint64_t now_ns)
{
	if (!choice || choice->listener < 0 || now_ns - choice->served_ns < SERVE_NS)
		return;
	choice->served_ns = now_ns;
	for (int i = 0; i < ASKERS_MAX; i++)
		if (choice->askers[i].fd < 0 && !let_in(choice, &choice->askers[i], now_ns))
			break;
	for (int i = 0; i < ASKERS_MAX; i++)
		if (choice->askers[i].fd >= 0)
			hear(choice, &choice->askers[i], now_ns);
}

static void process_begun(struct choice *choice, uint32_t pid)
{
	for (unsigned i = 0; i < choice->options->pid_count; i++)
		choice->found[i] |= choice->options->pids[i] == pid;
	for (int i = 0; i < ASKERS_MAX; i++)
		if (choice->askers[i].fd >= 0 && is_whole(&choice->askers[i]) &&
		    choice->askers[i].request.pid == pid)
			answer(&choice->askers[i], 0);
}

void choice_notice(struct choice *choice, const struct event *events, size_t count)
{
	if (!choice)
		return;
	for (size_t i = 0; i < count; i++)
		if (events[i].kind == EVENT_MONITOR && events[i].monitor.on)
			process_begun(choice, events[i].pid);
}

void choice_end(struct choice *choice)
{
	if (!choice)
		return;
	for (unsigned i = 0; i < choice->options->pid_count; i++)
		if (!choice->found[i])
			warn("process %u of the guest was not found; it is found by a system call "
			     "that it makes",
			     choice->options->pids[i]);
	for (int i = 0; i < ASKERS_MAX; i++)
		if (choice->askers[i].fd >= 0)
			answer(&choice->askers[i], -EAGAIN);
	if (choice->listener >= 0)
		close(choice->listener);
	free(choice);
}
