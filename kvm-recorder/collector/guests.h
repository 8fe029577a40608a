/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which virtual machines and disks can be recorded, by the names of the kernel's
 * sources: "vm PID vcpu N" and "disk NAME".
 */
#ifndef SKY_GUESTS_H
#define SKY_GUESTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach.h"

#define GUEST_NAME_BYTES 128

/* The process and the number of a source's virtual CPU; false if it is none. */
bool source_is_vcpu(const source_name name, pid_t *pid, unsigned *vcpu);

/* The disk's name, or NULL if the source is none. */
const char *source_disk(const source_name name);

/* QEMU's -name, by its command line; "" if it has none. */
void guest_name(pid_t pid, char name[GUEST_NAME_BYTES]);

/* Its vsock address, by QEMU's command line; 0, or -1 if it says none. */
int guest_cid(pid_t pid, uint32_t *cid);

/*
 * The process of the virtual machine that the user means by its number or its
 * name; -1 after saying that there is none, or more than one.
 */
pid_t guest_find(const char *wanted, const source_name *sources, size_t count);

/* Prints what there is; the exit status. */
int guests_list(bool as_json);

#endif
