/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hint belongs to which chunk of which request, and to which truth.
 *
 * A request is entered when it is issued, with its truth; its hints come then,
 * or seconds later, or never. Whoever counts gets each chunk once, as soon as
 * both sides are known: the memory is that of the requests still undecided.
 */
#ifndef SKY_LEDGER_H
#define SKY_LEDGER_H

#include "capture/event.h"
#include "sim/truth_join.h"

struct ledger;

/* Chunks of one request that are alike in all that is known of them. */
struct judged {
	const struct event *hint; /* NULL: nothing was found out */
	struct chunk_truth truth;
	uint64_t issued_ns, sector;
	uint64_t chunks; /* 1, but for requests that are not followed chunk by chunk */
	uint64_t sectors;
	uint8_t op;	 /* BLOCK_READ or BLOCK_WRITE */
	bool first;	 /* of its request that was found to be this, and of this class */
};

typedef void (*judge)(void *context, const struct judged *judged);

/* wait_ns: how long a hint may take. NULL if out of memory. */
struct ledger *ledger_new(uint64_t wait_ns, judge judge, void *context);
void ledger_free(struct ledger *ledger);

/* Requests longer than this many chunks (64 MiB) are not followed chunk by chunk. */
#define LEDGER_CHUNKS_MAX 16384u

/* How many chunks a request touches. */
uint64_t ledger_chunks(const struct event *block);

/*
 * A read or write is issued; truth[0 .. ledger_chunks()), or NULL where there
 * is none. 0 or -ENOMEM.
 */
int ledger_issue(struct ledger *ledger, const struct event *block, const struct chunk_truth *truth);

/* A hint came; one whose request isn't there (any more) is ignored. */
void ledger_hint(struct ledger *ledger, const struct event *hint);

/* The request will have no more hints. */
void ledger_close(struct ledger *ledger, uint32_t disk, uint64_t id);

/* Time passes: gives up requests that waited too long. */
void ledger_expire(struct ledger *ledger, uint64_t now_ns);

/* Gives up all but the newest `keep` requests. */
void ledger_trim(struct ledger *ledger, uint32_t keep);

#endif
