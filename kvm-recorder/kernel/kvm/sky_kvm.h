/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sky's state beside KVM's: virtual machines, virtual CPUs, monitored processes,
 * their files and mappings, and calls under way.
 *
 * A process is an address space (paper, section 3.1.1); a call under way is found
 * by address space, user stack pointer and thread pointer, on whatever virtual
 * CPU it returns (section 4.2). All of a virtual machine's tables are under its
 * one lock; the guest's memory is read and hashed without it.
 *
 * Nothing a guest does makes these tables grow beyond the limits below.
 */
#ifndef __KVM_X86_SKY_KVM_H
#define __KVM_X86_SKY_KVM_H

#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "sky.h"
#include "sky_hash.h"
#include "sky_source.h"

#define SKY_PROCESSES_MAX 1024
#define SKY_CALLS_MAX	  8192
#define SKY_FORKS_MAX	  256
#define SKY_FILES_MAX	  4096 /* of a process */
#define SKY_THREADS_MAX	  4096 /* of a process */
/*
 * Files, threads and reads of all processes: a guest that tells of numbers far apart
 * has each of them take up to 4 KiB.
 */
#define SKY_ENTRIES_MAX	  32768
#define SKY_CANDIDATES	  8
#define SKY_UNKNOWN	  64 /* spaces that were loaded last and are no process's */
#define SKY_LEFT	  64 /* and of those that ended last */
#define SKY_RINGS	  8 /* of a process */
#define SKY_INSIGHTS	  16 /* sequences of insight-calls at a time in a process */
/* Of a copy within the guest's kernel, at a time: a longer one is made a short one. */
#define SKY_COPY_BYTES	  (8u << 20)
#define SKY_COPIES_MAX	  64 /* under way: each takes about 70 KiB */
#define SKY_COPY_CHUNKS	  (SKY_COPY_BYTES / SKY_CHUNK_BYTES + 8)
#define SKY_AREAS_MAX	  1024 /* of a process; of a virtual machine: */
#define SKY_VM_AREAS_MAX  65536
#define SKY_PAGES_MAX	  BIT(18) /* of a virtual machine: 1 GiB of mapped files */
#define SKY_FAULTS_MAX	  16 /* of a process */
#define SKY_IRETS_MAX	  4 /* as many as there are debug registers */
#define SKY_WORDS_MAX	  (SKY_LENGTHS_MAX + SKY_REQUESTS_MAX * SKY_REQUEST_WORDS)
/* Of a call: then its buffer is taken to be none. */
#define SKY_UNREAD_MAX	  256
/* A child that hasn't come by then was killed before it ran. */
#define SKY_FORK_NS (10ull * NSEC_PER_SEC)
/* How often page tables of mapped files are looked at. */
#define SKY_LOOK_MS 100

/* Counted for each virtual machine; debugfs has them by these names. */
enum sky_counter {
	SKY_COUNT_exit_syscall, /* exits of the virtual CPU for Sky's sake, by kind */
	SKY_COUNT_exit_int80,
	SKY_COUNT_exit_sysenter,
	SKY_COUNT_exit_sysret,
	SKY_COUNT_exit_iret_call, /* the end of a call */
	SKY_COUNT_exit_iret_interrupt, /* to user mode, of anything else */
	SKY_COUNT_exit_iret_kernel,
	SKY_COUNT_exit_iret_native, /* left to the hardware: a return may be missed */
	SKY_COUNT_exit_space,
	SKY_COUNT_exit_hypercall,
	SKY_COUNT_exit_idle, /* an instruction that needs no emulation any more */
	SKY_COUNT_exit_fault, /* page faults of processes with shared mappings */
	SKY_COUNT_faults_mapped, /* ... in one of these */
	SKY_COUNT_faults_unseen, /* ... whose page was not there in the end: left to the looks */
	SKY_COUNT_calls,
	SKY_COUNT_returns,
	SKY_COUNT_returns_split, /* on another virtual CPU than the entry */
	SKY_COUNT_restarts,
	SKY_COUNT_abandoned, /* calls that never returned: another one took their place */
	SKY_COUNT_calls_refused, /* no room to remember them */
	SKY_COUNT_returns_unwatched, /* begun while those by IRET could not be seen */
	SKY_COUNT_returns_unknown, /* to user mode, of no call: interrupts, signal handlers */
	SKY_COUNT_compat, /* calls of 32-bit programs */
	SKY_COUNT_uncovered, /* io_uring: what is not followed */
	SKY_COUNT_completions, /* found in the process's memory */
	SKY_COUNT_insights,
	SKY_COUNT_insights_joined, /* whose return was made the next entry: one exit, not two */
	SKY_COUNT_insights_refused, /* seccomp, or a tracer */
	SKY_COUNT_insights_busy, /* other threads were being asked */
	SKY_COUNT_insights_given_up, /* there was always more to ask before one call */
	SKY_COUNT_insights_left, /* whose thread went on elsewhere */
	SKY_COUNT_handlers, /* within insight-calls, that were shown the call's registers */
	SKY_COUNT_handlers_unreached, /* ... were not: their frame was not in memory */
	SKY_COUNT_descriptors_left, /* that insight-calls opened and none may close */
	SKY_COUNT_neighbours, /* chunks read because a call covers them in part */
	SKY_COUNT_neighbours_unread,
	SKY_COUNT_writes_beside, /* to where a file stood or ended, at the same time as others */
	SKY_COUNT_copies, /* within the guest's kernel, whose data was read before */
	SKY_COUNT_copies_unread,
	SKY_COUNT_strangers, /* address spaces whose program was read from their memory */
	SKY_COUNT_strangers_asked, /* ... or that were asked their number: two exits each */
	SKY_COUNT_strangers_refused, /* ... or were not, for they might be under seccomp */
	SKY_COUNT_calls_outside, /* on files that are not selected: not recorded */
	SKY_COUNT_chunks,
	SKY_COUNT_chunks_unread,
	SKY_COUNT_texts_unread,
	SKY_COUNT_processes,
	SKY_COUNT_processes_refused,
	SKY_COUNT_processes_vanished,
	SKY_COUNT_entries_refused, /* files, threads and reads for which there was no room */
	SKY_COUNT_children_lost, /* forks whose child was not found */
	SKY_COUNT_hypercalls_refused,
	SKY_COUNT_areas, /* mappings of files */
	SKY_COUNT_areas_refused,
	SKY_COUNT_pages_appeared, /* of mapped files */
	SKY_COUNT_pages_gone,
	SKY_COUNT_pages_refused,
	SKY_COUNT_pages_moved, /* by the host, to another frame, while they were mapped */
	SKY_COUNT_pages_unheld, /* dirty when they went, and may be moved before they are written */
	SKY_COUNT_looks,
	SKY_COUNT_records_lost,
	SKY_COUNTERS
};

/* An open file; shared by descriptors and processes as the guest shares it. */
struct sky_file {
	unsigned int references;
	bool append;
	bool told; /* an insight-call has asked which it is */
	bool regular;
	u32 flags; /* of open(), where it was told */
	bool read_only;
	u32 mode; /* 0: not known */
	u64 device, inode;
	bool outside; /* it is known not to be one of those that are recorded */
	u64 position, end; /* SKY_OFFSET_UNKNOWN; with what is claimed */
	u32 claims, claims_ever; /* writes under way to where it stands, or ends; and begun */
	u64 asked; /* the chunk that was read last because a read ended in it */
	/* The chunk that the last call ended in: its checksum's state up to run_offset. */
	u64 run_offset, run_state;
};

struct sky_files {
	struct sky_vm *vm;
	unsigned int references;
	unsigned int count;
	struct xarray at; /* struct sky_file, by descriptor */
};

/* Part of a space that shows a file. */
struct sky_area {
	struct list_head of_process, all;
	struct list_head pages; /* that are there (sky_mapped.c) */
	struct sky_vm *vm;
	struct sky_process *process;
	u64 from, until; /* addresses */
	u64 device, inode; /* 0, 0: not known */
	u64 index; /* of the file's page at `from` */
	u64 next; /* where the look at its page tables goes on */
	u32 sweep; /* how often that was through */
	bool blind; /* not all of it could be seen this time */
	bool shared; /* and may be written: what the process writes goes to the file */
};

/* A page fault in a shared mapping that has not returned yet. */
struct sky_fault {
	u64 address, fs_base, since_ns;
	bool write;
};

enum sky_step {
	SKY_STEP_BUFFER,
	SKY_STEP_PID,
	SKY_STEP_TID,
	SKY_STEP_TOUCH,
	SKY_STEP_CWD,
	SKY_STEP_EXE,
	SKY_STEP_STAT,
	SKY_STEP_FLAGS,
	SKY_STEP_SEEK,
	SKY_STEP_NAME,
	SKY_STEP_OPEN,
	SKY_STEP_ADVISE,
	SKY_STEP_HEAD,
	SKY_STEP_SOURCE,
	SKY_STEP_TAIL,
	SKY_STEP_CLOSE,
};

/* A call that is put to the guest; what it doesn't use of its arguments is free. */
struct sky_question {
	u32 number;
	u64 argument[6];
};

/*
 * What a call leaves of the first and the last chunk that it covers, read into
 * the buffer for answers.
 */
struct sky_content {
	bool planned;
	u8 rounds; /* sequences of insight-calls before the call so far */
	u64 offset; /* what was planned for */
	u64 touch; /* the page where a text begins that was not in memory */
	int fd, own_fd; /* own_fd: the file once more, for reading; -1 */
	u64 head, tail; /* the chunks' places in the file */
	u64 head_address, tail_address;
	s32 head_bytes, tail_bytes; /* how many of them there are; -1: not known */
	struct sky_copy *copy;
};

enum sky_insight_state {
	SKY_INSIGHT_FREE,
	SKY_INSIGHT_ASKS, /* the thread has the registers of an insight-call */
	SKY_INSIGHT_PAUSES, /* a handler runs in between; the thread has its own ones */
	SKY_INSIGHT_LEFT, /* it has gone on elsewhere, as it seems, and may come back with those */
	SKY_INSIGHT_HELD, /* all is asked, and the call is about to begin or to return */
};

/* A sequence of insight-calls: before a call of a thread, or before that returns. */
struct sky_insight {
	enum sky_insight_state state;
	bool at_return;
	bool resumes; /* the handler has returned */
	bool seeks;
	u64 cookie; /* in an argument that no question uses: these are its registers */
	u64 stack, fs_base, rip; /* of the thread that is asked */
	u64 frame; /* of the handler; 0: none */
	u64 rax, argument[6]; /* of its own call */
	u64 rcx, r11; /* which calls change */
	u64 rbx; /* where FreeBSD's cookie is */
	u32 step, steps; /* put now; still to be put */
	int fd;
	u64 buffer; /* for answers; 0: none yet */
	struct sky_insight_record record; /* what is known so far */
	struct sky_content content;
	struct sky_call *after; /* the call that is kept from returning */
};

/* A ring of completions in the process's memory: libaio's, or io_uring's with its requests. */
struct sky_ring_of {
	bool uring;
	bool single; /* both of io_uring's rings are mapped at once */
	int fd;
	u32 seen; /* completions from here on are not told of yet */
	u64 at; /* libaio's ring; io_uring's of submissions */
	u64 completion_ring, requests; /* 0: not mapped */
	u32 entries, completions;
	u32 entry_bytes, completion_bytes;
	u32 head_at, tail_at, array_at; /* in the ring of submissions */
	u32 completion_tail_at, completions_at;
};

/* An asynchronous read under way: where its data will be. */
struct sky_read {
	u64 buffer, bytes, offset;
	bool vector; /* `bytes` buffers lie there */
};

struct sky_process {
	struct sky_vm *vm;
	struct hlist_node by_space;
	u64 space;
	u64 stack; /* some stack of it, and what the top page table has there */
	u64 stack_table;
	u32 pid; /* 0: not known */
	u32 users; /* processes that share the space (CLONE_VM), with this */
	u32 threads; /* that were made since it is monitored */
	u32 threads_known;
	bool older; /* than its monitoring: it may have threads that nobody has seen begin */
	u32 calls; /* under way in the space */
	bool listed; /* in by_space */
	struct xarray thread_ids; /* by thread pointer >> 3 */
	u64 latest_fs_base; /* the thread that was looked up last, mostly the next, too */
	u32 latest_id; /* 0: none */
	struct sky_files *files;
	/*
	 * Children of vfork() have the space, and one thread of it, until they execute
	 * a program: they are their host's guests, told by the thread pointer.
	 */
	struct list_head guests, of_host;
	struct sky_process *host;
	u64 fs_base;
	struct sky_fork *birth; /* while it, or its number, is not known */
	struct sky_fork *exec; /* of a program */
	bool placed; /* its folder and program were asked for */
	bool strict; /* must not make calls of other people's */
	bool unasked; /* has no buffer for answers */
	bool joined; /* it was under way when monitoring began: what it holds is not known */
	bool locks; /* files, which lose that when a descriptor of theirs is closed */
	u32 asks; /* sequences of insight-calls whose thread is in one */
	u32 insights; /* that are not free */
	struct sky_insight insight[SKY_INSIGHTS];
	struct xarray reads; /* asynchronous, by control block or user_data (sky_aio.c) */
	u32 read_count;
	u32 ring_count;
	struct sky_ring_of rings[SKY_RINGS];
	struct list_head areas; /* of its space */
	u32 area_count, shared_areas;
	struct sky_fault fault[SKY_FAULTS_MAX];
	u32 faults;
};

/* How many places for sequences of insight-calls are worth a look: mostly all are free. */
static inline unsigned int sky_insight_places(const struct sky_process *process)
{
	return process->insights ? SKY_INSIGHTS : 0;
}

/* A child, or a new program, whose address space is not known yet. */
struct sky_fork {
	struct list_head all;
	bool exec;
	bool watched; /* for an unknown space: counted in watchers */
	bool displaced; /* exec: the old space is somebody else's */
	bool found; /* the space is known */
	bool told; /* the parent's call has returned, or will not */
	bool recorded;
	u64 since_ns;
	u64 rip, stack, fs_base; /* where a child begins; rip 0: not known */
	u64 tid_at; /* where in its memory it has its number; 0: nowhere */
	u64 flags; /* of clone */
	u64 space; /* of the parent */
	u64 candidate[SKY_CANDIDATES]; /* exec: spaces that were loaded right after the old one */
	u32 candidates; /* ever */
	u32 fresh; /* a bit for each of them: never loaded before */
	struct sky_cpu parent;
	u64 child_space;
	u32 child_pid;
	struct sky_process *process; /* the child, or who executes */
	u32 path_bytes;
	char *path; /* exec */
};

struct sky_call {
	struct hlist_node by_thread;
	struct list_head age;
	u64 space, stack, fs_base;
	u64 rip, next_rip; /* 0: not known before it returns */
	/* As Linux has them; of other ABIs' calls those of the one that means the same. */
	u64 argument[6];
	u32 number;
	u64 raw_argument[6];
	u32 raw_number;
	u32 meant; /* in that ABI, where the number stands for another one */
	u16 abi, flags;
	bool outside; /* of what is recorded */
	int vcpu;
	u32 pid, tid;
	struct sky_process *process; /* whose */
	struct sky_process *owner; /* of the space */
	struct sky_file *file; /* that it reads or writes */
	struct sky_fork *fork;
	const struct sky_rule *rule;
	u64 offset; /* of its first byte in that file */
	u64 claimed; /* bytes that it will write there; 0: it says itself where to */
	u32 claim; /* its number among the file's */
	bool beside; /* others were under way: who was first isn't certain */
	struct sky_content content;
	bool shortened; /* a copy */
	bool has_rings; /* its process has */
	/* clone, clone3 */
	u64 clone_flags, child_stack, child_fs_base, child_tid_at;
};

/* The space of a process whose monitoring has ended, and by what its page table is known. */
struct sky_left {
	u64 space, stack, stack_table;
};

struct sky_vm {
	struct list_head all;
	struct kvm *kvm;
	unsigned int vcpus;
	struct list_head vcpu_list; /* under lock */
	struct mutex lock;
	bool monitoring;
	bool in_use; /* holds a count of sky_in_use */
	u16 abi; /* of the guest's system calls */
	bool abi_told; /* by the collector that records it now */
	bool by_breakpoint; /* returns by IRET are seen so */
	unsigned int process_count, call_count, fork_count;
	unsigned int entries; /* of what SKY_ENTRIES_MAX limits */
	unsigned int copy_count;
	unsigned int watchers; /* forks that wait for a space */
	u64 unknown[SKY_UNKNOWN];
	struct sky_left left[SKY_LEFT];
	u32 unknowns, lefts; /* ever */
	/* sky_select.c */
	struct list_head wishes;
	unsigned int exec_wishes, pid_wishes; /* of those */
	unsigned int stranger_count, debt_count;
	struct list_head debts;
	DECLARE_HASHTABLE(strangers, 8);
	bool pti; /* user and kernel mode have a CR3 each, bit 12 apart */
	/* Of the guest's kernel (sky_breakpoint.c): */
	u64 entry; /* of SYSCALL; 0: it was not looked at yet */
	u64 gate_80;
	u64 sysenter; /* where that goes; 0: nowhere */
	u64 iret[SKY_IRETS_MAX]; /* what may be IRETQ */
	unsigned int iret_count;
	bool iret_proven; /* the first of them returns to user mode */
	DECLARE_HASHTABLE(processes, 8);
	DECLARE_HASHTABLE(calls, 8);
	struct list_head calls_by_age;
	struct list_head forks;
	struct list_head areas; /* the one that is looked at next first */
	unsigned int area_count, page_count;
	struct list_head held; /* the oldest first */
	unsigned int held_count;
	struct hlist_head *pages_by_address, *pages_by_frame; /* NULL: no file was ever mapped */
	struct delayed_work look;
	u64 next_look_ns;
	struct dentry *counters_file;
	atomic64_t counter[SKY_COUNTERS];
};

struct sky_vcpu {
	struct hlist_node by_vcpu;
	struct list_head of_vm;
	struct kvm_vcpu *vcpu;
	struct sky_vm *vm;
	struct sky_source source;
	bool registered;
	/* Only the virtual CPU's own thread touches what follows. */
	bool hidden; /* EFER.SCE */
	bool faulting; /* page faults are intercepted */
	bool watching; /* for the first return to user mode in an unknown space */
	bool unmet; /* nobody has looked whose the loaded space is */
	bool asking; /* it is hidden for a stranger's sake */
	u64 space; /* loaded last, while monitoring */
	u64 breakpoint[KVM_NR_DB_REGS]; /* 0: not used */
	unsigned int breakpoints;
	u64 begun_ns; /* when the exit that is handled began */
	struct sky_call *spare; /* for the next call; NULL: to be allocated */
	u64 *sums; /* room for SKY_SUMS_MAX */
	u64 *words; /* room for a record's other arrays */
	char *path, *path2; /* room for SKY_PATH_BYTES */
};

/* What a call does with buffers and paths; argument numbers from 1, 0: none. */
struct sky_rule {
	u8 fd, fd2;
	u8 buffer, bytes; /* or: */
	u8 vector, vectors;
	u8 offset; /* none: the descriptor's position; a pointer where it is of a copy */
	u8 path, path2;
	u8 offset2; /* of fd2, as a pointer */
	bool reads, writes;
	u8 kind; /* enum sky_rule_kind */
};

enum sky_rule_kind {
	SKY_RULE_PLAIN,
	SKY_RULE_OPEN,
	SKY_RULE_CLOSE,
	SKY_RULE_CLOSE_RANGE,
	SKY_RULE_DUP,
	SKY_RULE_DUP2,
	SKY_RULE_FCNTL,
	SKY_RULE_SEEK,
	SKY_RULE_FORK,
	SKY_RULE_EXEC,
	SKY_RULE_EXIT,
	SKY_RULE_EXIT_GROUP,
	SKY_RULE_SIGRETURN,
	SKY_RULE_COPY, /* from fd to fd2 */
	SKY_RULE_CLONE,
	SKY_RULE_FORGET, /* moves the position by itself */
	SKY_RULE_TRUNCATE,
	SKY_RULE_MAP,
	SKY_RULE_UNMAP,
	SKY_RULE_REMAP,
	SKY_RULE_ADVISE,
	SKY_RULE_SECCOMP,
	SKY_RULE_PRCTL,
	SKY_RULE_ARCH_PRCTL,
	SKY_RULE_PTRACE,
	SKY_RULE_SUBMIT,
	SKY_RULE_EVENTS,
	SKY_RULE_AIO_SETUP,
	SKY_RULE_AIO_DESTROY,
	SKY_RULE_URING_SETUP,
	SKY_RULE_URING_ENTER,
};

static inline bool sky_is_freebsd(const struct sky_vm *vm)
{
	return vm->abi == SKY_ABI_FREEBSD64;
}

static inline void sky_count(struct sky_vm *vm, enum sky_counter counter)
{
	atomic64_inc(&vm->counter[counter]);
}

static inline void sky_count_more(struct sky_vm *vm, enum sky_counter counter, u64 more)
{
	if (more)
		atomic64_add(more, &vm->counter[counter]);
}

/* Exits are handled in another order than they begin: `since_ns` may be of one that began later. */
static inline u64 sky_passed_ns(const struct sky_vcpu *sky, u64 since_ns)
{
	return sky->begun_ns > since_ns ? sky->begun_ns - since_ns : 0;
}

/* With vm->lock. False: there is no room for one more. */
static inline bool sky_entry_take(struct sky_vm *vm)
{
	if (vm->entries >= SKY_ENTRIES_MAX) {
		sky_count(vm, SKY_COUNT_entries_refused);
		return false;
	}
	vm->entries++;
	return true;
}

static inline void sky_entries_give(struct sky_vm *vm, unsigned int count)
{
	vm->entries -= count;
}

/* sky_vm.c */
struct sky_vcpu *sky_vcpu_of(struct kvm_vcpu *vcpu);
u64 sky_space(const struct sky_vm *vm, u64 cr3);
u64 sky_space_now(struct sky_vcpu *sky);
/* Makes the hardware intercept what the loaded space asks for; with vm->lock. */
void sky_sync(struct sky_vcpu *sky);
void sky_sync_all(struct sky_vm *vm);
/* Lets the hardware do the IRET that was intercepted. */
void sky_iret_native(struct sky_vcpu *sky);
bool sky_recorded(const struct sky_vm *vm);

/* sky_process.c; all with vm->lock */
/* Spaces have got another name: that of vm->pti. */
void sky_processes_rename(struct sky_vm *vm);
void sky_calls_rename(struct sky_vm *vm);
struct sky_process *sky_process_in(struct sky_vm *vm, u64 space);
struct sky_process *sky_process_of(struct sky_vm *vm, u64 space, u64 fs_base);
/* For the loaded space; why: SKY_WHY_ASKED or SKY_WHY_SELECTED. */
int sky_process_begin(struct sky_vcpu *sky, const struct sky_cpu *cpu, u32 why);
void sky_process_end(struct sky_vcpu *sky, struct sky_process *process, u32 why);
/* Its space is somebody else's now. */
void sky_process_displaced(struct sky_vcpu *sky, struct sky_process *process);
void sky_processes_end_all(struct sky_vcpu *sky);
void sky_processes_free(struct sky_vm *vm);
u32 sky_thread_id(struct sky_process *process, u64 fs_base);
void sky_thread_told(struct sky_process *process, u64 fs_base, u32 tid);
void sky_thread_gone(struct sky_process *process, u64 fs_base);
/* Whether what is told of one more would be kept. */
bool sky_thread_room(const struct sky_process *process);
void sky_fork_begin(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call);
void sky_fork_seen(struct sky_vcpu *sky, struct sky_process *process);
void sky_fork_end(struct sky_vcpu *sky, struct sky_call *call, s64 result);
int sky_exec_begin(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call,
		   const char *path, u32 bytes);
/* The call that made it will not return as such. */
void sky_fork_orphan(struct sky_vcpu *sky, struct sky_call *call);
void sky_candidate(struct sky_vcpu *sky, u64 from, u64 to, bool unknown);
bool sky_process_in_doubt(const struct sky_process *process);
/* A return to user mode in a space that is not monitored: is it a child's first? */
bool sky_first_return(struct sky_vcpu *sky, u64 rip, u64 stack);
/* A return to user mode of a process that executes a program: does it begin, in the same space? */
bool sky_executed(struct sky_vcpu *sky, struct sky_process *process, u64 rip, u64 stack);
void sky_expire(struct sky_vcpu *sky);

/* sky_file.c; all with vm->lock */
struct sky_files *sky_files_new(struct sky_vm *vm);
struct sky_files *sky_files_copy(struct sky_files *files);
void sky_files_put(struct sky_files *files);
struct sky_file *sky_file_at(struct sky_process *process, int fd);
bool sky_file_room(const struct sky_process *process);
void sky_file_put(struct sky_file *file);
void sky_file_returned(struct sky_vm *vm, struct sky_process *process, const struct sky_call *call,
		       s64 result);

/* Not at an offset of its own, or at -1, which asks for the position, too (preadv2, pwritev2). */
bool sky_by_position(const struct sky_rule *rule, const u64 *argument);
/* Where the call's first byte goes or comes from; SKY_OFFSET_UNKNOWN. */
u64 sky_file_offset(const struct sky_file *file, const struct sky_rule *rule, const u64 *argument);
/*
 * The call is about to write that many bytes where its file stands, or ends: what comes
 * before it returns goes behind them.
 */
void sky_file_claim(struct sky_call *call, u64 bytes);
/* The call has returned. */
void sky_file_moved(struct sky_call *call, s64 result);
/* The call will not return: nobody knows what it has written. */
void sky_file_unclaim(struct sky_call *call);

/*
 * What insight-calls gave; NULL: they gave nothing. False: another thread was told
 * before, and may have written since.
 */
bool sky_file_told(struct sky_process *process, int fd, const struct sky_insight_record *record,
		   bool seeks);
/* Its full path, or what else its kernel calls it. */
void sky_file_named(struct sky_vm *vm, struct sky_process *process, int fd, const char *path,
		    u32 bytes);
/* A new program keeps what it doesn't close; which that is must be asked. */
void sky_files_doubt(struct sky_files *files);

/* sky_insight.c; with vm->lock */
/* True: the registers are those of an insight-call, which is to return to where it is made. */
bool sky_insight(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call);
void sky_set_registers(struct kvm_vcpu *vcpu, u64 number, const u64 *argument);
/* Where the cookie of an insight-call is: a register that the guest's kernel leaves as it is. */
u64 sky_cookie(struct sky_vcpu *sky);
bool sky_insight_returns(const struct sky_process *process, const struct sky_cpu *cpu, u64 rip);
/* The call that was asked for is through with what lies in the buffer. */
void sky_insight_done(struct sky_process *process, const struct sky_call *call);
/* True: before the call returns, the registers' insight-call is made. Takes the call over. */
bool sky_insight_after(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call,
		       u64 rip);
/* An insight-call returns. True: another one is to be made; else *call may return now. */
bool sky_insight_answered(struct sky_vcpu *sky, struct sky_process *process, u64 rip, u64 stack,
			  bool may_ask, struct sky_call **call);
/* The program puts something else where a buffer may be. */
void sky_insight_unmapped(struct sky_process *process, u64 address, u64 bytes);
/* It closes these descriptors. */
void sky_insight_closed(struct sky_process *process, u32 first, u32 last);
/* A child has its parent's memory. */
void sky_insight_buffers(struct sky_process *child, const struct sky_process *parent);
/* Is a thread in an insight-call? */
bool sky_insights_wait(const struct sky_process *process);
/* A thread is gone. */
void sky_insight_thread_gone(struct sky_process *process, u64 fs_base);
void sky_insights_free(struct sky_process *process);
/* What a thread came back with; false: the sequence ends with it. */
bool sky_insight_take(struct sky_vcpu *sky, struct sky_process *process,
		      struct sky_insight *insight, s64 result);
void sky_insight_set(struct sky_process *process, struct sky_insight *insight,
		     enum sky_insight_state state);
/* The call that may return now. */
struct sky_call *sky_insight_kept(struct sky_process *process, struct sky_insight *insight);
void sky_tell_insight(struct sky_vcpu *sky, struct sky_process *process,
		      struct sky_insight *insight, u32 sums, u32 path);

/* sky_handler.c; with vm->lock */
/*
 * A signal's handler begins, by that stack, maybe right after an insight-call: then it is
 * shown what it would be shown without one. NULL, or the call that may return now, with *result.
 */
struct sky_call *sky_insight_interrupted(struct sky_vcpu *sky, struct sky_process *process,
					 u64 stack, s64 *result);
/* The sequence that a handler interrupted, where its thread is back; NULL. */
struct sky_insight *sky_insight_resumes(struct sky_vcpu *sky, struct sky_process *process,
					const struct sky_call *call);
/* The thread makes another call: what it shows of sequences that were interrupted. */
void sky_insights_over(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call,
		       bool may_ask);

/* sky_content.c; with vm->lock */
/* How many bytes the call is to move. */
u64 sky_call_bytes(struct sky_vcpu *sky, const struct sky_call *call);
/* What is to be asked before the call, as a set of steps; none: as far as it can be known. */
u32 sky_content_plan(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call);
/* ... before it returns. */
u32 sky_content_plan_read(struct sky_process *process, struct sky_call *call, u64 bytes);
bool sky_content_question(struct sky_vcpu *sky, struct sky_insight *insight,
			  struct sky_question *question);
void sky_content_answer(struct sky_vcpu *sky, struct sky_process *process,
			struct sky_insight *insight, s64 result);
void sky_content_free(struct sky_content *content);
/* Of /proc/self, as the text that is to be given to a call. */
bool sky_put_path(struct sky_vcpu *sky, u64 buffer, const char *format, int fd, u64 *address);
u32 sky_copied(struct sky_vcpu *sky, const struct sky_call *call, bool source, u64 bytes);

/* sky_call.c */
const struct sky_rule *sky_rule_of(const struct sky_call *call);
/* What the call means, from number and arguments as they are raw. */
void sky_call_read(struct sky_vcpu *sky, struct sky_call *call);
/* What is in rax, as Linux has it, where a call returns with those flags. */
s64 sky_result(struct sky_vcpu *sky, u64 flags);
/* The virtual CPU as it was when the call was made. */
void sky_call_cpu(const struct sky_call *call, struct sky_cpu *cpu);
enum sky_entry {
	SKY_ENTRY_IDLE, /* not monitored: the processor can do it */
	SKY_ENTRY_BEGINS,
	SKY_ENTRY_PASSES, /* not monitored, but others of its space will be wanted */
	SKY_ENTRY_INSIGHT, /* once again after an insight-call */
};

/* Made at rip, to return to next_rip, with that user stack. */
enum sky_entry sky_call_enter(struct sky_vcpu *sky, u16 flags, u64 rip, u64 next_rip, u64 stack);
enum sky_return {
	SKY_RETURN_OTHER,
	SKY_RETURN_CALL, /* the end of a call, or the beginning of a child */
	SKY_RETURN_INSIGHT, /* into the kernel, by the registers' call, at once */
	SKY_RETURN_ASKED, /* of an insight-call, to the call in front of which it was put */
};

/* The guest is about to be in user mode at rip. */
enum sky_return sky_user_return(struct sky_vcpu *sky, u64 rip, u64 stack, u64 flags, u16 way);
/* A call has returned with that result, and what it read is not known any more; frees it. */
void sky_call_left(struct sky_vcpu *sky, struct sky_call *call, s64 result);
/* Those under way of a process, and in its space, will not return; one may be left out. */
void sky_calls_end(struct sky_vcpu *sky, struct sky_process *process, const struct sky_fork *but);
/* The call that executed a program returns as that program's beginning. */
void sky_call_executed(struct sky_vcpu *sky, const struct sky_fork *exec,
		       const struct sky_cpu *cpu);
void sky_calls_free(struct sky_vm *vm);
void sky_call_free(struct sky_call *call);

/* False: the space that is loaded is another process's now, for the old one was killed. */
bool sky_process_lives(struct sky_vcpu *sky, const struct sky_process *process);

/* sky_mapped.c; all with vm->lock */
/* The call may take pages away; and it has returned. */
void sky_mapped_begins(struct sky_vcpu *sky, const struct sky_call *call);
void sky_mapped_returned(struct sky_vcpu *sky, const struct sky_call *call, s64 result);
/* Page faults of the process that is about to go on, in user mode or in a system call. */
void sky_faults_return(struct sky_vcpu *sky, struct sky_process *process, bool to_user);
void sky_areas_inherit(struct sky_vm *vm, const struct sky_process *parent,
		       struct sky_process *child);
/* All of its mappings go; `alive`: its page tables still are as it left them. */
void sky_areas_end(struct sky_vcpu *sky, struct sky_process *process, bool alive);
/* ... untold. */
void sky_areas_free(struct sky_process *process);
void sky_mapped_free(struct sky_vm *vm);
void sky_look(struct sky_vcpu *sky);
/* Without the lock. */
void sky_look_due(struct work_struct *work);

/* sky_select.c; all with vm->lock */
struct sky_select;

/* Adds a wish, or takes one away; 0 or -errno. */
int sky_select(struct sky_vm *vm, const struct sky_select *select);
/* All wishes go. */
void sky_select_nothing(struct sky_vm *vm);
/* Is somebody looked for, or to be given his registers back? */
bool sky_selects(const struct sky_vm *vm);
/* The loaded space is no monitored process's: is it one that is looked for? */
void sky_meet(struct sky_vcpu *sky);
/* The process of the loaded space isn't monitored any more: nor shall it be for its name's sake. */
void sky_stranger_left(struct sky_vcpu *sky);
/* SKY_ENTRY_BEGINS: nothing is owed to it. */
enum sky_entry sky_debtor_calls(struct sky_vcpu *sky, const struct sky_call *call);
enum sky_entry sky_stranger_calls(struct sky_vcpu *sky, const struct sky_call *call);
void sky_stranger_returns(struct sky_vcpu *sky, u64 rip, u64 stack);
/* reset: and what is owed to anybody, for all of the guest is gone. */
void sky_strangers_forget(struct sky_vm *vm, bool reset);
/* If it makes an insight-call that nobody waits for any more, it is owed its registers. */
void sky_owe(struct sky_vm *vm, const struct sky_process *process);
void sky_strangers_rename(struct sky_vm *vm);
/* Is the file of that path one that is not recorded? */
bool sky_outside(const struct sky_vm *vm, const char *path, u32 bytes);

/* sky_instruction.c */
#define SKY_INT80_BYTES 2

/* What an interrupt leaves on the kernel's stack and IRET takes from there. */
struct sky_frame {
	u64 rip, cs, flags, rsp, ss;
};

u64 sky_fs_base(struct kvm_vcpu *vcpu);
u64 sky_msr(struct kvm_vcpu *vcpu, u32 index);
/* The guest's kernel is about to go on where it was interrupted. */
void sky_kernel_return(struct sky_vcpu *sky);
/* A call by `int 0x80`, whose code segment tells by what program. */
void sky_int80(struct sky_vcpu *sky, u64 rip, u64 next_rip, u64 stack, u16 segment);
/*
 * A call by SYSENTER, which doesn't tell where from. Linux has it made in a page of its own, where
 * `int 0x80` follows: there such a call is made anew, and it returns right behind.
 */
void sky_sysenter(struct sky_vcpu *sky);
void sky_sysenter_returns(struct sky_vcpu *sky, struct sky_call *call, u64 rip);

/* sky_breakpoint.c */
/*
 * Breakpoints where calls by `int 0x80` and returns by IRET go by; with vm->lock.
 * False: not all returns will be seen so.
 */
bool sky_breakpoints(struct sky_vcpu *sky, const struct sky_vendor *vendor, bool calls,
		     bool returns);

/* sky_memory.c */
struct sky_hasher {
	struct sky_vcpu *sky;
	u64 offset; /* of the next byte in the file */
	u64 state; /* of the chunk's bytes so far */
	bool whole; /* they begin where the chunk begins */
	bool cut;
	u32 room, sums, unread;
	u64 *sum;
};

/* The page that the top page table of a space has for an address; 0: none, or not readable. */
u64 sky_top_entry(struct sky_vcpu *sky, u64 space, u64 address);
/* Copies what is in the guest's memory now; how many bytes that was. */
size_t sky_read_user(struct sky_vcpu *sky, u64 address, void *to, size_t bytes);
/* ... as its kernel sees it */
size_t sky_read_kernel(struct sky_vcpu *sky, u64 address, void *to, size_t bytes);
/* What is in the guest's memory now and may be written there; how many bytes that was. */
size_t sky_write_user(struct sky_vcpu *sky, u64 address, const void *from, size_t bytes);
/* The length of a text of less than `room` bytes; -1 where it is not readable to its end. */
int sky_read_text(struct sky_vcpu *sky, u64 address, char *to, u32 room);
void sky_hash_begin(struct sky_hasher *hasher, struct sky_vcpu *sky, u64 offset,
		    const struct sky_file *file, u64 *sums, u32 room);
void sky_hash(struct sky_hasher *hasher, u64 address, u64 bytes);
/* The file's beginning of the first chunk, where that is known. */
void sky_hash_head(struct sky_hasher *hasher, const struct sky_content *content);
/*
 * The last chunk goes on with what is there at `address` of its first `bytes`, and
 * then with zeros; -1: nobody knows.
 */
void sky_hash_end(struct sky_hasher *hasher, u64 address, s32 bytes);

struct sky_copy {
	struct sky_vm *vm;
	u64 source_offset, target_offset; /* SKY_OFFSET_UNKNOWN: it goes to no file */
	u64 bytes, moved; /* asked for; read of the source so far */
	u64 at; /* of the next question, in the source */
	u64 target_end; /* of the file */
	bool alike; /* whole chunks on both sides: the sums are the same */
	bool last_differs; /* ... but that of the last one */
	bool target_read; /* the target can be */
	struct sky_hasher source, target;
	u64 source_sum[SKY_COPY_CHUNKS], target_sum[SKY_COPY_CHUNKS];
};

/* What is gathered for a record of a call outside the lock: the arrays are the virtual CPU's. */
struct sky_gathered {
	u32 lengths, requests, sums, path, path2, unread;
	bool cut;
};

void sky_gathered_add(struct sky_vcpu *sky, struct sky_gathered *got,
		      const struct sky_hasher *hasher);

/* sky_aio.c */
void sky_submitted(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got);
void sky_events_taken(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
		      s64 result);
void sky_reads_free(struct sky_process *process);
/* The next request's place in sky->words; NULL: there is no more room. */
u64 *sky_request_next(struct sky_vcpu *sky, struct sky_gathered *got);
/* Hashes the first `limit` bytes of a request's data; the number of chunks. */
u32 sky_hash_request(struct sky_vcpu *sky, struct sky_gathered *got, const struct sky_read *data,
		     u64 limit);
u64 sky_vector_bytes(struct sky_vcpu *sky, const struct sky_read *data);
/* With the lock. The caller frees what was taken. */
struct sky_read *sky_read_take(struct sky_process *process, u64 id);
void sky_read_remember(struct sky_process *process, u64 id, const struct sky_read *data);

/* A request that is handed over, and one that is done; `tells`: by a record of its own. */
struct sky_request {
	u64 id, opcode, flags;
	int fd;
	bool reads, writes;
	struct sky_read data;
};

void sky_request_submitted(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
			   const struct sky_request *request);
void sky_request_completed(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
			   u64 id, s64 result, bool tells);

/* sky_freebsd.c */
#define SKY_NUMBER_NONE (~0u)
/* Fills in number and argument[] from what is raw. */
void sky_freebsd_call(struct sky_vcpu *sky, struct sky_call *call);
u64 sky_freebsd_flags(u64 flags); /* of open(), as Linux's */
/* What a call that makes a thread or process told: its number. */
s64 sky_freebsd_child(struct sky_vcpu *sky, const struct sky_call *call, s64 result);
/* With vm->lock: a descriptor of what it submits that was not asked about; -1: none. */
int sky_freebsd_untold(struct sky_vcpu *sky, struct sky_process *process,
		       const struct sky_call *call);
void sky_freebsd_submitted(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got);
void sky_freebsd_completed(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got,
			   s64 result);
/* Makes FreeBSD's of Linux's question, whose answer's text goes to `name`. False: there is none. */
bool sky_freebsd_question(struct sky_vcpu *sky, const struct sky_insight *insight,
			  struct sky_question *question);
s64 sky_freebsd_answer(struct sky_vcpu *sky, const struct sky_insight *insight, u64 name,
		       s64 result);
bool sky_freebsd_status(struct sky_vcpu *sky, u64 buffer, struct sky_insight_record *record);

/* sky_rings.c */
/* Tells of what has been completed since. */
void sky_rings_look(struct sky_vcpu *sky, const struct sky_call *call);
u32 sky_ring_told(struct sky_vcpu *sky, const struct sky_call *call, u32 taken);
void sky_uring_asked(struct sky_vcpu *sky, const struct sky_call *call, struct sky_gathered *got);
void sky_uring_submitted(struct sky_vcpu *sky, struct sky_call *call, struct sky_gathered *got);
/* With the lock: a call that makes, maps or ends a ring has returned. */
void sky_ring_returned(struct sky_vcpu *sky, struct sky_process *process,
		       const struct sky_call *call, s64 result);
void sky_ring_closed(struct sky_process *process, int fd);

/* sky_record.c */
void sky_cpu_now(struct sky_vcpu *sky, struct sky_cpu *cpu, u64 stack, u32 pid, u32 tid);
/*
 * Puts the record `from` of `fixed` bytes, with `parts` behind it, one after the
 * other, onto the virtual CPU's ring.
 */
struct sky_part {
	const void *at;
	u32 bytes;
};

void sky_record_put(struct sky_vcpu *sky, u16 kind, void *from, u32 fixed,
		    const struct sky_part *parts, unsigned int count);
void sky_record_monitor(struct sky_vcpu *sky, const struct sky_cpu *cpu, bool on, u32 why);
void sky_record_switch(struct sky_vcpu *sky, u64 space, bool monitored, u32 pid);

#endif
