/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "calls.h"

#define SHOWN(n, s)                               \
	{                                         \
		.name = #n, .style = ARGUMENT_##s \
	}
#define NUMBER(n)      SHOWN(n, NUMBER)
#define SIGNED(n)      SHOWN(n, SIGNED)
#define ADDRESS(n)     SHOWN(n, ADDRESS)
#define FD(n)	       SHOWN(n, FD)
#define DIRECTORY(n)   SHOWN(n, DIRECTORY)
#define OPEN_FLAGS(n)  SHOWN(n, OPEN_FLAGS)
#define MODE(n)	       SHOWN(n, MODE)
#define WHENCE(n)      SHOWN(n, WHENCE)
#define PATH(n)	       SHOWN(n, PATH)
#define CLONE_FLAGS(n) SHOWN(n, CLONE_FLAGS)

const struct call_info call_table[CALL_COUNT] = {
#define CALL(id, linux, freebsd, ...)             \
	[CALL_##id] = {.name = #id,               \
		       .linux_number = linux,     \
		       .freebsd_number = freebsd, \
		       .arguments = {__VA_ARGS__}},
#include "calls.def"
};

/* FreeBSD's own names and arguments; without a name: as in call_table. */
static const struct {
	const char *name;
	struct argument arguments[6];
} freebsd_calls[CALL_COUNT] = {
#define FREEBSD(id, title, ...) [CALL_##id] = {.name = #title, .arguments = {__VA_ARGS__}},
#include "calls.def"
};

static const bool may_be_classed[CALL_COUNT] = {
#define CLASSED(id) [CALL_##id] = true,
#include "calls.def"
};

#define NUMBERS_MAX 600

/* Made from the table before main(), so that a look-up is an array access from any thread. */
static uint8_t by_number[2][NUMBERS_MAX];

_Static_assert(CALL_COUNT <= UINT8_MAX, "calls are numbered in a byte here");

static void __attribute__((constructor)) index_calls(void)
{
	for (int call = CALL_COUNT - 1; call > CALL_NONE; call--)
		for (int abi = ABI_LINUX64; abi <= ABI_FREEBSD64; abi++)
			if (call_number(abi, call) >= 0)
				by_number[abi][call_number(abi, call)] = call;
}

enum call call_by_number(enum abi abi, uint32_t number)
{
	return number < NUMBERS_MAX ? by_number[abi][number] : CALL_NONE;
}

const char *call_name(enum abi abi, enum call call)
{
	const char *own = abi == ABI_FREEBSD64 ? freebsd_calls[call].name : NULL;

	return own ? own : call_table[call].name;
}

const struct argument *call_arguments(enum abi abi, enum call call)
{
	if (abi == ABI_FREEBSD64 && freebsd_calls[call].name)
		return freebsd_calls[call].arguments;
	return call_table[call].arguments;
}

static bool is_name(const char *of_call, const char *name, size_t length)
{
	return of_call && !strncmp(of_call, name, length) && !of_call[length];
}

enum call call_by_name(enum abi abi, const char *name, size_t length)
{
	for (int call = CALL_NONE + 1; call < CALL_COUNT && abi == ABI_FREEBSD64; call++)
		if (is_name(freebsd_calls[call].name, name, length))
			return call;
	for (int call = CALL_NONE + 1; call < CALL_COUNT; call++)
		if (is_name(call_table[call].name, name, length))
			return call;
	return CALL_NONE;
}

enum call call_meant(enum abi abi, uint32_t number, uint64_t argument[6])
{
	enum call call = call_by_number(abi, number);

	if (call != CALL_nosys && call != CALL___syscall)
		return call;
	number = argument[0];
	memmove(argument, argument + 1, 5 * sizeof(*argument));
	argument[5] = 0;
	return call_by_number(abi, number);
}

unsigned call_magic_argument(enum abi abi, enum call call)
{
	const struct argument *arguments = call_arguments(abi, call);
	unsigned count = 0;

	if (!may_be_classed[call])
		return 0;
	while (arguments[count].style != ARGUMENT_NONE)
		count++;
	return count;
}

uint8_t call_class(enum abi abi, enum call call, const uint64_t argument[6])
{
	unsigned magic = call_magic_argument(abi, call);

	if (!magic || argument[magic] != CLASS_MAGIC)
		return CLASS_UNDECIDED;
	return argument[magic + 1] < CLASS_COUNT ? argument[magic + 1] : CLASS_OUT_OF_RANGE;
}

uint8_t entry_class(const struct entry_event *entry)
{
	uint64_t argument[6];
	enum call call;
	bool moved;

	memcpy(argument, entry->argument, sizeof(argument));
	call = call_meant(entry->abi, entry->number, argument);
	moved = call != call_by_number(entry->abi, entry->number);
	/* An argument that is on the stack then: the class of a call with four of its own. */
	if (moved && call_magic_argument(entry->abi, call) == 4)
		return CLASS_UNDECIDED;
	return call_class(entry->abi, call, argument);
}
