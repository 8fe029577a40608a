/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <stdio.h>

#include "command.h"
#include "error.h"

int command_finish(void)
{
	if (fflush(stdout) || ferror(stdout)) {
		fail_errno(errno, "the output could not be written whole");
		return 1;
	}
	return 0;
}

int command_result(json_t *result, bool as_json, void (*print)(const json_t *result))
{
	if (!result)
		return 1;
	if (as_json) {
		json_dumpf(result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
		putchar('\n');
	} else {
		print(result);
	}
	json_decref(result);
	return command_finish();
}

void print_clean(const char *text)
{
	for (; *text; text++)
		putchar(iscntrl((unsigned char)*text) ? '?' : *text);
}
