/* SPDX-License-Identifier: GPL-2.0-or-later */
/* small_writes FILE COUNT: so many writes of 1 to 3000 bytes at random places of a file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_WRONLY) : -1;
	long count = argc == 3 ? atol(argv[2]) : 0;
	struct stat facts;
	char buffer[3000];

	if (fd < 0 || fstat(fd, &facts)) {
		perror("small_writes FILE COUNT");
		return 1;
	}
	while (count--) {
		size_t bytes = 1 + random() % sizeof(buffer);

		for (size_t i = 0; i < bytes; i++)
			buffer[i] = random();
		if (pwrite(fd, buffer, bytes, random() % (facts.st_size - bytes)) != (ssize_t)bytes) {
			perror("pwrite");
			return 1;
		}
	}
	return 0;
}
