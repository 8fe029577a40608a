/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journal writes: metadata that the file system will write a second time.
 *
 * Recorders mark what begins with a journal's magic numbers. The blocks of
 * a transaction bear none, but lie where they must: jbd2's right behind their
 * descriptor until the commit block, going on at the journal's first block
 * where it ends (Documentation/filesystems/ext4/journal.rst); an XFS log
 * record's behind its header, in the same request, or in the next where its
 * length says so (fs/xfs/libxfs/xfs_log_format.h).
 *
 * A marked chunk that a call wrote is a file's: an image of a disk, say.
 */
#include "sim/pipeline/journal.h"
#include "sim/pipeline/state.h"

/* The header of an XFS log record: one basic block for each 32 KiB of the record. */
#define XFS_CYCLE_BYTES 32768u

static bool is_journals(uint64_t marker)
{
	uint64_t kind = marker & MARKER_KIND_MASK;

	return kind >= MARKER_JBD2_DESCRIPTOR && kind <= MARKER_XFS_LOG;
}

/* The disk's journal; where there is none yet, one is made if told to and there is room. */
static struct journal *journal_of(struct pipeline *p, uint32_t disk, bool make)
{
	for (uint32_t i = 0; i < p->journal_count; i++)
		if (p->journals[i].disk == disk)
			return &p->journals[i];
	if (!make || p->journal_count == JOURNALS_MAX)
		return NULL;
	p->journals[p->journal_count] = (struct journal){.disk = disk};
	return &p->journals[p->journal_count++];
}

/* How many chunks of an XFS record follow its first; 0 where the marker doesn't tell. */
static uint64_t rest_of_record(uint64_t marker)
{
	uint64_t bytes = marker >> MARKER_VALUE_SHIFT;
	uint64_t headers = (bytes + XFS_CYCLE_BYTES - 1) / XFS_CYCLE_BYTES;

	return bytes ? (bytes + headers * SECTOR_BYTES - 1) / CHUNK_BYTES : 0;
}

static bool take_marked(struct journal *j, uint64_t marker, uint64_t sector)
{
	switch (marker & MARKER_KIND_MASK) {
	case MARKER_JBD2_SUPERBLOCK:
		j->first = sector + SECTORS_PER_CHUNK;
		return true;
	case MARKER_JBD2_DESCRIPTOR:
		j->in_transaction = true;
		break;
	case MARKER_JBD2_REVOKE:
		break;
	case MARKER_JBD2_COMMIT:
		j->in_transaction = false;
		break;
	case MARKER_XFS_LOG:
		j->in_record = true;
		j->left = rest_of_record(marker);
		break;
	default:
		return false;
	}
	j->head = sector + SECTORS_PER_CHUNK;
	return true;
}

/* Is it where the journal goes on? */
static bool take_next(struct journal *j, uint64_t sector)
{
	bool wraps = j->in_transaction && sector == j->first && j->first < j->head;

	if (!j->in_transaction && !j->in_record && !j->left)
		return false;
	if (sector != j->head && !wraps)
		return false;
	j->head = sector + SECTORS_PER_CHUNK;
	j->left -= j->left > 0;
	return true;
}

void journal_find(struct pipeline *p, const struct block_event *block, const uint32_t *match,
		  bool *logged)
{
	uint64_t sector = block->sector - block->sector % SECTORS_PER_CHUNK;
	struct journal *j = journal_of(p, block->disk, false);

	for (uint32_t i = 0; i < block->sums.count; i++, sector += SECTORS_PER_CHUNK) {
		uint64_t marker = i < block->markers.count ? block->markers.at[i] : MARKER_NONE;

		if (!j && is_journals(marker) && !match[i])
			j = journal_of(p, block->disk, true);
		logged[i] =
			j && !match[i] && (take_marked(j, marker, sector) || take_next(j, sector));
		p->counters.journal_chunks += logged[i];
	}
	if (j)
		j->in_record = false;
}
