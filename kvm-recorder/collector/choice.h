/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom of a virtual machine to record: who was named on the command line, and who
 * asks over vsock (kvm-recorder/guest/sky_vsock.h).
 */
#ifndef SKY_CHOICE_H
#define SKY_CHOICE_H

#include <stddef.h>
#include <stdint.h>

#include "attach.h"
#include "capture/event.h"
#include "options.h"

struct choice;

/*
 * Tells the kernel what the options choose of the machine with that process, of
 * one of whose virtual CPUs the ring is, and begins to listen. NULL after saying
 * what is wrong.
 */
struct choice *choice_begin(const struct kvm_options *options, pid_t machine,
			    const struct attached_ring *ring);

/* Hears what guests ask for; costs a system call where one is to be heard. */
void choice_serve(struct choice *choice, uint64_t now_ns);

/* Takes notice of processes that are recorded from now on. */
void choice_notice(struct choice *choice, const struct event *events, size_t count);

/* Says who was not found, and frees it. NULL is nothing. */
void choice_end(struct choice *choice);

#endif
