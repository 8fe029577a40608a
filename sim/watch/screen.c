/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ncurses on the controlling terminal: standard input may be the trace.
 */
#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/error.h"
#include "sim/watch/screen.h"

static struct {
	SCREEN *screen;
	FILE *keys;
} terminal;

bool screen_begin(void)
{
	terminal.keys = fopen("/dev/tty", "re");
	if (!terminal.keys)
		return false;
	terminal.screen = newterm(NULL, stdout, terminal.keys);
	if (!terminal.screen) {
		fclose(terminal.keys);
		return false;
	}
	set_term(terminal.screen);
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	return true;
}

void screen_end(void)
{
	if (!terminal.screen)
		return;
	endwin();
	delscreen(terminal.screen);
	fclose(terminal.keys);
	terminal.screen = NULL;
}

void screen_size(unsigned *rows, unsigned *columns)
{
	*rows = LINES > 1 ? LINES - 1 : 1;
	*columns = COLS > 1 ? COLS : 1;
}

void screen_show(const struct page *page)
{
	static const attr_t styles[] = {
		[PAGE_PLAIN] = A_NORMAL,
		[PAGE_TITLE] = A_BOLD,
		[PAGE_HEAD] = A_REVERSE,
	};

	erase();
	for (unsigned i = 0; i < page->count && (int)i < LINES - 1; i++) {
		attrset(styles[page->line[i].style]);
		mvaddnstr(i, 0, page->line[i].text, COLS);
	}
	attrset(A_DIM);
	mvaddnstr(LINES - 1, 0, "q quit   s sort by   t interval or total   space pause", COLS);
	attrset(A_NORMAL);
	refresh();
}

enum screen_key screen_key(void)
{
	switch (getch()) {
	case 'q':
	case 'Q':
		return SCREEN_QUIT;
	case 's':
		return SCREEN_SORT;
	case 't':
		return SCREEN_TOTALS;
	case ' ':
		return SCREEN_PAUSE;
	case ERR:
		return SCREEN_NOTHING;
	default:
		return SCREEN_REDRAW; /* its size changed, or any other key */
	}
}
