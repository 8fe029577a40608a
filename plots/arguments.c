/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arguments.h"

error_t plot_parse_argument(int key, char *argument, struct argp_state *state)
{
	struct plot_arguments *arguments = state->input;

	switch (key) {
	case 'o':
		arguments->output = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->count == arguments->most)
			argp_error(state, "%s", arguments->needs);
		arguments->words[arguments->count++] = argument;
		return 0;
	case ARGP_KEY_END:
		if (arguments->count < arguments->least || !arguments->output)
			argp_error(state, "%s", arguments->needs);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}
