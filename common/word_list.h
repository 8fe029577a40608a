/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of words as users give them: "cp,mv,tar".
 */
#ifndef SKY_WORD_LIST_H
#define SKY_WORD_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Is the word (not terminated) one of the list's? */
bool word_list_has(const char *list, const char *word, size_t bytes);

#endif
