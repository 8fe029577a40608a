// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads and processes at their worst: threads that share a file position,
 * vfork, stops and signals, threads that die inside a call, and at last a
 * thread that isn't the leader executes another program while the others are
 * at work. For tests/e2e/tracer.sh.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEED(condition)                                                         \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			exit(1);                                                \
		}                                                               \
	} while (0)

static int shared;
static int never[2];
static volatile sig_atomic_t caught;

/* Each record of 4096 bytes is of one letter; where it lands is a matter of luck. */
static void *write_shared(void *letter)
{
	char record[4096];

	memset(record, *(char *)letter, sizeof(record));
	for (int i = 0; i < 100; i++)
		NEED(write(shared, record, sizeof(record)) == sizeof(record));
	return NULL;
}

static void share_position(void)
{
	static char letters[] = "abcd";
	pthread_t threads[4];

	shared = open("shared", O_CREAT | O_RDWR | O_TRUNC, 0644);
	NEED(shared >= 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, write_shared, &letters[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	NEED(lseek(shared, 0, SEEK_CUR) == 400 * 4096);
	close(shared);
}

static void *wait_for_ever(void *unused)
{
	char byte;

	return read(never[0], &byte, 1) == 1 ? unused : NULL;
}

static void catch (int signal)
{
	caught += signal == SIGUSR1 || signal == SIGTRAP;
}

/* A child with a thread in a read that never ends is killed, another exits around it. */
static void die_inside(void)
{
	pthread_t thread;
	int status;
	pid_t child = fork();

	if (!child) {
		pthread_create(&thread, NULL, wait_for_ever, NULL);
		wait_for_ever(NULL);
	}
	usleep(20000);
	kill(child, SIGKILL);
	NEED(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	child = fork();
	if (!child) {
		pthread_create(&thread, NULL, wait_for_ever, NULL);
		usleep(20000);
		_exit(3);
	}
	NEED(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
}

static void signals(void)
{
	struct sigaction action = {.sa_handler = catch}; /* no SA_RESTART */
	int status;
	pid_t child;
	char byte;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	raise(SIGTRAP);
	NEED(caught == 1);
	child = fork();
	if (!child) { /* a read that a signal interrupts */
		NEED(read(never[0], &byte, 1) == -1);
		_exit(caught == 2 ? 5 : 6);
	}
	usleep(20000);
	kill(child, SIGSTOP);
	NEED(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	kill(child, SIGUSR1);
	kill(child, SIGCONT);
	NEED(waitpid(child, &status, WCONTINUED) == child);
	if (WIFCONTINUED(status))
		NEED(waitpid(child, &status, 0) == child);
	NEED(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

static pid_t child_by_vfork(void)
{
	pid_t child = vfork();

	if (!child)
		_exit(1);
	return child;
}

static pid_t child_by_fork(void)
{
	pid_t child = fork();

	if (!child)
		_exit(2);
	return child;
}

static void many_children(void)
{
	for (int i = 0; i < 200; i++) {
		pid_t child = i % 2 ? child_by_fork() : child_by_vfork();

		if (i % 10 == 1)
			kill(child, SIGKILL);
	}
	while (wait(NULL) > 0)
		;
}

static void *execute(void *program)
{
	usleep(20000);
	execl("/bin/sh", "sh", "-c", program, NULL);
	return NULL;
}

int main(void)
{
	pthread_t thread;

	NEED(pipe(never) == 0);
	share_position();
	die_inside();
	signals();
	many_children();
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, wait_for_ever, NULL);
	pthread_create(&thread, NULL, execute, "echo executed >executed; exit 42");
	wait_for_ever(NULL);
	return 1;
}
