/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF program tells user space: a run of sectors of one owner.
 *
 * Raw facts of the kernel only; truth.c decides what they mean. The types are
 * those of both sides (BPF has no stdint.h).
 */
#ifndef SKY_TRUTH_RECORD_H
#define SKY_TRUTH_RECORD_H

#include <linux/types.h>

/* fs/jfs/jfs_superblock.h; linux/magic.h has no JFS. */
#define JFS_SUPER_MAGIC 0x3153464a

/* What the pages of a run belong to. */
enum truth_owner {
	OWNER_NOBODY,	 /* no mapping: memory of the kernel's own */
	OWNER_RESERVED,	 /* no mapping, PG_reserved: the zero page */
	OWNER_ANONYMOUS, /* anonymous memory of a process */
	OWNER_INODE,	 /* the page cache of an inode */
};

struct truth_record {
	__u64 time_ns; /* CLOCK_MONOTONIC, when the bio was submitted */
	__u64 sector;
	__u64 bytes;
	__u64 inode, index; /* OWNER_INODE, as all below to `filesystem_device` */
	__u64 magic;	    /* of its file system */
	__u64 size;	    /* of the inode, in bytes */
	/* Device numbers as the kernel has them: 12 bits major, 20 bits minor. */
	__u32 stat_device;	 /* as stat(2) shows it */
	__u32 special_device;	 /* the device that the inode itself stands for */
	__u32 filesystem_device; /* the block device that its file system is on; 0 none */
	__u32 mode;
	__u32 pid, tid; /* of the submitter, in the initial namespace */
	__u32 opf;	/* bio.bi_opf */
	__u16 bio_flags;
	__u8 owner;    /* enum truth_owner */
	__u8 unhashed; /* the inode can't be found by its number: hlist_add_fake() */
};

/* Passes of the program over one CPU, twice: odd while one is under way. */
#define TRUTH_CPUS_MAX 4096

#endif
