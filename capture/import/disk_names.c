/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "disk_names.h"

int disk_names_init(struct disk_names *names)
{
	*names = (struct disk_names){0};
	return table_init(&names->table);
}

void disk_names_fini(struct disk_names *names)
{
	table_fini(&names->table);
	free(names->name);
}

static uint32_t hash_of(const char *at, size_t length)
{
	uint64_t hash = length;

	for (; length; length--)
		hash = (hash ^ (unsigned char)*at++) * HASH_FACTOR;
	return hash_word(hash);
}

static bool is(const char *name, const char *at, size_t length)
{
	return !memcmp(name, at, length) && !name[length];
}

static const char *add(struct disk_names *names, const char *at, size_t length, uint32_t hash)
{
	uint32_t room = names->room ? 2 * names->room : 16;

	if (names->count == DISK_NAMES_MAX)
		return "names one disk more than the 65536 that are taken; are its columns in "
		       "another order?";
	if (names->count == names->room) {
		void *name = realloc(names->name, (size_t)room * DISK_NAME_BYTES);

		if (!name)
			return "can't be taken: out of memory for the disks' names";
		names->name = name;
		names->room = room;
	}
	if (table_add(&names->table, hash, names->count + 1))
		return "can't be taken: out of memory for the disks' names";
	memset(names->name[names->count], 0, DISK_NAME_BYTES);
	memcpy(names->name[names->count], at, length);
	names->last = names->count++;
	return NULL;
}

const char *disk_names_find(struct disk_names *names, const char *at, const char *end,
			    uint32_t *disk)
{
	size_t length = end - at;
	const char *wrong;
	uint32_t hash, node;

	if (length >= DISK_NAME_BYTES || memchr(at, '\0', length))
		return "has a disk whose name is none";
	if (names->count && is(names->name[names->last], at, length)) {
		*disk = names->last;
		return NULL;
	}
	hash = hash_of(at, length);
	table_for_each(&names->table, hash, i, node) if (is(names->name[node - 1], at, length))
	{
		*disk = names->last = node - 1;
		return NULL;
	}
	wrong = add(names, at, length, hash);
	*disk = names->last;
	return wrong;
}
