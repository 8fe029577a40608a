/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many files in a tree of folders, as Filebench's file sets.
 *
 * Every file has a size of its own, drawn with the seed: that is what it gets
 * when it is made or written whole. Which files are there, and how long they
 * are by now, is kept here; for a set made earlier it is looked up.
 */
#ifndef SKY_FILE_SET_H
#define SKY_FILE_SET_H

#include <stdbool.h>

#include "workloads/worker.h"

#define PATH_BYTES 256

struct set_file {
	uint64_t bytes;	      /* as it is now */
	uint64_t whole_bytes; /* when it is written whole */
	bool there;
};

struct file_set {
	const char *folder;
	uint32_t files, width; /* of a folder, in entries */
	unsigned levels;       /* of folders below the first */
	uint32_t first_number; /* of its files in the tags */
	struct set_file *file;
};

struct file_set_form {
	const char *folder;
	uint64_t files, width, seed;
	uint32_t first_number;
	double mean_bytes;
	bool equal; /* every file has the mean size; otherwise they are gamma-distributed */
};

/* 0 or -1; makes nothing yet. */
int file_set_init(struct file_set *set, const struct file_set_form *form);
void file_set_fini(struct file_set *set);

/* path has PATH_BYTES. */
void file_set_path(const struct file_set *set, uint32_t file, char *path);

/* Makes the folders, and those files for which wanted() says so (NULL = all). 0 or -1. */
int file_set_make(struct file_set *set, struct worker *worker,
		  bool (*wanted)(uint32_t file, const void *context), const void *context);

/* Finds out which files are there; -1 if none is. */
int file_set_look(struct file_set *set);

/* A descriptor or -1 after saying why. */
int file_set_open(const struct file_set *set, uint32_t file, int flags);

#endif
