/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long blocks live (paper, 6.2): from what processes do to files, and, for
 * comparison, from what the disk sees, which is overwriting only.
 */
#ifndef SKY_LIFETIMES_H
#define SKY_LIFETIMES_H

#include <jansson.h>

/*
 * Reads the trace once, in memory that depends on the blocks alive, not on its
 * length. The result, as `sky lifetimes --json` prints it, is a new reference;
 * NULL after saying what is wrong.
 */
json_t *lifetimes_of_trace(const char *path);

/*
 * The share of the blocks born that had ended at that age or before, in [0, 1];
 * way is a value of the result's "lifetimes".
 */
double lifetimes_share(const json_t *way, double age_ns);

#endif
