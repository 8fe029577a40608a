/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line on a terminal's stderr that says how far a long job is.
 */
#ifndef SKY_PROGRESS_H
#define SKY_PROGRESS_H

#include <stdint.h>

/* total 0 = not known. Nothing is shown in the first half second, or when stderr is no terminal. */
void progress_begin(const char *label, uint64_t total);
void progress_update(uint64_t done);
void progress_end(void);

#endif
