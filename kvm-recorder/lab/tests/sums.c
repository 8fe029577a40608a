/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sums FILE: the FNV-1a checksum of each 4096-byte chunk, one a line in hex.
 *
 * It has nothing in common with the recorder but the published algorithm
 * (draft-eastlake-fnv), so that the two can be held against each other.
 */
#include <stdint.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	static unsigned char chunk[4096];
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;

	if (!file) {
		fprintf(stderr, "usage: sums FILE\n");
		return 2;
	}
	while (fread(chunk, 1, sizeof(chunk), file) == sizeof(chunk)) {
		uint64_t sum = 14695981039346656037u;

		for (size_t i = 0; i < sizeof(chunk); i++)
			sum = (sum ^ chunk[i]) * 1099511628211u;
		printf("%llx\n", (unsigned long long)sum);
	}
	return ferror(file) ? 1 : 0;
}
