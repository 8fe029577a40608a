/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs in a guest while the host looks for some of its processes.
 *
 *	strangers await			until a recorder is at work
 *	strangers await-end		until none is
 *	strangers write FILE CHUNKS	writes so many, each with a call of its own, and reads them back
 *	strangers later FILE CHUNKS	the same, when it has been recorded for a while; with a thread
 *					that ends before that
 *	strangers storm TIMES		calls whose results are known; says which were wrong
 *	strangers strict		reads now and then, under seccomp's strict mode, until a recorder has
 *					come and gone
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../kernel/sky_hypercall.h"

static long ask(enum sky_ask what)
{
	long rax = SKY_HYPERCALL;

	__asm__ volatile("vmmcall" : "+a"(rax) : "b"((long)what), "c"(0l), "d"(0l) : "memory");
	return rax;
}

static void nap(void)
{
	const struct timespec time = {.tv_nsec = 20000000};

	nanosleep(&time, NULL);
}

static void *until_recorded(void *unused)
{
	while (ask(SKY_ASK_PRESENT))
		nap();
	for (int i = 0; i < 25; i++)
		nap();
	return NULL;
}

static int await(int recorded)
{
	while ((ask(SKY_ASK_PRESENT) == 0) != recorded)
		nap();
	/* It attaches rings first, then says whom it looks for. */
	for (int i = 0; recorded && i < 50; i++)
		nap();
	return 0;
}

static int write_file(const char *name, int chunks)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	uint64_t chunk[512], state = getpid() * 0x9e3779b97f4a7c15u ^ time(NULL);

	if (fd < 0)
		return 1;
	for (int i = 0; i < chunks; i++) {
		for (int word = 0; word < 512; word++)
			chunk[word] = state = state * 6364136223846793005u + 1442695040888963407u;
		if (write(fd, chunk, sizeof(chunk)) != sizeof(chunk))
			return 1;
	}
	if (fsync(fd) || lseek(fd, 0, SEEK_SET))
		return 1;
	for (int i = 0; i < chunks; i++)
		if (read(fd, chunk, sizeof(chunk)) != sizeof(chunk))
			return 1;
	return close(fd);
}

static int later(const char *name, int chunks)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, until_recorded, NULL))
		return 1;
	pthread_join(thread, NULL);
	until_recorded(NULL);
	return write_file(name, chunks);
}

static int storm(int times)
{
	long pid = getpid(), parent = getppid(), wrong = 0;
	char byte = 7, back;
	int ends[2];

	if (pipe(ends))
		return 1;
	for (int i = 0; i < times; i++) {
		wrong += syscall(SYS_getppid) != parent;
		wrong += syscall(SYS_getpid) != pid;
		wrong += syscall(SYS_write, ends[1], &byte, 1) != 1;
		wrong += syscall(SYS_lseek, -1, 0, SEEK_CUR) != -1 || errno != EBADF;
		wrong += syscall(SYS_read, ends[0], &back, 1) != 1 || back != byte;
	}
	printf("storm: %ld wrong\n", wrong);
	return wrong > 0;
}

static int strict(void)
{
	int ends[2], seen = 0;
	char byte = 7;

	if (pipe(ends))
		return 1;
	if (!fork()) {
		close(ends[0]);
		signal(SIGPIPE, SIG_DFL); /* when the parent has gone */
		while (write(ends[1], &byte, 1) == 1)
			nap();
		return 1;
	}
	close(ends[1]);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 1;
	while (!seen || !ask(SKY_ASK_PRESENT)) {
		seen |= !ask(SKY_ASK_PRESENT);
		if (syscall(SYS_read, ends[0], &byte, 1) != 1)
			syscall(SYS_exit, 1);
	}
	syscall(SYS_exit, 0);
	return 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "await") || !strcmp(what, "await-end"))
		return await(!strcmp(what, "await"));
	if (argc == 4 && !strcmp(what, "write"))
		return write_file(argv[2], atoi(argv[3]));
	if (argc == 4 && !strcmp(what, "later"))
		return later(argv[2], atoi(argv[3]));
	if (argc == 3 && !strcmp(what, "storm"))
		return storm(atoi(argv[2]));
	if (!strcmp(what, "strict"))
		return strict();
	fprintf(stderr, "strangers: see the comment at the beginning of its source\n");
	return 2;
}
