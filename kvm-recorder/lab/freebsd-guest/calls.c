// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls: FreeBSD's numbers, its carry flag for those that fail, its second result
 * in rdx (sys/amd64/amd64/trap.c, vm_machdep.c).
 *
 * A handler has its arguments in order, whichever way it was called, and answers with a
 * result, or -errno. Asynchronous requests are done by a thread of the kernel that
 * works with the memory of whoever made them.
 */
#include "kernel.h"
#include "numbers.h"

#define REQUESTS     32
#define EXECUTED     1 /* the frame is as it is to be */
#define NAME_BYTES   48
#define VECTORS_MAX  16
#define MODE_REGULAR 0100644

struct request {
	struct process *process; /* NULL: free */
	u64 block; /* address of its struct aiocb */
	struct aiocb told;
	bool done;
	s64 result;
};

static struct open_file open_files[FILES];
static struct request requests[REQUESTS];
static bool wanted; /* somebody has asked for the end of one */

static struct open_file *file_at(u64 fd)
{
	return fd < FILES ? current->process->files[fd] : NULL;
}

static bool has_text(u64 address)
{
	u64 i;

	for (i = 0; i < NAME_BYTES; i++)
		if (!is_user(address + i, 1) || !((const char *)address)[i])
			break;
	return i < NAME_BYTES && is_user(address + i, 1);
}

static s64 file_close(struct open_file **place)
{
	if (!*place)
		return -EBADF;
	(*place)->references--;
	*place = NULL;
	return 0;
}

static s64 do_open(struct frame *frame, const u64 *argument)
{
	struct open_file *file = open_files;
	u64 flags = argument[1];
	s64 inode;
	u32 fd = 0;

	if (!has_text(argument[0]))
		return -EFAULT;
	inode = file_open((const char *)argument[0], flags & O_CREAT);
	if (inode < 0)
		return inode;
	while (fd < FILES && current->process->files[fd])
		fd++;
	while (file < open_files + FILES && file->references)
		file++;
	if (fd == FILES || file == open_files + FILES)
		return -ENFILE;
	if (flags & O_TRUNC)
		file_truncate(inode, 0);
	*file = (struct open_file){.references = 1, .flags = flags, .inode = inode};
	current->process->files[fd] = file;
	return fd;
}

static s64 do_close(struct frame *frame, const u64 *argument)
{
	return argument[0] < FILES ? file_close(current->process->files + argument[0]) : -EBADF;
}

/* offset: NULL where it is the descriptor's. */
static s64 move(u64 fd, u64 address, u64 bytes, const u64 *offset, bool writes)
{
	struct open_file *file = file_at(fd);
	struct file_status status;
	u64 from;
	s64 result;

	if (!file || (file->flags & O_ACCMODE) == (writes ? O_RDONLY : O_WRONLY))
		return -EBADF;
	if (!is_user(address, bytes))
		return -EFAULT;
	from = offset ? *offset : file->offset;
	if (writes && file->flags & O_APPEND) {
		file_status(file->inode, &status);
		from = status.size;
	}
	result = file_move(file->inode, from, address, bytes, writes);
	if (!offset && result > 0)
		file->offset = from + result;
	return result;
}

static s64 do_read(struct frame *frame, const u64 *argument)
{
	return move(argument[0], argument[1], argument[2], NULL, false);
}

static s64 do_write(struct frame *frame, const u64 *argument)
{
	return move(argument[0], argument[1], argument[2], NULL, true);
}

static s64 do_pread(struct frame *frame, const u64 *argument)
{
	return move(argument[0], argument[1], argument[2], argument + 3, false);
}

static s64 do_pwrite(struct frame *frame, const u64 *argument)
{
	return move(argument[0], argument[1], argument[2], argument + 3, true);
}

static s64 move_vector(u64 fd, u64 address, u64 count, u64 *offset, bool writes)
{
	const struct iovec *vector = (const struct iovec *)address;
	s64 result, done = 0;
	u64 i;

	if (count > VECTORS_MAX)
		return -EINVAL;
	if (!is_user(address, count * sizeof(*vector)))
		return -EFAULT;
	for (i = 0; i < count; i++) {
		result = move(fd, vector[i].address, vector[i].bytes, offset, writes);
		if (result < 0)
			return done ? done : result;
		done += result;
		if (offset)
			*offset += result;
		if ((u64)result < vector[i].bytes)
			break;
	}
	return done;
}

static s64 do_readv(struct frame *frame, const u64 *argument)
{
	return move_vector(argument[0], argument[1], argument[2], NULL, false);
}

static s64 do_writev(struct frame *frame, const u64 *argument)
{
	return move_vector(argument[0], argument[1], argument[2], NULL, true);
}

static s64 do_lseek(struct frame *frame, const u64 *argument)
{
	struct open_file *file = file_at(argument[0]);
	struct file_status status;
	s64 from;

	if (!file)
		return -EBADF;
	if (argument[2] > 2)
		return -EINVAL;
	file_status(file->inode, &status);
	from = argument[2] == 1 ? file->offset : argument[2] == 2 ? status.size : 0;
	if (from + (s64)argument[1] < 0)
		return -EINVAL;
	file->offset = from + argument[1];
	return file->offset;
}

static s64 do_ftruncate(struct frame *frame, const u64 *argument)
{
	struct open_file *file = file_at(argument[0]);

	if (!file)
		return -EBADF;
	file_truncate(file->inode, argument[1]);
	return 0;
}

static s64 do_fstat(struct frame *frame, const u64 *argument)
{
	struct open_file *file = file_at(argument[0]);
	struct stat *stat = (struct stat *)argument[1];
	struct file_status status;

	if (!file)
		return -EBADF;
	if (!is_user(argument[1], sizeof(*stat)))
		return -EFAULT;
	file_status(file->inode, &status);
	memory_zero(stat, sizeof(*stat));
	stat->device = FILE_DEVICE;
	stat->inode = status.inode;
	stat->links = 1;
	stat->mode = MODE_REGULAR;
	stat->size = status.size;
	stat->block_bytes = PAGE;
	return 0;
}

static s64 do_fcntl(struct frame *frame, const u64 *argument)
{
	struct open_file *file = file_at(argument[0]);

	if (!file)
		return -EBADF;
	return argument[1] == F_GETFL ? (s64)file->flags & ~(O_CREAT | O_TRUNC) : -EINVAL;
}

static s64 do_fsync(struct frame *frame, const u64 *argument)
{
	struct open_file *file = file_at(argument[0]);

	if (!file)
		return -EBADF;
	blocks_write(file->inode, false);
	blocks_write(0, false);
	return 0;
}

/* Writes all back, and forgets it, so that what is read next comes from the disk. */
static s64 do_sync(struct frame *frame, const u64 *argument)
{
	blocks_write(0, true);
	blocks_forget();
	return 0;
}

static s64 do_reboot(struct frame *frame, const u64 *argument)
{
	blocks_write(0, true);
	truth_print();
	stop(argument[0]);
}

static s64 do_getpid(struct frame *frame, const u64 *argument)
{
	return current->process->pid;
}

static s64 do_getcwd(struct frame *frame, const u64 *argument)
{
	if (argument[1] < 2)
		return -EINVAL;
	if (!is_user(argument[0], 2))
		return -EFAULT;
	memory_copy((void *)argument[0], "/", 2);
	return 0;
}

/* kern.proc.pathname of oneself, alone: CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1 */
static s64 do_sysctl(struct frame *frame, const u64 *argument)
{
	static const char path[] = "/sbin/program";
	const u32 *name = (const u32 *)argument[0];
	u64 *room = (u64 *)argument[3];

	if (argument[1] != 4 || !is_user(argument[0], 16) || name[0] != 1 || name[1] != 14 ||
	    name[2] != 12 || name[3] != ~0u)
		return -ENOENT;
	if (!is_user(argument[3], sizeof(*room)) || *room < sizeof(path))
		return -ENOMEM;
	if (!is_user(argument[2], sizeof(path)))
		return -EFAULT;
	memory_copy((void *)argument[2], path, sizeof(path));
	*room = sizeof(path);
	return 0;
}

static s64 do_mmap(struct frame *frame, const u64 *argument)
{
	struct process *process = current->process;
	u64 bytes = (argument[1] + PAGE - 1) & ~(PAGE - 1), address = process->mapped_until;

	if (!(argument[3] & MAP_ANON) || !map_memory(process, address, bytes))
		return -EINVAL;
	process->mapped_until += bytes;
	return address;
}

static s64 do_munmap(struct frame *frame, const u64 *argument)
{
	return is_user(argument[0], argument[1]) ? 0 : -EINVAL;
}

static s64 do_sysarch(struct frame *frame, const u64 *argument)
{
	if (argument[0] != AMD64_SET_FSBASE)
		return -EINVAL;
	if (!is_user(argument[1], sizeof(u64)))
		return -EFAULT;
	load_fs_base(*(u64 *)argument[1]);
	current->by_iret = true;
	return 0;
}

static s64 do_yield(struct frame *frame, const u64 *argument)
{
	wait_a_little();
	return 0;
}

static s64 do_fork(struct frame *frame, const u64 *argument)
{
	struct process *child = process_new(current->process);
	struct frame begin = *frame;
	struct thread *thread;

	if (!child)
		return -ENOMEM;
	begin.rax = 0;
	begin.rdx = 1;
	begin.flags &= ~CARRY;
	thread = thread_new(child, &begin, NULL);
	if (!thread)
		panic("no room for a child");
	thread->fs_base = current->fs_base;
	child->threads = 1;
	frame->rdx = 0;
	return child->pid;
}

/* Of all programs there is one, which goes by its second argument's first character. */
static s64 do_execve(struct frame *frame, const u64 *argument)
{
	const u64 *list = (const u64 *)argument[1];
	u64 how;

	if (!has_text(argument[0]) || !is_user(argument[1], 2 * sizeof(*list)) ||
	    !has_text(list[1]))
		return -EFAULT;
	how = *(const u8 *)list[1];
	process_load(current->process, how);
	go_with(current->process);
	load_fs_base(0);
	program_frame(frame);
	current->by_iret = true;
	return EXECUTED;
}

static s64 do_wait4(struct frame *frame, const u64 *argument)
{
	struct process *child;
	u32 pid, *status = (u32 *)argument[1];

	if (!process_child(current->process->pid, false))
		return -ECHILD;
	while (!(child = process_child(current->process->pid, true)))
		wait_a_little();
	if (status && !is_user(argument[1], sizeof(*status)))
		return -EFAULT;
	if (status)
		*status = child->status << 8;
	pid = child->pid;
	process_free(child);
	return pid;
}

/* Its other threads have ended before, and what it asked for is done. */
static s64 do_exit(struct frame *frame, const u64 *argument)
{
	struct process *process = current->process;
	u32 i;

	for (i = 0; i < FILES; i++)
		if (process->files[i])
			file_close(process->files + i);
	process->status = argument[0] & 0xff;
	process->ended = true;
	go_with(NULL);
	thread_end();
}

static s64 do_thr_exit(struct frame *frame, const u64 *argument)
{
	u64 *state = (u64 *)argument[0];

	if (state && is_user(argument[0], sizeof(*state)))
		*state = 1;
	if (--current->process->threads)
		thread_end();
	return do_exit(frame, (const u64[]){0});
}

static s64 do_thr_self(struct frame *frame, const u64 *argument)
{
	if (!is_user(argument[0], sizeof(u64)))
		return -EFAULT;
	*(u64 *)argument[0] = current->tid;
	return 0;
}

static s64 do_thr_new(struct frame *frame, const u64 *argument)
{
	struct frame begin = {.cs = USER_CS, .ss = USER_SS, .flags = 0x202};
	struct thr_param param;
	struct thread *thread;

	if (argument[1] != sizeof(param))
		return -EINVAL;
	if (!is_user(argument[0], sizeof(param)))
		return -EFAULT;
	memory_copy(&param, (void *)argument[0], sizeof(param));
	begin.rip = param.start;
	begin.rdi = param.argument;
	begin.rsp = ((param.stack + param.stack_bytes) & ~15ull) - 8;
	if (!is_user(param.parent_tid, 8) || !is_user(param.child_tid, 8) ||
	    !is_user(begin.rsp, 8))
		return -EFAULT;
	thread = thread_new(current->process, &begin, NULL);
	if (!thread)
		return -ENOMEM;
	current->process->threads++;
	thread->fs_base = param.tls;
	*(u64 *)param.parent_tid = thread->tid;
	*(u64 *)param.child_tid = thread->tid;
	return 0;
}

static struct request *request_find(u64 block)
{
	u32 i;

	for (i = 0; i < REQUESTS; i++)
		if (requests[i].process == current->process && requests[i].block == block)
			return requests + i;
	return NULL;
}

static s64 submit(u64 address, s64 opcode)
{
	struct request *request = requests;

	if (!is_user(address, sizeof(struct aiocb)))
		return -EFAULT;
	while (request->process)
		if (++request == requests + REQUESTS)
			return -ENOMEM;
	request->block = address;
	memory_copy(&request->told, (void *)address, sizeof(request->told));
	if (opcode >= 0)
		request->told.opcode = opcode;
	request->done = false;
	request->process = current->process;
	return 0;
}

static s64 do_aio_read(struct frame *frame, const u64 *argument)
{
	return submit(argument[0], LIO_READ);
}

static s64 do_aio_write(struct frame *frame, const u64 *argument)
{
	return submit(argument[0], LIO_WRITE);
}

static s64 do_aio_readv(struct frame *frame, const u64 *argument)
{
	return submit(argument[0], 4 | LIO_READ);
}

static s64 do_aio_writev(struct frame *frame, const u64 *argument)
{
	return submit(argument[0], 4 | LIO_WRITE);
}

static s64 do_lio_listio(struct frame *frame, const u64 *argument)
{
	const u64 *list = (const u64 *)argument[1];
	u64 i;
	s64 rc;

	if (argument[2] > REQUESTS || !is_user(argument[1], argument[2] * sizeof(*list)))
		return -EINVAL;
	for (i = 0; i < argument[2]; i++) {
		rc = submit(list[i], -1);
		if (rc)
			return rc;
	}
	for (i = 0; argument[0] == LIO_WAIT && i < argument[2]; i++)
		for (wanted = true; !request_find(list[i])->done; wanted = true)
			wait_a_little();
	return 0;
}

static s64 do_aio_error(struct frame *frame, const u64 *argument)
{
	const struct request *request = request_find(argument[0]);

	if (!request)
		return -EINVAL;
	wanted |= !request->done;
	if (!request->done)
		return EINPROGRESS;
	return request->result < 0 ? -request->result : 0;
}

static s64 do_aio_return(struct frame *frame, const u64 *argument)
{
	struct request *request = request_find(argument[0]);

	if (!request)
		return -EINVAL;
	wanted |= !request->done;
	if (!request->done)
		return -EINPROGRESS;
	request->process = NULL;
	return request->result;
}

static s64 do_aio_waitcomplete(struct frame *frame, const u64 *argument)
{
	struct request *request;

	if (!is_user(argument[0], sizeof(u64)))
		return -EFAULT;
	for (;; wait_a_little()) {
		wanted = true;
		for (request = requests; request < requests + REQUESTS; request++) {
			if (request->process != current->process || !request->done)
				continue;
			*(u64 *)argument[0] = request->block;
			request->process = NULL;
			return request->result;
		}
	}
}

static s64 serve(struct request *request)
{
	const struct aiocb *told = &request->told;
	bool writes = told->opcode & LIO_WRITE;
	u64 offset = told->offset;

	if (told->opcode & 4)
		return move_vector(told->fd, told->buffer, told->bytes, &offset, writes);
	return move(told->fd, told->buffer, told->bytes, &offset, writes);
}

/* Nothing is done before it is wanted, so that who asks first finds it in progress. */
void asynchronous_worker(void)
{
	struct request *request;

	for (;; wait_a_little()) {
		for (request = requests; request < requests + REQUESTS; request++) {
			if (!wanted || !request->process || request->done)
				continue;
			go_with(request->process);
			request->result = serve(request);
			request->done = true;
			go_with(NULL);
			wait_a_little();
		}
		wanted = false;
	}
}

static s64 (*const calls[CALLS])(struct frame *frame, const u64 *argument) = {
	[CALL_exit] = do_exit, [CALL_fork] = do_fork, [CALL_read] = do_read,
	[CALL_write] = do_write, [CALL_open] = do_open, [CALL_close] = do_close,
	[CALL_wait4] = do_wait4, [CALL_getpid] = do_getpid, [CALL_sync] = do_sync,
	[CALL_reboot] = do_reboot, [CALL_execve] = do_execve, [CALL_munmap] = do_munmap, [CALL_fcntl] = do_fcntl,
	[CALL_fsync] = do_fsync, [CALL_readv] = do_readv, [CALL_writev] = do_writev,
	[CALL_sysarch] = do_sysarch, [CALL___sysctl] = do_sysctl,
	[CALL_aio_read] = do_aio_read, [CALL_aio_write] = do_aio_write,
	[CALL_lio_listio] = do_lio_listio, [CALL_aio_return] = do_aio_return,
	[CALL_aio_error] = do_aio_error, [CALL___getcwd] = do_getcwd,
	[CALL_sched_yield] = do_yield, [CALL_aio_waitcomplete] = do_aio_waitcomplete,
	[CALL_thr_exit] = do_thr_exit, [CALL_thr_self] = do_thr_self,
	[CALL_thr_new] = do_thr_new, [CALL_pread] = do_pread, [CALL_pwrite] = do_pwrite,
	[CALL_mmap] = do_mmap, [CALL_lseek] = do_lseek, [CALL_ftruncate] = do_ftruncate,
	[CALL_fstat] = do_fstat, [CALL_aio_writev] = do_aio_writev,
	[CALL_aio_readv] = do_aio_readv,
};

/* Behind a call's number, in an indirect one: the last argument is on the stack. */
static u64 last_argument(const struct frame *frame)
{
	return is_user(frame->rsp + 8, 8) ? *(u64 *)(frame->rsp + 8) : 0;
}

bool system_call(struct frame *frame)
{
	u64 argument[7] = {frame->rdi, frame->rsi, frame->rdx, frame->rcx, frame->r8, frame->r9};
	const u64 *first = argument;
	u64 number = frame->rax;
	s64 result = -ENOSYS;

	current->by_iret = false;
	if (number == CALL_syscall || number == CALL___syscall) {
		argument[6] = last_argument(frame);
		number = *first++;
	}
	if (number < CALLS && calls[number])
		result = calls[number](frame, first);
	if (number == CALL_execve && result == EXECUTED)
		return true;
	frame->rax = result < 0 ? -result : result;
	frame->flags = result < 0 ? frame->flags | CARRY : frame->flags & ~CARRY;
	return current->by_iret;
}
