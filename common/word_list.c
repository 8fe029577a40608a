/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "word_list.h"

bool word_list_has(const char *list, const char *word, size_t bytes)
{
	while (*list) {
		size_t length = strcspn(list, ",");

		if (length == bytes && !memcmp(list, word, bytes))
			return true;
		list += length + (list[length] == ',');
	}
	return false;
}
