/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky report T.h5 -o report.html: what a trace shows, on one page.
 *
 * The page holds everything that it shows: style, pictures (SVG) and numbers.
 * It is written into memory and saved whole. Whatever stems from the trace
 * passes through html_text(); what the trace can't tell is left out or "n/a".
 */
#include <stdlib.h>
#include <string.h>

#include "capture/event.h"
#include "common/command.h"
#include "common/error.h"
#include "common/output.h"
#include "common/size.h"
#include "arguments.h"
#include "html.h"
#include "plot.h"

#define FIGURES_MAX 64

static const char style[] =
	"body{margin:0;background:#fff;color:#1d2733;font:16px/1.5 system-ui,sans-serif}\n"
	"main{max-width:940px;margin:0 auto;padding:28px 20px 60px}\n"
	"h1{font-size:25px;line-height:1.25;margin:0 0 14px}\n"
	"h2{font-size:20px;margin:44px 0 6px;padding-top:18px;border-top:1px solid #dde3e9}\n"
	"p.headline{font-size:18px;background:#f3f6f9;border-left:4px solid #d55e00;"
	"margin:0 0 22px;padding:14px 18px}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 20px;margin:0}\n"
	"dt{color:#5a6b7b}dd{margin:0;overflow-wrap:anywhere}\n"
	"figure{margin:10px 0}figure svg{max-width:100%;height:auto;display:block}\n"
	"p.reading,p.note{color:#46545f;margin:4px 0 10px}\n"
	"table{border-collapse:collapse;margin:12px 0;font-variant-numeric:tabular-nums}\n"
	"th,td{padding:4px 14px;text-align:right;border-bottom:1px solid #e4e9ee}\n"
	"th{font-weight:600;border-bottom-color:#9aa7b3}\n"
	"th:first-child,td:first-child{text-align:left;padding-left:0}\n"
	"pre{background:#f3f6f9;padding:12px 16px;white-space:pre-wrap;overflow-wrap:anywhere;"
	"font-size:14px}\n"
	"dd.code{font:14px/1.7 ui-monospace,monospace;white-space:pre-wrap}\n"
	"details{margin-top:14px}summary{color:#46545f;cursor:pointer}\n";

static const char *attribute(const json_t *info, const char *name)
{
	return json_string_value(json_object_get(json_object_get(info, "attributes"), name));
}

static void begin_fact(FILE *page, const char *label, bool code)
{
	fprintf(page, "<dt>%s</dt><dd%s>", label, code ? " class=\"code\"" : "");
}

static void text_fact(FILE *page, const char *label, const char *value, bool code)
{
	if (!value)
		return;
	begin_fact(page, label, code);
	html_text(page, value);
	fputs("</dd>\n", page);
}

static void request_facts(FILE *page, const json_t *info)
{
	static const struct {
		const char *op, *label;
	} ops[] = {{"read", "read requests"}, {"write", "write requests"}};
	const json_t *requests = json_object_get(info, "requests");
	char size[16], count[48];

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		const json_t *of = json_object_get(requests, ops[i].op);

		begin_fact(page, ops[i].label, false);
		fprintf(page, "%s (%s)</dd>\n",
			draw_count(count, json_number_value(json_object_get(of, "count"))),
			size_format(size, json_integer_value(json_object_get(of, "bytes"))));
	}
}

static void loss_fact(FILE *page, const json_t *info)
{
	json_int_t lost = json_integer_value(json_object_get(info, "lost_events"));
	json_int_t cut = json_integer_value(json_object_get(info, "cut_bytes"));
	char count[48];

	begin_fact(page, "lost", false);
	if (!lost && !cut)
		fputs("nothing", page);
	if (lost)
		fprintf(page, "%s events", draw_count(count, lost));
	if (cut)
		fprintf(page, "%sthe last %lld bytes, an event cut short", lost ? ", " : "",
			(long long)cut);
	fputs("</dd>\n", page);
}

static void all_attributes(FILE *page, json_t *info)
{
	json_t *attributes = json_object_get(info, "attributes"), *value;
	const char *name;

	if (!json_object_size(attributes))
		return;
	fputs("<details><summary>Everything the recorder noted</summary>\n<dl>\n", page);
	json_object_foreach (attributes, name, value) {
		fputs("<dt>", page);
		html_text(page, name);
		fputs("</dt><dd class=\"code\">", page);
		html_text(page, json_string_value(value));
		fputs("</dd>\n", page);
	}
	fputs("</dl></details>\n", page);
}

static void write_facts(FILE *page, json_t *info)
{
	static const struct {
		const char *name, *label;
		bool code;
	} known[] = {
		{"recorder", "recorder", false}, {"importer", "imported by", false},
		{"source", "from", true},	 {"started", "recorded", false},
		{"host", "on", false},		 {"kernel", "kernel", false},
		{"fs", "file system", false},	 {"prepare", "prepared by", true},
		{"command", "command", true},	 {"then.0", "then", true},
		{"then.1", "then", true},	 {"then.2", "then", true},
	};
	const json_t *duration = json_object_get(info, "duration_ns");
	char text[48];

	fputs("<h2>The trace</h2>\n<dl>\n", page);
	text_fact(page, "file", json_string_value(json_object_get(info, "trace")), true);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		text_fact(page, known[i].label, attribute(info, known[i].name), known[i].code);
	if (json_is_integer(duration)) {
		begin_fact(page, "duration", false);
		fprintf(page, "%.1f s</dd>\n", json_integer_value(duration) / 1e9);
	}
	begin_fact(page, "events", false);
	fprintf(page, "%s</dd>\n",
		draw_count(text, json_number_value(json_object_get(info, "events"))));
	request_facts(page, info);
	loss_fact(page, info);
	fputs("</dl>\n", page);
	all_attributes(page, info);
}

static int write_figure(FILE *page, const struct figure *figure, struct results *results)
{
	char *image = NULL;
	size_t bytes;
	int rc;

	rc = figure_render(figure, results, IMAGE_SVG, &image, &bytes);
	if (rc < 0)
		return -1;
	fprintf(page, "<h2 id=\"%s\">%s</h2>\n", figure->head.name, figure->heading);
	if (rc == FIGURE_EMPTY) {
		fprintf(page, "<p class=\"note\">n/a: %s.</p>\n", figure->lacking);
		return 0;
	}
	fprintf(page, "<p class=\"reading\">%s</p>\n<figure role=\"img\" aria-label=\"%s\">\n",
		figure->reading, figure->head.summary);
	html_svg(page, figure->head.name, image);
	fputs("</figure>\n", page);
	free(image);
	if (figure->tabulate)
		figure->tabulate(results, page);
	return 0;
}

struct shares {
	double metadata, small, large, given, other, all; /* chunks */
};

static struct shares count_shares(const json_t *classes)
{
	struct shares s = {0};
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(classes, "by_class"), i, row) {
		const char *what = json_string_value(json_object_get(row, "what"));
		double chunks = json_number_value(json_object_get(row, "read_chunks")) +
				json_number_value(json_object_get(row, "write_chunks"));

		s.all += chunks;
		if (!strcmp(what, "metadata"))
			s.metadata += chunks;
		else if (strcmp(what, "data"))
			s.other += chunks;
		else if (json_integer_value(json_object_get(row, "io_class")) > CLASS_REST)
			s.small += chunks;
		else
			s.large += chunks;
	}
	json_array_foreach (json_object_get(classes, "application"), i, row) {
		double chunks = json_number_value(json_object_get(row, "read_chunks")) +
				json_number_value(json_object_get(row, "write_chunks"));

		s.given += chunks;
		if (json_integer_value(json_object_get(row, "io_class")) > CLASS_REST)
			s.small -= chunks;
		else
			s.large -= chunks;
	}
	return s;
}

static void write_shares(FILE *page, const json_t *classes)
{
	struct shares s = count_shares(classes);
	double bound =
		json_number_value(json_array_get(json_object_get(classes, "size_bounds_bytes"), 0));
	char share[SHARE_ROOM];

	if (!s.all) {
		fputs("The trace has no reads and no writes. ", page);
		return;
	}
	if (!json_is_true(json_object_get(classes, "evidence"))) {
		fputs("The trace holds block requests only, so what they carried is not known: "
		      "n/a. ",
		      page);
		return;
	}
	fprintf(page, "Of what the disk was asked for, %s was metadata, ",
		draw_share(share, s.metadata, s.all));
	fprintf(page, "%s data of files below %.4g MB", draw_share(share, s.small, s.all),
		bound / (1 << 20));
	fprintf(page, "%s %s data of larger files", s.other || s.given ? "," : " and",
		draw_share(share, s.large, s.all));
	if (s.given)
		fprintf(page, "%s %s data with a class that its program gave",
			s.other ? "," : " and", draw_share(share, s.given, s.all));
	if (s.other)
		fprintf(page, " and %s not known", draw_share(share, s.other, s.all));
	fputs(". ", page);
}

static void write_gain(FILE *page, const json_t *caches)
{
	double gain, plain, hinted;
	const char *size = telling_size(caches, &gain);
	const json_t *result;
	char text[16];

	if (!size)
		return;
	result = result_find(caches, "icache", "sky", size);
	result_read_hits(result, &hinted);
	result_read_hits(result_find(caches, "lru", "none", size), &plain);
	fprintf(page,
		"With Sky's hints a cache of %s would have served %.1f%% of the reads "
		"instead of %.1f%%; of the sizes tried, that is the one with the largest "
		"difference.",
		size_format(text, result_bytes(result)), hinted, plain);
}

/* A word as a shell reads it. */
static void write_word(FILE *page, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=./:,@%";

	if (*word && !word[strspn(word, plain)]) {
		html_text(page, word);
		return;
	}
	fputs("&#39;", page);
	for (; *word; word++) {
		char letter[2] = {*word, '\0'};

		html_text(page, *word == '\'' ? "'\\''" : letter);
	}
	fputs("&#39;", page);
}

static void write_option(FILE *page, const json_t *info, const char *name, const char *option)
{
	const char *value = attribute(info, name);

	if (!value)
		return;
	fprintf(page, " %s ", option);
	write_word(page, value);
}

static void write_recording(FILE *page, const json_t *info)
{
	static const struct {
		const char *attribute, *option;
	} options[] = {
		{"fs", "--fs"},
		{"size", "--size"},
		{"mkfs_options", "--mkfs-options"},
		{"mount_options", "--mount-options"},
		{"prepare", "--prepare"},
		{"then.0", "--then"},
		{"then.1", "--then"},
		{"then.2", "--then"},
		{"then.3", "--then"},
	};
	const char *recorder = attribute(info, "recorder"), *command = attribute(info, "command");

	if (!recorder || strcmp(recorder, "host") || !command)
		return;
	fputs("sky record --host", page);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		write_option(page, info, options[i].attribute, options[i].option);
	fputs(" -o ", page);
	write_word(page, json_string_value(json_object_get(info, "trace")));
	fputs(" -- ", page);
	html_text(page, command);
	fputc('\n', page);
}

static void write_simulation(FILE *page, const json_t *caches)
{
	const json_t *result;
	size_t i;

	fputs("sky sim --cache lru --cache icache --hints none --hints sky --hints truth", page);
	json_array_foreach (json_object_get(caches, "results"), i, result) {
		const char *size = json_string_value(json_object_get(result, "size"));

		if (result == result_find(caches, "lru", "none", size))
			fprintf(page, " --size %s", size);
	}
}

static void write_commands(FILE *page, const json_t *info, const json_t *caches)
{
	static const char *const commands[] = {"sky info", "sky classify",
					       "sky report -o report.html"};
	const char *trace = json_string_value(json_object_get(info, "trace"));

	fputs("<h2>How this was made</h2>\n<pre>", page);
	write_recording(page, info);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		fprintf(page, "%s ", commands[i]);
		write_word(page, trace);
		fputc('\n', page);
	}
	write_simulation(page, caches);
	fputc(' ', page);
	write_word(page, trace);
	fprintf(page,
		"</pre>\n<p class=\"note\">Sky %s. The same trace gives the same page, byte for "
		"byte. The commands print everything that is on it; with --json as "
		"JSON.</p>\n",
		SKY_VERSION);
}

static int write_page(FILE *page, struct results *results)
{
	const struct figure *figures[FIGURES_MAX];
	size_t count = figures_collect(figures, FIGURES_MAX);
	json_t *info = results_info(results);
	json_t *classes = info ? results_classes(results) : NULL;
	json_t *caches = classes ? results_caches(results) : NULL;

	if (!caches)
		return -1;
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<title>Sky: ",
	      page);
	html_text(page, json_string_value(json_object_get(info, "trace")));
	fprintf(page,
		"</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n"
		"<h1>What a disk was asked for, and what a cache makes of it</h1>\n"
		"<p class=\"headline\">",
		style);
	write_shares(page, classes);
	write_gain(page, caches);
	fputs("</p>\n", page);
	write_facts(page, info);
	for (size_t i = 0; i < count; i++)
		if (figures[i]->heading && write_figure(page, figures[i], results))
			return -1;
	write_commands(page, info, caches);
	fputs("</main>\n</body>\n</html>\n", page);
	return 0;
}

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "where the page goes: FILE.html", 0},
	{0},
};

static const struct argp parser = {
	.options = options,
	.parser = plot_parse_argument,
	.args_doc = "TRACE",
	.doc = "Writes a page about a trace: its facts, what the disk was asked for, how often "
	       "the hints were right, what caches would have served.\vThe page holds all its "
	       "pictures and needs no network. The same trace gives the same bytes. gnuplot draws; "
	       "it must be installed.",
};

static int report(struct results *results, struct output *output)
{
	char *text = NULL;
	size_t bytes;
	FILE *page = open_memstream(&text, &bytes);
	int rc;

	if (!page)
		return fail_errno(errno, "no memory for the page");
	rc = write_page(page, results);
	if (fclose(page) && !rc)
		rc = fail_errno(errno, "no memory for the page");
	if (rc)
		output_abandon(output);
	else
		rc = output_save(output, text, bytes);
	free(text);
	return rc;
}

static int run(int argc, char **argv)
{
	struct plot_arguments arguments = {
		.least = 1, .most = 1, .needs = "one trace and -o FILE.html are needed"};
	struct results results = {0};
	struct output output;
	int rc;

	argp_parse(&parser, argc, argv, 0, NULL, &arguments);
	if (output_begin(&output, arguments.output))
		return 1;
	results.path = arguments.words[0];
	rc = report(&results, &output);
	results_free(&results);
	return rc ? 1 : command_finish();
}

SKY_COMMAND(report, "report", "write a page about a trace (HTML)", run);
