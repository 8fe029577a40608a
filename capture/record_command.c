/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `sky record`: finds the recorder that is asked for and runs it.
 *
 * The choice is the first word, for what follows is the chosen one's: two
 * recorders may mean different things by one option.
 */
#include <stdio.h>
#include <string.h>

#include "common/command.h"
#include "record_command.h"

/* "--kvm", "--kvm=VM"; NULL where the word chooses none. */
static const struct component *chosen_by(const char *word)
{
	char name[32];

	if (strncmp(word, "--", 2))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	return component_find("recorder", name);
}

static int record_run(int argc, char **argv)
{
	const struct component *c = argc > 1 ? chosen_by(argv[1]) : NULL;

	if (!c)
		c = component_find("recorder", RECORDER_PRESET);
	return container_of(c, struct recorder, head)->run(argc, argv);
}

SKY_COMMAND(record, "record", "record system calls and disk requests, on this host or of a guest",
	    record_run);
