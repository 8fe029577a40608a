/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <sys/sysmacros.h>

#include "provenance.h"

static const char *const then_names[THEN_MAX] = {
	"then.0", "then.1", "then.2", "then.3", "then.4", "then.5", "then.6", "then.7",
};

static void add_volume(struct attributes *a, const struct record_options *options,
		       const struct volume *volume, uint64_t disk_bytes)
{
	attributes_add(a, "fs", "%s", volume->fs->name);
	attributes_add(a, "size", "%llu", (unsigned long long)disk_bytes);
	attributes_add_text(a, "mkfs_options", options->mkfs_options);
	attributes_add_text(a, "mount_options", options->mount_options);
	if (!file_system_is_none(volume->fs)) {
		attributes_add(a, "mount_device", "%u:%u", major(volume->mount_device),
			       minor(volume->mount_device));
		attributes_add(a, "mount_point", "%s", volume->root);
	}
	attributes_add(a, "disk.0.name", "%s", volume->loop.path);
	attributes_add(a, "disk.0.bytes", "%llu", (unsigned long long)disk_bytes);
	attributes_add_text(a, "disk.0.image", options->disk ? options->disk : options->keep);
	attributes_add_text(a, "layout.0", volume->layout);
}

static void add_commands(struct attributes *a, const struct record_options *options)
{
	attributes_add_command(a, "command", options->command);
	attributes_add_text(a, "calls", options->no_calls ? "none" : NULL);
	attributes_add_text(a, "prepare", options->prepare);
	for (unsigned i = 0; i < options->then_count; i++)
		attributes_add_text(a, then_names[i], options->then[i]);
	attributes_add(a, "copy_offload", "%s", options->refuse_offload ? "refused" : "allowed");
	attributes_add(a, "misaligned", "%s", options->skip_misaligned ? "skipped" : "completed");
}

void provenance_collect(struct attributes *attributes, const struct record_options *options,
			const struct volume *volume, uint64_t disk_bytes, const char *no_truth)
{
	attributes->count = 0;
	attributes_add_machine(attributes, "host", "linux64");
	add_volume(attributes, options, volume, disk_bytes);
	add_commands(attributes, options);
	attributes_add(attributes, "truth", "%s%s", no_truth ? "none: " : "bpf",
		       no_truth ? no_truth : "");
}
