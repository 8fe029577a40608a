/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each call means for descriptors, files and their content.
 *
 * Calls that move file data are a table: which argument is the source's
 * descriptor, which the target's, where offset and length are. The others have
 * a handler for their entry (what is true as soon as they are made) or their
 * exit (what is true once they succeed).
 */
#include "sim/pipeline/state.h"

/* Flags whose values the ABIs do not share: Linux asm-generic/fcntl.h, FreeBSD sys/fcntl.h. */
struct abi_flags {
	uint64_t append, truncate, close_on_exec, duplicate_close_on_exec;
};

static const struct abi_flags abi_flags[] = {
	[ABI_LINUX64] = {02000, 01000, 02000000, 1030},
	[ABI_FREEBSD64] = {0x8, 0x400, 0x100000, 17},
};

enum fcntl_command { COMMAND_DUPFD = 0, COMMAND_SETFD = 2, COMMAND_SETFL = 4 };

#define DESCRIPTOR_CLOSE_ON_EXEC 1u
#define CLOSE_RANGE_UNSHARE_FLAG 2u
#define CLOSE_RANGE_CLOEXEC_FLAG 4u

/* include/uapi/linux/falloc.h */
#define FALLOCATE_KEEP_SIZE 0x01u
#define FALLOCATE_PUNCH	    0x02u
#define FALLOCATE_COLLAPSE  0x08u
#define FALLOCATE_ZERO	    0x10u
#define FALLOCATE_INSERT    0x20u

/* include/uapi/linux/fs.h: _IOW(0x94, 9, int) and _IOW(0x94, 13, struct file_clone_range). */
#define REQUEST_FICLONE	     0x40049409u
#define REQUEST_FICLONERANGE 0x4020940du
#define RENAME_EXCHANGE_FLAG 2u

/* One end of a transfer, by argument numbers from 1; 0 means that there is none. */
struct side {
	uint8_t fd;
	uint8_t offset;	 /* a number: the file position takes no part */
	uint8_t pointer; /* to a number; NULL means the file position */
};

struct call_rule {
	struct side source, target;
	uint8_t length; /* argument; 0: the sum of the iovec's */
	void (*entry)(struct pipeline *p, struct call_state *call, const struct event *event);
	void (*exit)(struct pipeline *p, struct call_state *call, const struct event *event);
};

/* False too where it was killed or will be made again. */
static bool succeeded(const struct event *event)
{
	const struct exit_event *exit = &event->exit;

	return exit->result >= 0 && exit->way != EXIT_KILLED && exit->way != EXIT_RESTART;
}

uint32_t content_of(struct pipeline *p, uint32_t open_file)
{
	uint32_t file = open_file ? OPEN_FILE_AT(p, open_file)->file : 0;

	return file && !FILE_AT(p, file)->special ? file : 0;
}

uint32_t meet(struct pipeline *p, uint32_t process, int32_t fd)
{
	uint32_t open_file = descriptor_find(p, process, fd);
	struct open_file *o;

	if (open_file || fd < 0)
		return open_file;
	open_file = open_file_new(p, file_unnamed(p));
	if (!open_file)
		return 0;
	o = OPEN_FILE_AT(p, open_file);
	o->offset = OFFSET_UNKNOWN;
	o->unopened = true;
	descriptor_set(p, process, fd, open_file, false);
	return descriptor_find(p, process, fd);
}

static uint32_t open_file_of(struct pipeline *p, const struct call_state *call,
			     const struct side *side)
{
	int32_t fd = call->argument[side->fd - 1];

	p->counters.unknown_descriptors += !descriptor_find(p, call->process, fd);
	return meet(p, call->process, fd);
}

/* Does the transfer begin at the file position, and move it? */
static bool uses_position(const struct call_state *call, const struct side *side)
{
	if (side->pointer)
		return !call->argument[side->pointer - 1];
	return !side->offset || call->argument[side->offset - 1] == UINT64_MAX;
}

/* Where a transfer begins, by its arguments or else by the position. */
static uint64_t begins_at(struct pipeline *p, const struct call_state *call,
			  const struct side *side, uint32_t open_file)
{
	if (!uses_position(call, side))
		return side->offset ? call->argument[side->offset - 1] : OFFSET_UNKNOWN;
	return open_file ? OPEN_FILE_AT(p, open_file)->offset : OFFSET_UNKNOWN;
}

static uint64_t end_of_file(struct pipeline *p, uint32_t open_file)
{
	uint64_t size = file_size(FILE_AT(p, OPEN_FILE_AT(p, open_file)->file));

	return size == SIZE_UNKNOWN ? OFFSET_UNKNOWN : size;
}

static uint64_t sum_of(const struct words *lengths)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < lengths->count; i++)
		bytes += lengths->at[i];
	return bytes;
}

/* The entry told what will be written. */
static void announce(struct pipeline *p, struct call_state *call, uint32_t file,
		     const struct words *sums)
{
	origin_set(p, call);
	written_add(p, file, call->target_offset, sums, call->seq);
	call->written_chunks = sums->count;
	call->written_file = file_hold(p, file);
}

static void begin_target(struct pipeline *p, struct call_state *call, const struct call_rule *rule,
			 const struct entry_event *entry)
{
	uint32_t file;

	call->target = open_file_hold(p, open_file_of(p, call, &rule->target));
	call->target_offset = entry->file_offset;
	if (call->target && call->target_offset == OFFSET_UNKNOWN) {
		call->target_offset = OPEN_FILE_AT(p, call->target)->append
					      ? end_of_file(p, call->target)
					      : begins_at(p, call, &rule->target, call->target);
	}
	file = content_of(p, call->target);
	call->size_before = file ? file_size(FILE_AT(p, file)) : SIZE_UNKNOWN;
	if (!file || !entry->sums.count)
		return;
	announce(p, call, file, &entry->sums);
}

static void begin_transfer(struct pipeline *p, struct call_state *call,
			   const struct call_rule *rule, const struct event *event)
{
	const struct entry_event *entry = &event->entry;

	call->requested = rule->length ? call->argument[rule->length - 1] : sum_of(&entry->lengths);
	if (rule->source.fd) {
		call->source = open_file_hold(p, open_file_of(p, call, &rule->source));
		call->source_offset = begins_at(p, call, &rule->source, call->source);
		if (!rule->target.fd && entry->file_offset != OFFSET_UNKNOWN)
			call->source_offset = entry->file_offset;
	}
	if (rule->target.fd)
		begin_target(p, call, rule, entry);
}

/* Takes back what the entry announced beyond the first `bytes` bytes. */
static void take_back(struct pipeline *p, const struct call_state *call, uint64_t bytes)
{
	const struct announcement announced = {.offset = call->target_offset,
					       .requested = call->requested,
					       .call = call->seq,
					       .file = call->written_file,
					       .chunks = call->written_chunks};

	written_shorten(p, &announced, bytes);
}

static void end_target(struct pipeline *p, struct call_state *call, const struct call_rule *rule,
		       const struct exit_event *exit)
{
	struct open_file *o = OPEN_FILE_AT(p, call->target);
	uint32_t file = content_of(p, call->target);
	uint64_t bytes = exit->result;

	if (exit->written.count && file) {
		take_back(p, call, 0);
		call->target_offset = exit->written_offset;
		written_add(p, file, call->target_offset, &exit->written, call->seq);
	} else if (bytes < call->requested) {
		p->counters.short_writes += call->written_chunks > 0;
		take_back(p, call, bytes);
	}
	if (uses_position(call, &rule->target))
		o->offset = call->target_offset == OFFSET_UNKNOWN ? OFFSET_UNKNOWN
								  : call->target_offset + bytes;
	if (call->written_chunks || exit->written.count)
		observe_write(p, o->file, call->target_offset, bytes, call->size_before);
	if (bytes && call->target_offset != OFFSET_UNKNOWN)
		file_reached(p, o->file, call->target_offset + bytes);
	traffic_moved(p, call->process, o->file, bytes, true);
}

static void end_source(struct pipeline *p, struct call_state *call, const struct call_rule *rule,
		       const struct exit_event *exit)
{
	uint64_t offset =
		exit->file_offset == OFFSET_UNKNOWN ? call->source_offset : exit->file_offset;
	struct open_file *o = OPEN_FILE_AT(p, call->source);

	if (uses_position(call, &rule->source))
		o->offset = offset == OFFSET_UNKNOWN ? OFFSET_UNKNOWN : offset + exit->result;
	if (exit->result && offset != OFFSET_UNKNOWN)
		file_reached(p, o->file, offset + exit->result);
	traffic_moved(p, call->process, o->file, exit->result, false);
	read_taken(p, content_of(p, call->source), offset, &exit->sums);
}

static void end_transfer(struct pipeline *p, struct call_state *call, const struct call_rule *rule,
			 const struct event *event)
{
	const struct exit_event *exit = &event->exit;

	if (call->target)
		end_target(p, call, rule, exit);
	if (call->source)
		end_source(p, call, rule, exit);
	else
		read_taken(p, 0, OFFSET_UNKNOWN, &exit->sums);
}

static void opened(struct pipeline *p, struct call_state *call, const struct event *event,
		   uint64_t flags)
{
	const struct abi_flags *bits = &abi_flags[call->abi];
	int32_t fd = event->exit.result;
	uint32_t open_file = descriptor_find(p, call->process, fd);
	struct open_file *o;

	if (!open_file || !OPEN_FILE_AT(p, open_file)->unopened) {
		descriptor_close(p, call->process, fd);
		open_file = meet(p, call->process, fd);
	}
	if (!open_file)
		return;
	o = OPEN_FILE_AT(p, open_file);
	o->offset = 0;
	o->unopened = false;
	o->append = flags & bits->append;
	o->truncated = flags & bits->truncate;
	open_file_opened(p, open_file, call);
	descriptor_mark(p, call->process, fd, flags & bits->close_on_exec);
}

static void exit_open(struct pipeline *p, struct call_state *call, const struct event *event)
{
	opened(p, call, event, call->argument[1]);
}

static void exit_openat(struct pipeline *p, struct call_state *call, const struct event *event)
{
	opened(p, call, event, call->argument[2]);
}

static void exit_creat(struct pipeline *p, struct call_state *call, const struct event *event)
{
	opened(p, call, event, abi_flags[call->abi].truncate);
}

/* Its flags are in memory: an insight tells them. */
static void exit_openat2(struct pipeline *p, struct call_state *call, const struct event *event)
{
	opened(p, call, event, 0);
}

/* A descriptor is free as soon as close() begins; the open file lives until it returns. */
static void entry_close(struct pipeline *p, struct call_state *call, const struct event *event)
{
	int32_t fd = call->argument[0];

	call->target = open_file_hold(p, descriptor_find(p, call->process, fd));
	descriptor_close(p, call->process, fd);
}

static void entry_close_range(struct pipeline *p, struct call_state *call,
			      const struct event *event)
{
	descriptor_range(p, call->process, call->argument[0], call->argument[1],
			 call->argument[2] & CLOSE_RANGE_UNSHARE_FLAG,
			 call->argument[2] & CLOSE_RANGE_CLOEXEC_FLAG);
}

static void duplicated(struct pipeline *p, struct call_state *call, const struct event *event,
		       bool close_on_exec)
{
	int32_t from = call->argument[0], to = event->exit.result;

	if (from != to)
		descriptor_set(p, call->process, to, meet(p, call->process, from), close_on_exec);
}

static void exit_dup(struct pipeline *p, struct call_state *call, const struct event *event)
{
	duplicated(p, call, event, false);
}

static void exit_dup3(struct pipeline *p, struct call_state *call, const struct event *event)
{
	duplicated(p, call, event, call->argument[2] & abi_flags[call->abi].close_on_exec);
}

static void exit_fcntl(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct abi_flags *bits = &abi_flags[call->abi];
	uint64_t command = call->argument[1], value = call->argument[2];
	int32_t fd = call->argument[0];

	if (command == COMMAND_DUPFD || command == bits->duplicate_close_on_exec)
		duplicated(p, call, event, command != COMMAND_DUPFD);
	else if (command == COMMAND_SETFD)
		descriptor_mark(p, call->process, fd, value & DESCRIPTOR_CLOSE_ON_EXEC);
	else if (command == COMMAND_SETFL && meet(p, call->process, fd))
		OPEN_FILE_AT(p, meet(p, call->process, fd))->append = value & bits->append;
}

static void exit_lseek(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t open_file = meet(p, call->process, call->argument[0]);

	if (open_file)
		OPEN_FILE_AT(p, open_file)->offset = event->exit.result;
}

/* Chunks that lie partly in the range keep their place, but not their content. */
static void cleared(struct pipeline *p, uint32_t file, uint64_t from, uint64_t until)
{
	if (from % CHUNK_BYTES)
		written_blur(p, file, from / CHUNK_BYTES);
	if (until % CHUNK_BYTES)
		written_blur(p, file, until / CHUNK_BYTES);
	written_drop(p, file, chunk_after(from), until / CHUNK_BYTES);
	observe_cut(p, file, from, until);
}

/*
 * Truncations that cut a chunk: recorders tell at the entry what will be left of
 * it, because XFS writes it back before the call returns.
 */
static void entry_ftruncate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t open_file = meet(p, call->process, call->argument[0]);

	if (!content_of(p, open_file) || !event->entry.sums.count)
		return;
	call->target = open_file_hold(p, open_file);
	call->target_offset = event->entry.file_offset;
	announce(p, call, content_of(p, open_file), &event->entry.sums);
}

static void exit_ftruncate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t file = content_of(p, meet(p, call->process, call->argument[0]));

	if (file)
		file_truncated(p, file, call->argument[1], call->written_chunks);
}

static void entry_truncate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (!call->named[0] || !event->entry.sums.count)
		return;
	call->target_offset = event->entry.file_offset;
	announce(p, call, call->named[0], &event->entry.sums);
}

static void exit_truncate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (call->named[0])
		file_truncated(p, call->named[0], call->argument[1], call->written_chunks);
}

/* Collapsing and inserting write back first and then move what is on the disk. */
static void moved(struct pipeline *p, uint32_t file, uint64_t from, uint64_t bytes, bool inserted)
{
	struct file *f = FILE_AT(p, file);
	uint64_t size = file_size(f);

	written_drop(p, file, from / CHUNK_BYTES, UINT64_MAX);
	observe_move(p, file, from, bytes, inserted);
	if (size == SIZE_UNKNOWN)
		return;
	f->size = inserted ? size + bytes : size > bytes ? size - bytes : 0;
	f->highest = 0;
	file_resized(p, file, size);
}

static void exit_fallocate(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t file = content_of(p, meet(p, call->process, call->argument[0]));
	uint64_t mode = call->argument[1], from = call->argument[2], bytes = call->argument[3];

	if (!file)
		return;
	if (mode & (FALLOCATE_COLLAPSE | FALLOCATE_INSERT)) {
		moved(p, file, from, bytes, mode & FALLOCATE_INSERT);
		return;
	}
	if (mode & (FALLOCATE_PUNCH | FALLOCATE_ZERO))
		cleared(p, file, from, from + bytes);
	if (!(mode & FALLOCATE_KEEP_SIZE))
		file_reached(p, file, from + bytes);
}

static void exit_posix_fallocate(struct pipeline *p, struct call_state *call,
				 const struct event *event)
{
	uint32_t file = content_of(p, meet(p, call->process, call->argument[0]));

	if (file && !event->exit.result)
		file_reached(p, file, call->argument[1] + call->argument[2]);
}

/*
 * A clone: of a whole file, whose descriptor is the argument, or of a range, which
 * the argument points to and a record tells.
 */
static void entry_ioctl(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct words *records = &event->entry.records;
	uint32_t request = call->argument[1];
	int32_t source = call->argument[2];

	if (call->abi != ABI_LINUX64 ||
	    (request != REQUEST_FICLONE &&
	     (request != REQUEST_FICLONERANGE || records->count < RECORD_WORDS)))
		return;
	call->source_offset = call->target_offset = 0;
	if (request == REQUEST_FICLONERANGE) {
		source = records->at[RECORD_FD];
		call->source_offset = records->at[RECORD_OFFSET];
		call->requested = records->at[RECORD_BYTES];
		call->target_offset = event->entry.file_offset;
	}
	call->target = open_file_hold(p, meet(p, call->process, call->argument[0]));
	call->source = open_file_hold(p, meet(p, call->process, source));
}

/* How many bytes of the source are cloned: 0 asks for all up to its end. */
static uint64_t cloned_bytes(struct pipeline *p, const struct call_state *call, uint32_t source)
{
	uint64_t size = file_size(FILE_AT(p, source)), from = call->source_offset;

	if (call->requested)
		return call->requested;
	if (size == SIZE_UNKNOWN)
		return UINT64_MAX - call->target_offset;
	return size > from ? size - from : 0;
}

/* Shared blocks: the target's own content is gone, and nothing is written for the new one. */
static void exit_ioctl(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t target = content_of(p, call->target), source = content_of(p, call->source);
	uint64_t from = call->target_offset, until;

	if (!target || !source || from == OFFSET_UNKNOWN)
		return;
	until = from + cloned_bytes(p, call, source);
	if (until < from)
		return; /* no file is that large */
	p->counters.clones++;
	/* The kernel clones up to the end of the file or of a block, no less than 512 bytes. */
	written_drop(p, target, chunk_after(from),
		     until < file_size(FILE_AT(p, target)) ? until / CHUNK_BYTES
							   : chunk_after(until));
	if (until == UINT64_MAX)
		return;
	observe_write(p, target, from, until - from, SIZE_UNKNOWN);
	file_reached(p, target, until);
}

static void exit_unlink(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (call->named[0])
		file_unlinked(p, call->named[0], call->time_ns);
}

static void exit_link(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (call->named[0] && FILE_AT(p, call->named[0])->links_known)
		FILE_AT(p, call->named[0])->links++;
	file_linked(p, call->named[0], call);
}

static void exit_chdir(struct pipeline *p, struct call_state *call, const struct event *event)
{
	folder_changed(p, call->process, call->name);
}

static void exit_fchdir(struct pipeline *p, struct call_state *call, const struct event *event)
{
	uint32_t open_file = descriptor_find(p, call->process, call->argument[0]);

	folder_changed(p, call->process, open_file ? OPEN_FILE_AT(p, open_file)->name : 0);
}

/* The new name's file goes, unless both names are links of one file: then nothing happens. */
static void exit_rename(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (call->named[1] && call->named[1] != call->named[0])
		file_unlinked(p, call->named[1], call->time_ns);
	file_renamed(p, call->named[0], call);
}

static void exit_renameat2(struct pipeline *p, struct call_state *call, const struct event *event)
{
	if (!(call->argument[4] & RENAME_EXCHANGE_FLAG))
		exit_rename(p, call, event);
}

#define ARGUMENT(n) ((n) + 1)
#define POSITION(n)               \
	{                         \
		.fd = ARGUMENT(n) \
	}
#define OFFSET(n, at)                                     \
	{                                                 \
		.fd = ARGUMENT(n), .offset = ARGUMENT(at) \
	}
#define POINTER(n, at)                                     \
	{                                                  \
		.fd = ARGUMENT(n), .pointer = ARGUMENT(at) \
	}

static const struct call_rule call_rules[CALL_COUNT] = {
	[CALL_read] = {.source = POSITION(0), .length = ARGUMENT(2)},
	[CALL_readv] = {.source = POSITION(0)},
	[CALL_pread64] = {.source = OFFSET(0, 3), .length = ARGUMENT(2)},
	[CALL_preadv] = {.source = OFFSET(0, 3)},
	[CALL_preadv2] = {.source = OFFSET(0, 3)},
	[CALL_write] = {.target = POSITION(0), .length = ARGUMENT(2)},
	[CALL_writev] = {.target = POSITION(0)},
	[CALL_pwrite64] = {.target = OFFSET(0, 3), .length = ARGUMENT(2)},
	[CALL_pwritev] = {.target = OFFSET(0, 3)},
	[CALL_pwritev2] = {.target = OFFSET(0, 3)},
	[CALL_copy_file_range] = {.source = POINTER(0, 1),
				  .target = POINTER(2, 3),
				  .length = ARGUMENT(4)},
	[CALL_sendfile] = {.source = POINTER(1, 2), .target = POSITION(0), .length = ARGUMENT(3)},
	[CALL_splice] = {.source = POINTER(0, 1), .target = POINTER(2, 3), .length = ARGUMENT(4)},

	[CALL_open] = {.exit = exit_open},
	[CALL_openat] = {.exit = exit_openat},
	[CALL_openat2] = {.exit = exit_openat2},
	[CALL_creat] = {.exit = exit_creat},
	[CALL_close] = {.entry = entry_close},
	[CALL_close_range] = {.entry = entry_close_range},
	[CALL_dup] = {.exit = exit_dup},
	[CALL_dup2] = {.exit = exit_dup},
	[CALL_dup3] = {.exit = exit_dup3},
	[CALL_fcntl] = {.exit = exit_fcntl},
	[CALL_lseek] = {.exit = exit_lseek},

	[CALL_truncate] = {.entry = entry_truncate, .exit = exit_truncate},
	[CALL_ftruncate] = {.entry = entry_ftruncate, .exit = exit_ftruncate},
	[CALL_fallocate] = {.exit = exit_fallocate},
	[CALL_posix_fallocate] = {.exit = exit_posix_fallocate},
	[CALL_ioctl] = {.entry = entry_ioctl, .exit = exit_ioctl},
	[CALL_mmap] = {.exit = exit_mmap},
	[CALL_munmap] = {.exit = exit_munmap},
	[CALL_mremap] = {.exit = exit_mremap},

	[CALL_chdir] = {.exit = exit_chdir},
	[CALL_fchdir] = {.exit = exit_fchdir},

	[CALL_unlink] = {.exit = exit_unlink},
	[CALL_unlinkat] = {.exit = exit_unlink},
	[CALL_link] = {.exit = exit_link},
	[CALL_linkat] = {.exit = exit_link},
	[CALL_rename] = {.exit = exit_rename},
	[CALL_renameat] = {.exit = exit_rename},
	[CALL_renameat2] = {.exit = exit_renameat2},

	[CALL_io_submit] = {.entry = entry_submit, .exit = exit_submit},
	[CALL_io_getevents] = {.exit = exit_completions},
	[CALL_io_pgetevents] = {.exit = exit_completions},
	[CALL_io_destroy] = {.exit = exit_io_destroy},
	[CALL_io_uring_setup] = {.entry = entry_io_uring_setup, .exit = exit_io_uring_setup},
	[CALL_io_uring_enter] = {.entry = entry_submit, .exit = exit_io_uring_enter},
	[CALL_aio_read] = {.entry = entry_submit},
	[CALL_aio_readv] = {.entry = entry_submit},
	[CALL_aio_write] = {.entry = entry_submit},
	[CALL_aio_writev] = {.entry = entry_submit},
	[CALL_lio_listio] = {.entry = entry_submit},
	[CALL_aio_return] = {.exit = exit_aio_return},
	[CALL_aio_waitcomplete] = {.exit = exit_completions},
};

/* FreeBSD's sendfile() sends a file, its first argument, to a socket. */
static const struct call_rule freebsd_sendfile = {.source = OFFSET(0, 2), .length = ARGUMENT(3)};

static const struct call_rule *rule_of(const struct call_state *call)
{
	if (call->call == CALL_sendfile && call->abi == ABI_FREEBSD64)
		return &freebsd_sendfile;
	return &call_rules[call->call];
}

/* Insights that came before the entry are of its paths. */
static void take_names(struct pipeline *p, struct call_state *call)
{
	struct process *process = PROCESS_AT(p, call->process);

	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++)
			if (process->named[j] && !call->named[i] &&
			    call->path_hash[i] == process->named_hash[j])
				call->named[i] = file_hold(p, process->named[j]);
	process_forget_names(p, call->process);
}

void call_begin(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct call_rule *rule = rule_of(call);

	take_names(p, call);
	paths_noted(p, call, &event->entry);
	origin_set(p, call);
	if (rule->source.fd || rule->target.fd)
		begin_transfer(p, call, rule, event);
	else if (rule->entry)
		rule->entry(p, call, event);
}

void call_end(struct pipeline *p, struct call_state *call, const struct event *event)
{
	const struct call_rule *rule = rule_of(call);

	if (event->exit.way == EXIT_KILLED)
		return; /* how far it came nobody knows */
	origin_set(p, call);
	if (!succeeded(event)) {
		p->counters.failed_writes +=
			call->written_chunks > 0 && event->exit.way != EXIT_RESTART;
		take_back(p, call, 0);
		asynchronous_failed(p, call, event);
		return;
	}
	if (rule->source.fd || rule->target.fd)
		end_transfer(p, call, rule, event);
	else if (rule->exit)
		rule->exit(p, call, event);
}

static void learn(struct pipeline *p, uint32_t open_file, uint64_t device, uint64_t inode)
{
	struct open_file *o = OPEN_FILE_AT(p, open_file);

	open_file_identify(p, open_file, device, inode);
	FILE_AT(p, o->file)->names |= o->names;
	if (o->truncated)
		file_truncated(p, o->file, 0, true);
	o->truncated = false;
}

/* Is the descriptor known to be another file's? Then it came unseen: by a message, say. */
static bool is_replaced(struct pipeline *p, uint32_t open_file, const struct insight_event *insight)
{
	const struct file *f = open_file ? FILE_AT(p, OPEN_FILE_AT(p, open_file)->file) : NULL;

	return f && f->identified && (insight->device || insight->inode) &&
	       (f->device != insight->device || f->inode != insight->inode);
}

static void told_of_descriptor(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint32_t process = process_of(p, event), open_file;
	struct open_file *o;

	if (!process)
		return;
	if (is_replaced(p, descriptor_find(p, process, insight->fd), insight))
		descriptor_close(p, process, insight->fd);
	open_file = meet(p, process, insight->fd);
	if (!open_file)
		return;
	o = OPEN_FILE_AT(p, open_file);
	if (o->unopened && o->offset == OFFSET_UNKNOWN && insight->offset)
		o->offset = insight->offset;
	learn(p, open_file, insight->device, insight->inode);
	open_file_told(p, open_file, &insight->path);
	if (insight->flags & abi_flags[ABI_LINUX64].append)
		OPEN_FILE_AT(p, open_file)->append = true;
	file_learn(p, OPEN_FILE_AT(p, open_file)->file, insight->size, insight->links,
		   insight->mode);
	if (insight->links && !insight->size) {
		FILE_AT(p, OPEN_FILE_AT(p, open_file)->file)->empty_ns = p->now_ns;
		observe_gone(p, OPEN_FILE_AT(p, open_file)->file);
		observe_size(p, OPEN_FILE_AT(p, open_file)->file, 0);
	}
}

static void told_of_path(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint64_t hash = text_hash(&insight->path);
	uint32_t process = process_of(p, event), call = call_of(p, event), file;
	struct process *q;
	struct call_state *c;

	file = process ? file_of(p, insight->device, insight->inode) : 0;
	if (!file)
		return;
	file_learn(p, file, insight->size, insight->links, insight->mode);
	file_hold(p, file);
	c = call ? CALL_AT(p, call) : NULL;
	for (int i = 0; c && i < 2; i++) {
		if (c->path_hash[i] != hash || c->named[i])
			continue;
		c->named[i] = file_hold(p, file);
		FILE_AT(p, file)->names |= c->names[i];
	}
	q = PROCESS_AT(p, process);
	if (!c) {
		file_release(p, q->named[0]);
		q->named[0] = q->named[1];
		q->named_hash[0] = q->named_hash[1];
		q->named[1] = file_hold(p, file);
		q->named_hash[1] = hash;
	}
	file_release(p, file);
}

/* The file that an insight names by its identity or by a descriptor, held; 0: none. */
static uint32_t file_told_of(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint32_t process = process_of(p, event);

	if (!process)
		return 0;
	if (insight->device || insight->inode)
		return file_hold(p, file_of(p, insight->device, insight->inode));
	return file_hold(p, content_of(p, meet(p, process, insight->fd)));
}

/*
 * The recorder read what a misaligned request leaves of its chunks (paper, 3.4.4),
 * or what the file ends with, which the growth to come may write once more.
 */
static void told_of_content(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	uint32_t file = file_told_of(p, event);

	p->origin.process = process_of(p, event);
	read_taken(p, file, insight->file_offset, &insight->sums);
	p->origin.process = 0;
	if (file && insight->file_offset != OFFSET_UNKNOWN)
		written_may_return(p, file, insight->file_offset, &insight->sums);
	file_release(p, file);
}

/* Where it is, or what it executes. */
static void told_of_process(struct pipeline *p, const struct event *event, bool folder)
{
	uint32_t process = process_of(p, event);

	if (process && folder)
		folder_told(p, process, &event->insight.path);
	else if (process)
		program_named(p, process, &event->insight.path);
}

void insight_gained(struct pipeline *p, const struct event *event)
{
	const struct insight_event *insight = &event->insight;
	enum call asked = call_by_number(ABI_LINUX64, insight->number);

	if (asked == CALL_io_getevents || asked == CALL_io_uring_enter)
		completion_found(p, event);
	if (insight->result < 0)
		return;
	if (asked == CALL_getcwd || asked == CALL_readlink)
		told_of_process(p, event, asked == CALL_getcwd);
	else if (asked == CALL_fstat)
		told_of_descriptor(p, event);
	else if (asked == CALL_statx && insight->path.count)
		told_of_path(p, event);
	else if (asked == CALL_pread64)
		told_of_content(p, event);
	else if (asked == CALL_mmap)
		pages_mapped(p, event);
	else if (asked == CALL_msync)
		pages_dirty(p, event);
	else if (asked == CALL_getpid || asked == CALL_gettid)
		identity_told(p, event, asked);
}

void descriptor_snapshot(struct pipeline *p, const struct event *event)
{
	const struct descriptor_event *d = &event->descriptor;
	uint32_t process = process_of(p, event), open_file;
	struct open_file *o;

	if (!process || d->fd < 0)
		return;
	open_file = d->open_file ? open_file_by_id(p, d->open_file) : 0;
	if (!open_file) {
		open_file = open_file_new(p, file_unnamed(p));
		if (!open_file)
			return;
		o = OPEN_FILE_AT(p, open_file);
		o->offset = d->offset;
		o->append = d->flags & abi_flags[ABI_LINUX64].append;
		open_file_name(p, open_file, d->open_file);
	}
	descriptor_set(p, process, d->fd, open_file,
		       d->flags & abi_flags[ABI_LINUX64].close_on_exec);
	if (descriptor_find(p, process, d->fd) != open_file)
		return;
	learn(p, open_file, d->device, d->inode);
	open_file_told(p, open_file, &d->path);
	file_learn(p, OPEN_FILE_AT(p, open_file)->file, d->size, d->links, d->mode);
}
