/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key that stands between a trace and what is published of it.
 *
 * What a user gives is stretched (Argon2id), since it may be a word that can be
 * guessed, and split into a key a use. What is keyed becomes 64 bits of
 * SipHash-2-4 (Aumasson, Bernstein, 2012). All of it is libsodium's.
 */
#ifndef SKY_ANONYMIZE_KEY_H
#define SKY_ANONYMIZE_KEY_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_FILE_BYTES_MAX 4096u

/* A shorter key is warned of: whoever has the trace can try them all, or many. */
#define KEY_BYTES_ADVISED 16u

enum key_use { KEY_SUMS, KEY_NAMES, KEY_TEXTS, KEY_USES };

struct anonymize_key {
	unsigned char of[KEY_USES][crypto_shorthash_siphash24_KEYBYTES];
	uint64_t zeros; /* the checksum of a chunk of zeros */
};

/* 0, or -1 after saying what is wrong: the bytes are none, or there is no memory (64 MiB). */
int key_make(struct anonymize_key *key, const void *bytes, size_t count);

/*
 * The key in a file, but for a newline at its end; or, where there is no such file, the
 * text itself. 0, or -1 after saying what is wrong.
 */
int key_read(struct anonymize_key *key, const char *file_or_text);

void key_forget(struct anonymize_key *key);

/* The same for the same bytes, use and key, and by no other. */
uint64_t key_hash(const struct anonymize_key *key, enum key_use use, const void *bytes,
		  size_t count);

/*
 * A checksum keyed. SUM_UNKNOWN and that of a chunk of zeros stay what they are, because
 * they mean something, and no other becomes one of them.
 */
uint64_t key_sum(const struct anonymize_key *key, uint64_t sum);

#endif
