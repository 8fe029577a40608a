/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that a recorder runs: mkfs, the preparation, an untraced command.
 */
#ifndef SKY_SPAWN_H
#define SKY_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Runs argv to its end in a folder (NULL = where we are), without its standard
 * output where quiet. Returns its wait status, or -1 after saying why it could
 * not be run. Dies with the recorder.
 */
int spawn_wait(char *const argv[], const char *folder, bool quiet);

/* The same in two steps: the process's number, or -1. */
pid_t spawn_begin(char *const argv[], const char *folder, bool quiet);
/* 1 and its wait status, 0 if it is running still (only without wait), or -1. */
int spawn_end(pid_t pid, bool wait, int *status);

/* The path of a program in $PATH or in /usr/sbin, to be freed; NULL = it is not there. */
char *spawn_find(const char *name);

/* From a signal handler: hands a signal on to the program that runs, if one does. */
void spawn_forward_signal(int signal);

/*
 * Has the recorder outlive these signals, a list that ends with 0. They get a handler and
 * are not ignored, which programs would inherit; what is ignored (nohup) stays so.
 */
void spawn_catch_signals(const int *signals, void (*handler)(int signal));

/* "exited with status 3" or "died of SIGTERM" into text; returns text. */
const char *spawn_describe(int status, char text[64]);

#endif
