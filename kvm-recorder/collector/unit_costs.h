/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two things cost on this machine of which recording a guest consists: leaving the guest for
 * KVM and coming back, and a checksum.
 */
#ifndef SKY_UNIT_COSTS_H
#define SKY_UNIT_COSTS_H

/*
 * The time of an exit that KVM handles itself, of a guest made for that: it executes CPUID, which has KVM
 * do next to nothing. The median of some rounds. 0, or -1 after saying why: KVM is not there.
 */
int measure_exit(double *ns);

/* The time of the checksum of a chunk that is in the processor's cache, as of buffers just used. */
double measure_chunk(void);

#endif
