/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the shim did, counted in memory that skytag shares with all processes
 * of its command: only where --summary asks for it.
 */
#ifndef SKYTAG_SUMMARY_H
#define SKYTAG_SUMMARY_H

#include <stdint.h>

#include "skytag_rules.h"

/* The environment's variables: the rules' text, and the file to be mapped for the counts. */
#define TAG_RULES_VARIABLE   "SKYTAG_RULES"
#define TAG_SUMMARY_VARIABLE "SKYTAG_SUMMARY"

struct tag_summary {
	uint64_t bytes[TAG_DIRECTIONS][TAG_CLASSES]; /* tagged, by class */
	uint64_t untagged[TAG_DIRECTIONS]; /* of files that rules name, but no rule held */
	uint64_t calls;			   /* on files that rules name */
	uint64_t split_calls;		   /* ... made part by part */
	uint64_t plain_calls;		   /* ... that can't bear a class */
};

#endif
