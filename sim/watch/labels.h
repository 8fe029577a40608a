/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What files and processes were called last: the newest so many of them.
 */
#ifndef SKY_WATCH_LABELS_H
#define SKY_WATCH_LABELS_H

#include <stdint.h>

#include "capture/event.h"

struct labels;

/* NULL if out of memory. */
struct labels *labels_new(uint32_t most);
void labels_free(struct labels *labels);

/* Of a longer name the end is kept: LABEL_BYTES_MAX. 0 or -ENOMEM. */
#define LABEL_BYTES_MAX 255u
int labels_set(struct labels *labels, uint64_t key0, uint64_t key1, const struct text *text);

/* NULL where it has none. */
const char *labels_get(const struct labels *labels, uint64_t key0, uint64_t key1);

/* A number besides the name; 0 where there is none. */
int labels_set_mark(struct labels *labels, uint64_t key0, uint64_t key1, uint64_t mark);
uint64_t labels_mark(const struct labels *labels, uint64_t key0, uint64_t key1);

#endif
