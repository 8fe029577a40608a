/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "workloads/big_file.h"

extern char **environ;

int big_file_make(struct worker *worker, const char *path, uint64_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), rc;

	if (fd < 0)
		return fail_errno(errno, "%s could not be made", path);
	worker_count(worker, OPERATION_CREATE, BIG_FILE, 0, 0);
	rc = worker_write(worker, fd, BIG_FILE, 0, bytes);
	if (!rc)
		worker_count(worker, OPERATION_WRITE, BIG_FILE, 0, bytes);
	if (!rc && fsync(fd))
		rc = fail_errno(errno, "%s could not be synced", path);
	if (!rc)
		worker_count(worker, OPERATION_SYNC, BIG_FILE, 0, 0);
	close(fd);
	worker_count(worker, OPERATION_CLOSE, BIG_FILE, 0, 0);
	return rc;
}

int big_file_prepare(const struct workload *self, const void *settings,
		     struct workload_counts *counts)
{
	const struct big_file_settings *s = settings;
	struct worker worker;
	char path[64];
	int rc;

	if (worker_init(&worker, 1, s->seed, 1 << 20))
		return -1;
	snprintf(path, sizeof(path), "%s.source", self->head.name);
	rc = big_file_make(&worker, path, whole_tags(s->bytes));
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	return rc;
}

int big_file_adopt(struct worker *worker, const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return fail_errno(errno, "%s, which a program should have made, can't be seen",
				  path);
	worker_wrote(worker, 0, status.st_size);
	return 0;
}

static int spawn(const char *const argv[], pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (!error)
		error = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

int program_run(struct worker *worker, const char *const argv[], const char *package)
{
	int status, error;
	pid_t pid;

	error = spawn(argv, &pid);
	if (error == ENOENT)
		return fail("the program %s is not installed: apt-get install %s", argv[0],
			    package);
	if (error)
		return fail_errno(error, "%s could not be started", argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(errno, "%s could not be waited for", argv[0]);
	worker_count(worker, OPERATION_PROGRAM, 0, 0, 0);
	if (WIFSIGNALED(status))
		return fail("%s was ended by signal %d", argv[0], WTERMSIG(status));
	if (WEXITSTATUS(status))
		return fail("%s failed with status %d; what it says is above", argv[0],
			    WEXITSTATUS(status));
	return 0;
}
