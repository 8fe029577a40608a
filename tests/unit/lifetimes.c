/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lifetimes of blocks: the pipeline's events against a file system that is simulated slowly and
 * obviously (tests/reference/file_lives.h). Random operations of several processes happen there and
 * are told as events; every block must have lived exactly as long.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/block_lives.h"
#include "sim/lifetimes.h"
#include "sim/pipeline/pipeline.h"
#include "tests/random_event.h"
#include "tests/reference/file_lives.h"

#define STEPS	      20000
#define DEVICE	      0xfe00u
/* Linux: O_RDWR, with these. */
#define FLAG_CREATE   0100u
#define FLAG_TRUNCATE 01000u
#define FLAG_APPEND   02000u
#define KEEP_SIZE     0x01u
#define FICLONE_CALL  0x40049409u

struct run {
	struct world world;
	struct random_events *random;
	struct pipeline *pipeline;
	struct block_lives *lives;
	uint64_t seq, id;
	uint64_t *expected, *found;
	uint32_t found_count;
	int task; /* that acts */
	uint64_t sums[CHUNKS];
};

static void take_life(void *context, const struct life *life)
{
	struct run *r = context;

	cr_assert(r->found_count + life->chunks <= LIVES_MAX);
	for (uint64_t i = 0; i < life->chunks; i++)
		r->found[r->found_count++] = life->lifetime_ns;
}

static void ignore_life(void *context, const struct life *life)
{
}

static void ignore_hints(void *context, const struct event *hints, size_t count)
{
}

static uint64_t below(struct run *r, uint64_t bound)
{
	return (random_next(r->random) >> 20) % bound;
}

static void feed(struct run *r, struct event *e)
{
	e->seq = ++r->seq;
	e->time_ns = r->world.now;
	e->pid = e->tid = 100 + r->task;
	cr_assert_eq(pipeline_feed(r->pipeline, e, 1), 0);
}

static struct event entry(enum call call, const uint64_t argument[6])
{
	struct event e;

	event_init(&e, EVENT_ENTRY);
	e.entry.number = call_number(ABI_LINUX64, call);
	memcpy(e.entry.argument, argument, sizeof(e.entry.argument));
	return e;
}

#define ENTRY(call, ...) entry(CALL_##call, (uint64_t[6]){__VA_ARGS__})

static const char *const paths[NAMES] = {"a", "b", "c", "d", "e", "f"};

static struct text path_of(int name)
{
	return (struct text){paths[name], 1};
}

/* Between a call and its return some time passes. */
static void leave(struct run *r, const struct event *entered, int64_t result)
{
	struct event e;

	r->world.now += 1 + below(r, 1000);
	event_init(&e, EVENT_EXIT);
	e.exit.number = entered->entry.number;
	e.exit.result = result;
	feed(r, &e);
}

static void call(struct run *r, struct event *entered, int64_t result)
{
	feed(r, entered);
	leave(r, entered, result);
}

static void tell_file(struct run *r, enum call asked, int fd, int inode, int name)
{
	const struct inode *f = &r->world.inode[inode];
	struct event e;

	event_init(&e, EVENT_INSIGHT);
	e.insight.number = call_number(ABI_LINUX64, asked);
	e.insight.fd = fd;
	e.insight.device = DEVICE;
	e.insight.inode = 10 + inode;
	e.insight.links = f->links;
	e.insight.size = f->size;
	e.insight.mode = 0100644;
	if (name != NOTHING)
		e.insight.path = path_of(name);
	feed(r, &e);
}

static void tell_path(struct run *r, int name)
{
	if (r->world.name[name] != NOTHING)
		tell_file(r, CALL_statx, -1, r->world.name[name], name);
}

/* The number of a used or a free place, or NOTHING. */
static int pick(struct run *r, const int *places, int count, bool used)
{
	int first = below(r, count);

	for (int i = 0; i < count; i++)
		if ((places[(first + i) % count] != NOTHING) == used)
			return (first + i) % count;
	return NOTHING;
}

static int free_opened(const struct world *w)
{
	for (int i = 0; i < OPEN_FILES; i++)
		if (!w->opened[i].references)
			return i;
	return NOTHING;
}

/* The lowest that is free: inodes are used again soon. */
static int free_inode(const struct world *w)
{
	for (int i = 0; i < INODES; i++)
		if (!w->inode[i].used)
			return i;
	return NOTHING;
}

static struct task *task(struct run *r)
{
	return &r->world.task[r->task];
}

static int lowest_fd(struct run *r)
{
	for (int i = 0; i < DESCRIPTORS; i++)
		if (task(r)->fd[i] == NOTHING)
			return i;
	return NOTHING;
}

static void do_open(struct run *r)
{
	struct world *w = &r->world;
	int name = below(r, NAMES), fd = lowest_fd(r), opened = free_opened(w);
	bool truncates = below(r, 4) == 0, appends = below(r, 3) == 0;
	uint64_t flags =
		2 | FLAG_CREATE | (truncates ? FLAG_TRUNCATE : 0) | (appends ? FLAG_APPEND : 0);
	struct event e = ENTRY(open, 0, flags, 0644);
	int inode = w->name[name] == NOTHING ? free_inode(w) : w->name[name];

	if (fd == NOTHING || opened == NOTHING || inode == NOTHING)
		return;
	e.entry.path = path_of(name);
	call(r, &e, fd);
	if (w->name[name] == NOTHING) {
		w->inode[inode].used = true;
		w->inode[inode].links = 1;
		w->name[name] = inode;
	}
	if (truncates)
		world_truncate(w, inode, 0);
	w->opened[opened] = (struct opened){.inode = inode, .references = 1, .append = appends};
	task(r)->fd[fd] = opened;
	tell_file(r, CALL_fstat, fd, inode, NOTHING);
}

static struct opened *any_opened(struct run *r, int *fd)
{
	*fd = pick(r, task(r)->fd, DESCRIPTORS, true);
	return *fd == NOTHING ? NULL : &r->world.opened[task(r)->fd[*fd]];
}

static struct words some_sums(struct run *r, uint64_t offset, uint64_t bytes)
{
	uint64_t chunks = (offset + bytes + CHUNK - 1) / CHUNK - offset / CHUNK;

	for (uint64_t i = 0; i < chunks; i++)
		r->sums[i] = 1 + below(r, 1u << 20);
	return (struct words){r->sums, chunks};
}

/* Aligned or not, within or behind the file; sometimes it fails or comes out short. */
static void do_write(struct run *r)
{
	int fd;
	struct opened *o = any_opened(r, &fd);
	bool positioned = below(r, 2), aligned = below(r, 2);
	uint64_t bytes = 1 + below(r, 3 * CHUNK), offset, done;
	struct event e;

	if (!o)
		return;
	offset = positioned ? below(r, (CHUNKS - 4) * CHUNK) : o->offset;
	if (o->append)
		offset = r->world.inode[o->inode].size;
	if (aligned) {
		bytes = (1 + bytes / CHUNK) * CHUNK;
		offset = positioned && !o->append ? offset / CHUNK * CHUNK : offset;
	}
	if (offset + bytes > CHUNKS * CHUNK)
		return;
	e = positioned ? ENTRY(pwrite64, fd, 0, bytes, offset) : ENTRY(write, fd, 0, bytes);
	e.entry.file_offset = offset;
	e.entry.sums = some_sums(r, offset, bytes);
	done = below(r, 8) ? bytes : below(r, bytes + 1);
	if (below(r, 16) == 0) {
		call(r, &e, -28);
		return;
	}
	call(r, &e, done);
	world_write(&r->world, o->inode, offset, done);
	if (!positioned)
		o->offset = offset + done;
}

/* Handed over by one call, complete with another. */
static void do_write_asynchronously(struct run *r)
{
	uint64_t record[RECORD_WORDS] = {0}, bytes, offset;
	int fd;
	struct opened *o = any_opened(r, &fd);
	struct event e, reaped;

	if (!o)
		return;
	bytes = (1 + below(r, 3)) * CHUNK;
	offset = below(r, CHUNKS - 3) * CHUNK;
	record[RECORD_ID] = ++r->id;
	record[RECORD_OPCODE] = 1;
	record[RECORD_FD] = fd;
	record[RECORD_BYTES] = bytes;
	record[RECORD_OFFSET] = offset;
	record[RECORD_CHUNKS] = bytes / CHUNK;
	e = ENTRY(io_submit, 7, 1);
	e.entry.records = (struct words){record, RECORD_WORDS};
	e.entry.sums = some_sums(r, offset, bytes);
	call(r, &e, 1);
	e = ENTRY(io_getevents, 7, 1, 1);
	feed(r, &e);
	r->world.now += 5000;
	record[RECORD_RESULT] = bytes;
	record[RECORD_CHUNKS] = 0;
	event_init(&reaped, EVENT_EXIT);
	reaped.exit.number = e.entry.number;
	reaped.exit.result = 1;
	reaped.exit.records = (struct words){record, RECORD_WORDS};
	feed(r, &reaped);
	world_write(&r->world, o->inode, offset, bytes);
}

static void do_seek(struct run *r)
{
	int fd;
	struct opened *o = any_opened(r, &fd);
	struct event e;

	if (!o)
		return;
	o->offset = below(r, CHUNKS / 2 * CHUNK);
	e = ENTRY(lseek, fd, o->offset, 0);
	call(r, &e, o->offset);
}

static void do_truncate(struct run *r)
{
	int name = pick(r, r->world.name, NAMES, true);
	uint64_t size = below(r, 4) ? below(r, CHUNKS * CHUNK) : 0;
	struct event e = ENTRY(truncate, 0, size);

	if (name == NOTHING)
		return;
	tell_path(r, name);
	e.entry.path = path_of(name);
	call(r, &e, 0);
	world_truncate(&r->world, r->world.name[name], size);
}

static void do_ftruncate(struct run *r)
{
	uint64_t size = below(r, CHUNKS * CHUNK);
	int fd;
	struct opened *o = any_opened(r, &fd);
	struct event e = ENTRY(ftruncate, fd, size);

	if (!o)
		return;
	if (size % CHUNK && size < r->world.inode[o->inode].size && below(r, 2)) {
		e.entry.file_offset = size - size % CHUNK;
		e.entry.sums = some_sums(r, size - size % CHUNK, size % CHUNK);
	}
	call(r, &e, 0);
	world_truncate(&r->world, o->inode, size);
}

static void do_punch(struct run *r)
{
	static const uint64_t modes[] = {0x02 | KEEP_SIZE, 0x10 | KEEP_SIZE, 0x10, 0x00};
	uint64_t from = below(r, CHUNKS / 2 * CHUNK), bytes = 1 + below(r, 4 * CHUNK);
	uint64_t mode = modes[below(r, 4)];
	int fd;
	struct opened *o = any_opened(r, &fd);
	struct event e;

	if (!o)
		return;
	if (below(r, 2)) {
		from -= from % CHUNK;
		bytes += CHUNK - bytes % CHUNK;
	}
	e = ENTRY(fallocate, fd, mode, from, bytes);
	call(r, &e, 0);
	if (mode & ~KEEP_SIZE)
		world_clear(&r->world, o->inode, from, from + bytes);
	if (!(mode & KEEP_SIZE) && from + bytes > r->world.inode[o->inode].size)
		r->world.inode[o->inode].size = from + bytes;
}

static void do_collapse(struct run *r)
{
	int fd;
	struct opened *o = any_opened(r, &fd);
	uint64_t chunks = 1 + below(r, 3), size = o ? r->world.inode[o->inode].size : 0, from;
	struct event e;

	if (size <= (chunks + 1) * CHUNK)
		return;
	from = below(r, size / CHUNK - chunks);
	e = ENTRY(fallocate, fd, 0x08, from * CHUNK, chunks * CHUNK);
	call(r, &e, 0);
	world_collapse(&r->world, o->inode, from, chunks);
}

static void do_insert(struct run *r)
{
	int fd;
	struct opened *o = any_opened(r, &fd);
	uint64_t chunks = 1 + below(r, 3), size = o ? r->world.inode[o->inode].size : 0, from;
	struct event e;

	if (size <= CHUNK || size + chunks * CHUNK > CHUNKS * CHUNK)
		return;
	from = below(r, size / CHUNK);
	e = ENTRY(fallocate, fd, 0x20, from * CHUNK, chunks * CHUNK);
	call(r, &e, 0);
	world_insert(&r->world, o->inode, from, chunks);
}

static void do_clone(struct run *r)
{
	int to, from;
	struct opened *target = any_opened(r, &to), *source = any_opened(r, &from);
	struct event e;

	if (!target || target->inode == source->inode)
		return;
	e = ENTRY(ioctl, to, FICLONE_CALL, from);
	call(r, &e, 0);
	world_clone(&r->world, target->inode, source->inode);
}

static void do_unlink(struct run *r)
{
	int name = pick(r, r->world.name, NAMES, true);
	struct event e = ENTRY(unlink, 0);

	if (name == NOTHING)
		return;
	tell_path(r, name);
	e.entry.path = path_of(name);
	call(r, &e, 0);
	world_unlink(&r->world, name);
}

static void do_link(struct run *r)
{
	struct world *w = &r->world;
	int from = pick(r, w->name, NAMES, true), to = pick(r, w->name, NAMES, false);
	struct event e = ENTRY(link, 0);

	if (from == NOTHING || to == NOTHING)
		return;
	tell_path(r, from);
	e.entry.path = path_of(from);
	e.entry.path2 = path_of(to);
	call(r, &e, 0);
	w->name[to] = w->name[from];
	w->inode[w->name[to]].links++;
}

static void do_rename(struct run *r)
{
	int from = pick(r, r->world.name, NAMES, true), to = below(r, NAMES);
	struct event e = ENTRY(rename, 0);

	if (from == NOTHING || from == to)
		return;
	tell_path(r, from);
	tell_path(r, to);
	e.entry.path = path_of(from);
	e.entry.path2 = path_of(to);
	call(r, &e, 0);
	world_rename(&r->world, from, to);
}

static void do_dup(struct run *r)
{
	int fd, to = lowest_fd(r);
	struct opened *o = any_opened(r, &fd);
	struct event e = ENTRY(dup, fd);

	if (!o || to == NOTHING)
		return;
	call(r, &e, to);
	task(r)->fd[to] = task(r)->fd[fd];
	o->references++;
}

/* The descriptor is gone as the call begins, the file when it returns. */
static void do_close(struct run *r)
{
	int fd;
	struct event e;

	if (!any_opened(r, &fd))
		return;
	e = ENTRY(close, fd);
	call(r, &e, 0);
	world_close(&r->world, r->task, fd);
}

static void do_map(struct run *r)
{
	int fd, slot = pick(r, task(r)->mapped, DESCRIPTORS, false);
	struct opened *o = any_opened(r, &fd);
	struct event e = ENTRY(mmap, 0, 2 * CHUNK, 3, 1, fd, 0);

	if (!o || slot == NOTHING)
		return;
	call(r, &e, (slot + 1) * 0x10000);
	task(r)->mapped[slot] = o->inode;
}

/* At once or in two parts. */
static void do_unmap(struct run *r)
{
	int slot = pick(r, task(r)->mapped, DESCRIPTORS, true);
	bool parts = below(r, 2);
	uint64_t address = (slot + 1) * 0x10000;
	struct event e = ENTRY(munmap, address, parts ? CHUNK : 2 * CHUNK);

	if (slot == NOTHING)
		return;
	call(r, &e, 0);
	if (parts) {
		e = ENTRY(munmap, address + CHUNK, CHUNK);
		call(r, &e, 0);
	}
	world_unmap(&r->world, r->task, slot);
}

/* Moved, and back. */
static void do_remap(struct run *r)
{
	int slot = pick(r, task(r)->mapped, DESCRIPTORS, true);
	uint64_t address = (slot + 1) * 0x10000, other = address + 0x1000000;
	struct event there = ENTRY(mremap, address, 2 * CHUNK, 3 * CHUNK, 1);
	struct event back = ENTRY(mremap, other, 3 * CHUNK, 2 * CHUNK, 3, address);

	if (slot == NOTHING)
		return;
	call(r, &there, other);
	call(r, &back, address);
}

static void do_fork(struct run *r)
{
	struct world *w = &r->world;
	int child = 0;
	struct event e;

	while (child < PROCESSES && w->task[child].lives)
		child++;
	if (child == PROCESSES)
		return;
	event_init(&e, EVENT_FORK);
	e.fork.child_pid = e.fork.child_tid = 100 + child;
	feed(r, &e);
	w->task[child] = *task(r);
	for (int i = 0; i < DESCRIPTORS; i++)
		if (task(r)->fd[i] != NOTHING)
			w->opened[task(r)->fd[i]].references++;
}

static void do_exit(struct run *r)
{
	struct event e;
	int alive = 0;

	for (int i = 0; i < PROCESSES; i++)
		alive += r->world.task[i].lives;
	if (alive == 1)
		return;
	r->world.now += 100;
	event_init(&e, EVENT_GONE);
	e.gone.last_thread = true;
	feed(r, &e);
	world_exit(&r->world, r->task);
}

/* The disk gets something of it, or time passes until the pipeline no longer waits for that. */
static void do_nothing(struct run *r)
{
	r->world.now += below(r, 20) ? 5000000 : 130000000000;
}

static void (*const operations[])(struct run *r) = {
	do_open,  do_open,   do_open,	do_write,  do_write,	do_write,
	do_write, do_write,  do_write,	do_seek,   do_truncate, do_ftruncate,
	do_punch, do_insert, do_unlink, do_link,   do_rename,	do_collapse,
	do_dup,	  do_close,  do_close,	do_fork,   do_exit,	do_nothing,
	do_remap, do_map,    do_unmap,	do_unlink, do_clone,	do_write_asynchronously,
};

static void act(struct run *r)
{
	do
		r->task = below(r, PROCESSES);
	while (!task(r)->lives);
	r->world.now += 1 + below(r, 1000000);
	operations[below(r, sizeof(operations) / sizeof(*operations))](r);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void begin(struct run *r, uint64_t seed)
{
	struct pipeline_options options;

	pipeline_defaults(&options);
	r->random = random_events_new(seed);
	r->expected = calloc(LIVES_MAX, sizeof(*r->expected));
	r->found = calloc(LIVES_MAX, sizeof(*r->found));
	world_begin(&r->world, r->expected);
	r->world.now = 1000000;
	r->pipeline = pipeline_new(&options, ignore_hints, r);
	r->lives = block_lives_new(take_life, r);
	pipeline_observe(r->pipeline, &block_lives_observer, r->lives);
}

static uint64_t alive(const struct block_lives *lives)
{
	const struct life_counts *counts = block_lives_counts(lives, 0);
	uint64_t left = counts->born;

	for (int end = 0; end < LIFE_ENDS; end++)
		left -= counts->ended[end];
	return left;
}

static void end(struct run *r)
{
	block_lives_free(r->lives);
	pipeline_free(r->pipeline);
	free(r->random);
	free(r->expected);
	free(r->found);
}

static void check_seed(uint64_t seed)
{
	struct run run = {0};

	begin(&run, seed);
	for (int i = 0; i < STEPS; i++) {
		act(&run);
		cr_assert_eq(run.found_count, run.world.lives,
			     "seed %lu, step %d: %u blocks have ended, but %u should have", seed, i,
			     run.found_count, run.world.lives);
		cr_assert_eq(alive(run.lives), world_alive(&run.world), "seed %lu, step %d", seed,
			     i);
	}
	qsort(run.found, run.found_count, sizeof(*run.found), by_value);
	qsort(run.expected, run.world.lives, sizeof(*run.expected), by_value);
	cr_expect(run.found_count > STEPS / 2);
	cr_expect(!memcmp(run.found, run.expected, run.found_count * sizeof(*run.found)),
		  "seed %lu: blocks lived longer or shorter than they should have", seed);
	cr_expect_eq(block_lives_counts(run.lives, 0)->ended_found, 0);
	end(&run);
}

Test(lifetimes, are_those_of_a_file_system_that_looks_at_every_block)
{
	for (uint64_t seed = 1; seed <= 8; seed++)
		check_seed(seed);
}

/* What the command says of a trace in its text form. */
static json_t *lifetimes_of(const char *events)
{
	char path[] = "/tmp/sky-lifetimes-XXXXXX.events";
	int fd = mkstemps(path, strlen(".events"));
	json_t *result;

	cr_assert(fd >= 0 && write(fd, events, strlen(events)) == (ssize_t)strlen(events));
	close(fd);
	result = lifetimes_of_trace(path);
	unlink(path);
	cr_assert(result);
	return result;
}

static long long number_of(const json_t *result, const char *way, const char *key)
{
	const json_t *lifetimes = json_object_get(result, "lifetimes");

	return json_integer_value(json_object_get(json_object_get(lifetimes, way), key));
}

/* Chunk 2 was written again before its old place was given back; 3 is not discarded whole. */
Test(lifetimes, end_where_the_disk_gives_the_place_back)
{
	json_t *result = lifetimes_of(
		"1000 0 0x5000 0x7f00 descriptor fd=3 open_file=1 dev=254:0 inode=11 links=1 "
		"size=0 mode=0x81a4 pid=5 tid=5\n"
		"1900 0 0x5000 0x7f00 entry write fd=3 len=16384 at=0 sums=[a0,a1,a2,a3] pid=5 "
		"tid=5\n"
		"2000 0 0x5000 0x7f00 exit write ret=16384 pid=5 tid=5\n"
		"3000 - - - block W id=1 sector=8000 count=40 sums=[e0,a0,a1,a2,a3]\n"
		"3900 0 0x5000 0x7f00 entry pwrite64 fd=3 len=4096 offset=8192 sums=[b2] pid=5 "
		"tid=5\n"
		"4000 0 0x5000 0x7f00 exit pwrite64 ret=4096 pid=5 tid=5\n"
		"5000 - - - block D id=2 sector=8008 count=28\n"
		"6000 - - - block W id=3 sector=8008 count=8 sums=[e1]\n");

	cr_expect_eq(number_of(result, "sky", "born"), 5);
	cr_expect_eq(number_of(result, "sky", "overwritten"), 1);
	cr_expect_eq(number_of(result, "sky", "discarded"), 2);
	cr_expect_eq(number_of(result, "sky", "alive"), 2);
	cr_expect_eq(number_of(result, "sky", "max_ns"), 3000);
	cr_expect_eq(number_of(result, "naive", "born"), 6);
	cr_expect_eq(number_of(result, "naive", "overwritten"), 1);
	cr_expect_eq(number_of(result, "naive_data", "born"), 4);
	cr_expect_eq(number_of(result, "naive_data", "alive"), 3);
	json_decref(result);
}

/* The points of the CDF are exact, however wide the buckets are that they stand for. */
Test(lifetimes, have_exact_points)
{
	json_t *result = lifetimes_of("1000 - - - block W id=1 sector=0 count=8 sums=[a1]\n"
				      "1000000001000 - - - block W id=2 sector=0 count=16 "
				      "sums=[a2,a3]\n"
				      "1000000002001 - - - block W id=3 sector=8 count=8 "
				      "sums=[a4]\n");
	const json_t *naive = json_object_get(json_object_get(result, "lifetimes"), "naive");

	cr_expect_eq(lifetimes_share(naive, 1000), 0);
	cr_expect_eq(lifetimes_share(naive, 1001), 0.25);
	cr_expect_eq(lifetimes_share(naive, 999999999999), 0.25);
	cr_expect_eq(lifetimes_share(naive, 1e12), 0.5);
	cr_expect_eq(number_of(result, "naive", "alive"), 2);
	json_decref(result);
}

static void fuzz_call(struct random_events *r, struct event *e)
{
	static const enum call calls[] = {CALL_write,	  CALL_pwrite64,  CALL_fallocate,
					  CALL_fallocate, CALL_ftruncate, CALL_ioctl,
					  CALL_mmap,	  CALL_munmap,	  CALL_mremap,
					  CALL_open,	  CALL_close,	  CALL_dup2};
	static const uint64_t modes[] = {0x03, 0x08, 0x10, 0x20};
	enum call call = calls[random_next(r) % (sizeof(calls) / sizeof(*calls))];
	struct entry_event *entry = &e->entry;

	entry->abi = ABI_LINUX64;
	entry->number = call_number(ABI_LINUX64, call);
	entry->argument[0] = entry->argument[4] = random_next(r) % 4;
	if (call == CALL_fallocate)
		entry->argument[1] = modes[random_next(r) % 4];
	if (call == CALL_ioctl)
		entry->argument[1] = FICLONE_CALL;
	for (int i = 2; i < 4; i++)
		entry->argument[i] >>= random_next(r) % 64;
}

/* Whatever is told: no more blocks end than were born. */
Test(lifetimes, survive_any_valid_events)
{
	struct random_events *random = random_events_new(11);
	struct run r = {.random = random, .found = calloc(1, 1)};
	struct pipeline_options options;
	struct event e;

	pipeline_defaults(&options);
	r.pipeline = pipeline_new(&options, ignore_hints, NULL);
	r.lives = block_lives_new(ignore_life, NULL);
	pipeline_observe(r.pipeline, &block_lives_observer, r.lives);
	random->longest_words = 300;
	for (int i = 0; i < 200000; i++) {
		random_event(random, &e);
		e.pid = e.tid = 1 + random_next(random) % 2;
		if (e.kind == EVENT_ENTRY) {
			fuzz_call(random, &e);
			r.id = e.entry.number;
		} else if (e.kind == EVENT_EXIT) {
			e.exit.number = r.id;
			e.exit.abi = ABI_LINUX64;
			e.exit.result = e.exit.result < 0 ? 0 : e.exit.result;
		} else if (e.kind == EVENT_INSIGHT) {
			e.insight.number = call_number(ABI_LINUX64, CALL_fstat);
			e.insight.result = 0;
			e.insight.fd = random_next(random) % 4;
			e.insight.inode %= 8;
			e.insight.device = 1;
			e.insight.mode = 0100644;
		}
		cr_assert_eq(pipeline_feed(r.pipeline, &e, 1), 0);
	}
	cr_expect(block_lives_counts(r.lives, 0)->born > 1000);
	cr_expect(alive(r.lives) <= block_lives_counts(r.lives, 0)->born);
	cr_expect(!block_lives_failed(r.lives));
	end(&r);
}
