/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What results in JSON share.
 */
#ifndef SKY_JSON_H
#define SKY_JSON_H

#include <stddef.h>

#include <jansson.h>

/* A string. What a file or a program is called may be no UTF-8, as JSON's have to be: "(not UTF-8)". */
json_t *text_json(const char *at, size_t bytes);

#endif
