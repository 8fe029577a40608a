/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which truth belongs to which chunk of which disk request.
 *
 * A truth event becomes nodes: pieces that lie within one chunk of it, and within one
 * cell, which is eight sectors of the disk from a multiple of eight on. So where all is
 * aligned a chunk is a node. A cell's nodes are in a queue; a request takes of each
 * sector the oldest that has it. A table finds the queues; a second list through
 * all nodes, by age, finds what no request ever came for. Nodes lie in one array and
 * are linked by their places in it, so that nothing is allocated once the array has
 * grown to what is in flight.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/truth_join.h"

#define NO_NODE	    0u /* nodes[0] begins and ends the list by age */
#define TABLE_START 1024u

struct node {
	struct chunk_truth truth;
	uint64_t time_ns, cell;
	uint32_t disk;
	uint32_t next; /* younger one of the same queue, or of the free nodes */
	uint32_t older, younger;
	uint8_t op;
	uint8_t sectors; /* those of the cell that it has and nobody took, a bit each */
};

/* A queue; its key is that of its nodes. */
struct queue {
	uint32_t head, tail; /* head = NO_NODE: empty place of the table */
};

struct truth_join {
	struct queue *table;
	uint32_t table_mask, queues;
	struct node *nodes;
	uint32_t nodes_used, nodes_room, free_nodes;
	uint32_t waiting; /* nodes in queues */
};

struct truth_join *truth_join_new(void)
{
	struct truth_join *join = calloc(1, sizeof(*join));

	if (!join)
		return NULL;
	join->table = calloc(TABLE_START, sizeof(*join->table));
	join->table_mask = TABLE_START - 1;
	join->nodes_room = TABLE_START;
	join->nodes_used = 1;
	join->nodes = calloc(join->nodes_room, sizeof(*join->nodes));
	if (join->table && join->nodes)
		return join;
	truth_join_free(join);
	return NULL;
}

void truth_join_free(struct truth_join *join)
{
	if (!join)
		return;
	free(join->table);
	free(join->nodes);
	free(join);
}

/* Where the search for a key begins: multiplication by 2^64 / golden ratio. */
static uint32_t home(const struct truth_join *join, uint32_t disk, uint8_t op, uint64_t cell)
{
	uint64_t key = (cell ^ (uint64_t)disk << 40 ^ (uint64_t)op << 62) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(key >> 32) & join->table_mask;
}

static uint32_t home_of(const struct truth_join *join, uint32_t node)
{
	const struct node *at = &join->nodes[node];

	return home(join, at->disk, at->op, at->cell);
}

/* The queue of that key, or the empty place where it belongs. */
static struct queue *find(const struct truth_join *join, uint32_t disk, uint8_t op, uint64_t cell)
{
	uint32_t place = home(join, disk, op, cell);

	for (;; place = (place + 1) & join->table_mask) {
		struct queue *queue = &join->table[place];
		const struct node *head = &join->nodes[queue->head];

		if (queue->head == NO_NODE ||
		    (head->cell == cell && head->disk == disk && head->op == op))
			return queue;
	}
}

/* Empties a place; those behind it that it had pushed away move up. */
static void remove_queue(struct truth_join *join, struct queue *queue)
{
	uint32_t mask = join->table_mask, hole = queue - join->table, place = hole;

	for (;;) {
		place = (place + 1) & mask;
		if (join->table[place].head == NO_NODE)
			break;
		if (((place - home_of(join, join->table[place].head)) & mask) <
		    ((place - hole) & mask))
			continue;
		join->table[hole] = join->table[place];
		hole = place;
	}
	join->table[hole] = (struct queue){NO_NODE, NO_NODE};
	join->queues--;
}

/* Room for one more queue, at a load of at most 3/4. */
static int reserve_queue(struct truth_join *join)
{
	uint32_t old_size = join->table_mask + 1;
	struct queue *old = join->table, *table;

	if (join->queues < old_size / 4 * 3)
		return 0;
	table = calloc(2 * (size_t)old_size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	join->table = table;
	join->table_mask = 2 * old_size - 1;
	for (uint32_t i = 0; i < old_size; i++) {
		const struct node *head = &join->nodes[old[i].head];

		if (old[i].head != NO_NODE)
			*find(join, head->disk, head->op, head->cell) = old[i];
	}
	free(old);
	return 0;
}

/* NO_NODE if out of memory. */
static uint32_t new_node(struct truth_join *join)
{
	uint32_t node = join->free_nodes;
	struct node *nodes;

	if (node != NO_NODE) {
		join->free_nodes = join->nodes[node].next;
		return node;
	}
	if (join->nodes_used == join->nodes_room) {
		nodes = reallocarray(join->nodes, 2 * (size_t)join->nodes_room, sizeof(*nodes));
		if (!nodes)
			return NO_NODE;
		join->nodes = nodes;
		join->nodes_room *= 2;
	}
	return join->nodes_used++;
}

/* Takes a node out of its queue and frees it; `before` is in front of it there, or NO_NODE. */
static void remove_node(struct truth_join *join, struct queue *queue, uint32_t before,
			uint32_t place)
{
	struct node *node = &join->nodes[place];

	join->nodes[node->older].younger = node->younger;
	join->nodes[node->younger].older = node->older;
	if (queue->head == queue->tail) {
		remove_queue(join, queue);
	} else if (before == NO_NODE) {
		queue->head = node->next;
	} else {
		join->nodes[before].next = node->next;
		if (queue->tail == place)
			queue->tail = before;
	}
	node->next = join->free_nodes;
	join->free_nodes = place;
	join->waiting--;
}

/* The oldest of all nodes is the oldest of its queue. */
static void remove_oldest(struct truth_join *join)
{
	uint32_t oldest = join->nodes[NO_NODE].younger;
	const struct node *node = &join->nodes[oldest];

	remove_node(join, find(join, node->disk, node->op, node->cell), NO_NODE, oldest);
}

static void forget_old(struct truth_join *join, uint64_t now_ns)
{
	while (join->waiting) {
		uint64_t born_ns = join->nodes[join->nodes[NO_NODE].younger].time_ns;

		if (now_ns < born_ns || now_ns - born_ns <= TRUTH_JOIN_AGE_NS)
			return;
		remove_oldest(join);
	}
}

/* How many of those sectors lie in the cell of the first one. */
static uint32_t in_cell(uint64_t sector, uint32_t sectors)
{
	uint32_t left = SECTORS_PER_CHUNK - sector % SECTORS_PER_CHUNK;

	return sectors < left ? sectors : left;
}

/* Sectors of one cell as bits. */
static uint8_t cell_bits(uint64_t sector, uint32_t sectors)
{
	return ((1u << sectors) - 1) << sector % SECTORS_PER_CHUNK;
}

/* Of a truth, sectors that lie in one chunk of it and in one cell. */
static int add_piece(struct truth_join *join, const struct event *event, uint32_t first,
		     uint32_t sectors)
{
	const struct truth_event *truth = &event->truth;
	uint64_t sector = truth->sector + first;
	uint32_t youngest, place;
	struct queue *queue;
	struct node *node;

	if (join->waiting == TRUTH_JOIN_CHUNKS_MAX)
		remove_oldest(join);
	if (reserve_queue(join))
		return -ENOMEM;
	place = new_node(join);
	if (place == NO_NODE)
		return -ENOMEM;
	youngest = join->nodes[NO_NODE].older;
	node = &join->nodes[place];
	*node = (struct node){
		.truth = {.what = truth->what,
			  .source = truth->source,
			  .flags = truth->flags,
			  .device = truth->device,
			  .inode = truth->inode,
			  .index = truth->inode ? truth->index + first / SECTORS_PER_CHUNK : 0},
		.time_ns = event->time_ns,
		.cell = sector / SECTORS_PER_CHUNK,
		.disk = truth->disk,
		.op = truth->op,
		.sectors = cell_bits(sector, sectors),
		.older = youngest,
		.younger = NO_NODE,
	};
	join->nodes[youngest].younger = place;
	join->nodes[NO_NODE].older = place;
	queue = find(join, node->disk, node->op, node->cell);
	if (queue->head == NO_NODE) {
		queue->head = place;
		join->queues++;
	} else {
		join->nodes[queue->tail].next = place;
	}
	queue->tail = place;
	join->waiting++;
	return 0;
}

int truth_join_add(struct truth_join *join, const struct event *truth)
{
	const uint32_t most = TRUTH_JOIN_CHUNKS_MAX * SECTORS_PER_CHUNK;
	uint32_t sectors = truth->truth.sectors, first = 0, piece;

	forget_old(join, truth->time_ns);
	if (sectors > most) /* the oldest would make room for the youngest */
		first = (sectors - most) / SECTORS_PER_CHUNK * SECTORS_PER_CHUNK;
	for (; first < sectors; first += piece) {
		piece = SECTORS_PER_CHUNK - first % SECTORS_PER_CHUNK;
		if (piece > sectors - first)
			piece = sectors - first;
		piece = in_cell(truth->truth.sector + first, piece);
		if (add_piece(join, truth, first, piece))
			return -ENOMEM;
	}
	return 0;
}

/* What is known so far of a chunk that is being taken. */
struct taken {
	struct chunk_truth truth;
	uint32_t sectors;
	bool differ;
};

/* Adds the truth of so many more of its sectors; `first`: the chunk begins with them. */
static void merge(struct taken *taken, const struct chunk_truth *truth, uint32_t sectors,
		  bool first)
{
	struct chunk_truth *all = &taken->truth;

	if (!taken->sectors)
		*all = *truth;
	taken->sectors += sectors;
	taken->differ |= all->what != truth->what || all->source != truth->source ||
			 all->device != truth->device || all->inode != truth->inode;
	all->flags &= truth->flags;
	if (first)
		all->index = truth->index;
}

/* Takes sectors of one cell, each of the oldest node that has it; with `begins` a chunk does. */
static void take_piece(struct truth_join *join, const struct block_event *request, uint64_t sector,
		       uint32_t sectors, bool begins, struct taken *taken)
{
	struct queue *queue = find(join, request->disk, request->op, sector / SECTORS_PER_CHUNK);
	uint8_t wanted = cell_bits(sector, sectors), first = begins ? cell_bits(sector, 1) : 0;
	uint32_t before = NO_NODE, place, next;

	for (place = queue->head; place != NO_NODE && wanted; place = next) {
		struct node *node = &join->nodes[place];
		uint8_t got = node->sectors & wanted;

		next = place == queue->tail ? NO_NODE : node->next;
		if (got)
			merge(taken, &node->truth, __builtin_popcount(got), got & first);
		wanted &= ~got;
		node->sectors &= ~got;
		if (node->sectors)
			before = place;
		else
			remove_node(join, queue, before, place);
	}
}

/* Takes up to a chunk's sectors; whether that is a chunk, and what it is then. */
static bool take_chunk(struct truth_join *join, const struct block_event *request, uint64_t sector,
		       uint32_t sectors, struct chunk_truth *chunk)
{
	struct taken taken = {0};
	uint32_t here = in_cell(sector, sectors);

	take_piece(join, request, sector, here, true, &taken);
	if (here < sectors)
		take_piece(join, request, sector + here, sectors - here, false, &taken);
	if (taken.sectors < SECTORS_PER_CHUNK || taken.differ)
		return false;
	*chunk = taken.truth;
	return true;
}

size_t truth_join_take(struct truth_join *join, const struct event *block,
		       struct chunk_truth *chunk)
{
	const struct block_event *request = &block->block;
	uint32_t chunks = request->sectors / SECTORS_PER_CHUNK;
	uint32_t more = request->sectors % SECTORS_PER_CHUNK;
	size_t known = 0;

	memset(chunk, 0, chunks * sizeof(*chunk));
	forget_old(join, block->time_ns);
	for (uint32_t i = 0; i < chunks + !!more && join->waiting; i++)
		known +=
			take_chunk(join, request, request->sector + (uint64_t)i * SECTORS_PER_CHUNK,
				   i < chunks ? SECTORS_PER_CHUNK : more, &chunk[i]);
	return known;
}
