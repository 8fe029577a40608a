/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `sky record --kvm` was asked to do.
 */
#ifndef SKY_KVM_OPTIONS_H
#define SKY_KVM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

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
	bool list, as_json;
	char **command; /* NULL: none */
	char *words;	/* that disks[] points into */
};

/* Fills options from the command line; exits on wrong usage. 0, or -1 after saying why. */
int kvm_parse(int argc, char **argv, struct kvm_options *options);
void kvm_options_free(struct kvm_options *options);

#endif
