/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky: finds the command and runs it; help, list and --version.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/command.h"
#include "common/error.h"

#define COMPONENTS_MAX 256

const char *argp_program_version = "sky " SKY_VERSION;
const char *argp_program_bug_address = "the issue tracker of the project";

static void list_kind(const char *kind)
{
	const struct component *list[COMPONENTS_MAX];
	size_t count = component_collect(kind, list, COMPONENTS_MAX);

	for (size_t i = 0; i < count; i++)
		printf("  %-18s %s\n", list[i]->name, list[i]->summary);
}

static void show_parameters(const struct component *c)
{
	if (c->choice)
		printf("      %-14s %s (any %s, default %s)\n", c->choice->name, c->choice->help,
		       c->choice->kind, c->choice->preset);
	for (const struct parameter *p = c->parameters; p && p->name; p++)
		printf("      %-14s %s (%llu..%llu, default %llu)\n", p->name, p->help,
		       (unsigned long long)p->min, (unsigned long long)p->max,
		       (unsigned long long)p->preset);
}

/* The one word that list and help may be given. */
static error_t take_word(int key, char *argument, struct argp_state *state)
{
	const char **word = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (*word)
		argp_error(state, "one at a time");
	*word = argument;
	return 0;
}

static int run_list(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = take_word,
		.args_doc = "[KIND]",
		.doc = "Show what Sky is made of: commands, cache policies, importers, figures, "
		       "with "
		       "their parameters and where they were published.",
	};
	const struct component *list[COMPONENTS_MAX];
	const char *wanted = NULL, *shown = "";
	size_t count;

	argp_parse(&argp, argc, argv, 0, NULL, &wanted);
	count = component_collect(wanted, list, COMPONENTS_MAX);
	if (!count) {
		fail("there is nothing of kind \"%s\"; `sky list` shows every kind", wanted);
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(shown, list[i]->kind))
			printf("%s%s:\n", *shown ? "\n" : "", list[i]->kind);
		shown = list[i]->kind;
		printf("  %-18s %s\n", list[i]->name, list[i]->summary);
		if (list[i]->source)
			printf("      %s\n", list[i]->source);
		show_parameters(list[i]);
	}
	return command_finish();
}

SKY_COMMAND(list, "list", "show what Sky is made of: commands, policies, importers, figures",
	    run_list);

static int usage(void)
{
	printf("Usage: sky COMMAND [OPTION...]\n\n"
	       "Trace-driven simulation of storage under virtual machines, with the knowledge "
	       "that\n"
	       "a hypervisor gains from the guests' system calls.\n\n"
	       "Commands:\n");
	list_kind("command");
	printf("\n`sky help COMMAND` or `sky COMMAND --help` says more.\n");
	return command_finish();
}

static int run_command(const char *name, int argc, char **argv)
{
	const struct component *c = component_find("command", name);
	char title[64];

	if (!c) {
		fail("there is no command \"%s\"; `sky help` lists them", name);
		return 2;
	}
	snprintf(title, sizeof(title), "sky %s", name);
	argv[0] = title;
	return container_of(c, struct command, head)->run(argc, argv);
}

static int run_help(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = take_word,
		.args_doc = "[COMMAND]",
		.doc = "Show the commands, or how one of them is used.",
	};
	char help[] = "--help";
	char *help_argv[] = {NULL, help, NULL};
	const char *wanted = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &wanted);
	return wanted ? run_command(wanted, 2, help_argv) : usage();
}

SKY_COMMAND(help, "help", "show the commands, or how one is used", run_help);

int main(int argc, char **argv)
{
	/* results don't depend on the locale; a closed pipe is a write error like any other */
	setlocale(LC_ALL, "C");
	signal(SIGPIPE, SIG_IGN);
	argp_err_exit_status = 2;
	if (argc < 2) {
		usage();
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return usage();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("%s\n", argp_program_version);
		return command_finish();
	}
	return run_command(argv[1], argc - 1, argv + 1);
}
