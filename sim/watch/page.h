/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interval that ended last as a page of text, for terminals and paper alike.
 */
#ifndef SKY_WATCH_PAGE_H
#define SKY_WATCH_PAGE_H

#include "sim/watch/watch.h"

#define PAGE_ROWS_MAX	 100
#define PAGE_COLUMNS_MAX 250
/* Less than this is not aimed at: lines are cut. */
#define PAGE_ROWS	 24
#define PAGE_COLUMNS	 80

enum page_style { PAGE_PLAIN, PAGE_TITLE, PAGE_HEAD };

struct page {
	unsigned count;
	struct {
		enum page_style style;
		char text[PAGE_COLUMNS_MAX + 1]; /* ASCII */
	} line[PAGE_ROWS_MAX];
};

struct page_options {
	const char *trace, *state;
	enum watch_amount by;
	bool in_all; /* averages and sums since the beginning, not of the interval */
	unsigned rows, columns;
};

/* Fills at most options->rows lines of at most options->columns characters. */
void page_make(struct page *page, const struct watch *watch, const struct page_options *options);

#endif
