/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that appear whole or not at all.
 *
 * A writer fills PATH.part; output_commit() syncs it and renames it to PATH,
 * output_abandon() removes it. A reader never meets half a file.
 */
#ifndef SKY_OUTPUT_H
#define SKY_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output {
	char *path, *part;
};

/* Are both names of one file? Then writing the one would replace the other. */
bool output_is_input(const char *output, const char *input);

/* Refuses (with a sentence) where PATH could not be renamed to later; creates nothing yet. */
int output_begin(struct output *output, const char *path);

/* Opens the .part file to write to it; NULL after saying why not and abandoning. */
FILE *output_open(struct output *output);

/* Closes the file and commits; abandons, after saying so, if it isn't whole. 0 or -1. */
int output_close(struct output *output, FILE *file);

/* fsync, rename, fsync of the folder; frees the names. Abandons on failure. */
int output_commit(struct output *output);

/* Removes the .part file; frees the names. Harmless after a commit. */
void output_abandon(struct output *output);

#endif
