/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose pages does a bio carry?
 *
 * At the submission of every bio to the recorded disk, before merging and
 * splitting: bio -> page -> folio -> mapping -> inode, page by page; neighbours
 * of one owner become one record in the ring that truth.c reads. Knows nothing
 * of content, of calls, or of what Sky thinks.
 *
 * The few fields needed of the kernel's structs are declared here and relocated
 * when loaded (CO-RE), so that no vmlinux.h of one kernel is built in: made for
 * 6.1 (Debian 12) and later, where struct folio names a page's mapping and index.
 * All reads of kernel memory are probe reads: a page that is no page-cache page
 * (slab, page tables) has other things where the mapping would be.
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "truth_record.h"

#define PAGE_SHIFT	  12
#define PAGE_BYTES	  (1u << PAGE_SHIFT)
/* Pieces of pages that one bio may have: 2 GiB of pieces of 512 bytes. */
#define PIECES_MAX	  (1u << 22)
/* linux/blk_types.h: enum req_op, whose bit 0 is the direction of data. */
#define OP_MASK		  0xffu
#define OP_WRITE	  1u
/* linux/page-flags.h: low bits of folio.mapping; since 6.18 FOLIO_MAPPING_*. */
#define MAPPING_ANONYMOUS 1
#define MAPPING_FLAGS	  3
/*
 * linux/page-flags.h: page_type shares its place with the count of mappings, which
 * is never that low (PAGE_MAPCOUNT_RESERVE; since 6.11 all types are lower still).
 */
#define LEAST_MAPPINGS	  -128
/* linux/page-flags.h: bit 0 of compound_head marks a tail page. */
#define TAIL_PAGE	  1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct page {
	unsigned long compound_head;
	unsigned int page_type;
};

struct address_space {
	struct inode *host;
};

struct folio {
	struct address_space *mapping;
	unsigned long index;
};

struct block_device {
	__u32 bd_dev;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	__u32 s_dev;
	struct file_system_type *s_type;
	unsigned long s_magic;
	struct block_device *s_bdev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct inode {
	__u16 i_mode;
	unsigned long i_ino;
	__u32 i_rdev;
	__s64 i_size;
	struct super_block *i_sb;
	struct hlist_node i_hash;
	struct address_space i_data;
};

struct btrfs_root {
	__u32 anon_dev;
};

struct btrfs_inode {
	struct btrfs_root *root;
	struct inode vfs_inode;
};

struct bio_vec {
	struct page *bv_page;
	unsigned int bv_len;
	unsigned int bv_offset;
};

struct bvec_iter {
	__u64 bi_sector;
	unsigned int bi_size;
	unsigned int bi_idx;
	unsigned int bi_bvec_done;
};

struct bio {
	struct block_device *bi_bdev;
	unsigned int bi_opf;
	unsigned short bi_flags;
	struct bvec_iter bi_iter;
	struct bio_vec *bi_io_vec;
};

enum pageflags {
	PG_reserved = 10,
	PG_slab = 9, /* a page type since 6.10 */
};

#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* Not locked memory: since 5.11 the kernel accounts BPF's memory to the cgroup. */
	__uint(max_entries, 8 << 20);
} records SEC(".maps");

const volatile __u32 recorded_device;
__u64 passes[TRUTH_CPUS_MAX];
__u64 lost_records;

/*
 * A walk over the pages of a bio; the run is not yet in the ring. It lies in a
 * map because the verifier follows every value that a stack could hold through
 * every turn of the loop. A CPU has one: the kernel runs no program inside itself
 * (what it misses by that, it counts).
 */
struct walk {
	struct bio_vec *vector;
	__u64 page;	    /* first of the vector's */
	__u32 offset, left; /* within the vector; left = 0: take the next one */
	__u32 done;	    /* of the first vector, when the walk begins */
	__u32 bio_left;
	__u64 mapping;		 /* the run's, checked; 0 unless its owner is an inode */
	struct truth_record run; /* .bytes = 0: none */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

static void flush(struct walk *walk)
{
	struct truth_record *run = &walk->run;

	if (!run->bytes)
		return;
	/* Nobody sleeps on the ring: truth.c comes for it. */
	if (bpf_ringbuf_output(&records, run, sizeof(*run), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost_records, 1);
	run->sector += run->bytes >> 9;
	run->bytes = 0;
}

/* The host of a mapping, or NULL where it is none: the embedded mapping leads there and back. */
static struct inode *host_of(__u64 mapping)
{
	struct inode *host = BPF_CORE_READ((struct address_space *)mapping, host);

	if (!host || (__u64)host + bpf_core_field_offset(struct inode, i_data) != mapping)
		return NULL;
	return host;
}

/*
 * The number of a file system. JFS sets its own once it has read what it needs of its
 * own files (fs/jfs/super.c, jfs_fill_super).
 */
static __u64 magic_of(struct super_block *super)
{
	__u64 magic = BPF_CORE_READ(super, s_magic);
	char name[sizeof("jfs") + 1] = "";

	if (magic)
		return magic;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(super, s_type, name));
	return bpf_strncmp(name, sizeof(name), "jfs") ? 0 : JFS_SUPER_MAGIC;
}

/* stat(2) on Btrfs shows the subvolume's device number, not the superblock's. */
static __u32 stat_device(struct inode *host, struct super_block *super, __u64 magic)
{
	struct btrfs_inode *inode;

	if (magic != BTRFS_SUPER_MAGIC || !bpf_core_field_exists(struct btrfs_root, anon_dev))
		return BPF_CORE_READ(super, s_dev);
	inode = (void *)((__u64)host - bpf_core_field_offset(struct btrfs_inode, vfs_inode));
	return BPF_CORE_READ(inode, root, anon_dev);
}

static void describe_inode(struct truth_record *run, struct inode *host)
{
	struct super_block *super = BPF_CORE_READ(host, i_sb);

	run->inode = BPF_CORE_READ(host, i_ino);
	run->mode = BPF_CORE_READ(host, i_mode);
	run->size = BPF_CORE_READ(host, i_size);
	run->special_device = BPF_CORE_READ(host, i_rdev);
	run->magic = magic_of(super);
	run->filesystem_device = BPF_CORE_READ(super, s_bdev, bd_dev);
	run->stat_device = stat_device(host, super, run->magic);
	run->unhashed = (__u64)BPF_CORE_READ(host, i_hash.pprev) ==
			(__u64)host + bpf_core_field_offset(struct inode, i_hash);
}

static void begin_run(struct walk *walk, __u8 owner, __u64 mapping, __u64 index)
{
	flush(walk);
	walk->run.owner = owner;
	walk->run.index = index;
	walk->mapping = mapping;
	walk->run.inode = 0;
	walk->run.size = 0;
	walk->run.magic = 0;
	walk->run.stat_device = 0;
	walk->run.special_device = 0;
	walk->run.filesystem_device = 0;
	walk->run.mode = 0;
	walk->run.unhashed = 0;
	if (mapping)
		describe_inode(&walk->run, host_of(mapping));
}

/* Whether a piece whose page has this owner carries the run on. */
static int continues(const struct walk *walk, __u8 owner, __u64 mapping, __u64 index)
{
	const struct truth_record *run = &walk->run;

	if (!run->bytes || run->owner != owner || walk->mapping != mapping)
		return 0;
	return owner != OWNER_INODE || index == run->index + (run->bytes >> PAGE_SHIFT);
}

static int has_flag(__u64 page, __u64 bit)
{
	__u64 flags = 0;

	/* The flags are the first word of struct page, whatever their type is called. */
	bpf_probe_read_kernel(&flags, sizeof(flags), (void *)page);
	return flags >> bit & 1;
}

/* Slabs keep a list where the mapping would be, a count on it can look anonymous. */
static int is_typed(__u64 head)
{
	if (bpf_core_enum_value_exists(enum pageflags, PG_slab) &&
	    has_flag(head, bpf_core_enum_value(enum pageflags, PG_slab)))
		return 1;
	return (int)BPF_CORE_READ((struct page *)head, page_type) < LEAST_MAPPINGS;
}

static void add_piece(struct walk *walk, __u64 page, __u32 bytes)
{
	__u64 tail = BPF_CORE_READ((struct page *)page, compound_head);
	__u64 head = tail & TAIL_PAGE ? tail - TAIL_PAGE : page;
	__u64 mapping = (__u64)BPF_CORE_READ((struct folio *)head, mapping);
	__u64 index = 0;
	__u8 owner = OWNER_NOBODY;

	if (mapping && !(mapping & MAPPING_FLAGS) &&
	    (mapping == walk->mapping || host_of(mapping))) {
		owner = OWNER_INODE;
		index = BPF_CORE_READ((struct folio *)head, index) +
			(page - head) / bpf_core_type_size(struct page);
	} else if (mapping & MAPPING_ANONYMOUS && !is_typed(head)) {
		owner = OWNER_ANONYMOUS;
	} else if (has_flag(page, bpf_core_enum_value(enum pageflags, PG_reserved))) {
		owner = OWNER_RESERVED;
	}
	if (owner != OWNER_INODE)
		mapping = 0;
	if (!continues(walk, owner, mapping, index))
		begin_run(walk, owner, mapping, index);
	walk->run.bytes += bytes;
}

/* bpf_loop() callback: one piece, which lies within one page. 1 = that was the last. */
static long walk_piece(__u32 count, struct walk **context)
{
	struct walk *walk = *context;
	__u32 bytes;

	if (!walk->left) {
		struct bio_vec *vector = walk->vector++;

		walk->page = (__u64)BPF_CORE_READ(vector, bv_page);
		walk->offset = BPF_CORE_READ(vector, bv_offset) + walk->done;
		walk->left = BPF_CORE_READ(vector, bv_len) - walk->done;
		walk->done = 0;
		if (!walk->page || !walk->left)
			return 1;
	}
	bytes = PAGE_BYTES - (walk->offset & (PAGE_BYTES - 1));
	if (bytes > walk->left)
		bytes = walk->left;
	if (bytes > walk->bio_left)
		bytes = walk->bio_left;
	add_piece(walk, walk->page + (walk->offset >> PAGE_SHIFT) * bpf_core_type_size(struct page),
		  bytes);
	walk->offset += bytes;
	walk->left -= bytes;
	walk->bio_left -= bytes;
	return !walk->bio_left;
}

static void walk_bio(struct bio *bio)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 zero = 0;
	struct walk *walk = bpf_map_lookup_elem(&walks, &zero);

	if (!walk)
		return;
	walk->run.opf = BPF_CORE_READ(bio, bi_opf);
	walk->bio_left = BPF_CORE_READ(bio, bi_iter.bi_size);
	/* Flushes, discards and zeroings carry no pages. */
	if ((walk->run.opf & OP_MASK) > OP_WRITE || !walk->bio_left)
		return;
	walk->vector = BPF_CORE_READ(bio, bi_io_vec);
	walk->vector += BPF_CORE_READ(bio, bi_iter.bi_idx);
	walk->done = BPF_CORE_READ(bio, bi_iter.bi_bvec_done);
	walk->left = 0;
	walk->mapping = 0;
	walk->run.bytes = 0;
	walk->run.time_ns = bpf_ktime_get_ns();
	walk->run.sector = BPF_CORE_READ(bio, bi_iter.bi_sector);
	walk->run.bio_flags = BPF_CORE_READ(bio, bi_flags);
	walk->run.pid = thread >> 32;
	walk->run.tid = (__u32)thread;
	bpf_loop(PIECES_MAX, walk_piece, &walk, 0);
	flush(walk);
	if (walk->bio_left)
		__sync_fetch_and_add(&lost_records, 1);
}

SEC("tp_btf/block_bio_queue")
int BPF_PROG(bio_submitted, struct bio *bio)
{
	__u32 cpu = bpf_get_smp_processor_id() & (TRUTH_CPUS_MAX - 1);

	if (BPF_CORE_READ(bio, bi_bdev, bd_dev) != recorded_device)
		return 0;
	/* Before the clock is read and after the last record is in: truth.c waits for it. */
	__sync_fetch_and_add(&passes[cpu], 1);
	walk_bio(bio);
	__sync_fetch_and_add(&passes[cpu], 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
