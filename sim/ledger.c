/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that wait for hints: found by (disk, id), given up by age.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/pool.h"
#include "common/table.h"
#include "sim/ledger.h"

struct request {
	uint64_t id, time_ns, sector;
	struct list chunks;
	struct link by_age;
	uint32_t disk;
	uint32_t cursor; /* the chunk that the next hint is probably for */
	uint32_t sectors;
	uint32_t found[CHUNK_UNCONSUMED + 1]; /* what its chunks were found to be: a bit a class */
	uint8_t op;
};

struct chunk {
	struct chunk_truth truth;
	struct link of_request;
	uint32_t number;
};

struct ledger {
	struct pool requests, chunks;
	struct table by_id;
	struct list by_age;
	uint64_t wait_ns;
	judge judge;
	void *context;
};

#define BY_AGE	   offsetof(struct request, by_age)
#define OF_REQUEST offsetof(struct chunk, of_request)

#define REQUEST_AT(l, i) POOL_NODE(&(l)->requests, struct request, i)
#define CHUNK_AT(l, i)	 POOL_NODE(&(l)->chunks, struct chunk, i)

struct ledger *ledger_new(uint64_t wait_ns, judge judge, void *context)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->wait_ns = wait_ns;
	l->judge = judge;
	l->context = context;
	pool_init(&l->requests, sizeof(struct request));
	pool_init(&l->chunks, sizeof(struct chunk));
	if (!table_init(&l->by_id))
		return l;
	free(l);
	return NULL;
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	pool_fini(&l->requests);
	pool_fini(&l->chunks);
	table_fini(&l->by_id);
	free(l);
}

static uint32_t find(struct ledger *l, uint32_t disk, uint64_t id)
{
	uint32_t request;

	table_for_each(&l->by_id, hash_words(id, disk), at,
		       request) if (REQUEST_AT(l, request)->id == id &&
				    REQUEST_AT(l, request)->disk == disk) break;
	return request;
}

/* Of the request's chunks, is this the first that was found to be what the hint says? */
static bool first_found(struct request *r, const struct event *hint)
{
	uint8_t what = hint ? hint->hint.what : CHUNK_UNKNOWN;
	uint32_t bit = hint ? 1u << hint->hint.io_class % CLASS_COUNT : 1;
	bool first = !(r->found[what] & bit);

	r->found[what] |= bit;
	return first;
}

static uint64_t sectors_of(const struct request *r, uint32_t number)
{
	uint64_t before = (uint64_t)number * SECTORS_PER_CHUNK;
	uint64_t left = r->sectors > before ? r->sectors - before : 0;

	return left < SECTORS_PER_CHUNK ? left : SECTORS_PER_CHUNK;
}

static void judge_chunk(struct ledger *l, uint32_t request, uint32_t chunk,
			const struct event *hint)
{
	struct request *r = REQUEST_AT(l, request);
	const struct chunk *c = CHUNK_AT(l, chunk);
	struct judged judged = {
		.hint = hint,
		.truth = c->truth,
		.issued_ns = r->time_ns,
		.sector = r->sector + (uint64_t)c->number * SECTORS_PER_CHUNK,
		.chunks = 1,
		.sectors = sectors_of(r, c->number),
		.op = r->op,
		.first = first_found(r, hint),
	};

	l->judge(l->context, &judged);
	r->cursor = c->of_request.next;
	list_remove(&r->chunks, &l->chunks, OF_REQUEST, chunk);
	pool_give(&l->chunks, chunk);
}

static void forget(struct ledger *l, uint32_t request)
{
	const struct request *r = REQUEST_AT(l, request);

	table_remove(&l->by_id, hash_words(r->id, r->disk), request);
	list_remove(&l->by_age, &l->requests, BY_AGE, request);
	pool_give(&l->requests, request);
}

static void give_up(struct ledger *l, uint32_t request)
{
	while (REQUEST_AT(l, request)->chunks.first)
		judge_chunk(l, request, REQUEST_AT(l, request)->chunks.first, NULL);
	forget(l, request);
}

uint64_t ledger_chunks(const struct event *event)
{
	uint64_t sectors = event->block.sectors, chunks;

	chunks = sectors / SECTORS_PER_CHUNK + (sectors % SECTORS_PER_CHUNK != 0);
	return chunks > event->block.sums.count ? chunks : event->block.sums.count;
}

/* Too long, or a write that no hint can come for: counted, not followed. */
static void judge_whole(struct ledger *l, const struct event *event)
{
	struct judged judged = {
		.issued_ns = event->time_ns,
		.sector = event->block.sector,
		.chunks = ledger_chunks(event),
		.sectors = event->block.sectors,
		.op = event->block.op,
		.first = true,
	};

	l->judge(l->context, &judged);
}

static int add_chunks(struct ledger *l, uint32_t request, uint64_t count,
		      const struct chunk_truth *truth)
{
	for (uint64_t i = 0; i < count; i++) {
		uint32_t chunk = pool_take(&l->chunks);

		if (!chunk)
			return -ENOMEM;
		CHUNK_AT(l, chunk)->number = i;
		if (truth)
			CHUNK_AT(l, chunk)->truth = truth[i];
		list_append(&REQUEST_AT(l, request)->chunks, &l->chunks, OF_REQUEST, chunk);
	}
	return 0;
}

int ledger_issue(struct ledger *l, const struct event *event, const struct chunk_truth *truth)
{
	const struct block_event *block = &event->block;
	uint64_t count = ledger_chunks(event);
	uint32_t request = find(l, block->disk, block->id);

	if (request)
		give_up(l, request);
	if (!count)
		return 0;
	if (count > LEDGER_CHUNKS_MAX) {
		judge_whole(l, event);
		return 0;
	}
	request = pool_take(&l->requests);
	if (!request)
		return -ENOMEM;
	*REQUEST_AT(l, request) = (struct request){.id = block->id,
						   .time_ns = event->time_ns,
						   .sector = block->sector,
						   .sectors = block->sectors,
						   .disk = block->disk,
						   .op = block->op};
	if (table_add(&l->by_id, hash_words(block->id, block->disk), request))
		return -ENOMEM;
	list_append(&l->by_age, &l->requests, BY_AGE, request);
	return add_chunks(l, request, count, truth);
}

/* Hints of a request come mostly in the order of its chunks. */
static uint32_t find_chunk(struct ledger *l, const struct request *r, uint32_t number)
{
	uint32_t chunk = r->cursor;

	for (; chunk; chunk = CHUNK_AT(l, chunk)->of_request.next)
		if (CHUNK_AT(l, chunk)->number == number)
			return chunk;
	for (chunk = r->chunks.first; chunk && chunk != r->cursor;
	     chunk = CHUNK_AT(l, chunk)->of_request.next)
		if (CHUNK_AT(l, chunk)->number == number)
			return chunk;
	return 0;
}

void ledger_hint(struct ledger *l, const struct event *hint)
{
	uint32_t request = find(l, hint->hint.disk, hint->hint.request), chunk;

	if (!request)
		return;
	chunk = find_chunk(l, REQUEST_AT(l, request), hint->hint.chunk);
	if (chunk)
		judge_chunk(l, request, chunk, hint);
	if (!REQUEST_AT(l, request)->chunks.first)
		forget(l, request);
}

void ledger_close(struct ledger *l, uint32_t disk, uint64_t id)
{
	uint32_t request = find(l, disk, id);

	if (request)
		give_up(l, request);
}

void ledger_expire(struct ledger *l, uint64_t now_ns)
{
	while (l->by_age.first && REQUEST_AT(l, l->by_age.first)->time_ns + l->wait_ns < now_ns)
		give_up(l, l->by_age.first);
}

void ledger_trim(struct ledger *l, uint32_t keep)
{
	while (l->by_age.count > keep)
		give_up(l, l->by_age.first);
}
