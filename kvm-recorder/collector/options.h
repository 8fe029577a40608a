/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `sky record --kvm` was asked to do.
 */
#ifndef SKY_KVM_OPTIONS_H
#define SKY_KVM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "kvm-recorder/kernel/sky_ioctl.h"

#define DISKS_MAX 64

struct kvm_options {
	const char *machine; /* NULL: disks only */
	const char *disks[DISKS_MAX];
	unsigned disk_count;
	const char *output, *stream;
	char *stream_beside;   /* the default for stream, to be removed after the conversion */
	uint64_t rotate_bytes; /* 0: one stream */
	uint64_t ring_bytes;
	uint64_t duration_ns; /* 0: until something else ends it */
	/* Whom to record of the machine, beside those that ask for it, and which of their files. */
	uint32_t pids[SKY_SELECTS_MAX];
	const char *programs[SKY_SELECTS_MAX];
	unsigned pid_count, program_count;
	char *only;	     /* NULL: all files */
	enum abi abi;	     /* of the machine's system calls */
	uint32_t vsock_port; /* 0: nobody may ask by vsock */
	bool list, as_json;
	char **command; /* NULL: none */
	char *words;	/* that disks[] points into */
};

/* Fills options from the command line; exits on wrong usage. 0, or -1 after saying why. */
int kvm_parse(int argc, char **argv, struct kvm_options *options);
void kvm_options_free(struct kvm_options *options);

#endif
