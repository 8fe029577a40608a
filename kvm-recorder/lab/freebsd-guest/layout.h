/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest kernel's assembly and C agree upon: where things are in memory, segments.
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define KERNEL 0xffffffff80000000 /* the first GiB of memory */
#define MMIO   0xffffffff00000000 /* plus a device's address, from 3 to 4 GiB */

/* FreeBSD's selectors: sys/amd64/include/segments.h */
#define KERNEL_CS 0x20
#define KERNEL_SS 0x28
#define USER_32	  0x33
#define USER_SS	  0x3b
#define USER_CS	  0x43
#define TASK	  0x48

#define STACK_BYTES 16384
#define VECTORS	    48 /* of interrupts and exceptions */

/* struct cpu, at GS */
#define CPU_STACK      0
#define CPU_USER_STACK 8

#endif
