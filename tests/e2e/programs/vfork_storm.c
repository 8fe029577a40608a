/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vfork_storm FROM COUNT: four threads have children made by vfork, each of which
 * opens its output itself and executes cat, while the next are being made.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define AT_ONCE 4

static const char *from;
static long count;

static pid_t start(const char *name)
{
	pid_t child = vfork();
	int fd;

	if (child)
		return child;
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(1);
	execlp("cat", "cat", from, NULL);
	_exit(127);
}

static void *storm(void *argument)
{
	pid_t children[AT_ONCE] = {0};
	int status, failed = 0;
	char name[32];

	for (long i = 0; i < count + AT_ONCE; i++) {
		pid_t *child = &children[i % AT_ONCE];

		snprintf(name, sizeof(name), "copy%ld.%ld", (long)argument, i);
		if (*child > 0)
			failed |= waitpid(*child, &status, 0) < 0 || status;
		*child = i < count ? start(name) : 0;
		failed |= *child < 0;
	}
	return (void *)(long)failed;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	void *failed = NULL, *all = NULL;

	if (argc != 3) {
		fprintf(stderr, "vfork_storm FROM COUNT\n");
		return 1;
	}
	from = argv[1];
	count = atol(argv[2]) / THREADS;
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, storm, (void *)i))
			return 1;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		all = failed ? failed : all;
	}
	return all != NULL;
}
