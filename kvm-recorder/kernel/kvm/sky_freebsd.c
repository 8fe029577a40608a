// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FreeBSD's system calls (paper, section 4.3): what is Sky's is done by Linux's numbers and
 * structures, so a call of FreeBSD is taken for the one of Linux that means the same, and
 * the questions that are put to its kernel are made FreeBSD's. Records tell the calls as
 * the guest made them.
 *
 * Numbers: sys/kern/syscalls.master. What FreeBSD's kernel does to registers:
 * fast_syscall in sys/amd64/amd64/exception.S, cpu_fetch_syscall_args() and
 * cpu_set_syscall_retval() in sys/amd64/amd64.
 */
#include <linux/sched.h>
#include <uapi/asm/prctl.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/mman.h>
#include <uapi/linux/ptrace.h>

#include "kvm_cache_regs.h"
#include "x86.h"
#include "sky_kvm.h"

/* Numbers that stand for the call that their first argument names. */
#define NUMBER_SYSCALL	 0
#define NUMBER___SYSCALL 198

enum {
	NUMBER_OPEN = 5, NUMBER_PTRACE = 26, NUMBER_FCNTL = 92, NUMBER_SYSARCH = 165,
	NUMBER_RFORK = 251, NUMBER_AIO_READ = 255, NUMBER_AIO_WRITE = 256,
	NUMBER_LIO_LISTIO = 257, NUMBER_AIO_RETURN = 314, NUMBER_AIO_WAITCOMPLETE = 359,
	NUMBER_THR_EXIT = 431, NUMBER_THR_NEW = 455, NUMBER_MMAP = 477, NUMBER_OPENAT = 499,
	NUMBER_AIO_WRITEV = 578, NUMBER_AIO_READV = 579,
};

/* The call of Linux that means the same, plus one. The others have nothing to do with files. */
#define SAME(number) ((number) + 1)
static const u16 same_as[] = {
	[1] = SAME(231), /* exit: exit_group */
	[2] = SAME(57), /* fork */
	[3] = SAME(0), /* read */
	[4] = SAME(1), /* write */
	[NUMBER_OPEN] = SAME(2),
	[6] = SAME(3), /* close */
	[9] = SAME(86), /* link */
	[10] = SAME(87), /* unlink */
	[12] = SAME(80), /* chdir */
	[NUMBER_PTRACE] = SAME(101),
	[33] = SAME(21), /* access */
	[41] = SAME(32), /* dup */
	[57] = SAME(88), /* symlink */
	[58] = SAME(89), /* readlink */
	[59] = SAME(59), /* execve */
	[66] = SAME(58), /* vfork */
	[73] = SAME(11), /* munmap */
	[90] = SAME(33), /* dup2 */
	[NUMBER_FCNTL] = SAME(72),
	[120] = SAME(19), /* readv */
	[121] = SAME(20), /* writev */
	[128] = SAME(82), /* rename */
	[136] = SAME(83), /* mkdir */
	[137] = SAME(84), /* rmdir */
	[NUMBER_SYSARCH] = SAME(158), /* arch_prctl */
	[NUMBER_RFORK] = SAME(56), /* clone */
	[NUMBER_AIO_READ] = SAME(209), /* io_submit */
	[NUMBER_AIO_WRITE] = SAME(209),
	[NUMBER_LIO_LISTIO] = SAME(209),
	[289] = SAME(295), /* preadv */
	[290] = SAME(296), /* pwritev */
	[NUMBER_AIO_RETURN] = SAME(208), /* io_getevents */
	[NUMBER_AIO_WAITCOMPLETE] = SAME(208),
	[417] = SAME(15), /* sigreturn: rt_sigreturn */
	[NUMBER_THR_EXIT] = SAME(60), /* exit */
	[NUMBER_THR_NEW] = SAME(56), /* clone */
	[475] = SAME(17), /* pread: pread64 */
	[476] = SAME(18), /* pwrite: pwrite64 */
	[NUMBER_MMAP] = SAME(9),
	[478] = SAME(8), /* lseek */
	[479] = SAME(76), /* truncate */
	[480] = SAME(77), /* ftruncate */
	[495] = SAME(265), /* linkat */
	[496] = SAME(258), /* mkdirat */
	[NUMBER_OPENAT] = SAME(257),
	[500] = SAME(267), /* readlinkat */
	[501] = SAME(264), /* renameat */
	[502] = SAME(266), /* symlinkat */
	[503] = SAME(263), /* unlinkat */
	[518] = SAME(57), /* pdfork: fork */
	[552] = SAME(262), /* fstatat: newfstatat */
	[554] = SAME(217), /* getdirentries: getdents64 */
	[575] = SAME(436), /* close_range */
	[NUMBER_AIO_WRITEV] = SAME(209),
	[NUMBER_AIO_READV] = SAME(209),
};

/* sys/sys/unistd.h */
#define RFORK_FILES   0x4 /* of its own */
#define RFORK_PROCESS 0x10
#define RFORK_MEMORY  0x20 /* shared */
#define RFORK_WAITS   0x80000000

#define SYSARCH_SET_FS 129
#define PTRACE_ATTACH_HERE 10

/* sys/sys/thr.h, the beginning of it */
struct thread_param {
	u64 start, argument, stack, stack_bytes, tls, tls_bytes, child_tid, parent_tid;
};

/* sys/sys/aio.h, as far as it is the program's */
struct control_block {
	s32 fd, padding;
	s64 offset;
	u64 buffer, bytes;
	s32 spare[2];
	u64 spare2;
	s32 opcode, priority;
};

#define OPCODE_WRITE  1
#define OPCODE_READ   2
#define OPCODE_VECTOR 4

/* sys/sys/stat.h */
struct file_status {
	u64 device, inode, links;
	u16 mode, padding;
	u32 user, group, padding2;
	u64 special_device;
	s64 times[8];
	s64 size;
};

u64 sky_freebsd_flags(u64 flags)
{
	static const struct {
		u32 here, linux_flag;
	} same[] = {{0x8, O_APPEND}, {0x200, O_CREAT}, {0x400, O_TRUNC}, {0x800, O_EXCL},
		    {0x10000, O_DIRECT}};
	u64 result = flags & O_ACCMODE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(same); i++)
		if (flags & same[i].here)
			result |= same[i].linux_flag;
	return result;
}

/* What of it descriptors and locks are about. */
static u64 fcntl_command(u32 command)
{
	switch (command) {
	case 0: /* F_DUPFD */
	case 10: /* F_DUP2FD */
	case 17: /* F_DUPFD_CLOEXEC */
	case 18: /* F_DUP2FD_CLOEXEC */
		return F_DUPFD;
	case 4:
		return F_SETFL;
	case 12:
	case 13: /* F_SETLKW */
		return F_SETLK;
	default:
		return F_GETFD;
	}
}

static u64 clone_flags(u64 rfork)
{
	return (rfork & RFORK_MEMORY ? CLONE_VM : 0) | (rfork & RFORK_WAITS ? CLONE_VFORK : 0) |
	       (rfork & RFORK_FILES ? 0 : CLONE_FILES);
}

static void take_thread(struct sky_vcpu *sky, u64 *argument)
{
	struct thread_param param = {};

	sky_read_user(sky, argument[0], &param, min_t(u64, argument[1], sizeof(param)));
	argument[0] = CLONE_VM | CLONE_FILES | CLONE_THREAD | CLONE_SETTLS;
	argument[1] = ((param.stack + param.stack_bytes) & ~15ull) - 8;
	argument[2] = param.parent_tid ? param.parent_tid : param.child_tid;
	argument[3] = 0;
	argument[4] = param.tls;
}

/* Its arguments as Linux has them, where they differ. */
static void take_arguments(struct sky_vcpu *sky, struct sky_call *call)
{
	u64 *argument = call->argument, base = 0;

	switch (call->meant) {
	case NUMBER_OPEN:
		argument[1] = sky_freebsd_flags(argument[1]);
		break;
	case NUMBER_OPENAT:
		argument[2] = sky_freebsd_flags(argument[2]);
		break;
	case NUMBER_FCNTL:
		argument[1] = fcntl_command(argument[1]);
		argument[2] = sky_freebsd_flags(argument[2]);
		break;
	case NUMBER_MMAP:
		/* Mapped files are not followed; what is mapped over them all the same is. */
		argument[3] = (argument[3] & (MAP_TYPE | MAP_FIXED)) | MAP_ANONYMOUS;
		break;
	case NUMBER_PTRACE:
		if (argument[0] == PTRACE_ATTACH_HERE)
			argument[0] = PTRACE_ATTACH;
		break;
	case NUMBER_SYSARCH:
		sky_read_user(sky, argument[1], &base, sizeof(base));
		argument[0] = argument[0] == SYSARCH_SET_FS ? ARCH_SET_FS : ARCH_GET_FS;
		argument[1] = base;
		break;
	case NUMBER_RFORK:
		if (!(argument[0] & RFORK_PROCESS))
			call->number = SKY_NUMBER_NONE;
		argument[0] = clone_flags(argument[0]);
		memset(argument + 1, 0, 5 * sizeof(*argument));
		break;
	case NUMBER_THR_EXIT:
		argument[0] = 0; /* where it tells that it has ended */
		break;
	case NUMBER_THR_NEW:
		take_thread(sky, argument);
		break;
	}
}

void sky_freebsd_call(struct sky_vcpu *sky, struct sky_call *call)
{
	u64 *argument = call->argument;

	call->meant = call->raw_number;
	if (call->meant == NUMBER_SYSCALL || call->meant == NUMBER___SYSCALL) {
		call->meant = argument[0];
		memmove(argument, argument + 1, 5 * sizeof(*argument));
		argument[5] = 0;
		sky_read_user(sky, call->stack + sizeof(u64), argument + 5, sizeof(u64));
	}
	call->number = call->meant < ARRAY_SIZE(same_as) && same_as[call->meant] ?
		       same_as[call->meant] - 1 : SKY_NUMBER_NONE;
	take_arguments(sky, call);
}

s64 sky_freebsd_child(struct sky_vcpu *sky, const struct sky_call *call, s64 result)
{
	u64 tid;

	if (call->meant != NUMBER_THR_NEW || result)
		return result;
	return sky_read_user(sky, call->argument[2], &tid, sizeof(tid)) == sizeof(tid) ? (u32)tid :
											 0;
}

static void submit_one(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
		       u64 at, u32 opcode)
{
	struct control_block block;
	struct sky_request request;

	if (sky_read_user(sky, at, &block, sizeof(block)) != sizeof(block)) {
		got->unread++;
		return;
	}
	if (!opcode)
		opcode = block.opcode;
	request = (struct sky_request){
		.id = at,
		.opcode = opcode,
		.fd = block.fd,
		.reads = (opcode & ~OPCODE_VECTOR) == OPCODE_READ,
		.writes = (opcode & ~OPCODE_VECTOR) == OPCODE_WRITE,
		.data = {
			.buffer = block.buffer,
			.bytes = block.bytes,
			.offset = block.offset,
			.vector = opcode & OPCODE_VECTOR,
		},
	};
	sky_request_submitted(sky, call, got, &request);
}

static void submit_list(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got)
{
	u64 count = call->argument[2], i, at;

	got->cut |= count > SKY_REQUESTS_MAX;
	for (i = 0; i < min_t(u64, count, SKY_REQUESTS_MAX); i++) {
		if (sky_read_user(sky, call->argument[1] + i * sizeof(at), &at, sizeof(at)) !=
		    sizeof(at))
			got->unread++;
		else if (at)
			submit_one(sky, call, got, at, 0);
	}
}

void sky_freebsd_submitted(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got)
{
	switch (call->meant) {
	case NUMBER_LIO_LISTIO:
		submit_list(sky, call, got);
		break;
	case NUMBER_AIO_READ:
		submit_one(sky, call, got, call->argument[0], OPCODE_READ);
		break;
	case NUMBER_AIO_WRITE:
		submit_one(sky, call, got, call->argument[0], OPCODE_WRITE);
		break;
	case NUMBER_AIO_READV:
		submit_one(sky, call, got, call->argument[0], OPCODE_READ | OPCODE_VECTOR);
		break;
	case NUMBER_AIO_WRITEV:
		submit_one(sky, call, got, call->argument[0], OPCODE_WRITE | OPCODE_VECTOR);
		break;
	}
}

int sky_freebsd_untold(struct sky_vcpu *sky, struct sky_process *process,
		       const struct sky_call *call)
{
	bool list = call->meant == NUMBER_LIO_LISTIO;
	u64 count = list ? min_t(u64, call->argument[2], SKY_REQUESTS_MAX) : 1, i, at;
	const struct sky_file *file;
	s32 fd;

	for (i = 0; i < count; i++) {
		at = call->argument[0];
		if (list && sky_read_user(sky, call->argument[1] + i * sizeof(at), &at,
					  sizeof(at)) != sizeof(at))
			break;
		if (sky_read_user(sky, at, &fd, sizeof(fd)) != sizeof(fd) || fd < 0)
			continue;
		file = sky_file_at(process, fd);
		if (file ? !file->told : sky_file_room(process))
			return fd;
	}
	return -1;
}

/* aio_return names the request; aio_waitcomplete tells which it was, also of one that failed. */
void sky_freebsd_completed(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
			   s64 result)
{
	u64 id = call->argument[0];

	if (call->meant == NUMBER_AIO_WAITCOMPLETE &&
	    (sky_read_user(sky, id, &id, sizeof(id)) != sizeof(id) || !id))
		return;
	sky_request_completed(sky, call, got, id, result,
			      call->meant == NUMBER_AIO_WAITCOMPLETE);
}

/* The questions, from Linux's. What has none here isn't asked. */
static u32 number_of_question(u32 number)
{
	switch (number) {
	case 5:
		return 551; /* fstat */
	case 8:
		return 478; /* lseek */
	case 9:
		return NUMBER_MMAP;
	case 17:
		return 475; /* pread */
	case 39:
		return 20; /* getpid */
	case 72:
		return NUMBER_FCNTL;
	case 79:
		return 326; /* __getcwd */
	case 89:
		return 202; /* __sysctl */
	case 186:
		return 432; /* thr_self */
	default:
		return 0;
	}
}

/* kern.proc.pathname of oneself: CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1 */
static bool ask_program(struct sky_vcpu *sky, u64 buffer, struct sky_question *question)
{
	const struct {
		u32 name[4];
		u64 bytes;
	} asked = {{1, 14, 12, ~0u}, question->argument[2]};

	if (sky_write_user(sky, buffer, &asked, sizeof(asked)) != sizeof(asked))
		return false;
	*question = (struct sky_question){question->number, {buffer, ARRAY_SIZE(asked.name),
		question->argument[1], buffer + offsetof(typeof(asked), bytes)}};
	return true;
}

bool sky_freebsd_question(struct sky_vcpu *sky, const struct sky_insight *insight,
			  struct sky_question *question)
{
	question->number = number_of_question(question->number);
	switch (insight->step) {
	case SKY_STEP_BUFFER:
		question->argument[3] = MAP_PRIVATE | 0x1000; /* MAP_ANON */
		break;
	case SKY_STEP_TID:
		question->argument[0] = insight->buffer;
		break;
	case SKY_STEP_EXE:
		return ask_program(sky, insight->buffer, question);
	case SKY_STEP_NAME: /* nobody can be asked */
		return false;
	}
	return question->number;
}

s64 sky_freebsd_answer(struct sky_vcpu *sky, const struct sky_insight *insight, u64 name,
		       s64 result)
{
	u64 tid;
	int bytes;

	if (insight->step == SKY_STEP_FLAGS && result > 0)
		return sky_freebsd_flags(result);
	if (result)
		return result;
	switch (insight->step) {
	case SKY_STEP_TID:
		return sky_read_user(sky, insight->buffer, &tid, sizeof(tid)) == sizeof(tid) ?
		       (u32)tid : 0;
	case SKY_STEP_CWD:
	case SKY_STEP_EXE:
		bytes = sky_read_text(sky, name, sky->path, SKY_PATH_BYTES);
		return bytes < 0 ? 0 : bytes + (insight->step == SKY_STEP_CWD);
	default:
		return result;
	}
}

bool sky_freebsd_status(struct sky_vcpu *sky, u64 buffer, struct sky_insight_record *record)
{
	struct file_status status;

	if (sky_read_user(sky, buffer, &status, sizeof(status)) != sizeof(status))
		return false;
	record->device = status.device;
	record->inode = status.inode;
	record->links = status.links;
	record->mode = status.mode;
	record->size = status.size;
	return true;
}
