/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "file_sizes.h"

#define ROOM_AT_FIRST 1024

struct file {
	uint64_t device, inode;
	uint64_t bytes; /* 0: empty place */
};

struct file_sizes {
	struct file *file;
	size_t files, room; /* room: a power of two, at most half used */
};

struct file_sizes *file_sizes_new(void)
{
	struct file_sizes *sizes = calloc(1, sizeof(*sizes));

	if (!sizes)
		return NULL;
	sizes->room = ROOM_AT_FIRST;
	sizes->file = calloc(sizes->room, sizeof(*sizes->file));
	if (sizes->file)
		return sizes;
	free(sizes);
	return NULL;
}

void file_sizes_free(struct file_sizes *sizes)
{
	if (!sizes)
		return;
	free(sizes->file);
	free(sizes);
}

/* The file's place, or the empty one where it would be. */
static struct file *find(const struct file_sizes *sizes, uint64_t device, uint64_t inode)
{
	uint64_t hash = (inode ^ device << 40) * 0x9e3779b97f4a7c15u;
	size_t i = (hash ^ hash >> 32) & (sizes->room - 1);
	struct file *f;

	for (;; i = (i + 1) & (sizes->room - 1)) {
		f = &sizes->file[i];
		if (!f->bytes || (f->inode == inode && f->device == device))
			return f;
	}
}

static int grow(struct file_sizes *sizes)
{
	struct file_sizes larger = {.files = sizes->files, .room = 2 * sizes->room};

	larger.file = calloc(larger.room, sizeof(*larger.file));
	if (!larger.file)
		return -ENOMEM;
	for (size_t i = 0; i < sizes->room; i++) {
		const struct file *f = &sizes->file[i];

		if (f->bytes)
			*find(&larger, f->device, f->inode) = *f;
	}
	free(sizes->file);
	*sizes = larger;
	return 0;
}

int file_sizes_note(struct file_sizes *sizes, uint64_t device, uint64_t inode, uint64_t bytes)
{
	struct file *f;

	if (!bytes)
		return 0;
	if (2 * (sizes->files + 1) > sizes->room && grow(sizes))
		return -ENOMEM;
	f = find(sizes, device, inode);
	sizes->files += !f->bytes;
	if (bytes > f->bytes)
		*f = (struct file){device, inode, bytes};
	return 0;
}

uint64_t file_sizes_get(const struct file_sizes *sizes, uint64_t device, uint64_t inode)
{
	return find(sizes, device, inode)->bytes;
}
