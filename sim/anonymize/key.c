/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "capture/event.h"
#include "common/error.h"
#include "common/fnv1a.h"
#include "sim/anonymize/key.h"

/* RFC 9106 calls for passes and memory; libsodium calls these "interactive". */
#define STRETCH_PASSES 2u
#define STRETCH_BYTES  (64u << 20)

int key_make(struct anonymize_key *key, const void *bytes, size_t count)
{
	/* Not secret and always the same: the same key must give the same trace again. */
	static const unsigned char salt[crypto_pwhash_argon2id_SALTBYTES] = "sky anonymize 1";
	static const char context[crypto_kdf_blake2b_CONTEXTBYTES] = "skytrace";
	unsigned char stretched[crypto_kdf_blake2b_KEYBYTES];

	if (!count)
		return fail("an empty key hides nothing; make one by `head -c 32 /dev/urandom "
			    ">FILE`");
	if (sodium_init() < 0 ||
	    crypto_pwhash_argon2id(stretched, sizeof(stretched), bytes, count, salt, STRETCH_PASSES,
				   STRETCH_BYTES, crypto_pwhash_argon2id_ALG_ARGON2ID13))
		return fail("out of memory for stretching the key, which takes %u MiB",
			    STRETCH_BYTES >> 20);
	for (unsigned use = 0; use < KEY_USES; use++)
		crypto_kdf_blake2b_derive_from_key(key->of[use], sizeof(key->of[use]), use, context,
						   stretched);
	sodium_memzero(stretched, sizeof(stretched));
	key->zeros = fnv1a_zeros(FNV1A_BASIS, CHUNK_BYTES);
	return 0;
}

static int make_checked(struct anonymize_key *key, const char *bytes, size_t count)
{
	if (count && count < KEY_BYTES_ADVISED)
		warn("a key of %zu bytes can be guessed; make one by `head -c 32 /dev/urandom "
		     ">FILE`",
		     count);
	return key_make(key, bytes, count);
}

int key_read(struct anonymize_key *key, const char *file_or_text)
{
	char bytes[KEY_FILE_BYTES_MAX + 1];
	FILE *file = fopen(file_or_text, "re");
	size_t count;
	int rc;

	if (!file && errno != ENOENT && errno != ENAMETOOLONG)
		return fail_errno(errno, "cannot open the key %s", file_or_text);
	if (!file) {
		if (*file_or_text)
			warn("there is no file of the key's name: the text itself is the key");
		return make_checked(key, file_or_text, strlen(file_or_text));
	}
	count = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file))
		rc = fail_errno(errno, "cannot read the key %s", file_or_text);
	else if (count > KEY_FILE_BYTES_MAX)
		rc = fail("%s has more than %u bytes; is it a key?", file_or_text,
			  KEY_FILE_BYTES_MAX);
	else
		rc = make_checked(key, bytes, count - (count && bytes[count - 1] == '\n'));
	sodium_memzero(bytes, sizeof(bytes));
	fclose(file);
	return rc;
}

void key_forget(struct anonymize_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

uint64_t key_hash(const struct anonymize_key *key, enum key_use use, const void *bytes,
		  size_t count)
{
	uint64_t hash;

	static_assert(crypto_shorthash_siphash24_BYTES == sizeof(hash), "64 bits");
	crypto_shorthash_siphash24((unsigned char *)&hash, bytes, count, key->of[use]);
	return hash;
}

uint64_t key_sum(const struct anonymize_key *key, uint64_t sum)
{
	if (sum == SUM_UNKNOWN || sum == key->zeros)
		return sum;
	do {
		sum = key_hash(key, KEY_SUMS, &sum, sizeof(sum));
	} while (sum == SUM_UNKNOWN || sum == key->zeros);
	return sum;
}
