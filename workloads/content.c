/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "capture/event.h"
#include "workloads/content.h"

static uint64_t mix(uint64_t word)
{
	word ^= word >> 32;
	word *= 0x9e3779b97f4a7c15u;
	return word ^ word >> 29;
}

/* Of all tags of one chunk of one write. */
static uint64_t chunk_seal(const struct tag *tag)
{
	uint64_t seal = mix((uint64_t)tag->file << 32 | tag->chunk);

	seal = mix(seal ^ ((uint64_t)tag->seed << 32 | tag->worker));
	return mix(seal ^ tag->version);
}

void content_fill(void *buffer, const struct author *author, uint32_t file, uint64_t offset,
		  size_t bytes)
{
	struct tag tag = {
		.magic = TAG_MAGIC,
		.file = file,
		.seed = author->seed,
		.worker = author->worker,
		.version = author->version,
	};
	uint64_t seal = 0;

	for (size_t done = 0; done < bytes; done += TAG_BYTES) {
		uint64_t place = (offset + done) % CHUNK_BYTES;

		if (!done || !place) {
			tag.chunk = (offset + done) / CHUNK_BYTES;
			seal = chunk_seal(&tag);
		}
		tag.seal = mix(seal + place);
		memcpy((char *)buffer + done, &tag, TAG_BYTES);
	}
}

bool content_tag(const void *at, uint64_t offset, struct tag *tag)
{
	memcpy(tag, at, TAG_BYTES);
	return tag->magic == TAG_MAGIC && tag->seal == mix(chunk_seal(tag) + offset % CHUNK_BYTES);
}

bool content_belongs(const void *buffer, uint32_t file, uint64_t offset, size_t bytes)
{
	struct tag tag;

	for (size_t done = 0; done < bytes; done += TAG_BYTES)
		if (!content_tag((const char *)buffer + done, offset + done, &tag) ||
		    tag.file != file || tag.chunk != (offset + done) / CHUNK_BYTES)
			return false;
	return true;
}
