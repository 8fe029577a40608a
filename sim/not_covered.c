/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of holes: what the recorder left out says the trace, what the
 * pipeline could not follow say its counters.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/not_covered.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

struct hole {
	const char *name, *why;
};

/* Attributes that recorders leave, with a number, at the end of a trace. */
static const struct hole recorded[RECORDED_HOLES] = {
	{"calls_not_covered", "calls of 32-bit programs, which the recorder leaves out"},
	{"chunks_skipped", "chunks written in part, whose rest the recorder was told not to read"},
	{"page_looks_late",
	 "writes to the disk that went on before their mapped pages were looked at"},
};

static const struct hole counted[] = {
	{"chunks_without_sum",
	 "the content of these written chunks is unknown: known by their neighbours only"},
	{"requests_without_sums", "disk reads without checksums: their chunks have no hint"},
	{"requests_never_completed", "disk reads whose completion is not in the trace"},
	{"unmatched_exits", "returns of calls whose entry is not in the trace"},
	{"lost_exits", "calls of which no return was seen: what they did is taken for done"},
	{"unknown_descriptors", "calls on descriptors that nothing told of: file and size unknown"},
	{"completions_unseen",
	 "asynchronous requests that must be over, with what result nobody saw: what they read is "
	 "missed"},
	{"completions_unknown",
	 "completions of asynchronous requests that no call had handed over: file and offset "
	 "are what the completion tells"},
	{"processes_with_sqpoll",
	 "the kernel takes their io_uring requests from memory without a call: all of that I/O "
	 "is missed"},
	{"copy_sums_forgotten",
	 "chunks read by copying programs, forgotten for newer ones: copies of them are missed"},
	{"chunks_aged", "written chunks that did not come to the disk in time, and were given up"},
	{"chunks_given_up", "written chunks, the oldest, that had to make room"},
	{"reads_given_up", "chunks read, the oldest, that had to make room and have no hint"},
	{"calls_given_up", "calls out, the oldest, that had to make room"},
	{"threads_given_up", "threads that had to make room"},
	{"processes_given_up", "processes that had to make room"},
	{"entries_without_room", "what a full table had no room for"},
};

static const struct hole in_the_trace[] = {
	{"events_lost", "the recorder was too slow for them"},
	{"bytes_cut", "the trace's damaged end"},
};

static uint64_t number_of(const struct text *text)
{
	uint64_t number = 0;

	for (uint32_t i = 0; i < text->count; i++) {
		if (text->at[i] < '0' || text->at[i] > '9' || number > UINT64_MAX / 10 - 1)
			return 0; /* no count: it says nothing */
		number = number * 10 + (text->at[i] - '0');
	}
	return number;
}

void not_covered_note(struct recorded_holes *holes, const struct event *event)
{
	const struct text *name = &event->attribute.name;

	if (event->kind == EVENT_LOSS)
		holes->events_lost += event->loss.count;
	for (size_t i = 0; event->kind == EVENT_ATTRIBUTE && i < RECORDED_HOLES; i++)
		if (text_is(name, recorded[i].name))
			holes->attribute[i] += number_of(&event->attribute.value);
}

static void set(json_t *all, const char *name, uint64_t count)
{
	json_object_set_new(all, name,
			    json_integer(count > INT64_MAX ? INT64_MAX : (json_int_t)count));
}

json_t *not_covered_json(const struct recorded_holes *holes, const json_t *counters,
			 uint64_t cut_bytes)
{
	json_t *all = json_object();

	set(all, "events_lost", holes->events_lost);
	for (size_t i = 0; i < RECORDED_HOLES; i++)
		set(all, recorded[i].name, holes->attribute[i]);
	for (size_t i = 0; counters && i < COUNT_OF(counted); i++)
		set(all, counted[i].name,
		    json_integer_value(json_object_get(counters, counted[i].name)));
	set(all, "bytes_cut", cut_bytes);
	return all;
}

static const char *why_among(const struct hole *holes, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(holes[i].name, name))
			return holes[i].why;
	return NULL;
}

const char *not_covered_why(const char *name)
{
	const char *why = why_among(recorded, RECORDED_HOLES, name);

	if (!why)
		why = why_among(counted, COUNT_OF(counted), name);
	return why ? why : why_among(in_the_trace, COUNT_OF(in_the_trace), name);
}

json_t *not_covered_reasons(const json_t *not_covered)
{
	json_t *reasons = json_object(), *count;
	const char *name;

	json_object_foreach ((json_t *)not_covered, name, count)
		if (json_integer_value(count) && not_covered_why(name))
			json_object_set_new(reasons, name, json_string(not_covered_why(name)));
	return reasons;
}
