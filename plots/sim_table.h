/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results of `sky sim` as tables for people.
 */
#ifndef SKY_SIM_TABLE_H
#define SKY_SIM_TABLE_H

#include <stdbool.h>

#include <jansson.h>

/* What the trace is. */
void sim_table_head(const json_t *json);

/* That, and a line a result, followed by the parts that it has: by true class, file size, disk. */
void sim_table_print(const json_t *json, bool with_classes);

#endif
