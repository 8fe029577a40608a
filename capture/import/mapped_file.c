/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "mapped_file.h"

/* A program reads one file at a time, or the same in two passes. */
#define MAPPED_MAX 16

static _Atomic(struct mapped_file *) mapped[MAPPED_MAX];

static struct mapped_file *file_at(const uint8_t *at)
{
	for (size_t i = 0; i < MAPPED_MAX; i++) {
		struct mapped_file *file = atomic_load(&mapped[i]);

		if (file && at >= file->at && at < file->at + file->bytes)
			return file;
	}
	return NULL;
}

/* Zeros from here to the end; what is no file of ours ends the program as it would have. */
static void replace_lost(int signal_number, siginfo_t *info, void *context)
{
	struct mapped_file *file = file_at(info->si_addr);
	uintptr_t from = (uintptr_t)info->si_addr & -(uintptr_t)sysconf(_SC_PAGESIZE);

	if (file && mmap((void *)from, (uintptr_t)file->at + file->bytes - from, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
		file->cut = 1;
	else
		signal(signal_number, SIG_DFL);
}

static int watch(struct mapped_file *file)
{
	const struct sigaction action = {
		.sa_sigaction = replace_lost,
		.sa_flags = SA_SIGINFO,
	};

	for (size_t i = 0; i < MAPPED_MAX; i++) {
		struct mapped_file *none = NULL;

		if (!atomic_compare_exchange_strong(&mapped[i], &none, file))
			continue;
		return sigaction(SIGBUS, &action, NULL)
			       ? fail_errno(errno, "cannot watch %s", file->path)
			       : 0;
	}
	return fail("%s is one more file than the %d that can be mapped", file->path, MAPPED_MAX);
}

static int map(struct mapped_file *file)
{
	struct stat st;
	void *at;

	if (fstat(file->fd, &st))
		return fail_errno(errno, "cannot open %s", file->path);
	at = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, file->fd, 0);
	if (at == MAP_FAILED)
		return fail_errno(errno, "cannot map %s", file->path);
	madvise(at, st.st_size, MADV_SEQUENTIAL);
	file->at = at;
	file->bytes = st.st_size;
	return watch(file);
}

int mapped_file_open(struct mapped_file *file, const char *path)
{
	*file = (struct mapped_file){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
	if (file->fd < 0)
		return fail_errno(errno, "cannot open %s", path);
	if (!map(file))
		return 0;
	mapped_file_close(file);
	return -1;
}

void mapped_file_close(struct mapped_file *file)
{
	for (size_t i = 0; i < MAPPED_MAX; i++) {
		struct mapped_file *same = file;

		atomic_compare_exchange_strong(&mapped[i], &same, NULL);
	}
	if (file->at)
		munmap((void *)file->at, file->bytes);
	if (file->path && file->fd >= 0)
		close(file->fd);
	*file = (struct mapped_file){0};
}

/*
 * Looks after it has copied, as the file may be cut at any time. The end of one that was cut may
 * lie within a page, whose rest then reads as zeros.
 */
int mapped_file_copy(struct mapped_file *file, size_t from, size_t bytes, void *to)
{
	struct stat st;

	memcpy(to, file->at + from, bytes);
	if (fstat(file->fd, &st))
		return fail_errno(errno, "cannot look at %s", file->path);
	if ((size_t)st.st_size >= file->bytes && !file->cut)
		return 0;
	return fail("%s was cut while it was read, or its disk can't read it any more: get the "
		    "whole file again",
		    file->path);
}

const uint8_t *mapped_file_record(struct mapped_file *file, uint64_t number, uint64_t count,
				  size_t bytes, uint8_t *window)
{
	uint64_t left = count - number, copied = left < MAPPED_RECORDS ? left : MAPPED_RECORDS;
	size_t at = number % MAPPED_RECORDS;

	if (!at && mapped_file_copy(file, number * bytes, copied * bytes, window))
		return NULL;
	return window + at * bytes;
}
