/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "plots/html.h"
#include "plots/plot.h"

static char *text;
static size_t text_bytes;

static FILE *text_begin(void)
{
	return open_memstream(&text, &text_bytes);
}

static void text_expect(FILE *file, const char *expected)
{
	fclose(file);
	cr_expect_str_eq(text, expected);
	free(text);
}

Test(plots, what_a_browser_would_take_for_markup_is_escaped)
{
	FILE *page = text_begin();

	html_text(page, "<script>alert('&\"')</script>\n\tä\x1b[31m");
	text_expect(page,
		    "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;\n\tä\xef\xbf\xbd"
		    "[31m");
}

Test(plots, pictures_on_one_page_keep_their_ids_apart)
{
	FILE *page = text_begin();

	html_svg(page, "hits",
		 "<?xml version=\"1.0\"?>\n<svg><title>tip</title><path id='gpPt0' d='M0,0'/>"
		 "<use xlink:href='#gpPt0' fill='#FFFFFF'/></svg>");
	text_expect(page, "<svg><path id='hits-gpPt0' d='M0,0'/>"
			  "<use xlink:href='#hits-gpPt0' fill='#FFFFFF'/></svg>");
}

Test(plots, a_string_cannot_end_its_quotes_or_its_line)
{
	FILE *script = text_begin();

	draw_string(script, "a\"b\\c\n`d`");
	text_expect(script, "\"a\\\"b\\\\c  d \"");
}

Test(plots, counts_are_grouped_by_thousands)
{
	char count[48];

	cr_expect_str_eq(draw_count(count, 0), "0");
	cr_expect_str_eq(draw_count(count, 999), "999");
	cr_expect_str_eq(draw_count(count, 1000), "1,000");
	cr_expect_str_eq(draw_count(count, 1234567), "1,234,567");
}

Test(plots, a_share_looks_like_none_or_all_only_when_it_is)
{
	char share[SHARE_ROOM];

	cr_expect_str_eq(draw_share(share, 0, 0), "0.00%");
	cr_expect_str_eq(draw_share(share, 1, 1000000), "< 0.01%");
	cr_expect_str_eq(draw_share(share, 999999, 1000000), "> 99.99%");
	cr_expect_str_eq(draw_share(share, 7, 7), "100%");
	cr_expect_str_eq(draw_share(share, 1, 8), "12.50%");
}

static int draw_line(struct results *results, FILE *script)
{
	fputs("plot [0:1] x title \"a line\"\n", script);
	return 0;
}

static int draw_nonsense(struct results *results, FILE *script)
{
	fputs("plot $nothing\n", script);
	return 0;
}

static int draw_nothing(struct results *results, FILE *script)
{
	return FIGURE_EMPTY;
}

static struct figure figure_with(int (*draw)(struct results *, FILE *))
{
	return (struct figure){
		.head = {.kind = "figure", .name = "test"},
		.height_pixels = 200,
		.draw = draw,
	};
}

Test(plots, the_same_commands_give_the_same_bytes)
{
	struct figure figure = figure_with(draw_line);
	static const char *const begins[] = {[IMAGE_SVG] = "<?xml", [IMAGE_PNG] = "\x89PNG"};

	for (enum image_format format = IMAGE_SVG; format <= IMAGE_PNG; format++) {
		char *image[2];
		size_t bytes[2];

		for (int i = 0; i < 2; i++)
			cr_assert_eq(figure_render(&figure, NULL, format, &image[i], &bytes[i]), 0);
		cr_expect_eq(bytes[0], bytes[1]);
		cr_expect_eq(memcmp(image[0], image[1], bytes[0]), 0);
		cr_expect_eq(strncmp(image[0], begins[format], strlen(begins[format])), 0);
		free(image[0]);
		free(image[1]);
	}
}

Test(plots, what_gnuplot_refuses_is_an_error)
{
	struct figure figure = figure_with(draw_nonsense);
	char *image;
	size_t bytes;

	cr_expect_eq(figure_render(&figure, NULL, IMAGE_SVG, &image, &bytes), -1);
}

Test(plots, without_gnuplot_a_figure_is_an_error)
{
	struct figure figure = figure_with(draw_line);
	char *image;
	size_t bytes;

	setenv("PATH", "/nonexistent", 1);
	cr_expect_eq(figure_render(&figure, NULL, IMAGE_SVG, &image, &bytes), -1);
}

Test(plots, an_empty_figure_is_not_drawn)
{
	struct figure figure = figure_with(draw_nothing);
	char *image;
	size_t bytes;

	cr_expect_eq(figure_render(&figure, NULL, IMAGE_SVG, &image, &bytes), FIGURE_EMPTY);
}
