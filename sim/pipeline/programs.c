/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What names tell (paper, 3.5): of executables, which programs encrypt and
 * which copy; of files, which hold what was encrypted.
 *
 * The lists are configuration: words with commas between them. A program is
 * known by the last part of its executable's path, a file by its extension.
 */
#include <string.h>

#include "common/word_list.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"

/* What follows the last such character of the text; all of it, or nothing, where there is none. */
static struct text after_last(struct text text, char character, bool otherwise_all)
{
	const char *last = text.count ? memrchr(text.at, character, text.count) : NULL;

	if (!last)
		return otherwise_all ? text : (struct text){0};
	return (struct text){last + 1, text.at + text.count - (last + 1)};
}

void program_named(struct pipeline *p, uint32_t process, const struct text *executable)
{
	struct process *q = PROCESS_AT(p, process);
	struct text name = after_last(*executable, '/', true);

	if (!name.count)
		return;
	traffic_executes(p, process, executable);
	q->encrypts = word_list_has(p->options.encryption_programs, name.at, name.count);
	q->copies = word_list_has(p->options.copy_programs, name.at, name.count);
	q->copies_matched = 0;
}

bool is_encrypted_name(const struct pipeline *p, const struct text *path)
{
	struct text name = after_last(*path, '/', true);
	struct text extension = after_last(name, '.', false);

	return extension.count &&
	       word_list_has(p->options.encryption_extensions, extension.at, extension.count);
}
