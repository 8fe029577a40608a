/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Content that says itself whose it is.
 *
 * All that a workload writes is a row of tags of 32 bytes, so a chunk on a disk
 * tells its file, its place there and which write it came from, without the
 * help of any observer: what begins with a tag is file data. No two chunks ever
 * written are equal, whatever is rewritten, as long as seeds differ between
 * runs on the same files.
 */
#ifndef SKY_CONTENT_H
#define SKY_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAG_BYTES 32
#define TAG_MAGIC 0x54796b53u /* "SkyT" on the disk */

/* Who writes: the fields that the tags of one write have in common. */
struct author {
	uint32_t seed, worker, version;
};

/* As it is on the disk, little endian. */
struct tag {
	uint32_t magic;
	uint32_t file, chunk;
	uint32_t seed, worker, version;
	uint64_t seal; /* over the fields above and the place inside the chunk */
};

_Static_assert(sizeof(struct tag) == TAG_BYTES, "a tag has no holes");

/* Sizes and offsets are multiples of TAG_BYTES; this makes one that is not 0. */
static inline uint64_t whole_tags(double bytes)
{
	return bytes < TAG_BYTES ? TAG_BYTES : (uint64_t)bytes / TAG_BYTES * TAG_BYTES;
}

/* What the author writes to bytes of the file from offset on. */
void content_fill(void *buffer, const struct author *author, uint32_t file, uint64_t offset,
		  size_t bytes);

/* Takes the tag at a multiple of TAG_BYTES in a chunk; false if there is none. */
bool content_tag(const void *at, uint64_t offset, struct tag *tag);

/* True if the content can be what was once written to that place of the file. */
bool content_belongs(const void *buffer, uint32_t file, uint64_t offset, size_t bytes);

#endif
