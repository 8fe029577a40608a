/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that do jobs, first come, first served; urgent ones before.
 *
 * The thread that made the crew hands out jobs and helps while it waits for
 * what they do, so a crew of one is that thread alone. A job that is handed
 * out while it is under way is done once more; never by two at a time, so it
 * may keep state without locks. A job must not wait for another.
 */
#ifndef SKY_CREW_H
#define SKY_CREW_H

#include <stdbool.h>

struct crew_job {
	void (*work)(struct crew_job *job);
	/* the crew's; zero at first */
	struct crew_job *next;
	enum { JOB_IDLE, JOB_WAITS, JOB_RUNS, JOB_RUNS_AGAIN } state;
	bool urgent;
};

struct crew;

/* threads: with the caller's, at least 1. NULL after saying what is wrong. */
struct crew *crew_new(unsigned int threads);

/* Jobs that wait are dropped, those under way are ended first. */
void crew_free(struct crew *crew);

void crew_submit(struct crew *crew, struct crew_job *job);

/* Does a job; where none waits but some are under way, waits for the end of one. */
void crew_help(struct crew *crew);

/*
 * The same again and again, until enough() says so. Who makes it so in the middle of a job
 * calls crew_nudge().
 */
void crew_help_until(struct crew *crew, bool (*enough)(const void *context), const void *context);
void crew_nudge(struct crew *crew);

/* Is this the thread that made the crew? It may have better things to do than a long job. */
bool crew_is_helped(const struct crew *crew);

/* Until no job waits or is under way: then what jobs lie in may be freed. */
void crew_settle(struct crew *crew);

/* With the one that made it. */
unsigned int crew_threads(const struct crew *crew);

/* How many processors this process may use. */
unsigned int crew_processors(void);

#endif
