/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the pipeline's processes and files to what a watcher is told of them.
 */
#include "sim/pipeline/files.h"
#include "sim/pipeline/process.h"
#include "sim/pipeline/reports.h"
#include "sim/pipeline/state.h"

void pipeline_watch_traffic(struct pipeline *p, const struct traffic_watcher *watcher,
			    void *context)
{
	p->watcher = watcher;
	p->watcher_context = context;
}

static uint64_t name_of_process(const struct pipeline *p, uint32_t process)
{
	const struct process *q = PROCESS_AT(p, process);

	return q->pid ? q->pid : q->space | TRAFFIC_BY_SPACE;
}

void traffic_moved(struct pipeline *p, uint32_t process, uint32_t file, uint64_t bytes,
		   bool written)
{
	const struct file *f = FILE_AT(p, file);
	struct traffic traffic;

	if (!p->watcher || f->special || !bytes)
		return;
	traffic = (struct traffic){
		.process = name_of_process(p, process), .bytes = bytes, .written = written};
	if (f->identified) {
		traffic.device = f->device;
		traffic.inode = f->inode;
	}
	p->watcher->moved(p->watcher_context, &traffic);
}

void traffic_executes(struct pipeline *p, uint32_t process, const struct text *executable)
{
	if (p->watcher && executable->count)
		p->watcher->executes(p->watcher_context, name_of_process(p, process), executable);
}

void traffic_made(struct pipeline *p, uint32_t parent, uint32_t child)
{
	if (p->watcher)
		p->watcher->made(p->watcher_context, name_of_process(p, parent),
				 name_of_process(p, child));
}

void traffic_path(struct pipeline *p, uint32_t file, const struct text *path)
{
	const struct file *f = FILE_AT(p, file);

	if (p->watcher && f->identified && path->count)
		p->watcher->path(p->watcher_context, f->device, f->inode, path);
}
