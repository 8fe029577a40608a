/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "capture/event.h"
#include "sim_table.h"

#define LABEL_ROOM   96
#define BLOCKS_WIDTH 12
#define PART_INDENT  2

/* Lists of parts that a result may have, and what stands before a part's own label. */
static const struct {
	const char *name, *label;
	bool is_class;
} parts[] = {
	{"by_class", "hint: ", true},
	{"by_true_class", "truth: ", false},
	{"by_file_size", "", false},
	{"by_disk", "", false},
};
#define PARTS (sizeof(parts) / sizeof(*parts))

struct widths {
	int cache, hints, size;
};

static void print_count(const json_t *object, const char *name, int width)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value))
		printf("%*" JSON_INTEGER_FORMAT, width, json_integer_value(value));
	else
		printf("%*s", width, "n/a");
}

static void print_ratio(const json_t *object, int width)
{
	const json_t *value = json_object_get(object, "miss_ratio");

	if (json_is_real(value))
		printf("%*.4f", width, json_real_value(value));
	else
		printf("%*s", width, "n/a");
}

/* Of a device's time, where somebody asked for it. */
static void print_seconds(const json_t *object, int width)
{
	const json_t *saved = json_object_get(object, "device_ns_saved");

	if (saved)
		printf("%*.2f", width, json_integer_value(saved) / 1e9);
}

static const json_t *class_of(const json_t *result, int io_class)
{
	const json_t *object;
	size_t i;

	json_array_foreach (json_object_get(result, "by_class"), i, object)
		if (json_integer_value(json_object_get(object, "io_class")) == io_class &&
		    json_is_integer(json_object_get(object, "io_class")))
			return object;
	return NULL;
}

static int longest(const json_t *results, const char *name, int least)
{
	const json_t *result;
	size_t i;

	json_array_foreach (results, i, result) {
		int length = strlen(json_string_value(json_object_get(result, name)));

		least = length > least ? length : least;
	}
	return least;
}

static void print_counts(const json_t *object)
{
	print_count(object, "hits", 14);
	print_count(object, "misses", 14);
	print_ratio(object, 12);
	print_ratio(json_object_get(object, "reads"), 10);
	print_ratio(json_object_get(object, "writes"), 10);
}

static void label_part(char *label, size_t kind, const json_t *part)
{
	const char *own = json_string_value(json_object_get(part, "label"));

	if (own)
		snprintf(label, LABEL_ROOM, "%s%s", parts[kind].label, own);
	else
		snprintf(label, LABEL_ROOM, "disk %" JSON_INTEGER_FORMAT,
			 json_integer_value(json_object_get(part, "disk")));
}

/* In the place of the result's name and size, which `width` columns are for. */
static void print_parts(const json_t *result, size_t kind, int width)
{
	const json_t *list = json_object_get(result, parts[kind].name), *part;
	char label[LABEL_ROOM];
	size_t i;

	if (json_is_null(list))
		printf("%*s%s: n/a\n", PART_INDENT, "", parts[kind].name);
	json_array_foreach (list, i, part) {
		label_part(label, kind, part);
		printf("%*s%-*s", PART_INDENT, "", width - PART_INDENT, label);
		print_counts(part);
		print_seconds(part, 10 + 12);
		printf("\n");
	}
}

static void print_result(const json_t *result, const struct widths *w, bool with_classes)
{
	printf("%-*s  %-*s  %*s", w->cache, json_string_value(json_object_get(result, "cache")),
	       w->hints, json_string_value(json_object_get(result, "hints")), w->size,
	       json_string_value(json_object_get(result, "size")));
	print_count(result, "size_entries", BLOCKS_WIDTH);
	print_counts(result);
	print_ratio(class_of(result, CLASS_METADATA), 10);
	print_seconds(json_object_get(result, "device"), 12);
	printf("\n");
	for (size_t kind = 0; kind < PARTS; kind++)
		if (with_classes || !parts[kind].is_class)
			print_parts(result, kind,
				    w->cache + 2 + w->hints + 2 + w->size + BLOCKS_WIDTH);
}

static bool has_device(const json_t *results)
{
	const json_t *result = json_array_get(results, 0);

	return json_object_get(json_object_get(result, "device"), "device_ns") != NULL;
}

/* Parts are named where results have their names: that may need more room. */
static int widest_label(const json_t *results, bool with_classes)
{
	const json_t *result, *part;
	char label[LABEL_ROOM];
	int width = 0;
	size_t i, j;

	json_array_foreach (results, i, result)
		for (size_t kind = 0; kind < PARTS; kind++) {
			if (parts[kind].is_class && !with_classes)
				continue;
			json_array_foreach (json_object_get(result, parts[kind].name), j, part) {
				int length;

				label_part(label, kind, part);
				length = PART_INDENT + strlen(label);
				width = length > width ? length : width;
			}
		}
	return width;
}

void sim_table_head(const json_t *json)
{
	printf("%s: %" JSON_INTEGER_FORMAT " requests, %" JSON_INTEGER_FORMAT
	       " references to %" JSON_INTEGER_FORMAT " distinct blocks (%s)\n\n",
	       json_string_value(json_object_get(json, "trace")),
	       json_integer_value(json_object_get(json, "requests")),
	       json_integer_value(json_object_get(json, "references")),
	       json_integer_value(json_object_get(json, "distinct_blocks")),
	       json_string_value(json_object_get(json, "granularity")));
}

void sim_table_print(const json_t *json, bool with_classes)
{
	const json_t *results = json_object_get(json, "results"), *result;
	struct widths w = {
		.cache = longest(results, "cache", 5),
		.hints = longest(results, "hints", 5),
		.size = longest(results, "size", 4),
	};
	int label = widest_label(results, with_classes) - 2 - w.hints - 2 - w.size - BLOCKS_WIDTH;
	size_t i;

	w.cache = label > w.cache ? label : w.cache;
	sim_table_head(json);
	printf("%-*s  %-*s  %*s%*s%14s%14s%12s%10s%10s%10s", w.cache, "cache", w.hints, "hints",
	       w.size, "size", BLOCKS_WIDTH, "blocks", "hits", "misses", "miss ratio", "reads",
	       "writes", "metadata");
	printf("%s\n", has_device(results) ? "     s saved" : "");
	json_array_foreach (results, i, result)
		print_result(result, &w, with_classes);
}
