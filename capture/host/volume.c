/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/error.h"
#include "layout.h"
#include "spawn.h"
#include "volume.h"

#define WORDS_MAX	64 /* of mkfs's command line */
#define UNMOUNT_TRIES	50
#define UNMOUNT_STEP_MS 100

/* No lazy initialisation: its writes would go on behind the recorded command. */
#define EXT_OPTIONS "-q -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0"

static const struct file_system file_systems[] = {
	{.name = "ext4",
	 .mkfs = "mkfs.ext4",
	 .package = "e2fsprogs",
	 .mkfs_options = EXT_OPTIONS,
	 .has_extents = true},
	{.name = "ext3",
	 .mkfs = "mkfs.ext3",
	 .package = "e2fsprogs",
	 .mkfs_options = EXT_OPTIONS,
	 .has_extents = true},
	{.name = "ext2",
	 .mkfs = "mkfs.ext2",
	 .package = "e2fsprogs",
	 .mkfs_options = "-q -F -E nodiscard,lazy_itable_init=0",
	 .has_extents = true},
	{.name = "xfs",
	 .mkfs = "mkfs.xfs",
	 .package = "xfsprogs",
	 .mkfs_options = "-q -f -K",
	 .has_extents = true},
	{.name = "btrfs",
	 .mkfs = "mkfs.btrfs",
	 .package = "btrfs-progs",
	 .mkfs_options = "-q -f -K"},
	{.name = "none"},
};

#define FILE_SYSTEMS (sizeof(file_systems) / sizeof(file_systems[0]))

const struct file_system *file_system_find(const char *name)
{
	for (size_t i = 0; i < FILE_SYSTEMS; i++)
		if (!strcmp(file_systems[i].name, name))
			return &file_systems[i];
	return NULL;
}

int file_system_check(const struct file_system *fs)
{
	char *mkfs;

	if (file_system_is_none(fs))
		return 0;
	mkfs = spawn_find(fs->mkfs);
	free(mkfs);
	return mkfs ? 0 : fail("%s is missing; run `apt-get install %s`", fs->mkfs, fs->package);
}

const char *file_system_names(void)
{
	static char names[64];

	names[0] = '\0';
	for (size_t i = 0; i < FILE_SYSTEMS; i++) {
		strcat(names, i ? " " : "");
		strcat(names, file_systems[i].name);
	}
	return names;
}

/* What the image says that it holds, in type; "" if nothing that is known. */
static int look_into_image(const char *image, char *type, size_t bytes)
{
	const char *value;
	blkid_probe probe;
	struct stat st;

	*type = '\0';
	if (!stat(image, &st) && !S_ISREG(st.st_mode))
		return fail("%s is not a regular file; Sky never writes to a device", image);
	probe = blkid_new_probe_from_filename(image);
	if (!probe)
		return fail_errno(errno, "cannot read the disk image %s", image);
	blkid_probe_enable_superblocks(probe, 1);
	if (!blkid_do_safeprobe(probe) && !blkid_probe_lookup_value(probe, "TYPE", &value, NULL))
		snprintf(type, bytes, "%s", value);
	blkid_free_probe(probe);
	return 0;
}

const struct file_system *file_system_of_image(const char *image)
{
	const struct file_system *fs;
	char type[64];

	if (look_into_image(image, type, sizeof(type)))
		return NULL;
	fs = *type ? file_system_find(type) : NULL;
	if (!fs)
		fail("%s holds %s; Sky records %s", image,
		     *type ? type : "no file system that is known", file_system_names());
	return fs;
}

int file_system_none_of_image(const char *image)
{
	char type[64];

	if (look_into_image(image, type, sizeof(type)))
		return -1;
	if (*type)
		return fail("%s holds %s, which a program on the raw disk would damage; leave out "
			    "--fs none, or clear the image with `wipefs -a`",
			    image, type);
	return 0;
}

static int make_mount_points(struct volume *volume, const char *folder)
{
	int fd;

	snprintf(volume->disk, sizeof(volume->disk), "%s/disk", folder);
	snprintf(volume->root, sizeof(volume->root), "%s/mnt", folder);
	fd = open(volume->disk, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(errno, "cannot make %s", volume->disk);
	close(fd);
	if (mkdir(volume->root, 0755))
		return fail_errno(errno, "cannot make %s", volume->root);
	return 0;
}

int volume_begin(struct volume *volume, const char *folder)
{
	volume->loop.fd = -1;
	if (unshare(CLONE_NEWNS))
		return fail_errno(errno, "cannot make a mount namespace (it takes CAP_SYS_ADMIN)");
	/* what the host mounts is seen here, what is mounted here stays here */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return fail_errno(errno,
				  "cannot separate the mounts from the host's (a chroot's root "
				  "must be a mount: `mount --bind ROOT ROOT` before it)");
	return make_mount_points(volume, folder);
}

int volume_attach(struct volume *volume, struct disk *disk)
{
	char options[128];
	struct stat st;
	int file, rc;

	/* the root is a file: the mount is the disk */
	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0,max_read=%u",
		 disk_fuse(disk), S_IFREG | 0600, DISK_REQUEST_BYTES);
	if (mount("sky", volume->disk, "fuse.sky", MS_NOSUID | MS_NODEV | MS_NOEXEC, options))
		return fail_errno(errno, "cannot mount the virtual disk at %s", volume->disk);
	volume->has_disk = true;
	disk_serve(disk);
	file = open(volume->disk, O_RDWR | O_CLOEXEC);
	if (file < 0)
		return fail_errno(errno, "cannot open the virtual disk at %s", volume->disk);
	/*
	 * Linux 6.1 gives a loop device the size that it has in memory, which is 0 for the root of
	 * a FUSE file system until somebody asks for it.
	 */
	if (fstat(file, &st))
		rc = fail_errno(errno, "cannot learn the size of the virtual disk at %s",
				volume->disk);
	else
		rc = loop_attach(&volume->loop, file, volume->disk, DISK_REQUEST_BYTES);
	close(file);
	return rc;
}

/* Appends the words of text, which it edits, to argv. */
static int split(char *text, char **argv, int count)
{
	char *rest = NULL;

	for (char *word = strtok_r(text, " \t\n", &rest); word && count < WORDS_MAX - 2;
	     word = strtok_r(NULL, " \t\n", &rest))
		argv[count++] = word;
	return count;
}

int volume_format(const struct volume *volume)
{
	char *preset = strdup(volume->fs->mkfs_options);
	char *users = strdup(volume->mkfs_options ? volume->mkfs_options : "");
	char *argv[WORDS_MAX] = {spawn_find(volume->fs->mkfs)}, how[64];
	int count = 1, status = -1;

	if (argv[0] && preset && users) {
		count = split(preset, argv, count);
		count = split(users, argv, count);
		argv[count] = (char *)volume->loop.path;
		status = spawn_wait(argv, NULL, true);
	}
	free(argv[0]);
	free(preset);
	free(users);
	if (status > 0)
		fail("%s %s; see its message above, and --mkfs-options and --size",
		     volume->fs->mkfs, spawn_describe(status, how));
	return status ? -1 : 0;
}

/* What the tracer knows the file system by. */
static int identify(struct volume *volume)
{
	struct statx st;

	if (statx(AT_FDCWD, volume->root, 0, STATX_BASIC_STATS | STATX_MNT_ID, &st))
		return fail_errno(errno, "cannot look at %s", volume->root);
	volume->mount_device = makedev(st.stx_dev_major, st.stx_dev_minor);
	volume->mount_id = st.stx_mnt_id;
	return 0;
}

int volume_mount(struct volume *volume, bool read_only)
{
	struct libmnt_context *context;
	char message[512];
	int rc;

	if (file_system_is_none(volume->fs)) {
		volume->mounted = true;
		return 0;
	}
	context = mnt_new_context();
	if (!context)
		return fail("out of memory for mounting %s", volume->root);
	mnt_context_disable_mtab(context, 1);
	rc = mnt_context_set_source(context, volume->loop.path);
	rc = rc ? rc : mnt_context_set_target(context, volume->root);
	rc = rc ? rc : mnt_context_set_fstype(context, volume->fs->name);
	rc = rc ? rc : mnt_context_set_options(context, volume->mount_options);
	if (read_only)
		rc = rc ? rc : mnt_context_append_options(context, "ro");
	rc = rc ? rc : mnt_context_mount(context);
	if (rc) {
		mnt_context_get_excode(context, rc, message, sizeof(message));
		rc = fail("cannot mount %s as %s: %s (an image must be made for sectors of 4096 "
			  "bytes); see --mount-options and dmesg",
			  volume->loop.path, volume->fs->name, message);
	}
	mnt_free_context(context);
	if (rc)
		return -1;
	volume->mounted = true;
	return identify(volume);
}

int volume_unmount(struct volume *volume)
{
	int rc;

	if (file_system_is_none(volume->fs)) {
		volume->mounted = false;
		return loop_forget(&volume->loop);
	}
	rc = umount2(volume->root, UMOUNT_NOFOLLOW);
	/* programs of the preparation may have left processes that are about to end */
	for (int i = 0; rc && errno == EBUSY && i < UNMOUNT_TRIES; i++) {
		usleep(UNMOUNT_STEP_MS * 1000);
		rc = umount2(volume->root, UMOUNT_NOFOLLOW);
	}
	if (rc)
		return fail_errno(errno, "cannot unmount the recorded file system at %s",
				  volume->root);
	volume->mounted = false;
	return loop_forget(&volume->loop);
}

int volume_sync(const struct volume *volume)
{
	int fd, rc;

	if (file_system_is_none(volume->fs)) {
		rc = fsync(volume->loop.fd);
		return rc ? fail_errno(errno, "cannot write back %s", volume->loop.path) : 0;
	}
	fd = open(volume->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -1 : syncfs(fd);
	if (rc)
		rc = fail_errno(errno, "cannot write back the recorded file system");
	if (fd >= 0)
		close(fd);
	return rc;
}

void volume_read_layout(struct volume *volume)
{
	volume->layout = layout_read(volume->loop.path, volume->fs->name);
}

void volume_end(struct volume *volume)
{
	free(volume->layout);
	volume->layout = NULL;
	if (volume->mounted && volume_unmount(volume))
		umount2(volume->root, MNT_DETACH);
	loop_release(&volume->loop);
	/* detached, since another program (udev) may look at the loop device just now */
	if (volume->has_disk)
		umount2(volume->disk, MNT_DETACH);
	volume->mounted = volume->has_disk = false;
}
