/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "workloads/file_set.h"

#define SIZES_STREAM UINT32_MAX /* of random numbers; threads count from 0 */

/* As many levels as let no folder have more entries than the width. */
static unsigned levels(uint64_t files, uint64_t width)
{
	unsigned count = 0;

	for (uint64_t folders = (files - 1) / width; folders; folders /= width)
		count++;
	return count;
}

int file_set_init(struct file_set *set, const struct file_set_form *form)
{
	struct prng prng;

	*set = (struct file_set){
		.folder = form->folder,
		.files = form->files,
		.width = form->width,
		.levels = levels(form->files, form->width),
		.first_number = form->first_number,
		.file = calloc(form->files, sizeof(*set->file)),
	};
	if (!set->file)
		return fail("out of memory for a set of %u files", set->files);
	prng_seed(&prng, form->seed, SIZES_STREAM);
	for (uint32_t i = 0; i < set->files; i++)
		set->file[i].whole_bytes = whole_tags(
			form->equal ? form->mean_bytes : prng_gamma(&prng, form->mean_bytes));
	return 0;
}

void file_set_fini(struct file_set *set)
{
	free(set->file);
	set->file = NULL;
}

/* The folder of a file so many levels deep; returns the length. */
static int folder_path(const struct file_set *set, uint32_t file, unsigned depth, char *path)
{
	int length = snprintf(path, PATH_BYTES, "%s", set->folder);

	for (unsigned level = 0; level < depth; level++) {
		uint32_t number = file / set->width;

		for (unsigned below = level + 1; below < set->levels; below++)
			number /= set->width;
		length += snprintf(path + length, PATH_BYTES - length, "/%u", number % set->width);
	}
	return length;
}

void file_set_path(const struct file_set *set, uint32_t file, char *path)
{
	int length = folder_path(set, file, set->levels, path);

	snprintf(path + length, PATH_BYTES - length, "/%08u", file);
}

/* Siblings share their folders: only the first one has to make them. */
static int make_folders(const struct file_set *set, uint32_t file, bool *new)
{
	char path[PATH_BYTES];

	*new |= !file;
	if (file % set->width)
		return 0;
	for (unsigned depth = 0; depth <= set->levels; depth++) {
		folder_path(set, file, depth, path);
		if (!mkdir(path, 0755))
			continue;
		if (errno != EEXIST)
			return fail_errno(errno, "the folder %s could not be made", path);
		*new &= depth > 0;
	}
	return 0;
}

int file_set_open(const struct file_set *set, uint32_t file, int flags)
{
	char path[PATH_BYTES];
	int fd;

	file_set_path(set, file, path);
	fd = open(path, flags | O_CLOEXEC, 0644);
	return fd < 0 ? fail_errno(errno, "%s could not be opened", path) : fd;
}

static int make_file(struct file_set *set, struct worker *worker, uint32_t index)
{
	struct set_file *file = &set->file[index];
	uint32_t number = set->first_number + index;
	int fd = file_set_open(set, index, O_WRONLY | O_CREAT | O_TRUNC), rc;

	if (fd < 0)
		return -1;
	worker_count(worker, OPERATION_CREATE, number, 0, 0);
	rc = worker_write(worker, fd, number, 0, file->whole_bytes);
	worker_count(worker, OPERATION_WRITE, number, 0, file->whole_bytes);
	close(fd);
	worker_count(worker, OPERATION_CLOSE, number, 0, 0);
	file->bytes = file->whole_bytes;
	file->there = true;
	return rc;
}

/* What an earlier run may have left. */
static int remove_file(const struct file_set *set, uint32_t file)
{
	char path[PATH_BYTES];

	file_set_path(set, file, path);
	return unlink(path) && errno != ENOENT ? fail_errno(errno, "%s could not be removed", path)
					       : 0;
}

int file_set_make(struct file_set *set, struct worker *worker,
		  bool (*wanted)(uint32_t file, const void *context), const void *context)
{
	bool new = false;

	for (uint32_t i = 0; i < set->files; i++) {
		if (make_folders(set, i, &new))
			return -1;
		if (wanted && !wanted(i, context) ? !new &&remove_file(set, i)
						  : make_file(set, worker, i))
			return -1;
	}
	return 0;
}

int file_set_look(struct file_set *set)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < set->files; i++) {
		char path[PATH_BYTES];
		struct stat status;

		file_set_path(set, i, path);
		set->file[i].there = !stat(path, &status);
		if (!set->file[i].there)
			continue;
		set->file[i].bytes = status.st_size;
		found++;
	}
	if (!found)
		return fail("there are no files in %s; make them with --phase prepare and the "
			    "same options",
			    set->folder);
	return 0;
}
