/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handlers WRITES [MILLISECONDS]: eight threads, each at a file of its own, and a
 * signal every so often (1 ms), whose handler appends to a log, in whichever thread it
 * interrupts.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#define THREADS 8

static int log_fd;
static long writes;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void append(int signal)
{
	static unsigned long counter;
	char record[700];
	int saved = errno;

	for (unsigned i = 0; i < sizeof(record); i++)
		record[i] = (counter + i) * 2654435761u >> 13;
	__atomic_add_fetch(&counter, signal, __ATOMIC_RELAXED);
	if (write(log_fd, record, sizeof(record)) < 0)
		_exit(1);
	errno = saved;
}

static void *work(void *argument)
{
	unsigned seed = (long)argument + 1;
	char name[16], buffer[20000];
	int fd;

	snprintf(name, sizeof(name), "file%u", seed);
	fd = open(name, O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		fail(name);
	for (long i = 0; i < writes; i++) {
		unsigned bytes = 1 + rand_r(&seed) % sizeof(buffer);

		for (unsigned k = 0; k < bytes; k++)
			buffer[k] = rand_r(&seed);
		if (pwrite(fd, buffer, bytes, rand_r(&seed) % 1000000) != (ssize_t)bytes)
			fail("pwrite");
		if (pread(fd, buffer, sizeof(buffer), rand_r(&seed) % 1000000) < 0)
			fail("pread");
	}
	if (fsync(fd))
		fail("fsync");
	return NULL;
}

int main(int argc, char **argv)
{
	long period_us = 1000 * (argc == 3 ? atol(argv[2]) : 1);
	struct itimerval every = {{0, period_us}, {0, period_us}};
	struct sigaction action = {.sa_handler = append, .sa_flags = SA_RESTART};
	pthread_t threads[THREADS];

	writes = argc > 1 ? atol(argv[1]) : 0;
	log_fd = writes ? open("log", O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
	if (log_fd < 0)
		fail("handlers WRITES [MILLISECONDS]");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			fail("pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
