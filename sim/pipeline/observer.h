/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to the content of files, told as the pipeline finds it out.
 *
 * The pipeline follows processes, descriptors and files anyway; whoever wants to
 * know when content appears and goes gives it a struct of functions. Chunks are
 * those of CHUNK_BYTES, by their number in the file.
 */
#ifndef SKY_PIPELINE_OBSERVER_H
#define SKY_PIPELINE_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

struct pipeline;

/* Which file, and when. */
struct observed {
	uint64_t device, inode;
	uint64_t time_ns;
};

struct file_observer {
	/* The guest said how many chunks the file has. */
	void (*sized)(void *context, const struct observed *file, uint64_t chunks);
	/*
	 * A call, or a mapping, wrote chunks [from, until), or parts of them that had content.
	 * Calls of which the recorder told no checksums are of files that it leaves out.
	 */
	void (*wrote)(void *context, const struct observed *file, uint64_t from, uint64_t until);
	/* The file grew by these chunks; what one of them held before, it still holds. */
	void (*extended)(void *context, const struct observed *file, uint64_t from, uint64_t until);
	/* Chunks [from, until) changed, where there were any. */
	void (*changed)(void *context, const struct observed *file, uint64_t from, uint64_t until);
	/* Truncated, or made a hole: chunks [from, until) have no content any more. */
	void (*cut)(void *context, const struct observed *file, uint64_t from, uint64_t until);
	/* Room for so many chunks came before `from`; or as many from there on went. */
	void (*inserted)(void *context, const struct observed *file, uint64_t from,
			 uint64_t chunks);
	void (*collapsed)(void *context, const struct observed *file, uint64_t from,
			  uint64_t chunks);
	/* Its last name and its last holder are gone; or it is met as a new, empty file. */
	void (*gone)(void *context, const struct observed *file);
	/* So many bytes were written, but of the file or of the place nothing is known. */
	void (*unplaced)(void *context, uint64_t bytes);
};

/* From now on; every function must be there. The context is handed on. */
void pipeline_observe(struct pipeline *pipeline, const struct file_observer *observer,
		      void *context);

#endif
