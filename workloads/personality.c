/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/event.h"
#include "common/error.h"
#include "workloads/personality.h"

/* What all threads of a run share. */
struct stage {
	const struct personality *personality;
	const struct personality_settings *settings;
	struct file_set set;
	pthread_mutex_t log_lock;
};

/* A thread with the files that it may use: those that are there come first. */
struct visitor {
	struct worker *worker;
	struct stage *stage;
	uint32_t *order;
	uint32_t files, there;
	uint32_t file; /* that is open */
	int fd;
	int log_fd;
};

static void swap(uint32_t *order, uint32_t a, uint32_t b)
{
	uint32_t file = order[a];

	order[a] = order[b];
	order[b] = file;
}

/* The place of one of those that are there; -1 if none is. */
static int64_t pick(struct visitor *v)
{
	if (!v->there)
		return fail("a thread ran out of files; ask for more files or fewer threads");
	return prng_below(&v->worker->prng, v->there);
}

int step_create(struct visitor *v)
{
	uint32_t place;

	if (v->there == v->files)
		return fail("a thread has no file left to create; ask for more files");
	place = v->there + prng_below(&v->worker->prng, v->files - v->there);
	swap(v->order, v->there, place);
	v->file = v->order[v->there++];
	v->fd = file_set_open(&v->stage->set, v->file, O_RDWR | O_CREAT | O_EXCL);
	v->stage->set.file[v->file].bytes = 0;
	worker_count(v->worker, OPERATION_CREATE, v->file, 0, 0);
	return v->fd < 0 ? -1 : 0;
}

int step_open(struct visitor *v)
{
	int64_t place = pick(v);

	if (place < 0)
		return -1;
	v->file = v->order[place];
	v->fd = file_set_open(&v->stage->set, v->file,
			      v->stage->personality->read_only ? O_RDONLY : O_RDWR);
	worker_count(v->worker, OPERATION_OPEN, v->file, 0, 0);
	return v->fd < 0 ? -1 : 0;
}

int step_close(struct visitor *v)
{
	close(v->fd);
	v->fd = -1;
	worker_count(v->worker, OPERATION_CLOSE, v->file, 0, 0);
	return 0;
}

int step_read(struct visitor *v)
{
	int64_t bytes;

	if (lseek(v->fd, 0, SEEK_SET))
		return fail_errno(errno, "a file could not be rewound");
	bytes = worker_read(v->worker, v->fd, v->file, 0);
	if (bytes < 0)
		return -1;
	worker_count(v->worker, OPERATION_READ, v->file, 0, bytes);
	return 0;
}

int step_write(struct visitor *v)
{
	struct set_file *file = &v->stage->set.file[v->file];

	if (worker_write(v->worker, v->fd, v->file, 0, file->whole_bytes))
		return -1;
	if (file->bytes < file->whole_bytes)
		file->bytes = file->whole_bytes;
	worker_count(v->worker, OPERATION_WRITE, v->file, 0, file->whole_bytes);
	return 0;
}

static uint64_t append_bytes(struct visitor *v)
{
	return whole_tags(1 + prng_below(&v->worker->prng, v->stage->settings->append_bytes));
}

int step_append(struct visitor *v)
{
	struct set_file *file = &v->stage->set.file[v->file];
	uint64_t bytes = append_bytes(v);
	off_t end = lseek(v->fd, 0, SEEK_END);

	if (end != (off_t)file->bytes)
		return fail("file %u of a workload has %lld bytes, not %llu; is another workload "
			    "using its folder?",
			    v->file, (long long)end, (unsigned long long)file->bytes);
	if (worker_write(v->worker, v->fd, v->file, end, bytes))
		return -1;
	worker_count(v->worker, OPERATION_APPEND, v->file, end, bytes);
	file->bytes += bytes;
	return 0;
}

int step_sync(struct visitor *v)
{
	if (fsync(v->fd))
		return fail_errno(errno, "file %u of a workload could not be synced", v->file);
	worker_count(v->worker, OPERATION_SYNC, v->file, 0, 0);
	return 0;
}

int step_delete(struct visitor *v)
{
	char path[PATH_BYTES];
	int64_t place = pick(v);
	uint32_t file;

	if (place < 0)
		return -1;
	file = v->order[place];
	swap(v->order, place, --v->there);
	file_set_path(&v->stage->set, file, path);
	if (unlink(path))
		return fail_errno(errno, "%s could not be deleted", path);
	worker_count(v->worker, OPERATION_DELETE, file, 0, 0);
	return 0;
}

int step_stat(struct visitor *v)
{
	char path[PATH_BYTES];
	struct stat status;
	int64_t place = pick(v);

	if (place < 0)
		return -1;
	file_set_path(&v->stage->set, v->order[place], path);
	if (stat(path, &status))
		return fail_errno(errno, "%s could not be looked at", path);
	worker_count(v->worker, OPERATION_STAT, v->order[place], 0, 0);
	return 0;
}

/* The log is not a file of the set; it bears the number after theirs. */
static void log_path(const struct stage *stage, char *path)
{
	snprintf(path, PATH_BYTES, "%s.log", stage->set.folder);
}

static int log_append(struct visitor *v, uint64_t bytes)
{
	uint32_t file = v->stage->set.files;
	off_t end = lseek(v->log_fd, 0, SEEK_END);

	if (end < 0)
		return fail_errno(errno, "the end of the log could not be found");
	return worker_write(v->worker, v->log_fd, file, end, bytes);
}

int step_log(struct visitor *v)
{
	uint64_t bytes = append_bytes(v);
	char path[PATH_BYTES];
	int rc;

	log_path(v->stage, path);
	if (v->log_fd < 0)
		v->log_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (v->log_fd < 0)
		return fail_errno(errno, "%s could not be opened", path);
	pthread_mutex_lock(&v->stage->log_lock);
	rc = log_append(v, bytes);
	pthread_mutex_unlock(&v->stage->log_lock);
	/* where it ends depends on the other threads, so it is no part of the stream */
	worker_count(v->worker, OPERATION_APPEND, v->stage->set.files, 0, bytes);
	return rc;
}

/* Every thread's part is every threads-th file, so that they share folders. */
static bool is_mine(const struct visitor *v, uint32_t file)
{
	return v->stage->personality->read_only ||
	       file % v->stage->settings->threads == v->worker->author.worker;
}

static int take_part(struct visitor *v)
{
	const struct file_set *set = &v->stage->set;

	v->order = calloc(set->files, sizeof(*v->order));
	if (!v->order)
		return fail("out of memory for the files of a thread");
	for (uint32_t i = 0; i < set->files; i++) {
		if (!is_mine(v, i))
			continue;
		v->order[v->files] = i;
		if (set->file[i].there)
			swap(v->order, v->there++, v->files);
		v->files++;
	}
	return 0;
}

static int visit(struct worker *worker, void *context)
{
	struct stage *stage = context;
	const struct personality *p = stage->personality;
	struct visitor v = {.worker = worker, .stage = stage, .fd = -1, .log_fd = -1};
	uint64_t quota =
		worker_share(worker, stage->settings->operations, stage->settings->threads);
	int rc = take_part(&v);

	for (uint64_t i = 0; i < quota && !rc && !worker_stopped(worker); i++)
		rc = p->steps[i % p->step_count](&v);
	if (v.fd >= 0)
		close(v.fd);
	if (v.log_fd >= 0)
		close(v.log_fd);
	free(v.order);
	return rc;
}

static int stage_init(struct stage *stage, const struct workload *self, const void *settings)
{
	const struct personality_settings *s = settings;
	const struct file_set_form form = {
		.folder = self->head.name,
		.files = s->files,
		.width = s->width,
		.seed = s->seed,
		.mean_bytes = s->file_bytes,
	};

	*stage = (struct stage){
		.personality = container_of(self, struct personality, workload),
		.settings = s,
		.log_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	if (s->request_bytes % CHUNK_BYTES)
		return fail("request-size must be a multiple of 4096 bytes");
	if (!stage->personality->read_only && s->files < 2 * s->threads)
		return fail("%llu files are too few for %llu threads: each needs two of its own",
			    (unsigned long long)s->files, (unsigned long long)s->threads);
	return file_set_init(&stage->set, &form);
}

/*
 * Each thread has made_percent of its own part when it begins, so that none
 * starts without a file. One file always waits to be created where that is
 * a step of the loop.
 */
static bool is_made(uint32_t file, const void *context)
{
	const struct stage *stage = context;
	uint64_t threads = stage->settings->threads, place = file / threads;
	uint64_t files = (stage->settings->files - file % threads + threads - 1) / threads;

	return stage->personality->read_only || !place ||
	       (place + 1) * 100 <= files * stage->personality->made_percent;
}

static int make_log(const struct stage *stage, struct worker *worker)
{
	uint64_t bytes = whole_tags(stage->settings->file_bytes);
	uint32_t file = stage->set.files;
	char path[PATH_BYTES];
	int fd, rc;

	log_path(stage, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno(errno, "%s could not be made", path);
	worker_count(worker, OPERATION_CREATE, file, 0, 0);
	rc = worker_write(worker, fd, file, 0, bytes);
	worker_count(worker, OPERATION_WRITE, file, 0, bytes);
	close(fd);
	worker_count(worker, OPERATION_CLOSE, file, 0, 0);
	return rc;
}

int personality_prepare(const struct workload *self, const void *settings,
			struct workload_counts *counts)
{
	const struct personality_settings *s = settings;
	struct worker worker;
	struct stage stage;
	int rc;

	if (stage_init(&stage, self, settings))
		return -1;
	rc = worker_init(&worker, s->threads, s->seed, s->request_bytes);
	if (!rc)
		rc = file_set_make(&stage.set, &worker, is_made, &stage);
	if (!rc && stage.personality->log)
		rc = make_log(&stage, &worker);
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	file_set_fini(&stage.set);
	return rc;
}

int personality_run(const struct workload *self, const void *settings,
		    struct workload_counts *counts)
{
	const struct personality_settings *s = settings;
	struct stage stage;
	int rc;

	if (stage_init(&stage, self, settings))
		return -1;
	rc = file_set_look(&stage.set);
	if (!rc)
		rc = workers_run(s->threads, s->seed, s->request_bytes, visit, &stage, counts);
	file_set_fini(&stage.set);
	return rc;
}
