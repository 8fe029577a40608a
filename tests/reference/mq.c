/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

#define QOUT 99 /* a list behind all queues */

/* Of the numbers of a block. */
#define REFERENCES 0
#define EXPIRES	   1

/* Of the policy's numbers; the second and third are percent of the cache. */
#define QUEUES	 0
#define LIFETIME 1
#define QOUT_MAX 2
#define NOW	 3

static int queue_num(const struct reference *r, uint64_t references)
{
	int queue = 0;

	while (queue + 1 < (int)r->number[QUEUES] && references >= 2ull << queue)
		queue++;
	return queue;
}

static void to_tail(struct reference *r, struct reference_block *b, int queue)
{
	b->list = queue;
	b->moment = reference_now(r);
	b->number[EXPIRES] = r->number[NOW] + r->capacity * r->number[LIFETIME] / 100;
}

static void adjust(struct reference *r)
{
	r->number[NOW]++;
	for (int queue = 1; queue < (int)r->number[QUEUES]; queue++) {
		struct reference_block *head = reference_oldest(r, queue);

		if (head && head->number[EXPIRES] < r->number[NOW])
			to_tail(r, head, queue - 1);
	}
}

static void hit(struct reference *r, struct reference_block *b)
{
	b->number[REFERENCES]++;
	to_tail(r, b, queue_num(r, b->number[REFERENCES]));
	adjust(r);
}

static uint64_t evict(struct reference *r)
{
	uint64_t out_max = r->capacity * r->number[QOUT_MAX] / 100, block;
	int queue = 0;

	while (!reference_length(r, queue))
		queue++;
	block = reference_oldest(r, queue)->block;
	if (!out_max) {
		reference_drop(r, reference_find(r, block));
		return block;
	}
	if (reference_length(r, QOUT) == out_max)
		reference_drop(r, reference_oldest(r, QOUT));
	reference_remember(r, reference_find(r, block), QOUT);
	return block;
}

static void miss(struct reference *r, const struct block_ref *ref, struct reference_block *b)
{
	uint64_t references = 0;

	if (reference_is_full(r))
		evict(r);
	b = reference_find(r, ref->block);
	if (b) {
		references = b->number[REFERENCES];
		reference_drop(r, b);
	}
	b = reference_add(r, ref, 0);
	b->number[REFERENCES] = references;
	hit(r, b);
}

static void init_preset(struct reference *r)
{
	r->number[QUEUES] = 8;
	r->number[LIFETIME] = 100;
	r->number[QOUT_MAX] = 400;
}

static void init_few(struct reference *r)
{
	r->number[QUEUES] = 3;
	r->number[LIFETIME] = 50;
	r->number[QOUT_MAX] = 60;
}

static void init_none(struct reference *r)
{
	r->number[QUEUES] = 4;
	r->number[LIFETIME] = 300;
}

static void init_one(struct reference *r)
{
	r->number[QUEUES] = 1;
	r->number[QOUT_MAX] = 100;
}

REFERENCE_POLICY(of_preset){
	.spec = "mq", .init = init_preset, .hit = hit, .miss = miss, .evict = evict};
REFERENCE_POLICY(few){.spec = "mq:queues=3,lifetime=50,out=60",
		      .init = init_few,
		      .hit = hit,
		      .miss = miss,
		      .evict = evict};
REFERENCE_POLICY(no_memory){.spec = "mq:queues=4,lifetime=300,out=0",
			    .init = init_none,
			    .hit = hit,
			    .miss = miss,
			    .evict = evict};
REFERENCE_POLICY(one_queue){.spec = "mq:queues=1,lifetime=0,out=100",
			    .init = init_one,
			    .hit = hit,
			    .miss = miss,
			    .evict = evict};
