/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SKY_CONVERT_H
#define SKY_CONVERT_H

#include "source.h"

/* A trace becomes another, event by event. */
struct trace_copy {
	const char *input, *output; /* as trace_open() and trace_new() take them */
	const char *form;	    /* NULL: the output's name says it */
	uint32_t kinds;		    /* KIND_BITs of the events that are copied */
	const char *label;	    /* "converting": for the progress */
	/*
	 * May edit the events, not what their arrays and texts point to; what they point to
	 * afterwards must last until the next call. 0, or -1 after saying why not. NULL: no edits.
	 */
	int (*change)(void *context, struct event *events, size_t count);
	void *context;
};

/*
 * A stream that ends in the middle of a record is taken up to its last whole
 * one; how much was cut is said and kept as an attribute "cut_bytes". 0, or -1
 * after saying why; no output is left then.
 */
int trace_copy(const struct trace_copy *copy);

/* Copies a trace of any form to another, whose form its name's ending says. */
int convert_file(const char *input, const char *output);

#endif
