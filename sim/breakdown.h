/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results apart by what requests truly were, by how large their files get and by disk,
 * whatever the hints said.
 *
 * Who splits requests gives each reference the group of its truth (struct batch). There is a
 * breakdown of all references, which listens to the feed, and one of each cache's hits.
 */
#ifndef SKY_BREAKDOWN_H
#define SKY_BREAKDOWN_H

#include "cache_feed.h"
#include "pipeline/pipeline.h"
#include "truth_join.h"

/* Disks that a block's key can tell apart. */
#define BREAKDOWN_DISKS ((size_t)1 << (64 - CACHE_DISK_SHIFT))

/*
 * The groups of a truth: nobody knows, metadata, and files by size, smallest first. Their
 * bounds are those of the size classes, and some between, so that a group has one class.
 */
enum { GROUP_UNKNOWN, GROUP_METADATA, GROUP_FILES };
#define FILE_GROUPS 12
#define GROUPS	    (GROUP_FILES + FILE_GROUPS)

struct file_groups {
	uint64_t most_bytes[FILE_GROUPS]; /* ascending; the last has no bound: UINT64_MAX */
};

void file_groups_init(struct file_groups *groups, const struct pipeline_options *options);

/* The group of a chunk; bytes: of its file. */
uint8_t group_of_chunk(const struct file_groups *groups, const struct chunk_truth *truth,
		       uint64_t bytes);

struct breakdown_part {
	struct tally side[2]; /* counted reads and writes */
	uint64_t ns;	      /* of a device, where there is one */
};

struct breakdown {
	struct consumer consumer;
	struct breakdown_part *group; /* GROUPS of them, or NULL: not asked for */
	struct breakdown_part *disk;  /* BREAKDOWN_DISKS, or NULL */
};

/* By truth, by disk, or both. 0, or -1 after saying what is wrong; fini may follow a failure. */
int breakdown_init(struct breakdown *breakdown, bool by_truth, bool by_disk);
void breakdown_fini(struct breakdown *breakdown);

/* All references of a feed from now on; as breakdown_init(). */
int breakdown_listen(struct breakdown *breakdown, struct cache_feed *feed);

uint64_t breakdown_bytes(bool by_truth, bool by_disk);

/* Those references of a batch from begin on that the bits of hits tell. */
void breakdown_take(struct breakdown *breakdown, const struct batch *batch, size_t begin,
		    size_t end, const uint64_t *hits);

/* Reference i of the batch kept the device busy for so long. */
void breakdown_add_time(struct breakdown *breakdown, const struct batch *batch, size_t i,
			uint64_t ns);

#endif
