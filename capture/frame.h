/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One event as bytes: what rings carry and stream frames hold.
 *
 * Little endian, in the order of event_header[] and the kind's fields; texts
 * and words as a 32-bit count and their elements. It is the inside of a
 * stream's frames (stream.c adds the Ethernet header, part numbers and CRC).
 */
#ifndef SKY_FRAME_H
#define SKY_FRAME_H

#include "event.h"

/* The longest encoded event that any reader accepts. */
#define FRAME_BYTES_MAX (64u << 20)

/* How many bytes event_encode() will write. */
size_t event_encoded_bytes(const struct event *event);

/* Returns the number of bytes written at `at`, which has room for them. */
size_t event_encode(const struct event *event, void *at);

/*
 * Decodes exactly `bytes` bytes and checks the event (event_check). Arrays
 * and texts point into `at`, or into words[] (room for bytes / 8) where they
 * are not aligned. NULL, or what is wrong.
 */
const char *event_decode(struct event *event, const void *at, size_t bytes, uint64_t *words);

#endif
