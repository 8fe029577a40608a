/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * skytag_cost: what the shim adds to writes, measured within one process that
 * runs under it: blocks of calls to pwrite() and friends, which the shim
 * takes, in turns with blocks of calls to the names that libc has for itself,
 * which it doesn't. So whatever else the machine does meets both. Prints the
 * medians of the blocks.
 *
 * usage: skytag --rules RULES -- skytag_cost FILE TITLE HOW BYTES [direct]
 *        HOW: pwrite, write (at the position) or files (open, write, close)
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS	    600
#define CALLS	    50
#define FILE_BYTES  (16ul << 20)
#define BYTES_LIMIT (64u << 10)

/* glibc's other names of these functions. */
ssize_t __pwrite64(int fd, const void *at, size_t bytes, off_t offset);
ssize_t __write(int fd, const void *at, size_t bytes);
int __close(int fd);

struct run {
	const char *path;
	size_t bytes;
	int fd, flags;
	char *data;
};

static bool check(ssize_t result)
{
	if (result < 0)
		perror("skytag_cost");
	return result >= 0;
}

static bool positioned(struct run *run, bool shim, unsigned round)
{
	off_t offset = round * run->bytes % FILE_BYTES;

	return check(shim ? pwrite(run->fd, run->data, run->bytes, offset)
			  : __pwrite64(run->fd, run->data, run->bytes, offset));
}

static bool sequential(struct run *run, bool shim, unsigned round)
{
	if (round % (FILE_BYTES / run->bytes) == 0 && !check(lseek(run->fd, 0, SEEK_SET)))
		return false;
	return check(shim ? write(run->fd, run->data, run->bytes)
			  : __write(run->fd, run->data, run->bytes));
}

static bool whole_files(struct run *run, bool shim, unsigned round)
{
	int fd = open(run->path, run->flags);

	if (!check(fd))
		return false;
	return check(shim ? write(fd, run->data, run->bytes)
			  : __write(fd, run->data, run->bytes)) &&
	       check(shim ? close(fd) : __close(fd));
}

static const struct {
	const char *name;
	bool (*once)(struct run *run, bool shim, unsigned round);
} ways[] = {{"pwrite", positioned}, {"write", sequential}, {"files", whole_files}};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *ns)
{
	qsort(ns, BLOCKS, sizeof(*ns), by_size);
	return ns[BLOCKS / 2] / CALLS;
}

int main(int argc, char **argv)
{
	static double ns[2][BLOCKS];
	struct run run = {.path = argc > 4 ? argv[1] : NULL, .flags = O_RDWR | O_CREAT};
	bool (*once)(struct run *, bool, unsigned) = NULL;
	double bare, tagged;

	for (size_t i = 0; argc > 4 && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(argv[3], ways[i].name))
			once = ways[i].once;
	run.bytes = once ? strtoul(argv[4], NULL, 10) : 0;
	if (!run.bytes || run.bytes > BYTES_LIMIT) {
		fprintf(stderr,
			"usage: skytag_cost FILE TITLE pwrite|write|files BYTES [direct]\n");
		return 2;
	}
	run.flags |= argc > 5 ? O_DIRECT : 0;
	run.data = aligned_alloc(4096, BYTES_LIMIT);
	run.fd = open(run.path, run.flags, 0644);
	if (!run.data || !check(run.fd) || !check(ftruncate(run.fd, FILE_BYTES)))
		return 1;
	memset(run.data, 1, BYTES_LIMIT);
	for (unsigned round = 0; round < FILE_BYTES / run.bytes && round < 100000; round++)
		if (!once(&run, false, round))
			return 1;
	for (unsigned block = 0; block < 2 * BLOCKS; block++) {
		bool shim = block % 2;
		double begun = now_ns();

		for (unsigned call = 0; call < CALLS; call++)
			if (!once(&run, shim, block * CALLS + call))
				return 1;
		ns[shim][block / 2] = now_ns() - begun;
	}
	bare = median(ns[0]);
	tagged = median(ns[1]);
	printf("%s: %.0f ns without, %+.0f ns with the shim: %+.1f %%\n", argv[2], bare,
	       tagged - bare, 100 * (tagged / bare - 1));
	return 0;
}
