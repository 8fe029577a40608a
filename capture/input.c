/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "input.h"

static ssize_t read_again(int fd, void *at, size_t bytes)
{
	ssize_t got;

	do {
		got = read(fd, at, bytes);
	} while (got < 0 && errno == EINTR);
	return got;
}

int input_open(struct input *input, int fd, const char *name)
{
	struct stat st;
	ssize_t got;

	memset(input, 0, sizeof(*input));
	input->fd = fd;
	input->name = strdup(name);
	if (!input->name) {
		input_close(input);
		return fail("out of memory while opening %s", name);
	}
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		input->total_bytes = st.st_size;
	while (input->head_bytes < INPUT_HEAD_BYTES) {
		got = read_again(fd, input->head + input->head_bytes,
				 INPUT_HEAD_BYTES - input->head_bytes);
		if (got < 0) {
			fail_errno(errno, "cannot read %s", name);
			input_close(input);
			return -1;
		}
		if (!got)
			break;
		input->head_bytes += got;
	}
	return 0;
}

void input_close(struct input *input)
{
	if (input->fd >= 0)
		close(input->fd);
	free(input->name);
	input->fd = -1;
	input->name = NULL;
}

ssize_t input_read(struct input *input, void *at, size_t bytes)
{
	size_t left = input->head_bytes - input->head_taken;

	if (!left)
		return read_again(input->fd, at, bytes);
	if (bytes > left)
		bytes = left;
	memcpy(at, input->head + input->head_taken, bytes);
	input->head_taken += bytes;
	return bytes;
}
