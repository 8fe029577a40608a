/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How Sky says that something went wrong.
 *
 * The function that meets the error says it, in one sentence with what, where
 * and what to do next; its callers only pass the failure on, until main()
 * turns it into the exit status. Functions that a hot loop or a caller may
 * want to fail silently return -errno instead and say nothing.
 */
#ifndef SKY_ERROR_H
#define SKY_ERROR_H

#include <errno.h>

/* Prints "sky: SENTENCE" on stderr; returns -1, so that `return fail(...)` reads well. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* The same with ": strerror(error)" at the end; error may be negative. */
int fail_errno(int error, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* For what the user should know but what stops nothing. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

#endif
