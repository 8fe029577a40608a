/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a tree of JSON to names and numbers.
 *
 * The name grows and shrinks in one buffer of fixed size while the tree is
 * walked, which bounds the depth as well.
 */
#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "measure.h"

#define NAME_BYTES  512
#define LABEL_BYTES 128
#define SHORT_ARRAY 16

struct walk {
	struct measurement *to;
	char name[NAME_BYTES];
	size_t length;
};

static int visit(struct walk *walk, const json_t *value, bool labelled);

/* What stands under the name extended by a part. */
static int visit_row(struct walk *walk, const char *part, const json_t *value, bool labelled)
{
	size_t length = walk->length, room = NAME_BYTES - length;
	int added = snprintf(walk->name + length, room, "%s%s", length ? "." : "", part), rc;

	if (added >= (int)room)
		return fail("%s: a number's name, with those of what it is in, is longer than %d "
			    "characters; no command of Sky writes such names",
			    walk->to->path, NAME_BYTES - 1);
	walk->length += added;
	rc = visit(walk, value, labelled);
	walk->length = length;
	walk->name[length] = '\0';
	return rc;
}

static int visit_part(struct walk *walk, const char *part, const json_t *value)
{
	return visit_row(walk, part, value, false);
}

/* Is it a member that tells a row from its neighbours? */
static bool is_label(const char *key, const json_t *value)
{
	return json_is_string(value) || !strcmp(key, "io_class");
}

/* A labelled row's name holds its labels already. */
static int visit_object(struct walk *walk, const json_t *object, bool labelled)
{
	const char *key;
	json_t *value;
	int rc = 0;

	json_object_foreach ((json_t *)object, key, value) {
		if (labelled && is_label(key, value))
			continue;
		rc = visit_part(walk, key, value);
		if (rc)
			break;
	}
	return rc;
}

/* "data:4": a row's labels; false if there are none or too long ones. */
static bool label_of(const json_t *row, char *label)
{
	size_t length = 0;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)row, key, value) {
		char number[32];
		const char *text = json_string_value(value);

		if (!is_label(key, value) || json_is_null(value))
			continue;
		if (!text) {
			snprintf(number, sizeof(number), "%lld",
				 (long long)json_integer_value(value));
			text = number;
		}
		length += snprintf(label + length, LABEL_BYTES - length, "%s%s", length ? ":" : "",
				   text);
		if (length >= LABEL_BYTES)
			return false;
	}
	return length > 0;
}

/* Do the labels tell all elements apart? */
static bool has_labels(const json_t *array)
{
	json_t *seen = json_object();
	const json_t *row;
	bool distinct = seen != NULL;
	size_t i;

	json_array_foreach (array, i, row) {
		char label[LABEL_BYTES];

		distinct = json_is_object(row) && label_of(row, label) &&
			   !json_object_get(seen, label) &&
			   !json_object_set_new(seen, label, json_true());
		if (!distinct)
			break;
	}
	json_decref(seen);
	return distinct;
}

/*
 * Of points, the numbers that each has; of more than a few numbers 1. 0 where the
 * elements stand for themselves.
 */
static size_t columns_of(const json_t *array)
{
	size_t columns = json_array_size(json_array_get(array, 0)), i, j;
	const json_t *point, *number;

	if (!columns && json_array_size(array) <= SHORT_ARRAY)
		return 0;
	json_array_foreach (array, i, point) {
		if (columns ? json_array_size(point) != columns : !json_is_number(point))
			return 0;
		json_array_foreach (point, j, number)
			if (!json_is_number(number))
				return 0;
	}
	return columns ? columns : 1;
}

static double number_at(const json_t *array, size_t at, size_t column)
{
	const json_t *value = json_array_get(array, at);

	return json_number_value(json_is_array(value) ? json_array_get(value, column) : value);
}

static json_t *column_json(const json_t *array, size_t column)
{
	double sum = 0, least = number_at(array, 0, column), greatest = least;
	size_t count = json_array_size(array);

	for (size_t i = 0; i < count; i++) {
		double number = number_at(array, i, column);

		sum += number;
		least = number < least ? number : least;
		greatest = number > greatest ? number : greatest;
	}
	return json_pack("{s:f, s:f, s:f}", "mean", sum / count, "min", least, "max", greatest);
}

static int visit_series(struct walk *walk, const json_t *array, size_t columns)
{
	json_t *series = json_pack("{s:I}", "count", (json_int_t)json_array_size(array)), *column;
	int rc;

	for (size_t i = 0; i < columns; i++) {
		char name[24];

		snprintf(name, sizeof(name), "%zu", i);
		column = column_json(array, i);
		if (columns > 1)
			json_object_set_new(series, name, column);
		else
			json_object_update_new(series, column);
	}
	rc = visit(walk, series, false);
	json_decref(series);
	return rc;
}

static int visit_array(struct walk *walk, const json_t *array)
{
	size_t columns = columns_of(array), i;
	bool labels = has_labels(array);
	const json_t *value;
	int rc = 0;

	if (columns)
		return visit_series(walk, array, columns);
	json_array_foreach (array, i, value) {
		char label[LABEL_BYTES];

		if (!labels || !label_of(value, label))
			snprintf(label, sizeof(label), "%zu", i);
		rc = visit_row(walk, label, value, labels);
		if (rc)
			break;
	}
	return rc;
}

static int visit_leaf(struct walk *walk, const json_t *value)
{
	struct measurement *to = walk->to;
	json_t *into = json_is_number(value) || json_is_null(value) ? to->numbers : to->words;
	json_t *copy = json_is_boolean(value) ? json_string(json_is_true(value) ? "true" : "false")
					      : json_incref((json_t *)value);

	if (json_object_get(to->numbers, walk->name) || json_object_get(to->words, walk->name)) {
		json_decref(copy);
		return fail("%s: two values are both called \"%s\"", to->path, walk->name);
	}
	if (json_object_set_new(into, walk->name, copy))
		return fail("%s: out of memory, or \"%s\" is no UTF-8", to->path, walk->name);
	return 0;
}

static int visit(struct walk *walk, const json_t *value, bool labelled)
{
	if (json_is_object(value))
		return visit_object(walk, value, labelled);
	if (json_is_array(value))
		return visit_array(walk, value);
	return visit_leaf(walk, value);
}

int flatten(struct measurement *measurement, const char *name, const json_t *value)
{
	struct walk walk = {.to = measurement};

	return *name ? visit_part(&walk, name, value) : visit(&walk, value, false);
}
