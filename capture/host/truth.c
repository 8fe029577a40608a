/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ground truth: what the pages of every bio to the recorded disk belong to.
 *
 *   truth.bpf.c -> ring buffer of struct truth_record -> held back until every
 *   older one is in -> EVENT_TRUTH, in time order -> ring
 *
 * The rules, by the owner of a page:
 *   block device's own inode   metadata: buffers of ext, superblocks of all
 *   Btrfs's btree inode        metadata
 *   regular file               data, with device, inode and page index, but
 *                              metadata for a file system's own files, which
 *                              have reserved numbers (ext and Nilfs2: below 11),
 *                              no size (Nilfs2's B-trees), or no number by which
 *                              they can be found (JFS)
 *   directory, symbolic link   metadata: ext2 keeps directories in page caches
 *   memory of a process        data: O_DIRECT. Also a page cache of another file
 *                              system, and whatever the bio has pinned: the
 *                              buffer was mapped from there
 *   nobody                     metadata: XFS buffers and log, frozen journal
 *                              buffers. But unknown on Btrfs, where nothing but
 *                              compressed data, scrub and RAID 5/6 are nobody's,
 *                              and for the zero page, with which inode tables are
 *                              cleared as well as extents of files
 *
 * Limits: in ext4's data=journal mode the journal's copy of a file's page is
 * data of that file; pages encrypted by fscrypt are nobody's; on kernels before
 * 6.5 a file mapped from the same file system and written by O_DIRECT into
 * another counts as the one it was mapped from. O_DIRECT's inode is not known.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "capture/host/recorder.h"
#include "capture/host/truth_record.h"
#include "capture/host/truth.skel.h"

#define BTRFS_BTREE_INODE     1	 /* BTRFS_BTREE_INODE_OBJECTID, linux/btrfs_tree.h */
#define EXT_FIRST_INODE	      11 /* EXT4_GOOD_OLD_FIRST_INO, fs/ext4/ext4.h */
#define NILFS_FIRST_INODE     11 /* NILFS_USER_INO, linux/nilfs2_ondisk.h */
/* linux/proc_ns.h PROC_PID_INIT_INO: in another namespace, BPF's pids are not ours. */
#define INITIAL_PID_NAMESPACE 0xeffffffc
/* A pass of the program takes microseconds; records of one this long come late. */
#define PASS_NS_MAX	      1000000000ull

/* linux/blk_types.h: enum req_op; the program passes on no others than reads and writes. */
#define OP_MASK	 0xffu
#define OP_WRITE 1u

/* Which bits this kernel has its flags in: enumerators of its type information. */
static const struct kernel_flag {
	const char *name;
	uint32_t block_flag;
} kernel_flags[] = {
	{"__REQ_SYNC", BLOCK_FLAG_SYNC},
	{"__REQ_META", BLOCK_FLAG_META},
	{"__REQ_PRIO", BLOCK_FLAG_PRIO},
	{"__REQ_FUA", BLOCK_FLAG_FUA},
	{"__REQ_PREFLUSH", BLOCK_FLAG_PREFLUSH},
	{"__REQ_RAHEAD", BLOCK_FLAG_READAHEAD},
	{"__REQ_BACKGROUND", BLOCK_FLAG_BACKGROUND},
	{"BIO_PAGE_PINNED", 0}, /* of bio.bi_flags; since 6.5 */
};

#define KERNEL_FLAGS (sizeof(kernel_flags) / sizeof(kernel_flags[0]))
#define PAGE_PINNED  (KERNEL_FLAGS - 1)

struct truth_probe {
	struct truth_bpf *program;
	struct ring_buffer *records;
	struct ring *ring;
	uint32_t disk, kernel_device;
	uint32_t flag_mask[KERNEL_FLAGS]; /* 0: this kernel has no such flag */
	int cpus;
	bool pids_known, on_btrfs;
	/* Records taken from the kernel and not yet delivered. */
	struct truth_record *held;
	size_t held_count, held_room;
	uint64_t delivered_ns; /* time of the youngest event in the ring */
	uint64_t lost;	       /* for want of memory, or of a consumer */
};

struct verdict {
	enum chunk_class what;
	enum truth_source source;
};

/* The page cache of something that is not on the recorded disk. */
static bool is_foreign(const struct truth_probe *probe, const struct truth_record *record)
{
	switch (record->magic) {
	case BDEVFS_MAGIC:
		return record->special_device != probe->kernel_device;
	case BTRFS_SUPER_MAGIC:
		return false; /* its superblock names no block device */
	default:
		return record->filesystem_device != probe->kernel_device;
	}
}

/* File systems that keep metadata in files of their own. ext2 and ext3 share ext4's number. */
static bool is_own_file(const struct truth_record *record)
{
	switch (record->magic) {
	case EXT4_SUPER_MAGIC:
		return record->inode < EXT_FIRST_INODE;
	case NILFS_SUPER_MAGIC:
		/* A file's B-tree has an inode of the file's number in memory, which is empty. */
		return record->inode < NILFS_FIRST_INODE || !record->size;
	case JFS_SUPER_MAGIC:
		return record->unhashed; /* a file may have the same number */
	default:
		return false;
	}
}

static struct verdict judge_inode(const struct truth_record *record)
{
	if (record->magic == BDEVFS_MAGIC)
		return (struct verdict){CHUNK_METADATA, TRUTH_BLOCK_DEVICE};
	if (record->magic == BTRFS_SUPER_MAGIC && record->inode == BTRFS_BTREE_INODE)
		return (struct verdict){CHUNK_METADATA, TRUTH_BTREE};
	if (!S_ISREG(record->mode) || is_own_file(record))
		return (struct verdict){CHUNK_METADATA, TRUTH_SYSTEM_FILE};
	return (struct verdict){CHUNK_DATA, TRUTH_FILE};
}

static struct verdict judge(const struct truth_probe *probe, const struct truth_record *record)
{
	bool cached = record->owner == OWNER_INODE;

	if (record->bio_flags & probe->flag_mask[PAGE_PINNED])
		return (struct verdict){CHUNK_DATA, TRUTH_USER_PAGE};
	if (record->owner == OWNER_ANONYMOUS || (cached && is_foreign(probe, record)))
		return (struct verdict){CHUNK_DATA, TRUTH_USER_PAGE};
	if (cached)
		return judge_inode(record);
	if (record->owner == OWNER_RESERVED || probe->on_btrfs)
		return (struct verdict){CHUNK_UNKNOWN, TRUTH_KERNEL_BUFFER};
	return (struct verdict){CHUNK_METADATA, TRUTH_KERNEL_BUFFER};
}

static uint32_t block_flags(const struct truth_probe *probe, uint32_t opf)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < KERNEL_FLAGS; i++)
		if (opf & probe->flag_mask[i])
			flags |= kernel_flags[i].block_flag;
	return flags;
}

/* The kernel's 12 bits major and 20 bits minor as stat(2) has them. */
static uint64_t user_device(uint32_t device)
{
	return makedev(device >> 20, device & 0xfffff);
}

static void deliver(struct truth_probe *probe, const struct truth_record *record)
{
	struct event event;
	struct verdict verdict;

	if (record->owner == OWNER_INODE && record->magic == BTRFS_SUPER_MAGIC)
		probe->on_btrfs = true;
	if (record->time_ns > probe->delivered_ns)
		probe->delivered_ns = record->time_ns;
	if (record->bytes < SECTOR_BYTES)
		return;
	verdict = judge(probe, record);

	event_init(&event, EVENT_TRUTH);
	event.time_ns = probe->delivered_ns;
	if (probe->pids_known) {
		event.pid = record->pid;
		event.tid = record->tid;
	}
	event.truth.op = (record->opf & OP_MASK) == OP_WRITE ? BLOCK_WRITE : BLOCK_READ;
	event.truth.disk = probe->disk;
	event.truth.sector = record->sector;
	event.truth.sectors = record->bytes / SECTOR_BYTES;
	event.truth.flags = block_flags(probe, record->opf);
	event.truth.what = verdict.what;
	event.truth.source = verdict.source;
	if (verdict.source == TRUTH_FILE || verdict.source == TRUTH_SYSTEM_FILE) {
		event.truth.device = user_device(record->stat_device);
		event.truth.inode = record->inode;
		event.truth.index = record->index;
	}
	if (ring_push(probe->ring, &event))
		probe->lost++;
}

static int hold(void *context, void *data, size_t bytes)
{
	struct truth_probe *probe = context;

	if (bytes < sizeof(struct truth_record))
		return 0;
	if (probe->held_count == probe->held_room) {
		size_t room = probe->held_room ? 2 * probe->held_room : 4096;
		void *held = reallocarray(probe->held, room, sizeof(*probe->held));

		if (!held) {
			probe->lost++;
			return 0;
		}
		probe->held = held;
		probe->held_room = room;
	}
	memcpy(&probe->held[probe->held_count++], data, sizeof(struct truth_record));
	return 0;
}

/*
 * Waits until every pass of the program that is under way on some CPU has ended,
 * so that records with a time before this call are in the ring buffer.
 */
static void await_passes(const struct truth_probe *probe)
{
	const __u64 *passes = probe->program->bss->passes;
	uint64_t deadline_ns = monotonic_ns() + PASS_NS_MAX;

	for (int cpu = 0; cpu < probe->cpus; cpu++) {
		__u64 seen = __atomic_load_n(&passes[cpu], __ATOMIC_SEQ_CST);

		while (seen & 1 && seen == __atomic_load_n(&passes[cpu], __ATOMIC_SEQ_CST)) {
			if (monotonic_ns() > deadline_ns)
				return;
			sched_yield();
		}
	}
}

/* Records of one bio share a time and rise in sectors. */
static int by_time(const void *left, const void *right)
{
	const struct truth_record *a = left, *b = right;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return (a->sector > b->sector) - (a->sector < b->sector);
}

uint64_t truth_probe_drain(struct truth_probe *probe)
{
	uint64_t until_ns = monotonic_ns();
	size_t delivered = 0;

	/*
	 * Reading stops at a record that is still being written, and younger passes
	 * may hold places before older ones: hence the second wait, for whoever
	 * began before the first one ended.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	await_passes(probe);
	await_passes(probe);
	ring_buffer__consume(probe->records);
	if (!probe->held_count)
		return until_ns;
	qsort(probe->held, probe->held_count, sizeof(*probe->held), by_time);
	while (delivered < probe->held_count && probe->held[delivered].time_ns < until_ns)
		deliver(probe, &probe->held[delivered++]);
	probe->held_count -= delivered;
	memmove(probe->held, probe->held + delivered, probe->held_count * sizeof(*probe->held));
	return until_ns;
}

uint64_t truth_probe_lost(const struct truth_probe *probe)
{
	struct bpf_prog_info info = {};
	uint32_t bytes = sizeof(info);
	int program = bpf_program__fd(probe->program->progs.bio_submitted);
	uint64_t lost = probe->lost + probe->program->bss->lost_records;

	/* The kernel runs no program inside itself on a CPU, but counts what it left out. */
	if (!bpf_obj_get_info_by_fd(program, &info, &bytes))
		lost += info.recursion_misses;
	return lost;
}

/* Whether the enumerator has that name; its value into *mask as a bit. */
static void match_flag(struct truth_probe *probe, const char *name, int64_t value)
{
	if (value < 0 || value > 31)
		return;
	for (size_t i = 0; i < KERNEL_FLAGS; i++)
		if (!strcmp(kernel_flags[i].name, name))
			probe->flag_mask[i] = 1u << value;
}

static int find_flags(struct truth_probe *probe)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (!btf)
		return -errno;
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const struct btf_enum *enumerator;

		if (!btf_is_enum(type))
			continue;
		enumerator = btf_enum(type);
		for (int i = 0; i < btf_vlen(type); i++)
			match_flag(probe, btf__name_by_offset(btf, enumerator[i].name_off),
				   enumerator[i].val);
	}
	btf__free(btf);
	return 0;
}

static bool in_initial_pid_namespace(void)
{
	struct stat status;

	return !stat("/proc/self/ns/pid", &status) && status.st_ino == INITIAL_PID_NAMESPACE;
}

static const char *reason_of(int error)
{
	static char text[160];

	switch (error) {
	case -EPERM:
	case -EACCES:
		return "the kernel lets only root use BPF, and not when it is locked down";
	case -ENOSYS:
	case -EOPNOTSUPP:
		return "this kernel was built without BPF";
	case -ESRCH:
	case -ENOENT:
		return "this kernel has no type information (/sys/kernel/btf/vmlinux)";
	default:
		snprintf(text, sizeof(text), "the kernel doesn't take the BPF program: %s",
			 strerror(-error));
		return text;
	}
}

static int load(struct truth_probe *probe)
{
	int error;

	probe->program = truth_bpf__open();
	if (!probe->program)
		return -errno;
	probe->program->rodata->recorded_device = probe->kernel_device;
	error = truth_bpf__load(probe->program);
	if (error)
		return error;
	probe->records =
		ring_buffer__new(bpf_map__fd(probe->program->maps.records), hold, probe, NULL);
	if (!probe->records)
		return -errno;
	return truth_bpf__attach(probe->program);
}

struct truth_probe *truth_probe_start(dev_t device, uint32_t disk, struct ring *ring,
				      const char **why)
{
	struct truth_probe *probe = calloc(1, sizeof(*probe));
	int error;

	if (!probe) {
		*why = "out of memory";
		return NULL;
	}
	probe->disk = disk;
	probe->ring = ring;
	probe->kernel_device = major(device) << 20 | minor(device);
	probe->pids_known = in_initial_pid_namespace();
	probe->cpus = libbpf_num_possible_cpus();
	/* libbpf's own lines say less than the one sentence of reason_of(). */
	libbpf_set_print(NULL);
	if (probe->cpus < 1 || probe->cpus > TRUTH_CPUS_MAX) {
		*why = "the BPF program is made for at most 4096 CPUs";
		truth_probe_stop(probe);
		return NULL;
	}
	error = find_flags(probe);
	if (!error)
		error = load(probe);
	if (error) {
		*why = reason_of(error);
		truth_probe_stop(probe);
		return NULL;
	}
	return probe;
}

void truth_probe_stop(struct truth_probe *probe)
{
	if (!probe)
		return;
	ring_buffer__free(probe->records);
	truth_bpf__destroy(probe->program);
	free(probe->held);
	free(probe);
}
