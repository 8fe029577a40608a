/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a file system keeps metadata from its making on: what a disk could
 * know without seeing a call. For a baseline (sim/classifiers/layout.c).
 */
#ifndef SKY_LAYOUT_H
#define SKY_LAYOUT_H

/*
 * The fixed places of the file system on a block device as "first+count ..." in
 * sectors, rising, to be freed. ext: super blocks, group descriptors, bitmaps,
 * inode tables, the journal. XFS: the headers of allocation groups, the log.
 * NULL where there are none (Btrfs), or where they can't be read. Reads by
 * O_DIRECT, so that nothing of it is in the cache afterwards.
 */
char *layout_read(const char *device, const char *file_system);

#endif
