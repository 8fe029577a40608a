/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mappings WHAT FILE CHUNKS: writes or reads a file through a mapping, and prints
 * how many chunks of it (4096 bytes) that was.
 *
 *	fill	a new file, from its beginning to its end
 *	update	every third chunk, then msync()
 *	fork	a new file: a child writes the even chunks, its parent the odd ones
 *	grow	a new file, whose mapping is moved and made twice as large halfway
 *	spin	a new file; then computes for 3 s without a call, whatever the disk does
 *	receive	a new file: read() from /dev/urandom right into the mapping
 *	read	all, privately mapped
 *	share	all, through a mapping that could be written to
 *	idle	does nothing with it for 2 s but write to other memory
 *	many	maps its first chunk 1500 times
 *
 * Every chunk that is written has a content of its own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 4096ul

struct job {
	int fd;
	size_t chunks;
	uint64_t seed;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* The time may be a system call. */
static void count_up(double rounds)
{
	for (volatile uint64_t i = 0; i < rounds; i++)
		;
}

static void fill(const struct job *job, char *chunk, size_t index)
{
	uint64_t *words = (uint64_t *)chunk, x = job->seed + index * 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < CHUNK / sizeof(x); i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		words[i] = x;
	}
}

static char *map(const struct job *job, size_t chunks, int protection, int flags)
{
	char *at = mmap(NULL, chunks * CHUNK, protection, flags, job->fd, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static char *map_new(const struct job *job, size_t chunks)
{
	if (ftruncate(job->fd, 0) || ftruncate(job->fd, job->chunks * CHUNK))
		die("ftruncate");
	return map(job, chunks, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static size_t do_fill(const struct job *job)
{
	char *at = map_new(job, job->chunks);

	for (size_t i = 0; i < job->chunks; i++)
		fill(job, at + i * CHUNK, i);
	munmap(at, job->chunks * CHUNK);
	return job->chunks;
}

static size_t do_update(const struct job *job)
{
	char *at = map(job, job->chunks, PROT_READ | PROT_WRITE, MAP_SHARED);
	size_t count = 0;

	for (size_t i = 0; i < job->chunks; i += 3, count++)
		fill(job, at + i * CHUNK, i + job->chunks);
	if (msync(at, job->chunks * CHUNK, MS_SYNC))
		die("msync");
	munmap(at, job->chunks * CHUNK);
	return count;
}

static size_t do_fork(const struct job *job)
{
	char *at = map_new(job, job->chunks);
	pid_t child = fork();

	for (size_t i = child ? 1 : 0; i < job->chunks; i += 2)
		fill(job, at + i * CHUNK, i);
	if (!child)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		die("fork");
	munmap(at, job->chunks * CHUNK);
	return job->chunks;
}

static size_t do_grow(const struct job *job)
{
	size_t half = job->chunks / 2;
	char *at = map_new(job, half);

	for (size_t i = 0; i < half; i++)
		fill(job, at + i * CHUNK, i);
	/* Something right behind it, so that it must move. */
	mmap(at + half * CHUNK, CHUNK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	at = mremap(at, half * CHUNK, job->chunks * CHUNK, MREMAP_MAYMOVE);
	if (at == MAP_FAILED)
		die("mremap");
	for (size_t i = half; i < job->chunks; i++)
		fill(job, at + i * CHUNK, i);
	munmap(at, job->chunks * CHUNK);
	return job->chunks;
}

static size_t do_spin(const struct job *job)
{
	char *at = map_new(job, job->chunks);
	double begun = seconds(), rounds;

	count_up(1e6);
	rounds = 3e6 / (seconds() - begun);
	for (size_t i = 0; i < job->chunks; i++)
		fill(job, at + i * CHUNK, i);
	count_up(rounds);
	return job->chunks;
}

static size_t do_receive(const struct job *job)
{
	char *at = map_new(job, job->chunks);
	int from = open("/dev/urandom", O_RDONLY);

	for (size_t i = 0; i < job->chunks; i++)
		if (read(from, at + i * CHUNK, CHUNK) != (ssize_t)CHUNK)
			die("/dev/urandom");
	munmap(at, job->chunks * CHUNK);
	return job->chunks;
}

static size_t sum_up(const struct job *job, char *at)
{
	volatile uint64_t sum = 0;

	for (size_t i = 0; i < job->chunks; i++)
		sum += *(uint64_t *)(at + i * CHUNK);
	munmap(at, job->chunks * CHUNK);
	return job->chunks;
}

static size_t do_read(const struct job *job)
{
	return sum_up(job, map(job, job->chunks, PROT_READ, MAP_PRIVATE));
}

static size_t do_share(const struct job *job)
{
	return sum_up(job, map(job, job->chunks, PROT_READ | PROT_WRITE, MAP_SHARED));
}

static size_t do_idle(const struct job *job)
{
	double until = seconds() + 2;

	while (seconds() < until) {
		char *at = mmap(NULL, 64 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);

		for (size_t i = 0; i < 64; i++)
			at[i * CHUNK] = 1;
		munmap(at, 64 * CHUNK);
	}
	return 0;
}

static size_t do_many(const struct job *job)
{
	volatile char sum = 0;

	if (ftruncate(job->fd, CHUNK))
		die("ftruncate");
	for (int i = 0; i < 1500; i++)
		sum += *map(job, 1, PROT_READ, MAP_PRIVATE);
	return 0;
}

static const struct {
	const char *name;
	size_t (*run)(const struct job *job);
} jobs[] = {
	{"fill", do_fill},   {"update", do_update},   {"fork", do_fork}, {"grow", do_grow},
	{"spin", do_spin},   {"receive", do_receive}, {"read", do_read}, {"share", do_share},
	{"idle", do_idle},   {"many", do_many},
};

int main(int argc, char **argv)
{
	struct stat stat;
	struct job job;

	if (argc != 4) {
		fprintf(stderr, "usage: mappings WHAT FILE CHUNKS\n");
		return 2;
	}
	job = (struct job){open(argv[2], O_RDWR | O_CREAT, 0644), strtoul(argv[3], NULL, 0), 0};
	if (job.fd < 0 || fstat(job.fd, &stat))
		die(argv[2]);
	job.seed = stat.st_ino << 32;
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (!strcmp(jobs[i].name, argv[1])) {
			printf("mapped: %s %zu\n", argv[1], jobs[i].run(&job));
			return 0;
		}
	fprintf(stderr, "mappings: there is no %s\n", argv[1]);
	return 2;
}
