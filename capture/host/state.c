/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The folders below /run/sky.
 *
 * When a recorder is killed, its mount namespace goes with its last process,
 * and with it the mounts and the loop device; the disk's process sees that,
 * removes the folder and ends. So state_cleanup() has to wait more than to do:
 * it ends processes that still hold the namespace, gives the disk's process
 * time, and takes by force only what is left then.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/error.h"
#include "loop.h"
#include "state.h"

#define STATE_ROOT  "/run/sky"
#define PATIENCE_MS 10000 /* an unmount writes back what is dirty */
#define STEP_MS	    50

static const char *const entries[] = {"daemon", "disk", "mnt"};

/* Reads a small file of /proc whole, terminated; its length, or -errno. */
static ssize_t read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t bytes;

	if (fd < 0)
		return -errno;
	bytes = read(fd, text, room - 1);
	if (bytes < 0)
		bytes = -errno;
	else
		text[bytes] = '\0';
	close(fd);
	return bytes;
}

int process_find(pid_t pid, struct process *process)
{
	char path[32], line[1024], *after_name, state;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_text(path, line, sizeof(line)) <= 0)
		return -ESRCH;
	/* the second field, the name, may hold blanks and brackets */
	after_name = strrchr(line, ')');
	if (!after_name || sscanf(after_name + 1,
				  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
				  "%*d %*d %*d %lu",
				  &state, &process->start) != 2)
		return -ESRCH;
	process->pid = pid;
	return state == 'Z' || state == 'X' ? -ESRCH : 0;
}

bool process_alive(const struct process *process)
{
	struct process now;

	return !process_find(process->pid, &now) && now.start == process->start;
}

/* A pidfd of exactly this process, or -1. */
static int process_open(const struct process *process)
{
	int fd = syscall(SYS_pidfd_open, process->pid, 0);

	if (fd >= 0 && !process_alive(process)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool process_wait(const struct process *process, int timeout_ms)
{
	struct pollfd ended = {.fd = process_open(process), .events = POLLIN};
	int rc;

	if (ended.fd < 0)
		return true;
	do
		rc = poll(&ended, 1, timeout_ms);
	while (rc < 0 && errno == EINTR);
	close(ended.fd);
	return rc > 0;
}

static void process_kill(const struct process *process)
{
	int fd = process_open(process);

	if (fd < 0)
		return;
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	close(fd);
	process_wait(process, PATIENCE_MS);
}

int state_create(char folder[STATE_PATH_BYTES])
{
	struct process self;

	if (process_find(getpid(), &self))
		return fail("cannot read /proc/self/stat; mount /proc first");
	snprintf(folder, STATE_PATH_BYTES, STATE_ROOT "/%d.%lu", self.pid, self.start);
	if (mkdir(STATE_ROOT, 0755) && errno != EEXIST)
		return fail_errno(errno, "cannot make the folder " STATE_ROOT);
	if (mkdir(folder, 0755))
		return fail_errno(errno, "cannot make the folder %s", folder);
	return 0;
}

int state_set_daemon(const char *folder, const struct process *daemon)
{
	char path[STATE_PATH_BYTES + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/daemon", folder);
	file = fopen(path, "we");
	if (!file)
		return fail_errno(errno, "cannot write %s", path);
	fprintf(file, "%d %lu\n", daemon->pid, daemon->start);
	if (fclose(file))
		return fail_errno(errno, "cannot write %s", path);
	return 0;
}

static bool get_daemon(const char *folder, struct process *daemon)
{
	char path[STATE_PATH_BYTES + 16], line[64];

	snprintf(path, sizeof(path), "%s/daemon", folder);
	return read_text(path, line, sizeof(line)) > 0 &&
	       sscanf(line, "%d %lu", &daemon->pid, &daemon->start) == 2;
}

void state_remove(const char *folder)
{
	char path[STATE_PATH_BYTES + 16];

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]);
		if (unlink(path))
			rmdir(path); /* `mnt` is a folder; what stays behind is met by the next line */
	}
	rmdir(folder);
}

/* Does the process see a mount below folder, and so live in a recorder's namespace? */
static bool sees_mounts_of(pid_t pid, const char *folder)
{
	char path[32], needle[STATE_PATH_BYTES + 8], *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	snprintf(needle, sizeof(needle), " %s/", folder);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && getline(&line, &room, file) > 0)
		found = strstr(line, needle);
	free(line);
	fclose(file);
	return found;
}

int state_evict(const char *folder, void (*tell)(const char *format, ...))
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int evicted = 0;

	if (!proc)
		return 0;
	while ((entry = readdir(proc))) {
		struct process process;

		if (process_find(atoi(entry->d_name), &process) || process.pid == getpid() ||
		    !sees_mounts_of(process.pid, folder))
			continue;
		process_kill(&process);
		tell("ended process %d, which still used the file system in %s", process.pid,
		     folder);
		evicted++;
	}
	closedir(proc);
	return evicted;
}

static void print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* 0 once no loop device stands on the folder's disk. */
static int detach_loops(const char *folder)
{
	char disk[STATE_PATH_BYTES + 16];
	int left;

	snprintf(disk, sizeof(disk), "%s/disk", folder);
	left = loop_detach_named(disk);
	if (left)
		print_line("detached %d loop device%s from %s", left, left > 1 ? "s" : "", disk);
	for (int waited_ms = 0; left && waited_ms < PATIENCE_MS; waited_ms += STEP_MS) {
		usleep(STEP_MS * 1000);
		left = loop_detach_named(disk);
	}
	return left ? fail("a loop device on %s is still in use; see `losetup -a`", disk) : 0;
}

static void end_daemon(const char *folder)
{
	struct process daemon;

	if (!get_daemon(folder, &daemon) || !process_alive(&daemon))
		return;
	if (process_wait(&daemon, PATIENCE_MS)) {
		print_line("process %d, which served the disk in %s, has ended", daemon.pid,
			   folder);
		return;
	}
	process_kill(&daemon);
	print_line("ended process %d, which served the disk in %s", daemon.pid, folder);
}

static void unmount_here(const char *folder, const char *name)
{
	char path[STATE_PATH_BYTES + 16];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (!umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
		print_line("unmounted %s", path);
}

static int clean(const char *folder)
{
	state_evict(folder, print_line);
	end_daemon(folder);
	unmount_here(folder, "mnt");
	unmount_here(folder, "disk");
	if (detach_loops(folder))
		return -1;
	state_remove(folder);
	if (!access(folder, F_OK))
		return fail("cannot remove %s; look for what is in it", folder);
	print_line("removed %s", folder);
	return 0;
}

/* Is the folder's name that of a recorder that has ended? */
static bool is_leftover(const char *name)
{
	struct process recorder;
	int end = 0;

	return sscanf(name, "%d.%lu%n", &recorder.pid, &recorder.start, &end) == 2 && !name[end] &&
	       !process_alive(&recorder);
}

int state_cleanup(void)
{
	DIR *root = opendir(STATE_ROOT);
	char folder[STATE_PATH_BYTES];
	struct dirent *entry;
	int rc = 0;

	if (!root)
		return errno == ENOENT ? 0 : fail_errno(errno, "cannot read " STATE_ROOT);
	while ((entry = readdir(root))) {
		if (is_leftover(entry->d_name) &&
		    snprintf(folder, sizeof(folder), STATE_ROOT "/%s", entry->d_name) <
			    STATE_PATH_BYTES - 8 &&
		    clean(folder))
			rc = -1;
	}
	closedir(root);
	return rc;
}
