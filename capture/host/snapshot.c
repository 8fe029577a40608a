/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process has when its monitoring starts: where it is, what it
 * executes, its descriptors, its file mappings. Read from /proc.
 */
#include <dirent.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "capture/host/tracee.h"

static struct text read_link(pid_t pid, const char *name, char *buffer)
{
	char link[64];
	ssize_t bytes;

	snprintf(link, sizeof(link), "/proc/%d/%s", pid, name);
	bytes = readlink(link, buffer, PATH_MAX);
	return (struct text){.at = buffer, .count = bytes < 0 ? 0 : bytes};
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[128];
	pid_t parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file) && sscanf(line, "PPid: %d", &parent) != 1)
		;
	fclose(file);
	return parent;
}

static void emit_process(struct tracer *tracer, struct thread *thread)
{
	pid_t pid = thread->process->pid;
	char cwd[PATH_MAX], executable[PATH_MAX];
	struct event event;

	event_init(&event, EVENT_PROCESS);
	event.process.parent_pid = parent_of(pid);
	event.process.cwd = read_link(pid, "cwd", cwd);
	event.process.executable = read_link(pid, "exe", executable);
	emit_event(tracer, thread, &event);
}

/* The lowest descriptor with the same open file, + 1; 0 where the kernel doesn't tell. */
static uint64_t open_file_of(pid_t pid, int fd, const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count && fds[i] != fd; i++)
		if (syscall(SYS_kcmp, pid, pid, KCMP_FILE, fds[i], fd) == 0)
			return fds[i] + 1;
	return syscall(SYS_kcmp, pid, pid, KCMP_FILE, fd, fd) == 0 ? fd + 1 : 0;
}

static void emit_descriptor(struct tracer *tracer, struct thread *thread, int fd, const int *fds,
			    unsigned count)
{
	pid_t pid = thread->process->pid;
	char name[32], path[PATH_MAX];
	struct event event;
	struct file file;

	file_open(tracer, thread, fd, &file);
	if (file.fd < 0)
		return;
	snprintf(name, sizeof(name), "fd/%d", fd);
	event_init(&event, EVENT_DESCRIPTOR);
	event.descriptor.fd = fd;
	event.descriptor.open_file = open_file_of(pid, fd, fds, count);
	event.descriptor.offset = file.offset == OFFSET_UNKNOWN ? 0 : file.offset;
	event.descriptor.flags = file.flags;
	event.descriptor.device = file.device;
	event.descriptor.inode = file.inode;
	event.descriptor.links = file.links;
	event.descriptor.size = file.size;
	event.descriptor.mode = file.mode;
	event.descriptor.path = read_link(pid, name, path);
	emit_event(tracer, thread, &event);
	process_tell(thread->process, fd, (struct told){file.device, file.inode});
	file_close(&file);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void emit_descriptors(struct tracer *tracer, struct thread *thread)
{
	int fds[1024]; /* more would be a strange thing to inherit; they are told when used */
	unsigned count = 0;
	struct dirent *entry;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", thread->process->pid);
	folder = opendir(path);
	if (!folder)
		return;
	while (count < 1024 && (entry = readdir(folder)))
		if (*entry->d_name != '.')
			fds[count++] = atoi(entry->d_name);
	closedir(folder);
	qsort(fds, count, sizeof(*fds), by_number);
	for (unsigned i = 0; i < count; i++)
		emit_descriptor(tracer, thread, fds[i], fds, count);
}

/* A line of /proc/PID/maps (proc(5)); false for a mapping without a file. */
static bool parse_map(const char *line, struct map_event *map)
{
	unsigned major, minor;
	uint64_t end;
	char rights[5];
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
		   &map->address, &end, rights, &map->offset, &major, &minor, &map->inode,
		   &path) < 7 ||
	    !map->inode)
		return false;
	map->bytes = end - map->address;
	map->device = makedev(major, minor);
	map->protection = (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) |
			  (rights[2] == 'x' ? PROT_EXEC : 0);
	map->flags = rights[3] == 's' ? MAP_SHARED : MAP_PRIVATE;
	map->path = (struct text){.at = line + path, .count = strcspn(line + path, "\n")};
	return true;
}

static void emit_maps(struct tracer *tracer, struct thread *thread)
{
	char path[64], *line = NULL;
	size_t room = 0;
	struct event event;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", thread->process->pid);
	maps = fopen(path, "re");
	if (!maps)
		return;
	while (getline(&line, &room, maps) > 0) {
		event_init(&event, EVENT_MAP);
		if (parse_map(line, &event.map))
			emit_event(tracer, thread, &event);
	}
	free(line);
	fclose(maps);
}

void emit_snapshot(struct tracer *tracer, struct thread *thread)
{
	struct event event;

	event_init(&event, EVENT_MONITOR);
	event.monitor.on = 1;
	emit_event(tracer, thread, &event);
	emit_process(tracer, thread);
	emit_descriptors(tracer, thread);
	emit_maps(tracer, thread);
}
