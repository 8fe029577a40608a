// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The target "sky": hands requests on to a device and tells of each of them.
 *
 *	START LENGTH sky DEVICE OFFSET NAME
 *
 * It lies between a guest's virtual disk and its backing device, or below the
 * file system that holds a raw image. While a collector records "disk NAME",
 * every request gives a record when it is submitted, with the checksums of
 * what it writes, and one when it is done, with those of what it read. What
 * was read is hashed by a worker, before whoever waits for it is told.
 *
 * `dmsetup message NAME 0 mark PHASE` puts a mark into the trace. `dmsetup status`
 * shows: recording (0 or 1), requests, and requests whose records found no room.
 */
#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "sky_hash.h"
#include "sky_source.h"

#define DM_MSG_PREFIX "sky"

/* A longer request comes in parts: its record fits into a ring of 64 KiB. */
#define REQUEST_SECTORS_MAX 2048

/*
 * What is recorded under a name. While a table is replaced, the device has two
 * targets of that name, of which one is live: they share this, so that recording
 * goes on.
 */
struct sky_shared {
	struct list_head all, targets;
	struct mapped_device *mapped;
	struct sky_source source;
	atomic64_t requests, lost;
};

struct sky_disk {
	struct list_head of_shared;
	struct dm_target *target;
	struct dm_dev *device;
	sector_t offset;
	struct sky_shared *shared;
};

static LIST_HEAD(names);
static DEFINE_MUTEX(names_lock); /* them, and the targets of each */

/* Beside each bio, from its submission to its end. */
struct sky_request {
	struct sky_disk *disk;
	struct bio *bio;
	struct bvec_iter data;
	bio_end_io_t *end_io;
	u64 id; /* 0: it was not recorded */
	sector_t sector;
	struct work_struct work;
};

/* Has what was read hashed, where a completion may not take that long. */
static struct workqueue_struct *hashers;

static const struct {
	blk_opf_t flag;
	u32 recorded; /* BLOCK_FLAG_ of the event model */
} flags[] = {
	{REQ_SYNC, 1 << 0},	{REQ_META, 1 << 1},   {REQ_PRIO, 1 << 2},	{REQ_FUA, 1 << 3},
	{REQ_PREFLUSH, 1 << 4}, {REQ_RAHEAD, 1 << 5}, {REQ_BACKGROUND, 1 << 6},
};

static u32 flags_of(const struct bio *bio)
{
	u32 recorded = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (bio->bi_opf & flags[i].flag)
			recorded |= flags[i].recorded;
	return recorded;
}

/* enum block_op of the event model. */
static u32 op_of(const struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return 0;
	case REQ_OP_WRITE:
		return bio_sectors(bio) ? 1 : 2;
	case REQ_OP_FLUSH:
		return 2;
	case REQ_OP_WRITE_ZEROES:
		return 4;
	default: /* discard, secure erase: nothing of the old content can be relied upon */
		return 3;
	}
}

static unsigned int pages_of(struct bio *bio, struct bvec_iter data)
{
	struct bvec_iter iter;
	struct bio_vec part;
	unsigned int count = 0;

	__bio_for_each_segment(part, bio, iter, data) count++;
	return count;
}

/* How many aligned chunks the request touches. */
static unsigned int chunks_of(sector_t sector, unsigned int sectors)
{
	return DIV_ROUND_UP(sector % SKY_CHUNK_SECTORS + sectors, SKY_CHUNK_SECTORS);
}

/* Where the hashing of a request's data stands. */
struct hashing {
	u64 *sums, *markers;
	unsigned int chunk;  /* that the next byte belongs to */
	unsigned int offset; /* of it in that chunk */
	bool whole;	     /* that chunk's earlier bytes were all there */
	u64 state;
	u64 marker_bytes[SKY_MARKER_BYTES / 8];
	/* chunks that lie in one page each, the last of them in front of `chunk` */
	const u8 *waiting[SKY_HASH_LANES];
	unsigned int waiting_count;
};

static void hash_waiting(struct hashing *h)
{
	unsigned int first = h->chunk - h->waiting_count, i;

	sky_fnv1a_chunks(h->waiting, h->waiting_count, h->sums + first);
	for (i = 0; i < h->waiting_count; i++)
		h->markers[first + i] = sky_marker(h->waiting[i], h->sums[first + i]);
	h->waiting_count = 0;
}

static void hash_chunk(struct hashing *h, const u8 *data)
{
	h->waiting[h->waiting_count++] = data;
	h->chunk++;
	if (h->waiting_count == SKY_HASH_LANES)
		hash_waiting(h);
}

/* A piece of a chunk that is not in one page, or not whole. */
static void hash_piece(struct hashing *h, const u8 *data, unsigned int bytes)
{
	hash_waiting(h);
	if (!h->offset) {
		h->whole = true;
		h->state = SKY_FNV_BASIS;
		memcpy(h->marker_bytes, data, min_t(unsigned int, bytes, SKY_MARKER_BYTES));
	}
	if (h->whole)
		h->state = sky_fnv1a(h->state, data, bytes);
	h->offset += bytes;
	if (h->offset < SKY_CHUNK_BYTES)
		return;
	if (h->whole) {
		h->sums[h->chunk] = h->state;
		h->markers[h->chunk] = sky_marker(h->marker_bytes, h->state);
	}
	h->offset = 0;
	h->chunk++;
}

/* Fills in all arrays; what is not filled in stays 0, "unknown". */
static void hash_data(struct bio *bio, struct bvec_iter data, sector_t sector, u64 *sums,
		      u64 *markers, u64 *frames)
{
	struct hashing h = {.sums = sums,
			    .markers = markers,
			    .offset = sector % SKY_CHUNK_SECTORS * SECTOR_SIZE};
	struct bvec_iter iter;
	struct bio_vec part;

	__bio_for_each_segment(part, bio, iter, data) {
		const u8 *mapped = bvec_kmap_local(&part), *at = mapped;
		unsigned int left = part.bv_len, bytes;

		*frames++ = page_to_pfn(part.bv_page);
		for (; left; left -= bytes, at += bytes) {
			bytes = min(left, SKY_CHUNK_BYTES - h.offset);
			if (bytes == SKY_CHUNK_BYTES)
				hash_chunk(&h, at);
			else
				hash_piece(&h, at, bytes);
		}
		hash_waiting(&h); /* while the page is mapped */
		kunmap_local(mapped);
	}
}

static void record_begin(struct sky_record *record, u16 kind)
{
	record->kind = kind;
	record->vcpu = U16_MAX;
	record->time_ns = ktime_get_ns();
}

static void record_request(struct sky_request *request, struct sky_ring *ring)
{
	struct bio *bio = request->bio;
	bool writes = op_of(bio) == 1;
	unsigned int chunks = writes ? chunks_of(request->sector, bio_sectors(bio)) : 0;
	unsigned int pages = writes ? pages_of(bio, bio->bi_iter) : 0;
	struct sky_block_record *block;
	u32 length = struct_size(block, words, 2 * chunks + pages);

	block = (struct sky_block_record *)sky_ring_reserve(ring, length, &request->id);
	if (!block) {
		request->id = 0;
		atomic64_inc(&request->disk->shared->lost);
		return;
	}
	record_begin(&block->record, SKY_RECORD_BLOCK);
	block->id = request->id;
	block->sector = request->sector;
	block->sectors = bio_sectors(bio);
	block->flags = flags_of(bio);
	block->op = op_of(bio);
	block->pid = current->tgid;
	block->tid = current->pid;
	block->sums = chunks;
	block->markers = chunks;
	block->frames = pages;
	if (writes)
		hash_data(bio, bio->bi_iter, request->sector, block->words, block->words + chunks,
			  block->words + 2 * chunks);
	sky_ring_commit(&block->record, length);
}

static void record_completion(struct sky_request *request, struct sky_ring *ring)
{
	struct bio *bio = request->bio;
	bool has_read = bio_op(bio) == REQ_OP_READ && !bio->bi_status;
	unsigned int chunks =
		has_read ? chunks_of(request->sector, request->data.bi_size >> SECTOR_SHIFT) : 0;
	unsigned int pages = has_read ? pages_of(bio, request->data) : 0;
	struct sky_complete_record *complete;
	u32 length = struct_size(complete, words, 2 * chunks + pages);
	u64 place;

	complete = (struct sky_complete_record *)sky_ring_reserve(ring, length, &place);
	if (!complete) {
		atomic64_inc(&request->disk->shared->lost);
		return;
	}
	record_begin(&complete->record, SKY_RECORD_COMPLETE);
	complete->id = request->id;
	complete->error = blk_status_to_errno(bio->bi_status);
	complete->sums = chunks;
	complete->markers = chunks;
	complete->frames = pages;
	if (has_read)
		hash_data(bio, request->data, request->sector, complete->words,
			  complete->words + chunks, complete->words + 2 * chunks);
	sky_ring_commit(&complete->record, length);
}

/* Hands the bio back to device-mapper, which takes it from here. */
static void request_end(struct sky_request *request)
{
	struct sky_ring *ring;

	rcu_read_lock();
	ring = sky_source_ring(&request->disk->shared->source);
	if (ring)
		record_completion(request, ring);
	rcu_read_unlock();
	request->bio->bi_end_io = request->end_io;
	bio_endio(request->bio);
}

static void work_end(struct work_struct *work)
{
	request_end(container_of(work, struct sky_request, work));
}

static void sky_end_io(struct bio *bio)
{
	struct sky_request *request = dm_per_bio_data(bio, sizeof(*request));

	if (bio_op(bio) == REQ_OP_READ && !bio->bi_status)
		queue_work(hashers, &request->work);
	else
		request_end(request);
}

static int sky_map(struct dm_target *target, struct bio *bio)
{
	struct sky_disk *disk = target->private;
	struct sky_request *request = dm_per_bio_data(bio, sizeof(*request));
	struct sky_ring *ring;

	request->sector = dm_target_offset(target, bio->bi_iter.bi_sector);
	bio_set_dev(bio, disk->device->bdev);
	bio->bi_iter.bi_sector = disk->offset + request->sector;
	atomic64_inc(&disk->shared->requests);
	if (!sky_source_active(&disk->shared->source))
		return DM_MAPIO_REMAPPED;

	request->disk = disk;
	request->bio = bio;
	request->data = bio->bi_iter;
	request->id = 0;
	rcu_read_lock();
	ring = sky_source_ring(&disk->shared->source);
	if (ring)
		record_request(request, ring);
	rcu_read_unlock();
	if (!request->id)
		return DM_MAPIO_REMAPPED;
	INIT_WORK(&request->work, work_end);
	request->end_io = bio->bi_end_io;
	bio->bi_end_io = sky_end_io;
	return DM_MAPIO_REMAPPED;
}

static struct sky_shared *shared_new(const char *name, struct mapped_device *mapped)
{
	struct sky_shared *shared = kzalloc(sizeof(*shared), GFP_KERNEL);
	int rc;

	if (!shared)
		return ERR_PTR(-ENOMEM);
	shared->mapped = mapped;
	INIT_LIST_HEAD(&shared->targets);
	rc = sky_source_register(&shared->source, name);
	if (rc) {
		kfree(shared);
		return ERR_PTR(rc);
	}
	list_add_tail(&shared->all, &names);
	return shared;
}

/* The one that the target may share, or -EEXIST: a table has a name once, and one device has it. */
static struct sky_shared *shared_find(const char *name, const struct dm_target *target)
{
	struct sky_shared *shared;
	struct sky_disk *disk;

	list_for_each_entry(shared, &names, all) {
		if (strcmp(shared->source.name, name))
			continue;
		if (shared->mapped != dm_table_get_md(target->table))
			return ERR_PTR(-EEXIST);
		list_for_each_entry(disk, &shared->targets, of_shared)
			if (disk->target->table == target->table)
				return ERR_PTR(-EEXIST);
		return shared;
	}
	return NULL;
}

static int shared_get(struct sky_disk *disk, const char *name)
{
	struct sky_shared *shared;

	mutex_lock(&names_lock);
	shared = shared_find(name, disk->target);
	if (!shared)
		shared = shared_new(name, dm_table_get_md(disk->target->table));
	if (!IS_ERR(shared)) {
		disk->shared = shared;
		list_add_tail(&disk->of_shared, &shared->targets);
	}
	mutex_unlock(&names_lock);
	return PTR_ERR_OR_ZERO(shared);
}

static void shared_put(struct sky_disk *disk)
{
	struct sky_shared *shared = disk->shared;

	mutex_lock(&names_lock);
	list_del(&disk->of_shared);
	if (list_empty(&shared->targets)) {
		list_del(&shared->all);
		sky_source_unregister(&shared->source);
		kfree(shared);
	}
	mutex_unlock(&names_lock);
}

static int sky_ctr(struct dm_target *target, unsigned int argc, char **argv)
{
	char name[SKY_RING_NAME_BYTES];
	unsigned long long offset;
	struct sky_disk *disk;
	char dummy;
	int rc;

	if (argc != 3 || sscanf(argv[1], "%llu%c", &offset, &dummy) != 1) {
		target->error = "a device, the first sector in it and a name are needed";
		return -EINVAL;
	}
	if (snprintf(name, sizeof(name), "disk %s", argv[2]) >= sizeof(name)) {
		target->error = "the name is too long";
		return -EINVAL;
	}
	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return -ENOMEM;
	disk->target = target;
	disk->offset = offset;
	rc = dm_get_device(target, argv[0], dm_table_get_mode(target->table), &disk->device);
	if (rc) {
		target->error = "the device can't be opened";
		goto free_disk;
	}
	rc = shared_get(disk, name);
	if (rc) {
		target->error = rc == -EEXIST ? "another disk has that name already" :
						"there is no memory for the disk";
		goto put_device;
	}
	rc = dm_set_target_max_io_len(target, REQUEST_SECTORS_MAX);
	if (rc)
		goto put_shared;
	target->private = disk;
	target->num_flush_bios = 1;
	target->num_discard_bios = 1;
	target->num_secure_erase_bios = 1;
	target->num_write_zeroes_bios = 1;
	target->per_io_data_size = sizeof(struct sky_request);
	return 0;

put_shared:
	shared_put(disk);
put_device:
	dm_put_device(target, disk->device);
free_disk:
	kfree(disk);
	return rc;
}

static void sky_dtr(struct dm_target *target)
{
	struct sky_disk *disk = target->private;

	shared_put(disk);
	dm_put_device(target, disk->device);
	kfree(disk);
}

static void sky_status(struct dm_target *target, status_type_t type, unsigned int status_flags,
		       char *result, unsigned int maxlen)
{
	struct sky_disk *disk = target->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		DMEMIT("%d %lld %lld", sky_source_active(&disk->shared->source),
		       (long long)atomic64_read(&disk->shared->requests),
		       (long long)atomic64_read(&disk->shared->lost));
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s %llu %s", disk->device->name, (unsigned long long)disk->offset,
		       disk->shared->source.name + strlen("disk "));
		break;
	case STATUSTYPE_IMA:
		result[0] = '\0';
		break;
	}
}

static int sky_message(struct dm_target *target, unsigned int argc, char **argv, char *result,
		       unsigned int maxlen)
{
	struct sky_disk *disk = target->private;
	struct sky_mark_record *mark;
	struct sky_ring *ring;
	u32 length;
	u64 place;

	if (argc != 2 || strcasecmp(argv[0], "mark"))
		return -EINVAL;
	length = ALIGN(struct_size(mark, name, strlen(argv[1])), 8);
	rcu_read_lock();
	ring = sky_source_ring(&disk->shared->source);
	mark = ring ? (struct sky_mark_record *)sky_ring_reserve(ring, length, &place) : NULL;
	if (mark) {
		record_begin(&mark->record, SKY_RECORD_MARK);
		mark->bytes = strlen(argv[1]);
		memcpy(mark->name, argv[1], mark->bytes);
		sky_ring_commit(&mark->record, length);
	}
	rcu_read_unlock();
	return mark ? 0 : -ENOSPC;
}

static int sky_iterate_devices(struct dm_target *target, iterate_devices_callout_fn callout,
			       void *data)
{
	struct sky_disk *disk = target->private;

	return callout(target, disk->device, disk->offset, target->len, data);
}

static struct target_type sky_target = {
	.name = "sky",
	.version = {1, 0, 0},
	.features = DM_TARGET_PASSES_INTEGRITY | DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = sky_ctr,
	.dtr = sky_dtr,
	.map = sky_map,
	.status = sky_status,
	.message = sky_message,
	.iterate_devices = sky_iterate_devices,
};

static int __init dm_sky_init(void)
{
	int rc;

	hashers = alloc_workqueue("dm-sky", WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	if (!hashers)
		return -ENOMEM;
	rc = dm_register_target(&sky_target);
	if (rc)
		destroy_workqueue(hashers);
	return rc;
}

static void __exit dm_sky_exit(void)
{
	dm_unregister_target(&sky_target);
	destroy_workqueue(hashers);
}

module_init(dm_sky_init);
module_exit(dm_sky_exit);

MODULE_DESCRIPTION("Sky: records a disk's requests with checksums of their content");
MODULE_LICENSE("GPL");
