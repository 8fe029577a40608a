/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky anonymize`: a copy of a trace that can be published, or what a path becomes there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/convert.h"
#include "common/command.h"
#include "common/error.h"
#include "common/output.h"
#include "sim/anonymize/anonymize.h"

enum { KEY_PATH = 0x100, KEY_KEEP };

struct arguments {
	const char *key, *path, *kept;
	struct trace_copy copy;
};

static int print_path(const struct anonymize_key *key, const struct arguments *a)
{
	const struct names names = {key, a->kept};
	const struct text path = {a->path, strlen(a->path)};
	char *keyed = malloc(names_room(path.count));

	if (!keyed)
		return fail("out of memory for %s", a->path);
	printf("%.*s\n", (int)names_key_path(&names, &path, keyed), keyed);
	free(keyed);
	return 0;
}

static int anonymize(const struct anonymize_key *key, struct arguments *a)
{
	struct anonymizer *anonymizer;
	int rc;

	if (output_is_input(a->copy.output, a->copy.input))
		return fail("%s can't be both the trace and what is published of it: name another "
			    "file",
			    a->copy.input);
	anonymizer = anonymizer_new(key, a->kept);
	if (!anonymizer)
		return -1;
	a->copy.change = anonymizer_change;
	a->copy.context = anonymizer;
	rc = trace_copy(&a->copy);
	anonymizer_free(anonymizer);
	return rc;
}

static void check(const struct arguments *a, struct argp_state *state)
{
	if (!a->key)
		argp_error(state, "by which key? Say --key FILE");
	if (a->path && (a->copy.input || a->copy.output || a->copy.form))
		argp_error(state, "--path asks for a path, without a trace");
	if (a->path)
		return;
	if (!a->copy.input)
		argp_error(state, "which trace?");
	if (!a->copy.output)
		argp_error(state, "where to? Say -o FILE");
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'k':
		a->key = argument;
		return 0;
	case 'o':
		a->copy.output = argument;
		return 0;
	case 't':
		a->copy.form = argument;
		return 0;
	case KEY_PATH:
		if (!*argument)
			argp_error(state, "--path wants a path");
		a->path = argument;
		return 0;
	case KEY_KEEP:
		a->kept = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (a->copy.input)
			argp_error(state, "one trace at a time");
		a->copy.input = argument;
		return 0;
	case ARGP_KEY_END:
		check(a, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{"key", 'k', "KEY", 0,
	 "a file that holds the key (up to 4096 bytes), or, where there is no such file, the key "
	 "itself",
	 0},
	{"output", 'o', "FILE", 0, "the new trace; - is standard output (as text)", 0},
	{"to", 't', "FORM", 0, "archive, stream or text, where FILE's ending doesn't say", 0},
	{"path", KEY_PATH, "PATH", 0, "print what this path becomes, as for `sky classify --only`",
	 0},
	{"keep", KEY_KEEP, "NAME,...", 0,
	 "leave parts of paths that are so called, and such extensions, as they are, besides those "
	 "that a classification needs",
	 0},
	{0},
};

static int run_anonymize(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "TRACE --key KEY -o FILE\n--path PATH --key KEY",
		.doc = "Make a copy of a trace that can be published: checksums, paths, command "
		       "lines and names of machines are replaced by what a secret key makes of "
		       "them, equal ones by equal ones, so that classification, simulation and "
		       "counts of equal content stay the same.\v"
		       "Times, sizes, offsets, sectors, inode and process numbers are kept, and so "
		       "is which chunks are zeros. A key is made by "
		       "`head -c 32 /dev/urandom >FILE`; the same key gives the same copy.",
	};
	struct arguments a = {.copy = {.kinds = KINDS_ALL, .label = "anonymizing"}};
	struct anonymize_key key;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (key_read(&key, a.key))
		return 1;
	rc = a.path ? print_path(&key, &a) : anonymize(&key, &a);
	key_forget(&key);
	return rc ? 1 : command_finish();
}

SKY_COMMAND(anonymize, "anonymize", "make a copy of a trace that can be published", run_anonymize);
