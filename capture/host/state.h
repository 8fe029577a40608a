/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a recorder keeps in /run/sky while it lives, and what becomes of it.
 *
 * A recorder has the folder /run/sky/PID.START, named after itself, with its
 * mount points `disk` and `mnt` and a file `daemon` that names the process of
 * its disk. A process is known by its number and its start time together, since
 * numbers are used again.
 */
#ifndef SKY_STATE_H
#define SKY_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_PATH_BYTES 64 /* also the room for a name in a loop device's status */

struct process {
	pid_t pid;
	uint64_t start; /* clock ticks after boot: proc(5), stat, field 22 */
};

/* 0, or -ESRCH where there is no such process or only a zombie of it. */
int process_find(pid_t pid, struct process *process);
bool process_alive(const struct process *process);

/*
 * Waits until the process has ended; false if it hasn't after timeout_ms
 * (-1 = forever).
 */
bool process_wait(const struct process *process, int timeout_ms);

/* Makes the calling process's folder; its path has at most STATE_PATH_BYTES - 8 bytes. */
int state_create(char folder[STATE_PATH_BYTES]);

/* Notes who serves the disk. */
int state_set_daemon(const char *folder, const struct process *daemon);

/* Removes the folder; harmless if that has been done. */
void state_remove(const char *folder);

/*
 * Kills the processes that still live among the mounts of that folder's
 * recorder, other than the caller, and tells of each by `tell` (as warn()
 * does). Returns how many they were.
 */
int state_evict(const char *folder, void (*tell)(const char *format, ...));

/*
 * Ends and removes what recorders that were killed have left behind, and
 * prints what it was. 0, or -1 after saying what could not be removed.
 */
int state_cleanup(void);

#endif
