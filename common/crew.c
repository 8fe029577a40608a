/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "crew.h"
#include "error.h"

struct queue {
	struct crew_job *first, **end;
};

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t arrived, ended; /* a job; ended: or a thread's start */
	struct queue urgent, usual;
	unsigned int running, ready; /* jobs; threads that wait for them */
	bool closing;
	pthread_t maker;
	unsigned int threads; /* besides the caller's */
	pthread_t thread[];
};

static void append(struct crew *crew, struct crew_job *job)
{
	struct queue *queue = job->urgent ? &crew->urgent : &crew->usual;

	job->state = JOB_WAITS;
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
	pthread_cond_signal(&crew->arrived);
}

static struct crew_job *take(struct crew *crew)
{
	struct queue *queue = crew->urgent.first ? &crew->urgent : &crew->usual;
	struct crew_job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->end = &queue->first;
	return job;
}

/* With the lock held, which is open while the job runs. */
static void run(struct crew *crew, struct crew_job *job)
{
	job->state = JOB_RUNS;
	crew->running++;
	pthread_mutex_unlock(&crew->lock);
	job->work(job);
	pthread_mutex_lock(&crew->lock);
	crew->running--;
	if (job->state == JOB_RUNS_AGAIN)
		append(crew, job);
	else
		job->state = JOB_IDLE;
	pthread_cond_broadcast(&crew->ended);
}

static void *work(void *argument)
{
	struct crew *crew = argument;
	struct crew_job *job;

	pthread_mutex_lock(&crew->lock);
	crew->ready++;
	pthread_cond_broadcast(&crew->ended);
	while (!crew->closing) {
		job = take(crew);
		if (job)
			run(crew, job);
		else
			pthread_cond_wait(&crew->arrived, &crew->lock);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

/* Signals are the first thread's to handle. */
static int start(struct crew *crew)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&crew->thread[crew->threads], NULL, work, crew);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		crew->threads++;
	return rc;
}

/* A thread that is still being made holds locks, which a process forked meanwhile would miss. */
static void wait_until_ready(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->ready < crew->threads)
		pthread_cond_wait(&crew->ended, &crew->lock);
	pthread_mutex_unlock(&crew->lock);
}

struct crew *crew_new(unsigned int threads)
{
	struct crew *crew = calloc(1, sizeof(*crew) + threads * sizeof(*crew->thread));
	int rc = 0;

	if (!crew) {
		fail("out of memory for %u threads", threads);
		return NULL;
	}
	crew->maker = pthread_self();
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->arrived, NULL);
	pthread_cond_init(&crew->ended, NULL);
	crew->urgent.end = &crew->urgent.first;
	crew->usual.end = &crew->usual.first;
	while (!rc && crew->threads + 1 < threads)
		rc = start(crew);
	wait_until_ready(crew);
	if (!rc)
		return crew;
	fail_errno(rc, "cannot start %u threads; give fewer by --threads", threads);
	crew_free(crew);
	return NULL;
}

void crew_free(struct crew *crew)
{
	if (!crew)
		return;
	pthread_mutex_lock(&crew->lock);
	crew->closing = true;
	pthread_cond_broadcast(&crew->arrived);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned int i = 0; i < crew->threads; i++)
		pthread_join(crew->thread[i], NULL);
	pthread_cond_destroy(&crew->ended);
	pthread_cond_destroy(&crew->arrived);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}

void crew_submit(struct crew *crew, struct crew_job *job)
{
	pthread_mutex_lock(&crew->lock);
	if (job->state == JOB_IDLE)
		append(crew, job);
	else if (job->state == JOB_RUNS)
		job->state = JOB_RUNS_AGAIN;
	pthread_mutex_unlock(&crew->lock);
}

/* With the lock held. False if there is nothing to do or wait for. */
static bool help(struct crew *crew)
{
	struct crew_job *job = take(crew);

	if (job)
		run(crew, job);
	else if (crew->running)
		pthread_cond_wait(&crew->ended, &crew->lock);
	else
		return false;
	return true;
}

void crew_help(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	help(crew);
	pthread_mutex_unlock(&crew->lock);
}

void crew_help_until(struct crew *crew, bool (*enough)(const void *context), const void *context)
{
	pthread_mutex_lock(&crew->lock);
	while (!enough(context) && help(crew))
		continue;
	pthread_mutex_unlock(&crew->lock);
}

void crew_nudge(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	pthread_cond_broadcast(&crew->ended);
	pthread_mutex_unlock(&crew->lock);
}

bool crew_is_helped(const struct crew *crew)
{
	return pthread_equal(crew->maker, pthread_self());
}

void crew_settle(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	while (help(crew))
		continue;
	pthread_mutex_unlock(&crew->lock);
}

unsigned int crew_threads(const struct crew *crew)
{
	return crew->threads + 1;
}

unsigned int crew_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}
