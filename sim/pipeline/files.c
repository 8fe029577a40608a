/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files by device and inode, and what open() makes of them.
 *
 * A file is remembered while it is open, while chunks of it are on their way
 * to the disk, and while a call or a request names it. Where nothing has told
 * which file a descriptor is, a file without a name stands in for it.
 */
#include "sim/pipeline/files.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/written.h"

static uint32_t identity_hash(uint64_t device, uint64_t inode)
{
	return hash_words(device, inode);
}

uint32_t file_unnamed(struct pipeline *p)
{
	uint32_t file = take_node(p, &p->files);

	if (file)
		FILE_AT(p, file)->size = SIZE_UNKNOWN;
	return file;
}

uint32_t file_known(struct pipeline *p, uint64_t device, uint64_t inode)
{
	uint32_t file;

	table_for_each(&p->by_identity, identity_hash(device, inode), at,
		       file) if (FILE_AT(p, file)->inode == inode &&
				 FILE_AT(p, file)->device == device) break;
	return file;
}

/* 0, or -1 if out of memory. */
static int identify(struct pipeline *p, uint32_t file, uint64_t device, uint64_t inode)
{
	struct file *f = FILE_AT(p, file);

	if (add_node(p, &p->by_identity, identity_hash(device, inode), file))
		return -1;
	f->device = device;
	f->inode = inode;
	f->identified = true;
	return 0;
}

uint32_t file_of(struct pipeline *p, uint64_t device, uint64_t inode)
{
	uint32_t file = file_known(p, device, inode);

	if (file)
		return file;
	file = file_unnamed(p);
	if (file && identify(p, file, device, inode)) {
		pool_give(&p->files, file);
		return 0;
	}
	return file;
}

static void file_forget(struct pipeline *p, uint32_t file)
{
	const struct file *f = FILE_AT(p, file);

	if (f->identified)
		table_remove(&p->by_identity, identity_hash(f->device, f->inode), file);
	pool_give(&p->files, file);
}

/* Its inode may be another file's from now on. */
static void file_deleted(struct pipeline *p, uint32_t file)
{
	FILE_AT(p, file)->names = 0;
	FILE_AT(p, file)->copied = false;
	written_drop(p, file, 0, UINT64_MAX);
	observe_gone(p, file);
}

void file_settle(struct pipeline *p, uint32_t file)
{
	const struct file *f = FILE_AT(p, file);

	if (!f->opens && f->links_known && !f->links)
		file_deleted(p, file);
	if (!f->opens && !f->holders && !f->written.count)
		file_forget(p, file);
}

uint32_t file_hold(struct pipeline *p, uint32_t file)
{
	if (file)
		FILE_AT(p, file)->holders++;
	return file;
}

void file_release(struct pipeline *p, uint32_t file)
{
	if (!file)
		return;
	FILE_AT(p, file)->holders--;
	file_settle(p, file);
}

uint64_t file_size(const struct file *file)
{
	if (file->size == SIZE_UNKNOWN)
		return SIZE_UNKNOWN;
	return file->size > file->highest ? file->size : file->highest;
}

/* The format bits of st_mode; Linux and FreeBSD have the same. */
#define MODE_FORMAT  0170000
#define MODE_REGULAR 0100000
#define MODE_BLOCK   0060000

void file_learn(struct pipeline *p, uint32_t file, uint64_t size, uint64_t links, uint32_t mode)
{
	struct file *f = FILE_AT(p, file);
	uint32_t format = mode & MODE_FORMAT;
	uint64_t before = file_size(f);

	f->size = size;
	f->highest = 0;
	file_resized(p, file, before);
	f->special = format && format != MODE_REGULAR && format != MODE_BLOCK;
	f->raw = format == MODE_BLOCK;
	observe_size(p, file, size);
	if (links) {
		f->links = links > UINT32_MAX ? UINT32_MAX : links;
		f->links_known = true;
	}
}

void file_reached(struct pipeline *p, uint32_t file, uint64_t end)
{
	struct file *f = FILE_AT(p, file);
	uint64_t before = file_size(f);

	if (end <= f->highest)
		return;
	f->highest = end;
	file_resized(p, file, before);
}

void file_truncated(struct pipeline *p, uint32_t file, uint64_t size, bool end_known)
{
	struct file *f = FILE_AT(p, file);
	uint64_t before = file_size(f), end = size / CHUNK_BYTES;
	bool within = size % CHUNK_BYTES;

	f->size = size;
	f->highest = 0;
	file_resized(p, file, before);
	if (within && !end_known && size < before)
		written_blur(p, file, end);
	written_drop(p, file, end + within, UINT64_MAX);
	if (size < before)
		observe_cut(p, file, size, UINT64_MAX);
}

/*
 * One that was opened empty since the call began is another file by the same
 * inode, made before the call that freed it was seen to return.
 */
void file_unlinked(struct pipeline *p, uint32_t file, uint64_t since_ns)
{
	struct file *f = FILE_AT(p, file);

	if (!f->links_known || !f->links)
		return;
	if (f->empty_ns > since_ns) {
		written_drop_before(p, file, f->empty_ns);
		return;
	}
	f->links--;
	file_settle(p, file);
}

void file_opened(struct pipeline *p, uint32_t file, uint64_t time_ns)
{
	struct file *f = FILE_AT(p, file);

	if (!f->opens++)
		f->opened_ns = time_ns;
}

uint32_t open_file_new(struct pipeline *p, uint32_t file)
{
	uint32_t open_file = file ? take_node(p, &p->open_files) : 0;

	if (!open_file)
		return 0;
	OPEN_FILE_AT(p, open_file)->file = file;
	file_opened(p, file, p->now_ns);
	return open_file;
}

uint32_t open_file_hold(struct pipeline *p, uint32_t open_file)
{
	if (open_file)
		OPEN_FILE_AT(p, open_file)->holders++;
	return open_file;
}

void open_file_release(struct pipeline *p, uint32_t open_file)
{
	struct open_file *o;

	if (!open_file)
		return;
	o = OPEN_FILE_AT(p, open_file);
	if (--o->holders)
		return;
	if (o->id)
		table_remove(&p->by_open_file_id, hash_word(o->id), open_file);
	name_release(p, o->name);
	FILE_AT(p, o->file)->opens--;
	file_settle(p, o->file);
	pool_give(&p->open_files, open_file);
}

uint32_t open_file_by_id(struct pipeline *p, uint64_t id)
{
	uint32_t open_file;

	table_for_each(&p->by_open_file_id, hash_word(id), at,
		       open_file) if (OPEN_FILE_AT(p, open_file)->id == id) break;
	return open_file;
}

void open_file_name(struct pipeline *p, uint32_t open_file, uint64_t id)
{
	if (id && !add_node(p, &p->by_open_file_id, hash_word(id), open_file))
		OPEN_FILE_AT(p, open_file)->id = id;
}

void open_file_identify(struct pipeline *p, uint32_t open_file, uint64_t device, uint64_t inode)
{
	struct open_file *o = OPEN_FILE_AT(p, open_file);
	uint32_t before = o->file, known;

	if (!device && !inode)
		return;

	if (FILE_AT(p, before)->identified && FILE_AT(p, before)->device == device &&
	    FILE_AT(p, before)->inode == inode)
		return;
	known = file_known(p, device, inode);
	if (!known && !FILE_AT(p, before)->identified) {
		identify(p, before, device, inode);
		return;
	}
	known = known ? known : file_of(p, device, inode);
	if (!known)
		return;
	o->file = known;
	file_opened(p, known, FILE_AT(p, before)->opened_ns);
	FILE_AT(p, before)->opens--;
	file_settle(p, before);
}

uint32_t content_of(struct pipeline *p, uint32_t open_file)
{
	uint32_t file = open_file ? OPEN_FILE_AT(p, open_file)->file : 0;

	return file && !FILE_AT(p, file)->special ? file : 0;
}
