// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls of monitored processes: what is told at their entry and exit.
 *
 * A call that is under way is kept until it returns, found by its process, stack
 * and thread pointer wherever that happens (paper, section 4.2); a return to user
 * mode elsewhere is a signal handler's beginning, and the call goes on waiting.
 * The order is always: the tables under the lock, the guest's memory without it,
 * the tables again. In between the process may have ended: then there is nothing
 * to tell.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <uapi/asm/prctl.h>
#include <uapi/linux/fs.h>
#include <uapi/linux/mman.h>

#include "kvm_cache_regs.h"
#include "x86.h"
#include "sky_hash.h"
#include "sky_kvm.h"

/* include/uapi/linux/sched.h: struct clone_args */
struct clone3 {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

#define NUMBER_32 BIT(31) /* among the numbers of 64-bit calls */

/* arch/x86/entry/syscalls/syscall_64.tbl; arguments from 1 */
static const struct sky_rule rules[] = {
	[0] = {.fd = 1, .buffer = 2, .bytes = 3, .reads = true}, /* read */
	[1] = {.fd = 1, .buffer = 2, .bytes = 3, .writes = true}, /* write */
	[2] = {.path = 1, .kind = SKY_RULE_OPEN}, /* open */
	[3] = {.fd = 1, .kind = SKY_RULE_CLOSE}, /* close */
	[4] = {.path = 1}, /* stat */
	[6] = {.path = 1}, /* lstat */
	[8] = {.fd = 1, .kind = SKY_RULE_SEEK}, /* lseek */
	[9] = {.fd = 5, .kind = SKY_RULE_MAP}, /* mmap */
	[11] = {.kind = SKY_RULE_UNMAP}, /* munmap */
	[15] = {.kind = SKY_RULE_SIGRETURN}, /* rt_sigreturn */
	[16] = {.fd = 1, .kind = SKY_RULE_CLONE}, /* ioctl */
	[17] = {.fd = 1, .buffer = 2, .bytes = 3, .offset = 4, .reads = true}, /* pread64 */
	[18] = {.fd = 1, .buffer = 2, .bytes = 3, .offset = 4, .writes = true}, /* pwrite64 */
	[19] = {.fd = 1, .vector = 2, .vectors = 3, .reads = true}, /* readv */
	[20] = {.fd = 1, .vector = 2, .vectors = 3, .writes = true}, /* writev */
	[21] = {.path = 1}, /* access */
	[25] = {.kind = SKY_RULE_REMAP}, /* mremap */
	[28] = {.kind = SKY_RULE_ADVISE}, /* madvise */
	[32] = {.fd = 1, .kind = SKY_RULE_DUP}, /* dup */
	[33] = {.fd = 1, .kind = SKY_RULE_DUP2}, /* dup2 */
	[40] = {.fd = 2, .fd2 = 1, .offset = 3, .bytes = 4, .kind = SKY_RULE_COPY}, /* sendfile */
	[56] = {.kind = SKY_RULE_FORK}, /* clone */
	[57] = {.kind = SKY_RULE_FORK}, /* fork */
	[58] = {.kind = SKY_RULE_FORK}, /* vfork */
	[59] = {.path = 1, .kind = SKY_RULE_EXEC}, /* execve */
	[60] = {.kind = SKY_RULE_EXIT}, /* exit */
	[72] = {.fd = 1, .kind = SKY_RULE_FCNTL}, /* fcntl */
	[76] = {.path = 1}, /* truncate */
	[77] = {.fd = 1, .kind = SKY_RULE_TRUNCATE}, /* ftruncate */
	[80] = {.path = 1}, /* chdir */
	[82] = {.path = 1, .path2 = 2}, /* rename */
	[83] = {.path = 1}, /* mkdir */
	[84] = {.path = 1}, /* rmdir */
	[85] = {.path = 1, .kind = SKY_RULE_OPEN}, /* creat */
	[86] = {.path = 1, .path2 = 2}, /* link */
	[87] = {.path = 1}, /* unlink */
	[88] = {.path = 1, .path2 = 2}, /* symlink */
	[89] = {.path = 1}, /* readlink */
	[101] = {.kind = SKY_RULE_PTRACE}, /* ptrace */
	[157] = {.kind = SKY_RULE_PRCTL}, /* prctl */
	[158] = {.kind = SKY_RULE_ARCH_PRCTL}, /* arch_prctl */
	[206] = {.kind = SKY_RULE_AIO_SETUP}, /* io_setup */
	[207] = {.kind = SKY_RULE_AIO_DESTROY}, /* io_destroy */
	[208] = {.kind = SKY_RULE_EVENTS}, /* io_getevents */
	[209] = {.kind = SKY_RULE_SUBMIT}, /* io_submit */
	[217] = {.fd = 1, .kind = SKY_RULE_FORGET}, /* getdents64 */
	[231] = {.kind = SKY_RULE_EXIT_GROUP}, /* exit_group */
	[257] = {.path = 2, .kind = SKY_RULE_OPEN}, /* openat */
	[258] = {.path = 2}, /* mkdirat */
	[262] = {.path = 2}, /* newfstatat */
	[263] = {.path = 2}, /* unlinkat */
	[264] = {.path = 2, .path2 = 4}, /* renameat */
	[265] = {.path = 2, .path2 = 4}, /* linkat */
	[266] = {.path = 1, .path2 = 3}, /* symlinkat */
	[267] = {.path = 2}, /* readlinkat */
	[275] = {.fd = 1, .offset = 2, .fd2 = 3, .offset2 = 4, .bytes = 5,
		 .kind = SKY_RULE_COPY}, /* splice */
	[292] = {.fd = 1, .kind = SKY_RULE_DUP2}, /* dup3 */
	[295] = {.fd = 1, .vector = 2, .vectors = 3, .offset = 4, .reads = true}, /* preadv */
	[296] = {.fd = 1, .vector = 2, .vectors = 3, .offset = 4, .writes = true}, /* pwritev */
	[316] = {.path = 2, .path2 = 4}, /* renameat2 */
	[317] = {.kind = SKY_RULE_SECCOMP}, /* seccomp */
	[322] = {.path = 2, .kind = SKY_RULE_EXEC}, /* execveat */
	[326] = {.fd = 1, .offset = 2, .fd2 = 3, .offset2 = 4, .bytes = 5,
		 .kind = SKY_RULE_COPY}, /* copy_file_range */
	[327] = {.fd = 1, .vector = 2, .vectors = 3, .offset = 4, .reads = true}, /* preadv2 */
	[328] = {.fd = 1, .vector = 2, .vectors = 3, .offset = 4, .writes = true}, /* pwritev2 */
	[332] = {.path = 2}, /* statx */
	[333] = {.kind = SKY_RULE_EVENTS}, /* io_pgetevents */
	[425] = {.kind = SKY_RULE_URING_SETUP}, /* io_uring_setup */
	[426] = {.kind = SKY_RULE_URING_ENTER}, /* io_uring_enter */
	[435] = {.kind = SKY_RULE_FORK}, /* clone3 */
	[436] = {.kind = SKY_RULE_CLOSE_RANGE}, /* close_range */
	[437] = {.path = 2, .kind = SKY_RULE_OPEN}, /* openat2 */
};

/*
 * arch/x86/entry/syscalls/syscall_32.tbl: what processes come and go by. Such calls'
 * data is not looked at.
 */
static const struct sky_rule rules_32[] = {
	[1] = {.kind = SKY_RULE_EXIT}, /* exit */
	[2] = {.kind = SKY_RULE_FORK}, /* fork */
	[11] = {.path = 1, .kind = SKY_RULE_EXEC}, /* execve */
	[119] = {.kind = SKY_RULE_SIGRETURN}, /* sigreturn */
	[120] = {.kind = SKY_RULE_FORK}, /* clone */
	[172] = {.kind = SKY_RULE_PRCTL}, /* prctl */
	[173] = {.kind = SKY_RULE_SIGRETURN}, /* rt_sigreturn */
	[190] = {.kind = SKY_RULE_FORK}, /* vfork */
	[252] = {.kind = SKY_RULE_EXIT_GROUP}, /* exit_group */
	[354] = {.kind = SKY_RULE_SECCOMP}, /* seccomp */
	[358] = {.path = 2, .kind = SKY_RULE_EXEC}, /* execveat */
	[435] = {.kind = SKY_RULE_FORK}, /* clone3 */
};

static const struct sky_rule no_rule;

static bool is_32(const struct sky_call *call)
{
	return call->flags & (SKY_CALL_INT80 | SKY_CALL_COMPAT);
}

const struct sky_rule *sky_rule_of(const struct sky_call *call)
{
	if (is_32(call) && call->abi != SKY_ABI_LINUX64)
		return &no_rule;
	if (is_32(call))
		return call->number < ARRAY_SIZE(rules_32) ? rules_32 + call->number : &no_rule;
	if (call->number >= ARRAY_SIZE(rules))
		return &no_rule;
	/* Other requests of ioctl() have nothing to do with files' content. */
	if (rules[call->number].kind == SKY_RULE_CLONE && (u32)call->argument[1] != FICLONE &&
	    (u32)call->argument[1] != FICLONERANGE)
		return &no_rule;
	return rules + call->number;
}

static u64 key_of(u64 space, u64 stack, u64 fs_base)
{
	return space ^ stack ^ (fs_base << 1);
}

/* A child of vfork() has its parent's space, stack and thread pointer: the process differs. */
static struct sky_call *call_find(struct sky_vcpu *sky, const struct sky_process *process,
				  const struct sky_cpu *cpu)
{
	u64 key = key_of(cpu->space, cpu->stack, cpu->fs_base);
	struct sky_call *call;

	hash_for_each_possible(sky->vm->calls, call, by_thread, key) {
		if (call->space != cpu->space || call->stack != cpu->stack ||
		    call->fs_base != cpu->fs_base || call->process != process)
			continue;
#ifdef SKY_WITHOUT_SPLITS
		if (call->vcpu != sky->vcpu->vcpu_id)
			continue;
#endif
		return call;
	}
	return NULL;
}

static void call_remove(struct sky_vm *vm, struct sky_call *call)
{
	hash_del(&call->by_thread);
	list_del(&call->age);
	vm->call_count--;
	call->owner->calls--;
}

/* What it holds. */
static void call_release(struct sky_call *call)
{
	sky_content_free(&call->content);
	sky_file_unclaim(call);
	sky_file_put(call->file);
}

void sky_call_free(struct sky_call *call)
{
	call_release(call);
	kfree(call);
}

/* Its memory is the next call's: a virtual CPU's thread takes and leaves it at each call. */
static void call_spare(struct sky_vcpu *sky, struct sky_call *call)
{
	if (sky->spare)
		kfree(call);
	else
		sky->spare = call;
}

/* It will never return, or nobody will know when. */
static void call_abandon(struct sky_vcpu *sky, struct sky_call *call)
{
	call_remove(sky->vm, call);
	sky_fork_orphan(sky, call);
	sky_call_free(call);
}

static void call_add(struct sky_vcpu *sky, struct sky_call *call, const struct sky_cpu *cpu)
{
	struct sky_vm *vm = sky->vm;
	struct sky_call *old = call_find(sky, call->process, cpu);

	if (!old && vm->call_count >= SKY_CALLS_MAX)
		old = list_first_entry(&vm->calls_by_age, struct sky_call, age);
	if (old) {
		sky_count(vm, SKY_COUNT_abandoned);
		call_abandon(sky, old);
	}
	hash_add(vm->calls, &call->by_thread, key_of(cpu->space, cpu->stack, cpu->fs_base));
	list_add_tail(&call->age, &vm->calls_by_age);
	vm->call_count++;
	call->owner->calls++;
}

void sky_call_cpu(const struct sky_call *call, struct sky_cpu *cpu)
{
	*cpu = (struct sky_cpu){
		.space = call->space,
		.stack = call->stack,
		.fs_base = call->fs_base,
		.pid = call->pid,
		.tid = call->tid,
	};
}

static void exit_without_data(struct sky_vcpu *sky, const struct sky_call *call,
			      const struct sky_cpu *cpu, u16 way)
{
	struct sky_exit_record record = {
		.cpu = *cpu,
		.file_offset = SKY_OFFSET_UNKNOWN,
		.written_offset = SKY_OFFSET_UNKNOWN,
		.number = call->raw_number,
		.abi = call->abi,
		.flags = call->flags,
		.way = way,
	};

	sky_record_put(sky, SKY_RECORD_EXIT, &record, sizeof(record), NULL, 0);
}

void sky_calls_end(struct sky_vcpu *sky, struct sky_process *process, const struct sky_fork *but)
{
	struct sky_call *call, *next;
	struct sky_cpu cpu;

	list_for_each_entry_safe(call, next, &sky->vm->calls_by_age, age) {
		if (call->process != process && call->owner != process)
			continue;
		if (but && call->fork == but)
			continue;
		sky_call_cpu(call, &cpu);
		if (!call->outside)
			exit_without_data(sky, call, &cpu, SKY_WAY_KILLED);
		call_abandon(sky, call);
	}
}

void sky_call_executed(struct sky_vcpu *sky, const struct sky_fork *exec,
		       const struct sky_cpu *cpu)
{
	u16 way = sky->vm->by_breakpoint ? SKY_WAY_BREAKPOINT : SKY_WAY_IRET;
	struct sky_call *call;

	list_for_each_entry(call, &sky->vm->calls_by_age, age) {
		if (call->fork == exec) {
			exit_without_data(sky, call, cpu, way);
			call_abandon(sky, call);
			return;
		}
	}
}

void sky_calls_free(struct sky_vm *vm)
{
	struct sky_call *call, *next;

	list_for_each_entry_safe(call, next, &vm->calls_by_age, age) {
		call_remove(vm, call);
		sky_call_free(call);
	}
}

void sky_calls_rename(struct sky_vm *vm)
{
	struct sky_call *call;

	list_for_each_entry(call, &vm->calls_by_age, age) {
		hash_del(&call->by_thread);
		call->space = sky_space(vm, call->space);
		hash_add(vm->calls, &call->by_thread,
			 key_of(call->space, call->stack, call->fs_base));
	}
}

/* What clone3's structure, clone's arguments or the call's name say of the child. */
static void describe_child(struct sky_vcpu *sky, struct sky_call *call)
{
	const u64 *argument = call->argument;
	struct clone3 clone3 = {};

	call->child_stack = call->stack;
	call->child_fs_base = call->fs_base;
	switch (is_32(call) ? call->number | NUMBER_32 : call->number) {
	case 56:
		clone3 = (struct clone3){
			.flags = argument[0], .stack = argument[1],
			.child_tid = argument[3], .tls = argument[4]};
		break;
	case NUMBER_32 | 120:
		/* A segment, which isn't told here, is what its threads are known by. */
		clone3 = (struct clone3){.flags = argument[0] & ~CLONE_SETTLS,
					 .stack = argument[1]};
		break;
	case 58:
	case NUMBER_32 | 190:
		clone3.flags = CLONE_VFORK | CLONE_VM;
		break;
	case 435:
	case NUMBER_32 | 435:
		sky_read_user(sky, argument[0], &clone3, min_t(u64, argument[1], sizeof(clone3)));
		if (clone3.stack)
			clone3.stack += clone3.stack_size;
		break;
	}
	call->clone_flags = clone3.flags;
	if (clone3.stack)
		call->child_stack = clone3.stack;
	if (clone3.flags & CLONE_SETTLS)
		call->child_fs_base = clone3.tls;
	if (clone3.flags & CLONE_CHILD_SETTID)
		call->child_tid_at = clone3.child_tid;
}

/*
 * In the order of arguments. A 32-bit SYSCALL has the second one in EBP, for it needs
 * ECX itself, and the sixth one on the stack.
 */
static const u8 registers_64[] = {VCPU_REGS_RDI, VCPU_REGS_RSI, VCPU_REGS_RDX,
				  VCPU_REGS_R10, VCPU_REGS_R8, VCPU_REGS_R9};
static const u8 registers_int80[] = {VCPU_REGS_RBX, VCPU_REGS_RCX, VCPU_REGS_RDX,
				     VCPU_REGS_RSI, VCPU_REGS_RDI, VCPU_REGS_RBP};
static const u8 registers_32[] = {VCPU_REGS_RBX, VCPU_REGS_RBP, VCPU_REGS_RDX,
				  VCPU_REGS_RSI, VCPU_REGS_RDI};

static void take_arguments(struct sky_vcpu *sky, struct sky_call *call)
{
	const u8 *from = call->flags & SKY_CALL_INT80	? registers_int80 :
			 call->flags & SKY_CALL_COMPAT ? registers_32 :
							  registers_64;
	bool fast = from == registers_32, stacked = fast || !call->next_rip; /* SYSENTER */
	unsigned int i, count = fast ? ARRAY_SIZE(registers_32) : ARRAY_SIZE(call->raw_argument);
	u32 last = 0;

	for (i = 0; i < count; i++) {
		call->raw_argument[i] = kvm_register_read_raw(sky->vcpu, from[i]);
		if (is_32(call))
			call->raw_argument[i] = (u32)call->raw_argument[i];
	}
	if (stacked && sky_read_user(sky, call->stack, &last, sizeof(last)) == sizeof(last))
		call->raw_argument[5] = last;
}

void sky_call_read(struct sky_vcpu *sky, struct sky_call *call)
{
	call->number = call->raw_number;
	memcpy(call->argument, call->raw_argument, sizeof(call->argument));
	if (call->abi == SKY_ABI_FREEBSD64 && !is_32(call))
		sky_freebsd_call(sky, call);
	call->rule = sky_rule_of(call);
}

s64 sky_result(struct sky_vcpu *sky, u64 flags)
{
	s64 result = kvm_rax_read(sky->vcpu);

	return sky_is_freebsd(sky->vm) && flags & X86_EFLAGS_CF ? -result : result;
}

static u64 argument_of(const struct sky_call *call, u8 number)
{
	return number ? call->argument[number - 1] : 0;
}

void sky_gathered_add(struct sky_vcpu *sky, struct sky_gathered *got,
		      const struct sky_hasher *hasher)
{
	got->sums += hasher->sums;
	got->unread += hasher->unread;
	got->cut |= hasher->cut;
	sky_count_more(sky->vm, SKY_COUNT_chunks, hasher->sums);
	sky_count_more(sky->vm, SKY_COUNT_chunks_unread, hasher->unread);
}

/* Lengths go to sky->words; hashes what lies in the first `limit` bytes of the buffers. */
static void hash_vector(struct sky_vcpu *sky, const struct sky_call *call, u64 limit, bool hashes,
			struct sky_hasher *hasher, struct sky_gathered *got)
{
	u64 address = argument_of(call, call->rule->vector);
	u64 count = argument_of(call, call->rule->vectors), i, part;
	struct iovec vector;

	got->cut |= count > SKY_LENGTHS_MAX;
	for (i = 0; i < min_t(u64, count, SKY_LENGTHS_MAX); i++) {
		if (sky_read_user(sky, address + i * sizeof(vector), &vector, sizeof(vector)) !=
		    sizeof(vector)) {
			got->unread++;
			return;
		}
		sky->words[got->lengths++] = vector.iov_len;
		part = min_t(u64, vector.iov_len, limit);
		limit -= part;
		if (hashes)
			sky_hash(hasher, (u64)vector.iov_base, part);
	}
}

/* How much there is of the chunk that the data ends in: zeros follow if the file ends there. */
static s32 tail_bytes(const struct sky_call *call, const struct sky_file *file, u64 until)
{
	if (call->content.tail_bytes >= 0)
		return call->content.tail_bytes;
	return file && call->offset != SKY_OFFSET_UNKNOWN && until < file->end ? -1 : 0;
}

/* The data of the call, `limit` bytes of it; file may be NULL. */
static void gather_data(struct sky_vcpu *sky, const struct sky_call *call,
			const struct sky_file *file, u64 limit, bool hashes,
			struct sky_hasher *hasher, struct sky_gathered *got)
{
	const struct sky_rule *rule = call->rule;

	sky_hash_begin(hasher, sky, call->offset, file, sky->sums, SKY_SUMS_MAX);
	sky_hash_head(hasher, &call->content);
	if (rule->vector)
		hash_vector(sky, call, limit, hashes, hasher, got);
	else if (rule->buffer && hashes)
		sky_hash(hasher, argument_of(call, rule->buffer),
			 min(argument_of(call, rule->bytes), limit));
	sky_hash_end(hasher, call->content.tail_address,
		     tail_bytes(call, file, hasher->offset));
	sky_gathered_add(sky, got, hasher);
}

static u32 gather_path(struct sky_vcpu *sky, const struct sky_call *call, u8 number, char *to,
		       struct sky_gathered *got)
{
	u64 address = argument_of(call, number);
	int bytes;

	if (!address)
		return 0;
	bytes = sky_read_text(sky, address, to, SKY_PATH_BYTES);
	if (bytes >= 0)
		return bytes;
	got->unread++;
	sky_count(sky->vm, SKY_COUNT_texts_unread);
	return 0;
}

/* Is its offset where it writes to? */
static bool tells_target(const struct sky_call *call, const struct sky_gathered *got)
{
	return call->rule->writes || call->content.copy ||
	       (call->rule->kind == SKY_RULE_CLONE && got->requests);
}

static void entry_record(struct sky_vcpu *sky, const struct sky_call *call,
			 const struct sky_gathered *got)
{
	struct sky_entry_record record = {
		.file_offset = tells_target(call, got) ? call->offset : SKY_OFFSET_UNKNOWN,
		.number = call->raw_number,
		.abi = call->abi,
		.flags = call->flags | (got->cut ? SKY_CALL_CUT : 0),
		.path = got->path,
		.path2 = got->path2,
		.lengths = got->lengths,
		.requests = got->requests,
		.sums = got->sums,
		.unread = got->unread,
	};
	const struct sky_part parts[] = {
		{sky->words, (got->lengths + got->requests * SKY_REQUEST_WORDS) * sizeof(u64)},
		{sky->sums, got->sums * sizeof(u64)},
		{sky->path, got->path},
		{sky->path2, got->path2},
	};

	sky_call_cpu(call, &record.cpu);
	memcpy(record.argument, call->raw_argument, sizeof(record.argument));
	sky_record_put(sky, SKY_RECORD_ENTRY, &record, sizeof(record), parts, ARRAY_SIZE(parts));
}

static void gone_record(struct sky_vcpu *sky, const struct sky_call *call, bool last)
{
	struct sky_gone_record record = {
		.status = (call->argument[0] & 0xff) << 8, /* WEXITSTATUS */
		.last_thread = last,
	};

	sky_call_cpu(call, &record.cpu);
	sky_record_put(sky, SKY_RECORD_GONE, &record, sizeof(record), NULL, 0);
}

/* exit ends a thread; the space is monitored as long as one of its processes lives. */
static void process_exits(struct sky_vcpu *sky, struct sky_process *process,
			  const struct sky_call *call)
{
	bool last = call->rule->kind == SKY_RULE_EXIT_GROUP ||
		    (!process->threads && !process->older);

	gone_record(sky, call, last);
	if (!last) {
		process->threads -= !!process->threads;
		sky_thread_gone(process, call->fs_base);
		sky_insight_thread_gone(process, call->fs_base);
	} else if (!--process->users) {
		sky_process_end(sky, process, SKY_WHY_ENDED);
	}
}

/* Where a buffer ended: what comes next may go on from there. */
static void run_store(struct sky_file *file, const struct sky_hasher *hasher, u64 offset)
{
	bool known = offset != SKY_OFFSET_UNKNOWN && hasher->whole && !hasher->cut;

	file->run_offset = known ? hasher->offset : SKY_OFFSET_UNKNOWN;
	file->run_state = hasher->state;
}

/*
 * With the lock: the process that makes the call, or NULL where it is not (or no
 * longer) monitored.
 */
static struct sky_process *caller(struct sky_vcpu *sky, struct sky_call *call)
{
	call->owner = sky_process_in(sky->vm, call->space);
	call->process = sky_process_of(sky->vm, call->space, call->fs_base);
	return call->process;
}

static struct sky_call *call_now(struct sky_vcpu *sky, u16 flags, u64 rip, u64 next_rip, u64 stack)
{
	struct kvm_vcpu *vcpu = sky->vcpu;
	struct sky_call *call = sky->spare;

	sky->spare = NULL;
	if (!call)
		call = kmalloc(sizeof(*call), GFP_KERNEL_ACCOUNT);
	if (!call)
		return NULL;
	*call = (struct sky_call){
		.space = sky_space_now(sky),
		.stack = stack,
		.fs_base = sky_fs_base(vcpu),
		.rip = rip,
		.next_rip = next_rip,
		.raw_number = kvm_rax_read(vcpu),
		.abi = sky->vm->abi,
		.flags = flags,
		.vcpu = vcpu->vcpu_id,
		.content = {.own_fd = -1, .head_bytes = -1, .tail_bytes = -1},
	};
	if (flags & SKY_CALL_COMPAT)
		sky_count(sky->vm, SKY_COUNT_compat);
	take_arguments(sky, call);
	sky_call_read(sky, call);
	return call;
}

/* Shared blocks: a record tells the source and the range. */
static void clone_range(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got)
{
	struct file_clone_range range;
	u64 *words;

	if ((u32)call->argument[1] != FICLONERANGE)
		return;
	if (sky_read_user(sky, call->argument[2], &range, sizeof(range)) != sizeof(range)) {
		got->unread++;
		return;
	}
	words = sky_request_next(sky, got);
	memset(words, 0, SKY_REQUEST_WORDS * sizeof(*words));
	words[SKY_REQUEST_FD] = range.src_fd;
	words[SKY_REQUEST_BYTES] = range.src_length;
	words[SKY_REQUEST_OFFSET] = range.src_offset;
	call->offset = range.dest_offset;
}

/* What else concerns a file, who has it open and as what, is told of all files. */
static bool is_about_data(const struct sky_rule *rule)
{
	return rule->reads || rule->writes || rule->kind == SKY_RULE_SEEK ||
	       rule->kind == SKY_RULE_TRUNCATE;
}

/*
 * Others may have written since its neighbours were read, or be about to: then only the
 * chunks are known that it covers.
 */
static void place_found(struct sky_vcpu *sky, struct sky_call *call)
{
	struct sky_content *content = &call->content;

	if (content->planned && content->offset != call->offset) {
		content->head_bytes = -1;
		content->tail_bytes = -1;
	}
	sky_file_claim(call, sky_call_bytes(sky, call));
	if (call->beside)
		sky_count(sky->vm, SKY_COUNT_writes_beside);
}

/* The tables before the guest's memory is read: whose call it is, and where its data goes. */
static enum sky_entry call_look_up(struct sky_vcpu *sky, struct sky_call *call,
				   struct sky_file *file)
{
	struct sky_process *process;
	enum sky_entry entry = SKY_ENTRY_IDLE;

	mutex_lock(&sky->vm->lock);
	process = caller(sky, call);
	entry = sky_debtor_calls(sky, call); /* of when it was monitored before */
	if (entry != SKY_ENTRY_BEGINS) {
		sky_sync(sky);
	} else if (process) {
		if (sky_insight(sky, process, call)) {
			entry = SKY_ENTRY_INSIGHT;
			sky_sync(sky);
		}
	} else {
		entry = sky_stranger_calls(sky, call);
		sky_sync(sky);
	}
	if (entry == SKY_ENTRY_BEGINS) {
		if (call->content.copy && !call->content.copy->moved)
			sky_content_free(&call->content); /* nothing was asked */
		call->has_rings = process->ring_count;
		call->pid = process->pid;
		call->tid = sky_thread_id(process, call->fs_base);
		if (call->rule->fd)
			call->file = sky_file_at(process, argument_of(call, call->rule->fd));
		call->offset = sky_file_offset(call->file, call->rule, call->argument);
	}
	if (call->file) {
		call->file->references++;
		*file = *call->file;
		call->outside = file->outside && is_about_data(call->rule);
		if (call->rule->writes)
			place_found(sky, call);
	}
	mutex_unlock(&sky->vm->lock);
	return entry;
}

/* ... and after that: the call is under way. False: it isn't remembered. */
static bool call_begins(struct sky_vcpu *sky, struct sky_call *call,
			const struct sky_hasher *hasher, const struct sky_gathered *got)
{
	struct sky_process *process = caller(sky, call);
	struct sky_cpu cpu;

	if (!process)
		return false;
	sky_insight_done(process, call);
	sky_fork_seen(sky, process);
	sky_count(sky->vm, SKY_COUNT_calls);
	if (call->outside)
		sky_count(sky->vm, SKY_COUNT_calls_outside);
	else
		entry_record(sky, call, got);
	if (call->file && call->rule->writes)
		run_store(call->file, hasher, call->offset);
	sky_mapped_begins(sky, call);
	switch (call->rule->kind) {
	case SKY_RULE_EXIT:
	case SKY_RULE_EXIT_GROUP:
		process_exits(sky, process, call);
		return false;
	case SKY_RULE_SIGRETURN:
		return false;
	case SKY_RULE_ARCH_PRCTL:
		/* It returns with another thread pointer than it was made with. */
		if (call->argument[0] == ARCH_SET_FS && call->argument[1] < BIT_ULL(47))
			call->fs_base = call->argument[1];
		break;
	case SKY_RULE_CLOSE:
		sky_insight_closed(process, call->argument[0], call->argument[0]);
		break;
	case SKY_RULE_CLOSE_RANGE:
		sky_insight_closed(process, call->argument[0], call->argument[1]);
		break;
	case SKY_RULE_DUP2:
		sky_insight_closed(process, call->argument[1], call->argument[1]);
		break;
	case SKY_RULE_MAP:
		if (call->argument[3] & MAP_FIXED)
			sky_insight_unmapped(process, call->argument[0], call->argument[1]);
		break;
	case SKY_RULE_UNMAP:
		sky_insight_unmapped(process, call->argument[0], call->argument[1]);
		break;
	case SKY_RULE_REMAP:
		sky_insight_unmapped(process, call->argument[0], call->argument[1]);
		if (call->argument[3] & MREMAP_FIXED)
			sky_insight_unmapped(process, call->argument[4], call->argument[2]);
		break;
	case SKY_RULE_FORK:
		sky_fork_begin(sky, process, call);
		break;
	case SKY_RULE_EXEC:
		if (sky_exec_begin(sky, process, call, sky->path, got->path))
			sky_count(sky->vm, SKY_COUNT_children_lost);
		break;
	default:
		break;
	}
	sky_call_cpu(call, &cpu);
	call_add(sky, call, &cpu);
	return true;
}

static void set_argument(struct kvm_vcpu *vcpu, u8 number, u64 value)
{
	static const u8 registers[] = {VCPU_REGS_RDI, VCPU_REGS_RSI, VCPU_REGS_RDX,
				       VCPU_REGS_R10, VCPU_REGS_R8, VCPU_REGS_R9};

	kvm_register_write_raw(vcpu, registers[number - 1], value);
}

/* A copy may be short: what it will move at most is known. Its register is put right at the end. */
static void shorten(struct sky_vcpu *sky, struct sky_call *call)
{
	if (argument_of(call, call->rule->bytes) <= SKY_COPY_BYTES)
		return;
	call->shortened = true;
	set_argument(sky->vcpu, call->rule->bytes, SKY_COPY_BYTES);
}

enum sky_entry sky_call_enter(struct sky_vcpu *sky, u16 flags, u64 rip, u64 next_rip, u64 stack)
{
	struct sky_call *call = call_now(sky, flags, rip, next_rip, stack);
	struct sky_gathered got = {};
	struct sky_hasher hasher = {};
	enum sky_entry entry;
	struct sky_file file;
	bool kept;

	if (!call) {
		sky_count(sky->vm, SKY_COUNT_calls_refused);
		return SKY_ENTRY_BEGINS;
	}
	entry = call_look_up(sky, call, &file);
	if (entry != SKY_ENTRY_BEGINS) {
		/* What it points to belongs to an insight. */
		call_spare(sky, call);
		return entry;
	}
	if (call->has_rings)
		sky_rings_look(sky, call);
	if (call->content.copy)
		shorten(sky, call);
	if (call->rule->kind == SKY_RULE_FORK)
		describe_child(sky, call);
	got.path = gather_path(sky, call, call->rule->path, sky->path, &got);
	got.path2 = gather_path(sky, call, call->rule->path2, sky->path2, &got);
	if ((call->rule->reads || call->rule->writes) && !call->outside)
		gather_data(sky, call, call->file ? &file : NULL, U64_MAX, call->rule->writes,
			    &hasher, &got);
	else if (call->rule->kind == SKY_RULE_SUBMIT)
		sky_submitted(sky, call, &got);
	else if (call->rule->kind == SKY_RULE_CLONE)
		clone_range(sky, call, &got);
	else if (call->rule->kind == SKY_RULE_URING_SETUP)
		sky_uring_asked(sky, call, &got);
	else if (call->rule->kind == SKY_RULE_URING_ENTER)
		sky_uring_submitted(sky, call, &got);
	if (call->content.copy) {
		call->offset = call->content.copy->target_offset;
		got.sums = sky_copied(sky, call, false, SKY_COPY_BYTES);
	}
	mutex_lock(&sky->vm->lock);
	kept = call_begins(sky, call, &hasher, &got);
	sky_sync(sky);
	if (!kept)
		sky_call_free(call);
	mutex_unlock(&sky->vm->lock);
	return SKY_ENTRY_BEGINS;
}

static void exit_record(struct sky_vcpu *sky, const struct sky_call *call, s64 result, u64 flags,
			u16 way, const struct sky_gathered *got)
{
	bool failed = call->abi == SKY_ABI_FREEBSD64 && flags & X86_EFLAGS_CF;
	struct sky_exit_record record = {
		.result = failed ? -result : result,
		.file_offset = call->rule->reads || call->content.copy ? call->offset :
									  SKY_OFFSET_UNKNOWN,
		.written_offset = SKY_OFFSET_UNKNOWN,
		.number = call->raw_number,
		.abi = call->abi,
		.flags = call->flags | (got->cut ? SKY_CALL_CUT : 0),
		.carry = flags & X86_EFLAGS_CF,
		.way = way,
		.requests = got->requests,
		.sums = got->sums,
		.unread = got->unread,
	};
	const struct sky_part parts[] = {
		{sky->words, got->requests * SKY_REQUEST_WORDS * sizeof(u64)},
		{sky->sums, got->sums * sizeof(u64)},
	};

	sky_call_cpu(call, &record.cpu);
	sky_record_put(sky, SKY_RECORD_EXIT, &record, sizeof(record), parts, ARRAY_SIZE(parts));
}

/*
 * With the lock: the call that ends here is taken out of the table. A guest whose
 * parent comes back was killed: it is the parent's call then.
 */
static struct sky_call *call_ends(struct sky_vcpu *sky, u64 rip, u64 stack, s64 result,
				  enum sky_return *to)
{
	struct sky_process *process;
	struct sky_call *call;
	struct sky_cpu cpu;

	sky_cpu_now(sky, &cpu, stack, 0, 0);
	process = sky_process_of(sky->vm, cpu.space, cpu.fs_base);
	if (sky_insight_returns(process, &cpu, rip)) {
		*to = SKY_RETURN_ASKED;
		return NULL;
	}
	call = call_find(sky, process, &cpu);
	if (!call && process->host && result)
		call = call_find(sky, process->host, &cpu);
	if (call && !call->next_rip)
		sky_sysenter_returns(sky, call, rip);
	if (!call || (rip != call->next_rip && rip != call->rip)) {
		sky_count(sky->vm, SKY_COUNT_returns_unknown);
		return NULL;
	}
	call_remove(sky->vm, call);
	if (call->vcpu != sky->vcpu->vcpu_id)
		sky_count(sky->vm, SKY_COUNT_returns_split);
	return call;
}

/* What the result changes in the tables. */
static void call_returned(struct sky_vcpu *sky, struct sky_call *call, s64 result)
{
	const struct sky_rule *rule = call->rule;

	sky_count(sky->vm, SKY_COUNT_returns);
	if (rule->kind == SKY_RULE_FORK || rule->kind == SKY_RULE_EXEC)
		sky_fork_end(sky, call, sky_freebsd_child(sky, call, result));
	sky_file_returned(sky->vm, call->process, call, result);
	sky_ring_returned(sky, call->process, call, result);
	sky_mapped_returned(sky, call, result);
	if (is_32(call))
		sky_files_doubt(call->process->files);
	if (call->file && (rule->reads || rule->writes))
		sky_file_moved(call, result);
	/* Less was written than was hashed. */
	if (call->file && rule->writes && call->offset != SKY_OFFSET_UNKNOWN &&
	    (result < 0 || call->file->run_offset != call->offset + result))
		call->file->run_offset = SKY_OFFSET_UNKNOWN;
}

void sky_call_left(struct sky_vcpu *sky, struct sky_call *call, s64 result)
{
	const struct sky_gathered got = {};

	if (!call->outside)
		exit_record(sky, call, result, 0, SKY_WAY_SYSRET, &got);
	sky_call_free(call);
}

static void call_tell_exit(struct sky_vcpu *sky, struct sky_call *call, s64 result, u64 flags,
			   u16 way)
{
	bool reads = call->rule->reads && !call->outside && result > 0 && way != SKY_WAY_RESTART;
	struct sky_process *process;
	struct sky_gathered got = {};
	struct sky_hasher hasher;
	struct sky_file file;

	if (reads) {
		mutex_lock(&sky->vm->lock);
		if (call->file)
			file = *call->file;
		mutex_unlock(&sky->vm->lock);
		gather_data(sky, call, call->file ? &file : NULL, result, true, &hasher, &got);
	} else if (call->content.copy && result > 0 && way != SKY_WAY_RESTART) {
		call->offset = call->content.copy->source_offset;
		got.sums = sky_copied(sky, call, true, result);
	} else if (call->rule->kind == SKY_RULE_EVENTS && way != SKY_WAY_RESTART) {
		sky_events_taken(sky, call, &got, result);
	} else if (call->rule->kind == SKY_RULE_URING_ENTER) {
		sky_rings_look(sky, call);
	}
	if (!call->outside)
		exit_record(sky, call, result, flags, way, &got);
	mutex_lock(&sky->vm->lock);
	if (reads && call->file)
		run_store(call->file, &hasher, call->offset);
	process = sky_process_of(sky->vm, call->space, call->fs_base);
	if (process)
		sky_insight_done(process, call);
	call_release(call);
	mutex_unlock(&sky->vm->lock);
	call_spare(sky, call);
}

/* With the lock: the call that ends here, if it is one; or *to is not SKY_RETURN_OTHER. */
static struct sky_call *call_returns(struct sky_vcpu *sky, struct sky_process *process, u64 rip,
				     u64 stack, s64 result, u16 *way, enum sky_return *to)
{
	struct sky_call *call = NULL;

	if (sky_insight_answered(sky, process, rip, stack, *way == SKY_WAY_SYSRET, &call)) {
		*to = SKY_RETURN_INSIGHT;
		return NULL;
	}
	if (call)
		return call;
	call = call_ends(sky, rip, stack, result, to);
	if (!call)
		return NULL;
	if (call->shortened)
		set_argument(sky->vcpu, call->rule->bytes, argument_of(call, call->rule->bytes));
	if (rip == call->rip) {
		*way = SKY_WAY_RESTART;
		sky_count(sky->vm, SKY_COUNT_restarts);
		if (call->claimed)
			sky_file_moved(call, 0);
		sky_fork_end(sky, call, -EINTR); /* no child has begun */
		return call;
	}
	call_returned(sky, call, result);
	if (call->rule->reads && result > 0 && *way == SKY_WAY_SYSRET &&
	    sky_insight_after(sky, call->process, call, rip)) {
		*to = SKY_RETURN_INSIGHT;
		return NULL;
	}
	return call;
}

enum sky_return sky_user_return(struct sky_vcpu *sky, u64 rip, u64 stack, u64 flags, u16 way)
{
	enum sky_return to = SKY_RETURN_OTHER;
	struct sky_process *process, *owner;
	struct sky_vm *vm = sky->vm;
	struct sky_call *call = NULL;
	s64 result;

	mutex_lock(&vm->lock);
	owner = sky_process_in(vm, sky_space_now(sky));
	if (owner && sky_executed(sky, owner, rip, stack)) {
		to = SKY_RETURN_CALL;
	} else if (owner && sky_process_in_doubt(owner) && sky_first_return(sky, rip, stack)) {
		to = SKY_RETURN_CALL;
	} else if (owner) {
		if (owner->faults)
			sky_faults_return(sky, owner, true);
		if (vm->debt_count)
			sky_stranger_returns(sky, rip, stack);
		process = sky_process_of(vm, owner->space, sky_fs_base(sky->vcpu));
		/* Linux's handlers; FreeBSD's are shown what there is. */
		if (way != SKY_WAY_SYSRET && !sky_is_freebsd(vm))
			call = sky_insight_interrupted(sky, process, stack, &result);
		if (!call) {
			call = call_returns(sky, process, rip, stack, sky_result(sky, flags), &way,
					    &to);
			result = sky_result(sky, flags);
		}
	} else {
		if (sky->watching && sky_first_return(sky, rip, stack))
			to = SKY_RETURN_CALL;
		sky->watching = false;
		if (sky->asking)
			sky_stranger_returns(sky, rip, stack);
	}
	sky_sync(sky);
	mutex_unlock(&vm->lock);
	if (!call)
		return to;
	call_tell_exit(sky, call, result, flags, way);
	return SKY_RETURN_CALL;
}
