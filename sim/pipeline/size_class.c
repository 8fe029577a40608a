/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy: a data request's priority class by the size of its file.
 *
 * Paper, table 6: the smaller the file, the higher the class, below metadata.
 * The table's bounds are damaged in our copy; 14, 10, 5 and 2 MB are
 * reconstructed, which is why they are options.
 */
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
