// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What calls leave of a file's chunks, and what copies within the guest's kernel
 * move (paper, section 3.4.4): checksums are of whole chunks, so what a write
 * doesn't cover of its first and last one is read from the file before it, by
 * insight-calls; what a read doesn't take, after it, when no disk is asked any more.
 * A copy's source is read in parts of the buffer, as the copy itself does next.
 *
 * What is written to is opened once more through /proc/self/fd, for reading without any
 * change of the access time and without read-ahead, and closed again. Closing drops the
 * locks that the process has on the file (fcntl(2)): where it may have some, or the file
 * is another user's, its own descriptor is used, if that can be read from.
 */
#include <linux/slab.h>
#include <uapi/linux/fadvise.h>
#include <uapi/linux/fcntl.h>

#include "kvm_cache_regs.h"
#include "sky_hash.h"
#include "sky_kvm.h"

#define CHUNK_MASK   (SKY_CHUNK_BYTES - 1)
#define BUFFER_BYTES (2 * SKY_CHUNK_BYTES)
#define PATH_PLACE   2048 /* of the buffer: what a link is called here */
#define RW_BYTES_MAX 0x7ffff000ull /* of one call: include/linux/fs.h */

static u64 chunk_at(u64 offset)
{
	return offset & ~(u64)CHUNK_MASK;
}

static bool is_covered(const struct sky_file *file)
{
	return file && file->told && file->regular && !file->outside && !(file->flags & O_DIRECT);
}

bool sky_put_path(struct sky_vcpu *sky, u64 buffer, const char *format, int fd, u64 *address)
{
	char path[32];
	int bytes = snprintf(path, sizeof(path), format, fd) + 1;

	*address = buffer + PATH_PLACE;
	return sky_write_user(sky, *address, path, bytes) == bytes;
}

static u64 argument_of(const struct sky_call *call, u8 number)
{
	return number ? call->argument[number - 1] : 0;
}

u64 sky_call_bytes(struct sky_vcpu *sky, const struct sky_call *call)
{
	u64 address = argument_of(call, call->rule->vector), bytes = 0, i;
	u64 count = min_t(u64, argument_of(call, call->rule->vectors), SKY_LENGTHS_MAX);
	struct iovec part;

	if (!address)
		return min(argument_of(call, call->rule->bytes), RW_BYTES_MAX);
	for (i = 0; i < count; i++) {
		if (sky_read_user(sky, address + i * sizeof(part), &part, sizeof(part)) !=
		    sizeof(part))
			return 0;
		bytes += min_t(u64, part.iov_len, RW_BYTES_MAX - bytes);
	}
	return bytes;
}

static bool is_readable(const struct sky_file *file)
{
	return (file->flags & O_ACCMODE) == O_RDWR;
}

/* What it takes to read what a process has open so. 0: it can't be read. */
static u32 steps_to_read(const struct sky_process *process, const struct sky_file *file)
{
	/* FreeBSD has no path by which it could be opened once more. */
	if (process->locks || process->joined || sky_is_freebsd(process->vm))
		return is_readable(file) ? BIT(SKY_STEP_HEAD) | BIT(SKY_STEP_TAIL) : 0;
	return BIT(SKY_STEP_OPEN) | BIT(SKY_STEP_ADVISE) | BIT(SKY_STEP_HEAD) |
	       BIT(SKY_STEP_TAIL) | BIT(SKY_STEP_CLOSE);
}

/* The chunks that [offset, until) begins and ends in, as steps, as far as they need reading. */
static u32 neighbours(struct sky_content *content, const struct sky_file *file, u64 offset,
		      u64 until)
{
	bool head = offset & CHUNK_MASK && file->run_offset != offset;
	bool tail = until & CHUNK_MASK && until < file->end;
	u32 steps = 0;

	content->head = chunk_at(offset);
	content->tail = chunk_at(until);
	if (head && content->head >= file->end)
		content->head_bytes = 0;
	else if (head)
		steps |= BIT(SKY_STEP_HEAD);
	if (tail && content->tail == content->head && head)
		steps |= BIT(SKY_STEP_HEAD);
	else if (tail)
		steps |= BIT(SKY_STEP_TAIL);
	return steps;
}

/* Where a pointer says, or the position where there is none. */
static u64 offset_at(struct sky_vcpu *sky, u64 pointer, const struct sky_file *file)
{
	u64 offset;

	if (!pointer)
		return file->position;
	if (sky_read_user(sky, pointer, &offset, sizeof(offset)) != sizeof(offset) ||
	    (s64)offset < 0)
		return SKY_OFFSET_UNKNOWN;
	return offset;
}

static u32 plan_copy(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call)
{
	const struct sky_rule *rule = call->rule;
	int to = argument_of(call, rule->fd2);
	struct sky_file *source = sky_file_at(process, (int)argument_of(call, rule->fd));
	struct sky_file *target = sky_file_at(process, to);
	u64 bytes = argument_of(call, rule->bytes), begin;
	u32 steps = BIT(SKY_STEP_SOURCE), reads;
	struct sky_copy *copy;

	if (!is_covered(source) || !bytes)
		return 0;
	begin = offset_at(sky, argument_of(call, rule->offset), source);
	if (begin >= source->end || begin > S64_MAX - SKY_COPY_BYTES)
		return 0;
	if (sky->vm->copy_count >= SKY_COPIES_MAX)
		return 0;
	copy = kvzalloc(sizeof(*copy), GFP_KERNEL_ACCOUNT);
	if (!copy)
		return 0;
	sky->vm->copy_count++;
	copy->vm = sky->vm;
	call->content.copy = copy;
	copy->bytes = min_t(u64, bytes, SKY_COPY_BYTES);
	copy->source_offset = begin;
	copy->at = chunk_at(begin);
	copy->target_offset = SKY_OFFSET_UNKNOWN;
	sky_hash_begin(&copy->source, sky, copy->at, NULL, copy->source_sum, SKY_COPY_CHUNKS);
	if (!is_covered(target) || target->append)
		return steps;
	copy->target_offset = offset_at(sky, argument_of(call, rule->offset2), target);
	if (copy->target_offset > S64_MAX - SKY_COPY_BYTES) {
		copy->target_offset = SKY_OFFSET_UNKNOWN;
		return steps;
	}
	copy->target_end = target->end;
	copy->alike = !((begin | copy->target_offset) & CHUNK_MASK);
	sky_hash_begin(&copy->target, sky, copy->target_offset, target, copy->target_sum,
		       SKY_COPY_CHUNKS);
	call->content.fd = to;
	reads = copy->alike ? 0 : steps_to_read(process, target);
	copy->target_read = reads;
	call->content.head = chunk_at(copy->target_offset);
	if (!copy->target.whole && call->content.head >= target->end) {
		call->content.head_bytes = 0;
		sky_hash_head(&copy->target, &call->content);
	}
	if (copy->target.whole)
		reads &= ~BIT(SKY_STEP_HEAD);
	return steps | (reads & ~BIT(SKY_STEP_TAIL));
}

u32 sky_content_plan(struct sky_vcpu *sky, struct sky_process *process, struct sky_call *call)
{
	const struct sky_rule *rule = call->rule;
	int fd = argument_of(call, rule->fd);
	struct sky_file *file;
	u32 steps, reads;
	u64 offset, bytes;

	call->content.planned = true;
	call->content.fd = fd;
	if (rule->kind == SKY_RULE_COPY) {
		steps = plan_copy(sky, process, call);
		sky_count(sky->vm, steps ? SKY_COUNT_copies : SKY_COUNT_copies_unread);
		return steps;
	}
	file = rule->writes ? sky_file_at(process, fd) : NULL;
	if (!is_covered(file))
		return 0;
	offset = sky_file_offset(file, rule, call->argument);
	call->content.offset = offset;
	bytes = sky_call_bytes(sky, call);
	if (offset > S64_MAX - RW_BYTES_MAX || !bytes)
		return 0;
	/* What others are about to write there can't be read yet. */
	if (file->claims && sky_by_position(rule, call->argument))
		return 0;
	steps = neighbours(&call->content, file, offset, offset + bytes);
	if (!steps)
		return 0;
	reads = steps_to_read(process, file);
	if (!reads)
		sky_count_more(sky->vm, SKY_COUNT_neighbours_unread, hweight32(steps));
	return reads & (steps | ~(BIT(SKY_STEP_HEAD) | BIT(SKY_STEP_TAIL)));
}

u32 sky_content_plan_read(struct sky_process *process, struct sky_call *call, u64 bytes)
{
	struct sky_file *file = call->file;
	u32 steps;

	if (!is_covered(file) || call->offset > S64_MAX - RW_BYTES_MAX)
		return 0;
	call->content.fd = (int)argument_of(call, call->rule->fd);
	call->content.head_bytes = -1;
	call->content.tail_bytes = -1;
	steps = neighbours(&call->content, file, call->offset, call->offset + bytes);
	/* What goes on in the chunk that was read for the last one has a run. */
	if (steps & BIT(SKY_STEP_TAIL) && file->asked == call->content.tail)
		steps &= ~BIT(SKY_STEP_TAIL);
	if (steps & BIT(SKY_STEP_TAIL))
		file->asked = call->content.tail;
	else if (steps)
		file->asked = call->content.head;
	return steps;
}

static u64 source_end(const struct sky_copy *copy)
{
	return ALIGN(copy->source_offset + copy->bytes, SKY_CHUNK_BYTES);
}

bool sky_content_question(struct sky_vcpu *sky, struct sky_insight *insight,
			  struct sky_question *question)
{
	struct sky_content *content = &insight->content;
	int fd = content->own_fd >= 0 ? content->own_fd : content->fd;
	u64 path;

	switch (insight->step) {
	case SKY_STEP_OPEN:
		if (!sky_put_path(sky, insight->buffer, "/proc/self/fd/%d", content->fd, &path))
			return false;
		*question = (struct sky_question){2, {path, O_RDONLY | O_NOATIME | O_CLOEXEC}};
		return true;
	case SKY_STEP_ADVISE:
		*question = (struct sky_question){221, {fd, 0, 0, POSIX_FADV_RANDOM}};
		return true;
	case SKY_STEP_HEAD:
		*question = (struct sky_question){17, {fd, insight->buffer, SKY_CHUNK_BYTES,
			content->head}};
		return true;
	case SKY_STEP_TAIL:
		*question = (struct sky_question){17, {fd, insight->buffer + SKY_CHUNK_BYTES,
			SKY_CHUNK_BYTES, content->tail}};
		return true;
	case SKY_STEP_SOURCE:
		*question = (struct sky_question){17, {insight->fd, insight->buffer,
			min_t(u64, BUFFER_BYTES, source_end(content->copy) - content->copy->at),
			content->copy->at}};
		return true;
	case SKY_STEP_CLOSE:
		*question = (struct sky_question){3, {content->own_fd}};
		return content->own_fd >= 0;
	default:
		return false;
	}
}

/* The chunk was read, perhaps from the disk, and may go there again. */
static void tell_chunk(struct sky_vcpu *sky, struct sky_process *process,
		       struct sky_insight *insight, u64 address, u64 at, u64 bytes)
{
	struct sky_hasher hasher;

	sky_hash_begin(&hasher, sky, at, NULL, sky->sums, SKY_SUMS_MAX);
	sky_hash(&hasher, address, bytes);
	sky_hash_end(&hasher, 0, 0);
	insight->record = (struct sky_insight_record){
		.number = 17,
		.result = bytes,
		.fd = insight->content.fd,
		.file_offset = at,
	};
	sky_tell_insight(sky, process, insight, hasher.sums, 0);
}

static void head_read(struct sky_vcpu *sky, struct sky_process *process,
		      struct sky_insight *insight, s64 result)
{
	struct sky_content *content = &insight->content;

	content->head_address = insight->buffer;
	content->head_bytes = result;
	if (!insight->at_return)
		tell_chunk(sky, process, insight, insight->buffer, content->head, result);
	if (content->copy) {
		content->copy->target.sky = sky;
		sky_hash_head(&content->copy->target, content);
	} else if (content->tail == content->head) {
		content->tail_address = insight->buffer;
		content->tail_bytes = result;
	}
}

static void tail_read(struct sky_vcpu *sky, struct sky_process *process,
		      struct sky_insight *insight, s64 result)
{
	struct sky_content *content = &insight->content;

	content->tail_address = insight->buffer + SKY_CHUNK_BYTES;
	content->tail_bytes = result;
	if (!insight->at_return)
		tell_chunk(sky, process, insight, content->tail_address, content->tail, result);
	if (content->copy) {
		content->copy->target.sky = sky;
		sky_hash_end(&content->copy->target, content->tail_address, result);
	}
}

/* The source is read; the target's last chunk may go on behind what comes there. */
static void copy_ends(struct sky_vcpu *sky, struct sky_insight *insight)
{
	struct sky_content *content = &insight->content;
	struct sky_copy *copy = content->copy;
	u64 until = copy->target_offset + copy->moved;
	bool goes_on = until & CHUNK_MASK && until < copy->target_end;

	sky_hash_end(&copy->source, 0, 0);
	if (copy->alike)
		copy->last_differs = until & CHUNK_MASK &&
				     (goes_on || copy->at > copy->source_offset + copy->moved);
	if (copy->alike || copy->target_offset == SKY_OFFSET_UNKNOWN)
		return;
	if (goes_on && copy->target_read) {
		content->tail = chunk_at(until);
		insight->steps |= BIT(SKY_STEP_TAIL);
	} else {
		sky_hash_end(&copy->target, 0, goes_on ? -1 : 0);
	}
}

/* A part of the source lies in the buffer: its end, or where it ends, is the last one. */
static void source_read(struct sky_vcpu *sky, struct sky_process *process,
			struct sky_insight *insight, s64 result)
{
	struct sky_copy *copy = insight->content.copy;
	u64 asked = min_t(u64, BUFFER_BYTES, source_end(copy) - copy->at);
	u64 from = max(copy->at, copy->source_offset);
	u64 until = min(copy->at + result, copy->source_offset + copy->bytes);

	copy->source.sky = sky;
	copy->target.sky = sky;
	sky_hash(&copy->source, insight->buffer, result);
	if (until > from) {
		if (copy->target_offset != SKY_OFFSET_UNKNOWN && !copy->alike)
			sky_hash(&copy->target, insight->buffer + (from - copy->at), until - from);
		copy->moved += until - from;
	}
	copy->at += result;
	if (result == asked && copy->at < source_end(copy))
		insight->steps |= BIT(SKY_STEP_SOURCE);
	else
		copy_ends(sky, insight);
}

static void failed(struct sky_vcpu *sky, struct sky_process *process, struct sky_insight *insight)
{
	struct sky_copy *copy = insight->content.copy;
	const struct sky_file *file = sky_file_at(process, insight->content.fd);

	if (insight->step == SKY_STEP_SOURCE) {
		insight->steps &= BIT(SKY_STEP_CLOSE);
		sky_content_free(&insight->content);
		sky_count(sky->vm, SKY_COUNT_copies_unread);
		return;
	}
	if (insight->step == SKY_STEP_OPEN) {
		insight->steps &= ~(BIT(SKY_STEP_ADVISE) | BIT(SKY_STEP_CLOSE));
		if (file && is_readable(file))
			return;
	}
	sky_count(sky->vm, SKY_COUNT_neighbours_unread);
	insight->steps &= BIT(SKY_STEP_CLOSE) | (copy ? BIT(SKY_STEP_SOURCE) : 0);
	if (copy && insight->step == SKY_STEP_TAIL)
		sky_hash_end(&copy->target, 0, -1);
	else if (copy)
		copy->target_read = false;
}

void sky_content_answer(struct sky_vcpu *sky, struct sky_process *process,
			struct sky_insight *insight, s64 result)
{
	bool reads = insight->step == SKY_STEP_HEAD || insight->step == SKY_STEP_TAIL;

	if (insight->step == SKY_STEP_OPEN && result >= 0)
		insight->content.own_fd = result;
	if (insight->step == SKY_STEP_CLOSE)
		insight->content.own_fd = -1;
	if (insight->step == SKY_STEP_ADVISE || insight->step == SKY_STEP_CLOSE)
		return;
	if (result < 0 || (reads && result > SKY_CHUNK_BYTES) || result > BUFFER_BYTES) {
		failed(sky, process, insight);
		return;
	}
	if (reads)
		sky_count(sky->vm, SKY_COUNT_neighbours);
	if (insight->step == SKY_STEP_HEAD)
		head_read(sky, process, insight, result);
	else if (insight->step == SKY_STEP_TAIL)
		tail_read(sky, process, insight, result);
	else if (insight->step == SKY_STEP_SOURCE)
		source_read(sky, process, insight, result);
}

/* Chunks that the first `bytes` bytes of a copy cover. */
static u32 covered(u64 offset, u64 bytes)
{
	return bytes ? (chunk_at(offset + bytes - 1) - chunk_at(offset)) / SKY_CHUNK_BYTES + 1 : 0;
}

u32 sky_copied(struct sky_vcpu *sky, const struct sky_call *call, bool source, u64 bytes)
{
	const struct sky_copy *copy = call->content.copy;
	u64 offset = source ? copy->source_offset : copy->target_offset;
	const struct sky_hasher *hasher = source || copy->alike ? &copy->source : &copy->target;
	u32 count;

	if (offset == SKY_OFFSET_UNKNOWN)
		return 0;
	count = min(covered(offset, min(bytes, copy->moved)), hasher->sums);
	memcpy(sky->sums, source || copy->alike ? copy->source_sum : copy->target_sum,
	       count * sizeof(u64));
	if (!source && count && copy->last_differs)
		sky->sums[count - 1] = SKY_SUM_UNKNOWN;
	return count;
}

void sky_content_free(struct sky_content *content)
{
	if (content->copy)
		content->copy->vm->copy_count--;
	kvfree(content->copy);
	content->copy = NULL;
}
