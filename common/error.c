/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sentences for the user. Each is written with one call, so that the lines of
 * a recorder's processes don't mix.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

static void say(const char *level, const char *format, va_list args, int error)
{
	char line[2048];
	int used = snprintf(line, sizeof(line), "sky: %s", level);

	used += vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	if (used > (int)sizeof(line) - 2)
		used = sizeof(line) - 2;
	if (error)
		used += snprintf(line + used, sizeof(line) - used - 1, ": %s",
				 strerror(abs(error)));
	if (used > (int)sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nobody is left to be told */
}

int fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args, 0);
	va_end(args);
	return -1;
}

int fail_errno(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args, error);
	va_end(args);
	return -1;
}

void warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("warning: ", format, args, 0);
	va_end(args);
}
