/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command lines of `sky plot` and `sky report`: a few words and -o FILE.
 */
#ifndef SKY_PLOT_ARGUMENTS_H
#define SKY_PLOT_ARGUMENTS_H

#include <argp.h>

#define PLOT_TRACES_MAX 16
#define PLOT_WORDS_MAX	(1 + PLOT_TRACES_MAX)

struct plot_arguments {
	unsigned least, most; /* words that are needed, and allowed */
	const char *needs;    /* what is said where it is less or more, or -o is missing */
	const char *words[PLOT_WORDS_MAX];
	unsigned count;
	const char *output;
};

/* A parser for struct argp, whose input is a struct plot_arguments. */
error_t plot_parse_argument(int key, char *argument, struct argp_state *state);

#endif
