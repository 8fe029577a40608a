/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ptrace loop of the host recorder.
 *
 *   command --- seccomp filter (filter.c) --> stop --> wait --> host_call_enter()
 *        ^                                                          |
 *        +---- PTRACE_SYSCALL ... stop at the exit --> host_call_leave() +--> ring
 *
 * The loop runs in a thread of its own, because waitpid() with __WNOTHREAD
 * then sees the traced threads and nothing of the recorder's other children.
 * Children are traced from their first instruction on; PTRACE_O_EXITKILL ends
 * them all if the recorder dies. Every ptrace() request may fail because the
 * thread was killed meanwhile: that is no error, its end is reported to wait.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/host/calls_host.h"
#include "capture/host/mapped.h"
#include "common/error.h"

#define TRACE_OPTIONS                                                                             \
	(PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

/* With PTRACE_O_TRACESYSGOOD, how a stop at a system call's exit is told from a SIGTRAP. */
#define SYSCALL_STOP (SIGTRAP | 0x80)

/* How a 32-bit program looks: arch/x86/include/asm/segment.h, syscall_32.tbl. */
#define COMPAT_SEGMENT 0x23
#define COMPAT_CLONE   120

/*
 * Who gets the signals that the recorder is sent: the command, and after its
 * end any process that is left. Read by a signal handler.
 */
static volatile pid_t signal_target;
static volatile sig_atomic_t forwarded_signal;

void tracer_forward_signal(int signal)
{
	int saved = errno;

	forwarded_signal = signal;
	if (signal_target > 0)
		kill(signal_target, signal);
	errno = saved;
}

static void go_on(struct thread *thread, int signal)
{
	thread->held_from_ns = 0;
	if (thread->process->mapped && !thread->stops_at_end)
		thread->stops_at_end = !ptrace(PTRACE_SETOPTIONS, thread->tid, NULL,
					       (void *)(TRACE_OPTIONS | PTRACE_O_TRACEEXIT));
	ptrace(thread->call.row ? PTRACE_SYSCALL : PTRACE_CONT, thread->tid, NULL,
	       (void *)(intptr_t)signal);
}

static void look_at_fs_base(struct thread *thread)
{
	if (!thread->fs_base) /* set once, when the C library starts */
		thread->fs_base = ptrace(PTRACE_PEEKUSER, thread->tid,
					 offsetof(struct user_regs_struct, fs_base), NULL);
}

static void look_at_registers(struct thread *thread, struct user_regs_struct *registers)
{
	memset(registers, 0, sizeof(*registers));
	ptrace(PTRACE_GETREGS, thread->tid, NULL, registers);
	thread->stack = registers->rsp;
	thread->fs_base = registers->fs_base;
}

static void skip_call(struct thread *thread, int64_t result)
{
	ptrace(PTRACE_POKEUSER, thread->tid, offsetof(struct user_regs_struct, orig_rax),
	       (void *)-1);
	ptrace(PTRACE_POKEUSER, thread->tid, offsetof(struct user_regs_struct, rax),
	       (void *)result);
}

/* False if the thread must stay where it is until another one's call has ended. */
static bool handle_entry(struct tracer *tracer, struct thread *thread)
{
	struct __ptrace_syscall_info info;
	enum after_entry after;
	int64_t result;
	enum call call;

	if (!tracer->monitoring ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, thread->tid, sizeof(info), &info) <= 0)
		return true;
	if (info.arch != AUDIT_ARCH_X86_64) {
		tracer->foreign_calls++;
		return true;
	}
	call = call_by_number(ABI_LINUX64, info.seccomp.nr);
	if (call == CALL_NONE || !host_calls[call].stop) {
		tracer->foreign_calls++; /* x32 */
		return true;
	}
	host_call_abandon(tracer, thread);
	thread->stack = info.stack_pointer;
	look_at_fs_base(thread);
	thread_clock(thread);
	thread->call.number = info.seccomp.nr;
	memcpy(thread->call.argument, info.seccomp.args, sizeof(thread->call.argument));
	after = host_call_enter(tracer, thread, call, &result);
	if (after == CALL_MUST_BE_SKIPPED)
		skip_call(thread, result);
	return after != CALL_MUST_WAIT;
}

static void set_waiting(struct tracer *tracer, struct thread *thread, bool waits)
{
	tracer->waiting += waits - thread->waits;
	thread->waits = waits;
}

/* A call has ended: those that waited for it try again. */
static void wake_waiting(struct tracer *tracer)
{
	for (unsigned i = 0; i < THREAD_BUCKETS && tracer->waiting; i++)
		for (struct thread *thread = tracer->buckets[i]; thread; thread = thread->next) {
			if (!thread->waits || !handle_entry(tracer, thread))
				continue;
			set_waiting(tracer, thread, false);
			go_on(thread, 0);
		}
}

static void handle_exit(struct tracer *tracer, struct thread *thread)
{
	struct __ptrace_syscall_info info;

	if (!thread->call.row ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, thread->tid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_EXIT)
		return;
	thread->stack = info.stack_pointer;
	thread_clock(thread);
	host_call_leave(tracer, thread, info.exit.rval);
}

static uint64_t new_space(struct tracer *tracer)
{
	return ++tracer->spaces;
}

static void handle_stop(struct tracer *tracer, struct thread *thread, int status);

/* The flags, stack and TLS that the call which made a child was given. */
static void describe_child(const struct thread *parent, const struct user_regs_struct *registers,
			   struct fork_event *fork)
{
	struct clone_args arguments = {0};

	if (registers->cs == COMPAT_SEGMENT) {
		if (registers->orig_rax == COMPAT_CLONE)
			arguments.flags = registers->rbx & ~(uint64_t)CSIGNAL;
	} else if (registers->orig_rax == (unsigned)call_number(ABI_LINUX64, CALL_clone)) {
		arguments.flags = registers->rdi & ~(uint64_t)CSIGNAL;
		arguments.stack = registers->rsi;
		arguments.tls = registers->r8;
	} else if (registers->orig_rax == (unsigned)call_number(ABI_LINUX64, CALL_clone3)) {
		memory_read(parent, registers->rdi, &arguments,
			    registers->rsi < sizeof(arguments) ? registers->rsi
							       : sizeof(arguments));
		arguments.stack += arguments.stack_size;
	} else if (registers->orig_rax == (unsigned)call_number(ABI_LINUX64, CALL_vfork)) {
		arguments.flags = CLONE_VFORK | CLONE_VM;
	}
	fork->flags = arguments.flags;
	fork->child_stack = arguments.stack ? arguments.stack : registers->rsp;
	fork->child_fs_base = arguments.flags & CLONE_SETTLS ? arguments.tls : registers->fs_base;
}

/* Makes the child one of the process of its parent, or of a new one like that. 0 or -1. */
static int join(struct tracer *tracer, struct thread *child, struct thread *parent, uint64_t flags)
{
	if (flags & CLONE_THREAD) {
		child->process = parent->process;
		child->process->threads++;
		return 0;
	}
	child->process = process_new(child->tid,
				     flags & CLONE_VM ? parent->process->space : new_space(tracer),
				     parent->process);
	if (!child->process)
		return fail("Out of memory for traced process %d; record a smaller command",
			    child->tid);
	return 0;
}

static void handle_child(struct tracer *tracer, struct thread *parent)
{
	struct user_regs_struct registers;
	struct thread *child;
	struct event event;
	unsigned long tid = 0;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &tid) < 0)
		return;
	child = thread_find(tracer, tid);
	if (!child)
		child = thread_new(tracer, tid);
	else if (child->state != THREAD_UNCLAIMED)
		return;
	tracer->broken = tracer->broken || !child;
	if (!child)
		return;
	event_init(&event, EVENT_FORK);
	look_at_registers(parent, &registers);
	thread_clock(parent);
	describe_child(parent, &registers, &event.fork);
	if (join(tracer, child, parent, event.fork.flags) < 0) {
		tracer->broken = true;
		thread_free(tracer, child);
		return;
	}
	child->stack = event.fork.child_stack;
	child->fs_base = event.fork.child_fs_base;
	event.fork.child_pid = child->process->pid;
	event.fork.child_tid = tid;
	event.fork.child_space = child->process->space;
	emit_event(tracer, parent, &event);
	if (child->state != THREAD_UNCLAIMED)
		return; /* calloc() made it THREAD_EXPECTED */
	child->state = THREAD_LIVE;
	handle_stop(tracer, child, child->first_status);
}

/* Another program: a new address space, and all other threads are gone. */
static void handle_exec(struct tracer *tracer, struct thread *thread)
{
	char link[32], path[PATH_MAX];
	struct user_regs_struct registers;
	struct event event;
	ssize_t bytes;

	thread->process->space = new_space(tracer);
	process_forget(thread->process, 0, UINT_MAX - 1);
	thread->process->submitted_count = 0;
	thread->process->ring_count = 0;
	thread->process->mapped = false;
	if (executes_recorded(tracer, thread))
		mapped_begin(tracer, thread);
	look_at_registers(thread, &registers);
	thread_clock(thread);
	if (!tracer->monitoring) {
		tracer->monitoring = true;
		emit_snapshot(tracer, thread);
		return;
	}
	snprintf(link, sizeof(link), "/proc/%d/exe", thread->process->pid);
	bytes = readlink(link, path, sizeof(path));
	event_init(&event, EVENT_EXEC);
	event.exec.name = (struct text){.at = path, .count = bytes < 0 ? 0 : bytes};
	emit_event(tracer, thread, &event);
}

/* True if that was the last thread of its process. */
static bool end_thread(struct tracer *tracer, struct thread *thread, int status)
{
	struct process *process = thread->process;
	struct event event;

	host_call_abandon(tracer, thread);
	set_waiting(tracer, thread, false);
	event_init(&event, EVENT_GONE);
	event.gone.status = status;
	event.gone.last_thread = process->threads == 1;
	if (tracer->monitoring)
		emit_event(tracer, thread, &event);
	thread_free(tracer, thread);
	return process_leave(process);
}

/*
 * A thread that is not its process's leader executed a program: it took over
 * the leader's id, and the leader is gone without any report of its own.
 */
static struct thread *take_over_leader(struct tracer *tracer, struct thread *leader)
{
	unsigned long former = 0;
	struct thread *thread;

	if (ptrace(PTRACE_GETEVENTMSG, leader->tid, NULL, &former) < 0 ||
	    (pid_t)former == leader->tid)
		return leader;
	thread = thread_find(tracer, former);
	if (!thread)
		return leader;
	end_thread(tracer, leader, 0);
	thread_rename(tracer, thread, thread->process->pid);
	return thread;
}

static struct thread *any_thread(struct tracer *tracer)
{
	for (unsigned i = 0; i < THREAD_BUCKETS; i++)
		for (struct thread *thread = tracer->buckets[i]; thread; thread = thread->next)
			if (thread->process)
				return thread;
	return NULL;
}

/* A number of /proc/TID/status, by its label; 0 if the thread is gone. */
static pid_t status_number(pid_t tid, const char *label)
{
	char path[64], line[128];
	size_t bytes = strlen(label);
	pid_t number = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (!number && fgets(line, sizeof(line), file))
		if (!strncmp(line, label, bytes))
			number = atoi(line + bytes);
	fclose(file);
	return number;
}

/*
 * A creator that is killed at the wrong moment never reports its child, which
 * would then wait for ever to be claimed: it becomes a process of its own.
 */
static void adopt(struct tracer *tracer, struct thread *child)
{
	child->process = process_new(child->tid, new_space(tracer), NULL);
	if (!child->process) {
		tracer->broken = true;
		return;
	}
	child->state = THREAD_LIVE;
	if (WIFSTOPPED(child->first_status))
		emit_snapshot(tracer, child);
	handle_stop(tracer, child, child->first_status);
}

/* The process has ended: children that it can't report any more. */
static void adopt_children_of(struct tracer *tracer, pid_t pid)
{
	for (unsigned i = 0; i < THREAD_BUCKETS; i++)
		for (struct thread *thread = tracer->buckets[i]; thread; thread = thread->next)
			if (thread->state == THREAD_UNCLAIMED && thread->creator == pid) {
				adopt(tracer, thread);
				adopt_children_of(tracer, pid);
				return; /* the list has changed */
			}
}

static void handle_end(struct tracer *tracer, struct thread *thread, int status)
{
	pid_t pid = thread->process->pid;

	if (thread->tid == tracer->command)
		tracer->status = status;
	if (end_thread(tracer, thread, status))
		adopt_children_of(tracer, pid);
	wake_waiting(tracer);
	thread = thread_find(tracer, tracer->command);
	if (!thread)
		thread = any_thread(tracer);
	signal_target = thread ? thread->process->pid : 0;
	/* What the user wanted to end is not only the command. */
	if (signal_target > 0 && signal_target != tracer->command && forwarded_signal)
		kill(signal_target, forwarded_signal);
}

/* The process's memory goes with its last thread; if all end together, the leader's will do. */
static void look_before_end(struct tracer *tracer, struct thread *thread)
{
	static const struct mapped_part all = {.end = UINT64_MAX};

	if (thread->process->threads == 1 || thread->tid == thread->process->pid)
		mapped_tell(tracer, thread, &all);
}

static bool stops_group(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* A stop that is no signal's: 0 if the thread must stay in it. */
static bool handle_event(struct tracer *tracer, struct thread **thread, int event, int signal)
{
	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		set_waiting(tracer, *thread, !handle_entry(tracer, *thread));
		return !(*thread)->waits;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		handle_child(tracer, *thread);
		return true;
	case PTRACE_EVENT_EXEC:
		*thread = take_over_leader(tracer, *thread);
		handle_exec(tracer, *thread);
		return true;
	case PTRACE_EVENT_EXIT:
		look_before_end(tracer, *thread);
		return true;
	case PTRACE_EVENT_STOP:
		if (!stops_group(signal))
			return true;
		ptrace(PTRACE_LISTEN, (*thread)->tid, NULL, NULL);
		return false;
	}
	return true;
}

static void handle_stop(struct tracer *tracer, struct thread *thread, int status)
{
	int event = status >> 16, signal;

	if (!WIFSTOPPED(status)) {
		handle_end(tracer, thread, status);
		return;
	}
	signal = WSTOPSIG(status);
	thread->state = THREAD_LIVE;
	thread->held_from_ns = monotonic_ns();
	if (event) {
		if (handle_event(tracer, &thread, event, signal))
			go_on(thread, 0);
	} else if (signal == SYSCALL_STOP) {
		handle_exit(tracer, thread);
		go_on(thread, 0);
		wake_waiting(tracer);
	} else {
		go_on(thread, signal);
	}
}

/* What wait said of a thread that nobody has told of yet. */
static void keep_unclaimed(struct tracer *tracer, pid_t tid, int status)
{
	struct thread *thread = thread_new(tracer, tid);

	if (!thread) {
		tracer->broken = true;
		return;
	}
	thread->state = THREAD_UNCLAIMED;
	thread->first_status = status;
	thread->creator = status_number(tid, "Tgid:");
	if (thread->creator == tid)
		thread->creator = status_number(tid, "PPid:");
	if (!thread_find(tracer, thread->creator))
		adopt(tracer, thread);
}

static void kill_all(struct tracer *tracer)
{
	for (unsigned i = 0; i < THREAD_BUCKETS; i++)
		for (struct thread *thread = tracer->buckets[i]; thread; thread = thread->next)
			kill(thread->tid, SIGKILL);
}

static void handle_wait(struct tracer *tracer, pid_t tid, int status)
{
	struct thread *thread = thread_find(tracer, tid);

	if (!thread)
		keep_unclaimed(tracer, tid, status);
	else if (thread->state == THREAD_UNCLAIMED)
		thread->first_status = status; /* killed before it was claimed */
	else
		handle_stop(tracer, thread, status);
}

/* Until everything has ended. */
static void trace_all(struct tracer *tracer)
{
	int status;
	pid_t tid;

	for (;;) {
		tid = waitpid(-1, &status, __WALL | __WNOTHREAD);
		if (tid < 0 && errno != EINTR)
			return; /* ECHILD */
		if (tid > 0)
			handle_wait(tracer, tid, status);
		mapped_look_again(tracer);
		if (tracer->broken)
			kill_all(tracer);
	}
}

/* What the new process says through a pipe where it could not become the command. */
struct start_failure {
	int error;
	char step[32];
};

static void start_failed(int fd, int error, const char *step)
{
	struct start_failure failure = {.error = error};

	snprintf(failure.step, sizeof(failure.step), "%s", step);
	/* Nobody is left to hear that even this failed. */
	if (write(fd, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

/* In the new process, once it is traced. */
static void become_command(const struct tracer_options *options, const sigset_t *mask, int go_fd,
			   int failure_fd)
{
	char byte;
	int error;

	if (read(go_fd, &byte, 1) != 1)
		_exit(127);
	if (chdir(options->folder) < 0)
		start_failed(failure_fd, errno, "enter the folder of");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	error = filter_load();
	if (error)
		start_failed(failure_fd, -error, "load the seccomp filter of");
	execvp(options->command[0], options->command);
	start_failed(failure_fd, errno, "execute");
}

/* 0 with the command waiting at go_fd, or -1 after saying what is wrong. */
static int fork_command(struct tracer *tracer, const sigset_t *mask, const int *go,
			const int *failure)
{
	pid_t pid = fork();

	if (pid < 0)
		return fail_errno(errno, "The command can't be started because fork() failed");
	if (!pid) {
		close(go[1]);
		become_command(tracer->options, mask, go[0], failure[1]);
	}
	tracer->command = pid;
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)TRACE_OPTIONS) < 0) {
		fail_errno(errno, "The command can't be traced: ptrace() has to be allowed "
				  "(CAP_SYS_PTRACE, kernel.yama.ptrace_scope)");
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -1;
	}
	return 0;
}

static struct thread *register_command(struct tracer *tracer)
{
	struct thread *thread = thread_new(tracer, tracer->command);

	if (!thread)
		return NULL;
	thread->state = THREAD_LIVE;
	thread->process = process_new(tracer->command, new_space(tracer), NULL);
	if (thread->process)
		return thread;
	fail("Out of memory for the command; record a smaller one");
	thread_free(tracer, thread);
	return NULL;
}

/* 0, or -1 after saying what kept the command from starting. */
static int check_started(const struct tracer *tracer, int failure_fd)
{
	struct start_failure failure;

	if (tracer->monitoring)
		return 0;
	if (read(failure_fd, &failure, sizeof(failure)) != sizeof(failure))
		return fail("The command was killed before it could start; run it again");
	return fail_errno(failure.error,
			  "Can't %.32s the command %s (in %s); check that it runs "
			  "there without the recorder",
			  failure.step, tracer->options->command[0], tracer->options->folder);
}

/* The threads' descriptors are many; the command's own limit stays what it was. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void emit_count(struct tracer *tracer, const char *name, uint64_t count)
{
	struct event event;
	char text[24];

	if (!count)
		return;
	event_init(&event, EVENT_ATTRIBUTE);
	event.attribute.name = (struct text){.at = name, .count = strlen(name)};
	event.attribute.value.at = text;
	event.attribute.value.count = snprintf(text, sizeof(text), "%" PRIu64, count);
	emit_event(tracer, NULL, &event);
}

static int run_command(struct tracer *tracer, const sigset_t *mask, const int *go,
		       const int *failure)
{
	if (fork_command(tracer, mask, go, failure) < 0)
		return -1;
	if (!register_command(tracer)) {
		kill(tracer->command, SIGKILL);
		tracer->broken = true;
	}
	raise_descriptor_limit();
	signal_target = tracer->command;
	if (write(go[1], "", 1) != 1)
		kill(tracer->command, SIGKILL);
	trace_all(tracer);
	mapped_end(tracer);
	signal_target = 0;
	if (tracer->broken)
		return -1;
	emit_count(tracer, "calls_not_covered", tracer->foreign_calls);
	emit_count(tracer, "chunks_skipped", tracer->skipped_chunks);
	if (tracer->options->watch)
		emit_count(tracer, "page_looks_late",
			   page_watch_late(tracer->options->watch));
	if (tracer->foreign_calls)
		warn("%" PRIu64 " system calls of 32-bit programs are not in the trace",
		     tracer->foreign_calls);
	return check_started(tracer, failure[0]);
}

static void close_pipe(int *pipe)
{
	close(pipe[0]);
	close(pipe[1]);
}

static int start(struct tracer *tracer, const sigset_t *mask)
{
	int go[2], failure[2], result;

	if (pipe2(go, O_CLOEXEC) < 0)
		return fail_errno(errno, "The command can't be started without a pipe");
	if (pipe2(failure, O_CLOEXEC | O_NONBLOCK) < 0) {
		fail_errno(errno, "The command can't be started without a pipe");
		close_pipe(go);
		return -1;
	}
	result = run_command(tracer, mask, go, failure);
	close_pipe(failure);
	close_pipe(go);
	return result;
}

struct tracer_thread {
	struct tracer *tracer;
	sigset_t mask; /* of the caller, for the command */
	int result;
};

static void *tracer_main(void *argument)
{
	struct tracer_thread *thread = argument;

	thread->result = start(thread->tracer, &thread->mask);
	return NULL;
}

/*
 * In a thread in which no signal handler runs. Without SA_NOCLDSTOP every stop
 * would send SIGCHLD to the recorder and wake another of its threads.
 */
static int run_thread(struct tracer *tracer)
{
	struct tracer_thread argument = {.tracer = tracer};
	struct sigaction child_signal, former;
	sigset_t all;
	pthread_t thread;
	int error;

	sigaction(SIGCHLD, NULL, &former);
	child_signal = former;
	child_signal.sa_flags |= SA_NOCLDSTOP;
	sigaction(SIGCHLD, &child_signal, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &argument.mask);
	error = pthread_create(&thread, NULL, tracer_main, &argument);
	pthread_sigmask(SIG_SETMASK, &argument.mask, NULL);
	if (error)
		fail_errno(error, "The tracer's thread can't be started");
	else
		pthread_join(thread, NULL);
	sigaction(SIGCHLD, &former, NULL);
	return error ? -1 : argument.result;
}

int trace_command(const struct tracer_options *options, int *status)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));
	int result = -1;

	if (!tracer)
		return fail("Out of memory for the tracer");
	tracer->options = options;
	tracer->chunker = chunker_new();
	forwarded_signal = 0;
	if (tracer->chunker)
		result = run_thread(tracer);
	else
		fail("Out of memory for the tracer");
	*status = tracer->status;
	chunker_free(tracer->chunker);
	free(tracer->sums);
	free(tracer->written);
	free(tracer->numbers);
	free(tracer);
	return result;
}
