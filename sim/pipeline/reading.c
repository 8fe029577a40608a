/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the disk delivered and no call has taken yet (paper, 3.4.1).
 *
 * A completed read's chunks wait under their checksums. A call that returns
 * with the same content takes them: they were data. What is left when the
 * window (4 s) closes was read for the file system itself, or ahead for
 * a reader that never came: it counts as unconsumed file data where the disk
 * was given it there as that, or where a neighbour, in the request or in one
 * that adjoins it on the disk, was data of a file that has a chunk there, else
 * as metadata. So decided requests stay for
 * one more window, as evidence for those that adjoin them.
 */
#include "sim/pipeline/application.h"
#include "sim/pipeline/copying.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/hints.h"
#include "sim/pipeline/mapped.h"
#include "sim/pipeline/reading.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/stored.h"
#include "sim/pipeline/sums.h"

/* How many entries of equal content are looked at for the one that fits the file best. */
#define CANDIDATES_MAX 8

/* From how many requests a call's chunks are known to have come. */
#define SOURCES_MAX 8
/* How far apart the kernel reads at one time, by default: 128 KiB, */
#define READ_AHEAD_CHUNKS 32
/* ... and how many requests near one are looked at, in time and on the disk. */
#define TOGETHER_MAX	  4

#define QUEUE	   offsetof(struct read_request, queue)
#define OF_REQUEST offsetof(struct read_chunk, of_request)

static uint32_t disk_hash(uint32_t disk, uint64_t number)
{
	return hash_words(number, disk);
}

static uint32_t find_flying(struct pipeline *p, uint32_t disk, uint64_t id)
{
	uint32_t request;

	table_for_each(&p->in_flight, disk_hash(disk, id), at,
		       request) if (REQUEST_AT(p, request)->id == id &&
				    REQUEST_AT(p, request)->disk == disk) break;
	return request;
}

static void land(struct pipeline *p, uint32_t request)
{
	const struct read_request *r = REQUEST_AT(p, request);

	table_remove(&p->in_flight, disk_hash(r->disk, r->id), request);
	list_remove(&p->flying, &p->requests, QUEUE, request);
}

void read_issued(struct pipeline *p, const struct event *event)
{
	const struct block_event *block = &event->block;
	uint32_t request = find_flying(p, block->disk, block->id);

	if (request) {
		land(p, request);
		pool_give(&p->requests, request);
		p->counters.requests_never_completed++;
	}
	request = take_node(p, &p->requests);
	if (!request)
		return;
	*REQUEST_AT(p, request) = (struct read_request){.id = block->id,
							.sector = block->sector,
							.sectors = block->sectors,
							.disk = block->disk,
							.time_ns = p->now_ns,
							.issued_ns = p->now_ns};
	if (add_node(p, &p->in_flight, disk_hash(block->disk, block->id), request))
		pool_give(&p->requests, request);
	else
		list_append(&p->flying, &p->requests, QUEUE, request);
}

static uint64_t end_of(const struct read_request *request)
{
	return request->sector + request->sectors;
}

static uint32_t find_start(struct pipeline *p, uint32_t disk, uint64_t sector)
{
	uint32_t request;

	table_for_each(&p->by_start, disk_hash(disk, sector), at,
		       request) if (REQUEST_AT(p, request)->sector == sector &&
				    REQUEST_AT(p, request)->disk == disk) break;
	return request;
}

static uint32_t find_end(struct pipeline *p, uint32_t disk, uint64_t sector)
{
	uint32_t request;

	table_for_each(&p->by_end, disk_hash(disk, sector), at,
		       request) if (end_of(REQUEST_AT(p, request)) == sector &&
				    REQUEST_AT(p, request)->disk == disk) break;
	return request;
}

/* The newest request that starts, and that ends, at a sector can be found by it. */
static void show(struct pipeline *p, uint32_t request)
{
	const struct read_request *r = REQUEST_AT(p, request);
	uint32_t start = find_start(p, r->disk, r->sector);
	uint32_t end = find_end(p, r->disk, end_of(r));

	if (start)
		table_replace(&p->by_start, disk_hash(r->disk, r->sector), start, request);
	else
		add_node(p, &p->by_start, disk_hash(r->disk, r->sector), request);
	if (end)
		table_replace(&p->by_end, disk_hash(r->disk, end_of(r)), end, request);
	else
		add_node(p, &p->by_end, disk_hash(r->disk, end_of(r)), request);
}

static void hide(struct pipeline *p, uint32_t request)
{
	const struct read_request *r = REQUEST_AT(p, request);

	if (find_start(p, r->disk, r->sector) == request)
		table_remove(&p->by_start, disk_hash(r->disk, r->sector), request);
	if (find_end(p, r->disk, end_of(r)) == request)
		table_remove(&p->by_end, disk_hash(r->disk, end_of(r)), request);
}

static void add_chunk(struct pipeline *p, uint32_t request, uint32_t chunk, uint64_t sum,
		      uint64_t frame)
{
	uint32_t node = take_node(p, &p->read_chunks);
	struct read_chunk *c;

	if (!node)
		return;
	c = CHUNK_AT(p, node);
	*c = (struct read_chunk){.summed.sum = sum, .request = request, .chunk = chunk};
	list_append(&REQUEST_AT(p, request)->chunks, &p->read_chunks, OF_REQUEST, node);
	if (sum == SUM_UNKNOWN || sums_add(p, &p->read_sums, &p->read_chunks, node))
		return;
	c->waiting = true;
	REQUEST_AT(p, request)->waiting++;
	p->counters.waiting++;
	frame_filled(p, frame, node);
}

void read_completed(struct pipeline *p, const struct event *event)
{
	const struct complete_event *complete = &event->complete;
	uint32_t request = find_flying(p, complete->disk, complete->id);

	if (!request)
		return;
	land(p, request);
	if (complete->error || !complete->sums.count) {
		p->counters.requests_without_sums += !complete->error;
		pool_give(&p->requests, request);
		return;
	}
	REQUEST_AT(p, request)->time_ns = p->now_ns;
	REQUEST_AT(p, request)->zeros = true;
	for (uint32_t i = 0; i < complete->sums.count; i++) {
		add_chunk(p, request, i, complete->sums.at[i],
			  frame_of_chunk(&complete->frames, &complete->sums, i));
		REQUEST_AT(p, request)->zeros &= complete->sums.at[i] == p->zero_sum;
	}
	if (p->counters.waiting > p->counters.waiting_peak)
		p->counters.waiting_peak = p->counters.waiting;
	list_append(&p->window, &p->requests, QUEUE, request);
	show(p, request);
}

static void free_chunks(struct pipeline *p, uint32_t request)
{
	struct list *chunks = &REQUEST_AT(p, request)->chunks;
	uint32_t node, next;

	for (node = chunks->first; node; node = next) {
		next = CHUNK_AT(p, node)->of_request.next;
		file_release(p, CHUNK_AT(p, node)->file);
		pool_give(&p->read_chunks, node);
	}
	*chunks = (struct list){0};
}

/* The request holds data of the file, this chunk being that one of it. */
static void belongs(struct pipeline *p, uint32_t request, uint32_t file, uint64_t index,
		    uint32_t chunk)
{
	struct read_request *r = REQUEST_AT(p, request);

	if (r->file != file) {
		file_hold(p, file);
		file_release(p, r->file);
		r->file = file;
	}
	r->base = index - chunk;
}

static bool fits(struct pipeline *p, uint32_t node, uint32_t file, uint64_t index)
{
	const struct read_chunk *c = CHUNK_AT(p, node);
	const struct read_request *r = REQUEST_AT(p, c->request);

	return r->file && r->file == file && r->base + c->chunk == index;
}

static bool is_place(struct pipeline *p, uint32_t node, uint32_t file, uint64_t index)
{
	const struct read_chunk *c = CHUNK_AT(p, node);
	uint64_t sector = REQUEST_AT(p, c->request)->sector;

	return application_knows_place(p, file, index,
				       sector + (uint64_t)c->chunk * SECTORS_PER_CHUNK);
}

/* Zeros that the disk delivered when nobody had the file open are not its (a file system's log). */
static bool may_be_zeros_of(struct pipeline *p, const struct read_request *r, uint32_t file)
{
	return r->zeros && (!file || r->issued_ns >= FILE_AT(p, file)->opened_ns);
}

/*
 * Among chunks of equal content, the one whose request the file's data came by;
 * else the oldest. Zeros by themselves say nothing (holes read as zeros, unused
 * parts of metadata are zeros): they count only in a request that holds no more.
 */
static uint32_t choose(struct pipeline *p, uint64_t sum, uint32_t file, uint64_t index)
{
	uint32_t first = sums_find(&p->read_sums, &p->read_chunks, sum), node = first;
	uint32_t otherwise = sum == p->zero_sum ? 0 : first;

	for (int i = 0; first && i < CANDIDATES_MAX; i++) {
		if (fits(p, node, file, index) || is_place(p, node, file, index))
			return node;
		if (!otherwise &&
		    may_be_zeros_of(p, REQUEST_AT(p, CHUNK_AT(p, node)->request), file))
			otherwise = node;
		node = CHUNK_AT(p, node)->summed.same.next;
		if (node == first)
			break;
	}
	return otherwise;
}

static void stop_waiting(struct pipeline *p, uint32_t node)
{
	struct read_chunk *c = CHUNK_AT(p, node);

	sums_remove(&p->read_sums, &p->read_chunks, node);
	frame_waits_no_more(p, node);
	c->waiting = false;
	REQUEST_AT(p, c->request)->waiting--;
	p->counters.waiting--;
}

/* What it was read for, if a call. */
static void first_taken(struct pipeline *p, struct read_request *request)
{
	if (request->taken_ns)
		return;
	request->taker_ns = p->origin.since_ns;
	request->taken_ns = p->now_ns;
}

static void take(struct pipeline *p, uint32_t node, uint32_t file, uint64_t index,
		 enum hint_reason reason)
{
	struct read_chunk *c = CHUNK_AT(p, node);
	uint32_t request = c->request;
	const struct read_request *r = REQUEST_AT(p, request);

	stop_waiting(p, node);
	if (p->origin.classed) {
		hint_given(p, r->disk, r->id, c->chunk, p->origin.io_class, file,
			   index == OFFSET_UNKNOWN ? 0 : index);
	} else {
		hint_data(p, r->disk, r->id, c->chunk, CHUNK_DATA, reason, file,
			  index == OFFSET_UNKNOWN ? 0 : index);
		hint_refine(p, file, r->issued_ns, dedup_of_read(p));
	}
	if (file && index != OFFSET_UNKNOWN) {
		c->file = file_hold(p, file);
		c->index = index;
		belongs(p, request, file, index, c->chunk);
		first_taken(p, REQUEST_AT(p, request));
	}
	if (!r->waiting)
		free_chunks(p, request);
}

void read_mapped(struct pipeline *p, uint32_t chunk, uint32_t file, uint64_t index)
{
	take(p, chunk, file, index, REASON_FRAME);
}

struct place {
	uint64_t sector;
	uint32_t disk;
};

static struct place place_of(struct pipeline *p, uint32_t node)
{
	const struct read_chunk *c = CHUNK_AT(p, node);
	const struct read_request *r = REQUEST_AT(p, c->request);

	return (struct place){r->sector + (uint64_t)c->chunk * SECTORS_PER_CHUNK, r->disk};
}

static bool same_place(struct place a, struct place b)
{
	return a.sector == b.sector && a.disk == b.disk;
}

/* A sector that was read more than once for one call (Btrfs, direct I/O): all its reads. */
static void take_sector(struct pipeline *p, uint64_t sum, uint32_t node, uint32_t file,
			uint64_t index)
{
	struct place place = place_of(p, node);
	uint32_t next;

	do {
		next = CHUNK_AT(p, node)->summed.same.next;
		take(p, node, file, index, REASON_READ_CHECKSUM);
		node = next;
	} while (sums_find(&p->read_sums, &p->read_chunks, sum) &&
		 same_place(place_of(p, node), place));
}

/* The last requests that a call took chunks from. */
struct sources {
	uint32_t request[SOURCES_MAX];
	unsigned next;
};

static void add_source(struct sources *sources, uint32_t request)
{
	if (sources->request[(sources->next + SOURCES_MAX - 1) % SOURCES_MAX] == request)
		return;
	sources->request[sources->next] = request;
	sources->next = (sources->next + 1) % SOURCES_MAX;
}

static uint32_t waiting_chunk(struct pipeline *p, uint32_t request, uint64_t chunk)
{
	uint32_t node = REQUEST_AT(p, request)->chunks.first;

	while (node && CHUNK_AT(p, node)->chunk != chunk)
		node = CHUNK_AT(p, node)->of_request.next;
	return node && CHUNK_AT(p, node)->waiting ? node : 0;
}

/*
 * Where thousands of equal chunks wait (the empty rest of a database's pages),
 * the right one is at its place beside those that the same call took.
 */
static uint32_t beside_taken(struct pipeline *p, const struct sources *sources, uint64_t sum,
			     uint32_t file, uint64_t index)
{
	for (unsigned i = 0; i < SOURCES_MAX && sources->request[i]; i++) {
		const struct read_request *r = REQUEST_AT(p, sources->request[i]);
		uint32_t node = 0;

		if (file && r->file == file && index != OFFSET_UNKNOWN && index >= r->base)
			node = waiting_chunk(p, sources->request[i], index - r->base);
		if (node && CHUNK_AT(p, node)->summed.sum == sum)
			return node;
	}
	return 0;
}

static void take_chunk(struct pipeline *p, struct sources *sources, uint64_t sum, uint32_t file,
		       uint64_t index)
{
	uint32_t node = sum == p->zero_sum ? beside_taken(p, sources, sum, file, index) : 0;

	if (node) {
		take(p, node, file, index, REASON_READ_CHECKSUM);
		return;
	}
	node = sum == SUM_UNKNOWN ? 0 : choose(p, sum, file, index);
	if (!node)
		return;
	add_source(sources, CHUNK_AT(p, node)->request);
	take_sector(p, sum, node, file, index);
}

/* Zeros last: by then their request may be known to be the file's. */
void read_taken(struct pipeline *p, uint32_t file, uint64_t offset, const struct words *sums)
{
	struct sources sources = {0};

	copying_read(p, sums);
	for (int zeros = 0; zeros < 2; zeros++) {
		for (uint32_t i = 0; i < sums->count && p->counters.waiting; i++) {
			uint64_t index =
				offset == OFFSET_UNKNOWN ? offset : offset / CHUNK_BYTES + i;

			if ((sums->at[i] == p->zero_sum) == zeros)
				take_chunk(p, &sources, sums->at[i], file, index);
		}
	}
}

/* Can the file have a chunk of that number? */
static bool has_chunk(struct pipeline *p, uint32_t file, uint64_t index)
{
	uint64_t size = file_size(FILE_AT(p, file));

	return index < UINT64_MAX / CHUNK_BYTES && index * CHUNK_BYTES < size;
}

/* Does the chunk, if it is that one of the file, lie where this request's make it lie? */
static bool in_place(const struct read_request *r, const struct read_request *other, uint32_t file,
		     uint64_t index)
{
	int64_t chunks = (int64_t)(other->sector - r->sector) / SECTORS_PER_CHUNK;

	return other->file == file && other->disk == r->disk && other->base == index + chunks &&
	       chunks <= READ_AHEAD_CHUNKS && chunks >= -READ_AHEAD_CHUNKS;
}

/* Was the request made when a call was out that took of this one? */
static bool for_the_same_call(const struct read_request *r, const struct read_request *other)
{
	return other->taker_ns && r->issued_ns >= other->taker_ns &&
	       r->issued_ns <= other->taken_ns;
}

/*
 * The kernel reads what is missing of its window around what a call asked for;
 * where most of that is cached, in single chunks.
 */
static bool read_ahead(struct pipeline *p, uint32_t request, uint32_t file, uint64_t index)
{
	const struct read_request *r = REQUEST_AT(p, request);
	uint32_t before = p->decided.last, after = r->queue.next;

	for (int i = 0; i < TOGETHER_MAX; i++) {
		const struct read_request *b = before ? REQUEST_AT(p, before) : NULL;
		const struct read_request *a = after ? REQUEST_AT(p, after) : NULL;

		if ((b && in_place(r, b, file, index) && for_the_same_call(r, b)) ||
		    (a && in_place(r, a, file, index) && for_the_same_call(r, a)))
			return true;
		before = b ? b->queue.previous : 0;
		after = a ? a->queue.next : 0;
	}
	return false;
}

/* The nearest request on one side that holds a file's data, if nothing is missing in between. */
static const struct read_request *known_before(struct pipeline *p, const struct read_request *r)
{
	const struct read_request *b = r;

	for (int i = 0; i < TOGETHER_MAX; i++) {
		uint32_t before = find_end(p, b->disk, b->sector);

		if (!before)
			return NULL;
		b = REQUEST_AT(p, before);
		if (b->file)
			return b;
	}
	return NULL;
}

static const struct read_request *known_after(struct pipeline *p, const struct read_request *r)
{
	const struct read_request *a = r;

	for (int i = 0; i < TOGETHER_MAX; i++) {
		uint32_t after = find_start(p, a->disk, end_of(a));

		if (!after)
			return NULL;
		a = REQUEST_AT(p, after);
		if (a->file)
			return a;
	}
	return NULL;
}

/* Which chunk of a request's file would be the first of another one. */
static uint64_t index_by(const struct read_request *known, const struct read_request *r)
{
	return known->base + (int64_t)(r->sector - known->sector) / SECTORS_PER_CHUNK;
}

/*
 * Where nothing in the request was taken, those beside it may tell whose it is.
 * Read-ahead comes in runs; a single chunk beside a file's data is more often
 * an indirect block (ext2, ext3) or a folder, unless the file lacks exactly what
 * lies between those on both sides, or only one side is known and it was read
 * together with what a call took.
 */
static void infer_from_adjoining(struct pipeline *p, uint32_t request)
{
	const struct read_request *r = REQUEST_AT(p, request), *known = NULL;
	const struct read_request *b = known_before(p, r), *a = known_after(p, r);
	bool single = r->sectors <= SECTORS_PER_CHUNK;

	if (b && (end_of(b) == r->sector || (a && single)))
		known = b;
	else if (a && a->sector == end_of(r))
		known = a;
	if (!known)
		return;
	if (single && a && b && (a->file != b->file || index_by(a, r) != index_by(b, r)))
		return;
	if (single && !(a && b) && !read_ahead(p, request, known->file, index_by(known, r)))
		return;
	belongs(p, request, known->file, index_by(known, r), 0);
}

static uint32_t next_taken(struct pipeline *p, uint32_t node)
{
	while (node && !CHUNK_AT(p, node)->file)
		node = CHUNK_AT(p, node)->of_request.next;
	return node;
}

/* A chunk that nobody took, beside one that somebody did (0: none) or in a request of a file. */
static bool unconsumed(struct pipeline *p, uint32_t node, uint32_t file, uint64_t index)
{
	const struct read_chunk *c = CHUNK_AT(p, node);
	const struct read_request *r = REQUEST_AT(p, c->request);

	if (!file || !has_chunk(p, file, index))
		return false;
	hint_data(p, r->disk, r->id, c->chunk, CHUNK_UNCONSUMED, REASON_NEIGHBOUR, file, index);
	hint_refine(p, file, r->issued_ns, DEDUP_NONE);
	return true;
}

/* It was read ahead if the disk was given it, there, as a file's data. */
static bool unconsumed_of_old(struct pipeline *p, uint32_t node)
{
	const struct read_chunk *c = CHUNK_AT(p, node);
	const struct read_request *r = REQUEST_AT(p, c->request);
	const struct stored *s =
		stored_find(p, r->disk, r->sector + (uint64_t)c->chunk * SECTORS_PER_CHUNK,
			    c->summed.sum);
	uint32_t file = s ? file_known(p, s->device, s->inode) : 0;

	if (!s)
		return false;
	hint_data(p, r->disk, r->id, c->chunk, CHUNK_UNCONSUMED, REASON_WRITE_CHECKSUM, file,
		  s->index);
	hint_refine(p, file, r->issued_ns, DEDUP_NONE);
	return true;
}

static void decide_chunk(struct pipeline *p, uint32_t node, uint32_t left, uint32_t right)
{
	const struct read_chunk *c = CHUNK_AT(p, node);
	const struct read_chunk *l = left ? CHUNK_AT(p, left) : NULL;
	const struct read_chunk *r = right ? CHUNK_AT(p, right) : NULL;
	const struct read_request *request = REQUEST_AT(p, c->request);

	p->counters.reads_unwanted++;
	if (unconsumed_of_old(p, node))
		return;
	if (l && r && l->file == r->file && r->index - l->index < r->chunk - l->chunk)
		l = r = NULL; /* between them the file has nothing */
	if (l && unconsumed(p, node, l->file, l->index + (c->chunk - l->chunk)))
		return;
	if (r && unconsumed(p, node, r->file, r->index - (r->chunk - c->chunk)))
		return;
	if (!left && !right && unconsumed(p, node, request->file, request->base + c->chunk))
		return;
	hint_metadata(p, request->disk, request->id, c->chunk);
}

static void decide(struct pipeline *p, uint32_t request)
{
	const struct read_request *r = REQUEST_AT(p, request);
	uint32_t left = 0, right = 0, next;
	bool looked = false;

	if (!r->file)
		infer_from_adjoining(p, request);
	for (uint32_t node = r->chunks.first; node; node = next) {
		next = CHUNK_AT(p, node)->of_request.next;
		if (CHUNK_AT(p, node)->file) {
			left = node;
			looked = false;
		}
		if (!CHUNK_AT(p, node)->waiting)
			continue;
		if (!looked)
			right = next_taken(p, next);
		looked = true;
		stop_waiting(p, node);
		decide_chunk(p, node, left, right);
	}
	free_chunks(p, request);
}

static void forget_request(struct pipeline *p, uint32_t request)
{
	hide(p, request);
	file_release(p, REQUEST_AT(p, request)->file);
	pool_give(&p->requests, request);
}

/* The first of a queue, if that long has passed since its time. */
static uint32_t overdue(struct pipeline *p, const struct list *queue, uint64_t age_ns,
			uint64_t until_ns)
{
	uint32_t first = queue->first;

	return first && REQUEST_AT(p, first)->time_ns + age_ns <= until_ns ? first : 0;
}

static void close_window(struct pipeline *p, uint32_t request)
{
	decide(p, request);
	list_remove(&p->window, &p->requests, QUEUE, request);
	if (REQUEST_AT(p, request)->file)
		list_append(&p->decided, &p->requests, QUEUE, request);
	else
		forget_request(p, request);
}

void read_expire(struct pipeline *p, uint64_t until_ns)
{
	uint64_t window_ns = p->options.read_window_ns;
	uint32_t request;

	while ((request = overdue(p, &p->window, window_ns, until_ns))) {
		p->now_ns = REQUEST_AT(p, request)->time_ns + window_ns;
		close_window(p, request);
	}
	while ((request = overdue(p, &p->decided, 2 * window_ns, until_ns))) {
		list_remove(&p->decided, &p->requests, QUEUE, request);
		forget_request(p, request);
	}
	while ((request = overdue(p, &p->flying, p->options.write_age_ns, until_ns))) {
		land(p, request);
		pool_give(&p->requests, request);
		p->counters.requests_never_completed++;
	}
}

void read_make_room(struct pipeline *p, uint32_t chunks)
{
	uint32_t request;

	while ((request = p->window.first) && p->read_chunks.count > chunks) {
		for (uint32_t node = REQUEST_AT(p, request)->chunks.first; node;
		     node = CHUNK_AT(p, node)->of_request.next) {
			if (!CHUNK_AT(p, node)->waiting)
				continue;
			stop_waiting(p, node);
			p->counters.reads_given_up++;
		}
		free_chunks(p, request);
		list_remove(&p->window, &p->requests, QUEUE, request);
		forget_request(p, request);
	}
}

void read_finish(struct pipeline *p)
{
	while (p->window.first)
		close_window(p, p->window.first);
	read_expire(p, UINT64_MAX);
}
