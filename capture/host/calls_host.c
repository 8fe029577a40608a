/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls as the host recorder sees them: one row of host_calls[] a call.
 *
 * host_call_enter() tells which files a call is about (EVENT_INSIGHT, where the
 * trace doesn't know yet), lets the row's enter() hash what will be written,
 * and emits the entry; host_call_leave() lets leave() hash what was read, or what
 * was written otherwise than foreseen, and emits the exit.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/host/call_work.h"
#include "capture/host/mapped.h"
#include "common/error.h"
#include "common/fnv1a.h"

/* include/linux/errno.h: results that user space never sees, the call is made again. */
#define RESTART_FIRST 512
#define RESTART_LAST  516

/* The path in the buffer (terminated here), and which file it is where the row wants that told. */
static struct text take_path(struct tracer *tracer, struct thread *thread, uint8_t argument,
			     uint8_t folder, bool names_file, char *buffer)
{
	const struct host_call *row = thread->call.row;
	int from = folder ? (int)argument_of(thread, folder) : AT_FDCWD;
	struct text path = {0};
	struct file file;

	if (!argument)
		return path;
	path = memory_path(thread, argument_of(thread, argument), buffer);
	if (!names_file || path.count >= PATH_MAX)
		return path;
	buffer[path.count] = '\0';
	if (!path_stat(tracer, thread, from, buffer, row->follows_links, &file))
		return path;
	emit_file(tracer, thread, -1, &file, path);
	forget(tracer, &file);
	if (!row->fd)
		thread->call.file = file; /* truncate() ends with forgetting it once more */
	return path;
}

static void enter_change(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	forget(tracer, &thread->call.file);
}

/* The first bytes of a chunk, zeros behind. */
static void hash_head(struct tracer *tracer, struct thread *thread, const struct file *file,
		      uint64_t offset, uint64_t bytes, uint64_t *sum)
{
	struct view view = view_of(tracer, thread, file);
	uint8_t buffer[CHUNK_BYTES];

	*sum = SUM_UNKNOWN;
	if (!(file->flags & O_DIRECT) &&
	    from_file_quietly(&view, offset, buffer, bytes) == (ssize_t)bytes)
		*sum = fnv1a_zeros(fnv1a_update(FNV1A_BASIS, buffer, bytes), CHUNK_BYTES - bytes);
	view_end(&view);
}

/* What will be left of the chunk that the new end lies in: its rest becomes zeros. */
static void enter_truncate(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	const struct file *file = &thread->call.file;
	uint64_t size = thread->call.argument[1], bytes = size % CHUNK_BYTES, *sums;

	forget(tracer, file);
	if (size > file->size)
		tell_end_chunk(tracer, thread, file, size);
	if (!file->recorded || file->fd < 0 || !bytes || size >= file->size)
		return;
	sums = sums_for(&tracer->sums, &tracer->sum_room, size - bytes, bytes);
	if (!sums)
		return;
	hash_head(tracer, thread, file, size - bytes, bytes, sums);
	entry->entry.file_offset = size - bytes;
	entry->entry.sums = words_of(sums, 1);
}

static void leave_change(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	forget(tracer, &thread->call.file);
}

/* PROT_WRITE may come later, by mprotect(). MAP_SHARED_VALIDATE has this bit, too. */
static bool is_shared(const struct call_state *call)
{
	return call->argument[3] & MAP_SHARED && (call->file.flags & O_ACCMODE) == O_RDWR;
}

static void enter_mmap(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	if (thread->call.file.recorded && is_shared(&thread->call))
		chunker_stop_remembering(tracer->chunker);
}

static void leave_mmap(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	const struct call_state *call = &thread->call;

	if (exit->exit.result < 0 || !call->file.recorded)
		return;
	mapped_begin(tracer, thread);
	if (is_shared(call))
		mapped_shared(tracer, &call->file);
}

static void enter_munmap(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	const uint64_t *argument = thread->call.argument;
	const struct mapped_part part = {.begin = argument[0], .end = argument[0] + argument[1]};

	mapped_tell(tracer, thread, &part);
}

static void enter_msync(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	const uint64_t *argument = thread->call.argument;
	const struct mapped_part part = {
		.begin = argument[0], .end = argument[0] + argument[1], .written_now = true};

	mapped_tell(tracer, thread, &part);
}

static void enter_fsync(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	const struct mapped_part part = {.end = UINT64_MAX,
					 .device = thread->call.file.device,
					 .inode = thread->call.file.inode,
					 .written_now = true};

	if (thread->call.file.recorded)
		mapped_tell_everywhere(tracer, &part);
}

static void enter_sync(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	static const struct mapped_part all = {.end = UINT64_MAX, .written_now = true};

	mapped_tell_everywhere(tracer, &all);
}

/* Unmapping fails for nonsense only. */
static enum after_entry settle_munmap(const struct tracer *tracer, const struct thread *thread,
				      int64_t *result)
{
	*result = 0;
	return thread->call.argument[0] % CHUNK_BYTES || !thread->call.argument[1]
		       ? CALL_GOES_ON
		       : CALL_NEEDS_NO_EXIT;
}

static void enter_close(struct tracer *tracer, struct thread *thread, struct event *entry)
{
	int fd = thread->call.argument[0];

	if (process_told(thread->process, fd).inode)
		thread->call.bytes = 1; /* it exists */
	process_forget(thread->process, fd, fd);
}

/*
 * Linux closes a descriptor whatever close() returns, and a known descriptor's
 * close() fails on network file systems only.
 */
static enum after_entry settle_close(const struct tracer *tracer, const struct thread *thread,
				     int64_t *result)
{
	*result = 0;
	return thread->call.bytes ? CALL_NEEDS_NO_EXIT : CALL_GOES_ON;
}

static void leave_close_range(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	if (!exit->exit.result && !(thread->call.argument[2] & CLOSE_RANGE_CLOEXEC))
		process_forget(thread->process, thread->call.argument[0], thread->call.argument[1]);
}

static void leave_duplicate(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	if (exit->exit.result >= 0)
		process_tell(thread->process, exit->exit.result,
			     process_told(thread->process, thread->call.argument[0]));
}

static void leave_fcntl(struct tracer *tracer, struct thread *thread, struct event *exit)
{
	int command = thread->call.argument[1];

	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		leave_duplicate(tracer, thread, exit);
}

#define A(n) ARGUMENT(n)

#define READ(...)                                                                    \
	{                                                                            \
		.stop = STOP_ALWAYS, .fd = A(0), .buffer = A(1), .bytes = A(2),      \
		.enter = enter_transfer, .leave = leave_read, .settle = settle_read, \
		.moves = transfer_moves, __VA_ARGS__                                 \
	}
#define WRITE(...)                                                                               \
	{                                                                                        \
		.stop = STOP_ALWAYS, .fd = A(0), .buffer = A(1), .bytes = A(2), .writes = true,  \
		.enter = enter_write, .leave = leave_write, .moves = transfer_moves, __VA_ARGS__ \
	}
#define COPY(error, ...)                                                                    \
	{                                                                                   \
		.stop = STOP_ALWAYS, .copies = true, .refusal = error, .enter = enter_copy, \
		.leave = leave_copy, .writes = true, .moves = copy_moves, __VA_ARGS__       \
	}
#define CHANGE(...)                                                                            \
	{                                                                                      \
		.stop = STOP_ALWAYS, .enter = enter_change, .leave = leave_change, __VA_ARGS__ \
	}
#define TRUNCATE(...)                                                                            \
	{                                                                                        \
		.stop = STOP_ALWAYS, .enter = enter_truncate, .leave = leave_change, __VA_ARGS__ \
	}
#define OPEN(...)                                               \
	{                                                       \
		.stop = STOP_ALWAYS, .opens = true, __VA_ARGS__ \
	}
#define PLAIN(...)                               \
	{                                        \
		.stop = STOP_ALWAYS, __VA_ARGS__ \
	}

/*
 * What copies are refused with: what makes cp, cat, install and mv of
 * coreutils read and write instead.
 */
const struct host_call host_calls[CALL_COUNT] = {
	[CALL_read] = READ(),
	[CALL_pread64] = READ(.offset = A(3)),
	[CALL_readv] = READ(.vector = true),
	[CALL_preadv] = READ(.vector = true, .offset = A(3)),
	[CALL_preadv2] = READ(.vector = true, .offset = A(3), .flags = A(5)),
	[CALL_write] = WRITE(),
	[CALL_pwrite64] = WRITE(.offset = A(3)),
	[CALL_writev] = WRITE(.vector = true),
	[CALL_pwritev] = WRITE(.vector = true, .offset = A(3)),
	[CALL_pwritev2] = WRITE(.vector = true, .offset = A(3), .flags = A(5)),

	[CALL_copy_file_range] = COPY(ENOSYS, .source = A(0), .source_offset = A(1), .fd = A(2),
				      .offset = A(3), .bytes = A(4), .settle = settle_copy),
	[CALL_sendfile] =
		COPY(EINVAL, .fd = A(0), .source = A(1), .source_offset = A(2), .bytes = A(3)),
	[CALL_splice] = COPY(EINVAL, .source = A(0), .source_offset = A(1), .fd = A(2),
			     .offset = A(3), .bytes = A(4)),
	[CALL_ioctl] = {.stop = STOP_CLONES,
			.fd = A(0),
			.copies = true,
			.refusal = EOPNOTSUPP,
			.enter = enter_clone,
			.leave = leave_clone,
			.settle = settle_clone},

	[CALL_open] = OPEN(.path = A(0)),
	[CALL_creat] = OPEN(.path = A(0)),
	[CALL_openat] = OPEN(.folder = A(0), .path = A(1)),
	[CALL_openat2] = OPEN(.folder = A(0), .path = A(1)),
	[CALL_close] = PLAIN(.enter = enter_close, .settle = settle_close),
	[CALL_close_range] = PLAIN(.leave = leave_close_range),
	[CALL_dup] = PLAIN(.fd = A(0), .leave = leave_duplicate),
	[CALL_dup2] = PLAIN(.fd = A(0), .leave = leave_duplicate),
	[CALL_dup3] = PLAIN(.fd = A(0), .leave = leave_duplicate),
	[CALL_fcntl] = {.stop = STOP_DUPLICATES, .fd = A(0), .leave = leave_fcntl},
	[CALL_lseek] = PLAIN(.fd = A(0)),

	[CALL_truncate] = TRUNCATE(.path = A(0), .names_file = true, .follows_links = true),
	[CALL_ftruncate] = TRUNCATE(.fd = A(0)),
	[CALL_fallocate] = CHANGE(.fd = A(0)),
	[CALL_unlink] = PLAIN(.path = A(0), .names_file = true),
	[CALL_unlinkat] = PLAIN(.folder = A(0), .path = A(1), .names_file = true),
	[CALL_rename] = PLAIN(.path = A(0), .path2 = A(1), .names_file = true, .names_file2 = true),
	[CALL_renameat] = PLAIN(.folder = A(0), .path = A(1), .folder2 = A(2), .path2 = A(3),
				.names_file = true, .names_file2 = true),
	[CALL_renameat2] = PLAIN(.folder = A(0), .path = A(1), .folder2 = A(2), .path2 = A(3),
				 .names_file = true, .names_file2 = true),
	[CALL_link] = PLAIN(.path = A(0), .path2 = A(1), .names_file = true),
	[CALL_linkat] = PLAIN(.folder = A(0), .path = A(1), .folder2 = A(2), .path2 = A(3),
			      .names_file = true),

	[CALL_fsync] = PLAIN(.fd = A(0), .enter = enter_fsync),
	[CALL_fdatasync] = PLAIN(.fd = A(0), .enter = enter_fsync),
	[CALL_syncfs] = PLAIN(.fd = A(0), .enter = enter_sync),
	[CALL_sync] = PLAIN(.enter = enter_sync),
	[CALL_msync] = PLAIN(.enter = enter_msync),

	[CALL_mmap] = {.stop = STOP_FILE_MAPPINGS, .fd = A(4), .enter = enter_mmap,
		       .leave = leave_mmap},
	[CALL_munmap] = PLAIN(.enter = enter_munmap, .settle = settle_munmap),
	[CALL_mremap] = PLAIN(),

	[CALL_chdir] = PLAIN(.path = A(0)),
	[CALL_fchdir] = PLAIN(.fd = A(0)),

	[CALL_io_setup] = PLAIN(.leave = leave_setup),
	[CALL_io_destroy] = PLAIN(.leave = leave_destroy),
	[CALL_io_submit] = PLAIN(.enter = enter_submit),
	[CALL_io_getevents] = PLAIN(.leave = leave_getevents),
	[CALL_io_pgetevents] = PLAIN(.leave = leave_getevents),
	[CALL_io_uring_setup] = PLAIN(.refusal = ENOSYS),
};

static void emit_exit(struct tracer *tracer, struct thread *thread, int64_t result)
{
	struct call_state *call = &thread->call;
	struct event exit;

	event_init(&exit, EVENT_EXIT);
	exit.exit.abi = ABI_LINUX64;
	exit.exit.number = call->number;
	exit.exit.result = result;
	if (call->row->leave)
		call->row->leave(tracer, thread, &exit);
	if (result <= -RESTART_FIRST && result >= -RESTART_LAST) {
		exit.exit.result = 0;
		exit.exit.way = EXIT_RESTART;
	}
	emit_event(tracer, thread, &exit);
}

static bool appends_only(const struct thread *thread)
{
	return thread->call.row->writes && thread->call.file.flags & O_APPEND;
}

static bool same_file(const struct file *a, const struct file *b)
{
	return a->recorded && b->recorded && a->device == b->device && a->inode == b->inode;
}

/* Both descriptors are duplicates of our own. A kernel without kcmp() can't tell: careful then. */
static bool same_open_file(const struct file *a, const struct file *b)
{
	return same_file(a, b) &&
	       syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a->fd, b->fd) <= 0;
}

static bool in_the_way(const struct thread *other, const struct thread *thread)
{
	const struct call_state *a = &other->call, *b = &thread->call;

	if (appends_only(other) && appends_only(thread) && same_file(&a->file, &b->file))
		return true;
	return same_open_file(&a->file, &b->file) || same_open_file(&a->file, &b->source) ||
	       same_open_file(&a->source, &b->file) || same_open_file(&a->source, &b->source);
}

/* Enters the call in tracer->moving if it belongs there; false if it must wait. */
static bool take_turn(struct tracer *tracer, struct thread *thread)
{
	struct call_state *call = &thread->call;

	call->moves = (call->file.recorded || call->source.recorded) && call->row->moves &&
		      call->row->moves(thread);
	if (!call->moves)
		return true;
	for (struct thread *other = tracer->moving; other; other = other->next_moving)
		if (in_the_way(other, thread)) {
			call->moves = false;
			return false;
		}
	thread->next_moving = tracer->moving;
	tracer->moving = thread;
	return true;
}

static void end_turn(struct tracer *tracer, struct thread *thread)
{
	struct thread **at = &tracer->moving;

	if (!thread->call.moves)
		return;
	while (*at != thread)
		at = &(*at)->next_moving;
	*at = thread->next_moving;
	thread->call.moves = false;
}

static void end_call(struct tracer *tracer, struct thread *thread)
{
	struct call_state *call = &thread->call;

	end_turn(tracer, thread);
	if (call->file.raw) /* plain writes, which are not looked at, may follow */
		forget(tracer, &call->file);
	call->row = NULL;
	file_close(&call->file);
	file_close(&call->source);
}

/* Only regular files and the raw disk stay open until the exit, where it looks at them. */
static void close_what_is_not_needed(struct call_state *call)
{
	if (!call->row->leave || !(call->file.regular || call->file.recorded))
		file_close(&call->file);
	if (!call->row->leave || !call->source.regular)
		file_close(&call->source);
}

static void begin_call(struct call_state *call, const struct host_call *row)
{
	call->row = row;
	call->file = (struct file){.fd = -1};
	call->source = (struct file){.fd = -1};
	call->offset = OFFSET_UNKNOWN;
	call->source_offset = OFFSET_UNKNOWN;
	call->bytes = 0;
	call->part_count = 0;
	call->after.bytes = 0;
	call->source_sum_count = 0;
	call->shortened = false;
}

/* What follows the call's own arguments, where the magic says that it is meant. */
static void deliver_class(struct event *entry, enum call number, const struct call_state *call)
{
	unsigned magic = call_magic_argument(ABI_LINUX64, number);

	if (call->given == CLASS_UNDECIDED)
		return;
	entry->entry.argument[magic] = call->argument[magic];
	entry->entry.argument[magic + 1] = call->argument[magic + 1];
}

static void begin_entry(struct tracer *tracer, struct thread *thread, enum call number,
			struct event *entry)
{
	const struct call_state *call = &thread->call;
	const struct host_call *row = call->row;

	event_init(entry, EVENT_ENTRY);
	entry->entry.abi = ABI_LINUX64;
	entry->entry.number = call->number;
	for (unsigned i = 0; i < 6 && call_table[number].arguments[i].style != ARGUMENT_NONE; i++)
		entry->entry.argument[i] = call->argument[i]; /* not what happens to be there */
	deliver_class(entry, number, call);
	entry->entry.path =
		take_path(tracer, thread, row->path, row->folder, row->names_file, tracer->path[0]);
	entry->entry.path2 = take_path(tracer, thread, row->path2, row->folder2, row->names_file2,
				       tracer->path[1]);
}

static bool is_refused(struct tracer *tracer, const struct call_state *call)
{
	const struct host_call *row = call->row;

	if (row->copies)
		return !tracer->options->copy_offload &&
		       (call->file.recorded || call->source.recorded);
	if (!row->refusal)
		return false;
	if (!tracer->io_uring_warned)
		warn("A recorded program asked for io_uring, which the recorder does not follow: "
		     "it was told that there is none");
	tracer->io_uring_warned = true;
	return true;
}

enum after_entry host_call_enter(struct tracer *tracer, struct thread *thread, enum call number,
				 int64_t *result)
{
	const struct host_call *row = &host_calls[number];
	struct call_state *call = &thread->call;
	enum after_entry after = CALL_GOES_ON;
	struct event entry;

	begin_call(call, row);
	call->given = call_class(ABI_LINUX64, number, call->argument);
	tell_completions(tracer, thread);
	begin_entry(tracer, thread, number, &entry);
	if (row->fd)
		file_open_told(tracer, thread, argument_of(thread, row->fd), &call->file);
	call->file.recorded |= call->file.raw && call->given < CLASS_COUNT;
	if (row->source)
		file_open_told(tracer, thread, argument_of(thread, row->source), &call->source);
	if (!take_turn(tracer, thread)) {
		end_call(tracer, thread);
		return CALL_MUST_WAIT;
	}
	if (is_refused(tracer, call)) {
		*result = -row->refusal;
		after = CALL_MUST_BE_SKIPPED;
	} else if (row->enter) {
		row->enter(tracer, thread, &entry);
	}
	emit_event(tracer, thread, &entry);
	if (after == CALL_GOES_ON && row->settle)
		after = row->settle(tracer, thread, result);
	if (after == CALL_GOES_ON) {
		close_what_is_not_needed(call);
		return after;
	}
	emit_exit(tracer, thread, *result);
	end_call(tracer, thread);
	return after;
}

static void tell_opened(struct tracer *tracer, struct thread *thread, int fd)
{
	struct file file;

	file_open(tracer, thread, fd, &file);
	if (file.fd >= 0)
		file_tell_always(tracer, thread, fd, &file);
	file_close(&file);
}

void host_call_leave(struct tracer *tracer, struct thread *thread, int64_t result)
{
	const struct host_call *row = thread->call.row;

	emit_exit(tracer, thread, result);
	if (row->opens && result >= 0)
		tell_opened(tracer, thread, result);
	end_call(tracer, thread);
}

void host_call_abandon(struct tracer *tracer, struct thread *thread)
{
	struct event exit;

	if (!thread->call.row)
		return;
	event_init(&exit, EVENT_EXIT);
	exit.exit.abi = ABI_LINUX64;
	exit.exit.number = thread->call.number;
	exit.exit.way = EXIT_KILLED;
	forget(tracer, &thread->call.file);
	emit_event(tracer, thread, &exit);
	end_call(tracer, thread);
}
