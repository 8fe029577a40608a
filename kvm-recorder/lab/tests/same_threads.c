// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * same_threads: threads that wait for each other by futex, take signals, wait for time,
 * come and go, and read and write the same files.
 *
 * One of the programs whose output must not depend on whether they are recorded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ITERATIONS 200
#define THREADS	   4

static _Atomic uint32_t turn;
static __thread int own;
static atomic_int handled;

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* One thread after the other, in a ring. */
static void *take_turns(void *argument)
{
	uint32_t mine = (uintptr_t)argument;
	pid_t tid = gettid();
	int wrong = 0;

	for (int i = 0; i < ITERATIONS; i++) {
		uint32_t now;

		while ((now = atomic_load(&turn)) % THREADS != mine)
			futex(&turn, FUTEX_WAIT, now);
		own += now;
		wrong += gettid() != tid;
		atomic_fetch_add(&turn, 1);
		futex(&turn, FUTEX_WAKE, THREADS);
	}
	return (void *)(uintptr_t)(own + 1000000 * wrong);
}

static void turns(void)
{
	pthread_t thread[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(thread + i, NULL, take_turns, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		void *sum;

		pthread_join(thread[i], &sum);
		printf("turns: %ld\n", (long)sum);
	}
}

static void *short_life(void *argument)
{
	int file = open("/dev/zero", O_RDONLY);
	char bytes[16];
	uintptr_t got = read(file, bytes, (uintptr_t)argument % sizeof(bytes));

	close(file);
	return (void *)(got + 1000 * (gettid() != getpid()));
}

static void births(void)
{
	for (uintptr_t i = 0; i < ITERATIONS; i++) {
		pthread_t thread[2];
		void *result[2];

		for (uintptr_t k = 0; k < 2; k++)
			pthread_create(thread + k, NULL, short_life, (void *)(i + k));
		for (int k = 0; k < 2; k++)
			pthread_join(thread[k], result + k);
		printf("births %ld %ld\n", (long)result[0], (long)result[1]);
	}
}

static void on_signal(int number)
{
	atomic_fetch_add(&handled, 1);
}

static atomic_bool done;

/* Is woken out of its call each time. */
static void *take_signals(void *argument)
{
	const struct timespec some_time = {.tv_sec = 1000};
	long wrong = 0;

	while (!done)
		wrong += nanosleep(&some_time, NULL) != -1 || errno != EINTR;
	return (void *)wrong;
}

static void signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};
	pthread_t thread;
	void *wrong;

	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&thread, NULL, take_signals, NULL);
	for (int i = 0; i < ITERATIONS; i++) {
		int before = handled;

		done = i == ITERATIONS - 1;
		while (handled == before) {
			pthread_kill(thread, SIGUSR1);
			usleep(100);
		}
		printf("signals: one more is handled\n");
	}
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &wrong);
	printf("signals: %ld sleeps without EINTR\n", (long)wrong);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void waits(void)
{
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < ITERATIONS; i++) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		printf("wait %s\n",
		       strerrorname_np(pthread_cond_timedwait(&condition, &mutex, &until)));
	}
	pthread_mutex_unlock(&mutex);
}

static int file;

static void *write_part(void *argument)
{
	unsigned char letter = 'a' + (uintptr_t)argument;

	for (int i = 0; i < ITERATIONS; i++)
		if (pwrite(file, &letter, 1, i * THREADS + (uintptr_t)argument) != 1)
			return (void *)1;
	return NULL;
}

static void one_file(void)
{
	char content[ITERATIONS * THREADS + 1] = "";
	pthread_t thread[THREADS];

	file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(thread + i, NULL, write_part, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	if (pread(file, content, sizeof(content) - 1, 0) < 0)
		perror("pread");
	printf("file: %s\n", content);
	close(file);
}

int main(void)
{
	turns();
	births();
	signals();
	waits();
	one_file();
	return 0;
}
