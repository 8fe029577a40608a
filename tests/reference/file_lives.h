/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file system as slow and as obvious as can be: every chunk of every file has a time of birth,
 * and every operation looks at each of them. What lived how long is the reference for
 * sim/block_lives.c, which sees nothing but events.
 */
#ifndef SKY_TESTS_FILE_LIVES_H
#define SKY_TESTS_FILE_LIVES_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CHUNK	    4096u
#define CHUNKS	    24
#define INODES	    8
#define NAMES	    6
#define PROCESSES   4
#define DESCRIPTORS 6
#define OPEN_FILES  (PROCESSES * DESCRIPTORS)
#define NOTHING	    (-1)
#define LIVES_MAX   (1u << 20)

struct inode {
	bool used;
	int links;
	uint64_t size;
	uint64_t born[CHUNKS]; /* time; 0: no block */
};

struct opened {
	int inode, references;
	uint64_t offset;
	bool append;
};

/* A mapping keeps its file as a descriptor does. */
struct task {
	bool lives;
	int fd[DESCRIPTORS];	 /* of an open file, or NOTHING */
	int mapped[DESCRIPTORS]; /* inode, or NOTHING */
};

struct world {
	struct inode inode[INODES];
	int name[NAMES]; /* inode, or NOTHING */
	struct opened opened[OPEN_FILES];
	struct task task[PROCESSES];
	uint64_t now;
	uint64_t *lived; /* of each block that ended */
	uint32_t lives;
};

static inline void world_begin(struct world *w, uint64_t *lived)
{
	memset(w, 0, sizeof(*w));
	memset(w->name, 0xff, sizeof(w->name));
	for (int i = 0; i < PROCESSES; i++) {
		memset(w->task[i].fd, 0xff, sizeof(w->task[i].fd));
		memset(w->task[i].mapped, 0xff, sizeof(w->task[i].mapped));
	}
	w->task[0].lives = true;
	w->lived = lived;
}

static inline void world_end_block(struct world *w, struct inode *f, uint64_t chunk)
{
	if (!f->born[chunk])
		return;
	cr_assert(w->lives < LIVES_MAX);
	w->lived[w->lives++] = w->now - f->born[chunk];
	f->born[chunk] = 0;
}

static inline void world_rewrite_block(struct world *w, struct inode *f, uint64_t chunk)
{
	if (!f->born[chunk])
		return;
	world_end_block(w, f, chunk);
	f->born[chunk] = w->now;
}

/* Is anything of it left that keeps the file? */
static inline bool world_is_held(const struct world *w, int inode)
{
	for (int i = 0; i < OPEN_FILES; i++)
		if (w->opened[i].references && w->opened[i].inode == inode)
			return true;
	for (int i = 0; i < PROCESSES; i++)
		for (int j = 0; j < DESCRIPTORS; j++)
			if (w->task[i].mapped[j] == inode)
				return true;
	return w->inode[inode].links > 0;
}

static inline void world_settle(struct world *w, int inode)
{
	struct inode *f = &w->inode[inode];

	if (!f->used || world_is_held(w, inode))
		return;
	for (int i = 0; i < CHUNKS; i++)
		world_end_block(w, f, i);
	f->used = false;
	f->size = 0;
}

static inline void world_write(struct world *w, int inode, uint64_t offset, uint64_t bytes)
{
	struct inode *f = &w->inode[inode];

	for (uint64_t i = 0; bytes && i < CHUNKS; i++) {
		uint64_t first = offset > i * CHUNK ? offset : i * CHUNK;

		if (first >= (i + 1) * CHUNK || first >= offset + bytes)
			continue;
		if (first < f->size) /* there was content */
			world_end_block(w, f, i);
		if (!f->born[i])
			f->born[i] = w->now;
	}
	if (bytes && offset + bytes > f->size)
		f->size = offset + bytes;
}

/* Bytes [from, until) have no content any more; those of a chunk's that stay are written anew. */
static inline void world_clear(struct world *w, int inode, uint64_t from, uint64_t until)
{
	struct inode *f = &w->inode[inode];

	for (uint64_t i = 0; i < CHUNKS; i++) {
		if (from <= i * CHUNK && until >= (i + 1) * CHUNK)
			world_end_block(w, f, i);
		else if (from < (i + 1) * CHUNK && until > i * CHUNK)
			world_rewrite_block(w, f, i);
	}
}

static inline void world_truncate(struct world *w, int inode, uint64_t size)
{
	if (size < w->inode[inode].size)
		world_clear(w, inode, size, CHUNKS * CHUNK);
	w->inode[inode].size = size;
}

static inline void world_collapse(struct world *w, int inode, uint64_t from, uint64_t chunks)
{
	struct inode *f = &w->inode[inode];

	for (uint64_t i = from; i < from + chunks; i++)
		world_end_block(w, f, i);
	for (uint64_t i = from; i < CHUNKS; i++)
		f->born[i] = i + chunks < CHUNKS ? f->born[i + chunks] : 0;
	f->size -= chunks * CHUNK;
}

static inline void world_insert(struct world *w, int inode, uint64_t from, uint64_t chunks)
{
	struct inode *f = &w->inode[inode];

	for (uint64_t i = CHUNKS; i-- > from;)
		f->born[i] = i >= from + chunks ? f->born[i - chunks] : 0;
	f->size += chunks * CHUNK;
}

static inline void world_clone(struct world *w, int target, int source)
{
	struct inode *to = &w->inode[target];
	uint64_t size = w->inode[source].size;

	for (uint64_t i = 0; i * CHUNK < size; i++) {
		world_end_block(w, to, i);
		to->born[i] = w->now;
	}
	if (to->size < size)
		to->size = size;
}

static inline void world_unlink(struct world *w, int name)
{
	int inode = w->name[name];

	w->name[name] = NOTHING;
	w->inode[inode].links--;
	world_settle(w, inode);
}

static inline void world_rename(struct world *w, int from, int to)
{
	int inode = w->name[from];

	if (w->name[to] == inode)
		return;
	if (w->name[to] != NOTHING)
		world_unlink(w, to);
	w->name[to] = inode;
	w->name[from] = NOTHING;
}

static inline void world_close(struct world *w, int task, int fd)
{
	struct opened *o = &w->opened[w->task[task].fd[fd]];

	w->task[task].fd[fd] = NOTHING;
	o->references--;
	world_settle(w, o->inode);
}

static inline void world_unmap(struct world *w, int task, int slot)
{
	int inode = w->task[task].mapped[slot];

	w->task[task].mapped[slot] = NOTHING;
	world_settle(w, inode);
}

static inline void world_exit(struct world *w, int task)
{
	for (int i = 0; i < DESCRIPTORS; i++) {
		if (w->task[task].fd[i] != NOTHING)
			world_close(w, task, i);
		if (w->task[task].mapped[i] != NOTHING)
			world_unmap(w, task, i);
	}
	w->task[task].lives = false;
}

static inline uint64_t world_alive(const struct world *w)
{
	uint64_t alive = 0;

	for (int i = 0; i < INODES; i++)
		for (int j = 0; j < CHUNKS; j++)
			alive += w->inode[i].born[j] != 0;
	return alive;
}

#endif
