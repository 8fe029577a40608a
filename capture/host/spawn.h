/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that the recorder runs beside the command: mkfs and the preparation.
 */
#ifndef SKY_SPAWN_H
#define SKY_SPAWN_H

#include <stdbool.h>

/*
 * Runs argv to its end in a folder (NULL = where we are), without its standard
 * output where quiet. Returns its wait status, or -1 after saying why it could
 * not be run. Dies with the recorder.
 */
int spawn_wait(char *const argv[], const char *folder, bool quiet);

/* The path of a program in $PATH or in /usr/sbin, to be freed; NULL = it is not there. */
char *spawn_find(const char *name);

/* From a signal handler: hands a signal on to the program that runs, if one does. */
void spawn_forward_signal(int signal);

/* "exited with status 3" or "died of SIGTERM" into text; returns text. */
const char *spawn_describe(int status, char text[64]);

#endif
