/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions of the disk's process about pages, answered by two threads of the recorder.
 *
 *   before a write ---- checksums, by a socket ---> looks, tells, answers
 *   after a read ------ a count, by an eventfd ---> looks, tells, counts
 *   before a read <---- the count, by a futex
 *
 * Both were made before the disk's process. The disk asks one question at a time,
 * and none where no file is watched. It waits for the answer for PATIENCE_MS at most
 * (the recorder may be stopped, or starved), and asks no more until that came. The
 * look at reads has a thread of its own, as it may wait for the disk; it is given time
 * before the next read, or a program could change all that came before it is seen.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "capture/host/disk.h"
#include "capture/host/page_look.h"
#include "capture/host/page_watch.h"
#include "common/error.h"

#define PATIENCE_MS 500
#define NICENESS    -20 /* the disk waits, and pages that came are about to change */
#define SUMS_MAX    (DISK_REQUEST_BYTES / CHUNK_BYTES + 1)

/* Pages can be read a little after their request was answered (Btrfs checks them first). */
#define READ_LOOKS   3
#define READ_LOOK_MS 2

struct question {
	uint64_t number;
	uint64_t sums[SUMS_MAX];
};

/* What the recorder and the disk's process share. */
struct shared {
	_Atomic unsigned files;
	_Atomic uint32_t reads, reads_seen; /* ever, looked at afterwards */
	_Atomic uint64_t late;
};

enum { RECORDER, DISK };

struct page_watch {
	struct shared *shared;
	int sockets[2], reads;

	/* in the recorder */
	struct look_output output;
	struct look *write_look, *read_look;
	pthread_t write_thread, read_thread;
	bool running;
	_Atomic bool ends;
	pthread_rwlock_t lock; /* of files; for writing: the list changes */
	struct watched_file *files;
	unsigned count, room;

	/* in the disk's process */
	pthread_mutex_t asking;
	uint64_t asked, answered;
	_Atomic uint64_t given_up; /* reads_seen, when that was waited for in vain */
};

static void release(struct page_watch *watch)
{
	const int fds[] = {watch->sockets[RECORDER], watch->sockets[DISK], watch->reads};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (watch->shared != MAP_FAILED)
		munmap(watch->shared, sizeof(*watch->shared));
	look_free(watch->write_look);
	look_free(watch->read_look);
	free(watch->files);
	free(watch);
}

struct page_watch *page_watch_new(struct ring *ring)
{
	struct page_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	*watch = (struct page_watch){
		.sockets = {-1, -1}, .output.ring = ring, .given_up = UINT64_MAX};
	pthread_mutex_init(&watch->output.lock, NULL);
	pthread_mutex_init(&watch->asking, NULL);
	pthread_rwlock_init(&watch->lock, NULL);
	watch->write_look = look_new(&watch->output);
	watch->read_look = look_new(&watch->output);
	watch->reads = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch->shared = mmap(NULL, sizeof(*watch->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (watch->write_look && watch->read_look && watch->reads >= 0 &&
	    watch->shared != MAP_FAILED &&
	    !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, watch->sockets))
		return watch;
	release(watch);
	return NULL;
}

static void announce_read(const struct page_watch *watch)
{
	/* It fails where it has been announced 2^64 times. */
	if (eventfd_write(watch->reads, 1))
		return;
}

void page_watch_free(struct page_watch *watch)
{
	if (!watch)
		return;
	page_watch_prune(watch, UINT64_MAX);
	if (watch->running) {
		atomic_store(&watch->ends, true);
		shutdown(watch->sockets[RECORDER], SHUT_RDWR);
		announce_read(watch);
		pthread_join(watch->write_thread, NULL);
		pthread_join(watch->read_thread, NULL);
	}
	release(watch);
}

static void *watch_writes(void *argument)
{
	struct page_watch *watch = argument;
	int socket = watch->sockets[RECORDER];
	struct question question;
	struct words sums = {.at = question.sums};

	setpriority(PRIO_PROCESS, gettid(), NICENESS);
	for (;;) {
		ssize_t bytes = recv(socket, &question, sizeof(question), 0);

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < (ssize_t)offsetof(struct question, sums))
			return NULL;
		sums.count = (bytes - offsetof(struct question, sums)) / sizeof(*sums.at);
		pthread_rwlock_rdlock(&watch->lock);
		look_at_writes(watch->write_look, watch->files, watch->count, &sums);
		pthread_rwlock_unlock(&watch->lock);
		send(socket, &question.number, sizeof(question.number),
		     MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

static void seen(struct page_watch *watch, uint32_t reads)
{
	atomic_store(&watch->shared->reads_seen, reads);
	syscall(SYS_futex, &watch->shared->reads_seen, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* One look serves all the reads that were announced before it. */
static void *watch_reads(void *argument)
{
	struct page_watch *watch = argument;
	struct pollfd announced = {.fd = watch->reads, .events = POLLIN};
	uint32_t reads = 0;
	unsigned looks = 0;
	eventfd_t count;

	setpriority(PRIO_PROCESS, gettid(), NICENESS);
	while (!atomic_load(&watch->ends)) {
		if (poll(&announced, 1, looks ? READ_LOOK_MS : -1) > 0 &&
		    !eventfd_read(watch->reads, &count))
			looks = READ_LOOKS;
		if (!looks)
			continue;
		looks--;
		reads = atomic_load(&watch->shared->reads);
		pthread_rwlock_rdlock(&watch->lock);
		look_at_reads(watch->read_look, watch->files, watch->count);
		pthread_rwlock_unlock(&watch->lock);
		seen(watch, reads);
	}
	return NULL;
}

/* Both threads or none; signals are the main thread's. */
static bool start_threads(struct page_watch *watch)
{
	sigset_t all, before;

	if (watch->running)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!pthread_create(&watch->write_thread, NULL, watch_writes, watch)) {
		watch->running = !pthread_create(&watch->read_thread, NULL, watch_reads, watch);
		if (!watch->running) {
			shutdown(watch->sockets[RECORDER], SHUT_RDWR);
			pthread_join(watch->write_thread, NULL);
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return watch->running;
}

static struct watched_file *find(struct page_watch *watch, uint64_t device, uint64_t inode)
{
	for (unsigned i = 0; i < watch->count; i++)
		if (watch->files[i].device == device && watch->files[i].inode == inode)
			return &watch->files[i];
	return NULL;
}

/* False if out of memory, or if the file is there already. */
static bool insert(struct page_watch *watch, const struct watched_file *file)
{
	struct watched_file *more, *known = find(watch, file->device, file->inode);

	if (known) {
		known->look = file->look;
		return false;
	}
	if (watch->count == watch->room) {
		more = realloc(watch->files, (watch->room + 16) * sizeof(*more));
		if (!more)
			return false;
		watch->files = more;
		watch->room += 16;
	}
	watch->files[watch->count++] = *file;
	atomic_store(&watch->shared->files, watch->count);
	return true;
}

void page_watch_add(struct page_watch *watch, const char *path, uint64_t look)
{
	struct watched_file file;
	bool taken;

	if (!start_threads(watch) || watched_open(&file, path))
		return; /* what can't be watched is looked at periodically all the same */
	file.look = look;
	pthread_rwlock_wrlock(&watch->lock);
	taken = insert(watch, &file);
	pthread_rwlock_unlock(&watch->lock);
	if (!taken)
		watched_close(&file);
}

/* Only the tracer reads `look`: a look at pages, which may take long, need not end before. */
void page_watch_keep(struct page_watch *watch, uint64_t device, uint64_t inode, uint64_t look)
{
	struct watched_file *file;

	pthread_rwlock_rdlock(&watch->lock);
	file = find(watch, device, inode);
	if (file)
		file->look = look;
	pthread_rwlock_unlock(&watch->lock);
}

static bool take_old(struct page_watch *watch, uint64_t look, struct watched_file *old)
{
	bool found = false;

	pthread_rwlock_wrlock(&watch->lock);
	for (unsigned i = 0; i < watch->count && !found; i++) {
		found = watch->files[i].look < look;
		if (!found)
			continue;
		*old = watch->files[i];
		watch->files[i] = watch->files[--watch->count];
	}
	atomic_store(&watch->shared->files, watch->count);
	pthread_rwlock_unlock(&watch->lock);
	return found;
}

/* The last close of a deleted file writes, so the lock isn't held meanwhile. */
void page_watch_prune(struct page_watch *watch, uint64_t look)
{
	struct watched_file old;

	while (take_old(watch, look, &old))
		watched_close(&old);
}

uint64_t page_watch_late(const struct page_watch *watch)
{
	return atomic_load(&watch->shared->late);
}

/* The answers up to the one to what was asked last; false if it doesn't come in time. */
static bool await_answer(struct page_watch *watch, uint64_t until_ns)
{
	struct pollfd answer = {.fd = watch->sockets[DISK], .events = POLLIN};

	while (watch->answered != watch->asked) {
		uint64_t now_ns = monotonic_ns();
		int left_ms = now_ns < until_ns ? (until_ns - now_ns) / 1000000 : 0;

		if (poll(&answer, 1, left_ms) <= 0 ||
		    recv(answer.fd, &watch->answered, sizeof(watch->answered), MSG_DONTWAIT) <= 0)
			return false;
	}
	return true;
}

static bool ask(struct page_watch *watch, const struct words *sums)
{
	struct question question;
	size_t bytes = offsetof(struct question, sums) + sums->count * sizeof(*sums->at);

	if (sums->count > SUMS_MAX || !await_answer(watch, 0))
		return false;
	question.number = watch->asked + 1;
	memcpy(question.sums, sums->at, sums->count * sizeof(*sums->at));
	if (send(watch->sockets[DISK], &question, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return false;
	watch->asked++;
	return await_answer(watch, monotonic_ns() + PATIENCE_MS * 1000000ull);
}

void page_watch_before_write(struct page_watch *watch, const struct words *sums)
{
	if (!atomic_load(&watch->shared->files))
		return;
	pthread_mutex_lock(&watch->asking);
	if (!ask(watch, sums))
		atomic_fetch_add(&watch->shared->late, 1);
	pthread_mutex_unlock(&watch->asking);
}

void page_watch_before_read(struct page_watch *watch)
{
	uint64_t until_ns = monotonic_ns() + PATIENCE_MS * 1000000ull, now_ns;
	struct shared *shared = watch->shared;
	struct timespec left = {0};
	uint32_t seen;

	while (atomic_load(&shared->files)) {
		seen = atomic_load(&shared->reads_seen);
		now_ns = monotonic_ns();
		if (seen == atomic_load(&shared->reads) || seen == watch->given_up)
			return;
		if (now_ns >= until_ns) {
			watch->given_up = seen;
			return;
		}
		left.tv_nsec = until_ns - now_ns;
		syscall(SYS_futex, &shared->reads_seen, FUTEX_WAIT, seen, &left, NULL, 0);
	}
}

void page_watch_after_read(struct page_watch *watch)
{
	if (!atomic_load(&watch->shared->files))
		return;
	atomic_fetch_add(&watch->shared->reads, 1);
	announce_read(watch);
}
