/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a file is still being written is asked in two ways. A read lease is
 * refused while anybody has the file open for writing (fcntl(2)); but it is
 * refused too where the file is another user's or its file system has no
 * leases. Then the lock tells that Sky's own writers hold. Both go with the
 * process that holds them, however it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "growing.h"

#define LOOK_EVERY_MS 100

void growing_announce(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	/* where there are no locks, there are leases, or readers don't wait */
	(void)fcntl(fd, F_SETLK, &lock);
}

static bool is_announced(int fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static bool is_written(int fd)
{
	/* whoever opens it in between makes the kernel tell us: by a signal that is ignored */
	(void)fcntl(fd, F_SETSIG, SIGURG);
	if (!fcntl(fd, F_SETLEASE, F_RDLCK)) {
		(void)fcntl(fd, F_SETLEASE, F_UNLCK);
		return false;
	}
	return errno == EAGAIN || is_announced(fd);
}

enum growth growing_wait(int fd, uint64_t read_bytes, int stop_fd)
{
	struct pollfd stop = {.fd = stop_fd, .events = POLLIN};

	for (;;) {
		bool written = is_written(fd); /* asked first: what its last write left is seen */
		struct stat st;

		if (fstat(fd, &st))
			return GROWTH_NONE;
		if ((uint64_t)st.st_size < read_bytes)
			return GROWTH_CUT;
		if ((uint64_t)st.st_size > read_bytes)
			return GROWTH_MORE;
		if (!written)
			return GROWTH_NONE;
		if (poll(&stop, 1, LOOK_EVERY_MS) > 0)
			return GROWTH_STOPPED;
	}
}
