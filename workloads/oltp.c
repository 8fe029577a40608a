/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oltp: a database with its clients, its writers of pages and its log.
 *
 * Threads and figures are those of Filebench's oltp.f: many clients read small
 * pieces of the data files at random; for every 1000 reads each of some writers
 * writes 100 such pieces, asynchronously and O_DSYNC, file after file; for every
 * 3200 reads one large piece goes to the log. Clients wait when they are 2000
 * reads ahead of a writer. What Filebench spends in the clients' CPUs is
 * left out.
 */
#include <aio.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/event.h"
#include "common/error.h"
#include "workloads/file_set.h"

#define BATCH_WRITES	    100	 /* of a writer */
#define BATCH_READS	    1000 /* that let each writer write a batch */
#define READS_AHEAD	    2000
#define READS_PER_LOG_WRITE 3200
#define OPEN_MAX_FILES	    512

struct settings {
	uint64_t operations, readers, writers, files, seed;
	uint64_t file_bytes, log_bytes, request_bytes, log_request_bytes;
};

#define OFFSET(member) offsetof(struct settings, member)

static const struct parameter parameters[] = {
	{"operations", "reads and writes, after which it ends", 1, UINT32_MAX, 100000,
	 OFFSET(operations)},
	{"threads", "clients, which read", 1, 4096, 200, OFFSET(readers)},
	{"writers", "threads that write pages", 1, 256, 10, OFFSET(writers)},
	{"files", "data files", 1, OPEN_MAX_FILES, 10, OFFSET(files)},
	{"file-size", "of a data file", CHUNK_BYTES, 1ull << 40, 10 << 20, OFFSET(file_bytes)},
	{"log-size", "of the log", CHUNK_BYTES, 1ull << 40, 10 << 20, OFFSET(log_bytes)},
	{"request-size", "of each read and write of data", TAG_BYTES, 1 << 20, 2 << 10,
	 OFFSET(request_bytes)},
	{"log-request-size", "of each write of the log", TAG_BYTES, 1 << 30, 256 << 10,
	 OFFSET(log_request_bytes)},
	{"seed", "of choices and contents", 0, UINT64_MAX, 1, OFFSET(seed)},
	{NULL},
};

/* How far the clients are; all others wait for that. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t reads;
	uint64_t *allowed; /* a writer: reads that may be done before its next batch */
	bool over;	   /* a thread failed: nobody waits any more */
};

struct database {
	const struct settings *settings;
	uint64_t reads, writes, log_writes;
	struct file_set data, log;
	int *fd; /* of the data files, then of the log */
	struct gate gate;
};

/* The log bears the number after the data files'. */
static uint32_t log_file(const struct database *db)
{
	return db->settings->files;
}

static void plan(struct database *db)
{
	const struct settings *s = db->settings;
	uint64_t writes_per_batch = s->writers * BATCH_WRITES;

	db->reads = s->operations * BATCH_READS / (BATCH_READS + writes_per_batch);
	db->log_writes = db->reads / READS_PER_LOG_WRITE;
	if (db->log_writes > s->operations - db->reads)
		db->log_writes = s->operations - db->reads;
	db->writes = s->operations - db->reads - db->log_writes;
}

static uint64_t slowest_writer(const struct database *db)
{
	uint64_t least = UINT64_MAX;

	for (uint64_t i = 0; i < db->settings->writers; i++)
		if (db->gate.allowed[i] < least)
			least = db->gate.allowed[i];
	return least;
}

static void gate_open_for(struct gate *gate, uint64_t *what, uint64_t value)
{
	pthread_mutex_lock(&gate->lock);
	*what = value;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

static void gate_give_up(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->over = true;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

/* Until so many reads were done. */
static void wait_for_reads(struct gate *gate, uint64_t reads)
{
	pthread_mutex_lock(&gate->lock);
	while (gate->reads < reads && !gate->over)
		pthread_cond_wait(&gate->moved, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

/* Those that wait only care when a batch or a log write becomes due, and at the end. */
static void post_read(struct database *db)
{
	struct gate *gate = &db->gate;

	pthread_mutex_lock(&gate->lock);
	while (gate->reads >= slowest_writer(db) && !gate->over)
		pthread_cond_wait(&gate->moved, &gate->lock);
	gate->reads++;
	if (!(gate->reads % BATCH_READS) || !(gate->reads % READS_PER_LOG_WRITE) ||
	    gate->reads == db->reads)
		pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

static uint64_t random_offset(struct worker *worker, uint64_t file_bytes, uint64_t request_bytes)
{
	return prng_below(&worker->prng, file_bytes / request_bytes) * request_bytes;
}

/* A page may be written meanwhile, so what is read can't be checked. */
static int read_pages(struct database *db, struct worker *worker)
{
	const struct settings *s = db->settings;
	uint64_t quota = worker_share(worker, db->reads, s->readers);

	for (uint64_t i = 0; i < quota && !worker_stopped(worker); i++) {
		uint32_t file = (worker->author.worker + i) % s->files;
		uint64_t offset = random_offset(worker, s->file_bytes, s->request_bytes);
		ssize_t n = pread(db->fd[file], worker->buffer, s->request_bytes, offset);

		if (n < 0)
			return fail_errno(errno, "data file %u could not be read", file);
		worker->counts.read_bytes += n;
		worker_count(worker, OPERATION_READ, file, offset, s->request_bytes);
		post_read(db);
	}
	return 0;
}

static int start_write(struct database *db, struct worker *worker, struct aiocb *block,
		       uint32_t file)
{
	const struct settings *s = db->settings;
	uint64_t offset = random_offset(worker, s->file_bytes, s->request_bytes);

	worker->author.version++;
	content_fill((void *)block->aio_buf, &worker->author, file, offset, s->request_bytes);
	block->aio_fildes = db->fd[file];
	block->aio_offset = offset;
	if (aio_write(block))
		return fail_errno(errno, "an asynchronous write could not be started");
	worker_count(worker, OPERATION_WRITE, file, offset, s->request_bytes);
	return 0;
}

static int finish_write(struct worker *worker, struct aiocb *block)
{
	const struct aiocb *const list[] = {block};
	int error;

	while ((error = aio_error(block)) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	if (error)
		return fail_errno(error, "a page could not be written; has the disk room for it?");
	if ((size_t)aio_return(block) != block->aio_nbytes)
		return fail("a page was written in part only; has the disk room for it?");
	worker_wrote(worker, block->aio_offset, block->aio_nbytes);
	return 0;
}

/* Starts all, then waits for all that were started, whatever fails. */
static int write_batch(struct database *db, struct worker *worker, uint64_t first, unsigned count)
{
	const struct settings *s = db->settings;
	struct aiocb blocks[BATCH_WRITES] = {0};
	unsigned started;
	int rc = 0;

	for (started = 0; started < count && !rc; started += !rc) {
		blocks[started].aio_buf = worker->buffer + started * s->request_bytes;
		blocks[started].aio_nbytes = s->request_bytes;
		rc = start_write(db, worker, &blocks[started],
				 (worker->author.worker + first + started) % s->files);
	}
	for (unsigned i = 0; i < started; i++)
		if (finish_write(worker, &blocks[i]))
			rc = -1;
	return rc;
}

static int write_pages(struct database *db, struct worker *worker, uint64_t writer)
{
	uint64_t quota =
		db->writes / db->settings->writers + (writer < db->writes % db->settings->writers);
	uint64_t due = 0, *allowed = &db->gate.allowed[writer];

	for (uint64_t i = 0; i < quota && !worker_stopped(worker); i += BATCH_WRITES) {
		unsigned count = quota - i < BATCH_WRITES ? quota - i : BATCH_WRITES;

		due += BATCH_READS;
		wait_for_reads(&db->gate, due < db->reads ? due : db->reads);
		if (write_batch(db, worker, i, count))
			return -1;
		gate_open_for(&db->gate, allowed, due + READS_AHEAD);
	}
	gate_open_for(&db->gate, allowed, UINT64_MAX);
	return 0;
}

static int write_log(struct database *db, struct worker *worker)
{
	const struct settings *s = db->settings;

	for (uint64_t i = 0; i < db->log_writes && !worker_stopped(worker); i++) {
		uint64_t offset = random_offset(worker, s->log_bytes, s->log_request_bytes);
		uint32_t file = log_file(db);

		wait_for_reads(&db->gate, (i + 1) * READS_PER_LOG_WRITE);
		if (worker_pwrite(worker, db->fd[file], file, offset, s->log_request_bytes))
			return -1;
		worker_count(worker, OPERATION_WRITE, file, offset, s->log_request_bytes);
	}
	return 0;
}

/* First the clients, then the writers of pages, then the one of the log. */
static int take_role(struct worker *worker, void *context)
{
	struct database *db = context;
	const struct settings *s = db->settings;
	uint64_t number = worker->author.worker;
	int rc;

	if (number < s->readers)
		rc = read_pages(db, worker);
	else if (number < s->readers + s->writers)
		rc = write_pages(db, worker, number - s->readers);
	else
		rc = write_log(db, worker);
	if (rc)
		gate_give_up(&db->gate);
	return rc;
}

static void close_files(struct database *db)
{
	for (uint64_t i = 0; i <= db->settings->files; i++)
		if (db->fd[i] >= 0)
			close(db->fd[i]);
}

/* As a database does: one descriptor a file, for all threads. */
static int open_files(struct database *db)
{
	uint64_t files = db->settings->files;

	for (uint64_t i = 0; i <= files; i++)
		db->fd[i] = -1;
	for (uint64_t i = 0; i <= files; i++) {
		db->fd[i] = i < files ? file_set_open(&db->data, i, O_RDWR | O_DSYNC)
				      : file_set_open(&db->log, 0, O_WRONLY | O_DSYNC);
		if (db->fd[i] < 0)
			return -1;
	}
	return 0;
}

static int check(const struct settings *s)
{
	if (s->request_bytes % TAG_BYTES || s->log_request_bytes % TAG_BYTES)
		return fail("request sizes must be multiples of %d bytes", TAG_BYTES);
	if (s->request_bytes > s->file_bytes || s->log_request_bytes > s->log_bytes)
		return fail("a request is larger than its file");
	return 0;
}

static void database_fini(struct database *db)
{
	free(db->fd);
	free(db->gate.allowed);
	file_set_fini(&db->data);
	file_set_fini(&db->log);
}

static int database_init(struct database *db, const struct settings *s)
{
	const struct file_set_form data = {
		.folder = "oltp.data",
		.files = s->files,
		.width = OPEN_MAX_FILES,
		.mean_bytes = s->file_bytes,
		.equal = true,
	};
	const struct file_set_form log = {
		.folder = "oltp.log",
		.files = 1,
		.width = OPEN_MAX_FILES,
		.first_number = s->files,
		.mean_bytes = s->log_bytes,
		.equal = true,
	};

	if (check(s))
		return -1;
	*db = (struct database){
		.settings = s,
		.gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER},
		.fd = calloc(s->files + 1, sizeof(*db->fd)),
	};
	db->gate.allowed = calloc(s->writers, sizeof(*db->gate.allowed));
	if (!db->fd || !db->gate.allowed) {
		fail("out of memory for the descriptors of a database");
		goto fail;
	}
	for (uint64_t i = 0; i < s->writers; i++)
		db->gate.allowed[i] = READS_AHEAD;
	plan(db);
	if (!file_set_init(&db->data, &data) && !file_set_init(&db->log, &log))
		return 0;
fail:
	database_fini(db);
	return -1;
}

static int prepare(const struct workload *self, const void *settings,
		   struct workload_counts *counts)
{
	const struct settings *s = settings;
	struct worker worker;
	struct database db;
	int rc;

	if (database_init(&db, s))
		return -1;
	rc = worker_init(&worker, s->readers + s->writers + 1, s->seed, 1 << 20);
	if (!rc)
		rc = file_set_make(&db.data, &worker, NULL, NULL);
	if (!rc)
		rc = file_set_make(&db.log, &worker, NULL, NULL);
	counts_add(counts, &worker.counts);
	worker_fini(&worker);
	database_fini(&db);
	return rc;
}

static int run(const struct workload *self, const void *settings, struct workload_counts *counts)
{
	const struct settings *s = settings;
	size_t batch_bytes = BATCH_WRITES * s->request_bytes;
	size_t buffer_bytes =
		batch_bytes > s->log_request_bytes ? batch_bytes : s->log_request_bytes;
	struct database db;
	int rc;

	if (database_init(&db, s))
		return -1;
	rc = open_files(&db);
	if (!rc)
		rc = workers_run(s->readers + s->writers + 1, s->seed, buffer_bytes, take_role, &db,
				 counts);
	close_files(&db);
	database_fini(&db);
	return rc;
}

static const struct workload oltp_workload = {
	.head =
		{
			.kind = "workload",
			.name = "oltp",
			.summary = "database: random page reads, synchronous page writes, a log",
			.source = "Filebench, workloads/oltp.f",
			.parameters = parameters,
		},
	.settings_bytes = sizeof(struct settings),
	.prepare = prepare,
	.run = run,
};
COMPONENT(oltp_workload, oltp_workload.head);
