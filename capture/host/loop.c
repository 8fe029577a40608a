/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capture/event.h"
#include "common/error.h"
#include "loop.h"

#define TRIES 100 /* another program may take the free device that we were told of */

static int open_number(struct loop *loop, int number, int access)
{
	snprintf(loop->path, sizeof(loop->path), "/dev/loop%d", number);
	loop->fd = open(loop->path, access | O_CLOEXEC);
	return loop->fd;
}

/* 0, or -errno; -EBUSY where another program was quicker. */
static int try_attach(struct loop *loop, int control, const struct loop_config *config)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	int rc;

	if (number < 0 || open_number(loop, number, O_RDWR) < 0)
		return -errno;
	if (!ioctl(loop->fd, LOOP_CONFIGURE, config))
		return 0;
	rc = -errno;
	close(loop->fd);
	loop->fd = -1;
	return rc;
}

/* Above it the kernel would split what FUSE carries in one message. */
static int limit_requests(const struct loop *loop, unsigned request_bytes)
{
	char path[96], text[16];
	int length = snprintf(text, sizeof(text), "%u", request_bytes / 1024);
	int fd, rc = 0;

	snprintf(path, sizeof(path), "/sys/block/%s/queue/max_sectors_kb",
		 loop->path + strlen("/dev/"));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, length) != length)
		rc = fail_errno(errno, "cannot set %s to %s", path, text);
	if (fd >= 0)
		close(fd);
	return rc;
}

int loop_attach(struct loop *loop, int file, const char *name, unsigned request_bytes)
{
	struct loop_config config = {
		.fd = file,
		.block_size = CHUNK_BYTES,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int rc = -EBUSY;
	struct stat st;

	if (control < 0)
		return fail_errno(errno, "cannot open /dev/loop-control; load the module with "
					 "`modprobe loop`");
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", name);
	for (int i = 0; rc == -EBUSY && i < TRIES; i++)
		rc = try_attach(loop, control, &config);
	close(control);
	if (rc)
		return fail_errno(rc, "cannot attach a loop device to the virtual disk");
	if (fstat(loop->fd, &st) || limit_requests(loop, request_bytes)) {
		loop_release(loop);
		return -1;
	}
	loop->device = st.st_rdev;
	return 0;
}

void loop_release(struct loop *loop)
{
	if (loop->fd >= 0)
		close(loop->fd);
	loop->fd = -1;
}

int loop_forget(const struct loop *loop)
{
	if (ioctl(loop->fd, BLKFLSBUF))
		return fail_errno(errno, "cannot empty the page cache of %s", loop->path);
	return 0;
}

/* Calls visit for every loop device that stands on something; how often it returned true. */
static int for_each_loop(bool (*visit)(int fd, const struct loop_info64 *info, const void *wanted),
			 const void *wanted)
{
	struct loop_info64 info;
	struct loop loop;
	int number, hits = 0;
	glob_t bound;

	if (glob("/sys/block/loop*/loop", 0, NULL, &bound))
		return 0;
	for (size_t i = 0; i < bound.gl_pathc; i++) {
		if (sscanf(bound.gl_pathv[i], "/sys/block/loop%d/", &number) != 1 ||
		    open_number(&loop, number, O_RDONLY) < 0)
			continue;
		if (!ioctl(loop.fd, LOOP_GET_STATUS64, &info))
			hits += visit(loop.fd, &info, wanted);
		close(loop.fd);
	}
	globfree(&bound);
	return hits;
}

static bool is_on(int fd, const struct loop_info64 *info, const void *wanted)
{
	const struct stat *file = wanted;

	return info->lo_device == file->st_dev && info->lo_inode == file->st_ino;
}

bool loop_stands_on(const struct stat *file)
{
	return for_each_loop(is_on, file) > 0;
}

static bool detach_if_named(int fd, const struct loop_info64 *info, const void *wanted)
{
	if (strncmp((const char *)info->lo_file_name, wanted, LO_NAME_SIZE))
		return false;
	ioctl(fd, LOOP_CLR_FD); /* -ENXIO: it went while we looked */
	return true;
}

int loop_detach_named(const char *name)
{
	return for_each_loop(detach_if_named, name);
}
