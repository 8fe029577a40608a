/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two streams of block requests: the same requests, bytes, order?
 *
 * All three are shares in percent: what both have, of what the two have on
 * average (Dice); 100 is the same, and A against B is B against A.
 */
#ifndef SKY_ORDER_H
#define SKY_ORDER_H

#include <stddef.h>

#include "capture/event.h"

/* Of a recording's requests so many are compared; that bounds memory (6 MiB) and time. */
#define ORDER_REQUESTS_MAX (1u << 18)

struct order_request {
	uint64_t sector;
	uint32_t disk, sectors;
	uint8_t op;
};

struct order_list {
	struct order_request *at;
	size_t count, room;
};

/* Adds a block event's request, if there is room for more; 0 or -ENOMEM. */
int order_add(struct order_list *list, const struct event *block);
void order_free(struct order_list *list);

struct order_likeness {
	double requests; /* of the same operation, place and length */
	double order;	 /* of these, the longest sequence that both have in the same order */
	double bytes;	 /* of the same operation and place, however they were cut into requests */
};

/* 0 or -ENOMEM. NAN where neither has any. */
int order_compare(const struct order_list *a, const struct order_list *b,
		  struct order_likeness *likeness);

#endif
