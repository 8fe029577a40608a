/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that is the virtual disk.
 *
 * Every request of the loop device arrives here with its content. It becomes
 * an EVENT_BLOCK before it is executed and an EVENT_COMPLETE before the kernel
 * hears of the result; writes are hashed before, reads after. Several threads
 * serve; a lock around "take the time, push" makes the ring's order that of
 * time.
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "common/fnv1a.h"
#include "disk.h"
#include "loop.h"
#include "marker.h"

#define THREADS		   8
#define BACKGROUND_MAX	   64 /* requests under way, of the loop device's 128 */
#define REQUEST_CHUNKS_MAX (DISK_REQUEST_BYTES / CHUNK_BYTES + 1) /* unaligned: one more */

/* What the recorder and the disk's process share. */
struct control {
	_Atomic bool recording;
};

struct disk {
	struct disk_options options;
	struct control *control;
	struct process process;
	int backing, fuse;
	int go; /* pipe: a byte means that the file system is mounted */

	/* in the disk's process */
	pthread_mutex_t order;
	uint64_t last_id;
	pthread_key_t scratch;
	_Atomic bool told; /* of a write that failed */
};

/* A thread's memory. */
struct scratch {
	uint8_t data[DISK_REQUEST_BYTES];
	uint64_t sums[REQUEST_CHUNKS_MAX], markers[REQUEST_CHUNKS_MAX];
};

/* A request that is being served. */
struct request {
	struct disk *disk;
	struct scratch *scratch;
	uint64_t id; /* 0: not recorded */
};

/* False when the recorder is gone: the disk then goes on without it until the unmount. */
static void push(struct disk *disk, struct event *event)
{
	event->time_ns = monotonic_ns();
	if (ring_push(disk->options.ring, event))
		atomic_store(&disk->control->recording, false);
}

struct digest {
	struct words sums, markers;
	uint64_t took_ns;
};

/* Checksums and markers of the chunks that the bytes touch; of parts of chunks: unknown. */
static struct digest digest(struct scratch *scratch, const uint8_t *data, uint64_t offset,
			    size_t bytes)
{
	uint64_t begin = monotonic_ns(), marked = 0;
	size_t head = -offset % CHUNK_BYTES, whole, count = 0;
	struct digest d;

	if (head > bytes)
		head = bytes;
	whole = (bytes - head) / CHUNK_BYTES;
	if (head)
		scratch->sums[count++] = SUM_UNKNOWN;
	fnv1a_chunks(data + head, whole, CHUNK_BYTES, scratch->sums + count);
	memset(scratch->markers, 0, sizeof(scratch->markers));
	for (size_t i = 0; i < whole; i++) {
		scratch->markers[count + i] = marker_of(data + head + i * CHUNK_BYTES);
		marked |= scratch->markers[count + i];
	}
	count += whole;
	if (head + whole * CHUNK_BYTES < bytes)
		scratch->sums[count++] = SUM_UNKNOWN;
	d.sums = (struct words){scratch->sums, count};
	d.markers = (struct words){scratch->markers, marked ? count : 0};
	d.took_ns = monotonic_ns() - begin;
	return d;
}

static void block(struct request *r, enum block_op op, uint64_t offset, uint64_t bytes,
		  const struct digest *digest)
{
	struct disk *disk = r->disk;
	struct event event;

	event_init(&event, EVENT_BLOCK);
	event.block.op = op;
	event.block.disk = disk->options.number;
	event.block.sector = offset / SECTOR_BYTES;
	event.block.sectors = (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;
	if (digest) {
		event.block.sums = digest->sums;
		event.block.markers = digest->markers;
		event.held_ns = digest->took_ns;
	}
	pthread_mutex_lock(&disk->order);
	r->id = event.block.id = ++disk->last_id;
	push(disk, &event);
	pthread_mutex_unlock(&disk->order);
}

static void complete(const struct request *r, int error, const struct digest *digest)
{
	struct event event;

	if (!r->id)
		return;
	event_init(&event, EVENT_COMPLETE);
	event.complete.disk = r->disk->options.number;
	event.complete.id = r->id;
	event.complete.error = error;
	if (digest) {
		event.complete.sums = digest->sums;
		event.complete.markers = digest->markers;
		event.held_ns = digest->took_ns;
	}
	pthread_mutex_lock(&r->disk->order);
	push(r->disk, &event);
	pthread_mutex_unlock(&r->disk->order);
}

static struct request request(fuse_req_t req)
{
	struct disk *disk = fuse_req_userdata(req);
	struct request r = {.disk = disk, .scratch = pthread_getspecific(disk->scratch)};

	if (!r.scratch) {
		r.scratch = malloc(sizeof(*r.scratch));
		if (!r.scratch || pthread_setspecific(disk->scratch, r.scratch)) {
			free(r.scratch);
			r.scratch = NULL;
		}
	}
	return r;
}

static bool recorded(const struct request *r)
{
	return atomic_load_explicit(&r->disk->control->recording, memory_order_relaxed);
}

static bool inside(const struct disk *disk, off_t offset, uint64_t bytes)
{
	return offset >= 0 && bytes <= disk->options.bytes &&
	       (uint64_t)offset <= disk->options.bytes - bytes;
}

/*
 * Reads or writes: 0 or -errno; a file that is shorter than the disk is an error too. What
 * is written isn't changed.
 */
static int access_backing(const struct disk *disk, enum block_op op, uint8_t *data, size_t bytes,
			  off_t offset)
{
	while (bytes) {
		ssize_t done = op == BLOCK_WRITE ? pwrite(disk->backing, data, bytes, offset)
						 : pread(disk->backing, data, bytes, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		data += done;
		bytes -= done;
		offset += done;
	}
	return 0;
}

/* Once: a disk that is full has many requests that fail. */
static void tell_write_error(struct disk *disk, int error)
{
	if (!atomic_exchange(&disk->told, true))
		fail_errno(error,
			   "cannot write the virtual disk's backing file %s; the recorded "
			   "file system sees I/O errors",
			   disk->options.image ? disk->options.image : "in $TMPDIR or /var/tmp");
}

static void serve_read(fuse_req_t req, fuse_ino_t inode, size_t bytes, off_t offset,
		       struct fuse_file_info *file)
{
	struct request r = request(req);
	struct digest d;
	int rc;

	if (!r.scratch || bytes > DISK_REQUEST_BYTES || !inside(r.disk, offset, bytes)) {
		fuse_reply_err(req, r.scratch ? EINVAL : ENOMEM);
		return;
	}
	if (recorded(&r)) {
		if (r.disk->options.watch)
			page_watch_before_read(r.disk->options.watch);
		block(&r, BLOCK_READ, offset, bytes, NULL);
	}
	rc = access_backing(r.disk, BLOCK_READ, r.scratch->data, bytes, offset);
	if (rc) {
		complete(&r, rc, NULL);
		fuse_reply_err(req, -rc);
		return;
	}
	if (r.id) {
		d = digest(r.scratch, r.scratch->data, offset, bytes);
		complete(&r, 0, &d);
	}
	fuse_reply_buf(req, (char *)r.scratch->data, bytes);
	if (r.id && r.disk->options.watch)
		page_watch_after_read(r.disk->options.watch);
}

/* Mapped pages that this request writes are told of before it is. */
static void let_look(const struct request *r, struct digest *digest)
{
	uint64_t begin = monotonic_ns();

	if (!r->disk->options.watch)
		return;
	page_watch_before_write(r->disk->options.watch, &digest->sums);
	digest->took_ns += monotonic_ns() - begin;
}

static void serve_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t bytes,
			off_t offset, struct fuse_file_info *file)
{
	struct request r = request(req);
	struct digest d;
	int rc;

	if (!r.scratch || bytes > DISK_REQUEST_BYTES || !inside(r.disk, offset, bytes)) {
		fuse_reply_err(req, r.scratch ? EINVAL : ENOMEM);
		return;
	}
	if (recorded(&r)) {
		d = digest(r.scratch, (const uint8_t *)data, offset, bytes);
		let_look(&r, &d);
		block(&r, BLOCK_WRITE, offset, bytes, &d);
	}
	rc = access_backing(r.disk, BLOCK_WRITE, (uint8_t *)data, bytes, offset);
	complete(&r, rc, NULL);
	if (rc) {
		tell_write_error(r.disk, rc);
		fuse_reply_err(req, -rc);
	} else {
		fuse_reply_write(req, bytes);
	}
}

/* A temporary disk doesn't outlive the machine: its flushes are recorded, not carried out. */
static void serve_flush(fuse_req_t req, fuse_ino_t inode, int data_only,
			struct fuse_file_info *file)
{
	struct request r = request(req);
	int rc = 0;

	if (recorded(&r))
		block(&r, BLOCK_FLUSH, 0, 0, NULL);
	if (r.disk->options.image && fdatasync(r.disk->backing))
		rc = -errno;
	complete(&r, rc, NULL);
	fuse_reply_err(req, -rc);
}

/* Both leave zeros; the loop device asks for a hole where it may be one. */
static void serve_discard(fuse_req_t req, fuse_ino_t inode, int mode, off_t offset, off_t bytes,
			  struct fuse_file_info *file)
{
	struct request r = request(req);
	int rc = 0;

	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) || bytes < 0 ||
	    !inside(r.disk, offset, bytes)) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (recorded(&r))
		block(&r, mode & FALLOC_FL_ZERO_RANGE ? BLOCK_ZERO : BLOCK_DISCARD, offset, bytes,
		      NULL);
	if (fallocate(r.disk->backing, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes))
		rc = -errno;
	complete(&r, rc, NULL);
	fuse_reply_err(req, -rc);
}

static void get_attributes(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file)
{
	const struct disk *disk = fuse_req_userdata(req);
	struct stat st = {
		.st_ino = inode,
		.st_mode = S_IFREG | 0600,
		.st_nlink = 1,
		.st_size = disk->options.bytes,
		.st_blksize = CHUNK_BYTES,
	};

	fuse_reply_attr(req, &st, 3600);
}

static void open_disk(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file)
{
	file->direct_io = 1;
	fuse_reply_open(req, file);
}

/* The loop device takes its discard granularity from here. */
static void get_statfs(fuse_req_t req, fuse_ino_t inode)
{
	const struct disk *disk = fuse_req_userdata(req);
	struct statvfs st = {
		.f_bsize = CHUNK_BYTES,
		.f_frsize = CHUNK_BYTES,
		.f_blocks = disk->options.bytes / CHUNK_BYTES,
	};

	fuse_reply_statfs(req, &st);
}

static void begin(void *userdata, struct fuse_conn_info *connection)
{
	connection->max_read = connection->max_write = DISK_REQUEST_BYTES;
	connection->max_background = BACKGROUND_MAX;
	connection->congestion_threshold = BACKGROUND_MAX;
}

static const struct fuse_lowlevel_ops operations = {
	.init = begin,
	.getattr = get_attributes,
	.open = open_disk,
	.statfs = get_statfs,
	.read = serve_read,
	.write = serve_write,
	.fsync = serve_flush,
	.fallocate = serve_discard,
};

/* The disk must not wait for memory that only its own writes can free. */
static void avoid_deadlock(void)
{
	int flusher = prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	int locked = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);

	if (flusher || locked)
		warn("the virtual disk may not %s here (no %s); keep some memory free",
		     flusher ? "declare itself part of the I/O path" : "lock its memory",
		     flusher ? "CAP_SYS_RESOURCE" : "CAP_IPC_LOCK");
}

static int serve(struct disk *disk)
{
	char max_read[32], mounted[32];
	char *argv[] = {"sky", "-o", max_read, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *session;
	int rc = -1;

	/* libfuse wants to hear of max_read here as well as in begin() */
	snprintf(max_read, sizeof(max_read), "max_read=%u", DISK_REQUEST_BYTES);
	snprintf(mounted, sizeof(mounted), "/dev/fd/%d", disk->fuse);
	session = config ? fuse_session_new(&args, &operations, sizeof(operations), disk) : NULL;
	if (!session || fuse_session_mount(session, mounted))
		goto out;
	fuse_loop_cfg_set_max_threads(config, THREADS);
	fuse_loop_cfg_set_idle_threads(config, THREADS);
	avoid_deadlock();
	rc = fuse_session_loop_mt(session, config);
	/* the unmount tears the connection down, and now and then a thread sees only that */
	if (rc == -ECONNABORTED || rc == -ENODEV)
		rc = 0;
out:
	if (session)
		fuse_session_destroy(session);
	if (config)
		fuse_loop_cfg_destroy(config);
	fuse_opt_free_args(&args);
	return rc ? fail("the virtual disk ended with an error of libfuse (%d)", rc) : 0;
}

/* It ends with the unmount and not before: until then a file system depends on it. */
static void ignore_signals(void)
{
	static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	ignore_signals();
	if (chdir("/"))
		warn("cannot leave the working folder; it stays busy until the disk ends");
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
}

static void run_process(struct disk *disk, int go)
{
	int status = EXIT_SUCCESS;
	char byte;

	prctl(PR_SET_NAME, "sky-disk");
	leave_terminal();
	/* end of file: the recorder died, or gave up, before the disk was needed */
	if (read(go, &byte, 1) == 1 && (pthread_key_create(&disk->scratch, free) || serve(disk)))
		status = EXIT_FAILURE;
	state_remove(disk->options.folder);
	_exit(status);
}

/* An open-file lock, as QEMU takes too; it lasts until the disk's process ends. */
static int claim(int fd, const char *image)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st;

	if (fstat(fd, &st))
		return fail_errno(errno, "cannot look at %s", image);
	if (!S_ISREG(st.st_mode))
		return fail("%s is not a regular file; Sky never writes to a device", image);
	if (fcntl(fd, F_OFD_SETLK, &lock))
		return fail("%s is in use by another recorder or virtual machine", image);
	if (loop_stands_on(&st))
		return fail("%s is in use by a loop device; see `losetup -j %s`", image, image);
	return 0;
}

static int size_of_image(struct disk *disk)
{
	struct stat st;

	if (fstat(disk->backing, &st))
		return fail_errno(errno, "cannot look at %s", disk->options.image);
	if (!st.st_size || st.st_size % CHUNK_BYTES)
		return fail("%s has %lld bytes, which is no multiple of %u; it is no disk image",
			    disk->options.image, (long long)st.st_size, CHUNK_BYTES);
	disk->options.bytes = st.st_size;
	return 0;
}

/* A file that has no name: nothing can be left of it. */
static int open_temporary(void)
{
	const char *folder = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (!folder || !*folder)
		folder = "/var/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		snprintf(path, sizeof(path), "%s/sky-disk.XXXXXX", folder);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
	}
	if (fd < 0)
		fail_errno(errno,
			   "cannot make a temporary disk in %s; name another folder by TMPDIR",
			   folder);
	return fd;
}

static int open_image(const struct disk_options *options)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(options->image, options->create ? flags | O_CREAT | O_EXCL : flags, 0600);

	if (fd < 0 && errno == EEXIST)
		return fail("%s exists; reuse it with --disk, or remove it first", options->image);
	if (fd < 0)
		return fail_errno(errno, "cannot open the disk image %s", options->image);
	if (claim(fd, options->image)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_backing(struct disk *disk)
{
	const struct disk_options *options = &disk->options;

	disk->backing = options->image ? open_image(options) : open_temporary();
	if (disk->backing < 0)
		return -1;
	if (options->image && !options->create)
		return size_of_image(disk);
	if (ftruncate(disk->backing, options->bytes))
		return fail_errno(errno, "cannot make a disk of %llu bytes",
				  (unsigned long long)options->bytes);
	return 0;
}

static int start_process(struct disk *disk)
{
	int go[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		return fail_errno(errno, "cannot make a pipe to the virtual disk");
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(go[1]);
		run_process(disk, go[0]);
	}
	close(go[0]);
	disk->go = go[1];
	if (pid < 0 || process_find(pid, &disk->process))
		return fail_errno(errno, "cannot start the virtual disk's process");
	return 0;
}

static void disk_free(struct disk *disk)
{
	const int fds[] = {disk->backing, disk->fuse, disk->go};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (disk->control != MAP_FAILED)
		munmap(disk->control, sizeof(*disk->control));
	free(disk);
}

struct disk *disk_start(const struct disk_options *options)
{
	struct disk *disk = calloc(1, sizeof(*disk));

	if (!disk) {
		fail("out of memory for the virtual disk");
		return NULL;
	}
	*disk = (struct disk){.options = *options, .go = -1, .backing = -1};
	pthread_mutex_init(&disk->order, NULL);
	disk->control = mmap(NULL, sizeof(*disk->control), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	disk->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (disk->control == MAP_FAILED)
		fail_errno(errno, "cannot map memory for the virtual disk");
	else if (disk->fuse < 0)
		fail_errno(errno, "cannot open /dev/fuse; load the module with `modprobe fuse`");
	else if (!open_backing(disk) && !start_process(disk))
		return disk;
	disk_free(disk);
	return NULL;
}

uint64_t disk_bytes(const struct disk *disk)
{
	return disk->options.bytes;
}

const struct process *disk_process(const struct disk *disk)
{
	return &disk->process;
}

int disk_fuse(const struct disk *disk)
{
	return disk->fuse;
}

void disk_serve(struct disk *disk)
{
	/* the recorder's copy would keep requests waiting if the disk's process died */
	close(disk->fuse);
	disk->fuse = -1;
	if (write(disk->go, "", 1) < 0)
		warn("the virtual disk's process has died");
}

void disk_record(struct disk *disk, bool on)
{
	atomic_store(&disk->control->recording, on);
}

int disk_finish(struct disk *disk)
{
	int status = 0, rc = 0;
	pid_t waited;

	close(disk->go);
	disk->go = -1;
	do
		waited = waitpid(disk->process.pid, &status, 0);
	while (waited < 0 && errno == EINTR);
	if (waited < 0)
		rc = fail_errno(errno, "cannot wait for the virtual disk's process");
	else if (status)
		rc = fail("the virtual disk's process died; what was recorded ends there");
	disk_free(disk);
	return rc;
}
