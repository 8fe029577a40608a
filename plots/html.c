/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "html.h"

void html_text(FILE *page, const char *text)
{
	for (; *text; text++) {
		unsigned char c = *text;

		switch (c) {
		case '&':
			fputs("&amp;", page);
			break;
		case '<':
			fputs("&lt;", page);
			break;
		case '>':
			fputs("&gt;", page);
			break;
		case '"':
			fputs("&quot;", page);
			break;
		case '\'':
			fputs("&#39;", page);
			break;
		default:
			/* HTML has no way to say control characters */
			if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
				fputs("\xef\xbf\xbd", page);
			else
				fputc(c, page);
		}
	}
}

/* Where an id or a reference to one begins, just behind what introduces it; else NULL. */
static const char *behind_id(const char *at)
{
	static const char *const introductions[] = {" id='", " id=\"", "href='#", "href=\"#",
						    "url(#"};

	for (size_t i = 0; i < sizeof(introductions) / sizeof(introductions[0]); i++) {
		size_t length = strlen(introductions[i]);

		if (!strncmp(at, introductions[i], length))
			return at + length;
	}
	return NULL;
}

void html_svg(FILE *page, const char *name, const char *svg)
{
	const char *at = strstr(svg, "<svg"), *behind;

	while (at && *at) {
		if (!strncmp(at, "<title>", 7)) {
			at = strstr(at, "</title>");
			if (at)
				at += strlen("</title>");
			continue;
		}
		behind = behind_id(at);
		if (!behind) {
			fputc(*at++, page);
			continue;
		}
		fwrite(at, 1, behind - at, page);
		fprintf(page, "%s-", name);
		at = behind;
	}
}
