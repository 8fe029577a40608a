/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "far_copy.h"

#ifdef __SSE2__

#define LINE 64u

static void copy_lines(__m128i *to, const __m128i *from, size_t lines)
{
	for (; lines; lines--, to += 4, from += 4) {
		__m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
		__m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);

		_mm_stream_si128(to, a);
		_mm_stream_si128(to + 1, b);
		_mm_stream_si128(to + 2, c);
		_mm_stream_si128(to + 3, d);
	}
	_mm_sfence();
}

void far_copy(void *to, const void *from, size_t bytes)
{
	size_t head = -(uintptr_t)to % LINE, lines;

	if (head > bytes)
		head = bytes;
	memcpy(to, from, head);
	lines = (bytes - head) / LINE;
	copy_lines((void *)((char *)to + head), (const void *)((const char *)from + head), lines);
	head += lines * LINE;
	memcpy((char *)to + head, (const char *)from + head, bytes - head);
}

#else

void far_copy(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
}

#endif
