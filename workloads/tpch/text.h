/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pseudo text of TPC-H (specification, 4.2.2.14): sentences of a small
 * grammar, one behind the other. A comment of a row is a substring of it, at
 * random.
 */
#ifndef SKY_TPCH_TEXT_H
#define SKY_TPCH_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "workloads/prng.h"

struct tpch_text {
	char *at; /* not terminated */
	size_t bytes;
};

/* -1 after saying that there isn't memory for so much; tpch_text_free() in any case. */
int tpch_text_make(struct tpch_text *text, size_t bytes, struct prng *prng);

void tpch_text_free(struct tpch_text *text);

#endif
