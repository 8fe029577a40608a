/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "skytag_files.h"

static const struct tag_rules *the_rules;
static struct tag_file files[TAG_FILES];
static uint32_t generation = 1; /* an entry of an older one is not valid */

void tag_files_begin(const struct tag_rules *rules)
{
	__atomic_store_n(&the_rules, rules, __ATOMIC_RELEASE);
}

/* snprintf() may not be called in signal handlers. */
static void link_of(int fd, char *link)
{
	static const char folder[] = "/proc/self/fd/";
	char digits[12], *digit = digits;

	memcpy(link, folder, sizeof(folder) - 1);
	link += sizeof(folder) - 1;
	do
		*digit++ = '0' + fd % 10;
	while (fd /= 10);
	while (digit > digits)
		*link++ = *--digit;
	*link = '\0';
}

/* The kernel adds this to the path of a name that is gone; a file may really be called so. */
static void strip_deleted(int fd, char *path, size_t bytes)
{
	static const char suffix[] = " (deleted)";
	struct stat there, here;
	char *end = path + bytes - (sizeof(suffix) - 1);

	if (bytes < sizeof(suffix) || strcmp(end, suffix))
		return;
	if (stat(path, &there) < 0 || fstat(fd, &here) < 0 || there.st_ino != here.st_ino ||
	    there.st_dev != here.st_dev)
		*end = '\0';
}

static const char *path_of(int fd, char *path)
{
	char link[32];
	ssize_t bytes;

	link_of(fd, link);
	bytes = readlink(link, path, PATH_MAX - 1);
	if (bytes <= 0)
		return NULL;
	path[bytes] = '\0';
	strip_deleted(fd, path, bytes);
	return path;
}

static void look_at_rules(const struct tag_rules *rules, struct tag_file *file)
{
	file->io_class[TAG_READ] = file->io_class[TAG_WRITE] = TAG_NO_CLASS;
	for (uint64_t left = file->rules; left; left &= left - 1) {
		const struct tag_rule *rule = &rules->rule[__builtin_ctzll(left)];

		file->inside = file->inside || tag_rule_looks_inside(rule);
		if (rule->page != TAG_ANY_CONTENT && !file->page_bytes)
			file->page_bytes = rule->page_bytes;
		for (unsigned i = 0; i < TAG_DIRECTIONS; i++)
			if (rule->directions & 1u << i && file->io_class[i] == TAG_NO_CLASS)
				file->io_class[i] = rule->io_class;
	}
}

/*
 * Classes mean something to a disk: pipes, sockets and terminals are left alone.
 * False if there is no such descriptor: of what may soon be another one, nothing is kept.
 */
static bool find_out(const struct tag_rules *rules, int fd, struct tag_file *file)
{
	char buffer[PATH_MAX];
	const char *path = path_of(fd, buffer);
	uint64_t mask = tag_rules_for(rules, fd, path);
	struct stat status;
	int flags;

	if (path && !mask)
		return true;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &status) < 0)
		return false;
	if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		return true;
	file->rules = mask;
	file->appends = flags & O_APPEND;
	file->identity = status.st_dev * 0x9e3779b97f4a7c15ull + status.st_ino;
	look_at_rules(rules, file);
	return true;
}

static void remember(struct tag_file *entry, const struct tag_file *file, uint32_t now)
{
	entry->rules = file->rules;
	entry->identity = file->identity;
	entry->appends = file->appends;
	entry->inside = file->inside;
	entry->page_bytes = file->page_bytes;
	entry->io_class[TAG_READ] = file->io_class[TAG_READ];
	entry->io_class[TAG_WRITE] = file->io_class[TAG_WRITE];
	__atomic_store_n(&entry->generation, now, __ATOMIC_RELEASE);
}

const struct tag_file *tag_file_of(int fd)
{
	const struct tag_rules *rules = __atomic_load_n(&the_rules, __ATOMIC_ACQUIRE);
	uint32_t now = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
	struct tag_file *entry, file = {0};
	int saved = errno;
	bool found;

	if (!rules || fd < 0 || fd >= TAG_FILES)
		return NULL;
	entry = &files[fd];
	if (__atomic_load_n(&entry->generation, __ATOMIC_ACQUIRE) != now) {
		found = find_out(rules, fd, &file);
		errno = saved;
		if (!found)
			return NULL;
		remember(entry, &file, now);
	}
	return entry->rules ? entry : NULL;
}

void tag_file_forget(int fd)
{
	if (fd >= 0 && fd < TAG_FILES)
		__atomic_store_n(&files[fd].generation, 0, __ATOMIC_RELEASE);
}

void tag_files_forget(unsigned first, unsigned last)
{
	for (unsigned fd = first; fd <= last && fd < TAG_FILES; fd++)
		tag_file_forget(fd);
}

void tag_files_forget_all(void)
{
	uint32_t next = __atomic_add_fetch(&generation, 1, __ATOMIC_ACQ_REL);

	if (!next) /* 0 marks an entry that was forgotten */
		__atomic_add_fetch(&generation, 1, __ATOMIC_ACQ_REL);
}
