/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "output.h"

static void forget(struct output *output)
{
	free(output->path);
	free(output->part);
	output->path = output->part = NULL;
}

bool output_is_input(const char *output, const char *input)
{
	struct stat of_output, of_input;

	return !stat(output, &of_output) && !stat(input, &of_input) &&
	       of_output.st_dev == of_input.st_dev && of_output.st_ino == of_input.st_ino;
}

int output_begin(struct output *output, const char *path)
{
	struct stat st;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return fail("%s is not a regular file; name another to write to", path);
	output->path = strdup(path);
	if (!output->path || asprintf(&output->part, "%s.part", path) < 0) {
		free(output->path);
		output->path = output->part = NULL;
		return fail("out of memory for the name of %s", path);
	}
	return 0;
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

FILE *output_open(struct output *output)
{
	FILE *file = fopen(output->part, "we");

	if (!file) {
		fail_errno(errno, "cannot create %s", output->part);
		output_abandon(output);
	}
	return file;
}

int output_close(struct output *output, FILE *file)
{
	bool whole = !ferror(file);

	if (fclose(file) || !whole) {
		fail_errno(errno, "cannot write %s (is the disk full?)", output->path);
		output_abandon(output);
		return -1;
	}
	return output_commit(output);
}

int output_commit(struct output *output)
{
	char *folder;
	int rc = 0;

	if (sync_path(output->part, O_RDONLY) || rename(output->part, output->path)) {
		fail_errno(errno, "cannot complete %s (free some space or choose another place)",
			   output->path);
		output_abandon(output);
		return -1;
	}
	/* dirname() may edit its argument; the name is not needed any more */
	folder = dirname(output->path);
	if (sync_path(folder, O_RDONLY | O_DIRECTORY))
		rc = fail_errno(errno, "cannot sync the folder %s", folder);
	forget(output);
	return rc;
}

void output_abandon(struct output *output)
{
	if (output->part)
		unlink(output->part);
	forget(output);
}
