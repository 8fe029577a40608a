/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "spawn.h"

#define EXIT_NOT_RUN 127 /* as a shell has it */

static volatile sig_atomic_t running_pid;

static void become(char *const argv[], const char *folder, bool quiet, pid_t parent)
{
	int null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_NOT_RUN);
	if (quiet) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null >= 0)
			dup2(null, STDOUT_FILENO);
	}
	if (folder && chdir(folder))
		fail_errno(errno, "cannot enter %s", folder);
	else if (execvp(argv[0], argv))
		fail_errno(errno, "cannot run %s", argv[0]);
	_exit(EXIT_NOT_RUN);
}

pid_t spawn_begin(char *const argv[], const char *folder, bool quiet)
{
	pid_t self = getpid(), pid = fork();

	if (pid < 0)
		return fail_errno(errno, "cannot start a process for %s", argv[0]);
	if (!pid)
		become(argv, folder, quiet, self);
	running_pid = pid;
	return pid;
}

int spawn_end(pid_t pid, bool wait, int *status)
{
	pid_t waited;

	do
		waited = waitpid(pid, status, wait ? 0 : WNOHANG);
	while (waited < 0 && errno == EINTR);
	if (waited)
		running_pid = 0;
	return waited < 0 ? fail_errno(errno, "cannot wait for process %d", (int)pid) : waited > 0;
}

int spawn_wait(char *const argv[], const char *folder, bool quiet)
{
	pid_t pid = spawn_begin(argv, folder, quiet);
	int status;

	return pid < 0 || spawn_end(pid, true, &status) < 0 ? -1 : status;
}

char *spawn_find(const char *name)
{
	const char *path = getenv("PATH");
	char *folders, *rest = NULL, *found = NULL;

	if (asprintf(&folders, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin") < 0)
		return NULL;
	for (char *folder = strtok_r(folders, ":", &rest); folder && !found;
	     folder = strtok_r(NULL, ":", &rest)) {
		if (asprintf(&found, "%s/%s", folder, name) < 0)
			found = NULL;
		if (found && access(found, X_OK)) {
			free(found);
			found = NULL;
		}
	}
	free(folders);
	return found;
}

void spawn_forward_signal(int signal)
{
	pid_t pid = running_pid;

	if (pid > 0)
		kill(pid, signal);
}

void spawn_catch_signals(const int *signals, void (*handler)(int signal))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;

	for (; *signals; signals++)
		if (!sigaction(*signals, NULL, &before) && before.sa_handler != SIG_IGN)
			sigaction(*signals, &action, NULL);
}

const char *spawn_describe(int status, char text[64])
{
	if (WIFSIGNALED(status))
		snprintf(text, 64, "died of SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(text, 64, "exited with status %d", WEXITSTATUS(status));
	return text;
}
