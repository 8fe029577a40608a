/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table by key and a list by age: what was told longest ago makes room.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/pool.h"
#include "common/table.h"
#include "sim/watch/labels.h"

struct label {
	uint64_t key[2], mark;
	char *text;
	struct link by_age;
};

struct labels {
	struct pool pool;
	struct table by_key;
	struct list by_age;
	uint32_t most;
};

#define LABEL_AT(labels, node) POOL_NODE(&(labels)->pool, struct label, node)
#define BY_AGE		       offsetof(struct label, by_age)

struct labels *labels_new(uint32_t most)
{
	struct labels *labels = calloc(1, sizeof(*labels));

	if (!labels)
		return NULL;
	labels->most = most;
	pool_init(&labels->pool, sizeof(struct label));
	if (!table_init(&labels->by_key))
		return labels;
	free(labels);
	return NULL;
}

void labels_free(struct labels *labels)
{
	if (!labels)
		return;
	for (uint32_t i = labels->by_age.first; i; i = LABEL_AT(labels, i)->by_age.next)
		free(LABEL_AT(labels, i)->text);
	pool_fini(&labels->pool);
	table_fini(&labels->by_key);
	free(labels);
}

static uint32_t find(const struct labels *labels, uint64_t key0, uint64_t key1)
{
	uint32_t node;

	table_for_each(&labels->by_key, hash_words(key0, key1), at, node)
	{
		const uint64_t *key = LABEL_AT(labels, node)->key;

		if (key[0] == key0 && key[1] == key1)
			return node;
	}
	return 0;
}

static void forget(struct labels *labels, uint32_t node)
{
	struct label *n = LABEL_AT(labels, node);

	free(n->text);
	table_remove(&labels->by_key, hash_words(n->key[0], n->key[1]), node);
	list_remove(&labels->by_age, &labels->pool, BY_AGE, node);
	pool_give(&labels->pool, node);
}

/* As the youngest; 0 if out of memory. */
static uint32_t find_or_add(struct labels *labels, uint64_t key0, uint64_t key1)
{
	uint32_t node = find(labels, key0, key1);

	if (node) {
		list_remove(&labels->by_age, &labels->pool, BY_AGE, node);
		list_append(&labels->by_age, &labels->pool, BY_AGE, node);
		return node;
	}
	if (labels->by_age.count == labels->most)
		forget(labels, labels->by_age.first);
	node = pool_take(&labels->pool);
	if (!node || table_add(&labels->by_key, hash_words(key0, key1), node))
		return 0;
	*LABEL_AT(labels, node) = (struct label){.key = {key0, key1}};
	list_append(&labels->by_age, &labels->pool, BY_AGE, node);
	return node;
}

int labels_set(struct labels *labels, uint64_t key0, uint64_t key1, const struct text *text)
{
	uint32_t node = find_or_add(labels, key0, key1);
	size_t bytes = text->count < LABEL_BYTES_MAX ? text->count : LABEL_BYTES_MAX;
	const char *from = text->at + text->count - bytes;
	struct label *n;
	char *copy;

	if (!node)
		return -ENOMEM;
	n = LABEL_AT(labels, node);
	if (n->text && strlen(n->text) == bytes && !memcmp(n->text, from, bytes))
		return 0;
	copy = strndup(from, bytes);
	if (!copy)
		return -ENOMEM;
	free(n->text);
	n->text = copy;
	return 0;
}

const char *labels_get(const struct labels *labels, uint64_t key0, uint64_t key1)
{
	uint32_t node = find(labels, key0, key1);

	return node ? LABEL_AT(labels, node)->text : NULL;
}

int labels_set_mark(struct labels *labels, uint64_t key0, uint64_t key1, uint64_t mark)
{
	uint32_t node = find_or_add(labels, key0, key1);

	if (!node)
		return -ENOMEM;
	LABEL_AT(labels, node)->mark = mark;
	return 0;
}

uint64_t labels_mark(const struct labels *labels, uint64_t key0, uint64_t key1)
{
	uint32_t node = find(labels, key0, key1);

	return node ? LABEL_AT(labels, node)->mark : 0;
}
