/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between a stream of unknown honesty and libtrace.
 *
 * libtrace trusts the lengths in a pcap file: some overflow its buffers, some
 * abort the process, and a tail that was cut looks like an error or like
 * nothing. So a thread reads the bytes first and passes on, through a pipe,
 * whole records of possible lengths and times only; what it stopped at is asked for
 * afterwards.
 */
#ifndef SKY_STREAM_GUARD_H
#define SKY_STREAM_GUARD_H

#include <stdint.h>

#include "input.h"

struct stream_guard;

/*
 * Checks the file's header and passes it on; takes over the input, also on
 * failure. *out_fd is the pipe that libtrace shall read. NULL after saying
 * what is wrong.
 */
struct stream_guard *stream_guard_start(struct input *input, int *out_fd);

/* How many bytes it has read so far. */
uint64_t stream_guard_bytes(const struct stream_guard *guard);

/* How many of them it has passed on, or is about to. */
uint64_t stream_guard_passed(const struct stream_guard *guard);

/*
 * After the pipe has ended. 0 and the bytes of the last, cut record; or -1
 * after saying where the stream is damaged.
 */
int stream_guard_verdict(struct stream_guard *guard, uint64_t *cut_bytes);

/* Stops the thread, wherever it is. */
void stream_guard_free(struct stream_guard *guard);

#endif
