/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file or pipe whose first bytes were looked at to tell its form.
 */
#ifndef SKY_INPUT_H
#define SKY_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "source.h"

#define INPUT_HEAD_BYTES 64

struct input {
	int fd;
	char *name;
	uint64_t total_bytes; /* 0: not a regular file, or it may grow */
	bool grows; /* at its end, wait for more while somebody writes it */
	size_t head_bytes, head_taken;
	char head[INPUT_HEAD_BYTES];
};

/* Takes over fd; reads the head. 0, or -1 after saying what is wrong (fd closed). */
int input_open(struct input *input, int fd, const char *name);
void input_close(struct input *input);

/* As read(2), EINTR retried, the head first. */
ssize_t input_read(struct input *input, void *at, size_t bytes);

/* Both take over the input, also when they fail. */
struct source *stream_open_input(struct input *input);
struct source *text_open_input(struct input *input);

#endif
