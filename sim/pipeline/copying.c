/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Insight III (paper, 3.5): which chunks are copies, which will be like no other.
 *
 * The checksums of what a copying program reads are remembered; what such a
 * program writes is looked up there. Repeated matches confirm a copy, for the
 * reader, for the writer and for the file written. A call that copies within
 * the kernel needs no confirmation. What an encrypting program writes into
 * a file that bears an encrypted file's name is unique.
 *
 * Chunks that were written bear what is known of their origin until the disk
 * gets them; the file may be confirmed, or renamed, in between.
 */
#include "sim/pipeline/copying.h"
#include "sim/pipeline/files.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/state.h"
#include "sim/pipeline/written.h"

/* "Repeated": from the second match on. Zeros match anything and confirm nothing. */
#define MATCHES_ENOUGH 2

#define COPY_SUM_AT(p, i) POOL_NODE(&(p)->copy_sums, struct copy_sum, i)
#define BY_AGE		  offsetof(struct copy_sum, by_age)

static bool is_confirmed(const struct process *process)
{
	return process->copies_matched >= MATCHES_ENOUGH;
}

static void confirm(struct process *process)
{
	process->copies_matched += process->copies_matched < MATCHES_ENOUGH;
}

void origin_set(struct pipeline *p, const struct call_state *call)
{
	uint32_t source = call->source ? OPEN_FILE_AT(p, call->source)->file : 0;
	uint32_t target = call->target ? OPEN_FILE_AT(p, call->target)->file : 0;

	p->origin = (struct origin){
		.process = call->process,
		.since_ns = call->time_ns,
		.in_kernel = source && target && !FILE_AT(p, source)->special &&
			     !FILE_AT(p, target)->special,
		.classed = call->given != CLASS_UNDECIDED,
		.io_class = call->given,
	};
}

static uint32_t find(struct pipeline *p, uint64_t sum)
{
	uint32_t node;

	table_for_each(&p->copy_table, hash_word(sum), at,
		       node) if (COPY_SUM_AT(p, node)->sum == sum) break;
	return node;
}

static void forget(struct pipeline *p, uint32_t node)
{
	table_remove(&p->copy_table, hash_word(COPY_SUM_AT(p, node)->sum), node);
	list_remove(&p->copied_last, &p->copy_sums, BY_AGE, node);
	pool_give(&p->copy_sums, node);
}

void copying_expire(struct pipeline *p)
{
	uint32_t first;

	while ((first = p->copied_last.first) &&
	       COPY_SUM_AT(p, first)->time_ns + p->options.write_age_ns <= p->now_ns)
		forget(p, first);
}

static void note_reader(struct pipeline *p, struct copy_sum *c)
{
	const struct process *reader = PROCESS_AT(p, p->origin.process);

	c->time_ns = p->now_ns;
	c->reader_pid = reader->pid;
	c->reader_space = reader->space;
}

/* It was read before: from now on it is the newest. */
static void renew(struct pipeline *p, uint32_t node)
{
	list_remove(&p->copied_last, &p->copy_sums, BY_AGE, node);
	list_append(&p->copied_last, &p->copy_sums, BY_AGE, node);
	note_reader(p, COPY_SUM_AT(p, node));
}

static void remember(struct pipeline *p, uint64_t sum)
{
	uint32_t node = find(p, sum);

	if (node) {
		renew(p, node);
		return;
	}
	if (p->copy_sums.count >= COPY_SUMS_MAX) {
		p->counters.copy_sums_forgotten++;
		forget(p, p->copied_last.first);
	}
	node = take_node(p, &p->copy_sums);
	if (!node)
		return;
	COPY_SUM_AT(p, node)->sum = sum;
	note_reader(p, COPY_SUM_AT(p, node));
	if (add_node(p, &p->copy_table, hash_word(sum), node))
		pool_give(&p->copy_sums, node);
	else
		list_append(&p->copied_last, &p->copy_sums, BY_AGE, node);
}

void copying_prefetch(struct pipeline *p, const struct words *sums)
{
	if (!p->origin.process || !PROCESS_AT(p, p->origin.process)->copies)
		return;
	for (uint32_t i = 0; i < sums->count; i++)
		table_prefetch(&p->copy_table, hash_word(sums->at[i]));
}

void copying_read(struct pipeline *p, const struct words *sums)
{
	if (!p->origin.process || p->origin.in_kernel || !PROCESS_AT(p, p->origin.process)->copies)
		return;
	copying_prefetch(p, sums);
	for (uint32_t i = 0; i < sums->count; i++)
		if (sums->at[i] != SUM_UNKNOWN)
			remember(p, sums->at[i]);
}

/* A copying program wrote what one had read: both are at it. */
static void match(struct pipeline *p, uint32_t file, uint32_t node, struct process *writer)
{
	const struct copy_sum *c = COPY_SUM_AT(p, node);
	uint32_t reader = process_by_id(p, c->reader_pid, c->reader_space);

	if (c->sum != p->zero_sum)
		confirm(writer);
	if (c->sum != p->zero_sum && reader && PROCESS_AT(p, reader) != writer)
		confirm(PROCESS_AT(p, reader));
	FILE_AT(p, file)->copied |= is_confirmed(writer);
}

enum content_origin origin_of(struct pipeline *p, uint32_t file, uint64_t sum)
{
	struct process *writer = p->origin.process ? PROCESS_AT(p, p->origin.process) : NULL;
	uint32_t node;

	if (p->origin.in_kernel) {
		FILE_AT(p, file)->copied = true;
		return ORIGIN_COPY;
	}
	if (!writer)
		return ORIGIN_PROGRAM;
	if (writer->encrypts)
		return ORIGIN_ENCRYPTION;
	node = writer->copies && sum != SUM_UNKNOWN ? find(p, sum) : 0;
	if (!node)
		return ORIGIN_PROGRAM;
	match(p, file, node, writer);
	return ORIGIN_COPY;
}

enum dedup_hint dedup_of_written(struct pipeline *p, const struct written *written)
{
	const struct file *f = FILE_AT(p, written->file);

	if (written->origin == ORIGIN_COPY && f->copied)
		return DEDUP_COPY;
	if (written->origin == ORIGIN_ENCRYPTION && f->names & NAME_ENCRYPTED)
		return DEDUP_UNIQUE;
	return DEDUP_NONE;
}

enum dedup_hint dedup_of_read(const struct pipeline *p)
{
	const struct process *reader;

	if (p->origin.in_kernel)
		return DEDUP_COPY;
	if (!p->origin.process)
		return DEDUP_NONE;
	reader = PROCESS_AT(p, p->origin.process);
	return reader->copies && is_confirmed(reader) ? DEDUP_COPY : DEDUP_NONE;
}
