/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_rewriter FILE UPDATES: a database's pages, updated through a mapping.
 *
 * Nine updates of ten go to a tenth of the pages, each changes a row of 100 bytes.
 * A thread has the kernel write the dirty pages back, all the time, by a call that
 * says nothing of pages; pages change while they are written. It ends without any
 * sync, msync or munmap.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096l
#define ROW  100

static int fd;
static _Atomic int over;

static void *write_back(void *unused)
{
	while (!over) {
		if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)) {
			perror("sync_file_range");
			exit(1);
		}
		usleep(3000);
	}
	return unused;
}

int main(int argc, char **argv)
{
	long updates = argc == 3 ? atol(argv[2]) : 0, pages;
	struct stat facts;
	pthread_t thread;
	char *map;

	fd = updates ? open(argv[1], O_RDWR) : -1;
	if (fd < 0 || fstat(fd, &facts)) {
		perror("page_rewriter FILE UPDATES");
		return 1;
	}
	pages = facts.st_size / PAGE;
	map = mmap(NULL, facts.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || pthread_create(&thread, NULL, write_back, NULL)) {
		perror("mmap");
		return 1;
	}
	for (long i = 0; i < updates; i++) {
		long page = random() % (random() % 10 ? pages / 10 : pages);
		char *row = map + page * PAGE + random() % (PAGE / ROW) * ROW;

		for (int k = 0; k < ROW; k++)
			row[k] = random();
		if (i % 4 == 3)
			usleep(100);
	}
	over = 1;
	pthread_join(thread, NULL);
	return 0;
}
