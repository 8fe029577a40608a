/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapped write|update|read FILE PAGES SECONDS: a file through a mapping.
 *
 * write fills a new file of so many pages from its front, update changes bytes of
 * random pages of a file that exists, read looks at every page once in a random
 * order. The work is spread over the time. Nothing else tells what is done.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void fill(char *page)
{
	for (unsigned i = 0; i < PAGE / sizeof(long); i++)
		((long *)page)[i] = random();
}

int main(int argc, char **argv)
{
	int writes = argc == 5 && strcmp(argv[1], "read");
	int new = argc == 5 && !strcmp(argv[1], "write");
	unsigned long pages = argc == 5 ? strtoul(argv[3], NULL, 10) : 0, sum = 0, *order;
	double seconds = argc == 5 ? atof(argv[4]) : 0;
	int fd = pages ? open(argv[2], new ? O_RDWR | O_CREAT : writes ? O_RDWR : O_RDONLY, 0644) : -1;
	char *map;

	if (fd < 0 || (new && ftruncate(fd, pages * PAGE)))
		fail("mapped write|update|read FILE PAGES SECONDS");
	map = mmap(NULL, pages * PAGE, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	order = calloc(pages, sizeof(*order));
	if (map == MAP_FAILED || !order)
		fail("mmap");
	close(fd);
	for (unsigned long i = 0; i < pages; i++)
		order[i] = i;
	for (unsigned long i = pages - 1; i && !new; i--) {
		unsigned long other = random() % (i + 1), page = order[i];

		order[i] = order[other];
		order[other] = page;
	}
	for (unsigned long i = 0; i < pages; i++) {
		char *page = map + order[i] * PAGE;

		if (new)
			fill(page);
		else if (writes)
			*(long *)(page + 512) = random();
		else
			sum += *(long *)page;
		if (i % 16 == 15)
			usleep(seconds * 16e6 / pages);
	}
	if (writes && msync(map, pages * PAGE, MS_SYNC))
		fail("msync");
	return sum == 1; /* it has to be used for something */
}
