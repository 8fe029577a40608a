/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls as data: numbers, names, what their arguments mean.
 *
 * One table for both ABIs (calls.c); the recorders' filters, the text form and
 * the pipeline use it. Numbers: Linux arch/x86/entry/syscalls/syscall_64.tbl,
 * FreeBSD sys/kern/syscalls.master.
 */
#ifndef SKY_CALLS_H
#define SKY_CALLS_H

#include <stdint.h>

#include "event.h"

/* Every call that the pipeline knows, of either ABI. */
enum call {
	CALL_NONE,
#define CALL(id, linux, freebsd, ...) CALL_##id,
#include "calls.def"
	CALL_COUNT
};

#define CLASS_MAGIC	   0x536b79436c617373u /* "SkyClass" */
#define CLASS_OUT_OF_RANGE 254

/* How an argument is shown. */
enum argument_style {
	ARGUMENT_NONE,
	ARGUMENT_NUMBER,
	ARGUMENT_SIGNED,
	ARGUMENT_ADDRESS,
	ARGUMENT_FD,
	ARGUMENT_DIRECTORY, /* a descriptor or AT_FDCWD */
	ARGUMENT_OPEN_FLAGS,
	ARGUMENT_MODE, /* octal */
	ARGUMENT_WHENCE,
	ARGUMENT_PATH, /* the address; the text itself is entry.path or entry.path2 */
	ARGUMENT_CLONE_FLAGS,
};

struct argument {
	const char *name;
	enum argument_style style;
};

struct call_info {
	const char *name;		      /* "openat" */
	int16_t linux_number, freebsd_number; /* -1: not there */
	struct argument arguments[6];
};

extern const struct call_info call_table[CALL_COUNT];

/* CALL_NONE if the table doesn't have it. */
enum call call_by_number(enum abi abi, uint32_t number);
/* By what the ABI calls it, or else by what Linux does. */
enum call call_by_name(enum abi abi, const char *name, size_t length);

/* What the ABI calls it, and its six arguments there. */
const char *call_name(enum abi abi, enum call call);
const struct argument *call_arguments(enum abi abi, enum call call);

/*
 * The call that an entry is for. FreeBSD's numbers 0 and 198 stand for the call
 * that their first argument names, whose own arguments follow it: they are moved
 * to where they belong. The sixth is on the stack then, and unknown: 0.
 */
enum call call_meant(enum abi abi, uint32_t number, uint64_t argument[6]);

/*
 * The call's argument that is followed by an application's class where it is
 * CLASS_MAGIC: the one behind its own. 0: the call is none that can bear a class.
 */
unsigned call_magic_argument(enum abi abi, enum call call);

/*
 * The class that an application gave with its call (paper, 3.6;
 * kvm-recorder/guest/skyguest.h), as call_meant() left the arguments:
 * CLASS_UNDECIDED without the magic, CLASS_OUT_OF_RANGE where what follows the
 * magic is none.
 */
uint8_t call_class(enum abi abi, enum call call, const uint64_t argument[6]);

/* The same of an entry as it was recorded, for which call_meant() has yet to be asked. */
uint8_t entry_class(const struct entry_event *entry);

static inline int call_number(enum abi abi, enum call call)
{
	return abi == ABI_LINUX64 ? call_table[call].linux_number : call_table[call].freebsd_number;
}

#endif
