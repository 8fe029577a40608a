/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A terminal that shows pages and takes keys.
 */
#ifndef SKY_WATCH_SCREEN_H
#define SKY_WATCH_SCREEN_H

#include "sim/watch/page.h"

enum screen_key {
	SCREEN_NOTHING,
	SCREEN_QUIT,
	SCREEN_SORT,
	SCREEN_TOTALS,
	SCREEN_PAUSE,
	SCREEN_REDRAW
};

/* False where there is no terminal that can do it, or that keys could come from; says nothing. */
bool screen_begin(void);
void screen_end(void);

/* Room for a page: the last line of the terminal tells the keys. */
void screen_size(unsigned *rows, unsigned *columns);
void screen_show(const struct page *page);

/* What was typed since, or SCREEN_REDRAW after the terminal's size changed; never waits. */
enum screen_key screen_key(void);

#endif
