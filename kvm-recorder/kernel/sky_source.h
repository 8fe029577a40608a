/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has events to tell: a disk, a virtual CPU. Whoever has them registers a
 * source; as long as a collector has attached a ring to it, its events go there.
 */
#ifndef SKY_SOURCE_H
#define SKY_SOURCE_H

#include <linux/list.h>
#include <linux/rcupdate.h>

#include "sky_records.h"

struct sky_mapping;
struct sky_select;
struct sky_source;

/* What else a collector may ask of a source; calls don't overlap. */
struct sky_source_ops {
	int (*select)(struct sky_source *source, const struct sky_select *select);
	void (*detached)(struct sky_source *source); /* nobody records it any more */
};

struct sky_source {
	char name[SKY_RING_NAME_BYTES];
	struct sky_mapping __rcu *mapping; /* NULL: nobody records */
	const struct sky_source_ops *ops;    /* NULL: nothing */
	struct list_head all;
};

/* -EEXIST if there is one of that name, -ENAMETOOLONG. */
int sky_source_register(struct sky_source *source, const char *name);
/* Waits for who is recording an event; nobody may begin one any more. */
void sky_source_unregister(struct sky_source *source);

static inline bool sky_source_active(const struct sky_source *source)
{
	return rcu_access_pointer(source->mapping);
}

/*
 * The ring, or NULL; valid within rcu_read_lock(), which the caller holds from
 * before this until the record is committed.
 */
struct sky_ring *sky_source_ring(const struct sky_source *source);

/* Counts an event that could not even be made. */
void sky_source_lose(const struct sky_source *source);

#endif
