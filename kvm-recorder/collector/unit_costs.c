/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "capture/event.h"
#include "common/error.h"
#include "common/fnv1a.h"
#include "unit_costs.h"

#define ROUNDS	     15
#define ROUND_EXITS  20000u
#define ROUND_CHUNKS 256
#define CODE_ADDRESS 0x1000u

/* In real mode: CPUID so often, then OUT, which ends KVM_RUN. */
static const uint8_t code[] = {
	0x66, 0x31, 0xc0, /* again: xor eax, eax */
	0x0f, 0xa2,	  /* cpuid */
	0x66, 0x4e,	  /* dec esi */
	0x75, 0xf7,	  /* jnz again */
	0xe6, 0x10,	  /* out 0x10, al */
};

struct machine {
	int kvm, vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	int run_bytes;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

static void machine_fini(struct machine *m)
{
	if (m->run != MAP_FAILED)
		munmap(m->run, m->run_bytes);
	if (m->vcpu >= 0)
		close(m->vcpu);
	if (m->vm >= 0)
		close(m->vm);
	if (m->memory != MAP_FAILED)
		munmap(m->memory, CHUNK_BYTES);
	if (m->kvm >= 0)
		close(m->kvm);
}

static int machine_memory(struct machine *m)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = CODE_ADDRESS,
		.memory_size = CHUNK_BYTES,
	};

	m->memory =
		mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->memory == MAP_FAILED)
		return -1;
	memcpy(m->memory, code, sizeof(code));
	region.userspace_addr = (uintptr_t)m->memory;
	return ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

/* In real mode, with all segments at 0, as flat as it gets. */
static int machine_segments(struct machine *m)
{
	struct kvm_sregs special;

	if (ioctl(m->vcpu, KVM_GET_SREGS, &special))
		return -1;
	special.cs.base = 0;
	special.cs.selector = 0;
	return ioctl(m->vcpu, KVM_SET_SREGS, &special);
}

static int machine_init(struct machine *m)
{
	*m = (struct machine){.vm = -1, .vcpu = -1, .memory = MAP_FAILED, .run = MAP_FAILED};
	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m->kvm < 0)
		return fail_errno(errno,
				  "/dev/kvm can't be opened to measure an exit; load KVM, or "
				  "say what one costs with --exit-ns");
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	m->run_bytes = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (m->vm < 0 || m->run_bytes < (int)sizeof(*m->run) || machine_memory(m))
		goto failed;
	m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	if (m->vcpu < 0 || machine_segments(m))
		goto failed;
	m->run = mmap(NULL, m->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (m->run != MAP_FAILED)
		return 0;
failed:
	fail_errno(errno,
		   "a virtual machine to measure an exit could not be made; say what one costs "
		   "with --exit-ns");
	machine_fini(m);
	return -1;
}

/* The time that so many exits take, or -1. */
static double machine_run(struct machine *m, uint32_t exits)
{
	struct kvm_regs registers = {.rip = CODE_ADDRESS, .rsi = exits, .rflags = 2};
	double begun;

	if (ioctl(m->vcpu, KVM_SET_REGS, &registers))
		return fail_errno(errno, "the registers of a virtual CPU could not be set");
	begun = now_ns();
	do {
		if (ioctl(m->vcpu, KVM_RUN, 0) && errno != EINTR)
			return fail_errno(errno, "a virtual CPU could not be run");
	} while (m->run->exit_reason == KVM_EXIT_INTR);
	if (m->run->exit_reason != KVM_EXIT_IO)
		return fail(
			"a virtual CPU ended for another reason (%u) than meant; say what an exit "
			"costs with --exit-ns",
			m->run->exit_reason);
	return now_ns() - begun;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double rounds[ROUNDS])
{
	qsort(rounds, ROUNDS, sizeof(*rounds), by_size);
	return rounds[ROUNDS / 2];
}

int measure_exit(double *ns)
{
	double rounds[ROUNDS];
	struct machine machine;
	int rc = -1;

	if (machine_init(&machine))
		return -1;
	for (int i = 0; i < ROUNDS; i++) {
		rounds[i] = machine_run(&machine, ROUND_EXITS);
		if (rounds[i] < 0)
			goto out;
	}
	*ns = median(rounds) / ROUND_EXITS;
	rc = 0;
out:
	machine_fini(&machine);
	return rc;
}

double measure_chunk(void)
{
	static uint8_t data[8 * CHUNK_BYTES];
	double rounds[ROUNDS];
	uint64_t sums[8];

	for (int i = 0; i < ROUNDS; i++) {
		double begun = now_ns();

		for (int chunks = 0; chunks < ROUND_CHUNKS; chunks += 8) {
			fnv1a_chunks(data, 8, CHUNK_BYTES, sums);
			memcpy(data, sums, sizeof(sums)); /* the next ones depend on these */
		}
		rounds[i] = now_ns() - begun;
	}
	return median(rounds) / ROUND_CHUNKS;
}
