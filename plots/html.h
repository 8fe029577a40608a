/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of a page. What comes from a trace goes through html_text().
 */
#ifndef SKY_HTML_H
#define SKY_HTML_H

#include <stdio.h>

/* Writes text so that a browser shows exactly that, inside or between tags. */
void html_text(FILE *page, const char *text);

/*
 * Puts an SVG file into the page: without its XML prologue and tool tips, with
 * the name before each id, because ids are the whole page's.
 */
void html_svg(FILE *page, const char *name, const char *svg);

#endif
