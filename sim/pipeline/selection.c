/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of files: which are selected (paper, 3.3), which say "encrypted" (3.5).
 *
 * Selection is by path. A relative path is completed by the process's working
 * folder, or by the path of the folder that the call names; both are known
 * from a snapshot or an insight and kept up by chdir() and fchdir(). "." and
 * ".." mean what they say: symbolic links are followed only by recorders, whose
 * insights tell full paths. A file has the properties of every name it was met
 * under, since it is one file whatever its links are called; a rename replaces
 * them. Paths are kept only while files are selected, as long as a process or
 * an open file needs them.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sim/pipeline/files.h"
#include "sim/pipeline/matching.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"

/* "Here", in place of a folder's descriptor: the same for both ABIs. */
#define WORKING_FOLDER (-100)

#define NAME_AT(p, i) POOL_NODE(&(p)->names, struct name, i)
#define ALL	      offsetof(struct name, all)

/* Without a slash at its end: the root is empty. */
struct path {
	char text[PATH_MAX];
	uint32_t bytes;
};

static uint32_t name_new(struct pipeline *p, const struct path *path)
{
	uint32_t node = take_node(p, &p->names);
	char *text = node ? malloc(path->bytes + 1) : NULL;

	if (!text)
		goto give;
	memcpy(text, path->text, path->bytes);
	*NAME_AT(p, node) = (struct name){.text = text, .bytes = path->bytes, .holders = 1};
	list_append(&p->all_names, &p->names, ALL, node);
	return node;
give:
	if (node) {
		p->out_of_memory = true;
		pool_give(&p->names, node);
	}
	return 0;
}

static uint32_t name_hold(struct pipeline *p, uint32_t name)
{
	if (name)
		NAME_AT(p, name)->holders++;
	return name;
}

void name_release(struct pipeline *p, uint32_t name)
{
	if (!name || --NAME_AT(p, name)->holders)
		return;
	free(NAME_AT(p, name)->text);
	list_remove(&p->all_names, &p->names, ALL, name);
	pool_give(&p->names, name);
}

void names_free(struct pipeline *p)
{
	for (uint32_t i = p->all_names.first; i; i = NAME_AT(p, i)->all.next)
		free(NAME_AT(p, i)->text);
}

static void go_up(struct path *path)
{
	while (path->bytes && path->text[--path->bytes] != '/')
		;
}

static bool go_down(struct path *path, const char *part, size_t bytes)
{
	if (path->bytes + 1 + bytes >= sizeof(path->text))
		return false;
	path->text[path->bytes] = '/';
	memcpy(path->text + path->bytes + 1, part, bytes);
	path->bytes += 1 + bytes;
	return true;
}

static bool follow(struct path *path, const struct text *text)
{
	const char *at = text->at, *end = at + text->count;

	while (at < end) {
		const char *slash = memchr(at, '/', end - at);
		size_t bytes = (slash ? slash : end) - at;

		if (bytes == 2 && at[0] == '.' && at[1] == '.')
			go_up(path);
		else if (bytes && !(bytes == 1 && *at == '.') && !go_down(path, at, bytes))
			return false;
		at += bytes + 1;
	}
	return true;
}

static bool is_absolute(const struct text *text)
{
	return text->count && *text->at == '/';
}

/* The full path, from that folder on where it is relative; false if that is not known. */
static bool resolve(struct pipeline *p, uint32_t folder, const struct text *text, struct path *path)
{
	path->bytes = 0;
	if (!is_absolute(text)) {
		if (!folder)
			return false;
		path->bytes = NAME_AT(p, folder)->bytes;
		memcpy(path->text, NAME_AT(p, folder)->text, path->bytes);
	}
	return follow(path, text);
}

/* A prefix ends where a part of the path does: /data selects /data/a, not /database. */
static bool is_below(const struct path *path, const struct name *prefix)
{
	return path->bytes >= prefix->bytes && !memcmp(path->text, prefix->text, prefix->bytes) &&
	       (path->bytes == prefix->bytes || path->text[prefix->bytes] == '/');
}

static uint8_t selected(struct pipeline *p, const struct path *path)
{
	return p->only && is_below(path, NAME_AT(p, p->only)) ? NAME_SELECTED : 0;
}

void selection_begin(struct pipeline *p)
{
	const char *only = p->options.only;
	struct text text = {only, only ? strlen(only) : 0};
	struct path path;

	if (is_absolute(&text) && resolve(p, 0, &text, &path))
		p->only = name_new(p, &path);
}

/* A relative prefix is meant as seen from where the first process was. */
static void complete_prefix(struct pipeline *p, uint32_t folder)
{
	struct text text = {p->options.only, strlen(p->options.only)};
	struct path path;

	if (!p->only && resolve(p, folder, &text, &path))
		p->only = name_new(p, &path);
}

static uint32_t folder_name(struct pipeline *p, uint32_t process)
{
	uint32_t folder = PROCESS_AT(p, process)->folder;

	return folder ? FOLDER_AT(p, folder)->name : 0;
}

static uint32_t own_folder(struct pipeline *p, uint32_t process)
{
	struct process *q = PROCESS_AT(p, process);

	if (q->folder)
		return q->folder;
	q->folder = take_node(p, &p->folders);
	if (q->folder)
		FOLDER_AT(p, q->folder)->holders = 1;
	return q->folder;
}

void folder_left(struct pipeline *p, uint32_t process)
{
	uint32_t folder = PROCESS_AT(p, process)->folder;

	PROCESS_AT(p, process)->folder = 0;
	if (!folder || --FOLDER_AT(p, folder)->holders)
		return;
	name_release(p, FOLDER_AT(p, folder)->name);
	pool_give(&p->folders, folder);
}

void folder_changed(struct pipeline *p, uint32_t process, uint32_t name)
{
	uint32_t folder;

	if (name == folder_name(p, process))
		return;
	folder = own_folder(p, process);
	if (!folder)
		return;
	name_hold(p, name);
	name_release(p, FOLDER_AT(p, folder)->name);
	FOLDER_AT(p, folder)->name = name;
}

void folder_told(struct pipeline *p, uint32_t process, const struct text *text)
{
	struct path path;
	uint32_t name;

	if (!p->options.only || !is_absolute(text) || !resolve(p, 0, text, &path))
		return;
	name = name_new(p, &path);
	folder_changed(p, process, name);
	name_release(p, name);
	complete_prefix(p, folder_name(p, process));
}

static void share_folder(struct pipeline *p, uint32_t parent, uint32_t child)
{
	uint32_t folder = p->options.only ? own_folder(p, parent) : 0;

	PROCESS_AT(p, child)->folder = folder;
	if (folder)
		FOLDER_AT(p, folder)->holders++;
}

void process_inherits(struct pipeline *p, uint32_t parent, uint32_t child, bool same_folder)
{
	const struct process *from = PROCESS_AT(p, parent);
	struct process *to = PROCESS_AT(p, child);

	if (same_folder)
		share_folder(p, parent, child);
	else
		folder_changed(p, child, folder_name(p, parent));
	to->encrypts = from->encrypts;
	to->copies = from->copies;
	to->copies_matched = from->copies_matched;
}

/* The folder from which the call's path 0 or 1 starts. */
static uint32_t folder_of(struct pipeline *p, const struct call_state *call, int which)
{
	const struct argument *arguments = call_table[call->call].arguments;
	uint32_t here = folder_name(p, call->process), open_file;
	int path = -1, fd;

	for (int seen = -1; seen < which && ++path < 6;)
		seen += arguments[path].style == ARGUMENT_PATH;
	if (path < 1 || path > 5 || arguments[path - 1].style != ARGUMENT_DIRECTORY)
		return here;
	fd = call->argument[path - 1];
	if (fd == WORKING_FOLDER)
		return here;
	open_file = descriptor_find(p, call->process, fd);
	return open_file ? OPEN_FILE_AT(p, open_file)->name : 0;
}

static uint8_t properties(const struct pipeline *p, const struct text *text)
{
	return is_encrypted_name(p, text) ? NAME_ENCRYPTED : 0;
}

static void note_path(struct pipeline *p, struct call_state *call, int which,
		      const struct text *text)
{
	struct path path;

	if (!text->count)
		return;
	call->names[which] = properties(p, text);
	if (p->options.only && resolve(p, folder_of(p, call, which), text, &path)) {
		call->names[which] |= selected(p, &path);
		if (!which)
			call->name = name_new(p, &path);
	}
	if (call->named[which])
		FILE_AT(p, call->named[which])->names |= call->names[which];
}

void paths_noted(struct pipeline *p, struct call_state *call, const struct entry_event *entry)
{
	note_path(p, call, 0, &entry->path);
	note_path(p, call, 1, &entry->path2);
}

static void name_open_file(struct pipeline *p, uint32_t open_file, uint32_t name, uint8_t names)
{
	struct open_file *o = OPEN_FILE_AT(p, open_file);

	if (name) {
		name_hold(p, name);
		name_release(p, o->name);
		o->name = name;
	}
	o->names |= names;
	FILE_AT(p, o->file)->names |= o->names;
}

void open_file_opened(struct pipeline *p, uint32_t open_file, const struct call_state *call)
{
	name_open_file(p, open_file, call->name, call->names[0]);
}

void open_file_told(struct pipeline *p, uint32_t open_file, const struct text *text)
{
	uint8_t names = is_absolute(text) ? properties(p, text) : 0;
	uint32_t name = 0;
	struct path path;

	traffic_path(p, OPEN_FILE_AT(p, open_file)->file, text);
	if (p->options.only && is_absolute(text) && resolve(p, 0, text, &path)) {
		names |= selected(p, &path);
		name = name_new(p, &path);
	}
	name_open_file(p, open_file, name, names);
	name_release(p, name);
}

void file_renamed(struct pipeline *p, uint32_t file, const struct call_state *call)
{
	if (file)
		FILE_AT(p, file)->names = call->names[1];
}

void file_linked(struct pipeline *p, uint32_t file, const struct call_state *call)
{
	if (file)
		FILE_AT(p, file)->names |= call->names[1];
}

bool is_selected(const struct pipeline *p, uint32_t file)
{
	return !p->options.only || (file && FILE_AT(p, file)->names & NAME_SELECTED);
}
