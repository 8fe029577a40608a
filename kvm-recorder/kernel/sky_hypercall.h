/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process in a guest may ask the recorder for: to be recorded itself, and
 * its children with it, without any network or device. It executes VMMCALL (AMD)
 * or VMCALL (Intel) in user mode with
 *
 *   rax	SKY_HYPERCALL
 *   rbx	enum sky_ask
 *   rcx	its process number, by which its records are told from others'; 0: unknown
 *   rdx	its thread number
 *
 * and finds 0 or -errno in rax; other registers stay. A hypervisor without Sky
 * gives -EPERM (-1). What is said here concerns the caller's own address space
 * and nothing else.
 */
#ifndef SKY_HYPERCALL_H
#define SKY_HYPERCALL_H

#define SKY_HYPERCALL 0x534b592d56454501ull /* "SKY-VEE", version 1 */

enum sky_ask {
	SKY_ASK_PRESENT, /* 0: a collector records this virtual machine; else -EAGAIN */
	SKY_ASK_BEGIN,	 /* -EAGAIN: nobody records; -ENOSPC: too many processes */
	SKY_ASK_END,	 /* -ESRCH: it is not recorded */
};

#endif
