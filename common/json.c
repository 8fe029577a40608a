/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

json_t *text_json(const char *at, size_t bytes)
{
	json_t *string = json_stringn(at, bytes);

	return string ? string : json_string("(not UTF-8)");
}
