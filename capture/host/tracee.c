/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traced threads: their table, their memory, their open files, their events.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/user.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/host/tracee.h"
#include "common/error.h"

/* Since Linux 6.9 (include/uapi/linux/pidfd.h): the descriptors of a thread, not of its leader. */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define PAGE_BYTES 4096u

static struct thread **bucket_of(struct tracer *tracer, pid_t tid)
{
	return &tracer->buckets[(unsigned)tid % THREAD_BUCKETS];
}

struct thread *thread_find(struct tracer *tracer, pid_t tid)
{
	struct thread *thread = *bucket_of(tracer, tid);

	while (thread && thread->tid != tid)
		thread = thread->next;
	return thread;
}

static void link_thread(struct tracer *tracer, struct thread *thread)
{
	struct thread **bucket = bucket_of(tracer, thread->tid);

	thread->next = *bucket;
	*bucket = thread;
}

static void unlink_thread(struct tracer *tracer, struct thread *thread)
{
	struct thread **at = bucket_of(tracer, thread->tid);

	while (*at != thread)
		at = &(*at)->next;
	*at = thread->next;
}

struct thread *thread_new(struct tracer *tracer, pid_t tid)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread) {
		fail("Out of memory for traced thread %d; record a smaller command", tid);
		return NULL;
	}
	thread->tid = tid;
	thread->pidfd = -1;
	thread->schedstat = -1;
	thread->call.file.fd = -1;
	thread->call.source.fd = -1;
	link_thread(tracer, thread);
	return thread;
}

static void close_descriptors(struct thread *thread)
{
	if (thread->pidfd >= 0)
		close(thread->pidfd);
	if (thread->schedstat >= 0)
		close(thread->schedstat);
	thread->pidfd = -1;
	thread->schedstat = -1;
}

void thread_free(struct tracer *tracer, struct thread *thread)
{
	unlink_thread(tracer, thread);
	close_descriptors(thread);
	file_close(&thread->call.file);
	file_close(&thread->call.source);
	free(thread->call.parts);
	free(thread->call.source_sums);
	free(thread);
}

void thread_rename(struct tracer *tracer, struct thread *thread, pid_t tid)
{
	unlink_thread(tracer, thread);
	close_descriptors(thread);
	thread->tid = tid;
	link_thread(tracer, thread);
}

struct process *process_new(pid_t pid, uint64_t space, const struct process *like)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->pid = pid;
	process->threads = 1;
	process->space = space;
	process->mapped = like && like->mapped;
	if (!like || !like->told_count)
		return process;
	process->told = malloc(like->told_count * sizeof(*like->told));
	if (process->told) {
		memcpy(process->told, like->told, like->told_count * sizeof(*like->told));
		process->told_count = like->told_count;
	}
	return process;
}

bool process_leave(struct process *process)
{
	if (--process->threads)
		return false;
	free(process->told);
	free(process->submitted);
	free(process);
	return true;
}

struct told process_told(const struct process *process, int fd)
{
	return fd >= 0 && (unsigned)fd < process->told_count ? process->told[fd] : (struct told){0};
}

void process_tell(struct process *process, int fd, struct told told)
{
	unsigned count = process->told_count ? process->told_count : 16;
	struct told *more;

	if (fd < 0)
		return;
	if ((unsigned)fd >= process->told_count) {
		while (count <= (unsigned)fd)
			count *= 2;
		more = realloc(process->told, count * sizeof(*more));
		if (!more)
			return; /* it will be told again, which does no harm */
		memset(more + process->told_count, 0,
		       (count - process->told_count) * sizeof(*more));
		process->told = more;
		process->told_count = count;
	}
	process->told[fd] = told;
}

void process_forget(struct process *process, unsigned first, unsigned last)
{
	for (unsigned fd = first; fd <= last && fd < process->told_count; fd++)
		process->told[fd] = (struct told){0};
}

size_t memory_read(const struct thread *thread, uint64_t address, void *buffer, size_t bytes)
{
	struct iovec local = {.iov_base = buffer, .iov_len = bytes};
	struct iovec remote = {.iov_base = (void *)address, .iov_len = bytes};
	ssize_t got = process_vm_readv(thread->tid, &local, 1, &remote, 1, 0);

	return got < 0 ? 0 : got;
}

struct text memory_path(const struct thread *thread, uint64_t address, char *buffer)
{
	size_t count = 0;

	/* Page by page: what follows the string may not be there. */
	while (count < PATH_MAX) {
		size_t bytes = PAGE_BYTES - (address + count) % PAGE_BYTES, got;

		if (bytes > PATH_MAX - count)
			bytes = PATH_MAX - count;
		if (bytes > 256 && count == 0)
			bytes = 256; /* nearly every path is short */
		got = memory_read(thread, address + count, buffer + count, bytes);
		bytes = strnlen(buffer + count, got);
		count += bytes;
		if (bytes < got || !got)
			break;
	}
	return (struct text){.at = buffer, .count = count};
}

static void set_facts(const struct tracer *tracer, struct file *file, const struct statx *facts)
{
	file->mode = facts->stx_mode;
	file->device = makedev(facts->stx_dev_major, facts->stx_dev_minor);
	file->inode = facts->stx_ino;
	file->links = facts->stx_nlink;
	file->size = facts->stx_size;
	file->regular = S_ISREG(facts->stx_mode);
	file->raw = S_ISBLK(facts->stx_mode) && tracer->options->raw_device &&
		    makedev(facts->stx_rdev_major, facts->stx_rdev_minor) ==
			    tracer->options->raw_device;
	if (file->raw)
		file->size = tracer->options->raw_bytes;
	file->recorded = file->regular && (file->device == tracer->options->mount_device ||
					   (facts->stx_mask & STATX_MNT_ID &&
					    facts->stx_mnt_id == tracer->options->mount_id));
}

static bool descriptors_open(struct thread *thread)
{
	if (thread->pidfd < 0)
		thread->pidfd = pidfd_open(thread->tid, PIDFD_THREAD);
	if (thread->pidfd < 0)
		thread->pidfd = pidfd_open(thread->process->pid, 0);
	return thread->pidfd >= 0;
}

void file_open(const struct tracer *tracer, struct thread *thread, int fd, struct file *file)
{
	struct statx facts;

	*file = (struct file){.fd = -1, .offset = OFFSET_UNKNOWN};
	if (fd < 0 || !descriptors_open(thread))
		return;
	file->fd = pidfd_getfd(thread->pidfd, fd, 0);
	if (file->fd < 0)
		return;
	if (statx(file->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_BASIC_STATS | STATX_MNT_ID, &facts) < 0) {
		file_close(file);
		return;
	}
	set_facts(tracer, file, &facts);
	file->flags = fcntl(file->fd, F_GETFL);
	if (file->regular || S_ISBLK(file->mode) || S_ISDIR(file->mode))
		file->offset = lseek(file->fd, 0, SEEK_CUR);
}

void file_close(struct file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

bool path_stat(const struct tracer *tracer, struct thread *thread, int folder, const char *path,
	       bool follow, struct file *file)
{
	char from_root[PATH_MAX + 32];
	int flags = AT_STATX_DONT_SYNC | (follow ? 0 : AT_SYMLINK_NOFOLLOW);
	struct file start = {.fd = AT_FDCWD};
	struct statx facts;
	int error;

	*file = (struct file){.fd = -1, .offset = OFFSET_UNKNOWN};
	if (!*path)
		return false;
	if (*path == '/' || folder == AT_FDCWD) {
		snprintf(from_root, sizeof(from_root), "/proc/%d/%s/%s", thread->tid,
			 *path == '/' ? "root" : "cwd", path);
		path = from_root;
	} else {
		file_open(tracer, thread, folder, &start);
		if (start.fd < 0)
			return false;
	}
	error = statx(start.fd, path, flags, STATX_BASIC_STATS | STATX_MNT_ID, &facts);
	if (start.fd != AT_FDCWD)
		file_close(&start);
	if (error)
		return false;
	set_facts(tracer, file, &facts);
	return true;
}

/* What a link of /proc leads to. */
static bool link_stat(const struct tracer *tracer, const char *path, struct file *file)
{
	struct statx facts;

	*file = (struct file){.fd = -1, .offset = OFFSET_UNKNOWN};
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &facts) < 0)
		return false;
	set_facts(tracer, file, &facts);
	return true;
}

bool mapping_stat(const struct tracer *tracer, const struct thread *thread, uint64_t begin,
		  uint64_t end, struct file *file)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, thread->tid, begin,
		 end);
	return link_stat(tracer, path, file);
}

bool executes_recorded(const struct tracer *tracer, const struct thread *thread)
{
	struct file file;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/exe", thread->tid);
	return link_stat(tracer, path, &file) && file.recorded;
}

void thread_clock(struct thread *thread)
{
	char text[64];
	ssize_t bytes;

	if (thread->schedstat < 0) {
		snprintf(text, sizeof(text), "/proc/%d/schedstat", thread->tid);
		thread->schedstat = open(text, O_RDONLY | O_CLOEXEC);
		if (thread->schedstat < 0)
			return;
	}
	bytes = pread(thread->schedstat, text, sizeof(text) - 1, 0);
	if (bytes <= 0)
		return;
	text[bytes] = '\0';
	thread->cpu_ns = strtoull(text, NULL, 10);
}

void argument_set(const struct thread *thread, unsigned argument, uint64_t value)
{
	static const size_t registers[] = {
		offsetof(struct user_regs_struct, rdi), offsetof(struct user_regs_struct, rsi),
		offsetof(struct user_regs_struct, rdx), offsetof(struct user_regs_struct, r10),
		offsetof(struct user_regs_struct, r8),	offsetof(struct user_regs_struct, r9)};

	/* It fails only where the thread was killed meanwhile. */
	ptrace(PTRACE_POKEUSER, thread->tid, registers[argument], value);
}

bool reserve_words(uint64_t **words, size_t *room, size_t count)
{
	uint64_t *more;

	if (count <= *room)
		return true;
	more = realloc(*words, count * 2 * sizeof(*more));
	if (!more)
		return false;
	*words = more;
	*room = count * 2;
	return true;
}

/*
 * held_ns: from when the tracer took the thread's stop up to this event, less
 * what earlier events of the same stop have reported.
 */
static void set_thread(struct event *event, struct thread *thread)
{
	event->space = thread->process->space;
	event->stack = thread->stack;
	event->fs_base = thread->fs_base;
	event->cpu_ns = thread->cpu_ns;
	event->pid = thread->process->pid;
	event->tid = thread->tid;
	if (!thread->held_from_ns)
		return;
	event->held_ns = event->time_ns - thread->held_from_ns;
	thread->held_from_ns = event->time_ns;
}

/* A transfer of gigabytes may have more checksums than a ring can hold: it goes without. */
static bool drop_sums(struct tracer *tracer, struct event *event)
{
	struct words *sums = event->kind == EVENT_ENTRY ? &event->entry.sums : &event->exit.sums;

	if (event->kind != EVENT_ENTRY && event->kind != EVENT_EXIT)
		return false;
	if (event->kind == EVENT_EXIT && !sums->count)
		sums = &event->exit.written;
	tracer->skipped_chunks += sums->count;
	sums->count = 0;
	return true;
}

void emit_event(struct tracer *tracer, struct thread *thread, struct event *event)
{
	int error;

	if (tracer->broken)
		return;
	event->time_ns = monotonic_ns();
	if (thread)
		set_thread(event, thread);
	error = ring_push(tracer->options->ring, event);
	if (error == -EMSGSIZE && drop_sums(tracer, event))
		error = ring_push(tracer->options->ring, event);
	if (!error)
		return;
	tracer->broken = true;
	fail_errno(error, "Recording of system calls stopped because its events can't be stored, "
			  "and the command is killed; see the message before this one");
}

void emit_file(struct tracer *tracer, struct thread *thread, int fd, const struct file *file,
	       struct text path)
{
	struct event event;

	event_init(&event, EVENT_INSIGHT);
	event.insight.number = call_number(ABI_LINUX64, fd < 0 ? CALL_statx : CALL_fstat);
	event.insight.fd = fd;
	event.insight.offset = file->offset == OFFSET_UNKNOWN ? 0 : file->offset;
	event.insight.flags = file->flags;
	event.insight.device = file->device;
	event.insight.inode = file->inode;
	event.insight.links = file->links;
	event.insight.size = file->size;
	event.insight.mode = file->mode;
	event.insight.path = path;
	emit_event(tracer, thread, &event);
}

void file_tell_always(struct tracer *tracer, struct thread *thread, int fd, const struct file *file)
{
	char path[PATH_MAX], link[32];
	ssize_t bytes;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	bytes = readlink(link, path, sizeof(path));
	process_tell(thread->process, fd, (struct told){file->device, file->inode});
	emit_file(tracer, thread, fd, file,
		  (struct text){.at = path, .count = bytes < 0 ? 0 : bytes});
}

static void file_tell(struct tracer *tracer, struct thread *thread, int fd, const struct file *file)
{
	struct told told = process_told(thread->process, fd);

	if (file->fd >= 0 && (told.device != file->device || told.inode != file->inode))
		file_tell_always(tracer, thread, fd, file);
}

void file_open_told(struct tracer *tracer, struct thread *thread, int fd, struct file *file)
{
	file_open(tracer, thread, fd, file);
	file_tell(tracer, thread, fd, file);
}
