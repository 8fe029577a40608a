/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libskytag.so: stands before libc's read(), write() and their kin and makes
 * them with the class that the rules give (iread() and its kin, skyguest.h).
 *
 *   write() -> descriptor's rules -> class of each part -> iwrite()
 *                    |
 *                    +-- none: libc's write(), at the cost of a look at a table
 *
 * A transfer whose parts have different classes is made part by part. It ends
 * at the first part that fails or comes short, as any transfer may, so that the
 * program never learns of bytes that weren't moved. Nothing here allocates or
 * locks: the functions may be called wherever libc's may be.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "skyguest.h"
#include "skytag_files.h"
#include "skytag_summary.h"

#define EXPORT	    __attribute__((visibility("default")))
#define ALIAS(name) __attribute__((visibility("default"), alias(#name)))

/* libc's own; found at the first use, which may be before this library's constructor. */
static struct {
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*pread)(int, void *, size_t, off_t);
	ssize_t (*pwrite)(int, const void *, size_t, off_t);
	ssize_t (*readv)(int, const struct iovec *, int);
	ssize_t (*writev)(int, const struct iovec *, int);
	ssize_t (*preadv)(int, const struct iovec *, int, off_t);
	ssize_t (*pwritev)(int, const struct iovec *, int, off_t);
	ssize_t (*preadv2)(int, const struct iovec *, int, off_t, int);
	ssize_t (*pwritev2)(int, const struct iovec *, int, off_t, int);
	ssize_t (*read_chk)(int, void *, size_t, size_t);
	ssize_t (*pread_chk)(int, void *, size_t, off_t, size_t);
	int (*close)(int);
	int (*close_range)(unsigned, unsigned, int);
	void (*closefrom)(int);
	int (*dup2)(int, int);
	int (*dup3)(int, int, int);
	int (*fcntl)(int, int, ...);
	int (*fclose)(FILE *);
	FILE *(*freopen)(const char *, const char *, FILE *);
	int (*rename)(const char *, const char *);
	int (*renameat)(int, const char *, int, const char *);
	int (*renameat2)(int, const char *, int, const char *, unsigned);
} libc;

static const struct {
	const char *name;
	void *place;
} libc_names[] = {
	{"read", &libc.read},		{"write", &libc.write},
	{"pread", &libc.pread},		{"pwrite", &libc.pwrite},
	{"readv", &libc.readv},		{"writev", &libc.writev},
	{"preadv", &libc.preadv},	{"pwritev", &libc.pwritev},
	{"preadv2", &libc.preadv2},	{"pwritev2", &libc.pwritev2},
	{"__read_chk", &libc.read_chk}, {"__pread_chk", &libc.pread_chk},
	{"close", &libc.close},		{"close_range", &libc.close_range},
	{"closefrom", &libc.closefrom}, {"dup2", &libc.dup2},
	{"dup3", &libc.dup3},		{"fcntl", &libc.fcntl},
	{"fclose", &libc.fclose},	{"freopen", &libc.freopen},
	{"rename", &libc.rename},	{"renameat", &libc.renameat},
	{"renameat2", &libc.renameat2},
};

static char rules_text[TAG_TEXT_BYTES];
static struct tag_rules rules;
static struct tag_summary *summary; /* NULL unless --summary */

/* As dlsym()'s manual page does it: ISO C has no conversion of object to function pointers. */
static void find_libc(void)
{
	static bool found;

	if (__atomic_load_n(&found, __ATOMIC_ACQUIRE))
		return;
	for (size_t i = 0; i < sizeof(libc_names) / sizeof(libc_names[0]); i++)
		*(void **)libc_names[i].place = dlsym(RTLD_NEXT, libc_names[i].name);
	__atomic_store_n(&found, true, __ATOMIC_RELEASE);
}

static void map_summary(void)
{
	const char *path = getenv(TAG_SUMMARY_VARIABLE);
	void *at;
	int fd;

	if (!path)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return; /* skytag is gone, or this process isn't the user's any more */
	at = mmap(NULL, sizeof(*summary), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		summary = at;
}

/*
 * The text is copied, because programs write over their environment to show a
 * title in ps. skytag has checked it: it is only wrong if somebody else set it.
 */
__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv(TAG_RULES_VARIABLE);
	size_t bytes = text ? strnlen(text, TAG_TEXT_BYTES) : 0;
	struct tag_error error;

	find_libc();
	if (!text)
		return;
	memcpy(rules_text, text, bytes);
	if (tag_rules_parse(&rules, rules_text, bytes, &error) < 0) {
		fprintf(stderr, "libskytag: %s:%u: %s (nothing is tagged)\n", TAG_RULES_VARIABLE,
			error.line, error.what);
		return;
	}
	map_summary();
	tag_files_begin(&rules);
}

#define COUNT(field, add)                                                           \
	do {                                                                        \
		if (summary)                                                        \
			__atomic_add_fetch(&summary->field, add, __ATOMIC_RELAXED); \
	} while (0)

struct transfer {
	int fd;
	enum tag_direction direction;
	bool placed; /* at an offset of its own, not at the descriptor's position */
	const struct iovec *parts;
	int part_count;
	const struct tag_file *file;
	uint64_t offset; /* of the first byte, where the class depends on it */
	size_t bytes;
};

/* Bytes of the program's buffers, from one of the transfer on; false if they aren't all in it. */
static bool copy_bytes(const struct transfer *transfer, size_t from, void *into, size_t bytes)
{
	if (from > transfer->bytes || bytes > transfer->bytes - from)
		return false;
	for (const struct iovec *part = transfer->parts; bytes; part++) {
		size_t here;

		if (from >= part->iov_len) {
			from -= part->iov_len;
			continue;
		}
		here = part->iov_len - from < bytes ? part->iov_len - from : bytes;
		memcpy(into, (const char *)part->iov_base + from, here);
		into = (char *)into + here;
		bytes -= here;
		from = 0;
	}
	return true;
}

/* The page that begins there, if the transfer has its head. */
static bool look_at_page(const struct transfer *transfer, uint64_t page_start, uint32_t page_bytes,
			 struct innodb_page *page)
{
	char head[INNODB_HEAD_BYTES];

	if (page_start < transfer->offset ||
	    !copy_bytes(transfer, page_start - transfer->offset, head, sizeof(head)))
		return false;
	innodb_page_parse(head, page);
	innodb_learn(transfer->file->identity, page_start / page_bytes, page);
	return true;
}

static void learn_pages(const struct transfer *transfer)
{
	uint32_t page_bytes = transfer->file->page_bytes;
	uint64_t at = transfer->offset + page_bytes - 1;
	struct innodb_page page;

	for (at -= at % page_bytes; look_at_page(transfer, at, page_bytes, &page); at += page_bytes)
		;
}

/* Writes bear the page, of reads it must be known from before. */
static void find_page(const struct transfer *transfer, uint64_t offset, uint32_t page_bytes,
		      struct innodb_page *page)
{
	uint64_t page_start = offset - offset % page_bytes;

	if (transfer->direction == TAG_WRITE &&
	    look_at_page(transfer, page_start, page_bytes, page))
		return;
	innodb_recall(transfer->file->identity, page_start / page_bytes, page);
}

/* The class of the byte at offset, and how far, at most, all have the same. */
static int class_at(const struct transfer *transfer, uint64_t offset, uint64_t *until)
{
	struct innodb_page page = {.type = INNODB_UNKNOWN};
	uint32_t page_bytes = 0; /* of the rule for which page was looked up */
	int io_class = TAG_NO_CLASS;

	*until = UINT64_MAX;
	for (uint64_t left = transfer->file->rules; left; left &= left - 1) {
		const struct tag_rule *rule = &rules.rule[__builtin_ctzll(left)];
		uint64_t border = tag_rule_border(rule, offset);

		*until = border < *until ? border : *until;
		if (io_class != TAG_NO_CLASS)
			continue;
		if (rule->page != TAG_ANY_CONTENT && rule->page_bytes != page_bytes) {
			page_bytes = rule->page_bytes;
			find_page(transfer, offset, page_bytes, &page);
		}
		if (tag_rule_holds(rule, transfer->direction, offset, &page))
			io_class = rule->io_class;
	}
	return io_class;
}

/* As class_at(), for as many bytes of the transfer as have one class. */
static int class_of_run(const struct transfer *transfer, uint64_t offset, uint64_t *until)
{
	uint64_t end = transfer->offset + transfer->bytes, next;
	int io_class = class_at(transfer, offset, until);

	while (*until < end && class_at(transfer, *until, &next) == io_class)
		*until = next;
	if (*until > end)
		*until = end;
	return io_class;
}

static ssize_t count_class(enum tag_direction direction, int io_class, ssize_t result)
{
	if (result > 0 && io_class == TAG_NO_CLASS)
		COUNT(untagged[direction], result);
	else if (result > 0)
		COUNT(bytes[direction][io_class], result);
	return result;
}

static ssize_t read_buffer(int fd, void *at, size_t bytes, const off_t *offset, int io_class)
{
	if (io_class == TAG_NO_CLASS)
		return offset ? libc.pread(fd, at, bytes, *offset) : libc.read(fd, at, bytes);
	return offset ? ipread(fd, at, bytes, *offset, io_class) : iread(fd, at, bytes, io_class);
}

static ssize_t write_buffer(int fd, const void *at, size_t bytes, const off_t *offset, int io_class)
{
	if (io_class == TAG_NO_CLASS)
		return offset ? libc.pwrite(fd, at, bytes, *offset) : libc.write(fd, at, bytes);
	return offset ? ipwrite(fd, at, bytes, *offset, io_class) : iwrite(fd, at, bytes, io_class);
}

/* One buffer, with that class or none, at an offset or (NULL) at the position. */
static ssize_t move_buffer(int fd, enum tag_direction direction, void *at, size_t bytes,
			   const off_t *offset, int io_class)
{
	ssize_t result = direction == TAG_READ ? read_buffer(fd, at, bytes, offset, io_class)
					       : write_buffer(fd, at, bytes, offset, io_class);

	return count_class(direction, io_class, result);
}

/* preadv() and pwritev() have five arguments of six: no room for a magic and a class. */
static bool one_call(const struct transfer *transfer)
{
	return !transfer->placed || transfer->part_count == 1;
}

/*
 * They are made part by part, with pread() and pwrite(), where all parts are
 * whole chunks: of such pages nobody expects that they are written all at once.
 */
static bool may_be_taken_apart(const struct transfer *transfer)
{
	if (transfer->offset % TAG_CHUNK_BYTES ||
	    (transfer->direction == TAG_WRITE && transfer->file->appends))
		return false;
	for (int i = 0; i < transfer->part_count; i++)
		if (transfer->parts[i].iov_len % TAG_CHUNK_BYTES)
			return false;
	return true;
}

static ssize_t move_vector(int fd, enum tag_direction direction, const struct iovec *parts,
			   int part_count, int io_class)
{
	ssize_t result;

	if (io_class == TAG_NO_CLASS)
		result = direction == TAG_READ ? libc.readv(fd, parts, part_count)
					       : libc.writev(fd, parts, part_count);
	else
		result = direction == TAG_READ ? ireadv(fd, parts, part_count, io_class)
					       : iwritev(fd, parts, part_count, io_class);
	return count_class(direction, io_class, result);
}

static ssize_t move_whole(const struct transfer *transfer, int io_class)
{
	off_t offset = transfer->offset;

	if (transfer->part_count > 1)
		return move_vector(transfer->fd, transfer->direction, transfer->parts,
				   transfer->part_count, io_class);
	return move_buffer(transfer->fd, transfer->direction, transfer->parts->iov_base,
			   transfer->parts->iov_len, transfer->placed ? &offset : NULL, io_class);
}

static ssize_t move_piece(const struct transfer *transfer, void *at, size_t bytes, off_t offset,
			  int io_class)
{
	return move_buffer(transfer->fd, transfer->direction, at, bytes,
			   transfer->placed ? &offset : NULL, io_class);
}

static ssize_t move_by_class(const struct transfer *transfer)
{
	uint64_t offset = transfer->offset, until = offset;
	const struct iovec *part = transfer->parts;
	int io_class = TAG_NO_CLASS;
	size_t in_part = 0, done = 0;

	while (done < transfer->bytes) {
		size_t piece;
		ssize_t moved;

		if (in_part == part->iov_len) {
			part++;
			in_part = 0;
			continue;
		}
		if (offset + done == until)
			io_class = class_of_run(transfer, until, &until);
		piece = part->iov_len - in_part;
		if (piece > until - offset - done)
			piece = until - offset - done;
		moved = move_piece(transfer, (char *)part->iov_base + in_part, piece, offset + done,
				   io_class);
		if (moved < 0)
			return done ? (ssize_t)done : -1;
		done += moved;
		in_part += moved;
		if ((size_t)moved < piece)
			break;
	}
	return done;
}

static ssize_t read_for_survey(void *context, void *at, size_t bytes, uint64_t offset)
{
	const struct transfer *program = context;
	struct iovec part = {at, bytes};
	struct transfer transfer = {.fd = program->fd,
				    .direction = TAG_READ,
				    .placed = true,
				    .parts = &part,
				    .part_count = 1,
				    .file = program->file,
				    .offset = offset,
				    .bytes = bytes};
	int saved = errno;
	ssize_t result = move_by_class(&transfer);

	errno = saved;
	return result;
}

static bool find_offset(struct transfer *transfer)
{
	struct stat status;
	off_t position;

	if (transfer->direction == TAG_WRITE && transfer->file->appends) {
		if (fstat(transfer->fd, &status) < 0)
			return false;
		transfer->offset = status.st_size;
	} else if (!transfer->placed) {
		position = lseek(transfer->fd, 0, SEEK_CUR);
		if (position < 0)
			return false;
		transfer->offset = position;
	}
	/* What the kernel will refuse is left to it. */
	return transfer->offset <= INT64_MAX && transfer->bytes <= INT64_MAX - transfer->offset;
}

static ssize_t move_inside(struct transfer *transfer)
{
	uint64_t own_offset = transfer->offset, until;
	ssize_t result;
	int io_class;

	if (!find_offset(transfer)) {
		transfer->offset = own_offset;
		return move_whole(transfer, TAG_NO_CLASS);
	}
	if (transfer->file->page_bytes) {
		innodb_survey(transfer->file->identity, transfer->file->page_bytes, read_for_survey,
			      transfer);
		if (transfer->direction == TAG_WRITE)
			learn_pages(transfer);
	}
	io_class = class_of_run(transfer, transfer->offset, &until);
	if (transfer->direction == TAG_WRITE && transfer->file->appends) {
		/* Where the end is by then, only the kernel knows: such a write stays whole. */
		transfer->offset = own_offset;
		return move_whole(transfer, io_class);
	}
	if (until == transfer->offset + transfer->bytes && one_call(transfer))
		result = move_whole(transfer, io_class);
	else {
		COUNT(split_calls, 1);
		result = move_by_class(transfer);
	}
	if (transfer->direction == TAG_READ && transfer->file->page_bytes && result > 0) {
		transfer->bytes = result;
		learn_pages(transfer);
	}
	return result;
}

/* NULL: libc's function does it. */
static const struct tag_file *tagged_file(int fd)
{
	const struct tag_file *file;

	find_libc();
	file = tag_file_of(fd);
	if (file)
		COUNT(calls, 1);
	return file;
}

/* What the kernel will refuse is left to it, and so are empty transfers: 0. */
static size_t bytes_of(const struct iovec *parts, int part_count)
{
	size_t bytes = 0;

	if (part_count <= 0 || part_count > IOV_MAX)
		return 0;
	for (int i = 0; i < part_count; i++)
		if (__builtin_add_overflow(bytes, parts[i].iov_len, &bytes))
			return 0;
	return bytes <= SSIZE_MAX ? bytes : 0;
}

/*
 * False: libc's function has to do it. offset NULL: at the position. The tests for
 * cancellation are there because libc's functions are such points.
 */
static bool move_parts(const struct tag_file *file, int fd, enum tag_direction direction,
		       const struct iovec *parts, int part_count, const off_t *offset,
		       ssize_t *result)
{
	struct transfer transfer = {.fd = fd,
				    .direction = direction,
				    .placed = offset,
				    .parts = parts,
				    .part_count = part_count,
				    .file = file,
				    .offset = offset ? *offset : 0};

	if (!file || (offset && *offset < 0))
		return false;
	transfer.bytes = bytes_of(parts, part_count);
	if (!transfer.bytes)
		return false;
	if (!one_call(&transfer) && !may_be_taken_apart(&transfer)) {
		COUNT(plain_calls, 1);
		return false;
	}
	pthread_testcancel();
	if (file->inside)
		*result = move_inside(&transfer);
	else if (one_call(&transfer))
		*result = move_whole(&transfer, file->io_class[direction]);
	else
		*result = move_by_class(&transfer);
	return true;
}

/* As move_parts(), and quicker where a buffer has one class whatever is in it. */
static bool move_one(int fd, enum tag_direction direction, const void *at, size_t bytes,
		     const off_t *offset, ssize_t *result)
{
	const struct tag_file *file = tagged_file(fd);
	struct iovec part;

	if (!file || (offset && *offset < 0) || !bytes || bytes > SSIZE_MAX)
		return false;
	if (file->inside) {
		part = (struct iovec){(void *)at, bytes};
		return move_parts(file, fd, direction, &part, 1, offset, result);
	}
	pthread_testcancel();
	*result = move_buffer(fd, direction, (void *)at, bytes, offset, file->io_class[direction]);
	return true;
}

EXPORT ssize_t read(int fd, void *at, size_t bytes)
{
	ssize_t result;

	return move_one(fd, TAG_READ, at, bytes, NULL, &result) ? result : libc.read(fd, at, bytes);
}

EXPORT ssize_t write(int fd, const void *at, size_t bytes)
{
	ssize_t result;

	return move_one(fd, TAG_WRITE, at, bytes, NULL, &result) ? result
								 : libc.write(fd, at, bytes);
}

EXPORT ssize_t pread64(int fd, void *at, size_t bytes, off_t offset)
{
	ssize_t result;

	return move_one(fd, TAG_READ, at, bytes, &offset, &result)
		       ? result
		       : libc.pread(fd, at, bytes, offset);
}
ALIAS(pread64) ssize_t pread(int fd, void *at, size_t bytes, off_t offset);

EXPORT ssize_t pwrite64(int fd, const void *at, size_t bytes, off_t offset)
{
	ssize_t result;

	return move_one(fd, TAG_WRITE, at, bytes, &offset, &result)
		       ? result
		       : libc.pwrite(fd, at, bytes, offset);
}
ALIAS(pwrite64) ssize_t pwrite(int fd, const void *at, size_t bytes, off_t offset);

EXPORT ssize_t readv(int fd, const struct iovec *parts, int part_count)
{
	ssize_t result;

	return move_parts(tagged_file(fd), fd, TAG_READ, parts, part_count, NULL, &result)
		       ? result
		       : libc.readv(fd, parts, part_count);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int part_count)
{
	ssize_t result;

	return move_parts(tagged_file(fd), fd, TAG_WRITE, parts, part_count, NULL, &result)
		       ? result
		       : libc.writev(fd, parts, part_count);
}

EXPORT ssize_t preadv64(int fd, const struct iovec *parts, int part_count, off_t offset)
{
	ssize_t result;

	return move_parts(tagged_file(fd), fd, TAG_READ, parts, part_count, &offset, &result)
		       ? result
		       : libc.preadv(fd, parts, part_count, offset);
}
ALIAS(preadv64) ssize_t preadv(int fd, const struct iovec *parts, int part_count, off_t offset);

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int part_count, off_t offset)
{
	ssize_t result;

	return move_parts(tagged_file(fd), fd, TAG_WRITE, parts, part_count, &offset, &result)
		       ? result
		       : libc.pwritev(fd, parts, part_count, offset);
}
ALIAS(pwritev64) ssize_t pwritev(int fd, const struct iovec *parts, int part_count, off_t offset);

/* With flags these are calls of their own; without, an offset of -1 means the position. */
EXPORT ssize_t preadv64v2(int fd, const struct iovec *parts, int part_count, off_t offset,
			  int flags)
{
	if (!flags && offset == -1)
		return readv(fd, parts, part_count);
	if (!flags)
		return preadv64(fd, parts, part_count, offset);
	if (tagged_file(fd))
		COUNT(plain_calls, 1);
	return libc.preadv2(fd, parts, part_count, offset, flags);
}
ALIAS(preadv64v2)
ssize_t preadv2(int fd, const struct iovec *parts, int part_count, off_t offset, int flags);

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *parts, int part_count, off_t offset,
			   int flags)
{
	if (!flags && offset == -1)
		return writev(fd, parts, part_count);
	if (!flags)
		return pwritev64(fd, parts, part_count, offset);
	if (tagged_file(fd))
		COUNT(plain_calls, 1);
	return libc.pwritev2(fd, parts, part_count, offset, flags);
}
ALIAS(pwritev64v2)
ssize_t pwritev2(int fd, const struct iovec *parts, int part_count, off_t offset, int flags);

/* What calls become that were compiled with _FORTIFY_SOURCE; libc's ends the program. */
EXPORT ssize_t __read_chk(int fd, void *at, size_t bytes, size_t room);
EXPORT ssize_t __read_chk(int fd, void *at, size_t bytes, size_t room)
{
	find_libc();
	return bytes <= room ? read(fd, at, bytes) : libc.read_chk(fd, at, bytes, room);
}

EXPORT ssize_t __pread64_chk(int fd, void *at, size_t bytes, off_t offset, size_t room);
EXPORT ssize_t __pread64_chk(int fd, void *at, size_t bytes, off_t offset, size_t room)
{
	find_libc();
	return bytes <= room ? pread64(fd, at, bytes, offset)
			     : libc.pread_chk(fd, at, bytes, offset, room);
}
ALIAS(__pread64_chk) ssize_t __pread_chk(int fd, void *at, size_t bytes, off_t offset, size_t room);

/* From here on: what changes the meaning of a descriptor. */

EXPORT int close(int fd)
{
	int result;

	find_libc();
	tag_file_forget(fd);
	result = libc.close(fd);
	tag_file_forget(fd); /* a signal handler may have used it meanwhile */
	return result;
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	find_libc();
	tag_files_forget(first, last);
	return libc.close_range(first, last, flags);
}

EXPORT void closefrom(int first)
{
	find_libc();
	tag_files_forget(first < 0 ? 0 : first, UINT_MAX);
	libc.closefrom(first);
}

EXPORT int dup2(int fd, int target)
{
	int result;

	find_libc();
	result = libc.dup2(fd, target);
	tag_file_forget(target);
	return result;
}

EXPORT int dup3(int fd, int target, int flags)
{
	int result;

	find_libc();
	result = libc.dup3(fd, target, flags);
	tag_file_forget(target);
	return result;
}

/* O_APPEND may come or go. */
EXPORT int fcntl64(int fd, int command, ...)
{
	va_list arguments;
	void *argument;
	int result;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	find_libc();
	result = libc.fcntl(fd, command, argument);
	if (command == F_SETFL)
		tag_file_forget(fd);
	return result;
}
ALIAS(fcntl64) int fcntl(int fd, int command, ...);

EXPORT int fclose(FILE *stream)
{
	find_libc();
	tag_file_forget(fileno(stream));
	return libc.fclose(stream);
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	int before = fileno(stream);
	FILE *result;

	find_libc();
	result = libc.freopen(path, mode, stream);
	tag_file_forget(before);
	return result;
}
ALIAS(freopen64) FILE *freopen(const char *path, const char *mode, FILE *stream);

EXPORT int rename(const char *from, const char *to)
{
	int result;

	find_libc();
	result = libc.rename(from, to);
	tag_files_forget_all();
	return result;
}

EXPORT int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	int result;

	find_libc();
	result = libc.renameat(from_folder, from, to_folder, to);
	tag_files_forget_all();
	return result;
}

EXPORT int renameat2(int from_folder, const char *from, int to_folder, const char *to,
		     unsigned flags)
{
	int result;

	find_libc();
	result = libc.renameat2(from_folder, from, to_folder, to, flags);
	tag_files_forget_all();
	return result;
}
