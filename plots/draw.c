/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What figures share: colours, strings, and the stack of areas over time.
 *
 * gnuplot doesn't stack areas: each layer is drawn as the sum of itself and
 * those below it, the highest first, so that the lower ones cover what isn't
 * the layer's own.
 */
#include <string.h>

#include "capture/event.h"
#include "plot.h"

/* A longer one would run through the picture. */
#define MARK_NAME_MAX 40

const char *class_colour(int io_class)
{
	/* Data from the largest files (class 0) to the smallest (4); then metadata. */
	static const char *const by_class[] = {"#c6dbef", "#9ecae1", "#6baed6",
					       "#3182bd", "#08519c", "#d55e00"};

	if (io_class == CLASS_UNDECIDED)
		return "#c8c8c8";
	if (io_class >= 0 && io_class <= CLASS_METADATA)
		return by_class[io_class];
	return "#009e73"; /* an application's own */
}

void draw_string(FILE *script, const char *text)
{
	fputc('"', script);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', script);
		/* a line break would end the command, a ` would start one */
		fputc((unsigned char)*text < ' ' || *text == '`' ? ' ' : *text, script);
	}
	fputc('"', script);
}

/* Two points a step, so that an area has vertical flanks and is one polygon. */
static void draw_sums(FILE *script, const struct stack *stack)
{
	fprintf(script, "$%s << EOD\n", stack->name);
	for (size_t step = 0; step < stack->steps; step++) {
		bool last = step + 1 == stack->steps;
		double edge[2] = {stack->times[step], last ? stack->end : stack->times[step + 1]};

		for (size_t side = 0; side < 2; side++) {
			double sum = 0;

			fprintf(script, "%.9g", edge[side]);
			for (size_t layer = 0; layer < stack->layer_count; layer++) {
				sum += json_number_value(
					json_array_get(stack->layers[layer].values, step));
				fprintf(script, " %.9g", sum * stack->scale);
			}
			fputc('\n', script);
		}
	}
	fputs("EOD\n", script);
}

/* Where the workload's phases begin; the first is where everything begins. Names may be hostile. */
static void draw_marks(FILE *script, const struct stack *stack)
{
	const json_t *mark;
	size_t i;

	fputs("unset arrow\nunset label\n", script);
	json_array_foreach (stack->marks, i, mark) {
		const char *name = json_string_value(json_object_get(mark, "name"));
		double at =
			(json_number_value(json_object_get(mark, "time_ns")) - stack->start_ns) /
			1e9;

		if (i == 0 || !strcmp(name, "end") || at <= 0 || at >= stack->end)
			continue;
		fprintf(script,
			"set arrow from %.9g, graph 0 to %.9g, graph 1 nohead front lc rgb "
			"\"#333333\" dt 3\n",
			at, at);
		if (!stack->mark_names || strlen(name) > MARK_NAME_MAX)
			continue;
		fputs("set label ", script);
		draw_string(script, name);
		fprintf(script,
			" at %.9g, graph 0.9 right offset -0.7,0 front tc rgb \"#333333\"\n", at);
	}
}

static void draw_axes(FILE *script, const struct stack *stack)
{
	fprintf(script,
		"set lmargin at screen 0.12\nset rmargin at screen 0.735\n"
		"set bmargin at screen %.4f\nset tmargin at screen %.4f\n"
		"set xrange [%.9g:%.9g]\nset yrange [0:*]\nset ylabel ",
		1 - stack->to, 1 - stack->from, stack->times[0], stack->end);
	draw_string(script, stack->y_label);
	fputs(stack->last ? "\nset format x \"%g\"\nset xlabel \"time (s)\"\n"
			  : "\nset format x \"\"\nunset xlabel\n",
	      script);
	if (stack->legend)
		fprintf(script, "set key at screen 0.742,%.4f left top Left reverse samplen 2\n",
			1 - stack->from);
	else
		fputs("unset key\n", script);
}

void draw_stack(FILE *script, const struct stack *stack)
{
	draw_sums(script, stack);
	draw_axes(script, stack);
	draw_marks(script, stack);
	for (size_t layer = stack->layer_count; layer-- > 0;) {
		fprintf(script, "%s$%s using 1:%zu with filledcurves y=0 lc rgb \"%s\" title ",
			layer + 1 == stack->layer_count ? "plot " : ", ", stack->name, layer + 2,
			stack->layers[layer].colour);
		draw_string(script, stack->layers[layer].label);
	}
	fputc('\n', script);
}

char *draw_count(char *text, double count)
{
	char digits[32];
	int length = snprintf(digits, sizeof(digits), "%.0f", count);
	char *at = text;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	*at = '\0';
	return text;
}

char *draw_share(char *text, double part, double whole)
{
	double percent = whole ? 100 * part / whole : 0;

	if (part && percent < 0.01)
		strcpy(text, "< 0.01%");
	else if (part < whole && percent > 99.99)
		strcpy(text, "> 99.99%");
	else
		snprintf(text, SHARE_ROOM, percent == 100 ? "%.0f%%" : "%.2f%%", percent);
	return text;
}
