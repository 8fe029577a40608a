/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recorded file system: what lies between the virtual disk and the command.
 *
 * All mounts are in a mount namespace that only the recorder, its programs and
 * the traced processes are in. With the last of them the kernel takes the
 * mounts, the loop device and the FUSE connection away, whatever they died of.
 *
 * A raw disk is a volume without a file system: programs use the loop device,
 * and mounting it means nothing.
 */
#ifndef SKY_VOLUME_H
#define SKY_VOLUME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/host/disk.h"
#include "capture/host/loop.h"
#include "capture/host/state.h"

struct file_system {
	const char *name, *mkfs, *package; /* a raw disk has no mkfs */
	const char *mkfs_options; /* before the user's, who may overrule them */
	bool has_extents;	  /* FIEMAP names sectors of the disk itself */
};

/* NULL if it is none that Sky can record. */
const struct file_system *file_system_find(const char *name);

/* The same by what an existing image holds; NULL after saying what is wrong. */
const struct file_system *file_system_of_image(const char *image);

/* Whether an existing image may be used as a raw disk: 0, or -1 after saying why not. */
int file_system_none_of_image(const char *image);

static inline bool file_system_is_none(const struct file_system *fs)
{
	return !fs->mkfs;
}

/* 0, or -1 after saying which package has its mkfs. */
int file_system_check(const struct file_system *fs);

/* All names, separated by blanks, for messages. */
const char *file_system_names(void);

struct volume {
	const struct file_system *fs;
	const char *mkfs_options, *mount_options; /* the user's; NULL = none */
	struct loop loop;
	bool has_disk, mounted;
	char disk[STATE_PATH_BYTES], root[STATE_PATH_BYTES]; /* mount points */
	uint64_t mount_device, mount_id; /* of the mounted file system: st_dev, stx_mnt_id */
	char *layout; /* its fixed places (layout.h), or NULL */
};

/* All of these: 0, or -1 after saying what is wrong. */

/* Enters a new mount namespace and makes the mount points in folder. */
int volume_begin(struct volume *volume, const char *folder);

/* Mounts the disk and attaches a loop device to it; serves it from then on. */
int volume_attach(struct volume *volume, struct disk *disk);

int volume_format(const struct volume *volume);
int volume_mount(struct volume *volume, bool read_only);

/* With an empty cache afterwards: neither pages nor metadata stay in memory. */
int volume_unmount(struct volume *volume);

/* Finds out where the file system's fixed places are, where it has some. */
void volume_read_layout(struct volume *volume);

/* Writes back all that is dirty. */
int volume_sync(const struct volume *volume);

/* Takes down whatever is up; the disk's process ends then. */
void volume_end(struct volume *volume);

#endif
