/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "mapped_file.h"

int mapped_file_open(struct mapped_file *file, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	if (fd < 0 || fstat(fd, &st)) {
		fail_errno(errno, "cannot open %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	at = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return fail_errno(errno, "cannot map %s", path);
	madvise(at, st.st_size, MADV_SEQUENTIAL);
	*file = (struct mapped_file){at, st.st_size};
	return 0;
}

void mapped_file_close(struct mapped_file *file)
{
	if (file->at)
		munmap((void *)file->at, file->bytes);
	*file = (struct mapped_file){0};
}
