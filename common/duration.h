/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times as users type them: 4s, 1500ms, 0.5.
 */
#ifndef SKY_DURATION_H
#define SKY_DURATION_H

#include <stdint.h>

/* A number with an optional s, ms, us or ns; a bare one means seconds. At most a day. 0 or -1. */
int duration_parse(const char *text, uint64_t *ns);

#endif
