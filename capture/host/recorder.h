/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the host recorder and what they owe each other.
 *
 *   disk.c     a process that serves our FUSE virtual disk    -> disk ring
 *   tracer.c   ptrace over the command and its children       -> call ring
 *   page_watch.c  looks at mapped files when the disk is used -> page ring
 *   truth.c    BPF at bio submission                          -> truth ring
 *   collector.c a thread that merges the rings by time, numbers the events
 *              and appends them to the stream
 *   record.c   the command line, the order of things, the end
 *   volume.c   loop device, mkfs, mount, all in a mount namespace of our own,
 *              so that nothing of it outlives the last process
 */
#ifndef SKY_RECORDER_H
#define SKY_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/event.h"
#include "capture/host/page_watch.h"
#include "capture/host/ring.h"

struct tracer_options {
	char **command;	       /* argv of CMD */
	const char *folder;    /* its working folder */
	uint64_t mount_device; /* st_dev of the recorded file system */
	dev_t raw_device;      /* instead: the disk, where there is no file system; or 0 */
	uint64_t raw_bytes;    /* ... its size */
	uint64_t mount_id;     /* statx stx_mnt_id of it: Btrfs subvolumes have other st_dev */
	bool copy_offload;     /* false: copy_file_range, FICLONE and the like fail */
	uint64_t map_period_ns; /* how often mapped files are looked at; 0: never by itself */
	bool skip_misaligned;  /* don't read what is missing of a chunk; count it */
	struct ring *ring;
	struct page_watch *watch; /* of mapped files; may be NULL */
};

/*
 * Runs the command under ptrace to its end, with all its children; the
 * caller's thread becomes the tracer. *status is the command's wait status.
 * 0, or -1 after saying what is wrong.
 */
int trace_command(const struct tracer_options *options, int *status);

/* From a signal handler: hands SIGINT, SIGTERM and the like on to the command. */
void tracer_forward_signal(int signal);

struct truth_probe;

/*
 * Attaches to bio submission for one block device; NULL (with *why a sentence
 * that names the reason) where BPF may not be used: recording goes on without.
 */
struct truth_probe *truth_probe_start(dev_t device, uint32_t disk, struct ring *ring,
				      const char **why);

/*
 * Takes over what the probe has seen so far into the ring, in time order.
 * Every submission before `until_ns` has then been delivered; returns
 * that time.
 */
uint64_t truth_probe_drain(struct truth_probe *probe);

/* How many submissions the kernel's buffer had no room for. */
uint64_t truth_probe_lost(const struct truth_probe *probe);
void truth_probe_stop(struct truth_probe *probe);

/* Emits the allocation map (EVENT_EXTENT) of every file below folder; ext and XFS only. */
int extents_emit(const char *folder, uint32_t disk, struct ring *ring);

#endif
