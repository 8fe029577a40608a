/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the guest begins, and the ways into its kernel and out of it.
 *
 * QEMU loads the kernel as it would load Linux's: by the PVH note, in 32-bit mode,
 * with memory as it is. From there to 64-bit mode, where the kernel sees memory at
 * KERNEL and devices below 4 GiB at MMIO. Calls come by SYSCALL and return by SYSRET,
 * or by IRET where the thread is marked so, as FreeBSD does it (sys/amd64/amd64/exception.S):
 * the fourth argument in r10, what the call leaves of r8 to r10 zeroed, one IRETQ for all.
 */
#include "layout.h"

#define PHYSICAL(symbol) ((symbol) - KERNEL)

	.section .note, "a", @note
	.align 4
	.long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PHYSICAL(start)

	.section .boot, "ax"
	.code32
	.globl start
start:
	cli
	cld
	movl $PHYSICAL(table_4), %eax
	movl %eax, %cr3
	movl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx /* EFER: SCE, LME */
	movl $0x101, %eax
	xorl %edx, %edx
	wrmsr
	movl $0x80010001, %eax /* PG, WP, PE */
	movl %eax, %cr0
	lgdtl PHYSICAL(gdt_low)
	ljmpl $KERNEL_CS, $PHYSICAL(start_64)

	.code64
start_64:
	movw $KERNEL_SS, %ax
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movq $high, %rax
	jmp *%rax

	.text
high:
	lgdtq gdt_high
	movq $0, table_4 /* memory is at KERNEL only, from here on */
	movq %cr3, %rax
	movq %rax, %cr3
	leaq first_stack + STACK_BYTES, %rsp
	movw $TASK, %ax
	call kernel_begins

/* What a call or an interrupt leaves, as struct frame has it. */
	.macro push_registers
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro pop_saved
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	.endm

	.macro pop_others
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	addq $2 * 8, %rsp
	.endm

	.globl syscall_entry
	.align 16
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_STACK
	movq %gs:CPU_STACK, %rsp
	pushq $USER_SS
	pushq %gs:CPU_USER_STACK
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq $2 /* bytes of the instruction: by so many a call is made anew */
	pushq $0
	movq %r10, %rcx
	push_registers
	movq %rsp, %rdi
	call system_call
	testb %al, %al
	jnz return_by_iret
	pop_saved
	addq $4 * 8, %rsp /* r8 to r11 */
	pop_others
	movq (%rsp), %rcx
	movq 2 * 8(%rsp), %r11
	movq 3 * 8(%rsp), %rsp
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	swapgs
	sysretq

/* A thread's, or a child's, first way to user mode: its frame is all that is on its stack. */
	.globl return_by_iret
return_by_iret:
	pop_saved
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	pop_others
	testb $3, 8(%rsp)
	jz 1f
	swapgs
1:	iretq

trap_entry:
	testb $3, 3 * 8(%rsp)
	jz 1f
	swapgs
1:	push_registers
	movq %rsp, %rdi
	call trap
	jmp return_by_iret

/* Vectors 8, 10 to 14, 17, 21, 29 and 30 come with an error code. */
	.set vector, 0
	.rept VECTORS
	.align 16
	.if vector == 0
	.globl vectors
vectors:
	.endif
	.if ((0x60227d00 >> vector) & 1) == 0
	pushq $0
	.endif
	pushq $vector
	jmp trap_entry
	.set vector, vector + 1
	.endr

/* switch_stacks(u64 *from, u64 to): goes on where the thread with that stack stopped. */
	.globl switch_stacks
switch_stacks:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.section .rodata
	.globl program, program_end
	.align 16
program:
	.incbin "program.bin"
program_end:

	.data
	.align 4096
	.globl table_4
table_4:
	.quad PHYSICAL(table_3) + 3
	.fill 510, 8, 0
	.quad PHYSICAL(table_3) + 3
table_3:
	.quad PHYSICAL(table_2_memory) + 3
	.fill 509, 8, 0
	.quad PHYSICAL(table_2_memory) + 3
	.quad PHYSICAL(table_2_mmio) + 3
table_2_memory:
	.set at, 0x83
	.rept 512
	.quad at
	.set at, at + 0x200000
	.endr
table_2_mmio:
	.set at, 0xc000009b /* not cached */
	.rept 512
	.quad at
	.set at, at + 0x200000
	.endr

/* As FreeBSD's (sys/amd64/include/segments.h); the task's segment is filled in later. */
	.globl gdt
	.align 16
gdt:
	.quad 0, 0, 0, 0
	.quad 0x00af9b000000ffff, 0x00cf93000000ffff /* KERNEL_CS, KERNEL_SS */
	.quad 0x00cffb000000ffff, 0x00cff3000000ffff /* user's of 32 bits, USER_SS */
	.quad 0x00affb000000ffff /* USER_CS */
	.quad 0, 0 /* TASK */
gdt_end:
gdt_low:
	.word gdt_end - gdt - 1
	.long PHYSICAL(gdt)
gdt_high:
	.word gdt_end - gdt - 1
	.quad gdt

	.bss
	.align 4096
first_stack:
	.skip STACK_BYTES

	.section .note.GNU-stack, "", @progbits
