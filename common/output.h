/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that appear whole or not at all.
 *
 * A writer fills PATH.part; output_commit() syncs it and renames it to PATH,
 * output_abandon() removes it. A reader never meets half a file.
 */
#ifndef SKY_OUTPUT_H
#define SKY_OUTPUT_H

struct output {
	char *path, *part;
};

/* Refuses (with a sentence) where PATH could not be renamed to later; creates nothing yet. */
int output_begin(struct output *output, const char *path);

/* fsync, rename, fsync of the folder; frees the names. Abandons on failure. */
int output_commit(struct output *output);

/* Removes the .part file; frees the names. Harmless after a commit. */
void output_abandon(struct output *output);

#endif
