/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace that can be published: checksums, paths and other texts become what
 * only the holder of a key could make of them, equal ones equal, so that what is
 * found out from the trace stays the same.
 */
#ifndef SKY_ANONYMIZE_H
#define SKY_ANONYMIZE_H

#include "sim/anonymize/key.h"
#include "sim/anonymize/names.h"

struct anonymizer;

/*
 * kept: see struct names; both must outlive it. NULL after saying what is wrong.
 */
struct anonymizer *anonymizer_new(const struct anonymize_key *key, const char *kept);
void anonymizer_free(struct anonymizer *anonymizer);

/*
 * Keys the events in place; what they point to then lasts until the next call.
 * 0, or -1 after saying what is wrong. Fits trace_copy.change.
 */
int anonymizer_change(void *anonymizer, struct event *events, size_t count);

#endif
