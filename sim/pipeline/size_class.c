/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy: a data request's priority class by the size of its file.
 *
 * Paper, table 6: the smaller the file, the higher the class, below metadata.
 * The table's bounds are damaged in our copy; 14, 10, 5 and 2 MB are
 * reconstructed, which is why they are options. A file that grows leaves behind
 * when its class changed, so that a request has the class of its own time.
 */
#include "sim/pipeline/files.h"
#include "sim/pipeline/selection.h"
#include "sim/pipeline/state.h"

uint8_t size_class(const struct pipeline_options *options, uint64_t size)
{
	uint8_t io_class = CLASS_REST;

	if (size == SIZE_UNKNOWN)
		return CLASS_REST;
	while (io_class < 4 && size < options->size_bound_bytes[io_class])
		io_class++;
	return io_class;
}

void file_resized(struct pipeline *p, uint32_t file, uint64_t size_before)
{
	struct file *f = FILE_AT(p, file);
	uint8_t before = f->io_class;

	f->io_class = size_class(&p->options, file_size(f));
	if (f->io_class == before || size_before == SIZE_UNKNOWN)
		return;
	for (int i = CLASS_CHANGES - 1; i; i--)
		f->past[i] = f->past[i - 1];
	f->past[0] = (struct class_change){.time_ns = p->now_ns, .before = before};
}

uint8_t file_class(struct pipeline *p, uint32_t file, uint64_t time_ns)
{
	const struct file *f = file ? FILE_AT(p, file) : NULL;
	uint8_t io_class = f ? f->io_class : CLASS_REST;

	if (!f || !is_selected(p, file))
		return CLASS_REST;
	for (int i = 0; i < CLASS_CHANGES && time_ns < f->past[i].time_ns; i++)
		io_class = f->past[i].before;
	return io_class;
}
