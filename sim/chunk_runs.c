/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A treap's whole art is to split and to merge (Seidel, Aragon: Randomized
 * Search Trees, 1996); the depth is about twice the logarithm of the size.
 */
#include <errno.h>
#include <sys/random.h>

#include "common/table.h"
#include "sim/chunk_runs.h"

struct node {
	struct chunk_run run;
	uint32_t left, right;
};

#define NODE(runs, i) POOL_NODE(&(runs)->pool, struct node, i)

int chunk_runs_init(struct chunk_runs *runs)
{
	*runs = (struct chunk_runs){0};
	pool_init(&runs->pool, sizeof(struct node));
	return getrandom(&runs->salt, sizeof(runs->salt), 0) == sizeof(runs->salt) ? 0 : -errno;
}

void chunk_runs_fini(struct chunk_runs *runs)
{
	pool_fini(&runs->pool);
}

/* The root of a treap is its heaviest node. */
static uint32_t weight(const struct chunk_runs *runs, uint32_t node)
{
	return hash_words(node, runs->salt);
}

static uint32_t merge(struct chunk_runs *runs, uint32_t left, uint32_t right)
{
	if (!left || !right)
		return left ? left : right;
	if (weight(runs, left) > weight(runs, right)) {
		NODE(runs, left)->right = merge(runs, NODE(runs, left)->right, right);
		return left;
	}
	NODE(runs, right)->left = merge(runs, left, NODE(runs, right)->left);
	return right;
}

static uint32_t new_node(struct chunk_runs *runs, const struct chunk_run *run)
{
	uint32_t node = pool_take(&runs->pool);

	if (node)
		NODE(runs, node)->run = *run;
	else
		runs->out_of_memory = true;
	return node;
}

/* What comes before the chunk, and the rest. */
static void split(struct chunk_runs *runs, uint32_t root, uint64_t at, uint32_t *left,
		  uint32_t *right)
{
	struct node *n = root ? NODE(runs, root) : NULL;
	struct chunk_run rest;

	if (!n) {
		*left = *right = 0;
	} else if (n->run.until <= at) {
		split(runs, n->right, at, &n->right, right);
		*left = root;
	} else if (n->run.from >= at) {
		split(runs, n->left, at, left, &n->left);
		*right = root;
	} else {
		rest = n->run;
		rest.from = n->run.until = at;
		*right = merge(runs, new_node(runs, &rest), n->right);
		n->right = 0;
		*left = root;
	}
}

uint32_t chunk_runs_take(struct chunk_runs *runs, uint32_t *set, uint64_t from, uint64_t until)
{
	uint32_t before, taken, after;

	split(runs, *set, from, &before, &taken);
	split(runs, taken, until, &taken, &after);
	*set = merge(runs, before, after);
	return taken;
}

/* The first run that ends behind the chunk, or 0. */
static uint32_t first_behind(const struct chunk_runs *runs, uint32_t set, uint64_t chunk)
{
	uint32_t found = 0;

	while (set) {
		const struct node *n = NODE(runs, set);

		if (n->run.until > chunk)
			found = set;
		set = n->run.until > chunk ? n->left : n->right;
	}
	return found;
}

bool chunk_runs_gap(const struct chunk_runs *runs, uint32_t set, uint64_t *from, uint64_t *until)
{
	while (*from < *until) {
		uint32_t next = first_behind(runs, set, *from);
		const struct chunk_run *run = next ? &NODE(runs, next)->run : NULL;

		if (run && run->from <= *from) {
			*from = run->until;
			continue;
		}
		if (run && run->from < *until)
			*until = run->from;
		return true;
	}
	return false;
}

void chunk_runs_add(struct chunk_runs *runs, uint32_t *set, const struct chunk_run *run)
{
	uint32_t before, after;

	split(runs, *set, run->from, &before, &after);
	*set = merge(runs, merge(runs, before, new_node(runs, run)), after);
}

void chunk_runs_append(struct chunk_runs *runs, uint32_t *set, uint32_t later)
{
	*set = merge(runs, *set, later);
}

void chunk_runs_shift(struct chunk_runs *runs, uint32_t set, uint64_t by)
{
	struct node *n = set ? NODE(runs, set) : NULL;

	if (!n)
		return;
	n->run.from += by;
	n->run.until += by;
	n->run.base -= by;
	chunk_runs_shift(runs, n->left, by);
	chunk_runs_shift(runs, n->right, by);
}

void chunk_runs_visit(const struct chunk_runs *runs, uint32_t set,
		      void (*visit)(void *context, const struct chunk_run *run), void *context)
{
	const struct node *n = set ? NODE(runs, set) : NULL;

	if (!n)
		return;
	chunk_runs_visit(runs, n->left, visit, context);
	visit(context, &n->run);
	chunk_runs_visit(runs, n->right, visit, context);
}

void chunk_runs_drop(struct chunk_runs *runs, uint32_t set)
{
	if (!set)
		return;
	chunk_runs_drop(runs, NODE(runs, set)->left);
	chunk_runs_drop(runs, NODE(runs, set)->right);
	pool_give(&runs->pool, set);
}
