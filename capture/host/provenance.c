/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>

#include "provenance.h"

static const char *const then_names[THEN_MAX] = {
	"then.0", "then.1", "then.2", "then.3", "then.4", "then.5", "then.6", "then.7",
};

static void add(struct provenance *p, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(struct provenance *p, const char *name, const char *format, ...)
{
	char *value;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&value, format, args);
	va_end(args);
	if (length < 0)
		return; /* the trace lacks an attribute, no more */
	p->at[p->count] = (struct attribute_event){
		.name = {name, strlen(name)},
		.value = {value, length},
	};
	p->values[p->count++] = value;
}

static void add_if(struct provenance *p, const char *name, const char *value)
{
	if (value)
		add(p, name, "%s", value);
}

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=./,:@%";

	return *word && !word[strspn(word, plain)];
}

/* In single quotes; one inside becomes '\''. */
static char *quote(char *at, const char *word)
{
	*at++ = '\'';
	for (; *word; word++)
		at = *word == '\'' ? stpcpy(at, "'\\''") : stpncpy(at, word, 1);
	*at++ = '\'';
	return at;
}

/* The words as a shell would take them; NULL without memory. */
static char *join(char *const *words)
{
	size_t bytes = 1;
	char *text, *at;

	for (char *const *word = words; *word; word++)
		bytes += 4 * strlen(*word) + 3;
	at = text = malloc(bytes);
	for (char *const *word = words; text && *word; word++) {
		if (word != words)
			*at++ = ' ';
		at = is_plain(*word) ? stpcpy(at, *word) : quote(at, *word);
	}
	if (text)
		*at = '\0';
	return text;
}

static void add_machine(struct provenance *p)
{
	time_t now = time(NULL);
	struct utsname system;
	char started[32];
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", &utc);
	add(p, "recorder", "host");
	add(p, "version", "%s", SKY_VERSION);
	add(p, "started", "%s", started);
	add(p, "clock", "CLOCK_MONOTONIC");
	add(p, "guest", "linux64");
	if (!uname(&system)) {
		add(p, "kernel", "%s", system.release);
		add(p, "host", "%s", system.nodename);
	}
	add(p, "chunk", "%u", CHUNK_BYTES);
	add(p, "checksum", "fnv1a64");
}

static void add_volume(struct provenance *p, const struct record_options *options,
		       const struct volume *volume, uint64_t disk_bytes)
{
	add(p, "fs", "%s", volume->fs->name);
	add(p, "size", "%llu", (unsigned long long)disk_bytes);
	add_if(p, "mkfs_options", options->mkfs_options);
	add_if(p, "mount_options", options->mount_options);
	if (!file_system_is_none(volume->fs)) {
		add(p, "mount_device", "%u:%u", major(volume->mount_device),
		    minor(volume->mount_device));
		add(p, "mount_point", "%s", volume->root);
	}
	add(p, "disk.0.name", "%s", volume->loop.path);
	add(p, "disk.0.bytes", "%llu", (unsigned long long)disk_bytes);
	add_if(p, "disk.0.image", options->disk ? options->disk : options->keep);
	add_if(p, "layout.0", volume->layout);
}

static void add_commands(struct provenance *p, const struct record_options *options)
{
	char *command = join(options->command);

	add_if(p, "command", command);
	free(command);
	add_if(p, "calls", options->no_calls ? "none" : NULL);
	add_if(p, "prepare", options->prepare);
	for (unsigned i = 0; i < options->then_count; i++)
		add_if(p, then_names[i], options->then[i]);
	add(p, "copy_offload", "%s", options->refuse_offload ? "refused" : "allowed");
	add(p, "misaligned", "%s", options->skip_misaligned ? "skipped" : "completed");
}

void provenance_collect(struct provenance *provenance, const struct record_options *options,
			const struct volume *volume, uint64_t disk_bytes, const char *no_truth)
{
	provenance->count = 0;
	add_machine(provenance);
	add_volume(provenance, options, volume, disk_bytes);
	add_commands(provenance, options);
	add(provenance, "truth", "%s%s", no_truth ? "none: " : "bpf", no_truth ? no_truth : "");
}

void provenance_free(struct provenance *provenance)
{
	for (size_t i = 0; i < provenance->count; i++)
		free(provenance->values[i]);
	provenance->count = 0;
}
