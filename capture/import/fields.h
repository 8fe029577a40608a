/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values out of a line of text. Each moves *at behind what it took, or
 * says false and leaves *at anywhere.
 */
#ifndef SKY_FIELDS_H
#define SKY_FIELDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool take_char(const char **at, const char *end, char c)
{
	return *at < end && *(*at)++ == c;
}

/* Digits only; UINT64_MAX for what is beyond it, so that who knows the limits can say more. */
static inline bool take_number(const char **at, const char *end, uint64_t *value)
{
	const char *first = *at;
	uint64_t number = 0;
	bool beyond = false;

	for (; *at < end && (unsigned char)(**at - '0') < 10; ++*at)
		beyond |= __builtin_mul_overflow(number, 10, &number) ||
			  __builtin_add_overflow(number, (uint64_t)(**at - '0'), &number);
	*value = beyond ? UINT64_MAX : number;
	return *at > first;
}

/* Two numbers, each with a comma behind it. */
static inline bool take_offset_length(const char **at, const char *end, uint64_t *offset,
				      uint64_t *length)
{
	return take_number(at, end, offset) && take_char(at, end, ',') &&
	       take_number(at, end, length) && take_char(at, end, ',');
}

static inline uint64_t scale(uint64_t number, uint64_t unit)
{
	uint64_t scaled;

	return __builtin_mul_overflow(number, unit, &scaled) ? UINT64_MAX : scaled;
}

static inline bool take_number32(const char **at, const char *end, uint32_t *value)
{
	uint64_t number;

	if (!take_number(at, end, &number) || number > UINT32_MAX)
		return false;
	*value = number;
	return true;
}

/* Digits, and a fraction if there is one, times unit; what is left of a unit is cut off. */
static inline bool take_scaled(const char **at, const char *end, uint64_t unit, uint64_t *value)
{
	uint64_t part = unit, fraction = 0;

	if (!take_number(at, end, value))
		return false;
	*value = scale(*value, unit);
	if (*at == end || **at != '.')
		return true;
	for (++*at; *at < end && (unsigned char)(**at - '0') < 10; ++*at) {
		part /= 10;
		fraction += part * (**at - '0');
	}
	if (__builtin_add_overflow(*value, fraction, value))
		*value = UINT64_MAX;
	return true;
}

/* Up to a separator, which is taken too, or the end of the line. */
static inline void take_field(const char **at, const char *end, char separator,
			      const char **field_end)
{
	const char *found = memchr(*at, separator, end - *at);

	*field_end = found ? found : end;
	*at = found ? found + 1 : end;
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline void skip_blanks(const char **at, const char *end)
{
	while (*at < end && is_blank(**at))
		++*at;
}

/* A word between blanks; false if there is none. */
static inline bool take_word(const char **at, const char *end, const char **word,
			     const char **word_end)
{
	skip_blanks(at, end);
	*word = *at;
	while (*at < end && !is_blank(**at))
		++*at;
	*word_end = *at;
	return *at > *word;
}

static inline bool word_is(const char *word, const char *word_end, const char *text)
{
	return (size_t)(word_end - word) == strlen(text) && !memcmp(word, text, word_end - word);
}

#endif
