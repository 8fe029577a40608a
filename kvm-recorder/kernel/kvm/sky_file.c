// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open files of monitored processes, as far as the place of the next byte needs
 * them: checksums are of chunks aligned in the file, so the kernel must know
 * where a buffer goes. Who a file is, and all that is told from it, is found out
 * offline. A descriptor that was not seen being opened has no known position.
 */
#include <linux/slab.h>
#include <linux/stat.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/fs.h>
#include <uapi/linux/prctl.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/seccomp.h>

#include "sky_kvm.h"

/* A descriptor in a register: only the low half counts. */
static int descriptor(u64 argument)
{
	return (int)(u32)argument;
}

struct sky_files *sky_files_new(struct sky_vm *vm)
{
	struct sky_files *files = kzalloc(sizeof(*files), GFP_KERNEL_ACCOUNT);

	if (!files)
		return NULL;
	files->vm = vm;
	files->references = 1;
	xa_init(&files->at);
	return files;
}

void sky_file_put(struct sky_file *file)
{
	if (file && !--file->references)
		kfree(file);
}

static void close_at(struct sky_files *files, unsigned long fd)
{
	struct sky_file *file = xa_erase(&files->at, fd);

	if (!file)
		return;
	files->count--;
	sky_entries_give(files->vm, 1);
	sky_file_put(file);
}

/* Takes over the caller's reference. What finds no room has no known position. */
static void put_at(struct sky_files *files, unsigned long fd, struct sky_file *file)
{
	close_at(files, fd);
	if (files->count >= SKY_FILES_MAX || !sky_entry_take(files->vm)) {
		sky_file_put(file);
		return;
	}
	if (xa_is_err(xa_store(&files->at, fd, file, GFP_KERNEL_ACCOUNT))) {
		sky_entries_give(files->vm, 1);
		sky_file_put(file);
		return;
	}
	files->count++;
}

void sky_files_put(struct sky_files *files)
{
	struct sky_file *file;
	unsigned long fd;

	if (!files || --files->references)
		return;
	xa_for_each(&files->at, fd, file)
		sky_file_put(file);
	xa_destroy(&files->at);
	sky_entries_give(files->vm, files->count);
	kfree(files);
}

struct sky_files *sky_files_copy(struct sky_files *from)
{
	struct sky_files *files = sky_files_new(from->vm);
	struct sky_file *file;
	unsigned long fd;

	if (!files)
		return NULL;
	xa_for_each(&from->at, fd, file) {
		file->references++;
		put_at(files, fd, file);
	}
	return files;
}

struct sky_file *sky_file_at(struct sky_process *process, int fd)
{
	return fd < 0 ? NULL : xa_load(&process->files->at, fd);
}

bool sky_file_room(const struct sky_process *process)
{
	return process->files->count < SKY_FILES_MAX && process->vm->entries < SKY_ENTRIES_MAX;
}

static void opened(struct sky_files *files, const struct sky_call *call, u64 flags, int fd)
{
	struct sky_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	close_at(files, fd);
	if (!file)
		return;
	file->references = 1;
	file->append = flags & O_APPEND;
	file->end = flags & O_TRUNC || (flags & O_CREAT && flags & O_EXCL) ? 0 : SKY_OFFSET_UNKNOWN;
	file->run_offset = SKY_OFFSET_UNKNOWN;
	file->asked = SKY_OFFSET_UNKNOWN;
	put_at(files, fd, file);
}

static void duplicated(struct sky_files *files, u64 from, int to)
{
	struct sky_file *file = xa_load(&files->at, descriptor(from));

	if (descriptor(from) == to)
		return;
	close_at(files, to);
	if (!file)
		return;
	file->references++;
	put_at(files, to, file);
}

static void close_range(struct sky_files *files, u64 first, u64 last)
{
	struct sky_file *file;
	unsigned long fd;

	xa_for_each_range(&files->at, fd, file, (u32)first, (u32)last)
		close_at(files, fd);
}

static void forget(struct sky_file *file)
{
	if (!file)
		return;
	file->position = SKY_OFFSET_UNKNOWN;
	file->end = SKY_OFFSET_UNKNOWN;
	file->run_offset = SKY_OFFSET_UNKNOWN;
}

bool sky_file_told(struct sky_process *process, int fd, const struct sky_insight_record *record,
		   bool seeks)
{
	struct sky_file *file = sky_file_at(process, fd);

	if (!file) {
		file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
		if (!file)
			return true;
		file->references = 1;
		file->asked = SKY_OFFSET_UNKNOWN;
		forget(file);
		put_at(process->files, fd, file);
		file = sky_file_at(process, fd);
	}
	if (!file)
		return true;
	if (file->told)
		return false;
	file->told = true;
	if (!record)
		return true;
	file->append = record->flags & O_APPEND;
	file->flags = record->flags;
	file->regular = seeks && S_ISREG(record->mode);
	file->read_only = (record->flags & O_ACCMODE) == O_RDONLY;
	file->mode = record->mode;
	file->device = record->device;
	file->inode = record->inode;
	file->position = seeks ? record->offset : SKY_OFFSET_UNKNOWN;
	file->end = file->regular ? record->size : SKY_OFFSET_UNKNOWN;
	return true;
}

void sky_file_named(struct sky_vm *vm, struct sky_process *process, int fd, const char *path,
		    u32 bytes)
{
	struct sky_file *file = sky_file_at(process, fd);

	if (file)
		file->outside = sky_outside(vm, path, bytes);
}

void sky_files_doubt(struct sky_files *files)
{
	struct sky_file *file;
	unsigned long fd;

	xa_for_each(&files->at, fd, file)
		file->told = false;
}

static bool has_thread(struct sky_process *process, u32 tid)
{
	unsigned long at;
	void *entry;

	if (process->pid == tid)
		return true;
	xa_for_each(&process->thread_ids, at, entry)
		if (xa_to_value(entry) == tid)
			return true;
	return false;
}

/* The process that another one is about to trace, or a thread of it. */
static void traced(struct sky_vm *vm, struct sky_process *tracer, const u64 *argument)
{
	struct sky_process *process;
	int bucket;

	if (argument[0] == PTRACE_TRACEME)
		tracer->strict = true;
	if (argument[0] != PTRACE_ATTACH && argument[0] != PTRACE_SEIZE)
		return;
	hash_for_each(vm->processes, bucket, process, by_space)
		process->strict |= has_thread(process, argument[1]);
}

static u64 open_flags(const struct sky_call *call)
{
	if (call->number == 85) /* creat */
		return O_CREAT | O_WRONLY | O_TRUNC;
	return call->argument[call->number == 2 ? 1 : 2];
}

bool sky_by_position(const struct sky_rule *rule, const u64 *argument)
{
	return !rule->offset || argument[rule->offset - 1] == ~0ull;
}

u64 sky_file_offset(const struct sky_file *file, const struct sky_rule *rule, const u64 *argument)
{
	u64 offset;

	if (!sky_by_position(rule, argument)) {
		offset = argument[rule->offset - 1];
		return (s64)offset < 0 ? SKY_OFFSET_UNKNOWN : offset;
	}
	if (!file)
		return SKY_OFFSET_UNKNOWN;
	return rule->writes && file->append ? file->end : file->position;
}

void sky_file_claim(struct sky_call *call, u64 bytes)
{
	struct sky_file *file = call->file;

	if (!file || !call->rule->writes || !sky_by_position(call->rule, call->argument) ||
	    call->offset > S64_MAX - bytes || !bytes)
		return;
	call->claimed = bytes;
	call->beside = file->claims++;
	call->claim = ++file->claims_ever;
	file->position = call->offset + bytes;
	if (file->end != SKY_OFFSET_UNKNOWN)
		file->end = max(file->end, file->position);
}

static void claim_ends(struct sky_call *call)
{
	struct sky_file *file = call->file;

	call->claimed = 0;
	call->beside |= file->claims_ever != call->claim;
	file->claims--;
	if (call->beside)
		file->run_offset = SKY_OFFSET_UNKNOWN;
}

/* What it didn't write of its claim moves those behind it forward. */
static void claim_moved(struct sky_call *call, u64 bytes)
{
	struct sky_file *file = call->file;
	u64 missing = call->claimed - min(call->claimed, bytes);
	bool last = file->end == file->position;

	claim_ends(call);
	if (!missing || file->position == SKY_OFFSET_UNKNOWN || file->position < missing)
		return;
	file->position -= missing;
	if (last)
		file->end = file->position;
}

void sky_file_unclaim(struct sky_call *call)
{
	struct sky_file *file = call->file;

	if (!call->claimed)
		return;
	claim_ends(call);
	forget(file);
	file->told = false;
}

void sky_file_moved(struct sky_call *call, s64 result)
{
	u64 offset = call->offset, next = offset == SKY_OFFSET_UNKNOWN ? offset : offset + result;
	struct sky_file *file = call->file;

	if (call->claimed) {
		claim_moved(call, max_t(s64, result, 0));
		return;
	}
	if (result <= 0)
		return;
	if (sky_by_position(call->rule, call->argument))
		file->position = next;
	/* Who reads beyond it sees that somebody else has written. */
	if (file->end != SKY_OFFSET_UNKNOWN && next > file->end &&
	    (call->rule->writes || next != SKY_OFFSET_UNKNOWN))
		file->end = next;
}

/* Bytes were copied within the guest's kernel, from where a pointer says or the position. */
static void copied(struct sky_file *file, bool by_pointer, bool target, u64 bytes)
{
	if (!file)
		return;
	if (!by_pointer && file->position != SKY_OFFSET_UNKNOWN)
		file->position += bytes;
	if (!target)
		return;
	file->run_offset = SKY_OFFSET_UNKNOWN;
	if (by_pointer || file->position == SKY_OFFSET_UNKNOWN)
		file->end = SKY_OFFSET_UNKNOWN;
	else if (file->end != SKY_OFFSET_UNKNOWN)
		file->end = max(file->end, file->position);
}

static void set_flags(struct sky_file *file, u64 flags)
{
	file->append = flags & O_APPEND;
	file->flags = (file->flags & O_ACCMODE) | (flags & ~(u64)O_ACCMODE);
}

/* Those that the process loses when it closes any descriptor of the file, or is told of. */
static bool is_lock(u32 command)
{
	return command == F_SETLK || command == F_SETLKW || command == F_SETLEASE;
}

void sky_file_returned(struct sky_vm *vm, struct sky_process *process, const struct sky_call *call,
		       s64 result)
{
	const struct sky_rule *rule = call->rule;
	struct sky_files *files = process->files;
	const u64 *argument = call->argument;
	struct sky_file *file;
	int fd = descriptor(argument[0]);

	if (rule->kind == SKY_RULE_CLOSE) {
		close_at(files, fd); /* whatever the result */
		sky_ring_closed(process, fd);
	}
	if (result < 0)
		return;
	file = sky_file_at(process, fd);
	switch (rule->kind) {
	case SKY_RULE_OPEN:
		opened(files, call, open_flags(call), result);
		break;
	case SKY_RULE_CLOSE_RANGE:
		if (!(argument[2] & 4)) /* CLOSE_RANGE_CLOEXEC */
			close_range(files, argument[0], argument[1]);
		break;
	case SKY_RULE_DUP:
	case SKY_RULE_DUP2:
		duplicated(files, argument[0], result);
		break;
	case SKY_RULE_FCNTL:
		if ((u32)argument[1] == F_DUPFD || (u32)argument[1] == F_DUPFD_CLOEXEC)
			duplicated(files, argument[0], result);
		else if ((u32)argument[1] == F_SETFL && file)
			set_flags(file, argument[2]);
		process->locks |= is_lock(argument[1]);
		break;
	case SKY_RULE_SEEK:
		if (file)
			file->position = result;
		break;
	case SKY_RULE_TRUNCATE:
		if (file) {
			file->end = argument[1];
			file->run_offset = SKY_OFFSET_UNKNOWN;
		}
		break;
	case SKY_RULE_COPY:
		copied(sky_file_at(process, descriptor(argument[rule->fd - 1])),
		       rule->offset && argument[rule->offset - 1], false, result);
		copied(sky_file_at(process, descriptor(argument[rule->fd2 - 1])),
		       rule->offset2 && argument[rule->offset2 - 1], true, result);
		break;
	case SKY_RULE_CLONE:
	case SKY_RULE_FORGET:
		forget(file);
		break;
	case SKY_RULE_PRCTL:
		process->strict |= (u32)argument[0] == PR_SET_SECCOMP ||
				   (u32)argument[0] == PR_SET_SYSCALL_USER_DISPATCH;
		break;
	case SKY_RULE_SECCOMP:
		process->strict |= (u32)argument[0] <= SECCOMP_SET_MODE_FILTER;
		break;
	case SKY_RULE_PTRACE:
		traced(vm, process, argument);
		break;
	default:
		break;
	}
}
