/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures, and what they are drawn from.
 *
 * A figure turns the results that it needs into gnuplot commands; gnuplot.c
 * runs them. `sky plot` draws one figure, `sky report` all that have something
 * to show. Results are JSON as the commands print them, so a figure shows
 * nothing that a user could not get as numbers.
 */
#ifndef SKY_PLOT_H
#define SKY_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "common/component.h"

struct measure; /* side_by_side.h */

/* What is known of one trace; each part is found out when it is first asked for. */
struct results {
	const char *path;
	json_t *info;	 /* trace_info() */
	json_t *classes; /* classify_trace() */
	json_t *caches;	 /* cache_simulate(): lru and icache, a ladder of sizes, every hint mode */
	json_t *lifetimes; /* lifetimes_of_trace() */
	json_t *curves;	   /* mrc_trace(), for the figure of `sky mrc` */
	json_t *policies;  /* cache_simulate(): every policy and icache over it, by all hints */
	const struct measure *measure; /* of what is compared; NULL = hits of reads */
	struct results *next;	       /* of another trace, where a figure shows several */
};

/* Borrowed; NULL after saying what is wrong. */
json_t *results_info(struct results *results);
json_t *results_classes(struct results *results);
json_t *results_caches(struct results *results);
json_t *results_lifetimes(struct results *results);
json_t *results_policies(struct results *results);
void results_free(struct results *results);

/* One of results_caches(), or NULL. Names as the caches and sizes are given there. */
const json_t *result_find(const json_t *caches, const char *cache, const char *hints,
			  const char *size);

/* Hits in percent of the blocks read; false if that isn't known, or nothing was read. */
bool result_read_hits(const json_t *result, double *percent);
double result_bytes(const json_t *result);

/*
 * The size at which icache with Sky's hints is ahead of lru by most (in percent
 * points of the reads, which may be negative); NULL where there are no hints or no reads.
 */
const char *telling_size(const json_t *caches, double *gain);

/* draw() when the trace doesn't hold what the figure shows; nothing was said. */
#define FIGURE_EMPTY 1

struct figure {
	struct component head;
	unsigned position;   /* in the report, from the top */
	const char *heading; /* in the report; NULL = it is not there: it takes too long */
	const char *reading; /* one sentence on how to read it */
	const char *lacking; /* why it may be empty */
	unsigned height_pixels;
	bool several; /* it can show several traces in one picture */
	/* Writes the same in numbers, a table of HTML; NULL = the report has none. */
	void (*tabulate)(struct results *results, FILE *page);
	/* Writes gnuplot commands. 0, FIGURE_EMPTY, or -1 after saying what is wrong. */
	int (*draw)(struct results *results, FILE *script);
};

#define FIGURE_WIDTH_PIXELS 900

/* All figures, by position; returns how many. */
size_t figures_collect(const struct figure **list, size_t max);

/* Fills and commits the output, or abandons it and says why; 0 or -1. */
struct output;
int output_save(struct output *output, const char *bytes, size_t count);

enum image_format { IMAGE_SVG, IMAGE_PNG };

/*
 * Draws a figure into *image, which the caller frees. 0, FIGURE_EMPTY, or -1
 * after saying what is wrong. The same results give the same bytes.
 */
int figure_render(const struct figure *figure, struct results *results, enum image_format format,
		  char **image, size_t *bytes);

/* By the file's ending, an enum image_format; -1 if it is none. */
int figure_format(const char *path);

/* Draws a figure into a file whose ending is known to be one; 0, or -1 after saying what is wrong. */
int figure_save(const struct figure *figure, struct results *results, const char *path);

/* Of results->curves, which the caller has: not among those that a trace alone is enough for. */
extern const struct figure miss_ratio_figure;

/* Also of results->policies that were simulated otherwise: `sky sim` draws it. */
extern const struct figure policies_figure;

/*
 * The colour of a priority class, or of CLASS_UNDECIDED: colours that stay
 * apart for the colour-blind (Okabe, Ito 2008), a ramp of blues for file sizes.
 */
const char *class_colour(int io_class);

/* A string between double quotes as gnuplot reads them. */
void draw_string(FILE *script, const char *text);

/* "1,234,567" into text, which has room for at least 48 bytes; returns text. */
char *draw_count(char *text, double count);

/* "12.34%" into text; what isn't nothing or all doesn't look like it. Returns text. */
#define SHARE_ROOM 16
char *draw_share(char *text, double part, double whole);

/* One layer of a stack: a value a step. */
struct layer {
	const char *label, *colour;
	const json_t *values; /* array of numbers */
};

/* A panel of stacked areas over time. */
struct stack {
	const char *name;	    /* of its data, letters only */
	const char *y_label;	    /* with the unit */
	double from, to;	    /* fractions of the picture's height, from the top */
	const struct layer *layers; /* bottom first */
	size_t layer_count, steps;
	const double *times; /* left edges, in seconds since start_ns; the last ends at `end` */
	double end;
	double scale; /* values are multiplied by it */
	double start_ns;
	const json_t *marks; /* of the trace's info */
	bool mark_names;     /* inside the panel */
	bool legend;	     /* beside it */
	bool last;	     /* the time axis is below this one */
};

/* Draws it inside a multiplot. */
void draw_stack(FILE *script, const struct stack *stack);

#endif
