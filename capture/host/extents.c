/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocation map when recording ended: whose the sectors were.
 *
 * folder, depth first -> every regular file -> FIEMAP -> an EVENT_EXTENT an
 * extent -> ring. The second witness against the truth (sim/truth_check.h).
 * ext2, ext3, ext4 and XFS only: Btrfs's FIEMAP gives logical addresses, not
 * places on the disk. Memory: one folder's buffer a level, one batch of extents.
 * A file with several names is told as often.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "capture/host/recorder.h"
#include "common/error.h"

#define EXTENTS_A_CALL 512
/* Longer extents are told in parts: the event counts sectors in 32 bits. */
#define PART_BYTES     (1ull << 40)
/*
 * What holds nothing of the file at that place: not yet placed, inside an inode,
 * or allocated ahead and still with what was there before.
 */
#define NOT_ON_DISK                                                                   \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_NOT_ALIGNED | \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_UNWRITTEN)

struct extent_walk {
	struct ring *ring;
	struct fiemap *map;
	dev_t device;
	uint32_t disk;
	uint64_t skipped; /* files and folders that could not be read */
	int skip_error;	  /* why the first of them */
};

static void skip(struct extent_walk *walk, int error)
{
	if (!walk->skipped++)
		walk->skip_error = error;
}

/* 0 or -errno of the ring. */
static int emit_extent(struct extent_walk *walk, const struct fiemap_extent *extent, uint64_t inode)
{
	/* Whole chunks of the file only: blocks may be smaller than chunks. */
	uint64_t ahead_bytes = -extent->fe_logical % CHUNK_BYTES;
	uint64_t logical = extent->fe_logical + ahead_bytes;
	uint64_t physical = extent->fe_physical + ahead_bytes;
	uint64_t left_bytes;

	if (extent->fe_flags & NOT_ON_DISK || extent->fe_length <= ahead_bytes)
		return 0;
	left_bytes = extent->fe_length - ahead_bytes;
	while (left_bytes) {
		uint64_t bytes = left_bytes < PART_BYTES ? left_bytes : PART_BYTES;
		struct event event;
		int error;

		event_init(&event, EVENT_EXTENT);
		event.time_ns = monotonic_ns();
		event.extent.disk = walk->disk;
		event.extent.sector = physical / SECTOR_BYTES;
		event.extent.sectors = bytes / SECTOR_BYTES;
		event.extent.device = walk->device;
		event.extent.inode = inode;
		event.extent.index = logical / CHUNK_BYTES;
		error = ring_push(walk->ring, &event);
		if (error)
			return error;
		logical += bytes;
		physical += bytes;
		left_bytes -= bytes;
	}
	return 0;
}

/* Takes the next batch of extents from byte *start; 1 if there may be more, 0, or -errno. */
static int next_extents(struct extent_walk *walk, int fd, uint64_t inode, uint64_t *start)
{
	struct fiemap *map = walk->map;
	const struct fiemap_extent *last;

	memset(map, 0, sizeof(*map));
	map->fm_start = *start;
	map->fm_length = FIEMAP_MAX_OFFSET - *start;
	map->fm_flags = *start ? 0 : FIEMAP_FLAG_SYNC;
	map->fm_extent_count = EXTENTS_A_CALL;
	if (ioctl(fd, FS_IOC_FIEMAP, map)) {
		skip(walk, errno);
		return 0;
	}
	for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
		int error = emit_extent(walk, &map->fm_extents[i], inode);

		if (error)
			return error;
	}
	if (!map->fm_mapped_extents)
		return 0;
	last = &map->fm_extents[map->fm_mapped_extents - 1];
	*start = last->fe_logical + last->fe_length;
	return !(last->fe_flags & FIEMAP_EXTENT_LAST);
}

static int emit_file(struct extent_walk *walk, int fd, uint64_t inode)
{
	uint64_t start = 0;
	int more;

	do {
		more = next_extents(walk, fd, inode, &start);
	} while (more > 0);
	return more;
}

/* Leaves no trace in access times where it may; no FIFO can make it wait. */
static int open_entry(int folder, const char *name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	int fd = openat(folder, name, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? openat(folder, name, flags) : fd;
}

static int walk_entry(struct extent_walk *walk, int folder, const char *name);

/* Takes over fd. */
static int walk_folder(struct extent_walk *walk, int fd)
{
	DIR *folder = fdopendir(fd);
	const struct dirent *entry;
	int error = 0;

	if (!folder) {
		skip(walk, errno);
		close(fd);
		return 0;
	}
	while (!error && (errno = 0, entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			error = walk_entry(walk, dirfd(folder), entry->d_name);
	}
	if (!error && errno)
		skip(walk, errno);
	closedir(folder);
	return error;
}

static int walk_entry(struct extent_walk *walk, int folder, const char *name)
{
	struct stat status;
	int error, fd;

	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW)) {
		skip(walk, errno);
		return 0;
	}
	if (status.st_dev != walk->device || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
		return 0;
	fd = open_entry(folder, name);
	if (fd < 0 || fstat(fd, &status)) {
		skip(walk, errno);
		if (fd >= 0)
			close(fd);
		return 0;
	}
	/* The entry may be another one by now. */
	if (status.st_dev == walk->device && S_ISDIR(status.st_mode))
		return walk_folder(walk, fd);
	error = 0;
	if (status.st_dev == walk->device && S_ISREG(status.st_mode))
		error = emit_file(walk, fd, status.st_ino);
	close(fd);
	return error;
}

static bool is_mapped(const struct statfs *filesystem)
{
	return filesystem->f_type == EXT4_SUPER_MAGIC || filesystem->f_type == XFS_SUPER_MAGIC;
}

int extents_emit(const char *folder, uint32_t disk, struct ring *ring)
{
	struct extent_walk walk = {.ring = ring, .disk = disk};
	struct statfs filesystem;
	struct stat status;
	int error, fd = open_entry(AT_FDCWD, folder);

	if (fd < 0)
		return fail_errno(errno, "cannot map the files of %s", folder);
	if (fstat(fd, &status) || fstatfs(fd, &filesystem)) {
		error = errno;
		close(fd);
		return fail_errno(error, "cannot map the files of %s", folder);
	}
	if (!is_mapped(&filesystem)) {
		close(fd);
		return 0;
	}
	walk.device = status.st_dev;
	walk.map = malloc(sizeof(*walk.map) + EXTENTS_A_CALL * sizeof(walk.map->fm_extents[0]));
	if (!walk.map) {
		close(fd);
		return fail("not enough memory to map the files of %s", folder);
	}
	error = walk_folder(&walk, fd);
	free(walk.map);
	if (error)
		return fail_errno(error, "cannot record the allocation map of %s", folder);
	if (walk.skipped)
		warn("the allocation map of %2$s lacks %1$llu files or folders: %3$s",
		     (unsigned long long)walk.skipped, folder, strerror(walk.skip_error));
	return 0;
}
