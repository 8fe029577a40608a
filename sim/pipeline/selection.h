/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What names tell: which files are selected (selection.c), which programs copy and encrypt
 * (programs.c).
 */
#ifndef SKY_PIPELINE_SELECTION_H
#define SKY_PIPELINE_SELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"
#include "common/pool.h"

struct pipeline;
struct call_state;

/* A path that somebody needs. */
struct name {
	char *text;
	uint32_t bytes, holders;
	struct link all;
};

/* A working folder, which processes made with CLONE_FS share. */
struct folder {
	uint32_t name, holders;
};

#define FOLDER_AT(p, i) POOL_NODE(&(p)->folders, struct folder, i)

/* The process executes this from now on. */
void program_named(struct pipeline *p, uint32_t process, const struct text *executable);
bool is_encrypted_name(const struct pipeline *p, const struct text *path);

/* A prefix that needs no folder can be selected by from the start. */
void selection_begin(struct pipeline *p);
void names_free(struct pipeline *p);
void name_release(struct pipeline *p, uint32_t name);

/* Where a process is; and where it went. */
void folder_told(struct pipeline *p, uint32_t process, const struct text *text);
void folder_changed(struct pipeline *p, uint32_t process, uint32_t name);

/* It is over. */
void folder_left(struct pipeline *p, uint32_t process);
void process_inherits(struct pipeline *p, uint32_t parent, uint32_t child, bool same_folder);

/* What the paths of a call that begins tell of its files. */
void paths_noted(struct pipeline *p, struct call_state *call, const struct entry_event *entry);
void open_file_opened(struct pipeline *p, uint32_t open_file, const struct call_state *call);
void open_file_told(struct pipeline *p, uint32_t open_file, const struct text *text);

/* The file bears the call's second path: instead of its name so far, or besides. */
void file_renamed(struct pipeline *p, uint32_t file, const struct call_state *call);
void file_linked(struct pipeline *p, uint32_t file, const struct call_state *call);
bool is_selected(const struct pipeline *p, uint32_t file);

#endif
