/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files, what open() makes of them (files.c), and the class of their size (size_class.c).
 */
#ifndef SKY_PIPELINE_FILES_H
#define SKY_PIPELINE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "common/pool.h"

struct pipeline;

#define SIZE_UNKNOWN UINT64_MAX

/* What a file's names tell. */
#define NAME_SELECTED  (1u << 0) /* below the path that was asked for */
#define NAME_ENCRYPTED (1u << 1) /* by its extension */

/* A growing file changes its class at most that often before it is in the last. */
#define CLASS_CHANGES 4

struct class_change {
	uint64_t time_ns;
	uint8_t before;
};

struct file {
	uint64_t device, inode;
	uint64_t size;	    /* as the guest said last, grown by what calls did since */
	uint64_t highest;   /* end of the furthest transfer since the guest said so */
	uint64_t opened_ns; /* since when somebody has it open, or had it last */
	uint64_t empty_ns;  /* when a descriptor told last that it is empty and has a name */
	struct list written;
	uint32_t holders; /* open files, calls and requests that name it */
	uint32_t opens;	  /* those of them that keep an unlinked file alive, and mappings */
	uint32_t links;
	uint8_t names;				 /* NAME_ of those that it was met under */
	uint8_t io_class;			 /* by its size now */
	struct class_change past[CLASS_CHANGES]; /* newest first */
	bool copied;				 /* what was written to it is a copy */
	bool links_known;
	bool identified; /* device and inode are known: it is in the table */
	bool special;	 /* a pipe, a socket, a folder: nothing of it is file data */
	bool raw;	 /* a block device: its chunks are where they say on a disk */
};

/* What open() makes and descriptors share. */
struct open_file {
	uint64_t offset; /* OFFSET_UNKNOWN where it is */
	uint64_t id;	 /* as the snapshot names it; 0 none */
	uint32_t file, holders;
	uint32_t name; /* its full path, where files are selected */
	uint8_t names; /* NAME_ of the path that it was opened by */
	bool append;
	bool unopened;	/* it was met before its open() was */
	bool truncated; /* by its open(), of a file not known yet */
};

#define FILE_AT(p, i)	   POOL_NODE(&(p)->files, struct file, i)
#define OPEN_FILE_AT(p, i) POOL_NODE(&(p)->open_files, struct open_file, i)

/* The file of that identity, known or new; held by nobody yet. */
uint32_t file_of(struct pipeline *p, uint64_t device, uint64_t inode);
/* The same, but 0 where it is new. */
uint32_t file_known(struct pipeline *p, uint64_t device, uint64_t inode);
uint32_t file_unnamed(struct pipeline *p);
uint32_t file_hold(struct pipeline *p, uint32_t file);
void file_release(struct pipeline *p, uint32_t file);

/* Another open file, or mapping, shows it: since then, if it is the first. */
void file_opened(struct pipeline *p, uint32_t file, uint64_t time_ns);

/* Frees the file if nothing names it any more. */
void file_settle(struct pipeline *p, uint32_t file);

/* The size that is known for certain to have been reached, or SIZE_UNKNOWN. */
uint64_t file_size(const struct file *file);
void file_learn(struct pipeline *p, uint32_t file, uint64_t size, uint64_t links, uint32_t mode);
void file_reached(struct pipeline *p, uint32_t file, uint64_t end);

/* The chunk that the new end lies in changes too, unless it is known what it holds now. */
void file_truncated(struct pipeline *p, uint32_t file, uint64_t size, bool end_known);

/*
 * A name of it is gone, by a call that began at since_ns; it goes too when that
 * was the last and nobody has it open.
 */
void file_unlinked(struct pipeline *p, uint32_t file, uint64_t since_ns);

/* Takes over nothing: the new open file is held by nobody yet. */
uint32_t open_file_new(struct pipeline *p, uint32_t file);
uint32_t open_file_hold(struct pipeline *p, uint32_t open_file);
void open_file_release(struct pipeline *p, uint32_t open_file);
uint32_t open_file_by_id(struct pipeline *p, uint64_t id);
void open_file_name(struct pipeline *p, uint32_t open_file, uint64_t id);

/* Lets an open file, so far of a file unknown, be of this one. */
void open_file_identify(struct pipeline *p, uint32_t open_file, uint64_t device, uint64_t inode);

/* The file behind an open file, if its content can be on the disk; else 0. */
uint32_t content_of(struct pipeline *p, uint32_t open_file);

/* The file's size may have changed from that. */
void file_resized(struct pipeline *p, uint32_t file, uint64_t size_before);

/* The class of the file's data at a time not long past. */
uint8_t file_class(struct pipeline *p, uint32_t file, uint64_t time_ns);

#endif
